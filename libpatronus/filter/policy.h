/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The rules of a slice as an ordered list of cubes (region.h): what of it the analyses read. The
 * order is that of evaluation; at the end stand the defaults of the zones, so that the list decides
 * every packet. In front stands what is dropped because an interface has no zone in this policy
 * that has one in another one of the space.
 *
 *         fw_policy_new(&source, diag, &policy);
 *         fw_policy_note(policy, space);        of each policy in the space
 *         fw_space_settle(space);
 *         fw_policy_place(policy, space);
 *
 * Unlike the boxes of the compiler (box.h), which say what may be folded, cubes say also zones,
 * exceptions and what is asked beside the axes. What cannot be told (a field that is not known here,
 * a list that is too long, one condition too many) is told by more than it is, under a condition of
 * its own; where there are no conditions left either, `exact` is false: then it is never taken for
 * what covers another, nor for what is certain.
 *
 * It begins where the rules do: what passes or is dropped before them (anti-lockout, bans, the
 * prologue, the guards of zones) decides alike whatever they say.
 */

#include "effective.h"
#include "space.h"
#include "zones.h"

/* Cubes of one rule: it is told by what contains it, if it had more. */
#define FW_RULE_CUBES_MAX 1024
/* Of all rules, 20 MB: above, each further rule is one cube that contains it. */
#define FW_POLICY_CUBES_MAX 300000
/* Spans of an alias that is told as what it holds; a larger one is a condition. */
#define FW_ALIAS_SPANS_MAX 64

typedef struct FwPolicyRule {
        const FirewallRule *rule; /* effective; NULL: see `rest` */
        const char *rest;         /* what decides without a rule: "the default", "no zone" */
        FwAction action;
        /* How it does it, if not as others of the action do (helpers, limits ...): alike if the
         * text is; NULL: plainly. */
        char *manner;
        bool decides; /* false: what it matches goes on to the next */
        bool exact;
        bool bare;  /* nothing but its verdict comes of it: neither log nor helper nor mark */
        bool known; /* its fields are those that are understood here */
        uint32_t first, n; /* its cubes */
} FwPolicyRule;

typedef struct FwPolicy {
        FwSource source;
        FwZones *zones;
        FwEffective *effective;
        GArray *rules; /* FwPolicyRule, in order */
        GArray *cubes; /* FwPlaced, in the same order; `place` is the number of the rule */
        FwIndex *index;
        GHashTable *aliases; /* what was found of them */
        int error;
} FwPolicy;

/* The slice must outlive it. -E2BIG with a diagnostic: too many zones. */
int fw_policy_new(const FwSource *source, PtDiagnostics *diag, FwPolicy **ret);
void fw_policy_free(FwPolicy *policy);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwPolicy, fw_policy_free)

/* Names of zones of both, sorted; `b` may be NULL. For fw_space_new(). */
GPtrArray *fw_policy_zones(const FwPolicy *a, const FwPolicy *b);
void fw_policy_note(FwPolicy *policy, FwSpace *space);
/* Errors of reading datasets. */
int fw_policy_place(FwPolicy *policy, FwSpace *space);

static inline const FwPolicyRule *fw_policy_rule(const FwPolicy *policy, uint32_t number)
{
        return &g_array_index(policy->rules, FwPolicyRule, number);
}

static inline const FwPlaced *fw_policy_cube(const FwPolicy *policy, uint32_t number)
{
        return &g_array_index(policy->cubes, FwPlaced, number);
}

/* "FirewallRule/web", "NatRule/shop", or `rest`. */
char *fw_policy_name(const FwPolicyRule *rule);
