/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "confirm.h"

#include "bus-config.h"
#include "bus-confirm.h"
#include "manager.h"

#include "base/boot.h"
#include "base/log.h"
#include "base/text.h"
#include "bus/bus.h"

#include <string.h>

/* A daemon that restarts is there again after this. */
#define RETRY_MIN_USEC (100 * PT_USEC_PER_MSEC)
#define RETRY_MAX_USEC (5 * PT_USEC_PER_SEC)
#define ACCURACY_USEC (1 * PT_USEC_PER_MSEC)
#define AUTHOR "configd"

struct Confirm {
        Manager *manager;
        PtConfirm waits;      /* revision 0: nothing does */
        uint64_t armed_usec;  /* CLOCK_BOOTTIME: when it came into force */
        PtSlice *back;        /* the confirmed content, when it is known without reading it */
        uint64_t back_number; /* its revision */
        PtSlice *wanted;      /* what is being brought back */
        bool unrecorded;      /* the daemons were given that, though it cannot be written */
        bool over;            /* the time is */
        bool resting;         /* it could not be taken back; the back-off runs */
        char *trouble;
        sd_event_source *timer;
        PtBackoff *backoff;
};

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Confirm, confirm_free)

/* Before the commit. */

static int read_mode(const char *text, ConfirmWish *wish, sd_bus_error *error)
{
        guint64 seconds;

        if (!text || g_str_equal(text, "auto"))
                wish->mode = CONFIRM_AUTO;
        else if (g_str_equal(text, "never"))
                wish->mode = CONFIRM_NEVER;
        else if (g_ascii_string_to_unsigned(text, 10, CONFIRM_MIN_SEC, CONFIRM_MAX_SEC, &seconds,
                                            NULL)) {
                wish->mode = CONFIRM_WINDOW;
                wish->window_usec = seconds * PT_USEC_PER_SEC;
        } else
                return pt_bus_fail(error, -EINVAL,
                                   "The option \"confirm\" is auto, never, or a number of seconds "
                                   "from %d to %d, not \"%s\"",
                                   CONFIRM_MIN_SEC, CONFIRM_MAX_SEC, text);
        return 0;
}

int confirm_read(const CommitOptions *options, const PtOrigin *origin, ConfirmWish *ret,
                 sd_bus_error *error)
{
        ConfirmWish wish = {};
        int r;

        r = read_mode(options->confirm, &wish, error);
        if (r < 0)
                return r;
        if (options->connection) {
                r = bus_confirm_tuple(options->connection, &wish.tuple, error);
                if (r < 0)
                        return r;
                wish.has_tuple = true;
        }
        /* Who is gone already was somewhere, and may want to come back. */
        wish.remote = !origin || origin->is_remote;
        *ret = wish;
        return 0;
}

/* How long it is to the end of the window, in whole seconds. */
static const char *time_left(const Confirm *confirm, char buffer[static PT_DURATION_TEXT_MAX])
{
        uint64_t now = pt_boottime_usec(), end = confirm->waits.deadline_usec;
        uint64_t left = end > now ? end - now : 0;

        return pt_duration_format(left / PT_USEC_PER_SEC * PT_USEC_PER_SEC, buffer);
}

int confirm_allows(const Confirm *confirm, const ConfirmWish *wish, PtDiagnostics *diag)
{
        char left[PT_DURATION_TEXT_MAX];

        if (confirm->waits.revision == 0 || wish->restores)
                return 0;
        if (confirm->over)
                pt_diag_error(diag, "confirm-pending", NULL,
                              "revision %" PRIu64 " was not confirmed in time and is being taken "
                              "back: try again when that is done",
                              confirm->waits.revision);
        else
                pt_diag_error(diag, "confirm-pending", NULL,
                              "revision %" PRIu64 " waits to be confirmed for %s more: confirm it "
                              "from a new connection, or revert to revision %" PRIu64 ", first",
                              confirm->waits.revision, time_left(confirm, left),
                              pt_store_confirmed(confirm->manager->store));
        return -EBUSY;
}

static void arm(Reply *reply, uint64_t usec, char *why)
{
        g_free(reply->confirm_why);
        reply->confirm_usec = usec;
        reply->confirm_why = why;
}

/* The plan of a daemon that cuts, or of one that cannot say; NULL: none does. */
static const PlanResult *find_plan(const Reply *reply, bool cuts)
{
        for (guint i = 0; i < reply->plans->len; i++) {
                const PlanResult *plan = g_ptr_array_index(reply->plans, i);

                if (cuts ? plan->has_cuts && plan->cuts : !plan->has_cuts)
                        return plan;
        }
        return NULL;
}

static char *reason_of(const PlanResult *plan, const char *what)
{
        return g_strdup_printf("%s%s%s%s", what, plan->klass->name,
                               plan->cuts_why && *plan->cuts_why ? ": " : "", plan->cuts_why ?: "");
}

