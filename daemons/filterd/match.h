/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a rule demands of a packet, apart from its zones, with defaults filled in; and its two forms
 * in the kernel: lists of expressions, or keys of a verdict map. Which values there are, where they
 * lie and how they are compared says the table of kinds/firewall/dimension.h.
 *
 * A rule is one or more ways to match: of several services, or of both families where a value lies
 * elsewhere in each. A way is a conjunction of terms, at most one positive and one negative of each
 * dimension; a term is a choice of values and of aliases, or none of them.
 *
 * A rule has a shape when each term is a choice of single values: addresses, prefixes of one
 * length, ports. Consecutive rules of one shape cannot both match a packet unless they have a key
 * in common, so they may stand in one map: their order does not matter.
 */

#include "effective.h"
#include "kinds/firewall/dimension.h"
#include "netlink/nft-batch.h"
#include "sets.h"

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
void fw_match_part(const FirewallRule *rule, unsigned part, FwMatch *ret);

/* Appends the expressions of a part to a rule; sets that they need go into the batch before. Uses
 * *set_id for their numbers. */
void fw_match_put(const FwMatch *match, const char *table, const FwSets *sets, PtNftBatch *batch,
                  uint32_t *set_id, struct nftnl_rule *rule);

#define FW_KEY_MAX 44  /* two IPv6 addresses, protocol, two ports, each in whole registers */
#define FW_KEYS_MAX 64 /* keys of one rule; above, it has no shape */

typedef struct FwKey {
        uint8_t bytes[FW_KEY_MAX];
} FwKey;

/* 0: the rule has no shape. Else also how many keys it has. */
uint32_t fw_match_shape(const FirewallRule *rule, unsigned *ret_keys);
/* The keys of a rule that has the shape; their number. */
unsigned fw_match_keys(const FirewallRule *rule, uint32_t shape, FwKey ret[static FW_KEYS_MAX]);
size_t fw_shape_key_len(uint32_t shape);
uint32_t fw_shape_key_type(uint32_t shape); /* nft's datatype numbers */
/* Appends what loads a packet's key and looks it up in the verdict map. */
void fw_shape_put(uint32_t shape, const char *map, uint32_t set_id, struct nftnl_rule *rule);

/* The sort of an alias's entries that a dimension's values are looked up among. */
FwSetPart fw_dimension_part(FwDimension dimension, int family);

/* Private to match.c, match-put.c, match-shape.c and packet.c. */

/* The ways of a rule, one after the other. */
typedef struct FwWays {
        const FirewallRule *rule;
        unsigned choice;
        bool second; /* the family IPv6 of the choice is left */
} FwWays;
bool fw_ways_next(FwWays *ways, FwMatch *ret);
/* How many values a term has in the family: of ICMP types, not all are of both. */
unsigned fw_term_values(const FwTerm *term, int family);
/* Appends what asks for the family, if it is one. */
void fw_put_family(int family, struct nftnl_rule *rule);
/* Appends what loads the first `bytes` of a dimension's value into a register. */
void fw_put_load(FwDimension dimension, int family, size_t bytes, uint32_t reg,
                 struct nftnl_rule *rule);
/* The first `plen` of `len` bytes' bits. */
void fw_prefix_mask(unsigned plen, uint8_t *mask, size_t len);
