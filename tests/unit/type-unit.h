/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* One case of a type: JSON in, and what comes out: canonical JSON, or a code and a part of the
 * message. */

#include "kind-unit.h"

#include "kind/field.h"

typedef struct TypeCase {
        const char *json;
        const char *out;  /* canonical; NULL: refused */
        const char *code; /* of the refusal */
        const char *part; /* of its text */
} TypeCase;

static inline void unit_value_done(const PtField *field, void *value)
{
        if (field->type->done)
                field->type->done(field, value);
}

/* The canonical JSON of a value, which is read again to the same value, by JSON and by its text. */
static inline char *unit_value_text(const PtField *field, const void *value)
{
        pt_auto_json *json = field->type->to_json(field, value), *from_text = NULL;
        g_autofree void *again = g_malloc0(field->type->size), *copy = g_malloc0(field->type->size);
        g_autofree void *typed = g_malloc0(field->type->size);
        GString *out = g_string_new(NULL);

        assert_int_equal(field->type->from_json(field, json, "", NULL, again), 0);
        assert_int_equal(field->type->compare(value, again), 0);
        assert_int_equal(field->type->from_text(field, json_object_get_string(json), &from_text),
                         0);
        assert_int_equal(field->type->from_json(field, from_text, "", NULL, typed), 0);
        assert_int_equal(field->type->compare(value, typed), 0);
        memcpy(copy, value, field->type->size);
        if (field->type->copy)
                field->type->copy(field, copy, value);
        assert_int_equal(field->type->compare(value, copy), 0);
        unit_value_done(field, again);
        unit_value_done(field, typed);
        unit_value_done(field, copy);
        pt_json_to_canonical(json, out);
        return g_string_free(out, FALSE);
}

static inline void unit_type_cases(const PtField *field, const TypeCase *cases, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                g_autofree void *value = g_malloc0(field->type->size),
                                *zero = g_malloc0(field->type->size);
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                g_autofree char *text = NULL;
                pt_auto_json *json = NULL;
                int r;

                assert_int_equal(pt_json_parse(cases[i].json, strlen(cases[i].json), diag, &json),
                                 0);
                r = field->type->from_json(field, json, "/at", diag, value);
                if (!cases[i].out) {
                        if (r >= 0)
                                fail_msg("accepted: %s", cases[i].json);
                        assert_memory_equal(value, zero, field->type->size); /* untouched */
                        assert_int_equal(pt_diag_count(diag), 1);
                        assert_diag(diag, cases[i].code, "/at", cases[i].part);
                        continue;
                }
                if (r < 0)
                        fail_msg("refused: %s: %s", cases[i].json, pt_diag_get(diag, 0)->text);
                text = unit_value_text(field, value);
                assert_string_equal(text, cases[i].out);
                unit_value_done(field, value);
        }
}

/* The texts are in ascending order of their values. */
static inline void unit_type_order(const PtField *field, const char *const *texts, size_t n)
{
        g_autofree char *values = g_malloc0_n(n, field->type->size);
        size_t size = field->type->size;

        for (size_t i = 0; i < n; i++) {
                pt_auto_json *json = NULL;

                assert_int_equal(field->type->from_text(field, texts[i], &json), 0);
                assert_int_equal(field->type->from_json(field, json, "", NULL, values + i * size),
                                 0);
        }
        for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++) {
                        int r = field->type->compare(values + i * size, values + j * size);

                        assert_int_equal((r > 0) - (r < 0), (i > j) - (i < j));
                }
        for (size_t i = 0; i < n; i++)
                unit_value_done(field, values + i * size);
}

/* The schema of a field as canonical JSON; the caller frees. */
static inline char *unit_type_schema(const PtField *field)
{
        pt_auto_json *schema = json_object_new_object();
        GString *out = g_string_new(NULL);

        field->type->schema(field, schema);
        pt_json_to_canonical(schema, out);
        return g_string_free(out, FALSE);
}
