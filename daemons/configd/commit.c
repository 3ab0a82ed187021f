/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "commit.h"

#include "conflict.h"
#include "deadline.h"
#include "manager.h"
#include "validate.h"

#include "base/log.h"

/* A daemon that repairs its system is busy for a moment. */
#define BUSY_RETRY_USEC (50 * PT_USEC_PER_MSEC)
#define BUSY_MAX_USEC (5 * PT_USEC_PER_SEC)
/* What the system does with our change may take a moment to show. */
#define VERIFY_RETRY_USEC (100 * PT_USEC_PER_MSEC)
#define VERIFY_MAX_USEC (3 * PT_USEC_PER_SEC)

typedef enum Phase {
        PHASE_PLAN,
        PHASE_PREPARE,
        PHASE_COMMIT,
        PHASE_VERIFY,
        PHASE_REVERT,
} Phase;

/* One participant's share. */
typedef struct Leg {
        Commit *commit;
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
} Leg;

struct Commit {
        Manager *manager;
        CommitDone done;
        void *userdata;
        PtSlice *candidate;
        char *client;
        bool dry_run;
        PtRevision *revision; /* what the journal gets */
        Reply *reply;
        GPtrArray *legs; /* Leg, in the order of commit */
        guint next;      /* leg to commit */
        Phase phase;
        unsigned waiting; /* answers that the phase still needs */
        bool failed;
        uint64_t started_usec, phase_usec; /* CLOCK_MONOTONIC */
        sd_event_source *retry;
};

static void leg_free(void *data)
{
        Leg *leg = data;

        participant_cancel(&leg->call);
        sd_event_source_disable_unref(leg->again);
        pt_diag_free(leg->verify_diag);
        pt_slice_unref(leg->after);
        g_free(leg);
}

void commit_free(Commit *commit)
{
        if (!commit)
                return;
        if (commit->done)
                commit->done(NULL, commit->userdata);
        sd_event_source_disable_unref(commit->retry);
        g_ptr_array_unref(commit->legs);
        pt_slice_unref(commit->candidate);
        pt_revision_free(commit->revision);
        reply_free(commit->reply);
        g_free(commit->client);
        g_free(commit);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Commit, commit_free)

static Leg *get_leg(const Commit *commit, guint i)
{
        return g_ptr_array_index(commit->legs, i);
}

static const char *leg_name(const Leg *leg)
{
        return leg->member->participant.klass->name;
}

static uint64_t now_usec(void)
{
        return g_get_monotonic_time();
}

static void end_timing(Commit *commit, Timing timing)
{
        uint64_t now = now_usec();

        commit->reply->usec[timing] += now - commit->phase_usec;
        commit->phase_usec = now;
}

static void begin_phase(Commit *commit, Phase phase)
{
        commit->phase = phase;
        commit->phase_usec = now_usec();
}

static void finish(Commit *commit, bool accepted)
{
        g_autoptr(Commit) owned = commit;
        Manager *manager = commit->manager;
        CommitDone done = commit->done;
        Reply *reply = commit->reply;

        reply->accepted = accepted;
        reply->usec[TIMING_TOTAL] = now_usec() - commit->started_usec;
        manager->commit = NULL;
        commit->done = NULL;
        done(reply, commit->userdata);
        manager_wake(manager);
}

static void abort_legs(const Commit *commit)
{
        for (guint i = 0; i < commit->legs->len; i++) {
                const Leg *leg = get_leg(commit, i);

                if (leg->planned && !leg->committed)
                        participant_abort(&leg->member->participant, commit->revision->number);
        }
}

static void refuse(Commit *commit)
{
        abort_legs(commit);
        finish(commit, false);
}

bool commit_cancel(Commit *commit, const char *client)
{
        if (g_strcmp0(client, commit->client) != 0 ||
            (commit->phase != PHASE_PLAN && commit->phase != PHASE_PREPARE))
                return false;
        pt_diag_error(commit->reply->diag, "cancelled", NULL,
                      "it was cancelled before anything was decided");
        for (guint i = 0; i < commit->legs->len; i++) {
                Leg *leg = get_leg(commit, i);

                participant_cancel(&leg->call);
                leg->planned = true; /* or about to: the abort follows the plan */
        }
        refuse(commit);
        return true;
}

