/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The inside of a participant, shared by participant.c (the states, starting, reconciling) and
 * bus-participant.c (who may call, and the words on the bus). Not for others.
 *
 *   IDLE -plan-> PLANNED -prepare-> PREPARING -> PREPARED -commit-> COMMITTING -> COMMITTED
 *                   '-------------------commit------------------------^             |   ^
 *                                                                                verify |
 *                                                          IDLE <-verified- VERIFYING --' else
 *
 * abort leads to IDLE from everywhere: at once where something waits, else when the step ends. What
 * fails in prepare or commit leads to IDLE too. A reconcile goes the same way by itself; one that is
 * asked for in COMMITTED commits the same revision anew and comes back to it.
 */

#include "event/backoff.h"
#include "txn/bus-daemon.h"
#include "txn/participant.h"

typedef enum PtStep {
        PT_STEP_IDLE,
        PT_STEP_PLANNED,
        PT_STEP_PREPARING,
        PT_STEP_PREPARED,
        PT_STEP_COMMITTING,
        PT_STEP_COMMITTED,
        PT_STEP_VERIFYING,
        PT_STEP_MAX,
        PT_STEP_INVALID = -EINVAL,
} PtStep;

typedef struct PtTransaction {
        PtStep step;
        uint64_t revision;
        PtSlice *wanted;
        PtPlan *plan;
        bool reconcile; /* our own, not configd's */
        bool mends;   /* our own, of what configd committed and is to verify: COMMITTED after it */
        bool aborted; /* ends with the step that runs */
        PtDone done;  /* of the step that runs */
        void *userdata;
        uint64_t started_usec;
        uint64_t engine_usec; /* of all steps so far: from wanted objects to what the system has */
} PtTransaction;

struct PtParticipant {
        char *daemon;
        const PtEngine *engine;
        PtEngineCtx *ctx;
        struct PtSecrets *secrets; /* or NULL */
        PtSlice *slice;    /* decided, as far as we know: the base of deltas, and what a reconcile
                              wants */
        PtDaemonInfo info; /* info.revision: in force */
        bool starting;
        bool in_force; /* the slice is what the system has; false after a failure, and while
                          undecided */
        bool undecided;
        PtTransaction txn;
        uint64_t overtaken; /* revision whose plan a reconcile aborted; 0: none */

        GArray *waiting; /* of Waiting: who asked for a reconcile */
        PtDiagnostics *reconcile_diag;
        sd_event_source *reconcile;
        PtBackoff *retry;

        /* bus-participant.c's */
        sd_bus *bus; /* NULL: none yet */
        char *path;
        uid_t owner_uid;
        sd_bus_slot *slots[2];
        sd_bus_track *track; /* of the caller */
        char *caller; /* unique name of the sender that may call and whose transaction it is */
        sd_bus_message *call;      /* to be answered when the step ends */
        PtDiagnostics *call_diag;  /* of that step */
        sd_bus_message *held_plan; /* came during a reconcile, and waits for its end */
};

/* 0, or a negative errno: then there is no transaction. -EBUSY: there is one already. */
int pt_transaction_plan(PtParticipant *p, uint64_t revision, PtSlice *wanted, bool reconcile,
                        PtDiagnostics *diag);
/* `done` is called exactly once, perhaps before these return. */
void pt_transaction_prepare(PtParticipant *p, PtDiagnostics *diag, PtDone done, void *userdata);
void pt_transaction_commit(PtParticipant *p, PtDiagnostics *diag, PtDone done, void *userdata);
void pt_transaction_verify(PtParticipant *p, PtDiagnostics *diag, PtDone done, void *userdata);
void pt_transaction_abort(PtParticipant *p);

/* Tells the bus, if there is one, that what Daemon1 says has changed, or that the engine is free.
 */
void pt_participant_changed(PtParticipant *p);
void pt_participant_idle(PtParticipant *p);
void pt_participant_detach(PtParticipant *p);
