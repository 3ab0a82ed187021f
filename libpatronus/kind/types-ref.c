/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

/*
 * A reference is a name; whether there is such an object is asked where all objects are known. Many
 * objects refer to a few: the names are GLib's interned strings, each kept once, which saves a
 * sixth of a firewall rule.
 */

static void ref_schema(const PtField *field, struct json_object *schema)
{
        pt_type_name.schema(field, schema);
        json_object_object_add(schema, "x-patronus-ref", json_object_new_string(field->ref));
}

static int ref_from_json(const PtField *field, struct json_object *json, const char *pointer,
                         PtDiagnostics *diag, void *value)
{
        g_autofree char *name = NULL;
        int r;

        r = pt_type_name.from_json(field, json, pointer, diag, &name);
        if (r < 0)
                return r;
        *(char **) value = g_ref_string_new_intern(name);
        return 0;
}

static void ref_copy(const PtField *field, void *to, const void *from)
{
        (void) field;
        *(char **) to = g_ref_string_acquire(*(char *const *) from);
}

static void ref_done(const PtField *field, void *value)
{
        (void) field;
        g_clear_pointer((char **) value, g_ref_string_release);
}

/* Names of objects are the server's to add; here are only those that need no object. */
static void ref_complete(const PtField *field, GString *out)
{
        const PtKind *kind = pt_kind_find(field->ref);

        if (!kind || !kind->reserved_names)
                return;
        for (const char *const *name = kind->reserved_names; *name; name++)
                g_string_append_printf(out, "%s\n", *name);
}

const PtType pt_type_ref = {
        .name = "reference",
        .signature = "s",
        .size = sizeof(char *),
        .syntax = "the name of an object",
        .schema = ref_schema,
        .from_json = ref_from_json,
        .to_json = pt_text_to_json,
        .from_text = pt_text_from_text,
        .compare = pt_text_compare,
        .copy = ref_copy,
        .done = ref_done,
        .complete = ref_complete,
};
