/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a rule demands of a packet, apart from its zones, with defaults filled in. Which values there
 * are, where they lie and how they are compared says the table of kinds/firewall/dimension.h.
 *
 * A rule is one or more ways to match: of several services, or of both families where a value lies
 * elsewhere in each. A way is a conjunction of terms, at most one positive and one negative of each
 * dimension; a term is a choice of values and of aliases, or none of them.
 */

#include "filter/effective.h"
#include "filter/flatten.h"
#include "kinds/firewall/dimension.h"

typedef struct FwTerm {
        FwDimension dimension;
        bool negated; /* none of what is here */
        unsigned n;   /* values, and where they are: of the C type of the dimension's FwValue */
        const void *items; /* borrowed from the rule */
        unsigned n_aliases;
        char *const *aliases;
        uint32_t value, mask; /* in place of lists: a number; a value under a mask; bits */
} FwTerm;

#define FW_TERMS_MAX (FW_DIM_MAX + 4) /* what an endpoint excludes comes beside what it includes */

typedef struct FwMatch {
        const FirewallRule *rule;
        int family;   /* AF_INET, AF_INET6, or AF_UNSPEC: both */
        int helper;   /* FwHelper that connections get, or FW_HELPER_INVALID */
        int protocol; /* IPPROTO_*, with a helper */
        unsigned n_terms;
        FwTerm terms[FW_TERMS_MAX]; /* in the order of FwDimension */
} FwMatch;

/*
 * A rule with several ports, addresses or protocols is several rules in a chain, up to
 * FW_PARTS_MAX for each of its ways: a set for each would make the kernel walk the list of all sets
 * for each new one (nft_set_lookup). Only longer lists are worth a set. Several aliases of one
 * dimension are parts whatever their number: there is no "or" of lookups in one rule. The number
 * of parts, 0 for a rule that nothing can match; and one of them.
 */
#define FW_PARTS_MAX 16
unsigned fw_match_parts(const FirewallRule *rule);
/* Whether its parts need a chain of their own, from which each returns: what goes on to the next rule
 * (fw_rule_decides()) and is several in the kernel would else count a packet twice. */
bool fw_match_alone(const FirewallRule *rule);
void fw_match_part(const FirewallRule *rule, unsigned part, FwMatch *ret);

/* The sort of an alias's entries that a dimension's values are looked up among. */
FwSetPart fw_dimension_part(FwDimension dimension, int family);

/* The ways of a rule, one after the other. */
typedef struct FwWays {
        const FirewallRule *rule;
        unsigned choice;
        bool second; /* the family IPv6 of the choice is left */
} FwWays;
bool fw_ways_next(FwWays *ways, FwMatch *ret);
/* How many values a term has in the family: of ICMP types, not all are of both. */
unsigned fw_term_values(const FwTerm *term, int family);
