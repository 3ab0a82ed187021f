/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "manager.h"

#include "bus-audit.h"
#include "bus-config.h"
#include "bus-export.h"
#include "migration.h"
#include "session.h"
#include "settle.h"

#include "base/log.h"
#include "base/messages.h"
#include "bus/bus.h"

#include <pwd.h>

/* Upkeep of the store may take its time: it waits for a pause between commits. */
#define TIDY_USEC (2 * PT_USEC_PER_SEC)
#define REPAIR_RETRY_MIN_USEC (500 * PT_USEC_PER_MSEC)
#define REPAIR_RETRY_MAX_USEC (60 * PT_USEC_PER_SEC)

/* A method call that waits until nothing is under way. */
typedef struct Deferred {
        sd_bus_message *call;
        sd_bus_message_handler_t handler;
} Deferred;

static void deferred_free(void *data)
{
        Deferred *deferred = data;

        sd_bus_message_unref(deferred->call);
        g_free(deferred);
}

static void member_free(void *data)
{
        Member *member = data;

        repair_free(member->repair);
        pt_backoff_free(member->backoff);
        participant_done(&member->participant);
        g_free(member->trouble);
        g_free(member);
}

static void log_diagnostics(const PtDiagnostics *diag)
{
        static const int levels[PT_SEVERITY_MAX] = {
                [PT_SEVERITY_ERROR] = LOG_ERR,
                [PT_SEVERITY_WARNING] = LOG_WARNING,
                [PT_SEVERITY_NOTICE] = LOG_NOTICE,
        };

        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *entry = pt_diag_get(diag, i);

                pt_log(levels[entry->severity], "%s%s%s", entry->subject,
                       *entry->subject ? ": " : "", entry->text);
        }
}

/* Members. */

static void on_backoff(void *userdata)
{
        Member *member = userdata;

        member->waiting = false;
        manager_wake(member->manager);
}

static const char *trouble_text(const Member *member, int result, const PtDiagnostics *diag)
{
        if (diag && pt_diag_count(diag) > 0)
                return pt_diag_get(diag, 0)->text;
        if (!member->participant.owner)
                return "it does not run";
        return result == -EBUSY ? "it is busy with a step that has not ended" : g_strerror(-result);
}

/* The first trouble is an alarm, its end the end of that; what comes between is only logged. */
static void note_trouble(Member *member, const char *text)
{
        const char *name = member->participant.klass->name;
        g_autofree char *before = g_steal_pointer(&member->trouble);
        g_autofree char *field = g_strconcat("PATRONUS_DAEMON=", name, NULL);
        uint64_t revision = member->manager->revision;

        if (text) {
                member->trouble = g_strdup(text);
                pt_log_fields(before ? LOG_ERR : LOG_CRIT,
                              (const char *[]){field, before ? NULL : PT_MESSAGE_DEGRADED, NULL},
                              "%s is not at revision %" PRIu64 ": %s; trying again", name, revision,
                              text);
        } else if (before) {
                pt_log_fields(LOG_NOTICE, (const char *[]){field, PT_MESSAGE_RECOVERED, NULL},
                              "%s is at revision %" PRIu64 " again", name, revision);
        }
        if (!before != !text)
                bus_config_degraded(member->manager, name, text);
}

void manager_repaired(Member *member, int result, const PtDiagnostics *diag)
{
        member->repair = NULL;
        member->suspect = result < 0;
        if (result >= 0) {
                member->in_doubt = member->unverified = false;
                member->offline_revision = 0;
                pt_backoff_reset(member->backoff);
                note_trouble(member, NULL);
        } else {
                note_trouble(member, trouble_text(member, result, diag));
                /* One that is down is looked at when it comes back. */
                member->waiting = member->participant.owner && pt_backoff_arm(member->backoff) >= 0;
        }
        bus_config_state_changed(member->manager);
        manager_wake(member->manager);
}

int manager_repair(Member *member, RepairDone done, void *userdata)
{
        return repair_start(&member->participant, member->manager->revision,
                            member->manager->step_usec,
                            member->unverified ? REPAIR_VERIFY
                            : member->in_doubt ? REPAIR_DOUBT
                                               : REPAIR_ASK,
                            done, userdata, &member->repair);
}

static void on_repaired(Participant *participant, int result, const PtDiagnostics *diag,
                        void *userdata)
{
        manager_repaired(userdata, result, diag);
}