static void choose_auto(const ConfirmWish *wish, Reply *reply)
{
        char client[PT_TUPLE_TEXT_MAX];
        const PlanResult *cuts = find_plan(reply, true), *unsure = find_plan(reply, false);

        if (cuts) {
                arm(reply, CONFIRM_AUTO_USEC,
                    reason_of(cuts, "new connections like yours would be refused; "));
        } else if (!unsure) {
                arm(reply, 0,
                    wish->has_tuple ? g_strdup_printf("new connections like yours (%s) pass",
                                                      pt_tuple_format(&wish->tuple, client))
                                    : NULL);
        } else if (!wish->remote) {
                arm(reply, 0, g_strdup("you did not come over the network"));
        } else if (!wish->has_tuple) {
                arm(reply, CONFIRM_AUTO_USEC,
                    g_strdup("you came over the network, and by which connection is not known, so "
                             "that nobody can tell whether new ones would be refused"));
        } else {
                arm(reply, CONFIRM_AUTO_USEC,
                    reason_of(unsure, "whether new connections like yours would be refused cannot "
                                      "be told; "));
        }
}

void confirm_choose(const ConfirmWish *wish, Reply *reply)
{
        if (wish->restores) {
                arm(reply, 0, g_strdup("its content is confirmed already"));
                return;
        }
        switch (wish->mode) {
        case CONFIRM_AUTO:
                choose_auto(wish, reply);
                break;
        case CONFIRM_WINDOW:
                arm(reply, wish->window_usec, g_strdup("it was asked for"));
                break;
        case CONFIRM_NEVER:
                arm(reply, 0, g_strdup("it was asked for never to be"));
                break;
        case CONFIRM_MODE_MAX:
        case CONFIRM_MODE_INVALID:
                break;
        }
}

/* While it waits. */

static void set_trouble(Confirm *confirm, char *text)
{
        if (g_strcmp0(confirm->trouble, text) == 0) {
                g_free(text);
                return;
        }
        g_free(confirm->trouble);
        confirm->trouble = text;
        bus_config_state_changed(confirm->manager);
}

static void end(Confirm *confirm)
{
        confirm->over = true;
        pt_log(LOG_WARNING, "revision %" PRIu64 " was not confirmed in time: it is taken back",
               confirm->waits.revision);
        /* Somebody's trial must not cost the time that somebody else has no access. */
        if (confirm->manager->commit)
                commit_yield(confirm->manager->commit);
        manager_wake(confirm->manager);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
        end(userdata);
        return 0;
}

static void start_timer(Confirm *confirm)
{
        int r = -ETIME;

        if (!confirm->waits.other_boot && confirm->waits.deadline_usec > pt_boottime_usec())
                r = sd_event_add_time(confirm->manager->event, &confirm->timer, CLOCK_BOOTTIME,
                                      confirm->waits.deadline_usec, ACCURACY_USEC, on_deadline,
                                      confirm);
        /* Over already, or nobody would be told when it is: then that is now, before a daemon is
         * given what is to be taken back. */
        if (r < 0)
                end(confirm);
}

/* CLOCK_BOOTTIME of the moment that the window began. */
static uint64_t begin_of(const Confirm *confirm, const PtConfirm *waits)
{
        g_autoptr(PtRevision) revision = NULL;

        if (pt_store_get(confirm->manager->store, waits->revision, &revision) < 0 ||
            revision->confirm_usec > waits->deadline_usec)
                return waits->deadline_usec;
        return waits->deadline_usec - revision->confirm_usec;
}

static void disarm(Confirm *confirm)
{
        uint64_t revision = confirm->waits.revision;

        if (revision > 0 && pt_store_confirmed(confirm->manager->store) != revision) {
                pt_log(LOG_NOTICE, "revision %" PRIu64 " was taken back, by revision %" PRIu64,
                       revision, confirm->manager->revision);
                bus_config_reverted(confirm->manager, revision);
        }
        confirm->timer = sd_event_source_disable_unref(confirm->timer);
        confirm->waits = (PtConfirm){};
        confirm->over = confirm->resting = confirm->unrecorded = false;
        g_clear_pointer(&confirm->wanted, pt_slice_unref);
        pt_backoff_reset(confirm->backoff);
        set_trouble(confirm, NULL);
}

/* What is confirmed is in memory: a damaged disk cannot keep us from going back to it. */
static void keep_confirmed(Confirm *confirm)
{
        uint64_t confirmed = pt_store_confirmed(confirm->manager->store);

        if (confirmed != confirm->manager->revision)
                return;
        pt_slice_unref(confirm->back);
        confirm->back = pt_slice_ref(confirm->manager->running);
        confirm->back_number = confirmed;
}

