/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "changes.h"

#include "base/io.h"
#include "kind/describe.h"

static int collect(const PtObject *before, const PtObject *after, void *userdata)
{
        Changes *changes = userdata;
        ObjectChange change = {.before = before, .after = after};

        g_array_append_val(changes->list, change);
        if (!before)
                changes->created++;
        else if (!after)
                changes->deleted++;
        else
                changes->updated++;
        return 0;
}

static int rank(const ObjectChange *change)
{
        if (!change->before)
                return 0;
        return change->after ? 1 : 2;
}

static int compare(const void *a, const void *b)
{
        const ObjectChange *x = a, *y = b;

        if (rank(x) != rank(y))
                return rank(x) - rank(y);
        return pt_object_compare_identity(change_object(x), change_object(y));
}

Changes *changes_new(PtSlice *before, PtSlice *after)
{
        Changes *changes = g_new0(Changes, 1);

        changes->before = pt_slice_ref(before);
        changes->after = pt_slice_ref(after);
        changes->list = g_array_new(false, false, sizeof(ObjectChange));
        (void) pt_slice_compare(before, after, collect, changes);
        g_array_sort(changes->list, compare);
        return changes;
}

void changes_free(Changes *changes)
{
        if (!changes)
                return;
        g_array_unref(changes->list);
        pt_slice_unref(changes->before);
        pt_slice_unref(changes->after);
        g_free(changes);
}

const char *change_op(const ObjectChange *change)
{
        static const char *const ops[] = {"create", "update", "delete"};

        return ops[rank(change)];
}

char *changes_names(const Changes *changes, unsigned max)
{
        GString *text = g_string_new(NULL);
        guint n = changes->list->len;

        for (guint i = 0; i < n && i < max; i++) {
                const PtObject *object = change_object(changes_get(changes, i));

                g_string_append_printf(text, "%s%s/%s", i > 0 ? ", " : "", object->kind->name,
                                       object->name);
        }
        if (n > max)
                g_string_append_printf(text, " and %u more", n - max);
        return g_string_free(text, FALSE);
}

static void put_string(struct json_object *json, const char *key, const char *value)
{
        if (value)
                json_object_object_add(json, key, json_object_new_string(value));
}

static void format_one(const ObjectChange *change, GString *out)
{
        g_autoptr(GPtrArray) fields = pt_object_diff(change->before, change->after, false);
        pt_auto_json *json = json_object_new_object();
        struct json_object *array = json_object_new_array();
        const PtObject *object = change_object(change);

        put_string(json, "op", change_op(change));
        put_string(json, "kind", object->kind->name);
        put_string(json, "name", object->name);
        json_object_object_add(json, "fields", array);
        for (guint i = 0; i < fields->len; i++) {
                const PtChange *field = g_ptr_array_index(fields, i);
                struct json_object *item = json_object_new_object();

                put_string(item, "pointer", field->pointer);
                put_string(item, "before", field->before);
                put_string(item, "after", field->after);
                put_string(item, "impact", pt_impact_to_string(field->impact));
                json_object_array_add(array, item);
        }
        pt_json_to_canonical(json, out);
        g_string_append_c(out, '\n');
}

void changes_format(const Changes *changes, GString *out)
{
        for (guint i = 0; i < changes->list->len; i++)
                format_one(changes_get(changes, i), out);
}

int changes_reply(const Changes *changes, sd_bus_message *call)
{
        g_autoptr(GString) text = g_string_new(NULL);
        pt_auto_fd int fd = -EBADF;

        changes_format(changes, text);
        fd = pt_memfd_new_sealed("patronus-diff", text->str, text->len);
        if (fd < 0)
                return fd;
        return sd_bus_reply_method_return(call, "h", fd);
}
