/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which of many rules in order may match a packet: an index over the boxes of rules (filter/box.h),
 * so that a packet is not held against each of ten thousand. It decides nothing: what it gives are
 * candidates, in order and none left out, which are then asked as ever (filter/packet.h).
 *
 * Rules are taken in blocks of FW_RULE_INDEX_BLOCK. For each family and each of some dimensions a block
 * has the elementary intervals between the bounds of its rules' boxes, and a bit for each rule in
 * each; candidates are the bits that are set in all dimensions. So the size grows with the number
 * of rules, not with its square, and a question costs a search in each block.
 */

#include "filter/packet.h"

#define FW_RULE_INDEX_BLOCK 1024

typedef struct FwRuleIndex FwRuleIndex;
/* `rules`: const FirewallRule *, effective. The index keeps none of them. */
FwRuleIndex *fw_rule_index_new(const GPtrArray *rules);
void fw_rule_index_free(FwRuleIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwRuleIndex, fw_rule_index_free)

typedef struct FwRuleIndexWalk {
        const FwRuleIndex *index; /* borrowed, as the packet */
        const FwPacket *packet;
        unsigned block, word; /* the next ones */
        uint64_t bits[FW_RULE_INDEX_BLOCK / 64];
} FwRuleIndexWalk;

void fw_rule_index_walk(const FwRuleIndex *index, const FwPacket *packet, FwRuleIndexWalk *walk);
/* The place in `rules` of the next candidate; false: there is none. */
bool fw_rule_index_next(FwRuleIndexWalk *walk, unsigned *ret);
