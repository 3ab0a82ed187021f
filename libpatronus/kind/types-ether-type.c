/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/*
 * Numbers of Ethernet that people know by name: what a frame carries (IANA's "ETHER TYPES"; below
 * 0x0600 the field is a length, IEEE 802.3 3.2.6), and what an ARP packet asks (RFC 826, IANA's
 * "Operation Codes"). Numbers are hexadecimal with 0x, or decimal.
 */

#define ETHER_TYPE_MIN 0x0600
#define NUMBER_MAX 0xffff

typedef struct Named {
        const PtChoice *names;
        unsigned min;
        bool hex; /* how it is written where it has no name */
        const char *code, *noun, *example;
} Named;

static const PtChoice ether_types[] = {
        {"ipv4", 0x0800, NULL}, {"arp", 0x0806, NULL}, {"ipv6", 0x86dd, NULL}, {}};
static const PtChoice operations[] = {{"request", 1, NULL}, {"reply", 2, NULL}, {}};

static const Named ether_type = {ether_types,
                                 ETHER_TYPE_MIN,
                                 true,
                                 "invalid-ether-type",
                                 "an Ethernet type",
                                 "ipv4, ipv6, arp, or a "
                                 "number 0x0600-0xffff"};
static const Named operation = {operations,
                                1,
                                false,
                                "invalid-arp-operation",
                                "an operation of ARP",
                                "request, reply, or a number 1-65535"};

static const Named *named(const PtField *field)
{
        return field->type == &pt_type_arp_operation ? &operation : &ether_type;
}

static void number_schema(const PtField *field, struct json_object *schema)
{
        const Named *what = named(field);
        const PtField names = {.type = &pt_type_enum, .choices = what->names};
        struct json_object *any = json_object_new_array(), *number = json_object_new_object(),
                           *word = json_object_new_object(), *text = json_object_new_object();

        pt_type_enum.schema(&names, word);
        json_object_object_add(number, "type", json_object_new_string("integer"));
        json_object_object_add(number, "minimum", json_object_new_int64(what->min));
        json_object_object_add(number, "maximum", json_object_new_int64(NUMBER_MAX));
        pt_schema_text(text, "^0x[0-9a-f]{1,4}$");
        json_object_array_add(any, word);
        json_object_array_add(any, number);
        json_object_array_add(any, text);
        json_object_object_add(schema, "anyOf", any);
}

static bool parse_hex(const char *text, int64_t *ret)
{
        size_t size = strlen(text);
        int64_t value = 0;

        if (size < 3 || size > 6 || text[0] != '0' || text[1] != 'x')
                return false;
        for (size_t i = 2; i < size; i++) {
                int digit = g_ascii_xdigit_value(text[i]);

                if (digit < 0)
                        return false;
                value = value << 4 | digit;
        }
        *ret = value;
        return true;
}

static bool parse_word(const Named *what, const char *text, int64_t *ret)
{
        uint64_t digits;

        for (const PtChoice *choice = what->names; choice->name; choice++)
                if (strcmp(choice->name, text) == 0) {
                        *ret = choice->value;
                        return true;
                }
        if (pt_parse_unsigned(text, strlen(text), INT64_MAX, &digits) == 0) {
                *ret = (int64_t) digits;
                return true;
        }
        return parse_hex(text, ret);
}

static int number_from_json(const PtField *field, struct json_object *json, const char *pointer,
                            PtDiagnostics *diag, void *value)
{
        const Named *what = named(field);
        const char *text = pt_json_text(json);
        int64_t number;

        if (text && !parse_word(what, text, &number)) {
                pt_diag_error(diag, what->code, pointer, "\"%s\" is not %s; write %s", text,
                              what->noun, what->example);
                return -EINVAL;
        }
        if (!text && !json_object_is_type(json, json_type_int))
                return pt_wrong_type(json, pointer, diag, "write %s", what->example);
        if (!text)
                number = json_object_get_int64(json);
        if (number < what->min || number > NUMBER_MAX) {
                pt_diag_error(diag, "out-of-range", pointer,
                              "%" PRId64 " is out of range; write %s", number, what->example);
                return -ERANGE;
        }
        *(uint16_t *) value = (uint16_t) number;
        return 0;
}

static struct json_object *number_to_json(const PtField *field, const void *value)
{
        const Named *what = named(field);
        uint16_t number = *(const uint16_t *) value;
        char text[sizeof("0xffff")];

        for (const PtChoice *choice = what->names; choice->name; choice++)
                if (choice->value == number)
                        return json_object_new_string(choice->name);
        if (!what->hex)
                return json_object_new_int64(number);
        g_snprintf(text, sizeof(text), "0x%04x", number);
        return json_object_new_string(text);
}

static int number_compare(const void *a, const void *b)
{
        return *(const uint16_t *) a - *(const uint16_t *) b;
}

static void number_complete(const PtField *field, GString *out)
{
        const PtField names = {.type = &pt_type_enum, .choices = named(field)->names};

        pt_type_enum.complete(&names, out);
}

const PtType pt_type_ether_type = {
        .name = "ether-type",
        .signature = "s",
        .size = sizeof(uint16_t),
        .syntax = "ipv4, ipv6, arp, or a number 0x0600-0xffff",
        .schema = number_schema,
        .from_json = number_from_json,
        .to_json = number_to_json,
        .from_text = pt_text_from_text,
        .compare = number_compare,
        .complete = number_complete,
};

const PtType pt_type_arp_operation = {
        .name = "arp-operation",
        .signature = "s",
        .size = sizeof(uint16_t),
        .syntax = "request, reply, or a number 1-65535",
        .schema = number_schema,
        .from_json = number_from_json,
        .to_json = number_to_json,
        .from_text = pt_text_from_text,
        .compare = number_compare,
        .complete = number_complete,
};
