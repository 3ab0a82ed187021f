/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/memory.h"
#include "base/io.h"
#include "base/log.h"
#include "bus/bus.h"
#include "kind/vardict.h"
#include "txn/transaction.h"
#include <inttypes.h>
#include <pwd.h>
#include <sys/mman.h>

#define TRANSACTION_INTERFACE "org.patronus.Transaction1"
#define OWNER "patronus-configd"
#define PLAN_OPTIONS_DEPTH 4 /* the a{sv}, a variant, and an array of such in it */

/* ---- who may call ----------------------------------------------------------------------- */

static void forget_caller(PtParticipant *p)
{
        g_clear_pointer(&p->caller, g_free);
        p->track = sd_bus_track_unref(p->track);
}

/* A transaction is under way that is a caller's, even while it is mended. */
static bool is_callers(const PtParticipant *p)
{
        return p->txn.step != PT_STEP_IDLE && (!p->txn.reconcile || p->txn.mends);
}

/* The caller's connection is gone, or ours: nobody will commit what it planned. */
static void caller_gone(PtParticipant *p)
{
        forget_caller(p);
        p->held_plan = sd_bus_message_unref(p->held_plan);
        if (!is_callers(p))
                return;
        pt_log(LOG_NOTICE, "Revision %" PRIu64 ": its caller left the bus", p->txn.revision);
        pt_transaction_abort(p);
}

static int caller_vanished(sd_bus_track *track, void *userdata)
{
        caller_gone(userdata);
        return 0;
}

/*
 * The bus policy lets nobody else through, but a policy file is easily edited. The uid costs a
 * round trip, so that the caller whose transaction it is, once checked, is known by its unique
 * name: the bus gives none out twice.
 */
static int authorize(PtParticipant *p, sd_bus_message *m, sd_bus_error *error)
{
        const char *sender = sd_bus_message_get_sender(m);
        uid_t uid;
        int r;

        if (sender && g_strcmp0(p->caller, sender) == 0)
                return 0;
        r = pt_bus_sender_uid(m, &uid);
        if (r < 0)
                return r;
        if (uid != 0 && uid != p->owner_uid)
                return pt_bus_fail(
                        error, -EPERM,
                        "Transactions are for configd and root, and you are uid %" PRIu32,
                        (uint32_t) uid);
        return 0;
}

/* From now on the transaction is the sender's, as long as it stays on the bus. */
static int remember_caller(PtParticipant *p, sd_bus_message *m)
{
        const char *sender = sd_bus_message_get_sender(m);
        int r;

        if (!sender || g_strcmp0(p->caller, sender) == 0)
                return 0;
        forget_caller(p);
        r = sd_bus_track_new(sd_bus_message_get_bus(m), &p->track, caller_vanished, p);
        if (r < 0)
                return r;
        r = sd_bus_track_add_name(p->track, sender);
        if (r < 0)
                return r;
        p->caller = g_strdup(sender);
        return 0;
}

static bool is_caller(const PtParticipant *p, sd_bus_message *m)
{
        return g_strcmp0(p->caller, sd_bus_message_get_sender(m)) == 0;
}

/* Reads the revision, and checks that it is that of the sender's transaction, in one of two steps.
 */
static int enter(PtParticipant *p, sd_bus_message *m, PtStep a, PtStep b, sd_bus_error *error)
{
        uint64_t revision;
        int r;

        r = authorize(p, m, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "t", &revision);
        if (r < 0)
                return r;
        if (p->txn.mends && p->txn.revision == revision)
                return pt_bus_fail(error, -EBUSY, "What was committed is being repaired");
        if (p->txn.step == PT_STEP_IDLE || p->txn.reconcile || p->txn.revision != revision) {
                if (revision > 0 && revision == p->overtaken)
                        return pt_bus_fail(error, -EAGAIN,
                                           "The system had to be repaired since revision %" PRIu64
                                           " was planned: plan it again",
                                           revision);
                return pt_bus_fail(error, -ENOENT, "There is no transaction for revision %" PRIu64,
                                   revision);
        }
        if (!is_caller(p, m))
                return pt_bus_fail(error, -EBUSY, "The transaction is another caller's");
        if (p->call)
                return pt_bus_fail(error, -EBUSY, "A step of the transaction is under way");
        if (p->txn.step != a && p->txn.step != b)
                return pt_bus_fail(error, -EINVAL,
                                   "The order is Plan, perhaps Prepare, Commit, Verify");
        return 0;
}

