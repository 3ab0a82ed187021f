/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "commit-leg.h"

#include "deadline.h"

#include "base/log.h"

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
        sd_event_source_disable_unref(leg->restart);
        pt_diag_free(leg->diag);
        g_free(leg->owner);
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

Stage leg_stage(const Leg *leg)
{
        return leg->member->participant.klass->stage;
}

bool leg_is_waiting(const Leg *leg)
{
        return leg->call.slot || leg->again || leg->restart || leg->member->repair;
}

static void new_diag(Leg *leg)
{
        pt_diag_free(leg->diag);
        leg->call.diag = leg->diag = pt_diag_new();
}

static void tell_done(Leg *leg, int result)
{
        leg->context->done(leg, result, leg->context->userdata);
}

/* What the daemon said becomes a part of the reply. */
static void leg_done(Leg *leg, int result)
{
        pt_diag_merge(leg->context->reply->diag, leg->diag);
        new_diag(leg);
        tell_done(leg, result);
}

static bool is_same_process(const Leg *leg)
{
        return g_strcmp0(leg->owner, leg->member->participant.owner) == 0;
}

/* A call could not even be sent. */
static void leg_unsent(Leg *leg, int result)
{
        pt_diag_error(leg->diag, "daemon-unreachable", NULL,
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

        new_diag(leg);
        g_free(leg->owner);
        leg->owner = g_strdup(participant->owner);
        leg->call.done = on_planned;
        r = participant_plan(&leg->call, leg->context->revision,
                             leg->full ? NULL : participant->slice, leg->after, &leg->context->wish,
                             deadline_step(step_usec(leg), 0));
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
        pt_diag_error(leg->diag, "daemon-busy", NULL,
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
        if (result == -ETIMEDOUT)
                leg->planned = true; /* perhaps, later */
        leg_done(leg, result);
}

bool leg_check_alive(Leg *leg)
{
        if (is_same_process(leg))
                return true;
        pt_diag_error(leg->context->reply->diag, "daemon-died", NULL,
                      "%s ended after it had planned the change: see its log", leg_name(leg));
        return false;
}

/* ---- Prepare ---------------------------------------------------------------------------- */

static void on_prepared(int result, const Answer *answer, void *userdata)
{
        leg_done(userdata, result);
}

void leg_prepare(Leg *leg)
{
        int r;

        new_diag(leg);
        leg->call.done = on_prepared;
        r = participant_step(&leg->call, "Prepare", leg->context->revision,
                             deadline_prepare(step_usec(leg), leg->prepare_usec));
        if (r < 0)
                leg_unsent(leg, r);
}

/* ---- a daemon that dies after it was told to commit --------------------------------------- */

static void lose(Leg *leg, const char *what)
{
        leg->restart = sd_event_source_disable_unref(leg->restart);
        new_diag(leg);
        pt_diag_error(leg->diag, "daemon-died", NULL,
                      "%s ended while it was to commit, and %s: see its log", leg_name(leg), what);
        leg_done(leg, -ECONNRESET);
}

static void on_state(int result, const Answer *answer, void *userdata)
{
        Leg *leg = userdata;

        if (result < 0) {
                lose(leg, "does not say what it has in force since it started again");
        } else if (!answer_in_force(answer, leg->after)) {
                lose(leg, "started again without the change");
        } else {
                pt_diag_notice(leg->context->reply->diag, "daemon-restarted", NULL,
                               "%s ended while it was to commit; it started again with the change "
                               "in force",
                               leg_name(leg));
                leg->full = false;
                leg_plan(leg); /* and commits that, see on_planned() */
        }
}

static void ask_state(Leg *leg)
{
        new_diag(leg);
        leg->call.done = on_state;
        if (participant_get_state(&leg->call, deadline_step(step_usec(leg), 0)) < 0)
                lose(leg, "cannot be asked what it has in force");
}

void leg_owner_changed(Leg *leg)
{
        if (!leg->restart || !leg->member->participant.owner)
                return;
        leg->restart = sd_event_source_disable_unref(leg->restart);
        ask_state(leg);
}

static int on_no_restart(sd_event_source *source, uint64_t usec, void *userdata)
{
        lose(userdata, "did not start again");
        return 0;
}

/* Waits for it to start again: once. */
static void await_restart(Leg *leg)
{
        if (leg->restarted) {
                lose(leg, "ended once more when it had started again");
                return;
        }
        leg->restarted = true;
        pt_log(LOG_WARNING, "%s ended while it was to commit revision %" PRIu64, leg_name(leg),
               leg->context->revision);
        if (leg->member->participant.owner && !is_same_process(leg))
                ask_state(leg);
        else if (sd_event_add_time_relative(leg->context->manager->event, &leg->restart,
                                            CLOCK_MONOTONIC, deadline_restart(step_usec(leg)), 0,
                                            on_no_restart, leg) < 0)
                lose(leg, "cannot be waited for");
}

/* ---- Commit ----------------------------------------------------------------------------- */

static void on_committed(int result, const Answer *answer, void *userdata)
{
        Leg *leg = userdata;
        uint64_t *slowest = &leg->context->reply->usec[TIMING_ENGINE];

        if (participant_try_again(result) && plan_later(leg))
                return; /* nothing was done: it plans again, and on_planned() commits again */
        if (participant_vanished(result)) {
                await_restart(leg);
                return;
        }
        *slowest = MAX(*slowest, answer->engine_usec);
        if (result >= 0 && leg->verifying)
                leg_verify(leg); /* it died since it had committed */
        else
                leg_done(leg, result);
}

void leg_commit(Leg *leg)
{
        int r;

        leg->committed = true;
        if (!is_same_process(leg)) {
                await_restart(leg);
                return;
        }
        new_diag(leg);
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

        if (participant_vanished(result)) {
                await_restart(leg);
                return;
        }
        leg->verified = result >= 0 && answer->verified;
        tell_done(leg, result); /* leg->diag is told when it counts */
}

void leg_verify(Leg *leg)
{
        int r;

        leg->verifying = true;
        if (!is_same_process(leg)) {
                await_restart(leg);
                return;
        }
        new_diag(leg);
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
                pt_diag_error(leg->diag, "not-reverted", NULL,
                              "%s could not be taken back to revision %" PRIu64
                              " yet (%s); that is tried again until it succeeds",
                              leg_name(leg), manager->revision, leg->member->trouble);
        leg_done(leg, result);
}

void leg_revert(Leg *leg)
{
        int r;

        new_diag(leg);
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
        leg->restart = sd_event_source_disable_unref(leg->restart);
        leg->planned = true; /* or about to: the abort follows the plan */
}
