/* SPDX-License-Identifier: GPL-3.0-or-later */

/* apply, plan, set, delete, revert: what makes a revision. */

#include "call.h"
#include "commit.h"
#include "input.h"
#include "kind/describe.h"
#include "kind/vardict.h"
#include "output.h"
#include "secret-input.h"
#include "secret/secret.h"
#include <string.h>

static int apply(Ctl *ctl, unsigned flags)
{
        pt_auto_message *m = NULL;
        g_auto(CtlInput) input = {.fd = -EBADF};
        int r;

        r = ctl_commit_refuse(ctl_input_open(ctl, &input));
        if (r != CTL_DONE)
                return r;
        r = ctl_method(ctl, &ctl_config, "Apply", &m);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_append(m, "h", input.fd);
        if (r >= 0)
                r = ctl_commit_append(ctl, &input, flags, m);
        return r < 0 ? r : ctl_commit_call(ctl, m, &input, flags);
}

int ctl_run_apply(Ctl *ctl)
{
        return apply(ctl, ctl_commit_flags(ctl));
}

int ctl_run_plan(Ctl *ctl)
{
        return apply(ctl, CTL_COMMIT_DRY | CTL_COMMIT_PLAN);
}

/*
 * Moves the paths of nulls ("destination.ports") out of a patch. The depth is that of the kind's
 * own table, which the patch was made by.
 */
static void take_unset(struct json_object *patch, const char *prefix, GPtrArray *paths)
{
        g_autoptr(GPtrArray) keys = g_ptr_array_new_with_free_func(g_free);

        json_object_object_foreach(patch, key, value)
        {
                g_autofree char *path = g_strconcat(prefix, key, NULL);

                if (!value) {
                        g_ptr_array_add(keys, g_strdup(key));
                        g_ptr_array_add(paths, g_steal_pointer(&path));
                } else if (json_object_is_type(value, json_type_object)) {
                        g_autofree char *inner = g_strconcat(path, ".", NULL);

                        take_unset(value, inner, paths);
                        if (json_object_object_length(value) == 0)
                                g_ptr_array_add(keys, g_strdup(key));
                }
        }
        for (unsigned i = 0; i < keys->len; i++)
                json_object_object_del(patch, g_ptr_array_index(keys, i));
}

#define METADATA "metadata."
#define LABELS METADATA "labels."

/* "metadata.description=text", "metadata.labels.team=web"; without a value it is unset. */
static int set_metadata(const char *assignment, struct json_object *metadata, GPtrArray *unset)
{
        const char *equals = strchr(assignment, '=');
        g_autofree char *path = g_strndup(assignment, equals ? (size_t) (equals - assignment) : 0);
        bool label = g_str_has_prefix(path, LABELS) && path[strlen(LABELS)];
        struct json_object *into = metadata;

        if (!label && strcmp(path, METADATA "description") != 0) {
                ctl_error("\"%s\": " METADATA "description=TEXT and " LABELS "KEY=VALUE can be set",
                          assignment);
                return CTL_USAGE;
        }
        if (!equals[1]) {
                g_ptr_array_add(unset, g_steal_pointer(&path));
                return CTL_DONE;
        }
        if (label && !json_object_object_get_ex(metadata, "labels", &into)) {
                into = json_object_new_object();
                json_object_object_add(metadata, "labels", into);
        }
        json_object_object_add(into, path + strlen(label ? LABELS : METADATA),
                               json_object_new_string(equals + 1));
        return CTL_DONE;
}

static int set_field(const PtKind *kind, const char *assignment, struct json_object *spec,
                     PtDiagnostics *diag)
{
        char *secret;
        int r = ctl_secret_assignment(kind, assignment, &secret);

        if (r != CTL_DONE)
                return r;
        (void) pt_fields_set_text(kind->fields, secret ?: assignment, diag, spec);
        if (secret)
                pt_wipe_free(secret, strlen(secret));
        return CTL_DONE;
}

