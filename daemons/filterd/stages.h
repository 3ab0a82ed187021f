/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A commit as up to three transactions, so that no packet falls between two policies.
 *
 * Rules, chains and elements of hash sets change at one moment of the kernel's commit, when the
 * generation changes (nf_tables_commit in net/netfilter/nf_tables_api.c). What is new in a set of
 * intervals (rbtree, pipapo), and what leaves it, is seen only at the end of the commit, a
 * millisecond later or, when somebody else needs the processor, ten: a rule that begins to look it
 * up finds nothing until then, and one that looked it up before goes on to find what is gone.
 *
 * A packet reads at the head of a base chain which of two generations of rules it meets, but looks
 * elements up by what the generation is then. So one that is on its way when that changes meets the
 * rules of before with the elements of after, of hash sets too.
 *
 * Therefore sets that rules of the same commit look up are never changed, but made anew and whole,
 * in a transaction of their own before any rule names them:
 *
 *      before   fresh sets with their elements, the chains that these lead to, still empty, and
 *               fresh shards of stretches; as many transactions as it takes (fw_stages_part())
 *      batch    what decides: rules, hash sets, the marker
 *      after    sets and chains that nothing leads to any more
 *
 * There are places for two generations of rules only: the transaction after next takes the place of
 * those that a packet may still be reading. So what decides, and what goes after it, waits until
 * whoever was on its way has arrived (fw_stages_let_pass()).
 *
 * The name of such a set ends with a digest of what is in it, "from_forward/0123456789ab": the same
 * content has the same name, and is left alone.
 *
 *      g_autoptr(FwStages) stages = fw_stages_new(generation, sets_of_the_kernel);
 *      name = fw_stages_set(stages, &spec, elements);
 *      ... rules that look up `name` go into stages->batch
 *      fw_stages_drop_unused(stages);
 */

#include "netlink/nft-batch.h"
#include <errno.h>
#include <glib.h>

#define FW_STAGES_DIGEST 12 /* hex digits */
/* While the kernel works on a transaction, nobody else can change the ruleset of the namespace: what
 * need not be seen at once goes in several, of about so many bytes; one takes less than 0.1 s. */
#define FW_STAGES_PART_SIZE (1024U * 1024U)

typedef struct FwStages {
        PtNftBatch *before, *batch, *after; /* one and the same for a whole table */
        GPtrArray *parts;                   /* of `before`, those that are full: PtNftBatch */
        unsigned sent_parts;                /* of them */
        uint32_t generation;                /* that the first is for */
        GHashTable *there;                  /* fixed sets that the kernel has; NULL: none */
        GHashTable *wanted;                 /* those of this commit */
        GHashTable *begun; /* all sets, when `before` was sent once already; NULL: it was not */
} FwStages;

/* Three transactions, the first for `generation`. `sets`: names of all sets of the table; the
 * caller's. `begun`: what `before` makes may be there. */
FwStages *fw_stages_new(uint32_t generation, const GPtrArray *sets, bool begun);
/* Whether a set that is named by its content need not be made. */
bool fw_stages_has(const FwStages *stages, const char *name);
/* All goes into the one, of a table that is made anew. Borrows it. */
FwStages *fw_stages_of_batch(PtNftBatch *batch);
void fw_stages_free(FwStages *stages);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwStages, fw_stages_free)

/* The name of a set of these elements (nftnl_set_elem *, consumed), which is made unless it is there.
 * spec->name is the name's first part. The name belongs to the stages. */
const char *fw_stages_set(FwStages *stages, const PtNftSetSpec *spec, GPtrArray *elements);
/* Sets of this kind that are there and not wanted go, after the commit. */
void fw_stages_drop_unused(FwStages *stages);
/* What goes into `before` next may go into another transaction: then that is `before` from now on. To
 * be called where a set begins, or between elements. */
void fw_stages_part(FwStages *stages);
/* A chain that nobody leads to yet, empty, in `before`. */
void fw_stages_chain(FwStages *stages, const char *name);
/* The first of `before`. */
PtNftBatch *fw_stages_first(FwStages *stages);
/* All is in: the transactions are for this generation and those that follow. */
void fw_stages_follow(FwStages *stages, uint32_t generation);

typedef enum FwStagesStep {
        FW_STAGES_BEFORE,
        FW_STAGES_BATCH,
        FW_STAGES_AFTER,
        FW_STAGES_MAX,
        FW_STAGES_INVALID = -EINVAL,
} FwStagesStep;

/* The next transaction in the order in which they are sent, and what it is; NULL: there is none any
 * more. The caller's. */
PtNftBatch *fw_stages_take(FwStages *stages, FwStagesStep *ret);
/* Returns when each packet is done that was being looked at when it was called: a grace period of
 * RCU, some milliseconds, for which no processor works. */
void fw_stages_let_pass(void);
size_t fw_stages_size(const FwStages *stages); /* bytes of all of them */
/* An array for fw_stages_set(). */
GPtrArray *fw_stages_elements_new(void);