const char *commit_phase(const Commit *commit)
{
        static const char *const words[] = {
                [PHASE_PLAN] = "plan",     [PHASE_PREPARE] = "prepare", [PHASE_COMMIT] = "commit",
                [PHASE_VERIFY] = "verify", [PHASE_REVERT] = "revert",
        };

        return words[commit->phase];
}

static void advance(Commit *commit);

/* An answer came, or will not come. */
static void leg_done(Commit *commit, int result)
{
        if (result < 0)
                commit->failed = true;
        if (--commit->waiting == 0)
                advance(commit);
}

/* A call could not even be sent. */
static void leg_unsent(Leg *leg, int result)
{
        pt_diag_error(leg->commit->reply->diag, "daemon-unreachable", NULL,
                      "%s cannot be asked to take part (%s): see whether it runs", leg_name(leg),
                      g_strerror(-result));
        leg_done(leg->commit, result);
}

/* After the intent. */

static void on_leg_reverted(Participant *participant, int result, const PtDiagnostics *diag,
                            void *userdata)
{
        Leg *leg = userdata;
        Commit *commit = leg->commit;

        manager_repaired(leg->member, result, diag);
        if (result < 0)
                pt_diag_error(commit->reply->diag, "not-reverted", NULL,
                              "%s could not be taken back to revision %" PRIu64
                              " yet; that is tried again until it succeeds",
                              leg_name(leg), commit->manager->revision);
        leg_done(commit, result);
}

static void fail_after_intent(Commit *commit)
{
        Manager *manager = commit->manager;
        int r;

        r = pt_store_abort(manager->store, commit->revision->number);
        if (r < 0)
                pt_log(LOG_ERR, "cannot write that revision %" PRIu64 " was aborted: %s",
                       commit->revision->number, g_strerror(-r));
        abort_legs(commit);
        begin_phase(commit, PHASE_REVERT);
        commit->failed = false;
        commit->waiting = 1;
        for (guint i = 0; i < commit->legs->len; i++) {
                Leg *leg = get_leg(commit, i);

                if (!leg->committed)
                        continue;
                commit->waiting++;
                leg->member->suspect = leg->member->in_doubt = true;
                r = manager_repair(leg->member, on_leg_reverted, leg);
                if (r < 0)
                        on_leg_reverted(&leg->member->participant, r, NULL, leg);
        }
        leg_done(commit, 0);
}

static void decide(Commit *commit)
{
        Manager *manager = commit->manager;
        uint64_t number = commit->revision->number;
        int r;

        commit->phase_usec = now_usec();
        r = pt_store_decide(manager->store, number);
        end_timing(commit, TIMING_JOURNAL);
        if (r < 0) {
                pt_diag_error(commit->reply->diag, "journal-failed", NULL,
                              "the decision cannot be written to the journal (%s): see whether the "
                              "disk is full",
                              g_strerror(-r));
                fail_after_intent(commit);
                return;
        }
        commit->reply->revision = number;
        manager_publish(manager, number, commit->candidate, commit->reply, commit->revision->author,
                        commit->revision->comment);
        finish(commit, true);
}

static void verify_legs(Commit *commit);

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
        Commit *commit = userdata;

        commit->retry = sd_event_source_disable_unref(commit->retry);
        verify_legs(commit);
        return 0;
}

static void verify_again(Commit *commit)
{
        int r;

        r = sd_event_add_time_relative(commit->manager->event, &commit->retry, CLOCK_MONOTONIC,
                                       VERIFY_RETRY_USEC, 0, on_retry, commit);
        if (r < 0)
                fail_after_intent(commit);
}

static void tell_unverified(const Leg *leg, PtDiagnostics *diag)
{
        for (size_t i = 0; i < pt_diag_count(leg->verify_diag); i++) {
                const PtDiagnostic *entry = pt_diag_get(leg->verify_diag, i);

                pt_diag_add_full(diag, entry->severity, entry->subject, entry->pointer, entry->code,
                                 entry->text);
        }
        pt_diag_error(diag, "not-verified", NULL,
                      "%s does not find in force what it committed: see its log", leg_name(leg));
}

