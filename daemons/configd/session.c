/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "session.h"

#include "nearest.h"
#include "position.h"

#include "base/text.h"
#include "bus/bus.h"
#include "kind/describe.h"

#include <string.h>

static void session_free_value(void *data)
{
        session_free(data);
}

GHashTable *session_table_new(void)
{
        return g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, session_free_value);
}

void session_close_all(Manager *manager)
{
        g_hash_table_remove_all(manager->sessions);
}

static unsigned count_of_uid(const Manager *manager, uid_t uid)
{
        GHashTableIter iter;
        void *value;
        unsigned n = 0;

        g_hash_table_iter_init(&iter, manager->sessions);
        while (g_hash_table_iter_next(&iter, NULL, &value)) {
                const Session *session = value;

                n += session->uid == uid;
        }
        return n;
}

int session_new(Manager *manager, const PtCaller *caller, Session **ret, sd_bus_error *error)
{
        Session *session;

        if (g_hash_table_size(manager->sessions) >= SESSIONS_MAX)
                return pt_bus_fail(error, -EBUSY, "%d sessions are open: close one and try again",
                                   SESSIONS_MAX);
        if (count_of_uid(manager, caller->uid) >= SESSIONS_PER_UID_MAX)
                return pt_bus_fail(error, -EBUSY,
                                   "%s has %d sessions open: close one and try again", caller->user,
                                   SESSIONS_PER_UID_MAX);
        session = g_new0(Session, 1);
        session->manager = manager;
        session->id = ++manager->last_session;
        session->uid = caller->uid;
        session->user = g_strdup(caller->user);
        session->base = pt_slice_ref(manager->running);
        session->base_revision = manager->revision;
        session->candidate = pt_slice_clone(manager->running);
        *ret = session;
        return 0;
}

void session_free(Session *session)
{
        if (!session)
                return;
        sd_bus_track_unref(session->client);
        sd_event_source_disable_unref(session->idle);
        pt_slice_unref(session->base);
        pt_slice_unref(session->candidate);
        g_free(session->user);
        g_free(session);
}

static int on_client_gone(sd_bus_track *track, void *userdata)
{
        session_close(userdata);
        return 0;
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
        session_close(userdata);
        return 0;
}

int session_publish(Session *session, sd_bus_message *call, uint64_t idle_usec)
{
        Manager *manager = session->manager;
        int r;

        if (idle_usec > 0) {
                session->idle_usec = MIN(idle_usec, SESSION_IDLE_MAX_USEC);
                r = sd_event_add_time_relative(manager->event, &session->idle, CLOCK_MONOTONIC,
                                               session->idle_usec, 0, on_idle, session);
        } else {
                r = sd_bus_track_new(manager->bus, &session->client, on_client_gone, session);
                if (r >= 0)
                        r = sd_bus_track_add_sender(session->client, call);
        }
        if (r < 0)
                return r;
        g_hash_table_insert(manager->sessions, &session->id, session);
        return 0;
}

Session *session_find(Manager *manager, const char *path)
{
        const char *number;
        uint64_t id;

        if (!g_str_has_prefix(path, SESSION_PREFIX "/"))
                return NULL;
        number = path + strlen(SESSION_PREFIX "/");
        if (!g_ascii_string_to_unsigned(number, 10, 1, UINT64_MAX, &id, NULL))
                return NULL;
        return g_hash_table_lookup(manager->sessions, &id);
}

char *session_path(const Session *session)
{
        return g_strdup_printf(SESSION_PREFIX "/%" PRIu64, session->id);
}

void session_touch(Session *session)
{
        if (session->idle)
                (void) sd_event_source_set_time_relative(session->idle, session->idle_usec);
}

void session_close(Session *session)
{
        g_hash_table_remove(session->manager->sessions, &session->id);
}

/* Builds, checks and puts an object from its JSON. */
static int put_json(Session *session, struct json_object *json, PtDiagnostics *diag)
{
        g_autoptr(PtObject) object = NULL;
        const PtObject *old;
        int r;

        r = pt_object_from_json(json, 0, diag, &object);
        if (r < 0)
                return r;
        old = pt_slice_get(session->candidate, object->kind, object->name);
        if (!old && object->kind->ordered && object->position == 0) {
                g_autoptr(GPtrArray) one = g_ptr_array_new();
                g_autoptr(GHashTable) none = g_hash_table_new(g_str_hash, g_str_equal);

                g_ptr_array_add(one, object);
                r = position_assign(session->candidate, one, none, diag);
                if (r < 0)
                        return r;
        }
        if (!old) {
                g_autoptr(GHashTable) uids = manager_uids(session->manager, session->candidate);

                uids_settle(uids, object);
        }
        r = secrets_settle(session->manager->secrets, object, old, diag);
        if (r < 0)
                return r;
        pt_object_seal(object);
        if (!old || !pt_digest_equal(&old->digest, &object->digest))
                pt_slice_put(session->candidate, object);
        return 0;
}

