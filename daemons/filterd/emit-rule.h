/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* One rule as the kernel has it: what it asks, that it counts, what it decides, who it is. */

#include "counters.h"
#include "match-put.h"
#include "netlink/nft-expr.h"

/* Where a rule leads: the verdict, and the chain of one that goes to a chain, or NULL. */
int fw_rule_verdict(const FirewallRule *rule, const char **ret_chain);
/* The userdata of a rule or an element; its size. */
size_t fw_rule_userdata(const FirewallRule *rule, unsigned part, bool carried,
                        uint8_t ret[static NFT_USERDATA_MAXLEN]);

typedef struct FwRulePart {
        const char *chain;
        const FirewallRule *rule;
        unsigned
                part; /* with FW_PART_LIMIT, FW_PART_SET or FW_PART_LOG: does that, and goes on; with
                          FW_PART_PASS: what the one before leaves passes */
        FwCount count; /* what it begins at */
        bool carried;
} FwRulePart;

/* The rules of the kernel that a part is, in order: numbers for FwRulePart and FwTag; how many. */
#define FW_PART_RULES_MAX 5
unsigned fw_rule_part_numbers(const FirewallRule *rule, unsigned part,
                              unsigned ret[static FW_PART_RULES_MAX]);
/* Sets that it needs go into the batch; *set_id numbers them. */
struct nftnl_rule *fw_rule_new(const FwRulePart *part, const FwPutWith *with, PtNftBatch *batch,
                               uint32_t *set_id);
