/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "commit-leg.h"

#include "deadline.h"

/* A daemon that repairs its system is busy for a moment. */
#define BUSY_RETRY_USEC (50 * PT_USEC_PER_MSEC)
#define BUSY_MAX_USEC (5 * PT_USEC_PER_SEC)

Leg *leg_new(const LegContext *context, Member *member, PtSlice *after)
{
        Leg *leg = g_new0(Leg, 1);

        leg->context = context;
        leg->member = member;
        leg->after = after;
        leg->call = (ParticipantCall){
                .participant = &member->participant, .diag = context->reply->diag, .userdata = leg};
        return leg;
}

void leg_free(Leg *leg)
{
        if (!leg)
                return;
        participant_cancel(&leg->call);
        sd_event_source_disable_unref(leg->again);
        pt_diag_free(leg->verify_diag);
        pt_slice_unref(leg->after);
        g_free(leg);
}

const char *leg_name(const Leg *leg)
{
        return leg->member->participant.klass->name;
}

static uint64_t step_usec(const Leg *leg)
{
        return leg->context->manager->step_usec;
}

static void leg_done(Leg *leg, int result)
{
        leg->context->done(leg, result, leg->context->userdata);
}

/* A call could not even be sent. */
static void leg_unsent(Leg *leg, int result)
{
        pt_diag_error(leg->context->reply->diag, "daemon-unreachable", NULL,
                      "%s cannot be asked to take part (%s): see whether it runs", leg_name(leg),
                      g_strerror(-result));
        leg_done(leg, result);
}

/* ---- Plan ------------------------------------------------------------------------------- */

static void on_planned(int result, const Answer *answer, void *userdata);

void leg_plan(Leg *leg)
{
        const Participant *participant = &leg->member->participant;
        int r;

        leg->call.done = on_planned;
        r = participant_plan(&leg->call, leg->context->revision,
                             leg->full ? NULL : participant->slice, leg->after,
                             leg->context->administrator, deadline_step(step_usec(leg), 0));
        if (r < 0)
                leg_unsent(leg, r);
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
        Leg *leg = userdata;

        leg->again = sd_event_source_disable_unref(leg->again);
        leg_plan(leg);
        return 0;
}

/* false if it was busy for too long: then that is said. */
static bool plan_later(Leg *leg)
{
        uint64_t now = g_get_monotonic_time();

        if (leg->patience_usec == 0)
                leg->patience_usec = now + BUSY_MAX_USEC;
        if (now < leg->patience_usec &&
            sd_event_add_time_relative(leg->context->manager->event, &leg->again, CLOCK_MONOTONIC,
                                       BUSY_RETRY_USEC, 0, on_again, leg) >= 0)
                return true;
        pt_diag_error(leg->context->reply->diag, "daemon-busy", NULL,
                      "%s is busy with something else: see its log, and try again", leg_name(leg));
        return false;
}

static void take_plan(Leg *leg, const Answer *answer)
{
        leg->planned = true;
        leg->guarantee = answer->guarantee;
        leg->prepare_usec = answer->prepare_usec;
        leg->commit_usec = answer->commit_usec;
        reply_add_plan(leg->context->reply, leg->member->participant.klass, answer);
}

static void on_planned(int result, const Answer *answer, void *userdata)
{
        Leg *leg = userdata;

        if (result == -ESTALE && !leg->full) { /* it has another base than we thought */
                leg->full = true;
                leg_plan(leg);
                return;
        }
        if (participant_try_again(result) && plan_later(leg))
                return;
        if (result >= 0 && leg->committed) { /* again, see on_committed() */
                leg_commit(leg);
                return;
        }
        if (result >= 0)
                take_plan(leg, answer);
        leg_done(leg, result);
}

/* ---- Prepare ---------------------------------------------------------------------------- */

static void on_prepared(int result, const Answer *answer, void *userdata)
{
        leg_done(userdata, result);
}

void leg_prepare(Leg *leg)
{
        int r;

        leg->call.done = on_prepared;
        r = participant_step(&leg->call, "Prepare", leg->context->revision,
                             deadline_prepare(step_usec(leg), leg->prepare_usec));
        if (r < 0)
                leg_unsent(leg, r);
}

/* ---- Commit ----------------------------------------------------------------------------- */

static void on_committed(int result, const Answer *answer, void *userdata)
{
        Leg *leg = userdata;
        uint64_t *slowest = &leg->context->reply->usec[TIMING_ENGINE];

        if (participant_try_again(result) && plan_later(leg))
                return; /* nothing was done: it plans again, and on_planned() commits again */
        *slowest = MAX(*slowest, answer->engine_usec);
        leg_done(leg, result);
}

void leg_commit(Leg *leg)
{
        int r;

        leg->committed = true;
        leg->call.done = on_committed;
        r = participant_step(&leg->call, "Commit", leg->context->revision,
                             deadline_step(step_usec(leg), leg->commit_usec));
        if (r < 0)
                leg_unsent(leg, r);
}

/* ---- Verify ----------------------------------------------------------------------------- */

static void on_verified(int result, const Answer *answer, void *userdata)
{
        Leg *leg = userdata;

        leg->verified = result >= 0 && answer->verified;
        leg_done(leg, result);
}

void leg_verify(Leg *leg)
{
        int r;

        pt_diag_free(leg->verify_diag);
        leg->verify_diag = pt_diag_new();
        leg->call.diag = leg->verify_diag;
        leg->call.done = on_verified;
        r = participant_step(&leg->call, "Verify", leg->context->revision,
                             deadline_step(step_usec(leg), leg->commit_usec));
        if (r < 0)
                leg_unsent(leg, r);
}

/* ---- Revert, Abort ---------------------------------------------------------------------- */

static void on_reverted(Participant *participant, int result, const PtDiagnostics *diag,
                        void *userdata)
{
        Leg *leg = userdata;
        Manager *manager = leg->context->manager;

        manager_repaired(leg->member, result, diag);
        if (result < 0)
                pt_diag_error(leg->context->reply->diag, "not-reverted", NULL,
                              "%s could not be taken back to revision %" PRIu64
                              " yet; that is tried again until it succeeds",
                              leg_name(leg), manager->revision);
        leg_done(leg, result);
}

void leg_revert(Leg *leg)
{
        int r;

        leg->member->suspect = leg->member->in_doubt = true;
        r = manager_repair(leg->member, on_reverted, leg);
        if (r < 0)
                on_reverted(&leg->member->participant, r, NULL, leg);
}

void leg_abort(const Leg *leg)
{
        if (leg->planned && !leg->committed)
                participant_abort(&leg->member->participant, leg->context->revision);
}

void leg_cancel(Leg *leg)
{
        participant_cancel(&leg->call);
        leg->again = sd_event_source_disable_unref(leg->again);
        leg->planned = true; /* or about to: the abort follows the plan */
}