static struct json_object *new_json(const PtKind *kind, const char *name)
{
        struct json_object *json = json_object_new_object();
        struct json_object *metadata = json_object_new_object();

        json_object_object_add(json, "apiVersion", json_object_new_string(kind->api_version));
        json_object_object_add(json, "kind", json_object_new_string(kind->name));
        json_object_object_add(metadata, "name", json_object_new_string(name));
        json_object_object_add(json, "metadata", metadata);
        json_object_object_add(json, "spec", json_object_new_object());
        return json;
}

/* The member of an object's JSON, made if it is absent. */
static struct json_object *member(struct json_object *json, const char *key)
{
        struct json_object *value = json_object_object_get(json, key);

        if (!value) {
                value = json_object_new_object();
                json_object_object_add(json, key, value);
        }
        return value;
}

static int check_patched_name(const char *name, struct json_object *metadata, PtDiagnostics *diag)
{
        struct json_object *given = json_object_object_get(metadata, "name");

        if (!given || g_str_equal(json_object_get_string(given), name))
                return 0;
        pt_diag_error(
                diag, "name-differs", "/metadata/name",
                "the name is \"%s\" in the call and \"%s\" in its metadata: leave out the latter",
                name, json_object_get_string(given));
        return -EINVAL;
}

int session_set(Session *session, const PtKind *kind, const char *name, struct json_object *spec,
                struct json_object *metadata, PtDiagnostics *diag)
{
        const PtObject *old = pt_slice_get(session->candidate, kind, name);
        pt_auto_json *json = old ? pt_object_to_json(old, true) : new_json(kind, name);
        int r;

        pt_diag_set_subject(diag, "%s/%s", kind->name, name);
        r = check_patched_name(name, metadata, diag);
        if (r < 0)
                return r;
        pt_json_merge(member(json, "spec"), spec);
        pt_json_merge(member(json, "metadata"), metadata);
        return put_json(session, json, diag);
}

/* Removes what a dotted path names, and the objects around it that are empty then. */
static void remove_path(struct json_object *json, const char *path)
{
        struct json_object *parents[PT_JSON_DEPTH_MAX];
        g_auto(GStrv) keys = g_strsplit(path, ".", PT_JSON_DEPTH_MAX);
        unsigned depth = 0;

        for (parents[0] = json; keys[depth + 1]; depth++) {
                parents[depth + 1] = json_object_object_get(parents[depth], keys[depth]);
                if (!json_object_is_type(parents[depth + 1], json_type_object))
                        return;
        }
        json_object_object_del(parents[depth], keys[depth]);
        while (depth > 0 && json_object_object_length(parents[depth]) == 0) {
                depth--;
                json_object_object_del(parents[depth], keys[depth]);
        }
}

#define METADATA_PREFIX "metadata."
#define LABELS_PREFIX METADATA_PREFIX "labels."

static int unset_path(struct json_object *json, const PtKind *kind, const char *path,
                      PtDiagnostics *diag)
{
        if (g_str_has_prefix(path, LABELS_PREFIX)) { /* the keys of labels have dots */
                struct json_object *labels = member(member(json, "metadata"), "labels");

                json_object_object_del(labels, path + strlen(LABELS_PREFIX));
                return 0;
        }
        if (g_str_equal(path, METADATA_PREFIX "description") ||
            g_str_equal(path, METADATA_PREFIX "labels")) {
                json_object_object_del(member(json, "metadata"), path + strlen(METADATA_PREFIX));
                return 0;
        }
        if (!pt_kind_find_field(kind, path)) {
                g_autofree char *full = g_strdup_printf("%s.%s", kind->name, path);
                g_autoptr(GString) help = g_string_new(NULL);

                (void) pt_kind_explain(full, diag, help); /* says what is near */
                return -EINVAL;
        }
        remove_path(member(json, "spec"), path);
        return 0;
}

int session_unset(Session *session, const PtKind *kind, const char *name, char **paths,
                  PtDiagnostics *diag)
{
        const PtObject *old = pt_slice_get(session->candidate, kind, name);
        int r;

        if (!old)
                return nearest_not_found(session->candidate, kind, name, diag);

        pt_auto_json *json = pt_object_to_json(old, true);

        pt_diag_set_subject(diag, "%s/%s", kind->name, name);
        for (char **path = paths; *path; path++) {
                r = unset_path(json, kind, *path, diag);
                if (r < 0)
                        return r;
        }
        return put_json(session, json, diag);
}

int session_delete(Session *session, const PtKind *kind, const char *name, PtDiagnostics *diag)
{
        if (!pt_slice_remove(session->candidate, kind, name))
                return nearest_not_found(session->candidate, kind, name, diag);
        return 0;
}

