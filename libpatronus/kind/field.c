/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include "base/text.h"
#include <string.h>

const PtField *pt_fields_find(const PtField *fields, const char *name)
{
        for (const PtField *field = fields; field->name; field++)
                if (strcmp(field->name, name) == 0)
                        return field;
        return NULL;
}

const char **pt_fields_names(const PtField *fields)
{
        GPtrArray *names = g_ptr_array_new();

        for (const PtField *field = fields; field->name; field++)
                g_ptr_array_add(names, (gpointer) field->name);
        g_ptr_array_add(names, NULL);
        return (const char **) g_ptr_array_free(names, FALSE);
}

static const char *json_type_words(struct json_object *json)
{
        switch (json_object_get_type(json)) {
        case json_type_null:
                return "null";
        case json_type_boolean:
                return json_object_get_boolean(json) ? "true" : "false";
        case json_type_double:
                return "a fraction";
        case json_type_int:
                return "a number";
        case json_type_object:
                return "a mapping";
        case json_type_array:
                return "a list";
        case json_type_string:
                return "a string";
        }
        return "something else";
}

int pt_wrong_type(struct json_object *json, const char *pointer, PtDiagnostics *diag,
                  const char *format, ...)
{
        g_autofree char *right = NULL;
        va_list args;

        va_start(args, format);
        right = g_strdup_vprintf(format, args);
        va_end(args);
        if (json)
                pt_diag_error(diag, "wrong-type", pointer, "%s was given; %s",
                              json_type_words(json), right);
        else
                pt_diag_error(diag, "wrong-type", pointer,
                              "null was given; %s, or leave the field out", right);
        return -EINVAL;
}

void pt_pointer_append(GString *pointer, const char *key)
{
        g_string_append_c(pointer, '/');
        for (;;) {
                size_t size = strcspn(key, "~/");

                g_string_append_len(pointer, key, (gssize) size);
                key += size;
                if (!*key)
                        return;
                g_string_append(pointer, *key++ == '~' ? "~0" : "~1");
        }
}

char *pt_suggestion(const PtDiagnostics *diag, const char *word, const char *const *words)
{
        g_autofree char *lower = g_ascii_strdown(word, (gssize) strnlen(word, PT_NAME_MAX + 1));
        const char *nearest;
        g_autofree char *all = NULL;

        if (!diag || pt_diag_count(diag) >= PT_DIAG_MAX)
                return g_strdup("");
        nearest = pt_nearest_word(word, words);
        if (!nearest)
                nearest = pt_nearest_word(lower, words);
        if (nearest)
                return g_strdup_printf("did you mean \"%s\"?", nearest);
        all = g_strjoinv(", ", (char **) words);
        return g_strdup_printf("known: %s", all);
}

const char *pt_json_text(struct json_object *json)
{
        const char *text;

        if (!json_object_is_type(json, json_type_string))
                return NULL;
        text = json_object_get_string(json);
        return strlen(text) == (size_t) json_object_get_string_len(json) ? text : NULL;
}

int pt_parse_unsigned(const char *text, size_t size, uint64_t max, uint64_t *ret)
{
        uint64_t value = 0;

        if (size == 0 || (size > 1 && text[0] == '0'))
                return -EINVAL;
        for (size_t i = 0; i < size; i++) {
                unsigned digit = (unsigned char) text[i] - '0';

                if (digit > 9)
                        return -EINVAL;
                if (value > (UINT64_MAX - digit) / 10)
                        return -ERANGE;
                value = value * 10 + digit;
        }
        if (value > max)
                return -ERANGE;
        *ret = value;
        return 0;
}

void pt_schema_text(struct json_object *schema, const char *pattern)
{
        json_object_object_add(schema, "type", json_object_new_string("string"));
        if (pattern)
                json_object_object_add(schema, "pattern", json_object_new_string(pattern));
}

