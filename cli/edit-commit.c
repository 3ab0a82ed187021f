/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "commit.h"
#include "base/io.h"
#include "edit-text.h"
#include "edit.h"
#include "kind/describe.h"
#include "kind/yaml.h"
#include "message.h"
#include "objects.h"
#include "output.h"
#include <stdlib.h>
#include <string.h>

/* Commits that others overtake before it is given back to the user. */
#define RACES_MAX 5

static void put_json(void *json)
{
        json_object_put(json);
}

static void add_object(struct json_object *object, void *userdata)
{
        g_ptr_array_add(userdata, json_object_get(object));
}

static int compare_position(const void *a, const void *b)
{
        uint64_t x = ctl_json_number(*(struct json_object *const *) a, "metadata.position");
        uint64_t y = ctl_json_number(*(struct json_object *const *) b, "metadata.position");

        return (x > y) - (x < y);
}

int ctl_edit_read(const Edit *edit, const CtlTarget *session, GPtrArray **ret)
{
        g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func(put_json);
        struct json_object *object = NULL;
        int r;

        if (edit->name) {
                r = ctl_get_object(edit->ctl, session, edit->kind, edit->name, CTL_CALL_PROBES,
                                   &object);
                if (r == CTL_DONE)
                        g_ptr_array_add(objects, object);
                else if (r == CTL_REFUSED)
                        r = CTL_DONE; /* there is none yet */
        } else
                r = ctl_foreach_object(edit->ctl, session, edit->kind, add_object, objects);
        if (r != CTL_DONE)
                return r;
        g_ptr_array_sort(objects, compare_position);
        *ret = g_steal_pointer(&objects);
        return CTL_DONE;
}

static int note_object(PtObject *object, void *userdata)
{
        GHashTable *found = userdata;

        g_hash_table_add(found, g_strdup_printf("%s/%s", object->kind->name, object->name));
        pt_object_unref(object);
        return 0;
}

/* "Kind/name" */
static char *identity_of(const Edit *edit, struct json_object *object)
{
        return g_strdup_printf("%s/%s", edit->kind->name, ctl_json_string(object, "metadata.name"));
}

/* Names of the objects that are in the text no more. */
static GPtrArray *find_deleted(const Edit *edit, GHashTable *found)
{
        GPtrArray *deleted = g_ptr_array_new_with_free_func(g_free);

        for (guint i = 0; i < edit->before->len; i++) {
                struct json_object *object = g_ptr_array_index(edit->before, i);
                g_autofree char *identity = identity_of(edit, object);

                if (!g_hash_table_contains(found, identity))
                        g_ptr_array_add(deleted,
                                        g_strdup(ctl_json_string(object, "metadata.name")));
        }
        return deleted;
}

/* Whether what is gone from the text may be deleted; if not, says how it may. */
static bool may_delete(const Edit *edit, const GPtrArray *deleted)
{
        char *answer = NULL; /* of getline(): malloc()'s */
        size_t allocated = 0;
        bool yes = deleted->len == 0 || edit->ctl->values[CTL_DELETE];

        if (!yes && isatty(STDIN_FILENO) && isatty(STDERR_FILENO)) {
                for (guint i = 0; i < deleted->len; i++)
                        fprintf(stderr, "- %s/%s\n", edit->kind->name,
                                (const char *) g_ptr_array_index(deleted, i));
                fprintf(stderr, "delete what is no longer in the text? [y/N] ");
                yes = getline(&answer, &allocated, stdin) > 0 && g_ascii_tolower(*answer) == 'y';
                free(answer);
        }
        for (guint i = 0; i < deleted->len && !yes; i++)
                pt_diag_error(edit->wrong, "deleted", NULL,
                              "%s/%s is gone from the text: put it back, or say --delete when "
                              "editing",
                              edit->kind->name, (const char *) g_ptr_array_index(deleted, i));
        return yes;
}

static struct json_object *find_object(const GPtrArray *objects, const char *name)
{
        for (guint i = 0; i < objects->len; i++) {
                struct json_object *object = g_ptr_array_index(objects, i);

                if (strcmp(ctl_json_string(object, "metadata.name"), name) == 0)
                        return object;
        }
        return NULL;
}

#define FIELDS_SHOWN 8

