/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/*
 * A type of ICMP or ICMPv6, perhaps with a code: "echo-request", "destination-unreachable/4", or
 * numbers, "3/4". A name means the type that each family has under it; a number is a type of the
 * rule's protocol, so that it is the same in both here. Names: IANA's "ICMP Type Numbers" and
 * "ICMPv6 Parameters".
 */

static const struct {
        const char *name;
        int16_t type4, type6;
} names[] = {
        {"echo-reply", 0, 129},
        {"destination-unreachable", 3, 1},
        {"source-quench", 4, -1},
        {"redirect", 5, 137},
        {"echo-request", 8, 128},
        {"router-advertisement", 9, 134},
        {"router-solicitation", 10, 133},
        {"time-exceeded", 11, 3},
        {"parameter-problem", 12, 4},
        {"timestamp-request", 13, -1},
        {"timestamp-reply", 14, -1},
        {"packet-too-big", -1, 2},
        {"mld-query", -1, 130},
        {"mld-report", -1, 131},
        {"mld-done", -1, 132},
        {"neighbour-solicitation", -1, 135},
        {"neighbour-advertisement", -1, 136},
        {"mld2-report", -1, 143},
};

#define ICMP_MAX 255

static void icmp_type_schema(const PtField *field, struct json_object *schema)
{
        struct json_object *any = json_object_new_array(), *number = json_object_new_object(),
                           *text = json_object_new_object();

        (void) field;
        json_object_object_add(number, "type", json_object_new_string("integer"));
        json_object_object_add(number, "minimum", json_object_new_int64(0));
        json_object_object_add(number, "maximum", json_object_new_int64(ICMP_MAX));
        pt_schema_text(text, "^([a-z0-9-]+|[0-9]{1,3})(/[0-9]{1,3})?$");
        json_object_array_add(any, number);
        json_object_array_add(any, text);
        json_object_object_add(schema, "anyOf", any);
}

static int unknown_name(const char *word, const char *pointer, PtDiagnostics *diag)
{
        const char *words[G_N_ELEMENTS(names) + 1] = {NULL};
        g_autofree char *hint = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                words[i] = names[i].name;
        hint = pt_suggestion(diag, word, words);
        pt_diag_error(diag, "unknown-value", pointer, "unknown ICMP type \"%s\"; %s", word, hint);
        return -EINVAL;
}

static int out_of_range(const char *what, const char *text, const char *pointer,
                        PtDiagnostics *diag)
{
        pt_diag_error(diag, "out-of-range", pointer, "%s %s is out of range 0-%d", what, text,
                      ICMP_MAX);
        return -ERANGE;
}

static int parse_text(const char *text, const char *pointer, PtDiagnostics *diag, PtIcmpType *ret)
{
        const char *slash = strchr(text, '/');
        g_autofree char *word = slash ? g_strndup(text, (size_t) (slash - text)) : g_strdup(text);
        PtIcmpType type = {-1, -1, -1};
        uint64_t number;
        int r;

        if (slash) {
                r = pt_parse_unsigned(slash + 1, strlen(slash + 1), ICMP_MAX, &number);
                if (r < 0)
                        return out_of_range("code", slash + 1, pointer, diag);
                type.code = (int16_t) number;
        }
        r = pt_parse_unsigned(word, strlen(word), ICMP_MAX, &number);
        if (r == -ERANGE)
                return out_of_range("type", word, pointer, diag);
        if (r == 0) {
                type.type4 = type.type6 = (int16_t) number;
                *ret = type;
                return 0;
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                if (strcmp(names[i].name, word) == 0) {
                        type.type4 = names[i].type4;
                        type.type6 = names[i].type6;
                        *ret = type;
                        return 0;
                }
        return unknown_name(word, pointer, diag);
}

static int icmp_type_from_json(const PtField *field, struct json_object *json, const char *pointer,
                               PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);
        g_autofree char *digits = NULL;

        (void) field;
        if (text)
                return parse_text(text, pointer, diag, value);
        if (!json_object_is_type(json, json_type_int))
                return pt_wrong_type(json, pointer, diag,
                                     "write a name (echo-request) or numbers (3/4)");
        digits = g_strdup_printf("%" PRId64, json_object_get_int64(json));
        if (digits[0] == '-')
                return out_of_range("type", digits, pointer, diag);
        return parse_text(digits, pointer, diag, value);
}

static struct json_object *icmp_type_to_json(const PtField *field, const void *value)
{
        const PtIcmpType *type = value;
        char text[64];

        (void) field;
        if (type->type4 == type->type6) {
                if (type->code < 0)
                        return json_object_new_int64(type->type4);
                g_snprintf(text, sizeof(text), "%d/%d", type->type4, type->code);
                return json_object_new_string(text);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                if (names[i].type4 == type->type4 && names[i].type6 == type->type6) {
                        if (type->code < 0)
                                return json_object_new_string(names[i].name);
                        g_snprintf(text, sizeof(text), "%s/%d", names[i].name, type->code);
                        return json_object_new_string(text);
                }
        g_assert_not_reached(); /* only what was parsed here is a value */
}

static int icmp_type_from_text(const PtField *field, const char *text, struct json_object **ret)
{
        return pt_type_u8.from_text(field, text, ret);
}

static int icmp_type_compare(const void *a, const void *b)
{
        const PtIcmpType *x = a, *y = b;

        if (x->type4 != y->type4)
                return x->type4 - y->type4;
        return x->type6 != y->type6 ? x->type6 - y->type6 : x->code - y->code;
}

static void icmp_type_complete(const PtField *field, GString *out)
{
        (void) field;
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
                g_string_append_printf(out, "%s\n", names[i].name);
}

const PtType pt_type_icmp_type = {
        .name = "icmp-type",
        .signature = "s",
        .size = sizeof(PtIcmpType),
        .syntax = "a type's name (echo-request) or number, and perhaps /CODE",
        .schema = icmp_type_schema,
        .from_json = icmp_type_from_json,
        .to_json = icmp_type_to_json,
        .from_text = icmp_type_from_text,
        .compare = icmp_type_compare,
        .complete = icmp_type_complete,
};
