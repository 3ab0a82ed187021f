/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <string.h>

/*
 * An IP protocol, by name where it has one here, else by number. The names are those that people
 * know; the numbers are IANA's "Assigned Internet Protocol Numbers". IPv6 extension headers are
 * absent: they are no payload to match.
 */
static const PtChoice protocols[] = {
        {"any", PT_PROTOCOL_ANY, NULL},
        {"icmp", 1, NULL},
        {"igmp", 2, NULL},
        {"ipip", 4, NULL},
        {"tcp", 6, NULL},
        {"egp", 8, NULL},
        {"udp", 17, NULL},
        {"dccp", 33, NULL},
        {"ipv6", 41, NULL},
        {"rsvp", 46, NULL},
        {"gre", 47, NULL},
        {"esp", 50, NULL},
        {"ah", 51, NULL},
        {"icmpv6", 58, NULL},
        {"eigrp", 88, NULL},
        {"ospf", 89, NULL},
        {"etherip", 97, NULL},
        {"pim", 103, NULL},
        {"ipcomp", 108, NULL},
        {"vrrp", 112, NULL},
        {"l2tp", 115, NULL},
        {"sctp", 132, NULL},
        {"udplite", 136, NULL},
        {"mpls", 137, NULL},
        {},
};

static const PtField names = {.type = &pt_type_enum, .choices = protocols};

#define PROTOCOL_MAX 255

static void protocol_schema(const PtField *field, struct json_object *schema)
{
        struct json_object *any = json_object_new_array(), *number = json_object_new_object(),
                           *word = json_object_new_object();

        (void) field;
        pt_type_enum.schema(&names, word);
        json_object_object_add(number, "type", json_object_new_string("integer"));
        json_object_object_add(number, "minimum", json_object_new_int64(0));
        json_object_object_add(number, "maximum", json_object_new_int64(PROTOCOL_MAX));
        json_object_array_add(any, word);
        json_object_array_add(any, number);
        json_object_object_add(schema, "anyOf", any);
}

static int protocol_from_json(const PtField *field, struct json_object *json, const char *pointer,
                              PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);
        uint64_t digits;
        int64_t number;

        (void) field;
        if (text && pt_parse_unsigned(text, strlen(text), INT64_MAX, &digits) == 0) {
                number = (int64_t) digits; /* D-Bus has one type for names and numbers */
        } else if (text) {
                return pt_type_enum.from_json(&names, json, pointer, diag, value);
        } else if (json_object_is_type(json, json_type_int)) {
                number = json_object_get_int64(json);
        } else {
                return pt_wrong_type(json, pointer, diag, "write a name (tcp) or a number 0-%d",
                                     PROTOCOL_MAX);
        }
        if (number < 0 || number > PROTOCOL_MAX) {
                pt_diag_error(diag, "out-of-range", pointer, "%" PRId64 " is out of range 0-%d",
                              number, PROTOCOL_MAX);
                return -ERANGE;
        }
        *(int *) value = (int) number;
        return 0;
}

static struct json_object *protocol_to_json(const PtField *field, const void *value)
{
        int number = *(const int *) value;

        (void) field;
        for (const PtChoice *protocol = protocols; protocol->name; protocol++)
                if (protocol->value == number)
                        return json_object_new_string(protocol->name);
        return json_object_new_int64(number);
}

static int protocol_from_text(const PtField *field, const char *text, struct json_object **ret)
{
        return pt_type_u8.from_text(field, text, ret);
}

static int protocol_compare(const void *a, const void *b)
{
        return *(const int *) a - *(const int *) b;
}

static void protocol_complete(const PtField *field, GString *out)
{
        (void) field;
        pt_type_enum.complete(&names, out);
}

const PtType pt_type_protocol = {
        .name = "protocol",
        .signature = "s",
        .size = sizeof(int),
        .syntax = "a protocol's name (tcp) or number 0-255",
        .schema = protocol_schema,
        .from_json = protocol_from_json,
        .to_json = protocol_to_json,
        .from_text = protocol_from_text,
        .compare = protocol_compare,
        .complete = protocol_complete,
};