void session_load(Session *session, int fd, const InputOptions *options, Reply *reply)
{
        g_autoptr(PtSlice) before = pt_slice_clone(session->candidate);
        g_autoptr(PtSlice) after = NULL;

        reply->accepted = input_apply_fd(session->candidate, fd, options, reply->diag) >= 0;
        if (!reply->accepted)
                return;
        after = pt_slice_clone(session->candidate);
        reply_set_changes(reply, changes_new(before, after));
}

static int assume_one(const PtObject *before, const PtObject *after, void *userdata)
{
        PtSlice *candidate = userdata;

        if (after)
                pt_slice_put(candidate, after);
        else
                (void) pt_slice_remove(candidate, before->kind, before->name);
        return 0;
}

void session_assume(Session *session, PtSlice *configuration)
{
        g_autoptr(PtSlice) before = pt_slice_clone(session->candidate);

        /* What is equal stays the object it is, so that it is in memory once. */
        (void) pt_slice_compare(before, configuration, assume_one, session->candidate);
}

static void set_base(Session *session, PtSlice *base, uint64_t revision)
{
        pt_slice_ref(base);
        pt_slice_unref(session->base);
        session->base = base;
        session->base_revision = revision;
}

static void set_candidate(Session *session, const PtSlice *configuration)
{
        pt_slice_unref(session->candidate);
        session->candidate = pt_slice_clone(configuration);
}

void session_rebase(Session *session, MergePrefer prefer, Reply *reply)
{
        const Manager *manager = session->manager;
        g_autoptr(PtSlice) mine = pt_slice_clone(session->candidate);
        g_autoptr(Merge) merge = merge_new(session->base, mine, manager->running, prefer);
        g_autofree char *author = manager_author(manager);
        ConflictSides sides = {session->base_revision, manager->revision, author};

        if (merge->conflicts->len > 0)
                conflict_report(merge, &sides, reply->conflicts, reply->diag);
        if (merge->conflicts->len > 0 && prefer == MERGE_REPORT)
                return;
        if (session->base_revision != manager->revision) {
                reply->merged_with = manager->revision;
                conflict_tell_merged(merge, &sides, reply->diag);
        }
        reply->accepted = true;
        reply_set_changes(reply, changes_new(manager->running, merge->merged));
        set_base(session, manager->running, manager->revision);
        set_candidate(session, merge->merged);
}

/* The session goes on from what was committed, which may be more than its snapshot; what it changed
 * since stays its own. */
static void go_on(Session *session, PtSlice *snapshot)
{
        const Manager *manager = session->manager;

        if (manager->running != snapshot) {
                g_autoptr(PtSlice) mine = pt_slice_clone(session->candidate);
                g_autoptr(Merge) merge = merge_new(snapshot, mine, manager->running, MERGE_MINE);

                set_candidate(session, merge->merged);
        }
        set_base(session, manager->running, manager->revision);
}

/* What outlives the session while its commit is under way. */
typedef struct SessionCommit {
        Manager *manager;
        uint64_t id;
        PtSlice *snapshot;
        sd_bus_message *call; /* referenced */
} SessionCommit;

static void on_done(const Reply *reply, void *userdata)
{
        SessionCommit *commit = userdata;
        Session *session =
                reply ? g_hash_table_lookup(commit->manager->sessions, &commit->id) : NULL;

        if (session && reply->accepted && reply->revision > 0)
                go_on(session, commit->snapshot);
        if (reply)
                reply_done(reply, commit->call);
        else
                sd_bus_message_unref(commit->call);
        pt_slice_unref(commit->snapshot);
        g_free(commit);
}

int session_commit(Session *session, const CommitOptions *options, bool restores,
                   sd_bus_message *call, sd_bus_error *error)
{
        const Manager *manager = session->manager;
        g_autoptr(PtOrigin) origin = NULL;
        const PtCaller *caller;
        SessionCommit *commit;
        CommitRequest request = {
                .base = session->base,
                .base_revision = session->base_revision,
                .merge = options->merge,
                .dry_run = options->dry_run,
                .allow_offline = options->allow_offline,
                .force = options->force,
                .uid = session->uid,
                .author = session->user,
                .comment = options->comment,
                .notices = session->notices,
                .client = sd_bus_message_get_sender(call),
        };
        int r;

        r = pt_access_check(manager->access, call, &caller, error);
        if (r < 0)
                return r;
        (void) pt_origin_read(call, &origin);
        r = confirm_read(options, origin, &request.confirm, error);
        if (r < 0)
                return r;
        request.confirm.restores = restores;
        if (!options->dry_run)
                request.audit = audit_entry_of_commit(call, caller, origin, options);
        commit = g_new0(SessionCommit, 1);
        commit->manager = session->manager;
        commit->id = session->id;
        commit->snapshot = request.candidate = pt_slice_clone(session->candidate);
        commit->call = sd_bus_message_ref(call);
        commit_start(session->manager, &request, on_done, commit);
        return 1;
}
