/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/describe.h"

#include "kind/field.h"
#include "kind/yaml.h"
#include <string.h>

/* Quotes, as YAML and our own examples have them around a word of a list. */
static char *unquote(char *word)
{
        size_t size = strlen(word);

        if (size < 2 || word[0] != '"' || word[size - 1] != '"')
                return word;
        word[size - 1] = '\0';
        return word + 1;
}

/* The JSON of a list's text: "80,443" or "[80, 443]". */
static struct json_object *list_from_text(const PtField *field, const char *text)
{
        struct json_object *array = json_object_new_array();
        size_t size = strlen(text);
        bool brackets = size >= 2 && text[0] == '[' && text[size - 1] == ']';
        g_autofree char *inside = g_strndup(text + brackets, size - 2 * brackets);
        g_auto(GStrv) words = g_strsplit(inside, ",", PT_LIST_MAX + 2); /* one more is refused */

        for (char **word = words; *word; word++) {
                struct json_object *item = NULL;

                field->type->from_text(field, unquote(g_strstrip(*word)), &item);
                json_object_array_add(array, item);
        }
        return array;
}

/* The JSON of a list of structs, as YAML has it in one line: "[{a: 1}, {a: 2}]", or "{a: 1}". */
static int structs_from_text(const PtField *field, const char *text, PtDiagnostics *diag,
                             struct json_object **ret)
{
        pt_auto_json *json = NULL;
        int r = pt_yaml_parse(field->name, text, strlen(text), diag, &json);

        if (r < 0)
                return r;
        if (json_object_is_type(json, json_type_object)) {
                *ret = json_object_new_array();
                json_object_array_add(*ret, g_steal_pointer(&json));
        } else {
                *ret = g_steal_pointer(&json);
        }
        return 0;
}

/* Reads the JSON as the field would, for what it says about it. */
static int check_value(const PtField *field, struct json_object *json, const char *pointer,
                       PtDiagnostics *diag)
{
        g_autofree void *value = NULL;
        PtList list = {};
        int r;

        if (field->flags & PT_F_LIST) {
                r = pt_list_from_json(field, json, pointer, diag, &list);
                if (r == 0)
                        pt_list_done(field, &list);
                return r;
        }
        value = g_malloc0(field->type->size);
        r = field->type->from_json(field, json, pointer, diag, value);
        if (r == 0 && field->type->done)
                field->type->done(field, value);
        return r;
}

static int value_from_text(const PtField *field, const char *text, const char *pointer,
                           PtDiagnostics *diag, struct json_object **ret)
{
        pt_auto_json *json = NULL;
        int r;

        if (!*text) {
                *ret = NULL;
                return 0;
        }
        if (pt_field_nested(field)) {
                pt_diag_error(diag, "wrong-type", pointer,
                              "\"%s\" has fields of its own; set one of them: %s.%s=...",
                              field->name, field->name, field->fields->name);
                return -EINVAL;
        }
        if (pt_field_items(field)) {
                r = structs_from_text(field, text, diag, &json);
                if (r < 0)
                        return r;
        } else if (field->flags & PT_F_LIST) {
                json = list_from_text(field, text);
        } else {
                r = field->type->from_text(field, text, &json);
                if (r < 0)
                        return r;
        }
        r = check_value(field, json, pointer, diag);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&json);
        return 0;
}

/* The member `name` as an object, made if it is something else. */
static struct json_object *enter_object(struct json_object *json, const char *name)
{
        struct json_object *member = json_object_object_get(json, name);

        if (!json_object_is_type(member, json_type_object)) {
                member = json_object_new_object();
                json_object_object_add(json, name, member);
        }
        return member;
}

int pt_fields_set_text(const PtField *fields, const char *assignment, PtDiagnostics *diag,
                       struct json_object *json)
{
        const char *equals = strchr(assignment, '=');
        g_autofree char *path = g_strndup(assignment, equals ? (size_t) (equals - assignment) : 0);
        g_auto(GStrv) words = g_strsplit(path, ".", PT_JSON_DEPTH_MAX);
        g_autoptr(GString) pointer = g_string_new("/spec");
        const PtField *field = NULL;
        struct json_object *value;
        int r;

        if (!equals || equals == assignment) {
                pt_diag_error(diag, "syntax", NULL,
                              "\"%s\" is not an assignment; write FIELD=VALUE", assignment);
                return -EINVAL;
        }
        for (char **word = words; *word; word++) {
                field = fields ? pt_fields_find(fields, *word) : NULL;
                pt_pointer_append(pointer, *word);
                if (!field && !fields) {
                        pt_diag_error(diag, "unknown-field", pointer->str,
                                      "\"%s\" has no fields of its own", word[-1]);
                        return -EINVAL;
                }
                if (!field) {
                        g_autofree const char **names = pt_fields_names(fields);
                        g_autofree char *hint = pt_suggestion(diag, *word, names);

                        pt_diag_error(diag, "unknown-field", pointer->str,
                                      "unknown field \"%s\"; %s", *word, hint);
                        return -EINVAL;
                }
                fields = pt_field_nested(field);
        }
        r = value_from_text(field, equals + 1, pointer->str, diag, &value);
        if (r < 0)
                return r;
        for (char **word = words; word[1]; word++)
                json = enter_object(json, *word);
        json_object_object_add(json, field->name, value);
        return 0;
}

/* RFC 7386. Recursion is as deep as the patch, which a parser with a limit made. */
void pt_json_merge(struct json_object *target, struct json_object *patch)
{
        json_object_object_foreach(patch, key, value)
        {
                if (!value)
                        json_object_object_del(target, key);
                else if (json_object_is_type(value, json_type_object))
                        pt_json_merge(enter_object(target, key), value);
                else
                        json_object_object_add(target, key, json_object_get(value));
        }
}