static int field_from_json(const PtField *field, struct json_object *json, const char *pointer,
                           PtDiagnostics *diag, void *value)
{
        if (pt_field_nested(field))
                return pt_fields_from_json(field->fields, json, pointer, diag, value,
                                           pt_nested_present(value));
        if (field->flags & PT_F_LIST)
                return pt_list_from_json(field, json, pointer, diag, value);
        return field->type->from_json(field, json, pointer, diag, value);
}

/* A row's value, to be written: its box is made if need be. */
static void *make_value(const PtField *field, void *base)
{
        void **box = (void **) ((char *) base + field->box_offset);

        if (field->box_size && !*box)
                *box = g_malloc0(field->box_size);
        return pt_field_value(field, base);
}

int pt_fields_from_json(const PtField *fields, struct json_object *json, const char *pointer,
                        PtDiagnostics *diag, void *base, uint64_t *present)
{
        g_autoptr(GString) at = NULL;
        struct json_object_iterator i, end;
        uint64_t seen = 0;
        size_t prefix_size;
        int r = 0;

        if (!json_object_is_type(json, json_type_object))
                return pt_wrong_type(json, pointer, diag, "write a mapping of fields");
        at = g_string_new(pointer);
        prefix_size = at->len;
        i = json_object_iter_begin(json);
        end = json_object_iter_end(json);
        for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
                const char *name = json_object_iter_peek_name(&i);
                struct json_object *member = json_object_iter_peek_value(&i);
                const PtField *field = pt_fields_find(fields, name);
                uint64_t bit;
                void *value;

                g_string_truncate(at, prefix_size);
                pt_pointer_append(at, name);
                if (!field) {
                        g_autofree const char **words = pt_fields_names(fields);
                        g_autofree char *hint = pt_suggestion(diag, name, words);

                        pt_diag_error(diag, "unknown-field", at->str, "unknown field \"%s\"; %s",
                                      name, hint);
                        r = -EINVAL;
                        continue;
                }
                bit = UINT64_C(1) << (field - fields);
                seen |= bit;
                value = make_value(field, base);
                if (field_from_json(field, member, at->str, diag, value) < 0) {
                        r = -EINVAL;
                        /* A nested struct's own bits say what it owns. */
                        if (pt_field_nested(field))
                                *present |= bit;
                        continue;
                }
                /* A struct without members says nothing: it is as absent as its members are. */
                if (!pt_field_nested(field) || *pt_nested_present(value))
                        *present |= bit;
        }
        if (pt_fields_check_required(fields, pointer, seen, diag) < 0)
                r = -EINVAL;
        return r;
}

int pt_fields_check_required(const PtField *fields, const char *pointer, uint64_t seen,
                             PtDiagnostics *diag)
{
        int r = 0;

        for (const PtField *field = fields; field->name; field++) {
                g_autofree char *at = NULL;

                if (!(field->flags & PT_F_REQUIRED) || seen >> (field - fields) & 1)
                        continue;
                at = g_strconcat(pointer, "/", field->name, NULL);
                pt_diag_error(diag, "required", at, "\"%s\" is required, for example \"%s: %s\"",
                              field->name, field->name, field->example ? field->example : "...");
                r = -EINVAL;
        }
        return r;
}

static struct json_object *list_to_json(const PtField *field, const PtList *list, bool secrets)
{
        struct json_object *array = json_object_new_array_ext((int) list->n);

        for (unsigned i = 0; i < list->n; i++)
                json_object_array_add(
                        array, pt_list_item_to_json(field, pt_list_item(field, list, i), secrets));
        return array;
}

struct json_object *pt_field_to_json(const PtField *field, const void *value, bool secrets)
{
        if ((field->flags & PT_F_SECRET) && !secrets)
                return json_object_new_string(PT_SECRET_REDACTED);
        if (pt_field_nested(field))
                return pt_fields_to_json(field->fields, value, *pt_nested_present((void *) value),
                                         secrets);
        if (field->flags & PT_F_LIST)
                return list_to_json(field, value, secrets);
        return field->type->to_json(field, value);
}

