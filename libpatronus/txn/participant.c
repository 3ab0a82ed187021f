/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/participant.h"

#include "base/log.h"
#include "txn/secrets.h"
#include "txn/store.h"
#include "txn/transaction.h"
#include <inttypes.h>

#define RETRY_MIN_USEC PT_USEC_PER_SEC
#define RETRY_MAX_USEC (60 * PT_USEC_PER_SEC)

#define CONDITION_DAMAGED "Damaged"
#define CONDITION_FAILED "Failed"
#define CONDITION_NEWER "NewerVersion"
#define CONDITION_SECRETS "SecretsLost"
#define CONDITION_UNDECIDED "Undecided"

typedef struct Waiting {
        PtDone done;
        void *userdata;
} Waiting;

static uint64_t now_usec(void)
{
        return (uint64_t) g_get_monotonic_time();
}

/* ---- what Daemon1 says ------------------------------------------------------------------ */

static void update_state(PtParticipant *p)
{
        if (p->starting)
                p->info.state = "starting";
        else if (p->txn.step != PT_STEP_IDLE)
                p->info.state = "busy";
        else if (g_hash_table_contains(p->info.conditions, CONDITION_FAILED) ||
                 g_hash_table_contains(p->info.conditions, CONDITION_DAMAGED) ||
                 g_hash_table_contains(p->info.conditions, CONDITION_NEWER) ||
                 g_hash_table_contains(p->info.conditions, CONDITION_SECRETS) || p->undecided)
                p->info.state = "degraded";
        else if (!p->in_force)
                p->info.state = "unconfigured";
        else
                p->info.state = "running";
}

void pt_participant_set_condition(PtParticipant *p, const char *name, const char *text)
{
        const char *before = g_hash_table_lookup(p->info.conditions, name);

        if (g_strcmp0(before, text) == 0)
                return;
        if (text)
                g_hash_table_replace(p->info.conditions, g_strdup(name), g_strdup(text));
        else
                g_hash_table_remove(p->info.conditions, name);
        update_state(p);
        pt_participant_changed(p);
}

/* ---- one transaction -------------------------------------------------------------------- */

static void set_step(PtParticipant *p, PtStep step)
{
        p->txn.step = step;
        update_state(p);
}

/* The engine is free: repair goes first, then a Plan that waited for it. */
static void next(PtParticipant *p)
{
        if (p->waiting->len > 0)
                (void) sd_event_source_set_enabled(p->reconcile, SD_EVENT_ONESHOT);
        else
                pt_participant_idle(p);
}

static void transaction_end(PtParticipant *p)
{
        PtTransaction txn = p->txn;

        p->txn = (PtTransaction){};
        update_state(p);
        if (txn.plan)
                p->engine->plan_free(txn.plan);
        pt_slice_unref(txn.wanted);
        next(p);
}

static void transaction_drop(PtParticipant *p)
{
        p->engine->abort(p->ctx, p->txn.plan);
        transaction_end(p);
}

int pt_transaction_plan(PtParticipant *p, uint64_t revision, PtSlice *wanted, bool reconcile,
                        PtDiagnostics *diag)
{
        uint64_t started = now_usec();
        PtObserved *observed = NULL;
        PtPlan *plan = NULL;
        int r;

        if (p->txn.step != PT_STEP_IDLE)
                return -EBUSY;
        if (!reconcile)
                p->overtaken = 0;
        /* What is in force already is only told of. */
        if (!reconcile && p->secrets && p->secrets->check(p->secrets, p->slice, wanted, diag) > 0)
                return -EINVAL;
        r = p->engine->observe(p->ctx, &observed);
        if (r < 0)
                return r;
        r = p->engine->plan(p->ctx, revision, wanted, observed, diag, &plan);
        if (observed)
                p->engine->observed_free(observed);
        if (r < 0)
                return r;
        p->txn = (PtTransaction){
                .revision = revision,
                .wanted = pt_slice_ref(wanted),
                .plan = plan,
                .reconcile = reconcile,
                .engine_usec = now_usec() - started,
        };
        set_step(p, PT_STEP_PLANNED);
        return 0;
}

/* Says what of the slice in force cannot be opened, and how to mend it. */
static void tell_secrets(PtParticipant *p)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autofree char *text = NULL;
        unsigned lost = p->secrets ? p->secrets->check(p->secrets, NULL, p->slice, diag) : 0;

        if (lost > 0)
                text = g_strdup_printf(
                        "%u secrets cannot be opened, the first of %s: the key that they were "
                        "sealed "
                        "to was lost or replaced. Restore it from a backup, or write each secret "
                        "again (patronusctl set KIND/NAME FIELD=-)",
                        lost, pt_diag_get(diag, 0)->subject);
        pt_participant_set_condition(p, CONDITION_SECRETS, text);
}