void confirm_update(Confirm *confirm)
{
        PtConfirm waits = {};

        keep_confirmed(confirm);
        if (!pt_store_unconfirmed(confirm->manager->store, &waits))
                waits = (PtConfirm){};
        if (waits.revision != confirm->waits.revision) {
                disarm(confirm);
                confirm->waits = waits;
                if (waits.revision > 0) {
                        confirm->armed_usec = begin_of(confirm, &waits);
                        pt_log(LOG_NOTICE,
                               "revision %" PRIu64
                               " waits to be confirmed, or goes back to %" PRIu64,
                               waits.revision, pt_store_confirmed(confirm->manager->store));
                        start_timer(confirm);
                }
                manager_wake(confirm->manager);
        }
        bus_confirm_changed(confirm->manager);
}

uint64_t confirm_revision(const Confirm *confirm)
{
        return confirm->waits.revision;
}

uint64_t confirm_deadline(const Confirm *confirm)
{
        return confirm->waits.revision > 0 ? confirm->waits.deadline_usec : 0;
}

const char *confirm_trouble(const Confirm *confirm)
{
        return confirm->trouble;
}

bool confirm_is_due(const Confirm *confirm)
{
        return confirm->over && !confirm->resting;
}

/* Taking it back. */

static void on_backoff(void *userdata)
{
        Confirm *confirm = userdata;

        confirm->resting = false;
        manager_wake(confirm->manager);
}

void confirm_hurry(Confirm *confirm)
{
        pt_backoff_reset(confirm->backoff);
        confirm->resting = false;
}

static void failed(Confirm *confirm, const char *why)
{
        pt_log(LOG_ERR, "revision %" PRIu64 " cannot be taken back yet: %s",
               confirm->waits.revision, why);
        set_trouble(confirm,
                    g_strdup_printf("revision %" PRIu64 " was not confirmed and cannot be taken "
                                    "back yet: %s",
                                    confirm->waits.revision, why));
        confirm->resting = pt_backoff_arm(confirm->backoff) >= 0;
        if (!confirm->resting)
                manager_wake(confirm->manager);
}

static const char *first_error(const PtDiagnostics *diag)
{
        for (size_t i = 0; i < pt_diag_count(diag); i++)
                if (pt_diag_get(diag, i)->severity == PT_SEVERITY_ERROR)
                        return pt_diag_get(diag, i)->text;
        return "it was refused";
}

static bool has_code(const PtDiagnostics *diag, const char *code)
{
        for (size_t i = 0; i < pt_diag_count(diag); i++)
                if (g_str_equal(pt_diag_get(diag, i)->code, code))
                        return true;
        return false;
}

/*
 * The disk takes no more, and whoever is locked out cannot come and make room: the daemons get the
 * confirmed content as their part of what runs. What is recorded follows when it can be.
 */
static void bring_back_unrecorded(Confirm *confirm)
{
        Manager *manager = confirm->manager;

        if (confirm->unrecorded)
                return;
        confirm->unrecorded = true;
        pt_log(LOG_ALERT,
               "revision %" PRIu64 " cannot be taken back in the journal: the daemons get the "
               "confirmed content without it",
               confirm->waits.revision);
        for (guint i = 0; i < manager->members->len; i++) {
                Member *member = g_ptr_array_index(manager->members, i);

                pt_slice_unref(member->participant.slice);
                member->participant.slice =
                        participant_project(&member->participant, confirm->wanted);
                member->suspect = true;
                member->waiting = false;
        }
        manager_wake(manager);
}

static void on_done(const Reply *reply, void *userdata)
{
        Confirm *confirm = userdata;

        /* NULL: the process ends. When it was accepted, its publication has called
         * confirm_update(). */
        if (!reply || reply->accepted)
                return;
        failed(confirm, first_error(reply->diag));
        if (has_code(reply->diag, "journal-failed"))
                bring_back_unrecorded(confirm);
}

/*
 * The confirmed content: from memory if it is there, else from the disk; if that is damaged, of the
 * newest revision before it that was confirmed, since what is to be taken back may have cut somebody
 * off.
 */
static int load_confirmed(Confirm *confirm, PtSlice **ret)
{
        PtStore *store = confirm->manager->store;
        uint64_t confirmed = pt_store_confirmed(store), number;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        int r;

        if (confirm->back && confirm->back_number == confirmed) {
                *ret = pt_slice_ref(confirm->back);
                return 0;
        }
        r = -EBADMSG;
        for (uint64_t from = confirmed; from > 0 || confirmed == 0; from = number - 1) {
                g_autoptr(PtRevision) revision = NULL;
                g_autoptr(PtSlice) slice = NULL;

                r = pt_store_load_newest(store, from, diag, &slice, &number);
                if (r < 0)
                        break;
                if (confirmed > 0 &&
                    (pt_store_get(store, number, &revision) < 0 || revision->confirmed_usec == 0))
                        continue;
                if (number != confirmed)
                        pt_log(LOG_ERR,
                               "revision %" PRIu64 " cannot be read: revision %" PRIu64
                               " takes its place",
                               confirmed, number);
                *ret = g_steal_pointer(&slice);
                return 0;
        }
        failed(confirm, pt_diag_errors(diag) > 0 ? first_error(diag) : g_strerror(-r));
        return r;
}

