/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-config.h"

#include "bus-confirm.h"
#include "bus-audit.h"
#include "bus-dataset.h"
#include "bus-export.h"
#include "bus-session.h"
#include "bus-slice.h"
#include "migration.h"
#include "options.h"
#include "page.h"

#include "base/log.h"
#include "bus/bus.h"

#define REVISIONS_DEFAULT 20
#define REVISIONS_MAX 1000

static int method_open_session(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        uint64_t idle_usec = 0;
        const Option options[] = {{"idleUSec", OPTION_UINT64, &idle_usec}, {}};
        g_autoptr(Session) session = NULL;
        g_autofree char *path = NULL;
        const PtCaller *caller;
        int r;

        r = pt_access_check(manager->access, call, &caller, error);
        if (r < 0)
                return r;
        r = options_read(call, options, error);
        if (r < 0)
                return r;
        r = session_new(manager, caller, &session, error);
        if (r < 0)
                return r;
        r = session_publish(session, call, idle_usec);
        if (r < 0)
                return r;
        path = session_path(g_steal_pointer(&session));
        return sd_bus_reply_method_return(call, "o", path);
}

static int method_apply(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        g_autofree char *source = NULL, *set = NULL;
        g_auto(CommitOptions) wanted = COMMIT_OPTIONS_INIT;
        bool replace = false;
        const Option options[] = {
                {"source", OPTION_STRING, &source},
                {"set", OPTION_STRING, &set},
                {"replace", OPTION_BOOL, &replace},
                COMMIT_OPTION_ROWS(wanted),
                {},
        };
        g_autoptr(Session) session = NULL;
        g_autoptr(Reply) reply = reply_new();
        g_autoptr(GHashTable) uids = NULL;
        const PtCaller *caller;
        int fd, r;

        r = pt_access_check(manager->access, call, &caller, error);
        if (r < 0)
                return r;
        if (manager_busy(manager))
                return manager_defer(manager, call, method_apply, error);
        r = sd_bus_message_read_basic(call, SD_BUS_TYPE_UNIX_FD, &fd);
        if (r < 0)
                return r;
        r = options_read(call, options, error);
        if (r < 0)
                return r;
        r = session_new(manager, caller, &session, error);
        if (r < 0)
                return r;
        /* It will be refused; and to read a large one takes longer than what waits may have left. */
        if (!wanted.dry_run && confirm_revision(manager->confirm) > 0)
                return session_commit(session, &wanted, false, call, error);
        /* What it changes is found by the commit. */
        uids = manager_uids(manager, session->candidate);
        r = input_apply_fd(session->candidate, fd,
                           &(InputOptions){.source = source ?: "input",
                                           .set = set,
                                           .replace = replace,
                                           .secrets = manager->secrets,
                                           .uids = uids,
                                           .store = manager->store},
                           reply->diag);
        datasets_touch(manager->datasets);
        if (r < 0)
                return reply_send(reply, call);
        session->notices = reply->diag;
        return session_commit(session, &wanted, false, call, error);
}

int bus_config_load(Manager *manager, uint64_t number, PtSlice **ret, sd_bus_error *error)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        int r;

        if (number == manager->revision) {
                *ret = pt_slice_ref(manager->running);
                return 0;
        }
        if (number > pt_store_last(manager->store))
                return pt_bus_fail(error, -ENOENT,
                                   "There is no revision %" PRIu64 "; the last is %" PRIu64, number,
                                   pt_store_last(manager->store));
        r = pt_store_load(manager->store, number, diag, ret);
        if (r == -ENOENT)
                return pt_bus_fail(error, r, "Revision %" PRIu64 " is not kept, or was aborted",
                                   number);
        if (r < 0)
                return pt_bus_fail(error, r, "Revision %" PRIu64 " cannot be read: %s", number,
                                   pt_diag_count(diag) > 0 ? pt_diag_get(diag, 0)->text
                                                           : g_strerror(-r));
        return 0;
}

static int method_revert(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        g_auto(CommitOptions) wanted = COMMIT_OPTIONS_INIT;
        const Option options[] = {COMMIT_OPTION_ROWS(wanted), {}};
        g_autoptr(Session) session = NULL;
        g_autoptr(PtSlice) target = NULL;
        const PtCaller *caller;
        uint64_t number;
        int r;

        r = pt_access_check(manager->access, call, &caller, error);
        if (r < 0)
                return r;
        if (manager_busy(manager))
                return manager_defer(manager, call, method_revert, error);
        r = sd_bus_message_read_basic(call, SD_BUS_TYPE_UINT64, &number);
        if (r < 0)
                return r;
        r = options_read(call, options, error);
        if (r < 0)
                return r;
        r = bus_config_load(manager, number, &target, error);
        if (r < 0)
                return r;
        r = session_new(manager, caller, &session, error);
        if (r < 0)
                return r;
        session_assume(session, target);
        if (!wanted.comment)
                wanted.comment = g_strdup_printf("revert to revision %" PRIu64, number);
        return session_commit(session, &wanted,
                              confirm_revision(manager->confirm) > 0 &&
                                      number == pt_store_confirmed(manager->store),
                              call, error);
}

