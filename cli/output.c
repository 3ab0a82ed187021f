/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "output.h"

#include "kind/yaml.h"
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const char *const escapes[CTL_COLOUR_MAX] = {
        [CTL_PLAIN] = "\033[0m",  [CTL_BOLD] = "\033[1m",    [CTL_RED] = "\033[31m",
        [CTL_GREEN] = "\033[32m", [CTL_YELLOW] = "\033[33m",
};

const char *ctl_colour(FILE *stream, CtlColour colour)
{
        const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");

        /* https://no-color.org: set and not empty */
        if (!isatty(fileno(stream)) || (no_color && *no_color) || !term ||
            strcmp(term, "dumb") == 0)
                return "";
        return escapes[colour];
}

char *ctl_safe(const char *text)
{
        g_autofree char *valid = g_utf8_make_valid(text, -1);
        GString *out = g_string_sized_new(strlen(valid));

        for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
                gunichar c = g_utf8_get_char(p);

                if (g_unichar_iscntrl(c))
                        g_string_append_c(out, '?');
                else
                        g_string_append_unichar(out, c);
        }
        return g_string_free(out, FALSE);
}

void ctl_say(PtSeverity severity, const char *format, ...)
{
        CtlColour colour = severity == PT_SEVERITY_ERROR     ? CTL_RED
                           : severity == PT_SEVERITY_WARNING ? CTL_YELLOW
                                                             : CTL_BOLD;
        g_autofree char *text = NULL, *safe = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        safe = ctl_safe(text);
        fprintf(stderr, "%s%s:%s %s\n", ctl_colour(stderr, colour), pt_severity_to_string(severity),
                ctl_colour(stderr, CTL_PLAIN), safe);
}

void ctl_say_diagnostics(const PtDiagnostics *diag)
{
        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *d = pt_diag_get(diag, i);
                bool subject = *d->subject, pointer = *d->pointer;

                ctl_say(d->severity, "%s%s%s%s%s", d->subject, subject && pointer ? " " : "",
                        d->pointer, subject || pointer ? ": " : "", d->text);
        }
        if (pt_diag_dropped(diag) > 0)
                ctl_say(PT_SEVERITY_NOTICE, "%zu more messages are not shown",
                        pt_diag_dropped(diag));
}

struct json_object *ctl_json_at(struct json_object *json, const char *path)
{
        g_auto(GStrv) steps = g_strsplit(path, ".", -1);

        for (char **step = steps; *step && json; step++) {
                if (!json_object_is_type(json, json_type_object))
                        return NULL;
                json = json_object_object_get(json, *step);
        }
        return json;
}

const char *ctl_json_string(struct json_object *json, const char *path)
{
        struct json_object *value = ctl_json_at(json, path);

        return json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
}

uint64_t ctl_json_number(struct json_object *json, const char *path)
{
        struct json_object *value = ctl_json_at(json, path);

        return json_object_is_type(value, json_type_int) ? json_object_get_uint64(value) : 0;
}

void ctl_print_json(struct json_object *json, CtlFormat format)
{
        if (format == CTL_YAML) {
                g_autoptr(GString) out = g_string_new("---\n");

                pt_json_to_yaml(json, out);
                fputs(out->str, stdout);
        } else {
                puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN |
                                                                  JSON_C_TO_STRING_NOSLASHESCAPE));
        }
}

typedef struct Column {
        char *heading;
        char *path;
        unsigned flags;
        size_t width; /* of the widest cell, in characters */
} Column;

struct CtlRows {
        CtlFormat format;
        GArray *columns; /* Column */
        GPtrArray *rows; /* char **, as many as columns; NULL in a cell: absent */
        size_t n;
};

static void column_clear(void *data)
{
        Column *column = data;

        g_free(column->heading);
        g_free(column->path);
}

static void cells_free(void *data)
{
        g_ptr_array_unref(data);
}

CtlRows *ctl_rows_new(CtlFormat format)
{
        CtlRows *rows = g_new0(CtlRows, 1);

        rows->format = format;
        rows->columns = g_array_new(FALSE, TRUE, sizeof(Column));
        g_array_set_clear_func(rows->columns, column_clear);
        rows->rows = g_ptr_array_new_with_free_func(cells_free);
        return rows;
}

