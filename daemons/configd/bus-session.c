/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-session.h"

#include "bus-slice.h"
#include "move.h"
#include "options.h"
#include "page.h"
#include "rename.h"
#include "validate.h"

#include "base/io.h"
#include "bus/bus.h"
#include "kind/describe.h"
#include "kind/vardict.h"

#define METADATA_DEPTH 4 /* a{sv} with a variant that holds another */

/* The session that a call is for, if its sender may use it. */
static int get_session(Manager *manager, sd_bus_message *call, Session **ret, sd_bus_error *error)
{
        const PtCaller *caller;
        Session *session;
        int r;

        r = pt_access_check(manager->access, call, &caller, error);
        if (r < 0)
                return r;
        session = session_find(manager, sd_bus_message_get_path(call));
        if (!session)
                return pt_bus_fail(error, -ENOENT, "The session is closed");
        if (caller->uid != session->uid && caller->uid != 0)
                return pt_access_refuse(manager->access, call, error, "The session is %s's",
                                        session->user);
        session_touch(session);
        *ret = session;
        return 0;
}

/* Reads a kind's name; a refusal names the nearest one. */
static int read_kind(sd_bus_message *call, const PtKind **ret, PtDiagnostics *diag)
{
        g_autoptr(GString) help = g_string_new(NULL);
        const char *name;
        int r;

        r = sd_bus_message_read_basic(call, SD_BUS_TYPE_STRING, &name);
        if (r < 0)
                return r;
        *ret = pt_kind_find(name);
        return *ret ? 0 : pt_kind_explain(name, diag, help);
}

static int end_edit(sd_bus_message *call, int result, const PtDiagnostics *diag)
{
        if (result < 0)
                return pt_diag_errors(diag) > 0 ? pt_bus_refuse(call, result, diag) : result;
        return sd_bus_reply_method_return(call, NULL);
}

static int set_object(Session *session, sd_bus_message *call, PtDiagnostics *diag)
{
        pt_auto_json *spec = NULL;
        pt_auto_json *metadata = NULL;
        const PtKind *kind;
        const char *name;
        int r;

        r = read_kind(call, &kind, diag);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(call, SD_BUS_TYPE_STRING, &name);
        if (r < 0)
                return r;
        if (pt_kind_has_secret(kind))
                (void) sd_bus_message_sensitive(call); /* wiped when it is freed */
        pt_diag_set_subject(diag, "%s/%s", kind->name, name);
        r = pt_fields_read(kind->fields, call, diag, &spec);
        if (r < 0)
                return r;
        r = pt_vardict_read(call, METADATA_DEPTH, &metadata);
        if (r < 0)
                return r;
        return session_set(session, kind, name, spec, metadata, diag);
}

/* One edit of the candidate, and its answer. */
static int edit(sd_bus_message *call, void *userdata, sd_bus_error *error,
                int (*act)(Session *session, sd_bus_message *call, PtDiagnostics *diag))
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        Session *session;
        int r;

        r = get_session(userdata, call, &session, error);
        if (r < 0)
                return r;
        return end_edit(call, act(session, call, diag), diag);
}

static int method_set(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return edit(call, userdata, error, set_object);
}

static int unset_fields(Session *session, sd_bus_message *call, PtDiagnostics *diag)
{
        g_auto(GStrv) paths = NULL;
        const PtKind *kind;
        const char *name;
        int r;

        r = read_kind(call, &kind, diag);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(call, SD_BUS_TYPE_STRING, &name);
        if (r < 0)
                return r;
        r = sd_bus_message_read_strv(call, &paths);
        if (r < 0)
                return r;
        return paths ? session_unset(session, kind, name, paths, diag) : 0;
}

static int method_unset(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return edit(call, userdata, error, unset_fields);
}

static int delete_object(Session *session, sd_bus_message *call, PtDiagnostics *diag)
{
        const PtKind *kind;
        const char *name;
        int r;

        r = read_kind(call, &kind, diag);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(call, SD_BUS_TYPE_STRING, &name);
        if (r < 0)
                return r;
        return session_delete(session, kind, name, diag);
}

static int method_delete(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return edit(call, userdata, error, delete_object);
}

static int rename_one(Session *session, sd_bus_message *call, PtDiagnostics *diag)
{
        const char *name, *new_name;
        const PtKind *kind;
        int r;

        r = read_kind(call, &kind, diag);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "ss", &name, &new_name);
        if (r < 0)
                return r;
        return rename_object(session->candidate, kind, name, new_name, diag);
}

