/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a rule demands (filter/match.h) in its two forms in the kernel: lists of expressions
 * (match-put.c), or keys of a verdict map: of single values (match-shape.c), or of ranges
 * (match-ranges.c).
 *
 * A rule has a shape when each term is a choice of single values: addresses, prefixes of one
 * length, ports. Consecutive rules of one shape cannot both match a packet unless they have a key
 * in common, so they may stand in one map: their order does not matter.
 */

#include "filter/box.h"
#include "filter/match.h"
#include "filter/tags.h"
#include "netlink/nft-batch.h"
#include "sets.h"

/* What rules mean by the names in them. */
typedef struct FwPutWith {
        const FwSets *sets;
        const FwTags *tags;
} FwPutWith;

/* Appends the expressions of a part to a rule; sets that a rule of NAT needs go into the batch before,
 * and use *set_id for their numbers. */
void fw_match_put(const FwMatch *match, const char *table, const FwPutWith *with, PtNftBatch *batch,
                  uint32_t *set_id, struct nftnl_rule *rule);

/* A list of values that is too long to be written out: a set, by the name "v_DIGEST", which says all
 * that is in it (objects.h). */
typedef struct FwValueSet {
        uint32_t key_type; /* nft's datatype number */
        size_t len;        /* of a key */
        bool intervals;
        GArray *bounds; /* FwBounds, disjoint */
} FwValueSet;

/* Whether a term is asked by a set; the caller unrefs the bounds. */
bool fw_value_set_of(const FwMatch *match, const FwTerm *term, FwValueSet *ret);
char *fw_value_set_name(const FwValueSet *set);
/* Makes it; with an id, one of a rule of the same batch alone, "__set%d". */
void fw_value_set_put(const FwValueSet *set, const char *table, const char *name, uint32_t id,
                      PtNftBatch *batch);

/* The length of the prefix that an inclusive interval is, or -1. */
int fw_prefix_length(const uint8_t *lo, const uint8_t *hi, size_t len);

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

/* The shape of a box that is one key, and the key; 0: it is none. */
uint32_t fw_box_shape(const FwBox *box, FwKey *ret);

/*
 * A box as an element of concatenated ranges: which values are told apart beside the addresses, as
 * bits, and the ends of the ranges. Packets that have no ports, no type of ICMP, or no protocol (a
 * broken chain of extension headers) are not found in a map that asks for it; so what does not ask
 * for it stands in another map.
 */
#define FW_RANGES_PROTOCOL (1U << 0)
#define FW_RANGES_PORTS (1U << 1)
#define FW_RANGES_ICMP (1U << 2)
#define FW_RANGES_MAX (1U << 3)
unsigned fw_box_ranges(const FwBox *box);
size_t fw_ranges_key_len(int family, unsigned ranges);
uint32_t fw_ranges_key_type(int family, unsigned ranges);
/* Lengths of the fields in bytes; their number. */
#define FW_RANGES_FIELDS_MAX 5
unsigned fw_ranges_fields(int family, unsigned ranges, uint8_t ret[static FW_RANGES_FIELDS_MAX]);
void fw_ranges_keys(const FwBox *box, unsigned ranges, uint8_t *lo, uint8_t *hi);
void fw_ranges_put(int family, unsigned ranges, const char *map, struct nftnl_rule *rule);

/* Private to match-put.c, match-shape.c and match-ranges.c. */

/* Appends what asks for the family, if it is one. */
void fw_put_family(int family, struct nftnl_rule *rule);
/* Appends what loads the first `bytes` of a dimension's value into a register. */
void fw_put_load(FwDimension dimension, int family, size_t bytes, uint32_t reg,
                 struct nftnl_rule *rule);
/* The bits as the kernel has them in a connection's labels: a bitmap of its longs. */
void fw_put_tags(FwNumber tags, uint8_t ret[static FW_TAG_BITS / 8]);
/* The first `plen` of `len` bytes' bits. */
void fw_prefix_mask(unsigned plen, uint8_t *mask, size_t len);