/* The phase is over; did all find in force what should be? */
static void end_verify(Commit *commit)
{
        bool over = commit->failed || now_usec() - commit->phase_usec >= VERIFY_MAX_USEC;
        unsigned unverified = 0;

        for (guint i = 0; i < commit->legs->len; i++) {
                const Leg *leg = get_leg(commit, i);

                if (leg->verified)
                        continue;
                unverified++;
                if (over)
                        tell_unverified(leg, commit->reply->diag);
        }
        if (unverified == 0) {
                end_timing(commit, TIMING_VERIFY);
                decide(commit);
        } else if (over) {
                fail_after_intent(commit);
        } else {
                verify_again(commit);
        }
}

static void on_leg_verified(int result, const Answer *answer, void *userdata)
{
        Leg *leg = userdata;

        leg->verified = result >= 0 && answer->verified;
        leg_done(leg->commit, result);
}

static void verify_legs(Commit *commit)
{
        int r;

        commit->waiting = 1;
        for (guint i = 0; i < commit->legs->len; i++) {
                Leg *leg = get_leg(commit, i);

                if (leg->verified)
                        continue;
                commit->waiting++;
                pt_diag_free(leg->verify_diag);
                leg->verify_diag = pt_diag_new();
                leg->call.diag = leg->verify_diag;
                leg->call.done = on_leg_verified;
                r = participant_step(&leg->call, "Verify", commit->revision->number,
                                     deadline_step(commit->manager->step_usec, leg->commit_usec));
                if (r < 0)
                        leg_unsent(leg, r);
        }
        leg_done(commit, 0);
}

static bool plan_later(Leg *leg);

static void on_leg_committed(int result, const Answer *answer, void *userdata)
{
        Leg *leg = userdata;
        uint64_t *slowest = &leg->commit->reply->usec[TIMING_ENGINE];

        if (participant_try_again(result) && plan_later(leg))
                return; /* nothing was done: it plans again, and on_leg_planned() commits again */
        *slowest = MAX(*slowest, answer->engine_usec);
        leg_done(leg->commit, result);
}

static void commit_leg(Leg *leg)
{
        Commit *commit = leg->commit;
        int r;

        leg->committed = true;
        leg->call.done = on_leg_committed;
        r = participant_step(&leg->call, "Commit", commit->revision->number,
                             deadline_step(commit->manager->step_usec, leg->commit_usec));
        if (r < 0)
                leg_unsent(leg, r);
}

static void commit_next(Commit *commit)
{
        commit->waiting = 1;
        commit_leg(get_leg(commit, commit->next++));
}

static int write_intent(const Commit *commit)
{
        PtStore *store = commit->manager->store;
        uint64_t pending = pt_store_pending(store);
        int r;

        if (pending > 0) { /* an earlier abort could not be written */
                r = pt_store_abort(store, pending);
                if (r < 0)
                        return r;
        }
        return pt_store_intend(store, commit->revision, commit->manager->running,
                               commit->candidate);
}

static void intend(Commit *commit)
{
        int r;

        commit->phase_usec = now_usec();
        r = write_intent(commit);
        end_timing(commit, TIMING_JOURNAL);
        if (r < 0) {
                pt_diag_error(commit->reply->diag, "journal-failed", NULL,
                              "the change cannot be written to the journal (%s): see whether the "
                              "disk is full",
                              g_strerror(-r));
                refuse(commit);
                return;
        }
        commit->phase = PHASE_COMMIT;
        advance(commit);
}

/* Before the intent. */

static void on_leg_prepared(int result, const Answer *answer, void *userdata)
{
        Leg *leg = userdata;

        leg_done(leg->commit, result);
}

/* The last agent: its commit is all or nothing, and nothing comes after it that could fail. */
static bool is_last_agent(const Commit *commit, guint i)
{
        return i == commit->legs->len - 1 && get_leg(commit, i)->guarantee == PT_GUARANTEE_ATOMIC;
}

