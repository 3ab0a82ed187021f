/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A daemon that takes part in commits, as configd sees it: which kinds are its part of the
 * configuration, whether it is there, and calls of its org.patronus.Transaction1.
 */

#include "changes.h"
#include "txn/engine.h"
#include <systemd/sd-bus.h>

/* A commit goes through the stages one after the other, and what is in one at the same time: a route
 * needs its link, a service its address, and what is published must be there. */
typedef enum Stage {
        STAGE_DATASET,
        STAGE_LINK,
        STAGE_ADDRESS,
        STAGE_TUNNEL,
        STAGE_ROUTE,
        STAGE_STEER,
        STAGE_SERVICE,
        STAGE_FILTER,
        STAGE_PUBLISH,
        STAGE_MAX,
        STAGE_INVALID = -EINVAL,
} Stage;
const char *stage_to_string(Stage stage); /* "link" */

typedef struct ParticipantClass {
        const char *name; /* "filterd"; of its files in the store too */
        const char *bus_name;
        const char *path;
        const char *api_prefix; /* of the kinds it gets: "patronus.firewall/" */
        const char *group;      /* may read its files in the store */
        Stage stage;
} ParticipantClass;

/* All of them (participant-classes.h); the last has name NULL. */
extern const ParticipantClass participant_classes[];

typedef struct Participant {
        const ParticipantClass *klass;
        const PtKind **kinds; /* NULL-terminated */
        bool all_kinds;       /* its slice is the configuration */
        PtSlice *slice;       /* its part of the running configuration */
        sd_bus *bus;          /* referenced; NULL while there is none */
        char *owner;          /* unique bus name; NULL: down. A restarted daemon has another one */
} Participant;

/* The daemon that gets a kind; never NULL, as a test walks all kinds. */
const ParticipantClass *participant_class_of(const PtKind *kind);

void participant_init(Participant *participant, const ParticipantClass *klass);
void participant_done(Participant *participant);

/* Its part of a configuration. */
PtSlice *participant_project(const Participant *participant, PtSlice *configuration);
/* Its part of the candidate that `changes` lead to, at the cost of the changes; NULL if none
 * concerns it. */
PtSlice *participant_project_changes(const Participant *participant, const Changes *changes);

/* What a call answered. Members that were not in the reply are zero. */
typedef struct Answer {
        GPtrArray *steps; /* char * */
        char *engine;
        PtImpact impact;
        PtGuarantee guarantee;
        uint64_t prepare_usec, commit_usec; /* estimates */
        uint64_t engine_usec; /* of a commit: what the engine took for it, plan and all */
        bool empty;           /* of a plan: nothing is to be done */
        bool has_cuts, cuts;  /* new connections like the administrator's are refused by it */
        char *cuts_why;       /* for people: why, or why it cannot say; NULL: it was not asked */
        struct json_object *difference; /* of a plan: array; NULL: it was not asked */
        bool difference_partial;
        bool verified;
        bool has_root, has_marker;
        PtDigest root, marker_root;
} Answer;

/* One call under way; its owner embeds it. */
typedef struct ParticipantCall {
        Participant *participant;
        PtDiagnostics *diag; /* gets what the daemon says, and why a call failed */
        /* result: 0 or a negative errno. Not called when starting the call failed, or after
         * cancelling it. */
        void (*done)(int result, const Answer *answer, void *userdata);
        void *userdata;
        const char *method;
        uint64_t deadline_usec;
        uint64_t started_usec; /* CLOCK_MONOTONIC */
        sd_bus_slot *slot;
} ParticipantCall;

/* Errors that say no more than: not now, or not so. They come without a diagnostic. */
static inline bool participant_try_again(int result)
{
        return result == -ESTALE    /* NeedFull: its base is another one */
               || result == -EAGAIN /* Conflict: it repairs its system, and gave the plan up */
               || result == -EBUSY;
}

/* The daemon left the bus instead of an answer, or the process that was meant is not there any
 * more. */
static inline bool participant_vanished(int result)
{
        return result == -ECONNRESET || result == -ENOTCONN;
}

/* What a plan is asked beside. */
typedef enum PlanTests {
        PLAN_TESTS_NONE,   /* what is to be in force whatever anybody expects */
        PLAN_TESTS_REFUSE, /* what the configuration expects must be so */
        PLAN_TESTS_WARN,   /* or is said */
} PlanTests;

typedef struct PlanWish {
        const PtTuple *administrator; /* whether the plan cuts such connections; or NULL */
        bool analyze;                 /* what is odd about it, and what differs for packets */
        PlanTests tests;
} PlanWish;

/* Plan with the delta from `before` to `after`, or with the whole of `after` when `before` is NULL. */
int participant_plan(ParticipantCall *call, uint64_t revision, const PtSlice *before,
                     const PtSlice *after, const PlanWish *wish, uint64_t deadline_usec);
/* Prepare, Commit or Verify. */
int participant_step(ParticipantCall *call, const char *method, uint64_t revision,
                     uint64_t deadline_usec);
int participant_get_state(ParticipantCall *call, uint64_t deadline_usec);
/* Abort, without waiting for an answer. */
void participant_abort(const Participant *participant, uint64_t revision);
void participant_cancel(ParticipantCall *call);

/* true if GetState says that the system has the slice in force: its marker, or without one the
 * daemon. */
bool answer_in_force(const Answer *answer, const PtSlice *slice);
/* true if daemon and system agree that it is. */
bool answer_agrees(const Answer *answer, const PtSlice *slice);
