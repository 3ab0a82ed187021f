/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a stretch of a class's rules becomes that are not all of one shape: chains of maps and
 * lists, as a pure function of the rules and their order.
 *
 *      z_lan/wan/t0...           the first chain: where a packet comes from and goes to decides
 *      m_lan/wan/t0.../4.DIGEST  which leaf it is for (filter/tree.h), one map for each family
 *      z_lan/wan/t0.../4-89ab... a leaf: phase after phase (phases.h), each of them
 *      m_.../0.0h40a0001.DIGEST    a map of single values, when all boxes of one sort are of one
 *                                  shape
 *      m_.../0.0r43.1.0.DIGEST     else one of concatenated ranges, at most FW_RANGES_MAP_MAX
 *      z_.../0.0s0123...           a shard of the rules that are in no map
 *
 * Few rules are one leaf, and that is the first chain. A leaf of very many is divided by their
 * order, too. A name says all that the rule says which leads to what it names; of maps also what they
 * hold. What a map or shard holds are its items.
 */

#include "base/digest.h"
#include "filter/tree.h"
#include "match-put.h"

/* Fewer rules are a list. */
#define FW_PLAN_MIN 24
/* Rules of a leaf that are compared with each other; above, they are divided where a uid says so
 * (one in FW_SECTION_MEAN), and after so many. */
#define FW_SECTION_MAX 1024
#define FW_SECTION_MEAN 512
/* A map of concatenated ranges is slow to change when it has many elements. */
#define FW_RANGES_MAP_MAX 1000

typedef enum FwPieceSort {
        FW_PIECE_SHARD,  /* a list of rules, in a chain of its own */
        FW_PIECE_HASH,   /* a verdict map of single values */
        FW_PIECE_RANGES, /* a verdict map of concatenated ranges */
        FW_PIECE_DIVIDE, /* a verdict map of regions, to the chains of leaves */
        FW_PIECE_JUMP,   /* to the only leaf of a family */
        FW_PIECE_SORT_MAX,
        FW_PIECE_SORT_INVALID = -EINVAL,
} FwPieceSort;

/* Of a map: an element; of a shard: a rule. */
typedef struct FwItem {
        const FirewallRule *rule; /* borrowed from the class; NULL: of FW_PIECE_DIVIDE */
        char *chain;              /* of FW_PIECE_DIVIDE: where it leads */
        uint8_t keys[];           /* of a map: the key, or both ends of its ranges */
} FwItem;

typedef struct FwPiece {
        unsigned refs;
        FwPieceSort sort;
        char *name; /* of the chain or map; of FW_PIECE_JUMP of where it leads */
        int family;
        uint32_t shape;   /* of FW_PIECE_HASH */
        unsigned ranges;  /* of FW_PIECE_RANGES and FW_PIECE_DIVIDE */
        size_t key_len;   /* of maps */
        size_t item_size; /* bytes */
        unsigned n;
        GByteArray *items; /* FwItem, in the order of the rules; see fw_piece_item() */
} FwPiece;

static inline FwItem *fw_piece_item(const FwPiece *piece, unsigned i)
{
        return (FwItem *) (void *) (piece->items->data + i * piece->item_size);
}

static inline bool fw_piece_is_map(const FwPiece *piece)
{
        return piece->sort == FW_PIECE_HASH || piece->sort == FW_PIECE_RANGES ||
               piece->sort == FW_PIECE_DIVIDE;
}

/* Elements that end somewhere: two keys. */
static inline bool fw_piece_has_ranges(const FwPiece *piece)
{
        return piece->sort == FW_PIECE_RANGES || piece->sort == FW_PIECE_DIVIDE;
}

/* What of a leaf depends on some consecutive rules of it alone. */
typedef struct FwSection {
        uint64_t id;
        unsigned rule, n_rules;
        unsigned piece, n_pieces;
} FwSection;

typedef struct FwChain {
        unsigned refs;
        char *name;
        const FirewallRule **rules; /* of a leaf: what it is made of; borrowed from the class */
        unsigned n;
        GArray *sections;  /* FwSection, of a leaf, in order of its rules */
        GPtrArray *pieces; /* FwPiece, in order of evaluation; of taken over sections the same */
} FwChain;

typedef struct FwPlan {
        unsigned copies;     /* fw_tree_copies() of the table that it was made for */
        GPtrArray *chains;   /* FwChain; each after those that it leads to: the first one last */
        GHashTable *by_name; /* the same */
} FwPlan;

typedef struct FwPlanRule {
        const FirewallRule *rule;
        uint64_t mix; /* of the uid */
} FwPlanRule;

/* Of a class's chain "z_lan/wan", the plan called `name`; `copies`: fw_tree_copies(). Takes over
 * leaves of `old` (may be NULL) that are the same, and sections of other leaves. */
FwPlan *fw_plan_new(const char *name, const FwPlanRule *rules, unsigned n, unsigned copies,
                    const FwPlan *old);
void fw_plan_free(FwPlan *plan);
/* The first chain. */
static inline const FwChain *fw_plan_entry(const FwPlan *plan)
{
        return g_ptr_array_index(plan->chains, plan->chains->len - 1);
}
const FwChain *fw_plan_chain(const FwPlan *plan, const char *name); /* NULL: none, or no plan */

/* Names of maps that say what these hold: element by element, and at the end the stem is replaced.
 * The hasher is consumed. */
void fw_content_add(PtHasher *hasher, const FirewallRule *rule, const void *keys, size_t size);
void fw_content_name(PtHasher *hasher, char **name);