static void prepare_legs(Commit *commit)
{
        int r;

        begin_phase(commit, PHASE_PREPARE);
        commit->waiting = 1;
        for (guint i = 0; i < commit->legs->len; i++) {
                Leg *leg = get_leg(commit, i);

                if (is_last_agent(commit, i))
                        continue;
                commit->waiting++;
                leg->call.done = on_leg_prepared;
                r = participant_step(
                        &leg->call, "Prepare", commit->revision->number,
                        deadline_prepare(commit->manager->step_usec, leg->prepare_usec));
                if (r < 0)
                        leg_unsent(leg, r);
        }
        leg_done(commit, 0);
}

static void on_leg_planned(int result, const Answer *answer, void *userdata);

static void plan_leg(Leg *leg)
{
        Commit *commit = leg->commit;
        const Participant *participant = &leg->member->participant;
        int r;

        leg->call.done = on_leg_planned;
        r = participant_plan(&leg->call, commit->revision->number,
                             leg->full ? NULL : participant->slice, leg->after,
                             deadline_step(commit->manager->step_usec, 0));
        if (r < 0)
                leg_unsent(leg, r);
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
        Leg *leg = userdata;

        leg->again = sd_event_source_disable_unref(leg->again);
        plan_leg(leg);
        return 0;
}

/* false if it was busy for too long: then that is said. */
static bool plan_later(Leg *leg)
{
        uint64_t now = now_usec();

        if (leg->patience_usec == 0)
                leg->patience_usec = now + BUSY_MAX_USEC;
        if (now < leg->patience_usec &&
            sd_event_add_time_relative(leg->commit->manager->event, &leg->again, CLOCK_MONOTONIC,
                                       BUSY_RETRY_USEC, 0, on_again, leg) >= 0)
                return true;
        pt_diag_error(leg->commit->reply->diag, "daemon-busy", NULL,
                      "%s is busy with something else: see its log, and try again", leg_name(leg));
        return false;
}

static void take_plan(Leg *leg, const Answer *answer)
{
        Reply *reply = leg->commit->reply;

        leg->planned = true;
        leg->guarantee = answer->guarantee;
        leg->prepare_usec = answer->prepare_usec;
        leg->commit_usec = answer->commit_usec;
        reply->impact = MAX(reply->impact, answer->impact);
        reply->guarantee = MAX(reply->guarantee, answer->guarantee);
        for (guint i = 0; i < answer->steps->len && reply->steps->len < PT_PLAN_STEPS_MAX; i++)
                g_ptr_array_add(reply->steps, g_strdup(g_ptr_array_index(answer->steps, i)));
}

static void on_leg_planned(int result, const Answer *answer, void *userdata)
{
        Leg *leg = userdata;

        if (result == -ESTALE && !leg->full) { /* it has another base than we thought */
                leg->full = true;
                plan_leg(leg);
                return;
        }
        if (participant_try_again(result) && plan_later(leg))
                return;
        if (result >= 0 && leg->committed) { /* again, see on_leg_committed() */
                commit_leg(leg);
                return;
        }
        if (result >= 0)
                take_plan(leg, answer);
        leg_done(leg->commit, result);
}

static void plan_legs(Commit *commit)
{
        begin_phase(commit, PHASE_PLAN);
        commit->waiting = 1;
        for (guint i = 0; i < commit->legs->len; i++) {
                commit->waiting++;
                plan_leg(get_leg(commit, i));
        }
        leg_done(commit, 0);
}

static void end_plan(Commit *commit)
{
        end_timing(commit, TIMING_PLAN);
        if (commit->failed) {
                refuse(commit);
        } else if (commit->dry_run) {
                abort_legs(commit);
                finish(commit, true);
        } else {
                /* Each is atomic, but they are not at one instant. */
                if (commit->legs->len > 1)
                        commit->reply->guarantee =
                                MAX(commit->reply->guarantee, PT_GUARANTEE_COMPENSATED);
                prepare_legs(commit);
        }
}