static int method_get(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;

        return page_reply_object(call, manager->running, error);
}

static int method_list(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;

        return page_reply(call, manager->running, error);
}

static int method_diff(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        g_autoptr(PtSlice) before = NULL;
        g_autoptr(PtSlice) after = NULL;
        g_autoptr(Changes) changes = NULL;
        uint64_t from, to;
        int r;

        r = sd_bus_message_read(call, "tt", &from, &to);
        if (r < 0)
                return r;
        r = bus_config_load(manager, from, &before, error);
        if (r < 0)
                return r;
        r = bus_config_load(manager, to, &after, error);
        if (r < 0)
                return r;
        changes = changes_new(before, after);
        return changes_reply(changes, call);
}

static const char *state_word(const Manager *manager, const PtRevision *revision)
{
        switch (revision->state) {
        case PT_REVISION_INTENT:
                return "intent";
        case PT_REVISION_DECIDED:
                if (revision->number == manager->revision)
                        return "running";
                return revision->damaged ? "damaged" : "decided";
        case PT_REVISION_ABORTED:
                return "aborted";
        case PT_REVISION_STATE_MAX:
        case PT_REVISION_STATE_INVALID:
                break;
        }
        return "";
}

static int append_revision(const Manager *manager, const PtRevision *revision, sd_bus_message *m)
{
        char root[PT_DIGEST_HEX + 1], digest[PT_DIGEST_HEX + 1];

        pt_digest_to_hex(&revision->root, root);
        pt_digest_to_hex(&revision->digest, digest);
        return sd_bus_message_append(
                m, "a{sv}", 10, "digest", "s", digest, "number", "t", revision->number, "parent",
                "t", revision->parent, "root", "s", root, "uid", "u", revision->uid, "author", "s",
                revision->author ?: "", "comment", "s", revision->comment ?: "", "timeUSec", "t",
                revision->time_usec, "confirmedUSec", "t", revision->confirmed_usec, "state", "s",
                state_word(manager, revision));
}

static int method_list_revisions(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        uint64_t before = 0;
        uint32_t limit = REVISIONS_DEFAULT;
        const Option options[] = {
                {"before", OPTION_UINT64, &before}, {"limit", OPTION_UINT32, &limit}, {}};
        g_autoptr(GPtrArray) revisions = NULL;
        pt_auto_message *m = NULL;
        int r;

        r = options_read(call, options, error);
        if (r < 0)
                return r;
        r = pt_store_list(manager->store, before, CLAMP(limit, 1, REVISIONS_MAX), &revisions);
        if (r < 0)
                return r;
        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "a{sv}");
        if (r < 0)
                return r;
        for (guint i = 0; i < revisions->len; i++) {
                r = append_revision(manager, g_ptr_array_index(revisions, i), m);
                if (r < 0)
                        return r;
        }
        r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        return sd_bus_message_send(m);
}

static int method_get_revision(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        g_autoptr(PtRevision) revision = NULL;
        pt_auto_message *m = NULL;
        uint64_t number;
        int r;

        r = sd_bus_message_read_basic(call, SD_BUS_TYPE_UINT64, &number);
        if (r < 0)
                return r;
        r = pt_store_get(manager->store, number, &revision);
        if (r < 0)
                return pt_bus_fail(error, r, "There is no revision %" PRIu64, number);
        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = append_revision(manager, revision, m);
        if (r < 0)
                return r;
        return sd_bus_message_send(m);
}

static int method_get_slice(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        g_autoptr(PtSlice) configuration = NULL;
        const char *daemon;
        uint64_t number;
        int r;

        r = sd_bus_message_read(call, "st", &daemon, &number);
        if (r < 0)
                return r;
        r = bus_config_load(manager, number, &configuration, error);
        return r < 0 ? r : bus_slice_reply(manager, call, configuration, daemon, error);
}

static int method_cancel(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;

        return sd_bus_reply_method_return(call, "b", manager_cancel(manager, call));
}