/* ---- replies ---------------------------------------------------------------------------- */

static int reply_new(sd_bus_message *call, sd_bus_message **ret)
{
        pt_auto_message *reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "{sv}");
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&reply);
        return 0;
}

static int append_diagnostics(sd_bus_message *reply, const PtDiagnostics *diag)
{
        int r;

        r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append(reply, "s", "diagnostics");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'v', "a(ssss)");
        if (r < 0)
                return r;
        r = pt_diag_append(diag, reply);
        if (r < 0)
                return r;
        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_message_close_container(reply);
}

static int append_root(sd_bus_message *reply, const char *key, const PtDigest *root)
{
        char hex[PT_DIGEST_HEX + 1];

        pt_digest_to_hex(root, hex);
        return sd_bus_message_append(reply, "{sv}", key, "s", hex);
}

static int reply_send(sd_bus_message *reply)
{
        int r;

        r = sd_bus_message_close_container(reply);
        if (r < 0)
                return r;
        return sd_bus_send(NULL, reply, NULL);
}

/* ---- Plan ------------------------------------------------------------------------------- */

static int append_steps(sd_bus_message *reply, const GPtrArray *steps)
{
        int r;

        r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r < 0)
                return r;
        r = sd_bus_message_append(reply, "s", "steps");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'v', "as");
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(reply, 'a', "s");
        if (r < 0)
                return r;
        for (guint i = 0; steps && i < MIN(steps->len, PT_PLAN_STEPS_MAX); i++) {
                r = sd_bus_message_append(reply, "s", g_ptr_array_index(steps, i));
                if (r < 0)
                        return r;
        }
        for (unsigned i = 0; i < 3; i++) {
                r = sd_bus_message_close_container(reply);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* An engine that cannot say leaves `cuts` out. */
static int append_cuts(PtParticipant *p, const PtTuple *tuple, sd_bus_message *reply)
{
        g_autofree char *why = NULL;
        int cuts = p->engine->cuts ? p->engine->cuts(p->ctx, p->txn.plan, tuple, &why) : 0;
        int r;

        if (cuts >= 0) {
                r = sd_bus_message_append(reply, "{sv}", "cuts", "b", cuts > 0);
                if (r < 0)
                        return r;
        }
        return sd_bus_message_append(reply, "{sv}", "cutsWhy", "s",
                                     cuts < 0 ? why ?: g_strerror(-cuts) : why ?: "");
}

static int append_difference(const PtReview *review, sd_bus_message *reply)
{
        size_t n = review->difference ? json_object_array_length(review->difference) : 0;
        int r;

        r = sd_bus_message_open_container(reply, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append(reply, "s", "difference");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'v', "aa{sv}");
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (size_t i = 0; r >= 0 && i < n; i++)
                r = pt_vardict_append(json_object_array_get_idx(review->difference, i), reply);
        for (unsigned i = 0; r >= 0 && i < 3; i++)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r
                     : sd_bus_message_append(reply, "{sv}", "differencePartial", "b",
                                             review->partial);
}

static int reply_plan(PtParticipant *p, sd_bus_message *m, const PtTuple *administrator,
                      const PtReview *review, const PtDiagnostics *diag)
{
        const PtPlan *plan = p->txn.plan;
        pt_auto_message *reply = NULL;
        PtDigest root;
        int r;

        r = reply_new(m, &reply);
        if (r < 0)
                return r;
        r = append_steps(reply, plan->steps);
        if (r < 0)
                return r;
        r = sd_bus_message_append(reply, "{sv}{sv}{sv}{sv}{sv}{sv}", "engine", "s", p->engine->name,
                                  "impact", "s", pt_impact_to_string(plan->impact), "guarantee",
                                  "s", pt_guarantee_to_string(p->engine->guarantee), "prepareUSec",
                                  "t", plan->prepare_usec, "commitUSec", "t", plan->commit_usec,
                                  "empty", "b", plan->empty);
        if (r < 0)
                return r;
        pt_slice_root(p->txn.wanted, &root);
        r = append_root(reply, "root", &root);
        if (r < 0)
                return r;
        if (administrator) {
                r = append_cuts(p, administrator, reply);
                if (r < 0)
                        return r;
        }
        if (review->analyze) {
                r = append_difference(review, reply);
                if (r < 0)
                        return r;
        }
        r = append_diagnostics(reply, diag);
        if (r < 0)
                return r;
        return reply_send(reply);
}

/* Applies the memfd's delta, or whole slice, to the slice in force. */
static int read_wanted(PtParticipant *p, int fd, PtDiagnostics *diag, PtSlice **ret)
{
        size_t size;
        int r;

        r = pt_memfd_check(fd, PT_SLICE_FILE_MAX, &size);
        if (r < 0) {
                pt_diag_error(diag, "bad-memfd", NULL,
                              "The slice is not a sealed memfd of at most %u bytes",
                              PT_SLICE_FILE_MAX);
                return r == -EFBIG ? r : -EINVAL;
        }
        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        /* Sealed: nobody can change or cut it while we read. */
        r = pt_delta_read(p->slice, fd, diag, ret);
        pt_memory_settle(size);
        return r;
}

typedef struct PlanOptions {
        bool has_administrator;
        PtTuple administrator;
        PtReview review;
} PlanOptions;

static void plan_options_done(PlanOptions *options)
{
        json_object_put(options->review.difference);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PlanOptions, plan_options_done)

static int read_administrator(struct json_object *options, PtDiagnostics *diag, PlanOptions *ret)
{
        struct json_object *text;

        if (!json_object_object_get_ex(options, "administrator", &text))
                return 0;
        if (!json_object_is_type(text, json_type_string) ||
            pt_tuple_parse(json_object_get_string(text), &ret->administrator) < 0) {
                pt_diag_error(diag, "bad-tuple", NULL,
                              "administrator is not \"ADDRESS PORT ADDRESS PORT\"");
                return -EINVAL;
        }
        ret->has_administrator = true;
        return 0;
}

static int read_tests(struct json_object *options, PtDiagnostics *diag, PtReview *ret)
{
        struct json_object *word;

        if (!json_object_object_get_ex(options, "tests", &word))
                return 0;
        ret->tests = true;
        if (g_strcmp0(json_object_get_string(word), "warn") == 0) {
                ret->forced = true;
        } else if (g_strcmp0(json_object_get_string(word), "refuse") != 0) {
                pt_diag_error(diag, "bad-option", NULL, "tests is neither refuse nor warn");
                return -EINVAL;
        }
        return 0;
}

/* Options that we do not know are of a younger configd. */
static int read_options(sd_bus_message *m, PtDiagnostics *diag, PlanOptions *ret)
{
        pt_auto_json *options = NULL;
        int r;

        r = pt_vardict_read(m, PLAN_OPTIONS_DEPTH, &options);
        if (r < 0)
                return r;
        ret->review.analyze = json_object_get_boolean(json_object_object_get(options, "analyze"));
        r = read_tests(options, diag, &ret->review);
        return r < 0 ? r : read_administrator(options, diag, ret);
}

static int review(PtParticipant *p, const PtSlice *before, PtReview *review, PtDiagnostics *diag)
{
        if (!p->engine->review || (!review->analyze && !review->tests))
                return 0;
        return p->engine->review(p->ctx, p->txn.plan, before, review, diag);
}

static int plan(PtParticipant *p, sd_bus_message *m)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtSlice) wanted = NULL;
        g_auto(PlanOptions) options = {0};
        uint64_t revision;
        int fd, r;

        r = sd_bus_message_read(m, "th", &revision, &fd);
        if (r < 0)
                return r;
        r = read_options(m, diag, &options);
        if (r < 0)
                return pt_bus_refuse(m, r, diag);
        r = read_wanted(p, fd, diag, &wanted);
        if (r < 0)
                return pt_bus_refuse(m, r, diag);
        r = remember_caller(p, m);
        if (r < 0)
                return r;
        pt_transaction_abort(p); /* one that the same caller left waiting */
        r = pt_transaction_plan(p, revision, wanted, false, diag);
        if (r < 0)
                return pt_bus_refuse(m, r, diag);
        r = review(p, p->slice, &options.review, diag);
        if (r < 0) {
                pt_transaction_abort(p);
                return pt_bus_refuse(m, r, diag);
        }
        r = reply_plan(p, m, options.has_administrator ? &options.administrator : NULL,
                       &options.review, diag);
        if (r < 0)
                pt_transaction_abort(p);
        return r;
}

