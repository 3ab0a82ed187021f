/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/field.h"

#include <arpa/inet.h>
#include <string.h>

/*
 * An address, a prefix or an inclusive range, of either family:
 *
 *         192.0.2.1    10.0.0.0/8    192.0.2.10-192.0.2.20    2001:db8::/32
 *
 * A value has one text: a range that is a prefix is written as one, and a prefix of one address as
 * the address. IPv6 is written by RFC 5952, which inet_ntop() does.
 *
 * IPv4-mapped IPv6 addresses (::ffff:0:0/96, RFC 4291) are refused: they never appear in a packet,
 * so that a rule with one would match nothing. Zone ids (fe80::1%eth0) are refused: the interface
 * is for the zones to say.
 */

#define IPV4_PATTERN "[0-9]{1,3}(\\.[0-9]{1,3}){3}"
#define IPV6_PATTERN "[0-9a-fA-F:]*:[0-9a-fA-F:]*(:" IPV4_PATTERN ")?"
#define PREFIX_PATTERN "^(" IPV4_PATTERN "(/[0-9]{1,2})?|" IPV6_PATTERN "(/[0-9]{1,3})?)$"
#define ADDRESS_RANGE_PATTERN                                                                      \
        "^(" IPV4_PATTERN "(/[0-9]{1,2}|-" IPV4_PATTERN ")?|" IPV6_PATTERN                         \
        "(/[0-9]{1,3}|-" IPV6_PATTERN ")?)$"

/* Room for "FIRST-LAST". */
#define RANGE_TEXT_MAX (2 * INET6_ADDRSTRLEN + 1)

static unsigned family_bits(uint8_t family)
{
        return family == AF_INET ? 32 : 128;
}

static bool is_mapped(const uint8_t address[static 16])
{
        static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

        return memcmp(address, mapped, sizeof(mapped)) == 0;
}

/* The first and last address of the prefix of `bits` that `address` is in. */
static void prefix_bounds(uint8_t family, const uint8_t address[static 16], unsigned plen,
                          uint8_t lo[static 16], uint8_t hi[static 16])
{
        for (unsigned i = 0; i < family_bits(family) / 8; i++) {
                unsigned kept = plen <= i * 8 ? 0 : MIN(plen - i * 8, 8);
                uint8_t mask = (uint8_t) (0xff00U >> kept);

                lo[i] = address[i] & mask;
                hi[i] = address[i] | (uint8_t) ~mask;
        }
}

/* The prefix length of lo-hi, or PT_PLEN_RANGE if that is not one prefix. */
static uint8_t range_plen(uint8_t family, const uint8_t lo[static 16], const uint8_t hi[static 16])
{
        uint8_t first[16] = {}, last[16] = {};
        unsigned plen = 0, bits = family_bits(family);

        while (plen < bits && !((lo[plen / 8] ^ hi[plen / 8]) >> (7 - plen % 8) & 1))
                plen++;
        prefix_bounds(family, lo, plen, first, last);
        if (memcmp(first, lo, bits / 8) != 0 || memcmp(last, hi, bits / 8) != 0)
                return PT_PLEN_RANGE;
        return (uint8_t) plen;
}

static void format_address(uint8_t family, const uint8_t address[static 16],
                           char ret[static INET6_ADDRSTRLEN])
{
        inet_ntop(family, address, ret, INET6_ADDRSTRLEN);
}

static void format_range(const PtAddressRange *range, char ret[static RANGE_TEXT_MAX])
{
        size_t size;

        format_address(range->family, range->lo, ret);
        size = strlen(ret);
        if (range->plen == PT_PLEN_RANGE) {
                ret[size] = '-';
                format_address(range->family, range->hi, ret + size + 1);
        } else if (range->plen < family_bits(range->family)) {
                g_snprintf(ret + size, RANGE_TEXT_MAX - size, "/%u", range->plen);
        }
}

static int parse_address(const char *text, const char *pointer, PtDiagnostics *diag,
                         uint8_t *ret_family, uint8_t ret[static 16])
{
        uint8_t family = strchr(text, ':') ? AF_INET6 : AF_INET;
        uint8_t address[16] = {};

        if (strchr(text, '%')) {
                pt_diag_error(diag, "invalid-address", pointer,
                              "\"%s\" has a zone id; leave out the %% and what follows: the "
                              "interface is the zone's",
                              text);
                return -EINVAL;
        }
        if (inet_pton(family, text, address) != 1) {
                pt_diag_error(diag, "invalid-address", pointer,
                              "\"%s\" is not an address; write it like 192.0.2.1, 10.0.0.0/8, "
                              "192.0.2.10-192.0.2.20 or 2001:db8::1",
                              text);
                return -EINVAL;
        }
        if (family == AF_INET6 && is_mapped(address)) {
                char ipv4[INET6_ADDRSTRLEN];

                inet_ntop(AF_INET, address + 12, ipv4, sizeof(ipv4));
                pt_diag_error(diag, "invalid-address", pointer,
                              "%s is an IPv4-mapped address, which is in no packet; write %s", text,
                              ipv4);
                return -EINVAL;
        }
        *ret_family = family;
        memcpy(ret, address, sizeof(address));
        return 0;
}