static void set_owner(Member *member, const char *owner)
{
        Manager *manager = member->manager;

        g_free(member->participant.owner);
        member->participant.owner = *owner ? g_strdup(owner) : NULL;
        if (member->participant.owner) {
                /* Before the first revision nothing says what it should have in force; one that
                 * was tried and taken back says it. */
                member->suspect = member->suspect || pt_store_last(manager->store) > 0;
                member->waiting = false;
                pt_backoff_reset(member->backoff);
                confirm_hurry(manager->confirm);
                migration_hurry(manager->migration);
        }
        if (manager->commit)
                commit_owner_changed(manager->commit, member);
        bus_config_state_changed(manager);
        manager_wake(manager);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        const char *owner;
        int r;

        r = sd_bus_message_read(m, "sss", NULL, NULL, &owner);
        if (r < 0)
                return r;
        ((Member *) userdata)->in_doubt = false; /* another process */
        set_owner(userdata, owner);
        return 0;
}

static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *ret_error)
{
        Member *member = userdata;
        const char *owner = "";

        member->manager->unknown_owners--;
        if (sd_bus_message_is_method_error(m, NULL) || sd_bus_message_read(m, "s", &owner) < 0)
                owner = "";
        set_owner(member, owner);
        /* It was there before us, and may be committing still what an earlier run told it and took
         * back. */
        member->in_doubt = member->in_doubt ||
                           pt_store_last(member->manager->store) > member->manager->revision;
        return 0;
}

/* Nothing here waits: the connection may not be there yet. */
static int attach_member(Member *member, sd_bus *bus)
{
        const char *name = member->participant.klass->bus_name;
        g_autofree char *match = g_strdup_printf("type='signal',sender='org.freedesktop.DBus',"
                                                 "interface='org.freedesktop.DBus',"
                                                 "member='NameOwnerChanged',arg0='%s'",
                                                 name);
        int r;

        sd_bus_unref(member->participant.bus);
        member->participant.bus = sd_bus_ref(bus);
        g_clear_pointer(&member->participant.owner, g_free);
        r = sd_bus_add_match_async(bus, NULL, match, on_owner_changed, NULL, member);
        if (r < 0)
                return r;
        r = sd_bus_call_method_async(bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                     "org.freedesktop.DBus", "GetNameOwner", on_owner, member, "s",
                                     name);
        if (r < 0)
                return r;
        member->manager->unknown_owners++;
        return 0;
}

/* What its daemon runs as may report what it was told to do. */
static void add_peer(const Manager *manager, const ParticipantClass *klass)
{
        const struct passwd *user = klass->group ? getpwnam(klass->group) : NULL;

        if (user)
                pt_access_add_peer(manager->access, user->pw_uid);
}

static int add_member(Manager *manager, const ParticipantClass *klass)
{
        Member *member = g_new0(Member, 1);

        g_ptr_array_add(manager->members, member);
        member->manager = manager;
        participant_init(&member->participant, klass);
        pt_store_add_daemon(manager->store, klass->name, member->participant.kinds, klass->group);
        return pt_backoff_new(manager->event, REPAIR_RETRY_MIN_USEC, REPAIR_RETRY_MAX_USEC,
                              on_backoff, member, &member->backoff);
}

static gint compare_stages(gconstpointer a, gconstpointer b)
{
        const Member *const *x = a, *const *y = b;

        return (gint) (*x)->participant.klass->stage - (gint) (*y)->participant.klass->stage;
}

static int add_members(Manager *manager)
{
        int r;

        for (const ParticipantClass *klass = participant_classes; klass->name; klass++) {
                r = add_member(manager, klass);
                if (r < 0)
                        return r;
        }
        g_ptr_array_sort(manager->members,
                         compare_stages); /* stable: daemons of a stage keep their order */
        return 0;
}

/* Work. */

bool manager_busy(const Manager *manager)
{
        if (manager->commit || !manager->settled || manager->unknown_owners > 0)
                return true;
        for (guint i = 0; i < manager->members->len; i++) {
                const Member *member = g_ptr_array_index(manager->members, i);

                if (member->repair)
                        return true;
        }
        return false;
}

static void settle(Manager *manager)
{
        int r;

        if (manager->settle)
                return;
        r = settle_start(manager, &manager->settle);
        if (r >= 0)
                return;
        pt_log(LOG_ERR, "cannot read the interrupted revision %" PRIu64 ", which is aborted: %s",
               pt_store_pending(manager->store), g_strerror(-r));
        (void) pt_store_abort(manager->store, pt_store_pending(manager->store));
        manager->settled = true;
        audit_recover(manager->audit);
}

static void repair_members(Manager *manager)
{
        for (guint i = 0; i < manager->members->len; i++) {
                Member *member = g_ptr_array_index(manager->members, i);
                int r;

                if (!member->suspect || !member->participant.owner || member->repair ||
                    member->waiting)
                        continue;
                r = manager_repair(member, on_repaired, member);
                if (r < 0)
                        manager_repaired(member, r, NULL);
        }
}