static int method_plan(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        PtParticipant *p = userdata;
        int r;

        r = authorize(p, m, error);
        if (r < 0)
                return r;
        if (p->call || (is_callers(p) && !is_caller(p, m)))
                return pt_bus_fail(error, -EBUSY, "A transaction is under way");
        if (p->txn.reconcile || p->waiting->len > 0) {
                /* A repair is short: the call waits for its end. */
                if (p->held_plan)
                        return pt_bus_fail(error, -EBUSY, "Another Plan waits already");
                r = remember_caller(p, m);
                if (r < 0)
                        return r;
                p->held_plan = sd_bus_message_ref(m);
                if (is_callers(p))
                        pt_transaction_abort(p); /* the repair waits for that one to end */
                return 1;
        }
        r = plan(p, m);
        return r < 0 ? r : 1;
}

void pt_participant_idle(PtParticipant *p)
{
        pt_auto_message *m = g_steal_pointer(&p->held_plan);
        int r;

        if (!m)
                return;
        r = plan(p, m);
        if (r < 0)
                (void) sd_bus_reply_method_errno(m, r, NULL);
}

/* ---- Prepare, Commit, Verify ------------------------------------------------------------ */

/* The step that answers `m` when it ends. */
static PtDiagnostics *step_begin(PtParticipant *p, sd_bus_message *m)
{
        p->call = sd_bus_message_ref(m);
        p->call_diag = pt_diag_new();
        return p->call_diag;
}

