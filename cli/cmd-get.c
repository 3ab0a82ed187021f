/* SPDX-License-Identifier: GPL-3.0-or-later */

/* get: the objects that are running, and the built-in ones. */

#include "objects.h"
#include "output.h"
#include <string.h>

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

/* The format that was asked for, or the one that fits. */
static CtlFormat format_or(const Ctl *ctl, CtlFormat fallback)
{
        return ctl->format == CTL_FORMAT_MAX ? fallback : ctl->format;
}

static void print_one(const Ctl *ctl, const PtKind *kind, struct json_object *object)
{
        g_autoptr(CtlRows) rows = object_rows(format_or(ctl, CTL_YAML), kind);

        ctl_rows_add(rows, object);
        ctl_rows_end(rows, NULL);
}

/* The running object; else the built-in one, which is alone looked for with --builtin. */
static int get_one(Ctl *ctl, const PtKind *kind, const char *name)
{
        pt_auto_json *builtin = ctl_builtin(kind, name), *object = NULL;
        int r;

        if (ctl->values[CTL_BUILTIN]) {
                if (builtin) {
                        print_one(ctl, kind, builtin);
                        return CTL_DONE;
                }
                ctl_error("no %s \"%s\" is built in; \"patronusctl get %s --builtin\" lists those "
                          "that are",
                          kind->name, name, kind->plural);
                return CTL_REFUSED;
        }
        r = ctl_get_object(ctl, &ctl_config, kind, name, builtin ? CTL_CALL_PROBES : CTL_CALL_READS,
                           &object);
        if (r == CTL_REFUSED && builtin)
                r = CTL_DONE;
        if (r == CTL_DONE)
                print_one(ctl, kind, object ?: builtin);
        return r;
}

/* The one object that there can be: absent, it is not wrong but all defaults. */
static int get_singleton(Ctl *ctl, const PtKind *kind)
{
        pt_auto_json *object = NULL;
        int r;

        r = ctl_get_object(ctl, &ctl_config, kind, CTL_SINGLETON, CTL_CALL_PROBES, &object);
        if (r == CTL_DONE)
                print_one(ctl, kind, object);
        if (r != CTL_REFUSED)
                return r;
        fprintf(stderr,
                "%s is not set: everything has its default (\"patronusctl explain %s\" says "
                "which)\n",
                kind->name, kind->name);
        return CTL_DONE;
}

static void add_row(struct json_object *object, void *userdata)
{
        ctl_rows_add(userdata, object);
}

static int get_builtins(const Ctl *ctl, const PtKind *kind)
{
        g_autoptr(CtlRows) rows = object_rows(format_or(ctl, CTL_TABLE), kind);
        g_autofree char *empty = g_strdup_printf("no %s is built in", kind->name);

        for (const PtBuiltin *builtin = kind->builtins; builtin && builtin->name; builtin++) {
                pt_auto_json *object = ctl_builtin(kind, builtin->name);

                ctl_rows_add(rows, object);
        }
        ctl_rows_end(rows, empty);
        return CTL_DONE;
}

static void put_json(void *json)
{
        json_object_put(json);
}

static void collect(struct json_object *object, void *userdata)
{
        g_ptr_array_add(userdata, json_object_get(object));
}

/* What the kind's order_field says; absent is its default. */
static int64_t order_value(struct json_object *object, const PtKind *kind)
{
        const PtField *field =
                kind->order_field ? pt_kind_find_field(kind, kind->order_field) : NULL;
        struct json_object *spec = ctl_json_at(object, "spec"),
                           *value = field ? ctl_json_at(spec, field->name) : NULL;

        if (!field)
                return 0;
        return value ? json_object_get_int64(value) : g_ascii_strtoll(field->def, NULL, 10);
}

/* The order in force: by the kind's field, the position, and, as they come, by name. */
static int compare_order(const void *a, const void *b, void *userdata)
{
        struct json_object *x = *(struct json_object *const *) a,
                           *y = *(struct json_object *const *) b;
        int64_t first = order_value(x, userdata), second = order_value(y, userdata);
        uint64_t before = ctl_json_number(x, "metadata.position"),
                 after = ctl_json_number(y, "metadata.position");

        if (first != second)
                return first < second ? -1 : 1;
        return (before > after) - (before < after);
}

/* For people, in the order that counts; for programs, which get each as it comes, by name. */
static int get_rows(Ctl *ctl, const PtKind *kind, CtlFormat format, CtlRows *rows)
{
        g_autoptr(GPtrArray) objects = g_ptr_array_new_with_free_func(put_json);
        int r;

        if (!kind->ordered || !ctl_format_is_table(format))
                return ctl_foreach_object(ctl, &ctl_config, kind, add_row, rows);
        r = ctl_foreach_object(ctl, &ctl_config, kind, collect, objects);
        if (r != CTL_DONE)
                return r;
        g_ptr_array_sort_with_data(objects, compare_order, (void *) kind);
        for (guint i = 0; i < objects->len; i++)
                ctl_rows_add(rows, g_ptr_array_index(objects, i));
        return CTL_DONE;
}

static int get_all(Ctl *ctl, const PtKind *kind)
{
        CtlFormat format = format_or(ctl, CTL_TABLE);
        g_autoptr(CtlRows) rows = object_rows(format, kind);
        g_autofree char *empty = NULL;
        int r;

        r = get_rows(ctl, kind, format, rows);
        if (r != CTL_DONE)
                return r;
        empty = kind->builtins ? g_strdup_printf("there is no %s of your own; \"patronusctl get %s "
                                                 "--builtin\" lists what is built in",
                                                 kind->name, kind->plural)
                               : g_strdup_printf("there is no %s", kind->name);
        ctl_rows_end(rows, empty);
        return CTL_DONE;
}

int ctl_run_get(Ctl *ctl)
{
        const char *what = ctl_argument(ctl, 0), *name;
        const PtKind *kind;
        int r;

        if (strchr(what, '/')) {
                r = ctl_parse_object(what, &kind, &name);
                return r != CTL_DONE ? r : get_one(ctl, kind, name);
        }
        kind = ctl_parse_kind(what);
        if (!kind)
                return CTL_USAGE;
        if (ctl->values[CTL_BUILTIN])
                return get_builtins(ctl, kind);
        return kind->singleton && !ctl_format_is_table(ctl->format) ? get_singleton(ctl, kind)
                                                                    : get_all(ctl, kind);
}
