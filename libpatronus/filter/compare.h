/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What two policies in one space do otherwise: pieces without packets in common, each with the rule
 * that decides it in either. Only what differs is looked at: packets that no changed rule matches, in
 * the policy where it stands, are decided as they were.
 */

#include "policy.h"

/* What a comparison may cost: a second or two. */
#define FW_COMPARE_STEPS 60000000
/* Pieces of one comparison: 2 MB, and more than anybody reads. */
#define FW_COMPARE_PIECES_MAX 20000

typedef struct FwPair {
        const FwPolicyRule *before, *after; /* never NULL: defaults are rules too */
} FwPair;

/* Called for each piece that they do otherwise. Other than 0 is the end, and is returned. */
typedef int (*FwEachDifference)(const FwCube *piece, const FwPair *pair, void *userdata);

/*
 * 0: these are all; 1: there may be more, of rules that are not told exactly (policy.h); -E2BIG:
 * there are more, but it would cost too much to say which.
 */
int fw_policy_compare(const FwPolicy *before, const FwPolicy *after, FwEachDifference each,
                      void *userdata);
/* Whether both do the same, in the same manner. */
bool fw_policy_rule_alike(const FwPolicyRule *a, const FwPolicyRule *b);
