/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "commit.h"

#include "bus-config.h"
#include "commit-leg.h"
#include "conflict.h"
#include "unused.h"
#include "validate.h"

#include "base/log.h"

/* What the system does with our change may take a moment to show. */
#define VERIFY_RETRY_USEC (100 * PT_USEC_PER_MSEC)
#define VERIFY_MAX_USEC (3 * PT_USEC_PER_SEC)

/* Who watches a commit that takes long hears of it so often. */
#define PROGRESS_USEC PT_USEC_PER_SEC

typedef enum Phase {
        PHASE_PLAN,
        PHASE_PREPARE,
        PHASE_COMMIT,
        PHASE_VERIFY,
        PHASE_REVERT,
} Phase;

struct Commit {
        Manager *manager;
        CommitDone done;
        void *userdata;
        PtSlice *candidate;
        Merge *merge; /* NULL: the base was the running configuration */
        char *client;
        PtAuditEntry *audit; /* or NULL */
        bool dry_run;
        ConfirmWish confirm;
        LegContext context;
        PtRevision *revision; /* what the journal gets */
        Reply *reply;
        GPtrArray *legs; /* Leg, in the order of commit */
        guint next;      /* leg that begins the next stage */
        Phase phase;
        unsigned waiting; /* answers that the phase still needs */
        bool failed;
        uint64_t started_usec, phase_usec; /* CLOCK_MONOTONIC */
        sd_event_source *retry;
        sd_event_source *progress;
};

void commit_free(Commit *commit)
{
        if (!commit)
                return;
        if (commit->done)
                commit->done(NULL, commit->userdata);
        sd_event_source_disable_unref(commit->retry);
        sd_event_source_disable_unref(commit->progress);
        g_ptr_array_unref(commit->legs);
        pt_slice_unref(commit->candidate);
        merge_free(commit->merge);
        pt_revision_free(commit->revision);
        reply_free(commit->reply);
        g_free(commit->client);
        pt_audit_entry_free(commit->audit);
        g_free(commit);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Commit, commit_free)

static Leg *get_leg(const Commit *commit, guint i)
{
        return g_ptr_array_index(commit->legs, i);
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
        /* After the answer: what was decided is in the store's journal. */
        if (commit->audit)
                audit_commit(manager->audit, g_steal_pointer(&commit->audit), reply,
                             commit->phase == PHASE_REVERT, commit->revision->number);
        manager_wake(manager);
}

static void abort_legs(const Commit *commit)
{
        for (guint i = 0; i < commit->legs->len; i++)
                leg_abort(get_leg(commit, i));
}

static void refuse(Commit *commit)
{
        abort_legs(commit);
        finish(commit, false);
}

static void give_up(Commit *commit, const char *why)
{
        pt_diag_error(commit->reply->diag, "cancelled", NULL, "%s", why);
        for (guint i = 0; i < commit->legs->len; i++)
                leg_cancel(get_leg(commit, i));
        refuse(commit);
}

bool commit_cancel(Commit *commit, const char *client)
{
        if (g_strcmp0(client, commit->client) != 0 ||
            (commit->phase != PHASE_PLAN && commit->phase != PHASE_PREPARE))
                return false;
        give_up(commit, "it was cancelled before anything was decided");
        return true;
}

bool commit_is_trial(const Commit *commit)
{
        return commit->dry_run;
}

void commit_yield(Commit *commit)
{
        if (commit->dry_run)
                give_up(commit, "a revision that was not confirmed has to be taken back at once: "
                                "try again");
}

static Leg *find_leg(const Commit *commit, const Member *member)
{
        for (guint i = 0; i < commit->legs->len; i++)
                if (get_leg(commit, i)->member == member)
                        return get_leg(commit, i);
        return NULL;
}

void commit_owner_changed(Commit *commit, const Member *member)
{
        Leg *leg = find_leg(commit, member);

        if (leg)
                leg_owner_changed(leg);
}

GPtrArray *commit_waits_for(const Commit *commit)
{
        GPtrArray *names = g_ptr_array_new();

        for (guint i = 0; i < commit->legs->len; i++) {
                const Leg *leg = get_leg(commit, i);

                if (commit->phase == PHASE_VERIFY ? !leg->verified : leg_is_waiting(leg))
                        g_ptr_array_add(names, (void *) leg_name(leg));
        }
        return names;
}

