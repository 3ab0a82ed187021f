/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the table in the kernel consists of, as a pure function of the slice: the same slice gives
 * the same classes, units and names on every machine and after every history, so that a restarted
 * filterd knows from the marker alone what is there.
 *
 * A class is the ordered list of rules that a zone pair sees. Pairs that see the same rules share a
 * class:
 *
 *      rules with from=lan, to=wan exist (or lan/any and any/wan both)   lan/wan, of that pair alone
 *      else rules with from=lan and any `to` exist                       lan/any, shared
 *      else rules with any `from` and to=wan exist                       any/wan, shared
 *      else                                                              any/any
 *
 * Rules about fragments are in classes of their own, lan/FRAGMENTS or any/FRAGMENTS.
 *
 * The router sees none of what is from any zone, but floating rules (FirewallRule.floating): they
 * are in classes of its own. In a class, floating rules stand before those of the pair, or after
 * them in reverse: fw_effective_compare() says where.
 *
 * A class is cut into units:
 *
 *      run       rules of one shape with FW_RUN_MIN keys or more, no two of which have a key in
 *                common: one verdict map. Of FW_RUN_FRESH_MAX keys or fewer its name says
 *                what it holds
 *      stretch   other rules that may stand in several places: a plan of leaves, maps and lists
 *                (plan.h)
 *      shard     what may not, or is few: a list, cut at rules whose uid says so (one in
 *                FW_SHARD_MEAN), around rules that need a chain of their own, and after FW_SHARD_MAX rules. So an inserted rule moves a boundary
 *                once in FW_SHARD_MEAN times, and the kernel's cost of a change is that of a short
 *                chain
 */

#include "filter/effective.h"
#include "filter/zones.h"
#include "health.h"
#include "match-put.h"
#include "plan.h"
#include "sets.h"

/* Runs with fewer keys are part of a stretch: each run is one more lookup for every packet, whereas
 * the leaves of a stretch are one for all. */
#define FW_RUN_MIN 256
/* A run of so many keys or fewer is never changed, but made anew under another name (stages.h), for
 * some milliseconds of work. The map of a longer one is changed in place: should the same commit
 * change something else that decides about the same packets, one that is on its way at that very
 * moment may meet the rules of before with the keys of after. */
#define FW_RUN_FRESH_MAX 1024
#define FW_SHARD_MEAN 64
#define FW_SHARD_MAX 256

/* Where a rule may stand. */
typedef enum FwStanding {
        FW_STANDS_ALONE,  /* in one shard */
        FW_STANDS_COPIES, /* in lists of several leaves */
        FW_STANDS_FOLDS,  /* in maps, too */
} FwStanding;

typedef struct FwEntry {
        const FirewallRule *rule; /* effective; a reference */
        uint64_t mix;             /* first half of the uid, big endian: cuts and names */
        uint32_t shape;           /* 0: none; so that cutting does not look at the rules */
        uint16_t keys;
        uint8_t standing; /* FwStanding */
        bool alone;       /* a shard of its own: fw_match_alone() */
} FwEntry;

typedef struct FwUnit {
        unsigned refs;
        char *name;     /* of the chain or the map */
        unsigned n;     /* entries of the class, from where the units before it end */
        uint32_t shape; /* of a run; 0: it is none */
        FwPlan *plan;   /* of a stretch, whose first chain has the unit's name; NULL: it is none */
        uint64_t mix;   /* the one that names it; of a stretch that of the unit before, or 0 */
        bool collided;  /* the run ended because the next rule has a key in common with it */
        GHashTable *keys; /* of a run: FwSlot, a set */
} FwUnit;

/* A key of a run and its rule, which the unit's entry holds a reference of. */
typedef struct FwSlot {
        const FirewallRule *rule;
        uint32_t len;
        uint8_t bytes[];
} FwSlot;

typedef enum FwClassSort {
        FW_CLASS_FILTER, /* "lan/wan": rules of a pair of zones */
        FW_CLASS_NAT,    /* "in/wan", "out/wan": NAT rules of a zone (nat.h); never folded */
        FW_CLASS_SORT_MAX,
        FW_CLASS_SORT_INVALID = -EINVAL,
} FwClassSort;

typedef struct FwClass {
        FwClassSort sort;
        char *name;
        char *from, *to;
        char *chain;      /* "z_lan/wan", "n_in/wan" */
        GArray *entries;  /* FwEntry, in order of evaluation */
        GPtrArray *units; /* FwUnit */
} FwClass;

typedef struct FwPair {
        const FwZone *from, *to;
        FwClass *klass; /* borrowed; NULL: no rule can match, the default decides */
} FwPair;

