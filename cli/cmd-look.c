/* SPDX-License-Identifier: GPL-3.0-or-later */

/* get, export, history: what there is. */

#include "call.h"
#include "kind/vardict.h"
#include "message.h"
#include "output.h"
#include <errno.h>
#include <string.h>

#define PAGE 1000        /* the most configd gives in one reply */
#define HISTORY_LIMIT 20 /* a screen */
#define COPY_SIZE (64 * 1024)

/* A column for each field of the tables; what no object has is left out, and what is for experts
 * unless all is asked for. */
static void add_field_columns(const PtField *fields, const char *path, const char *heading,
                              CtlRows *rows)
{
        for (const PtField *field = fields; field->name; field++) {
                g_autofree char *below = g_strconcat(path, ".", field->name, NULL);
                g_autofree char *upper = g_ascii_strup(field->name, -1);
                g_autofree char *title =
                        *heading ? g_strconcat(heading, ".", upper, NULL) : g_steal_pointer(&upper);

                if (field->fields && !(field->flags & PT_F_LIST))
                        add_field_columns(field->fields, below, title,
                                          rows); /* as deep as the tables */
                else
                        ctl_rows_column(
                                rows, title, below,
                                CTL_COLUMN_OPTIONAL |
                                        (field->flags & PT_F_ADVANCED ? CTL_COLUMN_WIDE : 0));
        }
}

static CtlRows *object_rows(CtlFormat format, const PtKind *kind)
{
        CtlRows *rows = ctl_rows_new(format);

        /* The name is what one goes on with: it gets twice the room of other texts. */
        ctl_rows_column_sized(rows, "NAME", "metadata.name", 0, 16, 2);
        add_field_columns(kind->fields, "spec", "", rows);
        ctl_rows_column(rows, "DESCRIPTION", "metadata.description", CTL_COLUMN_OPTIONAL);
        ctl_rows_column(rows, "POSITION", "metadata.position",
                        CTL_COLUMN_OPTIONAL | CTL_COLUMN_RIGHT | CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "LABELS", "metadata.labels", CTL_COLUMN_OPTIONAL | CTL_COLUMN_WIDE);
        return rows;
}

/* One {sv} of an object. The bus has ports and the like as text; the table knows that 22 is a
 * number. */
static int read_member(sd_bus_message *m, const PtKind *kind, struct json_object *object)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        struct json_object *value = NULL;
        const char *key;
        int r;

        r = sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &key);
        if (r < 0)
                return r;
        if (strcmp(key, "spec") != 0)
                r = ctl_message_to_json(m, &value);
        else if ((r = sd_bus_message_enter_container(m, SD_BUS_TYPE_VARIANT, "a{sv}")) >= 0 &&
                 (r = pt_fields_read(kind->fields, m, diag, &value)) >= 0)
                r = sd_bus_message_exit_container(m);
        ctl_say_diagnostics(diag);
        if (value)
                json_object_object_add(object, key, value);
        return r;
}

/* An object as JSON: what apply takes. */
static int read_object(sd_bus_message *m, const PtKind *kind, struct json_object **ret)
{
        pt_auto_json *object = json_object_new_object();
        int r = sd_bus_message_enter_container(m, SD_BUS_TYPE_ARRAY, "{sv}");

        while (r >= 0 &&
               (r = sd_bus_message_enter_container(m, SD_BUS_TYPE_DICT_ENTRY, "sv")) > 0) {
                r = read_member(m, kind, object);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(m);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&object);
        return 0;
}

static int get_one(Ctl *ctl, const PtKind *kind, const char *name)
{
        pt_auto_message *reply = NULL;
        g_autoptr(CtlRows) rows = NULL;
        pt_auto_json *object = NULL;
        int r;

        r = ctl_ask(ctl, &ctl_config, "Get", CTL_CALL_READS, &reply, "ss", kind->name, name);
        if (r != CTL_DONE)
                return r;
        r = read_object(reply, kind, &object);
        if (r < 0)
                return r;
        rows = object_rows(ctl->format == CTL_FORMAT_MAX ? CTL_YAML : ctl->format, kind);
        ctl_rows_add(rows, object);
        ctl_rows_end(rows, NULL);
        return CTL_DONE;
}

/* One page of a List; *next is where the following begins, "" at the end. */
static int get_page(Ctl *ctl, const PtKind *kind, char **next, CtlRows *rows)
{
        pt_auto_message *reply = NULL;
        const char *after;
        int r;

        r = ctl_ask(ctl, &ctl_config, "List", CTL_CALL_READS, &reply, "sa{sv}", kind->name, 2,
                    "after", "s", *next, "limit", "u", (uint32_t) PAGE);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "a{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_at_end(reply, false)) == 0) {
                pt_auto_json *object = NULL;

                r = read_object(reply, kind, &object);
                if (r < 0)
                        return r;
                ctl_rows_add(rows, object);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &after);
        if (r < 0)
                return r;
        g_free(*next);
        *next = g_strdup(after);
        return CTL_DONE;
}