uint64_t commit_elapsed_usec(const Commit *commit)
{
        return now_usec() - commit->started_usec;
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
static void answered(Commit *commit, int result)
{
        if (result < 0)
                commit->failed = true;
        if (--commit->waiting == 0)
                advance(commit);
}

static void on_leg_done(Leg *leg, int result, void *userdata)
{
        answered(userdata, result);
}

/* Calls `step` of all legs that `wanted` is true for; NULL: all. The phase goes on when the last
 * has answered. */
static void for_legs(Commit *commit, void (*step)(Leg *leg), bool (*wanted)(const Leg *leg))
{
        commit->waiting = 1; /* some answer at once */
        for (guint i = 0; i < commit->legs->len; i++) {
                Leg *leg = get_leg(commit, i);

                if (wanted && !wanted(leg))
                        continue;
                commit->waiting++;
                step(leg);
        }
        answered(commit, 0);
}

/* The last agent: its commit is all or nothing, and nothing comes after it that could fail. */
static bool is_last_agent(const Leg *leg)
{
        const Commit *commit = leg->context->userdata;

        return leg == get_leg(commit, commit->legs->len - 1) &&
               leg->guarantee == PT_GUARANTEE_ATOMIC;
}

/* Calls `step` of the legs of the next stage, at the same time, but of the last agent alone. false:
 * no stage is left. */
static bool next_stage(Commit *commit, void (*step)(Leg *leg), bool (*wanted)(const Leg *leg))
{
        Stage stage = STAGE_INVALID;

        commit->waiting = 1; /* some answer at once */
        for (; commit->next < commit->legs->len; commit->next++) {
                Leg *leg = get_leg(commit, commit->next);

                if (wanted && !wanted(leg))
                        continue;
                if (stage >= 0 && (leg_stage(leg) != stage || is_last_agent(leg)))
                        break;
                stage = leg_stage(leg);
                commit->waiting++;
                step(leg);
        }
        if (stage < 0)
                return false;
        answered(commit, 0);
        return true;
}

/* After the intent. */

static bool was_told(const Leg *leg)
{
        return leg->committed;
}

static void revert_next(Commit *commit)
{
        if (next_stage(commit, leg_revert, was_told))
                return;
        if (!commit->failed)
                manager_reverted(commit->manager, commit->revision->number);
        finish(commit, false);
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
        commit->next = 0;
        revert_next(commit);
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
                if (!over)
                        continue;
                pt_diag_merge(commit->reply->diag, leg->diag);
                pt_diag_error(commit->reply->diag, "not-verified", NULL,
                              "%s does not find in force what it committed: see its log",
                              leg_name(leg));
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

static bool is_unverified(const Leg *leg)
{
        return !leg->verified;
}

static void verify_legs(Commit *commit)
{
        for_legs(commit, leg_verify, is_unverified);
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

static bool prepares(const Leg *leg)
{
        return !is_last_agent(leg);
}

static void end_plan(Commit *commit)
{
        end_timing(commit, TIMING_PLAN);
        confirm_choose(&commit->confirm, commit->reply);
        commit->revision->confirm_usec = commit->reply->confirm_usec;
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
                begin_phase(commit, PHASE_PREPARE);
                for_legs(commit, leg_prepare, prepares);
        }
}

static void end_prepare(Commit *commit)
{
        for (guint i = 0; !commit->failed && i < commit->legs->len; i++)
                commit->failed = !leg_check_alive(get_leg(commit, i));
        if (commit->failed)
                refuse(commit);
        else
                intend(commit);
}

static void end_commit(Commit *commit)
{
        if (commit->failed) {
                fail_after_intent(commit);
        } else if (!next_stage(commit, leg_commit, NULL)) {
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
                end_prepare(commit);
                break;
        case PHASE_COMMIT:
                end_commit(commit);
                break;
        case PHASE_VERIFY:
                end_verify(commit);
                break;
        case PHASE_REVERT:
                revert_next(commit);
                break;
        }
}

static void tell_offline(const Leg *leg, bool allowed, PtDiagnostics *diag)
{
        const char *name = leg_name(leg);

        if (allowed)
                pt_diag_warning(diag, "offline", NULL,
                                "%s does not run: its part of the change is in force when it has "
                                "started",
                                name);
        else
                pt_diag_error(diag, "daemon-unreachable", NULL,
                              "%s does not run, and its part of the configuration changes: start "
                              "patronus-%s.service and try again, or let it take its part when it "
                              "starts (--allow-offline)",
                              name, name);
}

/* Finds who takes part; false if one of them is not there, and has to be. */
static bool add_legs(Commit *commit, bool allow_offline)
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
                leg = leg_new(&commit->context, member, after);
                if (member->participant.owner) {
                        g_ptr_array_add(commit->legs, leg);
                        continue;
                }
                tell_offline(leg, allow_offline, commit->reply->diag);
                complete = complete && allow_offline;
                leg_free(leg);
        }
        return complete;
}