typedef int (*AppendResult)(PtParticipant *p, int result, sd_bus_message *reply);

static void step_answer(PtParticipant *p, int result, AppendResult append)
{
        g_autoptr(PtDiagnostics) diag = g_steal_pointer(&p->call_diag);
        pt_auto_message *call = g_steal_pointer(&p->call);
        pt_auto_message *reply = NULL;
        int r;

        r = reply_new(call, &reply);
        if (r >= 0 && append)
                r = append(p, result, reply);
        if (r >= 0)
                r = append_diagnostics(reply, diag);
        if (r >= 0)
                r = reply_send(reply);
        if (r < 0) /* the connection is gone: its track takes care of the transaction */
                pt_log(LOG_DEBUG, "An answer could not be sent: %s", g_strerror(-r));
}

static void step_refuse(PtParticipant *p, int result)
{
        g_autoptr(PtDiagnostics) diag = g_steal_pointer(&p->call_diag);
        pt_auto_message *call = g_steal_pointer(&p->call);

        (void) pt_bus_refuse(call, result, diag);
}

static void prepared(int result, void *userdata)
{
        if (result < 0)
                step_refuse(userdata, result);
        else
                step_answer(userdata, result, NULL);
}

static int append_committed(PtParticipant *p, int result, sd_bus_message *reply)
{
        return sd_bus_message_append(reply, "{sv}", "engineUSec", "t", p->txn.engine_usec);
}

static void committed(int result, void *userdata)
{
        if (result < 0)
                step_refuse(userdata, result);
        else
                step_answer(userdata, result, append_committed);
}

static int append_verified(PtParticipant *p, int result, sd_bus_message *reply)
{
        return sd_bus_message_append(reply, "{sv}", "verified", "b", result >= 0);
}

static void verified(int result, void *userdata)
{
        step_answer(userdata, result, append_verified);
}

static int method_prepare(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        PtParticipant *p = userdata;
        int r;

        r = enter(p, m, PT_STEP_PLANNED, PT_STEP_PLANNED, error);
        if (r < 0)
                return r;
        pt_transaction_prepare(p, step_begin(p, m), prepared, p);
        return 1;
}