/* " (/spec/priority: none -> 9)": what others changed; "" when that cannot be told. */
static char *changed_fields(struct json_object *old, struct json_object *now)
{
        g_autoptr(PtObject) before = NULL, after = NULL;
        g_autoptr(GPtrArray) changes = NULL;
        GString *out = g_string_new(NULL);

        if (!old || !now || pt_object_from_json(old, 0, NULL, &before) < 0 ||
            pt_object_from_json(now, 0, NULL, &after) < 0)
                return g_string_free(out, FALSE);
        changes = pt_object_diff(before, after, false);
        for (guint i = 0; i < changes->len && i < FIELDS_SHOWN; i++) {
                const PtChange *change = g_ptr_array_index(changes, i);

                g_string_append_printf(out, "%s%s: %s -> %s", i ? ", " : " (", change->pointer,
                                       change->before ?: "none", change->after ?: "none");
        }
        if (out->len > 0)
                g_string_append_c(out, ')');
        return g_string_free(out, FALSE);
}

/* An object that others made something else of while the user edited. */
static void note_conflict(Edit *edit, const char *name, struct json_object *old,
                          struct json_object *now, GString *note)
{
        g_autofree char *fields = changed_fields(old, now);

        pt_diag_error(edit->wrong, "conflict", NULL,
                      "%s/%s was %s by somebody else meanwhile%s; saved again, your text %s",
                      edit->kind->name, name, now ? "changed" : "deleted", fields,
                      now ? "replaces what is shown here" : "brings it back");
        if (now)
                ctl_edit_append_object(now, note);
}

/*
 * What others did is in edit->before now, and what there is to say of it in edit->wrong. On a
 * terminal the user says what is to become of it; else, and as he likes, he edits again.
 */
static int ask_rebase(Edit *edit, const char *note)
{
        char *answer = NULL; /* of getline(): malloc()'s */
        size_t allocated = 0;
        char key = 'e';

        if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO)) {
                ctl_say_diagnostics(edit->wrong);
                fprintf(stderr,
                        "[e]dit it again, put [m]ine over theirs, or leave [t]heirs? [E/m/t] ");
                if (getline(&answer, &allocated, stdin) > 0)
                        key = g_ascii_tolower(*answer);
                free(answer);
        }
        if (key == 'm' || key == 't') {
                pt_diag_free(edit->wrong);
                edit->wrong = pt_diag_new();
                return key == 'm' ? CTL_DONE : CTL_REFUSED;
        }
        edit->note = g_strdup(note);
        return CTL_REFUSED;
}

/* Compares what the user began with to what is there now, which is what he sees next. */
static int check_conflicts(Edit *edit, const CtlTarget *session)
{
        g_autoptr(GString) note = g_string_new(NULL);
        g_autoptr(GPtrArray) now = NULL;
        int r;

        r = ctl_edit_read(edit, session, &now);
        if (r != CTL_DONE)
                return r;
        for (guint i = 0; i < edit->before->len; i++) {
                struct json_object *old = g_ptr_array_index(edit->before, i);
                const char *name = ctl_json_string(old, "metadata.name");
                struct json_object *new = find_object(now, name);

                if (!new || !json_object_equal(old, new))
                        note_conflict(edit, name, old, new, note);
        }
        if (edit->name && edit->before->len == 0 && now->len > 0)
                note_conflict(edit, edit->name, NULL, g_ptr_array_index(now, 0), note);
        if (pt_diag_count(edit->wrong) == 0)
                return CTL_DONE;
        g_ptr_array_unref(edit->before);
        edit->before = g_steal_pointer(&now);
        return ask_rebase(edit, note->str);
}

/* "FirewallRule/web#/spec/to" of a reply's diagnostics. */
static void add_diagnostic(PtDiagnostics *diag, struct json_object *row)
{
        const char *place = ctl_json_string(row, "place"), *pointer = g_strrstr(place, "#/");
        g_autofree char *subject =
                g_strndup(place, pointer ? (size_t) (pointer - place) : strlen(place));
        PtSeverity severity = pt_severity_from_string(ctl_json_string(row, "severity"));

        pt_diag_add_full(diag, severity < 0 ? PT_SEVERITY_NOTICE : severity, subject,
                         pointer ? pointer + 1 : "", ctl_json_string(row, "code"),
                         ctl_json_string(row, "text"));
}