int ctl_run_get(Ctl *ctl)
{
        const char *what = ctl_argument(ctl, 0), *name;
        g_autofree char *next = g_strdup(""), *empty = NULL;
        g_autoptr(CtlRows) rows = NULL;
        const PtKind *kind;
        int r;

        if (strchr(what, '/')) {
                r = ctl_parse_object(what, &kind, &name);
                return r != CTL_DONE ? r : get_one(ctl, kind, name);
        }
        kind = ctl_parse_kind(what);
        if (!kind)
                return CTL_USAGE;

        rows = object_rows(ctl->format == CTL_FORMAT_MAX ? CTL_TABLE : ctl->format, kind);
        do {
                r = get_page(ctl, kind, &next, rows);
                if (r != CTL_DONE)
                        return r;
        } while (*next);
        empty = g_strdup_printf("there is no %s", kind->name);
        ctl_rows_end(rows, empty);
        return CTL_DONE;
}

/* The kinds' names by the table, or NULL after a message. */
static char **parse_kinds(const char *text)
{
        g_auto(GStrv) kinds = g_strsplit(text, ",", -1);

        for (char **name = kinds; *name; name++) {
                const PtKind *kind = ctl_parse_kind(*name);

                if (!kind)
                        return NULL;
                g_free(*name);
                *name = g_strdup(kind->name);
        }
        return g_steal_pointer(&kinds);
}

static int append_export(const Ctl *ctl, uint64_t revision, char **kinds, sd_bus_message *m)
{
        int r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");

        if (r >= 0)
                r = ctl_append_string(m, "format", ctl->format == CTL_JSON ? "json" : "yaml");
        if (r >= 0 && revision > 0)
                r = ctl_append_number(m, "revision", SD_BUS_TYPE_UINT64, revision);
        if (r >= 0 && kinds)
                r = ctl_append_strings(m, "kinds", kinds);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int copy_to_stdout(int fd)
{
        g_autofree char *buffer = g_malloc(COPY_SIZE);
        ssize_t n;

        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        while ((n = read(fd, buffer, COPY_SIZE)) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                fwrite(buffer, 1, (size_t) n, stdout); /* main() looks at ferror() */
        }
        return CTL_DONE;
}

int ctl_run_export(Ctl *ctl)
{
        pt_auto_message *m = NULL, *reply = NULL;
        g_auto(GStrv) kinds = NULL;
        uint64_t revision = 0;
        int fd, r;

        if (ctl_format_is_table(ctl->format)) {
                ctl_error("export prints yaml or json; \"patronusctl get KIND\" prints tables");
                return CTL_USAGE;
        }
        if (ctl->values[CTL_KIND] && !(kinds = parse_kinds(ctl->values[CTL_KIND])))
                return CTL_USAGE;
        if (ctl->values[CTL_REVISION]) {
                r = ctl_parse_revision(ctl->values[CTL_REVISION], &revision);
                if (r != CTL_DONE)
                        return r;
        }
        r = ctl_method(ctl, &ctl_config, "Export", &m);
        if (r != CTL_DONE)
                return r;
        r = append_export(ctl, revision, kinds, m);
        if (r < 0)
                return r;
        r = ctl_call(ctl, m, CTL_CALL_READS, &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "h", &fd);
        return r < 0 ? r : copy_to_stdout(fd);
}

/* Revisions before `*before` (0: from the newest), at most `limit`; both count down. */
static int history_page(Ctl *ctl, uint64_t *before, uint64_t *limit, CtlRows *rows)
{
        pt_auto_message *m = NULL, *reply = NULL;
        uint64_t page = MIN(*limit, PAGE), n = 0;
        int r;

        r = ctl_method(ctl, &ctl_config, "ListRevisions", &m);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r >= 0 && *before > 0)
                r = ctl_append_number(m, "before", SD_BUS_TYPE_UINT64, *before);
        if (r >= 0)
                r = ctl_append_number(m, "limit", SD_BUS_TYPE_UINT32, page);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r < 0)
                return r;
        r = ctl_call(ctl, m, CTL_CALL_READS, &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "a{sv}");
        if (r < 0)
                return r;
        while ((r = sd_bus_message_at_end(reply, false)) == 0) {
                pt_auto_json *revision = NULL;

                r = ctl_message_to_json(reply, &revision);
                if (r < 0)
                        return r;
                *before = ctl_json_number(revision, "number");
                ctl_rows_add(rows, revision);
                n++;
        }
        *limit = n < page ? 0 : *limit - n;
        return r < 0 ? r : CTL_DONE;
}

int ctl_run_history(Ctl *ctl)
{
        g_autoptr(CtlRows) rows = NULL;
        uint64_t before = 0, limit = HISTORY_LIMIT;
        int r;

        if (ctl->values[CTL_LIMIT] &&
            (ctl_parse_number(ctl->values[CTL_LIMIT], INT32_MAX, &limit) < 0 || limit == 0)) {
                ctl_error("--limit is a number from 1, not \"%s\"", ctl->values[CTL_LIMIT]);
                return CTL_USAGE;
        }
        rows = ctl_rows_new(ctl->format == CTL_FORMAT_MAX ? CTL_TABLE : ctl->format);
        ctl_rows_column(rows, "REVISION", "number", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "TIME", "timeUSec", CTL_COLUMN_TIME);
        ctl_rows_column(rows, "AUTHOR", "author", 0);
        ctl_rows_column(rows, "STATE", "state", 0);
        ctl_rows_column(rows, "ROOT", "root", CTL_COLUMN_DIGEST);
        ctl_rows_column(rows, "COMMENT", "comment", CTL_COLUMN_OPTIONAL);
        while (limit > 0) {
                r = history_page(ctl, &before, &limit, rows);
                if (r != CTL_DONE)
                        return r;
        }
        ctl_rows_end(rows, "there is no revision yet");
        return CTL_DONE;
}
