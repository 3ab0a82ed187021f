/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "commit.h"

#include "call.h"
#include "confirm.h"
#include "message.h"
#include "origin.h"
#include "output.h"
#include "rows.h"
#include <inttypes.h>
#include <string.h>

static const struct {
        const char *op, *mark;
        CtlColour colour;
} ops[] = {
        {"create", "+", CTL_GREEN},
        {"update", "~", CTL_YELLOW},
        {"delete", "-", CTL_RED},
};

void ctl_print_change(const char *op, const char *kind, const char *name)
{
        for (size_t i = 0; i < G_N_ELEMENTS(ops); i++)
                if (strcmp(ops[i].op, op) == 0)
                        printf("%s%s%s %s/%s\n", ctl_colour(stdout, ops[i].colour), ops[i].mark,
                               ctl_colour(stdout, CTL_PLAIN), kind, name);
}

/* Rows of strings become objects: [["error", "Zone/lan", …]] → [{"severity": "error", …}]. */
static void name_members(struct json_object *reply, const char *key, const char *const *members)
{
        struct json_object *rows = ctl_json_at(reply, key), *named;

        if (!json_object_is_type(rows, json_type_array))
                return;
        named = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(rows); i++) {
                struct json_object *row = json_object_array_get_idx(rows, i);
                struct json_object *object = json_object_new_object();

                for (size_t j = 0; members[j]; j++)
                        json_object_object_add(object, members[j],
                                               json_object_get(json_object_array_get_idx(row, j)));
                json_object_array_add(named, object);
        }
        json_object_object_add(reply, key, named);
}

/* Places in a directory's stream become places in its files. */
static void place_diagnostics(struct json_object *reply, const CtlInput *input)
{
        struct json_object *rows = ctl_json_at(reply, "diagnostics");

        for (size_t i = 0; input && rows && i < json_object_array_length(rows); i++) {
                struct json_object *row = json_object_array_get_idx(rows, i);
                g_autofree char *place = ctl_input_place(input, ctl_json_string(row, "place"));

                json_object_object_add(row, "place", json_object_new_string(place));
        }
}

static void say_diagnostics(struct json_object *reply)
{
        struct json_object *rows = ctl_json_at(reply, "diagnostics");

        for (size_t i = 0; rows && i < json_object_array_length(rows); i++) {
                struct json_object *row = json_object_array_get_idx(rows, i);
                const char *place = ctl_json_string(row, "place"),
                           *pointer = g_strrstr(place, "#/");
                int subject = pointer ? (int) (pointer - place) : (int) strlen(place);
                PtSeverity severity = pt_severity_from_string(ctl_json_string(row, "severity"));

                ctl_say(severity < 0 ? PT_SEVERITY_NOTICE : severity, "%.*s%s%s%s%s", subject,
                        place, pointer && subject ? " " : "", pointer ? pointer + 1 : "",
                        *place ? ": " : "", ctl_json_string(row, "text"));
        }
}

static void print_changes(struct json_object *reply)
{
        struct json_object *rows = ctl_json_at(reply, "changes");
        size_t n = rows ? json_object_array_length(rows) : 0;
        uint64_t all = ctl_json_number(reply, "created") + ctl_json_number(reply, "updated") +
                       ctl_json_number(reply, "deleted");

        for (size_t i = 0; i < n; i++) {
                struct json_object *row = json_object_array_get_idx(rows, i);

                ctl_print_change(ctl_json_string(row, "op"), ctl_json_string(row, "kind"),
                                 ctl_json_string(row, "name"));
        }
        if (all > n)
                printf("and %" PRIu64 " more\n", all - n);
}

/* "12 ms", of an estimate in microseconds. */
static void add_estimate(struct json_object *plan, const char *member, const char *from)
{
        uint64_t usec = ctl_json_number(plan, from);
        g_autofree char *text = usec < 1000
                                        ? g_strdup("< 1 ms")
                                        : g_strdup_printf("%" PRIu64 " ms", (usec + 500) / 1000);

        json_object_object_add(plan, member, json_object_new_string(text));
}

static void print_daemons(struct json_object *plans)
{
        g_autoptr(CtlRows) rows = ctl_rows_new(CTL_TABLE);

        if (!plans || json_object_array_length(plans) == 0)
                return;
        ctl_rows_column(rows, "DAEMON", "daemon", 0);
        ctl_rows_column(rows, "STAGE", "stage", 0);
        ctl_rows_column(rows, "ENGINE", "engine", 0);
        ctl_rows_column(rows, "GUARANTEE", "guarantee", 0);
        ctl_rows_column(rows, "IMPACT", "impact", 0);
        ctl_rows_column(rows, "PREPARE", "prepare", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "COMMIT", "commit", CTL_COLUMN_RIGHT);
        for (size_t i = 0; i < json_object_array_length(plans); i++) {
                struct json_object *plan = json_object_array_get_idx(plans, i);

                add_estimate(plan, "prepare", "prepareUSec");
                add_estimate(plan, "commit", "commitUSec");
                ctl_rows_add(rows, plan);
        }
        ctl_rows_end(rows, NULL);
}