/* Makes a change that was begun on an older revision one of the running one; false: it cannot be, or
 * must not. */
static bool merge_base(Commit *commit, const CommitRequest *request)
{
        Manager *manager = commit->manager;
        Reply *reply = commit->reply;
        g_autofree char *author = manager_author(manager);
        ConflictSides sides = {request->base_revision, manager->revision, author};

        commit->merge =
                merge_new(request->base, request->candidate, manager->running, MERGE_REPORT);
        if (!request->merge || commit->merge->conflicts->len > 0) {
                conflict_report(commit->merge, &sides, reply->conflicts, reply->diag);
                return false;
        }
        reply->merged_with = manager->revision;
        conflict_tell_merged(commit->merge, &sides, reply->diag);
        pt_slice_unref(commit->candidate);
        commit->candidate = pt_slice_ref(commit->merge->merged);
        pt_slice_root(commit->candidate, &commit->revision->root);
        return true;
}

/* Each side alone was right, or may have been. */
static void tell_misfit(const Commit *commit, const CommitRequest *request)
{
        g_autofree char *author = manager_author(commit->manager);

        conflict_tell_misfit(
                commit->merge,
                &(ConflictSides){request->base_revision, commit->manager->revision, author},
                commit->reply->diag);
}

static void begin(Commit *commit, const CommitRequest *request)
{
        Manager *manager = commit->manager;
        g_autoptr(GHashTable) uids = NULL;
        Reply *reply = commit->reply;
        int r;

        if (!request->dry_run &&
            confirm_allows(manager->confirm, &request->confirm, reply->diag) < 0) {
                refuse(commit);
                return;
        }
        /* What ends a lock-out waits for no audit. */
        if (!request->dry_run && !request->confirm.restores &&
            audit_allows(manager->audit, reply->diag) < 0) {
                refuse(commit);
                return;
        }
        if (request->base_revision != manager->revision && !merge_base(commit, request)) {
                refuse(commit);
                return;
        }
        reply_set_changes(reply, changes_new(manager->running, commit->candidate));
        r = validate_changes(reply->changes, manager->state_dir, reply->diag);
        uids = manager_uids(manager, manager->running);
        if (uids_check(uids, reply->changes, reply->diag) < 0)
                r = -EINVAL;
        if (r < 0 && commit->merge)
                tell_misfit(commit, request);
        if (r == 0 && commit->dry_run)
                unused_report(commit->candidate, reply->diag);
        end_timing(commit, TIMING_VALIDATE);
        if (r < 0 || !add_legs(commit, request->allow_offline)) {
                refuse(commit);
                return;
        }
        /* What restores is a revision in any case: the one that waits may be unreadable, and what
         * runs be the confirmed content already. */
        if (!reply->changed && !request->confirm.restores) {
                reply->revision = manager->revision;
                finish(commit, true);
                return;
        }
        begin_phase(commit, PHASE_PLAN);
        for_legs(commit, leg_plan, NULL);
}

static int on_progress(sd_event_source *source, uint64_t usec, void *userdata)
{
        const Commit *commit = userdata;
        int r;

        bus_config_progress(commit->manager, commit);
        r = sd_event_source_set_time_relative(source, PROGRESS_USEC);
        if (r >= 0)
                r = sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
        return r;
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
        commit->audit = request->audit;
        commit->dry_run = request->dry_run;
        commit->revision = revision;
        commit->reply = reply_new();
        if (request->notices)
                pt_diag_merge(commit->reply->diag, request->notices);
        commit->legs = g_ptr_array_new_with_free_func((GDestroyNotify) leg_free);
        commit->started_usec = commit->phase_usec = now_usec();
        commit->confirm = request->confirm;
        commit->context = (LegContext){
                .manager = manager,
                .revision = revision->number,
                .reply = commit->reply,
                .wish =
                        {
                                .administrator =
                                        commit->confirm.has_tuple ? &commit->confirm.tuple : NULL,
                                .analyze = request->dry_run,
                                /* What ends a lock-out asks nobody. */
                                .tests = request->confirm.restores || request->force
                                                 ? PLAN_TESTS_WARN
                                                 : PLAN_TESTS_REFUSE,
                        },
                .done = on_leg_done,
                .userdata = commit,
        };
        manager->commit = commit;
        /* Without it nobody sees how far it is, and it goes on. */
        (void) sd_event_add_time_relative(manager->event, &commit->progress, CLOCK_MONOTONIC,
                                          PROGRESS_USEC, 0, on_progress, commit);
        begin(commit, request);
}