static int method_commit(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        PtParticipant *p = userdata;
        int r;

        r = enter(p, m, PT_STEP_PLANNED, PT_STEP_PREPARED, error);
        if (r < 0)
                return r;
        pt_transaction_commit(p, step_begin(p, m), committed, p);
        return 1;
}

static int method_verify(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        PtParticipant *p = userdata;
        int r;

        r = enter(p, m, PT_STEP_COMMITTED, PT_STEP_COMMITTED, error);
        if (r < 0)
                return r;
        pt_transaction_verify(p, step_begin(p, m), verified, p);
        return 1;
}

/* ---- Abort, GetState -------------------------------------------------------------------- */

static int method_abort(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        PtParticipant *p = userdata;
        uint64_t revision;
        int r;

        r = authorize(p, m, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read(m, "t", &revision);
        if (r < 0)
                return r;
        if (is_callers(p) && p->txn.revision == revision) {
                if (!is_caller(p, m))
                        return pt_bus_fail(error, -EBUSY, "The transaction is another caller's");
                pt_transaction_abort(p);
        }
        return sd_bus_reply_method_return(m, NULL);
}

static int method_get_state(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        pt_auto_message *reply = NULL;
        PtParticipant *p = userdata;
        uint64_t revision;
        PtDigest root;
        int r;

        r = authorize(p, m, error);
        if (r < 0)
                return r;
        r = reply_new(m, &reply);
        if (r < 0)
                return r;
        r = sd_bus_message_append(reply, "{sv}", "revision", "t", p->info.revision);
        if (r < 0)
                return r;
        if (p->in_force) {
                pt_slice_root(p->slice, &root);
                r = append_root(reply, "root", &root);
                if (r < 0)
                        return r;
        }
        if (p->engine->marker(p->ctx, &revision, &root) >= 0) {
                r = sd_bus_message_append(reply, "{sv}", "markerRevision", "t", revision);
                if (r < 0)
                        return r;
                r = append_root(reply, "markerRoot", &root);
                if (r < 0)
                        return r;
        }
        return reply_send(reply);
}

/* UNPRIVILEGED: authorize() decides; without it sd-bus would ask for CAP_SYS_ADMIN. */
static const sd_bus_vtable transaction_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Plan", SD_BUS_ARGS("t", revision, "h", slice, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", plan), method_plan,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Prepare", SD_BUS_ARGS("t", revision),
                                SD_BUS_RESULT("a{sv}", result), method_prepare,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Commit", SD_BUS_ARGS("t", revision),
                                SD_BUS_RESULT("a{sv}", result), method_commit,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Verify", SD_BUS_ARGS("t", revision),
                                SD_BUS_RESULT("a{sv}", result), method_verify,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Abort", SD_BUS_ARGS("t", revision), SD_BUS_NO_RESULT, method_abort,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetState", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", state),
                                method_get_state, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

/* ---- coming and going ------------------------------------------------------------------- */

void pt_participant_changed(PtParticipant *p)
{
        if (p->bus)
                (void) pt_daemon_info_changed(p->bus, p->path);
}

void pt_participant_detach(PtParticipant *p)
{
        caller_gone(p);
        for (size_t i = 0; i < G_N_ELEMENTS(p->slots); i++)
                p->slots[i] = sd_bus_slot_unref(p->slots[i]);
        p->bus = sd_bus_unref(p->bus);
        g_clear_pointer(&p->path, g_free);
}

uid_t pt_participant_owner(void)
{
        const struct passwd *user = getpwnam(OWNER);

        return user ? user->pw_uid : 0;
}

int pt_participant_attach(PtParticipant *p, sd_bus *bus, const char *path, uid_t owner_uid)
{
        int r;

        if (p) {
                pt_participant_detach(p);
                p->bus = sd_bus_ref(bus);
                p->path = g_strdup(path);
                p->owner_uid = owner_uid;
        }
        r = pt_daemon_info_attach(p ? &p->info : NULL, bus, path, p ? &p->slots[0] : NULL);
        if (r < 0)
                return r;
        return sd_bus_add_object_vtable(bus, p ? &p->slots[1] : NULL, path, TRANSACTION_INTERFACE,
                                        transaction_vtable, p);
}
