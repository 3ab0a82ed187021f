/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to emit.c, emit-shard.c and emit-plan.c: a batch while it is made. */

#include "emit-rule.h"
#include "resync.h"
#include "stages.h"
#include "touched.h"

typedef struct Emit {
        FwStages *stages;
        PtNftBatch *batch; /* of the stages: the commit itself */
        FwTouched *touched;
        FwCarry *carry;      /* may be NULL */
        PtNft *nft;          /* of a delta */
        const FwSets *sets;  /* what rules look up */
        const FwTags *tags;  /* and the bits of their tags */
        const FwSets *moves; /* of a delta: some are under another name; NULL: none */
        uint32_t set_id;
} Emit;

/* What a rule of a class begins at, once; `owner` is the class's chain. */
bool fw_emit_take(Emit *emit, const char *owner, const FirewallRule *rule, FwCount *ret);
/* Whether it looks up a set that gets another name: its tag does not say so. */
bool fw_emit_rule_moves(const Emit *emit, const FirewallRule *rule);
/* Shards: rules in a chain. */
typedef struct FwShard {
        const char *owner, *chain;
        const FirewallRule *const *rules;
        unsigned n;
} FwShard;
/* `fresh`: of a chain that nobody leads to before the commit (stages.h). */
void fw_emit_shard(Emit *emit, const FwShard *shard, bool fresh);
/* Makes the chain, which holds `kernel`, hold these rules. */
void fw_emit_shard_sync(Emit *emit, const FwShard *shard, GArray *kernel);
/* Adds to what is carried what those rules of the chain have counted that will not stay as they
 * are; `after` is NULL when the chain goes. */
void fw_emit_carry_chain(Emit *emit, const FwShard *before, const FwShard *after, GArray *kernel);
void fw_emit_chain_drop(Emit *emit, const char *chain);

/* Chains of rules that lead to something, each with the name of that as its comment. */
typedef struct FwLeads {
        const char *chain;
        unsigned n;
        const char *(*name)(unsigned i, const void *userdata);
        struct nftnl_rule *(*make)(unsigned i, const void *userdata);
        const void *userdata;
} FwLeads;
/* A rule whose comment is the name of what it leads to. */
struct nftnl_rule *fw_emit_lead(const char *chain, const char *name);
int fw_emit_leads_sync(Emit *emit, const FwLeads *leads);

/* Elements of verdict maps. */
typedef struct FwElement {
        const char *owner, *map;
        const FirewallRule *rule;
        const void *key, *key_end; /* NULL: no range */
        size_t len;
} FwElement;
/* Between pt_nft_batch_elements_begin() and _end() of the batch; `count` may be NULL. */
void fw_emit_element(Emit *emit, PtNftBatch *batch, const FwElement *element, const FwCount *count,
                     bool carried);
void fw_emit_element_gone(Emit *emit, const FwElement *element);
/* Adds what an element in the kernel has counted to what is carried. -EUCLEAN: it is not the
 * rule's. */
int fw_emit_carry_element(Emit *emit, const FwElement *element);

/* Plans. */
void fw_emit_plan(Emit *emit, const char *owner, const FwPlan *plan);
/* A stretch before and after, either of which may be NULL. First all are read, then all are
 * changed, then what nothing leads to any more is dropped. */
typedef struct FwPlanChange FwPlanChange;
FwPlanChange *fw_plan_change_new(const char *owner, const FwPlan *before, const FwPlan *after);
void fw_plan_change_free(FwPlanChange *change);
int fw_plan_change_read(Emit *emit, FwPlanChange *change);
int fw_plan_change_put(Emit *emit, FwPlanChange *change);
void fw_plan_change_drop(Emit *emit, const FwPlanChange *change);
