/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The common reply of Commit, Plan, Load, Apply and Revert: what changes, how, and what is wrong. A
 * refusal is such a reply with `accepted` false, so that its diagnostics arrive as data.
 */

#include "conflict.h"
#include "participant.h"

#define REPLY_CHANGES_MAX 1000 /* named in a reply; more are only counted */

typedef enum Timing {
        TIMING_VALIDATE,
        TIMING_PLAN,
        TIMING_COMMIT,
        TIMING_ENGINE, /* the slowest daemon's engine, plan and commit: lies within those */
        TIMING_VERIFY,
        TIMING_JOURNAL,
        TIMING_TOTAL,
        TIMING_MAX,
        TIMING_INVALID = -EINVAL,
} Timing;

/* What one daemon is about to do. */
typedef struct PlanResult {
        const ParticipantClass *klass;
        GPtrArray *steps; /* char * */
        char *engine;
        PtGuarantee guarantee;
        PtImpact impact;
        uint64_t prepare_usec, commit_usec; /* estimates */
        /* Of new connections like the administrator's. */
        bool has_cuts, cuts;
        char *cuts_why; /* why, or why it cannot say; NULL: it was not asked */
} PlanResult;

typedef struct Reply {
        bool accepted;
        bool changed;
        uint64_t revision; /* the new one; the running one if nothing changed; 0: no revision came
                              of it */
        Changes *changes;  /* or NULL: it did not come to that */
        PtImpact impact;
        PtGuarantee guarantee;
        GPtrArray *plans;     /* PlanResult, one a daemon that takes part, as they commit */
        uint64_t merged_with; /* the running revision that a change begun on an older one was merged
                                 with; 0: it was not */
        GPtrArray *conflicts; /* ConflictEntry: what both changed */
        /* How long it waits to be confirmed, 0: not at all; and why, or why not. */
        uint64_t confirm_usec;
        char *confirm_why; /* or NULL */
        /* What the change does to packets and the like, as the daemons say: array of objects with a
         * member "text"; NULL: they were not asked. */
        struct json_object *difference;
        bool difference_partial;
        PtDiagnostics *diag;
        uint64_t usec[TIMING_MAX];
} Reply;

Reply *reply_new(void);
void reply_free(Reply *reply);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Reply, reply_free)

void reply_set_changes(Reply *reply, Changes *changes); /* takes them */
/* Adds what a daemon answered to Plan. */
void reply_add_plan(Reply *reply, const ParticipantClass *klass, const Answer *answer);
/* Appends it as a{sv}. */
int reply_append(const Reply *reply, sd_bus_message *m);
/* Answers a method call with it. */
int reply_send(const Reply *reply, sd_bus_message *call);
/* The same as a CommitDone whose userdata is the call, whose reference it takes. */
void reply_done(const Reply *reply, void *call);