/* What it does to packets: the daemons' own words. */
static void print_difference(struct json_object *reply)
{
        struct json_object *lines = ctl_json_at(reply, "difference");
        size_t n = lines ? json_object_array_length(lines) : 0;

        if (n > 0)
                printf("difference:\n");
        for (size_t i = 0; i < n; i++) {
                struct json_object *line = json_object_array_get_idx(lines, i);
                g_autofree char *text = ctl_safe(ctl_json_string(line, "text"));

                printf("  %s\n", text);
        }
        if (json_object_get_boolean(ctl_json_at(reply, "differencePartial")))
                printf("  and more: it is too complex to be shown whole\n");
}

static void print_plan(struct json_object *reply)
{
        struct json_object *steps = ctl_json_at(reply, "steps");
        size_t n = steps ? json_object_array_length(steps) : 0;

        if (n > 0)
                printf("steps:\n");
        for (size_t i = 0; i < n; i++) {
                g_autofree char *step =
                        ctl_safe(json_object_get_string(json_object_array_get_idx(steps, i)));

                printf("  %s\n", step);
        }
        print_difference(reply);
        print_daemons(ctl_json_at(reply, "plans"));
        if (*ctl_json_string(reply, "impact"))
                printf("impact: %s\n", ctl_json_string(reply, "impact"));
        if (*ctl_json_string(reply, "guarantee"))
                printf("guarantee: %s\n", ctl_json_string(reply, "guarantee"));
}

/* "2 created, 1 updated" */
static char *counts(struct json_object *reply)
{
        static const char *const words[] = {"created", "updated", "deleted"};
        g_autoptr(GString) out = g_string_new(NULL);

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
                uint64_t n = ctl_json_number(reply, words[i]);

                if (n > 0)
                        g_string_append_printf(out, "%s%" PRIu64 " %s", out->len ? ", " : "", n,
                                               words[i]);
        }
        return g_strdup(out->str);
}

static void print_trial(struct json_object *reply, const char *n)
{
        uint64_t usec = ctl_json_number(reply, "confirmUSec");
        g_autofree char *why = ctl_safe(ctl_json_string(reply, "confirmWhy"));

        if (usec > 0)
                printf("confirmation: within %" PRIu64 " s: %s\n", usec / G_USEC_PER_SEC, why);
        else
                printf("confirmation: none%s%s\n", *why ? ": " : "", why);
        printf("nothing was changed: this was a trial (%s)\n", n);
}

static void print_outcome(struct json_object *reply, unsigned flags)
{
        g_autofree char *n = counts(reply);
        uint64_t revision = ctl_json_number(reply, "revision");
        uint64_t usec = ctl_json_number(reply, "timings.totalUSec");

        if (!json_object_get_boolean(ctl_json_at(reply, "changed"))) {
                if (revision > 0)
                        printf("nothing to do: revision %" PRIu64 " says this already\n", revision);
                else
                        printf("nothing to do: what is running says this already\n");
        } else if (flags & CTL_COMMIT_DRY)
                print_trial(reply, n);
        else
                printf("%srevision %" PRIu64 " is in force%s (%s%s%" PRIu64 " ms)\n",
                       ctl_colour(stdout, CTL_BOLD), revision, ctl_colour(stdout, CTL_PLAIN), n,
                       *n ? "; " : "", (usec + 500) / 1000);
}

/* The reply as JSON with names for everything, and places as the user knows them. */
static int read_reply(sd_bus_message *message, const CtlInput *input, struct json_object **ret)
{
        static const char *const diagnostic[] = {"severity", "place", "code", "text", NULL};
        static const char *const change[] = {"op", "kind", "name", NULL};
        int r = ctl_message_to_json(message, ret);

        if (r < 0)
                return r;
        name_members(*ret, "diagnostics", diagnostic);
        name_members(*ret, "changes", change);
        place_diagnostics(*ret, input);
        return 0;
}

/* CTL_DONE if the reply says accepted; else CTL_REFUSED. */
static int say_refusal(struct json_object *reply)
{
        say_diagnostics(reply);
        if (json_object_get_boolean(ctl_json_at(reply, "accepted")))
                return CTL_DONE;
        fprintf(stderr, "nothing was changed\n");
        return CTL_REFUSED;
}

unsigned ctl_commit_flags(const Ctl *ctl)
{
        return ctl->values[CTL_DRY_RUN] ? CTL_COMMIT_DRY | CTL_COMMIT_PLAN : 0;
}