/* The wanted slice is what the system has now. */
static void adopt_wanted(PtParticipant *p)
{
        PtSlice *before = p->slice;

        p->slice = pt_slice_ref(p->txn.wanted);
        pt_slice_unref(before);
        p->info.revision = p->info.wanted_revision = p->txn.revision;
        p->in_force = true;
        p->undecided = false;
        g_hash_table_remove(p->info.conditions, CONDITION_UNDECIDED);
        /* What changed was looked at before: only what was lost before may be so still. */
        if (g_hash_table_contains(p->info.conditions, CONDITION_SECRETS))
                tell_secrets(p);
        if (p->txn.reconcile)
                return; /* not mended before it is verified, nor is the disk */
        pt_backoff_reset(p->retry);
        g_hash_table_remove(p->info.conditions, CONDITION_FAILED);
        g_hash_table_remove(p->info.conditions, CONDITION_DAMAGED);
        g_hash_table_remove(p->info.conditions, CONDITION_NEWER);
}

static void step_done(int result, void *userdata)
{
        PtParticipant *p = userdata;
        PtTransaction *txn = &p->txn;
        PtDone done = g_steal_pointer(&txn->done);
        bool over = txn->aborted, adopted = false;

        txn->engine_usec += now_usec() - txn->started_usec;
        switch (txn->step) {
        case PT_STEP_PREPARING:
                set_step(p, PT_STEP_PREPARED);
                over = over || result < 0;
                break;
        case PT_STEP_COMMITTING:
                if (result >= 0) {
                        adopt_wanted(p);
                        adopted = true;
                        set_step(p, PT_STEP_COMMITTED);
                        over = over && !txn->reconcile; /* that goes on to verify, which ends it */
                } else {
                        set_step(p, PT_STEP_PREPARED);
                        over = true;
                }
                break;
        case PT_STEP_VERIFYING:
                set_step(p, PT_STEP_COMMITTED);
                /* configd may ask again; a reconcile starts over instead. */
                over = over || (!txn->mends && (result >= 0 || txn->reconcile));
                if (txn->mends)
                        txn->mends = txn->reconcile = false;
                break;
        case PT_STEP_IDLE:
        case PT_STEP_PLANNED:
        case PT_STEP_PREPARED:
        case PT_STEP_COMMITTED:
        case PT_STEP_MAX:
        case PT_STEP_INVALID:
                g_assert_not_reached(); /* the engine called done twice */
        }
        done(result, txn->userdata);
        if (adopted)
                pt_participant_changed(p); /* after the answer, which somebody waits for */
        if (!over) {
                if (txn->step == PT_STEP_COMMITTED && p->waiting->len > 0)
                        (void) sd_event_source_set_enabled(p->reconcile, SD_EVENT_ONESHOT);
                return;
        }
        if (txn->step == PT_STEP_COMMITTED)
                transaction_end(p);
        else
                transaction_drop(p);
}

typedef int (*EngineStep)(PtEngineCtx *ctx, PtPlan *plan, PtDiagnostics *diag, PtDone done,
                          void *userdata);

static void run_step(PtParticipant *p, PtStep step, EngineStep run, PtDiagnostics *diag,
                     PtDone done, void *userdata)
{
        int r;

        p->txn.done = done;
        p->txn.userdata = userdata;
        p->txn.started_usec = now_usec();
        set_step(p, step);
        r = run(p->ctx, p->txn.plan, diag, step_done, p);
        if (r < 0)
                step_done(r, p);
}

void pt_transaction_prepare(PtParticipant *p, PtDiagnostics *diag, PtDone done, void *userdata)
{
        run_step(p, PT_STEP_PREPARING, p->engine->prepare, diag, done, userdata);
}

void pt_transaction_commit(PtParticipant *p, PtDiagnostics *diag, PtDone done, void *userdata)
{
        run_step(p, PT_STEP_COMMITTING, p->engine->commit, diag, done, userdata);
}

void pt_transaction_verify(PtParticipant *p, PtDiagnostics *diag, PtDone done, void *userdata)
{
        run_step(p, PT_STEP_VERIFYING, p->engine->verify, diag, done, userdata);
}

void pt_transaction_abort(PtParticipant *p)
{
        switch (p->txn.step) {
        case PT_STEP_IDLE:
                return;
        case PT_STEP_PLANNED:
        case PT_STEP_PREPARED:
                transaction_drop(p);
                return;
        case PT_STEP_COMMITTED:
                transaction_end(p);
                return;
        case PT_STEP_PREPARING:
        case PT_STEP_COMMITTING:
        case PT_STEP_VERIFYING:
                p->txn.aborted = true;
                return;
        case PT_STEP_MAX:
        case PT_STEP_INVALID:
                g_assert_not_reached();
        }
}

