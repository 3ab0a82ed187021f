/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/* Unsigned integers of 8, 16 and 32 bits: one behaviour, told apart by the type's size. */

static int64_t type_max(const PtField *field)
{
        return (INT64_C(1) << (8 * field->type->size)) - 1;
}

static int64_t field_max(const PtField *field)
{
        return field->min || field->max ? field->max : type_max(field);
}

static void integer_schema(const PtField *field, struct json_object *schema)
{
        json_object_object_add(schema, "type", json_object_new_string("integer"));
        json_object_object_add(schema, "minimum", json_object_new_int64(field->min));
        json_object_object_add(schema, "maximum", json_object_new_int64(field_max(field)));
}

static int integer_from_json(const PtField *field, struct json_object *json, const char *pointer,
                             PtDiagnostics *diag, void *value)
{
        int64_t max = field_max(field), number;

        if (!json_object_is_type(json, json_type_int))
                return pt_wrong_type(json, pointer, diag,
                                     "write a number %" PRId64 "-%" PRId64 ", without quotes",
                                     field->min, max);
        number = json_object_get_int64(json);
        if (number < field->min || number > max) {
                pt_diag_error(diag, "out-of-range", pointer,
                              "%" PRId64 " is out of range %" PRId64 "-%" PRId64, number,
                              field->min, max);
                return -ERANGE;
        }
        if (field->type->size == sizeof(uint8_t))
                *(uint8_t *) value = (uint8_t) number;
        else if (field->type->size == sizeof(uint16_t))
                *(uint16_t *) value = (uint16_t) number;
        else
                *(uint32_t *) value = (uint32_t) number;
        return 0;
}

static struct json_object *u8_to_json(const PtField *field, const void *value)
{
        (void) field;
        return json_object_new_int64(*(const uint8_t *) value);
}

static struct json_object *u16_to_json(const PtField *field, const void *value)
{
        (void) field;
        return json_object_new_int64(*(const uint16_t *) value);
}

static struct json_object *u32_to_json(const PtField *field, const void *value)
{
        (void) field;
        return json_object_new_int64(*(const uint32_t *) value);
}

static int integer_from_text(const PtField *field, const char *text, struct json_object **ret)
{
        uint64_t number;

        (void) field;
        if (pt_parse_unsigned(text, strlen(text), INT64_MAX, &number) < 0)
                *ret = json_object_new_string(text);
        else
                *ret = json_object_new_int64((int64_t) number);
        return 0;
}

static int u8_compare(const void *a, const void *b)
{
        return *(const uint8_t *) a - *(const uint8_t *) b;
}

static int u16_compare(const void *a, const void *b)
{
        return *(const uint16_t *) a - *(const uint16_t *) b;
}

static int u32_compare(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;

        return (x > y) - (x < y);
}

const PtType pt_type_u8 = {
        .name = "integer",
        .signature = "y",
        .size = sizeof(uint8_t),
        .syntax = "a whole number, 0-255",
        .schema = integer_schema,
        .from_json = integer_from_json,
        .to_json = u8_to_json,
        .from_text = integer_from_text,
        .compare = u8_compare,
};

const PtType pt_type_u16 = {
        .name = "integer",
        .signature = "q",
        .size = sizeof(uint16_t),
        .syntax = "a whole number, 0-65535",
        .schema = integer_schema,
        .from_json = integer_from_json,
        .to_json = u16_to_json,
        .from_text = integer_from_text,
        .compare = u16_compare,
};

const PtType pt_type_u32 = {
        .name = "integer",
        .signature = "u",
        .size = sizeof(uint32_t),
        .syntax = "a whole number, 0-4294967295",
        .schema = integer_schema,
        .from_json = integer_from_json,
        .to_json = u32_to_json,
        .from_text = integer_from_text,
        .compare = u32_compare,
};