static void end_commit(Commit *commit)
{
        if (commit->failed) {
                fail_after_intent(commit);
        } else if (commit->next < commit->legs->len) {
                commit_next(commit);
        } else {
                end_timing(commit, TIMING_COMMIT);
                begin_phase(commit, PHASE_VERIFY);
                verify_legs(commit);
        }
}

/* All answers of the phase are in. */
static void advance(Commit *commit)
{
        switch (commit->phase) {
        case PHASE_PLAN:
                end_plan(commit);
                break;
        case PHASE_PREPARE:
                if (commit->failed)
                        refuse(commit);
                else
                        intend(commit);
                break;
        case PHASE_COMMIT:
                end_commit(commit);
                break;
        case PHASE_VERIFY:
                end_verify(commit);
                break;
        case PHASE_REVERT:
                if (!commit->failed)
                        manager_reverted(commit->manager, commit->revision->number);
                finish(commit, false);
                break;
        }
}

/* Finds who takes part; false if one of them is not there. */
static bool add_legs(Commit *commit)
{
        const GPtrArray *members = commit->manager->members;
        bool complete = true;

        for (guint i = 0; i < members->len; i++) {
                Member *member = g_ptr_array_index(members, i);
                PtSlice *after =
                        participant_project_changes(&member->participant, commit->reply->changes);
                Leg *leg;

                if (!after)
                        continue;
                leg = g_new0(Leg, 1);
                leg->commit = commit;
                leg->member = member;
                leg->after = after;
                leg->call = (ParticipantCall){.participant = &member->participant,
                                              .diag = commit->reply->diag,
                                              .userdata = leg};
                g_ptr_array_add(commit->legs, leg);
                if (member->participant.owner)
                        continue;
                pt_diag_error(commit->reply->diag, "daemon-unreachable", NULL,
                              "%s does not run, and its part of the configuration changes: start "
                              "patronus-%s.service and try again",
                              leg_name(leg), leg_name(leg));
                complete = false;
        }
        return complete;
}

static void begin(Commit *commit, const CommitRequest *request)
{
        Manager *manager = commit->manager;
        g_autoptr(GHashTable) uids = NULL;
        Reply *reply = commit->reply;
        int r;

        if (request->base_revision != manager->revision) {
                conflict_report(request->base, request->base_revision, request->candidate,
                                manager->running, manager->revision, reply->diag);
                refuse(commit);
                return;
        }
        reply_set_changes(reply, changes_new(manager->running, commit->candidate));
        r = validate_changes(reply->changes, manager->state_dir, reply->diag);
        uids = manager_uids(manager, manager->running);
        if (uids_check(uids, reply->changes, reply->diag) < 0)
                r = -EINVAL;
        end_timing(commit, TIMING_VALIDATE);
        if (r < 0 || !add_legs(commit)) {
                refuse(commit);
                return;
        }
        if (!reply->changed) {
                reply->revision = manager->revision;
                finish(commit, true);
                return;
        }
        plan_legs(commit);
}

void commit_start(Manager *manager, const CommitRequest *request, CommitDone done, void *userdata)
{
        Commit *commit = g_new0(Commit, 1);
        PtRevision *revision = g_new0(PtRevision, 1);

        revision->number = pt_store_last(manager->store) + 1; /* used only from the intent on */
        revision->parent = manager->revision;
        revision->uid = request->uid;
        revision->author = g_strdup(request->author);
        revision->comment = g_strdup(request->comment ?: "");
        revision->time_usec = g_get_real_time();
        revision->state = PT_REVISION_INTENT;
        pt_slice_root(request->candidate, &revision->root);

        commit->manager = manager;
        commit->done = done;
        commit->userdata = userdata;
        commit->candidate = pt_slice_ref(request->candidate);
        commit->client = g_strdup(request->client);
        commit->dry_run = request->dry_run;
        commit->revision = revision;
        commit->reply = reply_new();
        commit->legs = g_ptr_array_new_with_free_func(leg_free);
        commit->started_usec = commit->phase_usec = now_usec();
        manager->commit = commit;
        begin(commit, request);
}