void ctl_rows_free(CtlRows *rows)
{
        if (!rows)
                return;
        g_array_unref(rows->columns);
        g_ptr_array_unref(rows->rows);
        g_free(rows);
}

void ctl_rows_column(CtlRows *rows, const char *heading, const char *path, unsigned flags)
{
        Column column = {g_strdup(heading), g_strdup(path), flags, 0};

        g_array_append_val(rows->columns, column);
}

/* A cell's text, or NULL if the value is absent or empty. */
static char *cell_text(struct json_object *value, unsigned flags)
{
        if (flags & CTL_COLUMN_TIME && json_object_is_type(value, json_type_int)) {
                g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(
                        (gint64) (json_object_get_uint64(value) / G_USEC_PER_SEC));

                return time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : NULL;
        }
        if (json_object_is_type(value, json_type_array)) {
                g_autoptr(GString) out = g_string_new(NULL);

                for (size_t i = 0; i < json_object_array_length(value); i++) {
                        g_autofree char *item = ctl_safe(
                                json_object_get_string(json_object_array_get_idx(value, i)));

                        g_string_append_printf(out, "%s%s", i ? "," : "", item);
                }
                return out->len ? g_strdup(out->str) : NULL;
        }
        if (!value || json_object_is_type(value, json_type_null))
                return NULL;
        if (flags & CTL_COLUMN_DIGEST)
                return g_strdup_printf("%.12s", json_object_get_string(value));

        const char *text = json_object_is_type(value, json_type_object)
                                   ? json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN)
                                   : json_object_get_string(value);
        return *text ? ctl_safe(text) : NULL;
}

void ctl_rows_add(CtlRows *rows, struct json_object *json)
{
        g_autoptr(GPtrArray) cells = NULL;

        rows->n++;
        if (rows->format != CTL_TABLE) {
                ctl_print_json(json, rows->format);
                return;
        }

        cells = g_ptr_array_new_full(rows->columns->len, g_free);
        for (unsigned i = 0; i < rows->columns->len; i++) {
                Column *column = &g_array_index(rows->columns, Column, i);
                char *text = cell_text(ctl_json_at(json, column->path), column->flags);

                if (text)
                        column->width = MAX(column->width, (size_t) g_utf8_strlen(text, -1));
                g_ptr_array_add(cells, text);
        }
        g_ptr_array_add(rows->rows, g_steal_pointer(&cells));
}

/* Prints one line; `cells` NULL: the headings. */
static void print_line(const CtlRows *rows, const GPtrArray *cells)
{
        g_autoptr(GString) line = g_string_new(NULL);
        size_t end = 0;

        for (unsigned i = 0; i < rows->columns->len; i++) {
                const Column *column = &g_array_index(rows->columns, Column, i);
                const char *text = cells ? g_ptr_array_index(cells, i) : column->heading;
                size_t width = MAX(column->width, strlen(column->heading)), length, pad;

                if (column->flags & CTL_COLUMN_OPTIONAL && column->width == 0)
                        continue;
                text = text ?: "-";
                length = (size_t) g_utf8_strlen(text, -1);
                pad = width > length ? width - length : 0;
                if (line->len > 0)
                        g_string_append(line, "  ");
                if (column->flags & CTL_COLUMN_RIGHT)
                        g_string_append_printf(line, "%*s", (int) pad, "");
                g_string_append(line, text);
                end = line->len;
                if (!(column->flags & CTL_COLUMN_RIGHT))
                        g_string_append_printf(line, "%*s", (int) pad, "");
        }
        g_string_truncate(line, end); /* no white space at the end of lines */
        printf("%s%s%s\n", cells ? "" : ctl_colour(stdout, CTL_BOLD), line->str,
               cells ? "" : ctl_colour(stdout, CTL_PLAIN));
}

void ctl_rows_end(CtlRows *rows, const char *empty)
{
        if (rows->n == 0 && empty)
                fprintf(stderr, "%s\n", empty);
        if (rows->rows->len == 0)
                return;
        print_line(rows, NULL);
        for (unsigned i = 0; i < rows->rows->len; i++)
                print_line(rows, g_ptr_array_index(rows->rows, i));
}