/* Of `n` zones: each to each, each to the router, the router to each, and the fragments of each. */
static inline const FwPair *fw_pair(const GArray *pairs, unsigned n, unsigned from, unsigned to)
{
        return &g_array_index(pairs, FwPair, from * (n + 3) + to);
}
#define fw_pair_input(pairs, n, from) fw_pair(pairs, n, from, n)
#define fw_pair_output(pairs, n, to) fw_pair(pairs, n, to, (n) + 1)
#define fw_pair_fragments(pairs, n, from) fw_pair(pairs, n, from, (n) + 2)

typedef struct FwNat FwNat; /* nat.h */

typedef struct FwLayout {
        PtSlice *slice;
        FwZones *zones;
        FwEffective *effective;
        GHashTable *objects; /* name -> FwObject (objects.h) */
        GHashTable *scopes; /* "from/to" of rules -> number of enabled rules; a `from` of "*" is any
                                zone and the router */
        GHashTable *classes; /* name -> FwClass */
        GArray *pairs;       /* FwPair */
        FwSets *sets;        /* of the least size, until they are loaded, adopted or changed */
        FwNat *nat;
        GHashTable *pools;      /* name -> FwPool (pools.h) */
        const FwHealth *health; /* whom the pools' slots lead to; borrowed; NULL: all are alive */
        FwTimes *times;         /* its rules' times; a reference; NULL: whatever the time is */
        FwTags *tags;           /* by the history, not by the slice alone */
} FwLayout;

/* -E2BIG with a diagnostic when the slice is beyond a limit. */
int fw_layout_new(PtSlice *slice, PtDiagnostics *diag, FwLayout **ret);
/* The same at a time. */
int fw_layout_new_at(PtSlice *slice, FwTimes *times, PtDiagnostics *diag, FwLayout **ret);
/* Tags keep the bits that they have; `before` NULL: they have none. */
void fw_layout_keep_tags(FwLayout *layout, const FwTags *before);
void fw_layout_free(FwLayout *layout);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwLayout, fw_layout_free)

/* Every class, those of NAT rules last; in no order beside that. */
void fw_layout_foreach_class(const FwLayout *layout,
                             void (*each)(const FwClass *klass, void *userdata), void *userdata);

/* For layout-delta.c and nat.c. */

char *fw_class_chain(FwClassSort sort, const char *name);
void fw_class_free(FwClass *klass);
void fw_unit_unref(FwUnit *unit);
/* Whether it is a run whose map is never changed. */
bool fw_unit_is_fixed(const FwUnit *unit);
GArray *fw_entries_new(void);
GArray *fw_entries_copy(const GArray *entries);
void fw_entries_insert(GArray *entries, unsigned index, const FirewallRule *rule);
/* Index of the first entry that is not before the rule in order of evaluation. */
unsigned fw_entries_find(const GArray *entries, const FirewallRule *rule);
/* The unit of the entry with an index, and its first entry; NULL past the end. */
FwUnit *fw_class_unit_at(const FwClass *klass, unsigned index, unsigned *ret_start);
/* fw_tree_copies() of the whole table. */
unsigned fw_layout_copies(const PtSlice *slice);
/* A class of these entries (consumed), taking over units of `old` (may be NULL) that cover the same
 * entries; `copies`: fw_layout_copies(), 0 for classes without stretches. */
FwClass *fw_class_new(FwClassSort sort, const char *name, GArray *entries, unsigned copies,
                      const FwClass *old);
/* The same from all rules of a slice. */
FwClass *fw_class_from_slice(const char *name, FwEffective *effective, const PtSlice *slice);
bool fw_class_has(const FwClass *klass, const FirewallRule *rule);
/* Puts a rule's keys, which must be free, under its name, and takes them away. */
void fw_unit_claim(FwUnit *unit, const FirewallRule *rule);
void fw_unit_release(FwUnit *unit, const FirewallRule *rule);
const FirewallRule *fw_unit_owner(const FwUnit *unit, const FwKey *key, size_t len);

char *fw_scope_of(const FirewallRule *rule);
/* Whether the same scopes have rules, however many. */
bool fw_scopes_same(GHashTable *a, GHashTable *b);
/* The pairs of zones with their classes' names (FwPair with klass NULL) by a callback, from the
 * numbers of rules a scope. */
typedef void (*FwPairFunc)(const FwZone *from, const FwZone *to, const char *name, void *userdata);
void fw_pairs_foreach(const FwZones *zones, GHashTable *scopes, FwPairFunc each, void *userdata);
