/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "rows.h"

#include "output.h"
#include "table.h"
#include <string.h>

#define TEXT_MINIMUM 8 /* a cut text says something from here */
#define TEXT_WEIGHT 1

typedef struct Column {
        char *path;
        unsigned flags;
} Column;

struct CtlRows {
        CtlFormat format;
        GArray *columns; /* Column, as many as the table's */
        CtlTable *table;
        size_t n;
};

static void column_clear(void *data)
{
        g_free(((Column *) data)->path);
}

CtlRows *ctl_rows_new(CtlFormat format)
{
        CtlRows *rows = g_new0(CtlRows, 1);

        rows->format = format == CTL_FORMAT_MAX ? CTL_TABLE : format;
        rows->columns = g_array_new(FALSE, TRUE, sizeof(Column));
        g_array_set_clear_func(rows->columns, column_clear);
        rows->table = ctl_table_new();
        return rows;
}

void ctl_rows_free(CtlRows *rows)
{
        if (!rows)
                return;
        g_array_unref(rows->columns);
        ctl_table_free(rows->table);
        g_free(rows);
}

void ctl_rows_column_sized(CtlRows *rows, const char *heading, const char *path, unsigned flags,
                           unsigned minimum, unsigned weight)
{
        Column column = {g_strdup(path), flags};

        if (flags & CTL_COLUMN_WIDE && rows->format != CTL_WIDE) {
                g_free(column.path);
                return;
        }
        g_array_append_val(rows->columns, column);
        ctl_table_column(rows->table,
                         &(CtlTableColumn){
                                 .heading = heading,
                                 .flags = (flags & CTL_COLUMN_RIGHT ? CTL_TABLE_RIGHT : 0) |
                                          (flags & CTL_COLUMN_OPTIONAL ? CTL_TABLE_OPTIONAL : 0),
                                 .minimum = minimum,
                                 .weight = weight,
                         });
}

void ctl_rows_column(CtlRows *rows, const char *heading, const char *path, unsigned flags)
{
        bool whole = flags & (CTL_COLUMN_RIGHT | CTL_COLUMN_TIME | CTL_COLUMN_DIGEST);

        ctl_rows_column_sized(rows, heading, path, flags, whole ? 0 : TEXT_MINIMUM,
                              whole ? 0 : TEXT_WEIGHT);
}

static char *list_text(struct json_object *value)
{
        GString *out = g_string_new(NULL);

        for (size_t i = 0; i < json_object_array_length(value); i++) {
                g_autofree char *item =
                        ctl_safe(json_object_get_string(json_object_array_get_idx(value, i)));

                g_string_append_printf(out, "%s%s", i ? "," : "", item);
        }
        return g_string_free(out, FALSE);
}

/* "a=b,c=d": labels and the like. */
static char *dictionary_text(struct json_object *value)
{
        GString *out = g_string_new(NULL);

        json_object_object_foreach(value, key, member)
        {
                g_autofree char *name = ctl_safe(key), *text = NULL;

                text = ctl_safe(json_object_get_string(member));
                g_string_append_printf(out, "%s%s=%s", out->len ? "," : "", name, text);
        }
        return g_string_free(out, FALSE);
}

/* A cell's text, or NULL if the value is absent or empty. */
static char *cell_text(struct json_object *value, unsigned flags)
{
        g_autofree char *text = NULL;

        if (flags & CTL_COLUMN_TIME && json_object_is_type(value, json_type_int)) {
                g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(
                        (gint64) (json_object_get_uint64(value) / G_USEC_PER_SEC));

                return time ? g_date_time_format(time, "%Y-%m-%d %H:%M:%S") : NULL;
        }
        if (!value || json_object_is_type(value, json_type_null))
                return NULL;
        if (flags & CTL_COLUMN_DIGEST)
                text = g_strdup_printf("%.12s", json_object_get_string(value));
        else if (json_object_is_type(value, json_type_array))
                text = list_text(value);
        else if (json_object_is_type(value, json_type_object))
                text = dictionary_text(value);
        else
                text = ctl_safe(json_object_get_string(value));
        return *text ? g_steal_pointer(&text) : NULL;
}

void ctl_rows_add(CtlRows *rows, struct json_object *json)
{
        g_autoptr(GPtrArray) cells = NULL;

        rows->n++;
        if (!ctl_format_is_table(rows->format)) {
                ctl_print_json(json, rows->format);
                return;
        }
        cells = g_ptr_array_new_full(rows->columns->len, g_free);
        for (unsigned i = 0; i < rows->columns->len; i++) {
                const Column *column = &g_array_index(rows->columns, Column, i);

                g_ptr_array_add(cells, cell_text(ctl_json_at(json, column->path), column->flags));
        }
        ctl_table_add(rows->table, (const char *const *) cells->pdata);
}

void ctl_rows_end(CtlRows *rows, const char *empty)
{
        unsigned left_out;

        if (rows->n == 0 && empty)
                fprintf(stderr, "%s\n", empty);
        if (ctl_table_rows(rows->table) == 0)
                return;
        left_out = ctl_table_print(
                rows->table, rows->format == CTL_WIDE ? 0 : ctl_terminal_width(stdout), stdout);
        fflush(stdout);
        if (left_out > 0)
                fprintf(stderr, "%u more column%s: -o wide shows all\n", left_out,
                        left_out > 1 ? "s" : "");
}
