/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

static const char **choice_names(const PtChoice *choices)
{
        GPtrArray *names = g_ptr_array_new();

        for (; choices->name; choices++)
                g_ptr_array_add(names, (gpointer) choices->name);
        g_ptr_array_add(names, NULL);
        return (const char **) g_ptr_array_free(names, FALSE);
}

static void enum_schema(const PtField *field, struct json_object *schema)
{
        struct json_object *words = json_object_new_array();

        for (const PtChoice *choice = field->choices; choice->name; choice++)
                json_object_array_add(words, json_object_new_string(choice->name));
        json_object_object_add(schema, "type", json_object_new_string("string"));
        json_object_object_add(schema, "enum", words);
}

static int enum_from_json(const PtField *field, struct json_object *json, const char *pointer,
                          PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);
        g_autofree const char **names = NULL;
        g_autofree char *hint = NULL;

        if (!text) {
                g_autofree char *all = NULL;

                names = choice_names(field->choices);
                all = g_strjoinv(", ", (char **) names);
                return pt_wrong_type(json, pointer, diag, "write one of %s", all);
        }
        for (const PtChoice *choice = field->choices; choice->name; choice++)
                if (strcmp(choice->name, text) == 0) {
                        *(int *) value = choice->value;
                        return 0;
                }
        names = choice_names(field->choices);
        hint = pt_suggestion(diag, text, names);
        pt_diag_error(diag, "unknown-value", pointer, "unknown value \"%s\"; %s", text, hint);
        return -EINVAL;
}

static struct json_object *enum_to_json(const PtField *field, const void *value)
{
        for (const PtChoice *choice = field->choices; choice->name; choice++)
                if (choice->value == *(const int *) value)
                        return json_object_new_string(choice->name);
        g_assert_not_reached(); /* only values of the table get into an object */
}

static int enum_compare(const void *a, const void *b)
{
        int x = *(const int *) a, y = *(const int *) b;

        return (x > y) - (x < y);
}

static void enum_complete(const PtField *field, GString *out)
{
        for (const PtChoice *choice = field->choices; choice->name; choice++)
                g_string_append_printf(out, "%s\n", choice->name);
}

const PtType pt_type_enum = {
        .name = "enum",
        .signature = "s",
        .size = sizeof(int),
        .syntax = "one of the words",
        .schema = enum_schema,
        .from_json = enum_from_json,
        .to_json = enum_to_json,
        .from_text = pt_text_from_text,
        .compare = enum_compare,
        .complete = enum_complete,
};
