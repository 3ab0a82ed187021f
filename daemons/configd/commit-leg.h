/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One participant's share of a commit: its part of the candidate, and the calls of its
 * org.patronus.Transaction1, one at a time. Here is what a single participant may need several
 * attempts for: the whole slice when it lacks the base, a plan again when it was busy or had to
 * repair its system. One that dies after it was told to commit may start again, once and soon: if it
 * then has in force what it should, it plans that again, commits it and goes on. commit.c decides
 * what is called when, and what a failure means.
 *
 *         leg = leg_new(&context, member, after);
 *         leg_plan(leg);               context.done(leg, result, ...) follows, perhaps at once
 */

#include "manager.h"

/* What all legs of a commit have in common; outlives them. */
typedef struct Leg Leg;

typedef struct LegContext {
        struct Manager *manager;
        uint64_t revision;
        Reply *reply;  /* gets diagnostics and plans */
        PlanWish wish; /* what the plans are asked beside */
        /* A call has ended: 0 or a negative errno, with a diagnostic. Once for each call. */
        void (*done)(Leg *leg, int result, void *userdata);
        void *userdata;
} LegContext;

struct Leg {
        const LegContext *context;
        Member *member;
        PtSlice *after; /* its part of the candidate */
        ParticipantCall call;
        PtDiagnostics *diag; /* of the call under way */
        char *owner;         /* the process that has the transaction, by its unique bus name */
        PtGuarantee guarantee;
        uint64_t prepare_usec, commit_usec; /* estimates */
        uint64_t patience_usec;             /* CLOCK_MONOTONIC: until then it may be busy */
        sd_event_source *again;             /* when it was */
        sd_event_source *restart;           /* it died, and may start again until then */
        bool full;                          /* it was sent the whole slice */
        bool planned;                       /* it has a transaction to abort */
        bool committed; /* it was told to commit; whether it did is another question */
        bool restarted; /* it died since; once is forgiven */
        bool verifying, verified;
};

Leg *leg_new(const LegContext *context, Member *member, PtSlice *after); /* takes `after` */
void leg_free(Leg *leg);
const char *leg_name(const Leg *leg); /* "filterd" */

void leg_plan(Leg *leg);
void leg_prepare(Leg *leg);
/* false, with a diagnostic: the process that planned is gone. */
bool leg_check_alive(Leg *leg);
void leg_commit(Leg *leg);
/* Sets leg->verified; leg->diag says why not. */
void leg_verify(Leg *leg);
/* Brings a participant that was told to commit back to the running configuration. */
void leg_revert(Leg *leg);
/* Aborts what it planned, unless it was told to commit already. */
void leg_abort(const Leg *leg);
/* Its daemon left the bus, or is there again. */
void leg_owner_changed(Leg *leg);
/* An answer of its daemon is awaited, or the daemon itself. */
bool leg_is_waiting(const Leg *leg);
Stage leg_stage(const Leg *leg);
/* Drops the call under way; whatever it asked for, a leg_abort() takes back. */
void leg_cancel(Leg *leg);
