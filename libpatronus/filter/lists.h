/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A slice made ready for questions: its zones, the rules that each pair of zones sees in the order of
 * evaluation, and the NAT rules of each zone. Lists are made when they are asked for first, and get
 * an index (filter/rule-index.h) once they are asked often; what aliases hold is read once.
 */

#include "filter/effective.h"
#include "filter/rule-index.h"
#include "filter/nat-use.h"
#include "filter/zones.h"

typedef struct FwLists FwLists;

/* Copies the source (its slice by reference). `effective`: who has the rules of the slice already;
 * NULL: the lists keeps its own. Errors of fw_zones_new(). */
int fw_lists_new(const FwSource *source, FwEffective *effective, PtDiagnostics *diag,
                 FwLists **ret);
void fw_lists_free(FwLists *lists);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwLists, fw_lists_free)

const FwZones *fw_lists_zones(const FwLists *lists);
const FwSource *fw_lists_source(const FwLists *lists);
/* What aliases hold, as FwMatcher asks; of all questions of the lists. */
FwAliasCache *fw_lists_aliases(FwLists *lists);
const FwTags *fw_lists_tags(const FwLists *lists);

typedef struct FwRuleList FwRuleList;
/* What a pair of zones sees: enabled rules, linked ones too. Either side may be the router, not
 * both; `to` may be the zones' `fragments`. */
FwRuleList *fw_lists_rules(FwLists *lists, const FwZone *from, const FwZone *to);
/* The uses (filter/nat-use.h) of NAT rules for what arrives from a zone (the router: of its own
 * programs), leaves by it, or goes back. */
FwRuleList *fw_lists_nat(FwLists *lists, FwNatSide side, const FwZone *zone);
unsigned fw_rule_list_length(const FwRuleList *list);
const FirewallRule *fw_rule_list_get(const FwRuleList *list, unsigned index);

/* Those of a list that may match a packet, in order. */
typedef struct FwRuleWalk {
        const FwRuleList *list;
        unsigned next;
        FwRuleIndexWalk index;
} FwRuleWalk;
void fw_rule_list_walk(FwRuleList *list, const FwPacket *packet, FwRuleWalk *walk);
/* NULL: there are no more. *ret_place: its number in the list, from 1. */
const FirewallRule *fw_rule_walk_next(FwRuleWalk *walk, unsigned *ret_place);
