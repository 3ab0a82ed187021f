/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/* VLANs by their number (IEEE 802.1Q 9.6: 1-4094), or "untagged": 10, "10-20". */

#define VLAN_MAX 4094
#define UNTAGGED "untagged"

static void vlan_range_schema(const PtField *field, struct json_object *schema)
{
        struct json_object *any = json_object_new_array(), *number = json_object_new_object(),
                           *text = json_object_new_object();

        (void) field;
        json_object_object_add(number, "type", json_object_new_string("integer"));
        json_object_object_add(number, "minimum", json_object_new_int64(1));
        json_object_object_add(number, "maximum", json_object_new_int64(VLAN_MAX));
        pt_schema_text(text, "^([1-9][0-9]{0,3}(-[1-9][0-9]{0,3})?|" UNTAGGED ")$");
        json_object_array_add(any, number);
        json_object_array_add(any, text);
        json_object_object_add(schema, "anyOf", any);
}

static int out_of_range(const char *pointer, PtDiagnostics *diag, const char *what)
{
        pt_diag_error(diag, "out-of-range", pointer, "%s is out of range 1-%d", what, VLAN_MAX);
        return -ERANGE;
}

static int parse_text(const char *text, const char *pointer, PtDiagnostics *diag,
                      PtVlanRange *range)
{
        const char *dash = strchr(text, '-');
        uint64_t lo, hi;
        int r;

        r = pt_parse_unsigned(text, dash ? (size_t) (dash - text) : strlen(text), VLAN_MAX, &lo);
        if (r >= 0 && dash)
                r = pt_parse_unsigned(dash + 1, strlen(dash + 1), VLAN_MAX, &hi);
        else
                hi = lo;
        if (r == -EINVAL) {
                pt_diag_error(diag, "invalid-vlan", pointer,
                              "\"%s\" is not a VLAN; write a number (10), a range (10-20) or "
                              "\"" UNTAGGED "\"",
                              text);
                return -EINVAL;
        }
        if (r < 0 || lo == 0 || hi == 0)
                return out_of_range(pointer, diag, text);
        if (lo > hi) {
                pt_diag_error(diag, "invalid-range", pointer,
                              "%s runs backwards; write %" PRIu64 "-%" PRIu64, text, hi, lo);
                return -EINVAL;
        }
        *range = (PtVlanRange){(uint16_t) lo, (uint16_t) hi};
        return 0;
}

static int vlan_range_from_json(const PtField *field, struct json_object *json, const char *pointer,
                                PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);
        int64_t number;

        (void) field;
        if (text && strcmp(text, UNTAGGED) == 0) {
                *(PtVlanRange *) value = (PtVlanRange){0, 0};
                return 0;
        }
        if (text)
                return parse_text(text, pointer, diag, value);
        if (!json_object_is_type(json, json_type_int))
                return pt_wrong_type(json, pointer, diag,
                                     "write a number (10), a range (10-20) or \"" UNTAGGED "\"");
        number = json_object_get_int64(json);
        if (number < 1 || number > VLAN_MAX) {
                g_autofree char *what = g_strdup_printf("%" PRId64, number);

                return out_of_range(pointer, diag, what);
        }
        *(PtVlanRange *) value = (PtVlanRange){(uint16_t) number, (uint16_t) number};
        return 0;
}

static struct json_object *vlan_range_to_json(const PtField *field, const void *value)
{
        const PtVlanRange *range = value;
        char text[sizeof("4094-4094")];

        (void) field;
        if (range->hi == 0)
                return json_object_new_string(UNTAGGED);
        if (range->lo == range->hi)
                return json_object_new_int64(range->lo);
        g_snprintf(text, sizeof(text), "%u-%u", range->lo, range->hi);
        return json_object_new_string(text);
}

static int vlan_range_from_text(const PtField *field, const char *text, struct json_object **ret)
{
        return pt_type_u16.from_text(field, text, ret);
}

static int vlan_range_compare(const void *a, const void *b)
{
        const PtVlanRange *x = a, *y = b;

        return x->lo != y->lo ? x->lo - y->lo : x->hi - y->hi;
}

const PtType pt_type_vlan_range = {
        .name = "vlan-range",
        .signature = "s",
        .size = sizeof(PtVlanRange),
        .syntax = "VLAN or FIRST-LAST, 1-4094, or " UNTAGGED,
        .schema = vlan_range_schema,
        .from_json = vlan_range_from_json,
        .to_json = vlan_range_to_json,
        .from_text = vlan_range_from_text,
        .compare = vlan_range_compare,
};