struct json_object *pt_fields_to_json(const PtField *fields, const void *base, uint64_t present,
                                      bool secrets)
{
        struct json_object *json = json_object_new_object();

        for (const PtField *field = fields; field->name; field++)
                if (present >> (field - fields) & 1)
                        json_object_object_add(
                                json, field->name,
                                pt_field_to_json(field, pt_field_value(field, base), secrets));
        return json;
}

/* Of a value, or of a list's item. */
static void value_to_canonical(const PtField *field, const void *value, GString *out)
{
        pt_auto_json *json = NULL;

        if (pt_field_items(field)) {
                pt_fields_to_canonical(field->fields, value, *pt_nested_present((void *) value),
                                       out);
                return;
        }
        json = field->type->to_json(field, value);
        pt_json_to_canonical(json, out);
}

static void field_to_canonical(const PtField *field, const void *value, GString *out)
{
        const PtList *list = value;

        if (pt_field_nested(field)) {
                pt_fields_to_canonical(field->fields, value, *pt_nested_present((void *) value),
                                       out);
                return;
        }
        if (!(field->flags & PT_F_LIST)) {
                value_to_canonical(field, value, out);
                return;
        }
        g_string_append_c(out, '[');
        for (unsigned i = 0; i < list->n; i++) {
                if (i > 0)
                        g_string_append_c(out, ',');
                value_to_canonical(field, pt_list_item(field, list, i), out);
        }
        g_string_append_c(out, ']');
}

void pt_fields_to_canonical(const PtField *fields, const void *base, uint64_t present, GString *out)
{
        const PtField *sorted[PT_FIELDS_MAX];
        size_t n = 0;

        for (const PtField *field = fields; field->name; field++) {
                size_t at = n++;

                if (!(present >> (field - fields) & 1)) {
                        n--;
                        continue;
                }
                for (; at > 0 && strcmp(sorted[at - 1]->name, field->name) > 0; at--)
                        sorted[at] = sorted[at - 1];
                sorted[at] = field;
        }
        g_string_append_c(out, '{');
        for (size_t i = 0; i < n; i++) {
                if (i > 0)
                        g_string_append_c(out, ',');
                g_string_append_c(out, '"');
                g_string_append(out, sorted[i]->name);
                g_string_append(out, "\":");
                field_to_canonical(sorted[i], pt_field_value(sorted[i], base), out);
        }
        g_string_append_c(out, '}');
}

static void **box_of(const PtField *field, const void *base)
{
        return field->box_size ? (void **) ((char *) base + field->box_offset) : NULL;
}

void pt_fields_copy(const PtField *fields, void *to, const void *from, uint64_t present)
{
        for (const PtField *field = fields; field->name; field++) {
                void **box = box_of(field, to);

                if (box && *box && *box == *box_of(field, from))
                        *box = g_memdup2(*box, field->box_size);
        }
        for (const PtField *field = fields; field->name; field++) {
                void *value = pt_field_value(field, to);
                const void *source = pt_field_value(field, from);

                if (!value)
                        continue;
                /* A nested struct without members is absent, but may have made its box. */
                if (pt_field_nested(field)) {
                        pt_fields_copy(field->fields, value, source, *pt_nested_present(value));
                        continue;
                }
                if (!(present >> (field - fields) & 1))
                        continue;
                if (field->flags & PT_F_LIST)
                        pt_list_copy(field, value, source);
                else if (field->type->copy)
                        field->type->copy(field, value, source);
        }
}

void pt_fields_done(const PtField *fields, void *base, uint64_t present)
{
        for (const PtField *field = fields; field->name; field++) {
                void *value = pt_field_value(field, base);

                if (!value)
                        continue;
                if (pt_field_nested(field)) {
                        pt_fields_done(field->fields, value, *pt_nested_present(value));
                        continue;
                }
                if (!(present >> (field - fields) & 1))
                        continue;
                if (field->flags & PT_F_LIST)
                        pt_list_done(field, value);
                else if (field->type->done)
                        field->type->done(field, value);
        }
        for (const PtField *field = fields; field->name; field++) {
                void **box = box_of(field, base);

                if (box)
                        g_clear_pointer(box, g_free);
        }
}
