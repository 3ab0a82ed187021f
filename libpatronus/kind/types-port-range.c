/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/* One port or length is a JSON integer, several are a string: 443, "6000-6010". */

#define PORT_MAX 65535
#define PORT_RANGE_PATTERN "^[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})?$"

static void port_range_schema(const PtField *field, struct json_object *schema)
{
        struct json_object *any = json_object_new_array(), *number = json_object_new_object(),
                           *text = json_object_new_object();

        (void) field;
        json_object_object_add(number, "type", json_object_new_string("integer"));
        json_object_object_add(number, "minimum", json_object_new_int64(1));
        json_object_object_add(number, "maximum", json_object_new_int64(PORT_MAX));
        pt_schema_text(text, PORT_RANGE_PATTERN);
        json_object_array_add(any, number);
        json_object_array_add(any, text);
        json_object_object_add(schema, "anyOf", any);
}

/* What it is called, and what a right one looks like. */
static const char *noun(const PtField *field)
{
        return field->type == &pt_type_length_range ? "length" : "port";
}

static const char *example(const PtField *field)
{
        return field->type == &pt_type_length_range ? "a number of bytes (1500) or a range (64-128)"
                                                    : "a number (443) or a range (6000-6010)";
}

static int out_of_range(const char *pointer, PtDiagnostics *diag, const char *what)
{
        pt_diag_error(diag, "out-of-range", pointer, "%s is out of range 1-%d", what, PORT_MAX);
        return -ERANGE;
}

static int parse_text(const PtField *field, const char *text, const char *pointer,
                      PtDiagnostics *diag, PtPortRange *range)
{
        const char *dash = strchr(text, '-');
        size_t first_size = dash ? (size_t) (dash - text) : strlen(text);
        uint64_t lo, hi;
        int r;

        r = pt_parse_unsigned(text, first_size, PORT_MAX, &lo);
        if (r >= 0 && dash)
                r = pt_parse_unsigned(dash + 1, strlen(dash + 1), PORT_MAX, &hi);
        else
                hi = lo;
        if (r == -EINVAL) {
                g_autofree char *code = g_strconcat("invalid-", noun(field), NULL);

                pt_diag_error(diag, code, pointer, "\"%s\" is not a %s; write %s", text,
                              noun(field), example(field));
                return -EINVAL;
        }
        if (r < 0 || lo == 0 || hi == 0)
                return out_of_range(pointer, diag, text);
        if (lo > hi) {
                pt_diag_error(diag, "invalid-range", pointer,
                              "%s runs backwards; write %" PRIu64 "-%" PRIu64, text, hi, lo);
                return -EINVAL;
        }
        *range = (PtPortRange){(uint16_t) lo, (uint16_t) hi};
        return 0;
}

static int port_range_from_json(const PtField *field, struct json_object *json, const char *pointer,
                                PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);
        int64_t number;

        if (text)
                return parse_text(field, text, pointer, diag, value);
        if (!json_object_is_type(json, json_type_int))
                return pt_wrong_type(json, pointer, diag, "write %s", example(field));
        number = json_object_get_int64(json);
        if (number < 1 || number > PORT_MAX) {
                g_autofree char *what = g_strdup_printf("%" PRId64, number);

                return out_of_range(pointer, diag, what);
        }
        *(PtPortRange *) value = (PtPortRange){(uint16_t) number, (uint16_t) number};
        return 0;
}

static struct json_object *port_range_to_json(const PtField *field, const void *value)
{
        const PtPortRange *range = value;
        char text[sizeof("65535-65535")];

        (void) field;
        if (range->lo == range->hi)
                return json_object_new_int64(range->lo);
        g_snprintf(text, sizeof(text), "%u-%u", range->lo, range->hi);
        return json_object_new_string(text);
}

static int port_range_from_text(const PtField *field, const char *text, struct json_object **ret)
{
        return pt_type_u16.from_text(field, text, ret);
}

static int port_range_compare(const void *a, const void *b)
{
        const PtPortRange *x = a, *y = b;

        return x->lo != y->lo ? x->lo - y->lo : x->hi - y->hi;
}

const PtType pt_type_port_range = {
        .name = "port-range",
        .signature = "s",
        .size = sizeof(PtPortRange),
        .syntax = "PORT or FIRST-LAST, 1-65535",
        .schema = port_range_schema,
        .from_json = port_range_from_json,
        .to_json = port_range_to_json,
        .from_text = port_range_from_text,
        .compare = port_range_compare,
};

const PtType pt_type_length_range = {
        .name = "length-range",
        .signature = "s",
        .size = sizeof(PtPortRange),
        .syntax = "BYTES or FIRST-LAST, 1-65535",
        .schema = port_range_schema,
        .from_json = port_range_from_json,
        .to_json = port_range_to_json,
        .from_text = port_range_from_text,
        .compare = port_range_compare,
};