static void dispatch_deferred(Manager *manager)
{
        Deferred *deferred = g_queue_pop_head(&manager->deferred);
        pt_auto_error error = SD_BUS_ERROR_NULL;
        int r;

        if (!deferred)
                return;
        r = sd_bus_message_rewind(deferred->call, true);
        if (r >= 0)
                r = deferred->handler(deferred->call, manager, &error);
        if (r < 0 || sd_bus_error_is_set(&error))
                (void) sd_bus_reply_method_errno(deferred->call, r, &error);
        deferred_free(deferred);
        manager_wake(manager);
}

static int on_work(sd_event_source *source, void *userdata)
{
        Manager *manager = userdata;

        if (!manager->bus || manager->unknown_owners > 0)
                return 0;
        if (!manager->settled)
                settle(manager);
        /* Before anybody is brought to what is to be taken back. */
        if (confirm_is_due(manager->confirm) && !manager_busy(manager))
                confirm_take_back(manager->confirm);
        if (manager->commit || !manager->settled)
                return 0;
        repair_members(manager);
        /* While something waits to be confirmed, nothing is committed on it. */
        if (!manager_busy(manager) && confirm_revision(manager->confirm) == 0 &&
            migration_is_due(manager->migration))
                migration_start(manager->migration);
        if (!manager_busy(manager))
                dispatch_deferred(manager);
        return 0;
}

void manager_wake(Manager *manager)
{
        (void) sd_event_source_set_enabled(manager->work, SD_EVENT_ONESHOT);
}

int manager_defer(Manager *manager, sd_bus_message *call, sd_bus_message_handler_t handler,
                  sd_bus_error *error)
{
        Deferred *deferred;

        if (g_queue_get_length(&manager->deferred) >= DEFERRED_MAX)
                return pt_bus_fail(error, -EBUSY,
                                   "%d calls wait already for the commit under way: try again",
                                   DEFERRED_MAX);
        deferred = g_new0(Deferred, 1);
        deferred->call = sd_bus_message_ref(call);
        deferred->handler = handler;
        g_queue_push_tail(&manager->deferred, deferred);
        return 1;
}

static int on_tidy(sd_event_source *source, uint64_t usec, void *userdata)
{
        Manager *manager = userdata;
        int r;

        if (manager_busy(manager))
                return 0; /* another comes after it */
        r = pt_store_tidy(manager->store);
        if (r < 0)
                pt_log(LOG_WARNING, "cannot tidy the revision store: %s", g_strerror(-r));
        datasets_collect(manager->datasets);
        return 0;
}

/* After the last of a row of commits. */
static void tidy_later(Manager *manager)
{
        (void) sd_event_source_set_time_relative(manager->tidy, TIDY_USEC);
        (void) sd_event_source_set_enabled(manager->tidy, SD_EVENT_ONESHOT);
}

bool manager_cancel(Manager *manager, sd_bus_message *call)
{
        const char *client = sd_bus_message_get_sender(call);
        bool cancelled = false;

        for (GList *link = manager->deferred.head, *next; link; link = next) {
                Deferred *deferred = link->data;

                next = link->next;
                if (g_strcmp0(sd_bus_message_get_sender(deferred->call), client) != 0)
                        continue;
                (void) sd_bus_reply_method_errorf(deferred->call, PT_ERROR_PREFIX "Cancelled",
                                                  "it was cancelled before anything was done");
                deferred_free(deferred);
                g_queue_delete_link(&manager->deferred, link);
                cancelled = true;
        }
        return (manager->commit && commit_cancel(manager->commit, client)) || cancelled;
}

GHashTable *manager_uids(Manager *manager, const PtSlice *slice)
{
        return uids_stored(manager->uids, manager->running, slice);
}

char *manager_author(const Manager *manager)
{
        g_autoptr(PtRevision) revision = NULL;

        if (pt_store_get(manager->store, manager->revision, &revision) < 0)
                return NULL;
        return g_steal_pointer(&revision->author);
}

void manager_publish(Manager *manager, uint64_t revision, PtSlice *running, const Reply *reply,
                     const char *author, const char *comment)
{
        for (guint i = 0; i < manager->members->len; i++) {
                Member *member = g_ptr_array_index(manager->members, i);
                PtSlice *slice = participant_project_changes(&member->participant, reply->changes);

                if (!slice)
                        continue;
                pt_slice_unref(member->participant.slice);
                member->participant.slice = slice;
                if (!member->participant.owner)
                        member->offline_revision = revision;
        }
        pt_slice_ref(running);
        pt_slice_unref(manager->running);
        manager->running = running;
        manager->revision = revision;
        bus_config_committed(manager, reply, author, comment);
        confirm_update(manager->confirm);
        migration_update(manager->migration, reply->changes);
        tidy_later(manager);
}