void confirm_take_back(Confirm *confirm)
{
        Manager *manager = confirm->manager;
        g_autofree char *comment =
                g_strdup_printf("revision %" PRIu64 " was not confirmed", confirm->waits.revision);
        g_autoptr(PtSlice) back = NULL;

        if (load_confirmed(confirm, &back) < 0)
                return;
        pt_slice_unref(confirm->wanted);
        confirm->wanted = pt_slice_ref(back);
        commit_start(manager,
                     &(CommitRequest){
                             .base = manager->running,
                             .base_revision = manager->revision,
                             .candidate = back,
                             .uid = geteuid(),
                             .author = AUTHOR,
                             .comment = comment,
                             .audit = audit_entry_of_configd("AutoRevert", comment),
                             .confirm = {.mode = CONFIRM_NEVER, .restores = true},
                             /* Who is down takes it when it starts, and not what it has. */
                             .allow_offline = true,
                     },
                     on_done, confirm);
}

/* The confirmation. */

/* A connection from the machine to itself passes no rule that an administrator's would. */
static bool is_loop(const PtTuple *tuple)
{
        return memcmp(tuple->client, tuple->local, sizeof(tuple->client)) == 0 ||
               (tuple->family == AF_INET && tuple->client[0] == 127);
}

#define HOW "log in anew, or go to the console, and run there: patronusctl confirm"

char *confirm_objection(const Confirm *confirm, const PtOrigin *origin, const PtTuple *claim)
{
        uint64_t revision = confirm->waits.revision;

        if (origin->console)
                return NULL;
        if (origin->since_usec == 0)
                return g_strdup_printf("Since when you are connected is not known (no ssh login is "
                                       "above this program, or tmux or its like is between), so it "
                                       "proves nothing about revision %" PRIu64 ": " HOW,
                                       revision);
        if (origin->since_usec <= confirm->armed_usec)
                return g_strdup_printf("Your connection is older than revision %" PRIu64 ", so it "
                                       "does not prove that new ones come in: " HOW,
                                       revision);
        if (claim && is_loop(claim))
                return g_strdup("Your connection came from this machine itself, so it does not "
                                "prove that others come in: " HOW);
        return NULL;
}

int confirm_check(const Confirm *confirm, uint64_t revision, sd_bus_error *error)
{
        uint64_t waits = confirm->waits.revision;
        uint64_t confirmed = pt_store_confirmed(confirm->manager->store);

        if (waits == 0 && revision > 0 && revision == confirmed)
                return 1;
        if (waits == 0)
                return pt_bus_fail(error, -ENOENT,
                                   "Nothing waits to be confirmed; revision %" PRIu64
                                   " is in force and confirmed",
                                   confirmed);
        if (revision != waits)
                return pt_bus_fail(error, -EAGAIN,
                                   "Revision %" PRIu64 " waits to be confirmed, not %" PRIu64,
                                   waits, revision);
        if (confirm->over)
                return pt_bus_fail(error, -ETIME,
                                   "The time is over: revision %" PRIu64 " is being taken back",
                                   waits);
        return 0;
}

int confirm_accept(Confirm *confirm, sd_bus_error *error)
{
        uint64_t revision = confirm->waits.revision;
        int r;

        r = pt_store_confirm(confirm->manager->store, revision);
        if (r < 0)
                return pt_bus_fail(error, r,
                                   "The confirmation cannot be written to the journal (%s): see "
                                   "whether the disk is full",
                                   g_strerror(-r));
        pt_log(LOG_NOTICE, "revision %" PRIu64 " is confirmed", revision);
        confirm_update(confirm);
        return 0;
}

int confirm_new(Manager *manager, Confirm **ret)
{
        g_autoptr(Confirm) confirm = g_new0(Confirm, 1);
        int r;

        confirm->manager = manager;
        r = pt_backoff_new(manager->event, RETRY_MIN_USEC, RETRY_MAX_USEC, on_backoff, confirm,
                           &confirm->backoff);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&confirm);
        return 0;
}

void confirm_free(Confirm *confirm)
{
        if (!confirm)
                return;
        sd_event_source_disable_unref(confirm->timer);
        pt_backoff_free(confirm->backoff);
        pt_slice_unref(confirm->back);
        pt_slice_unref(confirm->wanted);
        g_free(confirm->trouble);
        g_free(confirm);
}
