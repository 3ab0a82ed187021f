/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include "base/text.h"
#include <string.h>

#define NAME_PATTERN "^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"

static void name_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, NAME_PATTERN);
}

static int name_from_json(const PtField *field, struct json_object *json, const char *pointer,
                          PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);

        (void) field;
        if (!text)
                return pt_wrong_type(json, pointer, diag,
                                     "write a name, in quotes if it looks like a number");
        if (!pt_name_is_valid(text)) {
                pt_diag_error(diag, "invalid-name", pointer,
                              "\"%s\" is not a name: 1 to %d of a-z 0-9 . _ -, first and last a "
                              "letter or digit",
                              text, PT_NAME_MAX);
                return -EINVAL;
        }
        *(char **) value = g_strdup(text);
        return 0;
}

const PtType pt_type_name = {
        .name = "name",
        .signature = "s",
        .size = sizeof(char *),
        .syntax = "lower-case letters, digits, \".\", \"_\" and \"-\"",
        .schema = name_schema,
        .from_json = name_from_json,
        .to_json = pt_text_to_json,
        .from_text = pt_text_from_text,
        .compare = pt_text_compare,
        .copy = pt_text_copy,
        .done = pt_text_done,
};