static int method_rename(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return edit(call, userdata, error, rename_one);
}

static int move_one(Session *session, sd_bus_message *call, PtDiagnostics *diag)
{
        const char *name, *where_word, *other;
        const PtKind *kind;
        MoveWhere where;
        int r;

        r = read_kind(call, &kind, diag);
        if (r < 0)
                return r;
        r = sd_bus_message_read(call, "sss", &name, &where_word, &other);
        if (r < 0)
                return r;
        where = move_where_from_string(where_word);
        if (where < 0) {
                pt_diag_error(diag, "bad-input", NULL,
                              "\"%s\" says no place; use before, after, first or last", where_word);
                return -EINVAL;
        }
        return move_object(session->candidate, kind, name, where, other, diag);
}

static int method_move(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        return edit(call, userdata, error, move_one);
}

static int method_load(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        g_autofree char *source = NULL, *set = NULL;
        bool replace = false;
        const Option options[] = {
                {"source", OPTION_STRING, &source},
                {"set", OPTION_STRING, &set},
                {"replace", OPTION_BOOL, &replace},
                {},
        };
        g_autoptr(Reply) reply = reply_new();
        g_autoptr(GHashTable) uids = NULL;
        Session *session;
        int fd, r;

        r = get_session(userdata, call, &session, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(call, SD_BUS_TYPE_UNIX_FD, &fd);
        if (r < 0)
                return r;
        r = options_read(call, options, error);
        if (r < 0)
                return r;
        uids = manager_uids(session->manager, session->candidate);
        session_load(session, fd,
                     &(InputOptions){.source = source ?: "input",
                                     .set = set,
                                     .replace = replace,
                                     .secrets = session->manager->secrets,
                                     .uids = uids,
                                     .store = session->manager->store},
                     reply);
        datasets_touch(session->manager->datasets);
        return reply_send(reply, call);
}

static int method_get(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Session *session;
        int r;

        r = get_session(userdata, call, &session, error);
        if (r < 0)
                return r;
        return page_reply_object(call, session->candidate, error);
}

static int method_list(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Session *session;
        int r;

        r = get_session(userdata, call, &session, error);
        if (r < 0)
                return r;
        return page_reply(call, session->candidate, error);
}

/* The changes of the candidate so far. */
static Changes *session_changes(Session *session)
{
        g_autoptr(PtSlice) snapshot = pt_slice_clone(session->candidate);

        return changes_new(session->base, snapshot);
}

static int method_diff(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        g_autoptr(Changes) changes = NULL;
        Session *session;
        int r;

        r = get_session(userdata, call, &session, error);
        if (r < 0)
                return r;
        changes = session_changes(session);
        return changes_reply(changes, call);
}

/* What is wrong with the candidate as a whole. */
static PtDiagnostics *validate_session(Session *session)
{
        g_autoptr(Changes) changes = session_changes(session);
        g_autoptr(GHashTable) uids = manager_uids(session->manager, session->base);
        PtDiagnostics *diag = pt_diag_new();

        (void) validate_changes(changes, session->manager->state_dir, diag);
        (void) uids_check(uids, changes, diag);
        return diag;
}

static int method_get_slice(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        g_autoptr(PtDiagnostics) diag = NULL;
        g_autoptr(PtSlice) snapshot = NULL;
        Session *session;
        const char *daemon;
        int r;

        r = get_session(userdata, call, &session, error);
        if (r < 0)
                return r;
        r = sd_bus_message_read_basic(call, SD_BUS_TYPE_STRING, &daemon);
        if (r < 0)
                return r;
        diag = validate_session(session);
        if (pt_diag_errors(diag) > 0)
                return pt_bus_refuse(call, -EINVAL, diag);
        snapshot = pt_slice_clone(session->candidate);
        return bus_slice_reply(session->manager, call, snapshot, daemon, error);
}

static int method_validate(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        g_autoptr(PtDiagnostics) diag = NULL;
        pt_auto_message *m = NULL;
        Session *session;
        int r;

        r = get_session(userdata, call, &session, error);
        if (r < 0)
                return r;
        diag = validate_session(session); /* what is wrong is the answer */
        r = sd_bus_message_new_method_return(call, &m);
        if (r < 0)
                return r;
        r = pt_diag_append(diag, m);
        if (r < 0)
                return r;
        return sd_bus_message_send(m);
}

static int method_plan(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        Session *session;
        int r;

        r = get_session(manager, call, &session, error);
        if (r < 0)
                return r;
        if (manager_busy(manager))
                return manager_defer(manager, call, method_plan, error);
        return session_commit(session, &(CommitOptions){.dry_run = true, .merge = true}, false,
                              call, error);
}

static int method_commit(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        g_auto(CommitOptions) wanted = COMMIT_OPTIONS_INIT;
        const Option options[] = {COMMIT_OPTION_ROWS(wanted), {}};
        Session *session;
        int r;

        r = get_session(manager, call, &session, error);
        if (r < 0)
                return r;
        if (manager_busy(manager))
                return manager_defer(manager, call, method_commit, error);
        r = options_read(call, options, error);
        if (r < 0)
                return r;
        return session_commit(session, &wanted, false, call, error);
}

static int method_rebase(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Manager *manager = userdata;
        g_autofree char *prefer = NULL;
        const Option options[] = {{"prefer", OPTION_STRING, &prefer}, {}};
        g_autoptr(Reply) reply = reply_new();
        MergePrefer preference;
        Session *session;
        int r;

        r = get_session(manager, call, &session, error);
        if (r < 0)
                return r;
        r = options_read(call, options, error);
        if (r < 0)
                return r;
        preference = merge_prefer_from_string(prefer ?: "");
        if (preference < 0)
                return pt_bus_fail(error, -EINVAL,
                                   "\"%s\" is no side to prefer; use mine or theirs", prefer);
        session_rebase(session, preference, reply);
        return reply_send(reply, call);
}

static int method_close(sd_bus_message *call, void *userdata, sd_bus_error *error)
{
        Session *session;
        int r;

        r = get_session(userdata, call, &session, error);
        if (r < 0)
                return r;
        session_close(session);
        return sd_bus_reply_method_return(call, NULL);
}

static const sd_bus_vtable session_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Get", SD_BUS_ARGS("s", kind, "s", name),
                                SD_BUS_RESULT("a{sv}", object), method_get,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("List", SD_BUS_ARGS("s", kind, "a{sv}", options),
                                SD_BUS_RESULT("aa{sv}", objects, "s", next), method_list,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Set",
                                SD_BUS_ARGS("s", kind, "s", name, "a{sv}", spec, "a{sv}", metadata),
                                SD_BUS_NO_RESULT, method_set, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Unset", SD_BUS_ARGS("s", kind, "s", name, "as", paths),
                                SD_BUS_NO_RESULT, method_unset, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Delete", SD_BUS_ARGS("s", kind, "s", name), SD_BUS_NO_RESULT,
                                method_delete, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Rename", SD_BUS_ARGS("s", kind, "s", name, "s", new_name),
                                SD_BUS_NO_RESULT, method_rename, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Move", SD_BUS_ARGS("s", kind, "s", name, "s", where, "s", other),
                                SD_BUS_NO_RESULT, method_move, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Load", SD_BUS_ARGS("h", input, "a{sv}", options),
                                SD_BUS_RESULT("a{sv}", reply), method_load,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Diff", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", lines), method_diff,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetSlice", SD_BUS_ARGS("s", daemon), SD_BUS_RESULT("h", slice),
                                method_get_slice, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Validate", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssss)", diagnostics),
                                method_validate, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Plan", SD_BUS_NO_ARGS, SD_BUS_RESULT("a{sv}", reply), method_plan,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Commit", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", reply), method_commit,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Rebase", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a{sv}", reply), method_rebase,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Close", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_close,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int find_session(sd_bus *bus, const char *path, const char *interface, void *userdata,
                        void **ret, sd_bus_error *error)
{
        if (userdata && !session_find(userdata, path))
                return 0;
        *ret = userdata;
        return 1;
}

static int list_sessions(sd_bus *bus, const char *prefix, void *userdata, char ***ret,
                         sd_bus_error *error)
{
        Manager *manager = userdata;
        GHashTableIter iter;
        void *session;
        guint i = 0;

        if (!manager) {
                *ret = NULL;
                return 0;
        }
        *ret = g_new0(char *, g_hash_table_size(manager->sessions) + 1);
        g_hash_table_iter_init(&iter, manager->sessions);
        while (g_hash_table_iter_next(&iter, NULL, &session))
                (*ret)[i++] = session_path(session);
        return 0;
}

int bus_session_attach(Manager *manager, sd_bus *bus)
{
        int r;

        r = sd_bus_add_fallback_vtable(bus, NULL, SESSION_PREFIX, SESSION_INTERFACE, session_vtable,
                                       find_session, manager);
        if (r < 0)
                return r;
        return sd_bus_add_node_enumerator(bus, NULL, SESSION_PREFIX, list_sessions, manager);
}