/* Turns the assignments into a patch of the spec and one of the metadata. */
static int read_assignments(const Ctl *ctl, const PtKind *kind, const char *name,
                            struct json_object *spec, struct json_object *metadata,
                            GPtrArray *unset)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        int r = CTL_DONE;

        pt_diag_set_subject(diag, "%s/%s", kind->name, name);
        for (unsigned i = 1; i < ctl->arguments->len && r == CTL_DONE; i++) {
                const char *assignment = ctl_argument(ctl, i);

                if (g_str_has_prefix(assignment, METADATA))
                        r = set_metadata(assignment, metadata, unset);
                else if (!strchr(assignment, '=')) {
                        ctl_error("\"%s\" is not FIELD=VALUE; \"patronusctl explain %s\" lists the "
                                  "fields",
                                  assignment, kind->name);
                        r = CTL_USAGE;
                } else
                        r = set_field(kind, assignment, spec, diag);
        }
        ctl_say_diagnostics(diag);
        if (r == CTL_DONE && pt_diag_errors(diag) > 0)
                r = ctl_commit_refuse(CTL_REFUSED);
        return r;
}

static int session_set(Ctl *ctl, const CtlTarget *session, const PtKind *kind, const char *name,
                       struct json_object *spec, struct json_object *metadata)
{
        pt_auto_message *m = NULL;
        int r;

        r = ctl_method(ctl, session, "Set", &m);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_append(m, "ss", kind->name, name);
        if (r >= 0)
                r = pt_fields_append(kind->fields, spec, m);
        if (r >= 0)
                r = pt_vardict_append(metadata, m);
        return r < 0 ? r : ctl_commit_refuse(ctl_call(ctl, m, CTL_CALL_READS, NULL));
}

static int session_unset(Ctl *ctl, const CtlTarget *session, const PtKind *kind, const char *name,
                         GPtrArray *paths)
{
        pt_auto_message *m = NULL;
        int r;

        r = ctl_method(ctl, session, "Unset", &m);
        if (r != CTL_DONE)
                return r;
        g_ptr_array_add(paths, NULL);
        r = sd_bus_message_append(m, "ss", kind->name, name);
        if (r >= 0)
                r = sd_bus_message_append_strv(m, (char **) paths->pdata);
        return r < 0 ? r : ctl_commit_refuse(ctl_call(ctl, m, CTL_CALL_READS, NULL));
}

int ctl_run_set(Ctl *ctl)
{
        g_autoptr(GPtrArray) unset = g_ptr_array_new_with_free_func(g_free);
        pt_auto_json *spec = json_object_new_object(), *metadata = json_object_new_object();
        g_autofree char *path = NULL;
        const PtKind *kind;
        const char *name;
        CtlTarget session;
        int r;

        r = ctl_parse_object(ctl_argument(ctl, 0), &kind, &name);
        if (r != CTL_DONE)
                return r;
        r = read_assignments(ctl, kind, name, spec, metadata, unset);
        if (r != CTL_DONE)
                return r;
        take_unset(spec, "", unset);

        r = ctl_open_session(ctl, &path, &session);
        if (r == CTL_DONE &&
            (json_object_object_length(spec) > 0 || json_object_object_length(metadata) > 0))
                r = session_set(ctl, &session, kind, name, spec, metadata);
        if (r == CTL_DONE && unset->len > 0)
                r = session_unset(ctl, &session, kind, name, unset);
        return r != CTL_DONE ? r : ctl_commit_session(ctl, &session);
}

int ctl_run_delete(Ctl *ctl)
{
        g_autofree char *path = NULL;
        const PtKind *kind;
        const char *name;
        CtlTarget session;
        int r;

        for (unsigned i = 0; i < ctl->arguments->len; i++) {
                r = ctl_parse_object(ctl_argument(ctl, i), &kind, &name);
                if (r != CTL_DONE)
                        return r;
        }
        r = ctl_open_session(ctl, &path, &session);
        for (unsigned i = 0; i < ctl->arguments->len && r == CTL_DONE; i++) {
                r = ctl_parse_object(ctl_argument(ctl, i), &kind, &name);
                if (r == CTL_DONE)
                        r = ctl_commit_refuse(ctl_ask(ctl, &session, "Delete", CTL_CALL_READS, NULL,
                                                      "ss", kind->name, name));
        }
        return r != CTL_DONE ? r : ctl_commit_session(ctl, &session);
}

int ctl_run_revert(Ctl *ctl)
{
        pt_auto_message *m = NULL;
        unsigned flags = ctl_commit_flags(ctl);
        uint64_t revision;
        int r;

        r = ctl_parse_revision(ctl_argument(ctl, 0), &revision);
        if (r != CTL_DONE)
                return r;
        r = ctl_method(ctl, &ctl_config, "Revert", &m);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_append(m, "t", revision);
        if (r >= 0)
                r = ctl_commit_append(ctl, NULL, flags, m);
        return r < 0 ? r : ctl_commit_call(ctl, m, NULL, flags);
}
