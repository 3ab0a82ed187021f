/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

#define STRING_MAX 1024 /* bytes, where the row says nothing: a sentence or two for people */

int pt_text_compare(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

void pt_text_copy(const PtField *field, void *to, const void *from)
{
        (void) field;
        *(char **) to = g_strdup(*(char *const *) from);
}

void pt_text_done(const PtField *field, void *value)
{
        (void) field;
        g_clear_pointer((char **) value, g_free);
}

struct json_object *pt_text_to_json(const PtField *field, const void *value)
{
        (void) field;
        return json_object_new_string(*(char *const *) value);
}

int pt_text_from_text(const PtField *field, const char *text, struct json_object **ret)
{
        (void) field;
        *ret = json_object_new_string(text);
        return 0;
}

static int64_t string_max(const PtField *field)
{
        return field->max ? field->max : STRING_MAX;
}

static void string_schema(const PtField *field, struct json_object *schema)
{
        pt_schema_text(schema, NULL);
        if (field->min)
                json_object_object_add(schema, "minLength", json_object_new_int64(field->min));
        json_object_object_add(schema, "maxLength", json_object_new_int64(string_max(field)));
}

static int string_from_json(const PtField *field, struct json_object *json, const char *pointer,
                            PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);
        int64_t size;

        if (!text)
                return pt_wrong_type(json, pointer, diag, "write a string%s",
                                     json_object_is_type(json, json_type_string)
                                             ? " without NUL"
                                             : ", in quotes if it looks like something else");
        size = (int64_t) strlen(text);
        if (size < field->min || size > string_max(field)) {
                pt_diag_error(diag, "out-of-range", pointer,
                              "%" PRId64 " bytes are out of range %" PRId64 "-%" PRId64, size,
                              field->min, string_max(field));
                return -ERANGE;
        }
        /* Control characters have no place in what is shown on terminals and in logs. */
        for (const char *c = text; *c; c++)
                if (g_ascii_iscntrl(*c)) {
                        pt_diag_error(diag, "invalid", pointer,
                                      "a control character (0x%02x) at byte %td; leave it out",
                                      (unsigned char) *c, c - text);
                        return -EINVAL;
                }
        *(char **) value = g_strdup(text);
        return 0;
}

const PtType pt_type_string = {
        .name = "string",
        .signature = "s",
        .size = sizeof(char *),
        .syntax = "text",
        .schema = string_schema,
        .from_json = string_from_json,
        .to_json = pt_text_to_json,
        .from_text = pt_text_from_text,
        .compare = pt_text_compare,
        .copy = pt_text_copy,
        .done = pt_text_done,
};