void manager_reverted(Manager *manager, uint64_t revision)
{
        pt_log(LOG_WARNING, "revision %" PRIu64 " failed and was taken back to %" PRIu64, revision,
               manager->revision);
        bus_config_reverted(manager, revision);
}

int manager_attach(Manager *manager, sd_bus *bus, PtAccess *access)
{
        int r;

        manager->access = access;
        access->refused = audit_on_refused;
        access->allowed = audit_on_allowed;
        access->userdata = manager->audit;
        session_close_all(manager);
        g_queue_clear_full(&manager->deferred, deferred_free);
        sd_bus_unref(manager->bus);
        manager->bus = sd_bus_ref(bus);
        manager->unknown_owners = 0;
        for (guint i = 0; i < manager->members->len; i++) {
                Member *member = g_ptr_array_index(manager->members, i);

                add_peer(manager, member->participant.klass);
                r = attach_member(member, bus);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int load_running(Manager *manager, PtDiagnostics *diag)
{
        int r;

        manager->settled = pt_store_pending(manager->store) == 0;
        r = pt_store_load_newest(manager->store, pt_store_decided(manager->store), diag,
                                 &manager->running, &manager->revision);
        if (r < 0)
                return r;
        manager->damaged = pt_diag_errors(diag) > 0;
        for (guint i = 0; i < manager->members->len; i++) {
                Member *member = g_ptr_array_index(manager->members, i);

                member->participant.slice =
                        participant_project(&member->participant, manager->running);
        }
        return 0;
}

int manager_new(sd_event *event, const char *state_dir, uint64_t step_usec, Manager **ret)
{
        g_autoptr(Manager) manager = g_new0(Manager, 1);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        int r;

        manager->event = sd_event_ref(event);
        manager->state_dir = g_strdup(state_dir);
        manager->step_usec = step_usec;
        manager->datasets = datasets_new(manager);
        manager->exports = bus_export_table_new();
        manager->members = g_ptr_array_new_with_free_func(member_free);
        manager->sessions = session_table_new();
        manager->uids = uids_new();
        manager->secrets = secrets_new(state_dir);
        g_queue_init(&manager->deferred);
        manager->info.conditions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        r = pt_store_open(state_dir, diag, &manager->store);
        if (r >= 0)
                r = add_members(manager);
        if (r >= 0)
                r = load_running(manager, diag);
        log_diagnostics(diag);
        if (r < 0) {
                pt_log(LOG_ERR, "cannot read the configuration in %s: %s", state_dir,
                       g_strerror(-r));
                return r;
        }
        manager->audit = audit_new(manager);
        if (manager->settled)
                audit_recover(manager->audit);
        r = sd_event_add_defer(event, &manager->work, on_work, manager);
        if (r < 0)
                return r;
        r = sd_event_add_time_relative(event, &manager->tidy, CLOCK_MONOTONIC, TIDY_USEC, 0,
                                       on_tidy, manager);
        if (r < 0)
                return r;
        r = migration_new(manager, &manager->migration);
        if (r < 0)
                return r;
        migration_update(manager->migration, NULL);
        r = confirm_new(manager, &manager->confirm);
        if (r < 0)
                return r;
        confirm_update(manager->confirm);
        *ret = g_steal_pointer(&manager);
        return 0;
}

void manager_free(Manager *manager)
{
        if (!manager)
                return;
        g_ptr_array_unref(manager->exports);
        datasets_free(manager->datasets);
        g_clear_pointer(&manager->sessions, g_hash_table_unref);
        g_queue_clear_full(&manager->deferred, deferred_free);
        commit_free(manager->commit);
        settle_free(manager->settle);
        confirm_free(manager->confirm);
        bus_audit_verification_free(manager->verification);
        audit_free(manager->audit);
        migration_free(manager->migration);
        g_ptr_array_unref(manager->members);
        sd_event_source_disable_unref(manager->work);
        sd_event_source_disable_unref(manager->tidy);
        g_hash_table_unref(manager->info.conditions);
        pt_slice_unref(manager->running);
        uids_free(manager->uids);
        secrets_free(manager->secrets);
        pt_store_close(manager->store);
        g_free(manager->state_dir);
        sd_bus_unref(manager->bus);
        sd_event_unref(manager->event);
        g_free(manager);
}