static int get_property(sd_bus *bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const Manager *manager = userdata;

        if (g_str_equal(property, "Revision"))
                return sd_bus_message_append(reply, "t", manager->revision);
        if (g_str_equal(property, "Objects"))
                return sd_bus_message_append(reply, "t",
                                             (uint64_t) pt_slice_count(manager->running, NULL));
        if (g_str_equal(property, "Sessions"))
                return sd_bus_message_append(reply, "u", g_hash_table_size(manager->sessions));
        if (g_str_equal(property, "Phase"))
                return sd_bus_message_append(reply, "s",
                                             manager->commit ? commit_phase(manager->commit) : "");

        PtDigest root;
        char hex[PT_DIGEST_HEX + 1];

        pt_slice_root(manager->running, &root);
        pt_digest_to_hex(&root, hex);
        return sd_bus_message_append(reply, "s", hex);
}

static int append_waiting(const Commit *commit, sd_bus_message *m)
{
        g_autoptr(GPtrArray) names = commit ? commit_waits_for(commit) : g_ptr_array_new();

        g_ptr_array_add(names, NULL);
        return sd_bus_message_append_strv(m, (char **) names->pdata);
}

static int get_waiting(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const Manager *manager = userdata;

        return append_waiting(manager->commit, reply);
}

static const sd_bus_vtable config_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("OpenSession", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("o", session), method_open_session,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Apply", SD_BUS_ARGS("h", input, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", reply), method_apply,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Revert", SD_BUS_ARGS("t", revision, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", reply), method_revert,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Confirm", SD_BUS_ARGS("t", revision, "a{sv}", options),
                                SD_BUS_NO_RESULT, bus_confirm, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Cancel", SD_BUS_NO_ARGS, SD_BUS_RESULT("b", cancelled),
                                method_cancel, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Get", SD_BUS_ARGS("s", kind, "s", name),
                                SD_BUS_RESULT("a{sv}", object), method_get,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("List", SD_BUS_ARGS("s", kind, "a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", objects, "s", next), method_list,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Export", SD_BUS_ARGS("a{sv}", options), SD_BUS_RESULT("h", text),
                                bus_export, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ExportSealed", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("h", text), bus_export_sealed,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Diff", SD_BUS_ARGS("t", from, "t", to), SD_BUS_RESULT("h", lines),
                                method_diff, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSlice", SD_BUS_ARGS("s", daemon, "t", revision),
                                SD_BUS_RESULT("h", slice), method_get_slice,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListRevisions", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", revisions), method_list_revisions,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetRevision", SD_BUS_ARGS("t", number),
                                SD_BUS_RESULT("a{sv}", revision), method_get_revision,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListAudit", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", entries), bus_audit_list,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("VerifyAudit", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", reply),
                                bus_audit_verify, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("RecordAudit", SD_BUS_ARGS("a{sv}", entry), SD_BUS_NO_RESULT,
                                bus_audit_record, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("PutDataset", SD_BUS_ARGS("h", input, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", reply), bus_dataset_put,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListDatasets", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", datasets, "s", next), bus_dataset_list,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ReadDataset", SD_BUS_ARGS("s", digest, "a{sv}", options),
                                SD_BUS_RESULT("as", entries, "s", next), bus_dataset_read,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("DeleteDataset", SD_BUS_ARGS("s", digest), SD_BUS_NO_RESULT,
                                bus_dataset_delete, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Revision", "t", get_property, 0, SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("Root", "s", get_property, 0, 0),
        SD_BUS_PROPERTY("Objects", "t", get_property, 0, 0),
        SD_BUS_PROPERTY("Sessions", "u", get_property, 0, 0),
        SD_BUS_PROPERTY("Phase", "s", get_property, 0, 0),
        SD_BUS_PROPERTY("Waiting", "as", get_waiting, 0, 0),
        SD_BUS_PROPERTY("ConfirmRevision", "t", bus_confirm_property, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ConfirmDeadlineUSec", "t", bus_confirm_property, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_PROPERTY("ConfirmedRevision", "t", bus_confirm_property, 0,
                        SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
        SD_BUS_SIGNAL_WITH_ARGS("Committed", SD_BUS_ARGS("t", revision, "a{sv}", details), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Confirmed", SD_BUS_ARGS("t", revision, "a{sv}", details), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Reverted", SD_BUS_ARGS("t", revision, "t", to), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Progress",
                                SD_BUS_ARGS("s", phase, "as", waiting, "t", elapsedUSec), 0),
        SD_BUS_SIGNAL_WITH_ARGS("Degraded", SD_BUS_ARGS("s", daemon, "t", revision, "s", reason),
                                0),
        SD_BUS_SIGNAL_WITH_ARGS("Recovered", SD_BUS_ARGS("s", daemon, "t", revision), 0),
        SD_BUS_VTABLE_END,
};

/* NULL: none. */
static char *member_trouble(const Member *member)
{
        if (member->participant.owner)
                return g_strdup(member->trouble);
        if (member->offline_revision > 0)
                return g_strdup_printf("does not run; revision %" PRIu64
                                       " is for it when it starts",
                                       member->offline_revision);
        return g_strdup("does not run");
}

static void refresh_info(Manager *manager)
{
        PtDaemonInfo *info = &manager->info;

        g_hash_table_remove_all(info->conditions);
        for (guint i = 0; i < manager->members->len; i++) {
                const Member *member = g_ptr_array_index(manager->members, i);
                char *trouble = member_trouble(member);

                if (trouble)
                        g_hash_table_insert(info->conditions,
                                            g_strdup(member->participant.klass->name), trouble);
        }
        if (confirm_trouble(manager->confirm))
                g_hash_table_insert(info->conditions, g_strdup("confirm"),
                                    g_strdup(confirm_trouble(manager->confirm)));
        if (audit_trouble(manager->audit))
                g_hash_table_insert(info->conditions, g_strdup("audit"),
                                    g_strdup(audit_trouble(manager->audit)));
        if (migration_trouble(manager->migration))
                g_hash_table_insert(info->conditions, g_strdup("Migration"),
                                    g_strdup(migration_trouble(manager->migration)));
        if (manager->damaged)
                g_hash_table_insert(info->conditions, g_strdup("StoreDamaged"),
                                    g_strdup("Files of revisions were changed or lost when configd "
                                             "started, and the newest good ones are used: see its "
                                             "log"));
        info->state = g_hash_table_size(info->conditions) > 0 ? "degraded" : "running";
        info->revision = info->wanted_revision = manager->revision;
        info->kinds = pt_kinds();
}

int bus_config_attach(Manager *manager, sd_bus *bus)
{
        int r;

        if (manager)
                refresh_info(manager);
        r = pt_daemon_info_attach(manager ? &manager->info : NULL, bus, CONFIG_PATH, NULL);
        if (r < 0)
                return r;
        return sd_bus_add_object_vtable(bus, NULL, CONFIG_PATH, CONFIG_INTERFACE, config_vtable,
                                        manager);
}

static void log_unsent(const char *what, int result)
{
        if (result < 0)
                pt_log(LOG_WARNING, "cannot announce %s: %s", what, g_strerror(-result));
}

void bus_config_committed(Manager *manager, const Reply *reply, const char *author,
                          const char *comment)
{
        const Changes *changes = reply->changes;

        log_unsent("a commit",
                   sd_bus_emit_signal(manager->bus, CONFIG_PATH, CONFIG_INTERFACE, "Committed",
                                      "ta{sv}", manager->revision, 5, "author", "s", author,
                                      "comment", "s", comment, "created", "u", changes->created,
                                      "updated", "u", changes->updated, "deleted", "u",
                                      changes->deleted));
        log_unsent("a revision",
                   sd_bus_emit_properties_changed(manager->bus, CONFIG_PATH, CONFIG_INTERFACE,
                                                  "Revision", NULL));
        refresh_info(manager);
}

void bus_config_reverted(Manager *manager, uint64_t revision)
{
        log_unsent("a revert", sd_bus_emit_signal(manager->bus, CONFIG_PATH, CONFIG_INTERFACE,
                                                  "Reverted", "tt", revision, manager->revision));
}

void bus_config_degraded(Manager *manager, const char *daemon, const char *reason)
{
        if (reason)
                log_unsent("an alarm", sd_bus_emit_signal(manager->bus, CONFIG_PATH,
                                                          CONFIG_INTERFACE, "Degraded", "sts",
                                                          daemon, manager->revision, reason));
        else
                log_unsent("the end of an alarm",
                           sd_bus_emit_signal(manager->bus, CONFIG_PATH, CONFIG_INTERFACE,
                                              "Recovered", "st", daemon, manager->revision));
}

static int emit_progress(Manager *manager, const Commit *commit)
{
        pt_auto_message *m = NULL;
        int r;

        r = sd_bus_message_new_signal(manager->bus, &m, CONFIG_PATH, CONFIG_INTERFACE, "Progress");
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "s", commit_phase(commit));
        if (r < 0)
                return r;
        r = append_waiting(commit, m);
        if (r < 0)
                return r;
        r = sd_bus_message_append(m, "t", commit_elapsed_usec(commit));
        if (r < 0)
                return r;
        return sd_bus_message_send(m);
}

void bus_config_progress(Manager *manager, const Commit *commit)
{
        log_unsent("progress", emit_progress(manager, commit));
}

void bus_config_state_changed(Manager *manager)
{
        refresh_info(manager);
        log_unsent("a state", pt_daemon_info_changed(manager->bus, CONFIG_PATH));
}