static int parse_prefix(const char *text, const char *slash, const char *pointer,
                        PtDiagnostics *diag, PtAddressRange *range)
{
        g_autofree char *address_text = g_strndup(text, (size_t) (slash - text));
        uint8_t address[16];
        uint64_t plen;
        int r;

        r = parse_address(address_text, pointer, diag, &range->family, address);
        if (r < 0)
                return r;
        if (pt_parse_unsigned(slash + 1, strlen(slash + 1), family_bits(range->family), &plen) <
            0) {
                pt_diag_error(diag, "invalid-address", pointer,
                              "\"%s\" is not a prefix length; write a number 0-%u", slash + 1,
                              family_bits(range->family));
                return -EINVAL;
        }
        prefix_bounds(range->family, address, (unsigned) plen, range->lo, range->hi);
        range->plen = (uint8_t) plen;
        if (memcmp(address, range->lo, sizeof(address)) != 0) {
                char right[RANGE_TEXT_MAX];

                format_range(range, right);
                pt_diag_error(diag, "host-bits", pointer,
                              "%s has bits beyond its prefix length; write %s for the network, or "
                              "%s for the host",
                              text, right, address_text);
                return -EINVAL;
        }
        return 0;
}

static int parse_range(const char *text, const char *dash, const char *pointer, PtDiagnostics *diag,
                       PtAddressRange *range)
{
        g_autofree char *first = g_strndup(text, (size_t) (dash - text));
        uint8_t last_family;
        int r;

        r = parse_address(first, pointer, diag, &range->family, range->lo);
        if (r < 0)
                return r;
        r = parse_address(dash + 1, pointer, diag, &last_family, range->hi);
        if (r < 0)
                return r;
        if (range->family != last_family) {
                pt_diag_error(diag, "mixed-families", pointer,
                              "%s begins in one family and ends in the other", text);
                return -EINVAL;
        }
        if (memcmp(range->lo, range->hi, sizeof(range->lo)) > 0) {
                pt_diag_error(diag, "invalid-range", pointer, "%s runs backwards; write %s-%s",
                              text, dash + 1, first);
                return -EINVAL;
        }
        range->plen = range_plen(range->family, range->lo, range->hi);
        return 0;
}

int pt_address_range_parse(const char *text, const char *pointer, PtDiagnostics *diag,
                           PtAddressRange *ret)
{
        const char *mark = strpbrk(text, "/-");
        PtAddressRange range = {};
        int r;

        if (!mark) {
                r = parse_address(text, pointer, diag, &range.family, range.lo);
                memcpy(range.hi, range.lo, sizeof(range.hi));
                range.plen = (uint8_t) family_bits(range.family);
        } else if (*mark == '/') {
                r = parse_prefix(text, mark, pointer, diag, &range);
        } else {
                r = parse_range(text, mark, pointer, diag, &range);
        }
        if (r < 0)
                return r;
        *ret = range;
        return 0;
}

void pt_address_range_settle(PtAddressRange *range)
{
        range->plen = range_plen(range->family, range->lo, range->hi);
}

void pt_address_range_format(const PtAddressRange *range, GString *out)
{
        char text[RANGE_TEXT_MAX];

        format_range(range, text);
        g_string_append(out, text);
}

static int address_range_from_json(const PtField *field, struct json_object *json,
                                   const char *pointer, PtDiagnostics *diag, void *value)
{
        const char *text = pt_json_text(json);

        (void) field;
        if (!text)
                return pt_wrong_type(json, pointer, diag,
                                     "write an address (192.0.2.1), a prefix (10.0.0.0/8) or a "
                                     "range (192.0.2.10-192.0.2.20)");
        return pt_address_range_parse(text, pointer, diag, value);
}

static int prefix_from_json(const PtField *field, struct json_object *json, const char *pointer,
                            PtDiagnostics *diag, void *value)
{
        PtAddressRange range = {};
        int r;

        r = address_range_from_json(field, json, pointer, diag, &range);
        if (r < 0)
                return r;
        if (range.plen == PT_PLEN_RANGE) {
                pt_diag_error(diag, "invalid-address", pointer,
                              "%s is not one prefix; write prefixes (10.0.0.0/8)",
                              json_object_get_string(json));
                return -EINVAL;
        }
        *(PtAddressRange *) value = range;
        return 0;
}

static struct json_object *address_range_to_json(const PtField *field, const void *value)
{
        char text[RANGE_TEXT_MAX];

        (void) field;
        format_range(value, text);
        return json_object_new_string(text);
}

/* IPv4 before IPv6, then by first address, the wider first. */
static int address_range_compare(const void *a, const void *b)
{
        const PtAddressRange *x = a, *y = b;
        int r;

        if (x->family != y->family)
                return x->family == AF_INET ? -1 : 1;
        r = memcmp(x->lo, y->lo, sizeof(x->lo));
        return r != 0 ? r : memcmp(y->hi, x->hi, sizeof(x->hi));
}

static void address_range_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, ADDRESS_RANGE_PATTERN);
}

static void prefix_schema(const PtField *field, struct json_object *schema)
{
        (void) field;
        pt_schema_text(schema, PREFIX_PATTERN);
}

const PtType pt_type_address_range = {
        .name = "address-range",
        .signature = "s",
        .size = sizeof(PtAddressRange),
        .syntax = "an address, ADDRESS/LENGTH, or FIRST-LAST",
        .schema = address_range_schema,
        .from_json = address_range_from_json,
        .to_json = address_range_to_json,
        .from_text = pt_text_from_text,
        .compare = address_range_compare,
};

const PtType pt_type_prefix = {
        .name = "prefix",
        .signature = "s",
        .size = sizeof(PtAddressRange),
        .syntax = "an address, or ADDRESS/LENGTH",
        .schema = prefix_schema,
        .from_json = prefix_from_json,
        .to_json = address_range_to_json,
        .from_text = pt_text_from_text,
        .compare = address_range_compare,
};
