/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * An engine: behaviour, in a daemon, over one or more kinds. Its input is (wanted slice, what it
 * observed), never "what happened": boot, commit, revert, hotplug and drift repair are the same
 * call. There is no rollback: reverting is planning from what is to the previous revision and
 * committing it.
 *
 * The participant (txn/participant.h) calls, in this order and never two transactions at once:
 *
 *         observe -> plan -> [prepare] -> commit -> verify [-> verify ...]
 *
 * and abort, in place of what would come next, after plan, prepare or a commit that failed; then
 * plan_free. An empty plan is committed too: the engine takes over what it computed, and touches
 * nothing but the marker, which names the plan's revision and root after every commit that changed
 * one of them.
 *
 * `done` may be called before the function returns, and is called exactly once unless the function
 * itself returns a negative errno; never after teardown. While a step runs, the PtDiagnostics it
 * was given are there.
 */

#include "txn/slice.h"
#include "txn/tuple.h"
#include <systemd/sd-event.h>

typedef enum PtGuarantee {
        PT_GUARANTEE_ATOMIC,      /* all or nothing, at one instant */
        PT_GUARANTEE_COMPENSATED, /* steps, undone by planning back */
        PT_GUARANTEE_EVENTUAL,    /* a back end that converges */
        PT_GUARANTEE_MAX,
        PT_GUARANTEE_INVALID = -EINVAL,
} PtGuarantee;
const char *pt_guarantee_to_string(PtGuarantee guarantee); /* "atomic", "compensated", "eventual" */

/* What an engine is told about its surroundings. */
typedef struct PtEngineCtx {
        sd_event *event;
        int netns_fd; /* the namespace it works in; never the process's own implicitly */
        const char *state_dir;
        const char *run_dir;
        void *engine; /* the engine's own state, set by its setup */
        void *daemon; /* the daemon's, for signals */
} PtEngineCtx;

typedef void (*PtDone)(int result, void *userdata); /* 0 or a negative errno */

/* Opaque to all but the engine. */
typedef struct PtObserved PtObserved;

/* The engine embeds this as the first member of its own plan. */
typedef struct PtPlan {
        uint64_t revision; /* to be put into the marker */
        PtDigest root;     /* of the wanted slice */
        GPtrArray *steps;  /* char *: what will be done, for people; at most PT_PLAN_STEPS_MAX */
        PtImpact impact;   /* the worst */
        uint64_t prepare_usec; /* estimates */
        uint64_t commit_usec;
        bool empty; /* the system already is as wanted, and its marker names the wanted root */
} PtPlan;
#define PT_PLAN_STEPS_MAX 1000

/* The code of diagnostics about what the configuration expects of itself and is not so. */
#define PT_EXPECTATION_FAILED "expectation-failed"

/* What a plan is asked beside. */
typedef struct PtReview {
        bool analyze; /* warn of what is odd about what is wanted, and say what differs */
        bool tests;   /* what the configuration itself expects must be so */
        bool forced;  /* where it is not, that is only a warning */
        struct json_object *difference; /* array, of objects with a member "text" for people; the
                                           caller's; NULL: there is nothing to be said */
        bool partial;                   /* of the difference, this is a part */
} PtReview;

typedef struct PtEngine {
        const char *name;           /* "nft" */
        const PtKind *const *kinds; /* owned: reported on by this engine; NULL-terminated */
        const PtKind *const *reads; /* of others; NULL-terminated */
        PtGuarantee guarantee;
        int (*setup)(PtEngineCtx *ctx); /* by pt_participant_new(); may be NULL, as teardown */
        void (*teardown)(PtEngineCtx *ctx);
        int (*observe)(PtEngineCtx *ctx, PtObserved **ret); /* cheap; NULL is a fine answer */
        /* Pure: no change of kernel or disk. `wanted` is referenced by the plan. */
        int (*plan)(PtEngineCtx *ctx, uint64_t revision, PtSlice *wanted, PtObserved *observed,
                    PtDiagnostics *diag, PtPlan **ret);
        /* Would a new connection like this one be refused once the plan is in force? 1 with a
         * reason for people, 0, or negative: it cannot say. Pure, and asked about a plan that
         * nothing was done for yet. NULL: nothing that this engine does refuses one. */
        int (*cuts)(PtEngineCtx *ctx, const PtPlan *plan, const PtTuple *tuple, char **ret_why);
        /* Looks at a plan of configd's that nothing was done for yet, beside the slice in force. Pure;
         * may take a second. -EINVAL after errors: the plan is refused. NULL: nothing is ever to be
         * said. */
        int (*review)(PtEngineCtx *ctx, const PtPlan *plan, const PtSlice *before, PtReview *review,
                      PtDiagnostics *diag);
        int (*prepare)(PtEngineCtx *ctx, PtPlan *plan, PtDiagnostics *diag, PtDone done,
                       void *userdata);
        int (*commit)(PtEngineCtx *ctx, PtPlan *plan, PtDiagnostics *diag, PtDone done,
                      void *userdata);
        int (*verify)(PtEngineCtx *ctx, PtPlan *plan, PtDiagnostics *diag, PtDone done,
                      void *userdata);
        /* Frees what prepare took, if it ran, and nothing else. */
        void (*abort)(PtEngineCtx *ctx, PtPlan *plan);
        void (*plan_free)(PtPlan *plan);
        void (*observed_free)(PtObserved *observed);
        /* The revision and slice root that the system itself says are in force (the marker);
         * -ENODATA: none, or not ours. */
        int (*marker)(PtEngineCtx *ctx, uint64_t *ret_revision, PtDigest *ret_root);
} PtEngine;