/* What the change must not cut, and whether it must be confirmed. */
static int append_confirm(const Ctl *ctl, sd_bus_message *m)
{
        g_autofree char *connection = ctl_connection();
        int r = 0;

        if (connection)
                r = ctl_append_string(m, "connection", connection);
        if (r >= 0 && ctl_confirm_wish(ctl))
                r = ctl_append_string(m, "confirm", ctl_confirm_wish(ctl));
        return r;
}

int ctl_commit_append(const Ctl *ctl, const CtlInput *input, unsigned flags, sd_bus_message *m)
{
        int r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");

        if (r >= 0 && ctl->values[CTL_MESSAGE])
                r = ctl_append_string(m, "comment", ctl->values[CTL_MESSAGE]);
        if (r >= 0 && flags & CTL_COMMIT_DRY)
                r = ctl_append_true(m, "dryRun");
        if (r >= 0 && !(flags & CTL_COMMIT_LOAD))
                r = append_confirm(ctl, m);
        if (r >= 0 && !(flags & CTL_COMMIT_LOAD) && ctl->values[CTL_ALLOW_OFFLINE])
                r = ctl_append_true(m, "allowOffline");
        if (r >= 0 && !(flags & CTL_COMMIT_LOAD) && ctl->values[CTL_FORCE])
                r = ctl_append_true(m, "force");
        if (r >= 0 && input)
                r = ctl_append_string(m, "source", input->source);
        if (r >= 0 && ctl->values[CTL_SET])
                r = ctl_append_string(m, "set", ctl->values[CTL_SET]);
        if (r >= 0 && ctl->values[CTL_REPLACE])
                r = ctl_append_true(m, "replace");
        return r < 0 ? r : sd_bus_message_close_container(m);
}

int ctl_commit_ask(Ctl *ctl, sd_bus_message *m, const CtlInput *input, unsigned flags,
                   struct json_object **ret)
{
        pt_auto_message *message = NULL;
        int r;

        r = ctl_call(ctl, m, flags & CTL_COMMIT_DRY ? CTL_CALL_READS : CTL_CALL_COMMITS, &message);
        if (r != CTL_DONE)
                return r;
        r = read_reply(message, input, ret);
        return r < 0 ? r : CTL_DONE;
}

int ctl_commit_print(Ctl *ctl, struct json_object *reply, unsigned flags)
{
        bool people = ctl_format_is_table(ctl->format) || ctl->format == CTL_FORMAT_MAX;
        int r;

        if (!people)
                ctl_print_json(reply, ctl->format);
        else if (json_object_get_boolean(ctl_json_at(reply, "accepted"))) {
                print_changes(reply);
                if (flags & CTL_COMMIT_PLAN)
                        print_plan(reply);
        }
        fflush(stdout); /* before what standard error says about it */
        r = say_refusal(reply);
        if (r == CTL_DONE && people)
                print_outcome(reply, flags);
        if (r != CTL_DONE || flags & CTL_COMMIT_DRY)
                return r;
        fflush(stdout);
        return ctl_confirm_follow(ctl, reply);
}

int ctl_commit_call(Ctl *ctl, sd_bus_message *m, const CtlInput *input, unsigned flags)
{
        pt_auto_json *reply = NULL;
        int r;

        r = ctl_commit_ask(ctl, m, input, flags, &reply);
        return r != CTL_DONE ? r : ctl_commit_print(ctl, reply, flags);
}

int ctl_commit_refuse(int r)
{
        if (r == CTL_REFUSED)
                fprintf(stderr, "nothing was changed\n");
        return r;
}

int ctl_commit_session(Ctl *ctl, const CtlTarget *session)
{
        pt_auto_message *m = NULL;
        unsigned flags = ctl_commit_flags(ctl);
        int r;

        r = ctl_method(ctl, session, "Commit", &m);
        if (r != CTL_DONE)
                return r;
        r = ctl_commit_append(ctl, NULL, flags, m);
        return r < 0 ? r : ctl_commit_call(ctl, m, NULL, flags);
}

int ctl_commit_load(Ctl *ctl, sd_bus_message *m, const CtlInput *input)
{
        pt_auto_message *message = NULL;
        pt_auto_json *reply = NULL;
        int r;

        r = ctl_call(ctl, m, CTL_CALL_READS, &message);
        if (r != CTL_DONE)
                return r;
        r = read_reply(message, input, &reply);
        return r < 0 ? r : say_refusal(reply);
}

int ctl_session_load(Ctl *ctl, const CtlTarget *session, const CtlInput *input)
{
        pt_auto_message *m = NULL;
        int r;

        r = ctl_method(ctl, session, "Load", &m);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_append(m, "h", input->fd);
        if (r >= 0)
                r = ctl_commit_append(ctl, input, CTL_COMMIT_LOAD, m);
        return r < 0 ? r : ctl_commit_load(ctl, m, input);
}
