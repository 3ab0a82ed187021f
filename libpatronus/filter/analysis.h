/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Rules that do nothing, or not what they say. Exactly:
 *
 *   shadowed        no packet comes to it: rules before it decide all that it matches, and at least
 *                   one of them otherwise than it would
 *   redundant       the same, and all of them decide as it would; or it only decides, and whatever
 *                   would come to it is decided alike by what follows it, default included
 *   contradictory   shadowed by a single rule that matches just the same packets and does the
 *                   opposite (allows what it refuses, or refuses what it allows); or of the same
 *                   priority and position as a rule before it that does the opposite to some of the
 *                   same packets, so that nothing but the names says which comes first
 *
 * "All" is the union of what several rules match. Nothing is said that is not so: where the answer
 * is not known, for what policy.h cannot tell or because it would cost too much, there is none.
 */

#include "policy.h"

typedef enum FwFindingKind {
        FW_FINDING_SHADOWED,
        FW_FINDING_REDUNDANT,
        FW_FINDING_CONTRADICTORY,
        FW_FINDING_MAX,
        FW_FINDING_INVALID = -EINVAL,
} FwFindingKind;

typedef struct FwFinding {
        FwFindingKind kind;
        uint32_t rule;       /* its number in the policy */
        bool follows;        /* redundant by what follows */
        bool same_place;     /* contradictory by priority and position */
        const GArray *rules; /* uint32_t: those that decide in its place, in order */
} FwFinding;

typedef void (*FwEachFinding)(const FwFinding *finding, void *userdata);
/* What a whole analysis may cost: about a second. */
#define FW_ANALYSIS_STEPS 40000000
/* Calls `each` for what is found, in order. Returns the number of rules that nothing could be said
 * of because it would have cost more than `steps`. */
size_t fw_policy_analyse(const FwPolicy *policy, size_t steps, FwEachFinding each, void *userdata);

/* The same of a slice, as diagnostics of severity warning whose codes are "shadowed", "redundant" and
 * "contradictory". Errors of reading datasets. */
int fw_analyse(const FwSource *source, PtDiagnostics *diag);