/* What is wrong by a reply, with places in the text. */
static void take_diagnostics(Edit *edit, struct json_object *reply)
{
        struct json_object *rows = ctl_json_at(reply, "diagnostics");
        g_autoptr(PtDiagnostics) found = pt_diag_new();

        for (size_t i = 0; rows && i < json_object_array_length(rows); i++)
                add_diagnostic(found, json_object_array_get_idx(rows, i));
        pt_yaml_place(edit->path, edit->text, strlen(edit->text), found, edit->wrong);
}

static int load(Edit *edit, const CtlTarget *session)
{
        pt_auto_message *m = NULL;
        pt_auto_json *reply = NULL;
        pt_auto_fd int fd = -EBADF;
        int r;

        fd = pt_memfd_new_sealed("patronusctl-edit", edit->text, strlen(edit->text));
        if (fd < 0)
                return fd;
        r = ctl_method(edit->ctl, session, "Load", &m);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_append(m, "ha{sv}", fd, 1, "source", "s", edit->path);
        if (r < 0)
                return r;
        r = ctl_commit_ask(edit->ctl, m, NULL, CTL_COMMIT_DRY, &reply);
        if (r != CTL_DONE || json_object_get_boolean(ctl_json_at(reply, "accepted")))
                return r;
        take_diagnostics(edit, reply);
        return CTL_REFUSED;
}

static bool was_overtaken(struct json_object *reply)
{
        struct json_object *rows = ctl_json_at(reply, "diagnostics");

        for (size_t i = 0; rows && i < json_object_array_length(rows); i++)
                if (strcmp(ctl_json_string(json_object_array_get_idx(rows, i), "code"),
                           "conflict") == 0)
                        return true;
        return false;
}

/* CTL_REFUSED without entries in edit->wrong: somebody else was faster, so look again. */
static int commit(Edit *edit, const CtlTarget *session)
{
        unsigned flags = ctl_commit_flags(edit->ctl);
        pt_auto_message *m = NULL;
        pt_auto_json *reply = NULL;
        int r;

        r = ctl_method(edit->ctl, session, "Commit", &m);
        if (r != CTL_DONE)
                return r;
        r = ctl_commit_append(edit->ctl, NULL, flags, m);
        if (r < 0)
                return r;
        r = ctl_commit_ask(edit->ctl, m, NULL, flags, &reply);
        if (r != CTL_DONE)
                return r;
        if (json_object_get_boolean(ctl_json_at(reply, "accepted")))
                return ctl_commit_print(edit->ctl, reply, flags);
        if (!was_overtaken(reply))
                take_diagnostics(edit, reply);
        return CTL_REFUSED;
}

/* One session from its opening to its end; *ret_overtaken: nothing was wrong but the moment. */
static int attempt(Edit *edit, const GPtrArray *deleted, bool *ret_overtaken)
{
        g_autofree char *path = NULL;
        CtlTarget session;
        int r;

        r = ctl_open_session(edit->ctl, &path, &session);
        if (r != CTL_DONE)
                return r;
        r = check_conflicts(edit, &session);
        if (r == CTL_DONE)
                r = load(edit, &session);
        for (guint i = 0; i < deleted->len && r == CTL_DONE; i++)
                r = ctl_ask(edit->ctl, &session, "Delete", CTL_CALL_READS, NULL, "ss",
                            edit->kind->name, g_ptr_array_index(deleted, i));
        if (r == CTL_DONE) {
                r = commit(edit, &session);
                *ret_overtaken = r == CTL_REFUSED && pt_diag_count(edit->wrong) == 0;
        }
        (void) ctl_ask(edit->ctl, &session, "Close", CTL_CALL_QUIET, NULL, "");
        return r;
}

int ctl_edit_commit(Edit *edit)
{
        g_autoptr(GHashTable) found = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(GPtrArray) deleted = NULL;
        bool overtaken = true;
        int r = CTL_REFUSED;

        if (pt_yaml_read(edit->path, edit->text, strlen(edit->text), 0, edit->wrong, note_object,
                         found) < 0)
                return CTL_REFUSED;
        deleted = find_deleted(edit, found);
        if (!may_delete(edit, deleted))
                return CTL_REFUSED;
        for (unsigned i = 0; i < RACES_MAX && overtaken; i++) {
                overtaken = false;
                r = attempt(edit, deleted, &overtaken);
        }
        if (overtaken)
                pt_diag_error(edit->wrong, "conflict", NULL,
                              "others change the configuration all the time; save again to try "
                              "again");
        return r;
}
