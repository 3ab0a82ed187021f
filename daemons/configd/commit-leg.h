/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * One participant's share of a commit: its part of the candidate, and the calls of its
 * org.patronus.Transaction1, one at a time. Here is what a single participant may need several
 * attempts for: the whole slice when it lacks the base, a plan again when it was busy or had to
 * repair its system. commit.c decides what is called when, and what a failure means.
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
        Reply *reply;                 /* gets diagnostics and plans */
        const PtTuple *administrator; /* whose new connections the plans are asked about; or NULL */
        /* A call has ended: 0 or a negative errno, with a diagnostic. Once for each call. */
        void (*done)(Leg *leg, int result, void *userdata);
        void *userdata;
} LegContext;

struct Leg {
        const LegContext *context;
        Member *member;
        PtSlice *after; /* its part of the candidate */
        ParticipantCall call;
        PtDiagnostics *verify_diag; /* of the last Verify: only the last one's is told */
        PtGuarantee guarantee;
        uint64_t prepare_usec, commit_usec; /* estimates */
        uint64_t patience_usec;             /* CLOCK_MONOTONIC: until then it may be busy */
        sd_event_source *again;             /* when it was */
        bool full;                          /* it was sent the whole slice */
        bool planned;                       /* it has a transaction to abort */
        bool committed; /* it was told to commit; whether it did is another question */
        bool verified;
};

Leg *leg_new(const LegContext *context, Member *member, PtSlice *after); /* takes `after` */
void leg_free(Leg *leg);
const char *leg_name(const Leg *leg); /* "filterd" */

void leg_plan(Leg *leg);
void leg_prepare(Leg *leg);
void leg_commit(Leg *leg);
/* Sets leg->verified; leg->verify_diag says why not. */
void leg_verify(Leg *leg);
/* Brings a participant that was told to commit back to the running configuration. */
void leg_revert(Leg *leg);
/* Aborts what it planned, unless it was told to commit already. */
void leg_abort(const Leg *leg);
/* Drops the call under way; whatever it asked for, a leg_abort() takes back. */
void leg_cancel(Leg *leg);