/* ---- reconcile -------------------------------------------------------------------------- */

/* true if the system says that it has a revision that the disk does not know as decided. */
static bool marker_is_later(PtParticipant *p)
{
        PtDigest root, marker_root;
        uint64_t revision;

        if (p->engine->marker(p->ctx, &revision, &marker_root) < 0)
                return false;
        pt_slice_root(p->slice, &root);
        return revision > p->info.wanted_revision && !pt_digest_equal(&root, &marker_root);
}

static void reconcile_end(PtParticipant *p, int result)
{
        g_autoptr(GArray) waiting = g_steal_pointer(&p->waiting);

        p->waiting = g_array_new(false, false, sizeof(Waiting));
        if (result < 0) {
                size_t n = pt_diag_count(p->reconcile_diag);
                const char *text =
                        n > 0 ? pt_diag_get(p->reconcile_diag, n - 1)->text : g_strerror(-result);

                p->in_force = false;
                p->info.revision = 0;
                pt_log(LOG_ERR, "Revision %" PRIu64 " is not in force: %s; trying again",
                       p->info.wanted_revision, text);
                pt_participant_set_condition(p, CONDITION_FAILED, text);
                (void) pt_backoff_arm(p->retry);
        } else {
                pt_participant_set_condition(p, CONDITION_FAILED, NULL);
                pt_backoff_reset(p->retry);
        }
        for (guint i = 0; i < waiting->len; i++) {
                const Waiting *w = &g_array_index(waiting, Waiting, i);

                if (w->done)
                        w->done(result, w->userdata);
        }
}

static void reconcile_verified(int result, void *userdata)
{
        reconcile_end(userdata, result);
}

static void reconcile_committed(int result, void *userdata)
{
        PtParticipant *p = userdata;

        if (result < 0)
                reconcile_end(p, result);
        else
                pt_transaction_verify(p, p->reconcile_diag, reconcile_verified, p);
}

static void reconcile_begin(PtParticipant *p)
{
        bool mends = p->txn.step == PT_STEP_COMMITTED;
        int r = 0;

        if (mends) { /* what is wanted stays so; its plan is none any more */
                p->engine->plan_free(p->txn.plan);
                pt_slice_unref(p->txn.wanted);
                p->txn = (PtTransaction){};
        }
        g_clear_pointer(&p->reconcile_diag, pt_diag_free);
        p->reconcile_diag = pt_diag_new();
        p->undecided = p->undecided && marker_is_later(p);
        if (p->info.wanted_revision > 0 && !p->undecided) {
                r = pt_transaction_plan(p, p->info.wanted_revision, p->slice, true,
                                        p->reconcile_diag);
                if (r >= 0) {
                        p->txn.mends = mends;
                        pt_transaction_commit(p, p->reconcile_diag, reconcile_committed, p);
                        return;
                }
        }
        reconcile_end(p, r);
        next(p);
}

static int reconcile_dispatch(sd_event_source *source, void *userdata)
{
        PtParticipant *p = userdata;

        /* A transaction's end enables this again. What is committed and damaged before it is verified
         * is not left so until configd gives up. */
        if ((p->txn.step == PT_STEP_IDLE || p->txn.step == PT_STEP_COMMITTED) &&
            p->waiting->len > 0)
                reconcile_begin(p);
        return 0;
}

static void reconcile_again(void *userdata)
{
        PtParticipant *p = userdata;

        if (p->txn.step == PT_STEP_IDLE)
                (void) pt_participant_reconcile(p, NULL, NULL);
        else
                (void) pt_backoff_arm(p->retry); /* what is under way may mend it */
}

int pt_participant_reconcile(PtParticipant *p, PtDone done, void *userdata)
{
        Waiting w = {.done = done, .userdata = userdata};

        g_array_append_val(p->waiting, w);
        if (!p->txn.reconcile &&
            (p->txn.step == PT_STEP_PLANNED || p->txn.step == PT_STEP_PREPARED)) {
                uint64_t overtaken = p->txn.revision;

                pt_transaction_abort(p);
                p->overtaken = overtaken;
        }
        return sd_event_source_set_enabled(p->reconcile, SD_EVENT_ONESHOT);
}

int pt_participant_reconcile_idle(PtParticipant *p, PtDone done, void *userdata)
{
        Waiting w = {.done = done, .userdata = userdata};

        g_array_append_val(p->waiting, w);
        /* The end of a transaction enables it again. */
        return p->txn.step == PT_STEP_IDLE
                       ? sd_event_source_set_enabled(p->reconcile, SD_EVENT_ONESHOT)
                       : 0;
}

/* ---- the start -------------------------------------------------------------------------- */

typedef struct Blocking {
        bool done;
        int result;
} Blocking;

