/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

static void bool_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        json_object_object_add(schema, "type", json_object_new_string("boolean"));
}

static int bool_from_json(const PtField *field, struct json_object *json, const char *pointer,
                          PtDiagnostics *diag, void *value)
{
        (void) field;
        if (!json_object_is_type(json, json_type_boolean))
                return pt_wrong_type(json, pointer, diag, "write true or false, without quotes");
        *(bool *) value = json_object_get_boolean(json);
        return 0;
}

static struct json_object *bool_to_json(const PtField *field, const void *value)
{
        (void) field;
        return json_object_new_boolean(*(const bool *) value);
}

static int bool_from_text(const PtField *field, const char *text, struct json_object **ret)
{
        (void) field;
        if (strcmp(text, "true") == 0)
                *ret = json_object_new_boolean(true);
        else if (strcmp(text, "false") == 0)
                *ret = json_object_new_boolean(false);
        else
                *ret = json_object_new_string(text);
        return 0;
}

static int bool_compare(const void *a, const void *b)
{
        return *(const bool *) a - *(const bool *) b;
}

static void bool_complete(const PtField *field, GString *out)
{
        (void) field;
        g_string_append(out, "true\nfalse\n");
}

const PtType pt_type_bool = {
        .name = "bool",
        .signature = "b",
        .size = sizeof(bool),
        .syntax = "true or false",
        .schema = bool_schema,
        .from_json = bool_from_json,
        .to_json = bool_to_json,
        .from_text = bool_from_text,
        .compare = bool_compare,
        .complete = bool_complete,
};