static void blocking_done(int result, void *userdata)
{
        Blocking *blocking = userdata;

        blocking->result = result;
        blocking->done = true;
}

/* Runs the loop until a reconcile has ended. */
static int reconcile_and_wait(PtParticipant *p)
{
        Blocking blocking = {};
        Waiting w = {.done = blocking_done, .userdata = &blocking};

        g_array_append_val(p->waiting, w);
        reconcile_begin(p);
        while (!blocking.done) {
                int r = sd_event_run(p->ctx->event, UINT64_MAX);

                if (r < 0) { /* -ESTALE: the loop has ended; `blocking` must not be called */
                        g_array_set_size(p->waiting, 0);
                        return r == -ESTALE ? -ECANCELED : r;
                }
        }
        return blocking.result;
}

static int start(PtParticipant *p, PtDiagnostics *diag)
{
        PtSlice *slice = NULL;
        bool damaged = false;
        int r;

        r = pt_store_read_slice(p->ctx->state_dir, p->daemon, diag, &slice,
                                &p->info.wanted_revision, &damaged);
        if (slice) {
                pt_slice_unref(p->slice);
                p->slice = slice;
        }
        if (r == -EPROTONOSUPPORT)
                pt_participant_set_condition(
                        p, CONDITION_NEWER,
                        "The revision on disk was written by a newer version of Patronus; what is "
                        "in force stays. Install that version again");
        else if (damaged || (r < 0 && r != -ENOENT))
                pt_participant_set_condition(p, CONDITION_DAMAGED,
                                             slice ? "The decided revision on disk is damaged; the "
                                                     "newest good one is used"
                                                   : "No revision on disk can be read");
        tell_secrets(p);
        p->undecided = marker_is_later(p);
        if (p->undecided) {
                g_autofree char *text =
                        g_strdup_printf("The system is at a later revision than the %" PRIu64
                                        " on disk, and stays so until configd decides",
                                        p->info.wanted_revision);

                pt_log(LOG_WARNING, "%s", text);
                pt_participant_set_condition(p, CONDITION_UNDECIDED, text);
        }
        if (!slice)
                return r;
        return p->undecided ? 0 : reconcile_and_wait(p);
}

int pt_participant_start(PtParticipant *p, PtDiagnostics *diag)
{
        int r = start(p, diag);

        if (p->reconcile_diag)
                pt_diag_merge(diag, p->reconcile_diag);
        p->starting = false;
        update_state(p);
        return r;
}

/* ---- the whole -------------------------------------------------------------------------- */

int pt_participant_new(const PtParticipantConfig *config, PtParticipant **ret)
{
        g_autoptr(PtParticipant) p = g_new0(PtParticipant, 1);
        int r;

        p->daemon = g_strdup(config->daemon);
        p->ctx = config->ctx;
        p->secrets = config->secrets;
        p->slice = pt_slice_new();
        p->starting = true;
        p->waiting = g_array_new(false, false, sizeof(Waiting));
        p->info.kinds = config->engine->kinds;
        p->info.conditions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        update_state(p);
        r = sd_event_add_defer(p->ctx->event, &p->reconcile, reconcile_dispatch, p);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(p->reconcile, SD_EVENT_OFF);
        if (r < 0)
                return r;
        r = pt_backoff_new(p->ctx->event, RETRY_MIN_USEC, RETRY_MAX_USEC, reconcile_again, p,
                           &p->retry);
        if (r < 0)
                return r;
        if (config->engine->setup) {
                r = config->engine->setup(p->ctx);
                if (r < 0)
                        return r;
        }
        p->engine = config->engine;
        *ret = g_steal_pointer(&p);
        return 0;
}

void pt_participant_free(PtParticipant *p)
{
        if (!p)
                return;
        pt_participant_detach(p);
        pt_transaction_abort(p);
        if (p->engine && p->engine->teardown)
                p->engine->teardown(p->ctx); /* ends a step that runs */
        if (p->txn.plan)
                p->engine->plan_free(p->txn.plan);
        pt_slice_unref(p->txn.wanted);
        sd_bus_message_unref(p->call);
        pt_diag_free(p->call_diag);
        pt_slice_unref(p->slice);
        sd_event_source_disable_unref(p->reconcile);
        pt_backoff_free(p->retry);
        pt_diag_free(p->reconcile_diag);
        if (p->waiting)
                g_array_unref(p->waiting);
        if (p->info.conditions)
                g_hash_table_unref(p->info.conditions);
        g_free(p->daemon);
        g_free(p);
}

bool pt_participant_busy(const PtParticipant *p)
{
        return p->txn.step != PT_STEP_IDLE;
}

PtSlice *pt_participant_slice(const PtParticipant *p)
{
        return p->slice;
}

uint64_t pt_participant_revision(const PtParticipant *p)
{
        return p->info.revision;
}
