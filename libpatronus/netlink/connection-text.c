/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A connection as JSON. Written by hand, since a tree of json-c's would cost thirty times as much.
 */

#include "netlink/connection.h"

#include "kind/field.h"
#include <netinet/in.h>
#include <string.h>

#define PUT(out, literal) put((out), (literal), sizeof(literal) - 1)

static char *put(char *out, const char *text, size_t size)
{
        memcpy(out, text, size);
        return out + size;
}

static char *put_text(char *out, const char *text)
{
        return put(out, text, strlen(text));
}

static char *put_number(char *out, uint64_t value)
{
        char digits[20];
        unsigned n = sizeof(digits);

        do {
                digits[--n] = (char) ('0' + value % 10);
                value /= 10;
        } while (value > 0);
        return put(out, digits + n, sizeof(digits) - n);
}

static char *put_hex(char *out, unsigned value)
{
        bool digits = false;

        for (int shift = 12; shift >= 0; shift -= 4) {
                unsigned digit = value >> shift & 15;

                digits = digits || digit > 0 || shift == 0;
                if (digits)
                        *out++ = "0123456789abcdef"[digit];
        }
        return out;
}

/* RFC 5952: without leading zeros, and with the longest run of two or more zero groups (the first
 * of equals) as "::". inet_ntop() does the same by sprintf(), group by group. */
static char *put_ipv6(char *out, const uint8_t *address)
{
        unsigned groups[8], start = 8, length = 1;

        for (unsigned i = 0; i < 8; i++)
                groups[i] = (unsigned) address[2 * i] << 8 | address[2 * i + 1];
        for (unsigned i = 0; i < 8; i++) {
                unsigned n = 0;

                while (i + n < 8 && groups[i + n] == 0)
                        n++;
                if (n > length) {
                        start = i;
                        length = n;
                }
                i += n;
        }
        for (unsigned i = 0; i < 8; i++) {
                if (i == start) {
                        out = PUT(out, "::");
                        i += length - 1;
                        continue;
                }
                if (i > 0 && out[-1] != ':')
                        *out++ = ':';
                out = put_hex(out, groups[i]);
        }
        return out;
}

static char *put_address(char *out, uint8_t family, const uint8_t *address)
{
        if (family == AF_INET6)
                return put_ipv6(out, address);
        for (unsigned i = 0; i < 4; i++) {
                if (i > 0)
                        *out++ = '.';
                out = put_number(out, address[i]);
        }
        return out;
}

bool pt_connection_has_ports(const PtConnection *connection)
{
        switch (connection->protocol) {
        case IPPROTO_TCP:
        case IPPROTO_UDP:
        case IPPROTO_UDPLITE:
        case IPPROTO_DCCP:
        case IPPROTO_SCTP:
                return true;
        }
        return false;
}

bool pt_connection_is_icmp(const PtConnection *connection)
{
        return connection->protocol ==
               (connection->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

const char *pt_connection_endpoint(const PtConnection *connection, const uint8_t *address,
                                   uint16_t port, char buffer[static PT_ENDPOINT_TEXT_MAX])
{
        bool ports = pt_connection_has_ports(connection);
        bool brackets = ports && connection->family == AF_INET6;
        char *out = buffer;

        if (brackets)
                out = PUT(out, "[");
        out = put_address(out, connection->family, address);
        if (brackets)
                out = PUT(out, "]");
        if (ports) {
                out = PUT(out, ":");
                out = put_number(out, port);
        }
        *out = '\0';
        return buffer;
}

static char *put_tuple(char *out, const PtConnection *connection, const PtConnectionTuple *tuple,
                       unsigned direction)
{
        bool ports = pt_connection_has_ports(connection);

        out = PUT(out, "{\"source\":\"");
        out = put_address(out, connection->family, tuple->source);
        if (ports) {
                out = PUT(out, "\",\"sourcePort\":");
                out = put_number(out, tuple->source_port);
                out = PUT(out, ",\"destination\":\"");
        } else {
                out = PUT(out, "\",\"destination\":\"");
        }
        out = put_address(out, connection->family, tuple->destination);
        out = PUT(out, "\"");
        if (ports) {
                out = PUT(out, ",\"destinationPort\":");
                out = put_number(out, tuple->destination_port);
        } else if (pt_connection_is_icmp(connection)) {
                out = PUT(out, ",\"icmpId\":");
                out = put_number(out, tuple->source_port);
                out = PUT(out, ",\"icmpType\":");
                out = put_number(out, tuple->destination_port >> 8);
                out = PUT(out, ",\"icmpCode\":");
                out = put_number(out, tuple->destination_port & 0xff);
        }
        if (connection->flags & PT_CONNECTION_COUNTED) {
                out = PUT(out, ",\"packets\":");
                out = put_number(out, connection->packets[direction]);
                out = PUT(out, ",\"bytes\":");
                out = put_number(out, connection->bytes[direction]);
        }
        return PUT(out, "}");
}

const char *pt_connection_nat(const PtConnection *connection)
{
        bool source = connection->flags & PT_CONNECTION_SNAT;
        bool destination = connection->flags & PT_CONNECTION_DNAT;

        return source && destination ? "both"
               : source              ? "source"
               : destination         ? "destination"
                                     : NULL;
}

const char *pt_connection_protocol(uint8_t protocol, char buffer[static PT_PROTOCOL_TEXT_MAX])
{
        static const struct {
                uint8_t protocol;
                const char *name;
        } common[] = {{IPPROTO_TCP, "tcp"}, {IPPROTO_UDP, "udp"}, {IPPROTO_ICMP, "icmp"}};
        int number = protocol;
        pt_auto_json *json = NULL;

        for (unsigned i = 0; i < G_N_ELEMENTS(common); i++)
                if (common[i].protocol == protocol)
                        return common[i].name;
        json = pt_type_protocol.to_json(NULL, &number);
        g_strlcpy(buffer, json_object_get_string(json), PT_PROTOCOL_TEXT_MAX);
        return buffer;
}

static char *put_details(char *out, const PtConnection *connection)
{
        const char *nat = pt_connection_nat(connection);

        if (connection->flags & PT_CONNECTION_REPLIED)
                out = PUT(out, ",\"replied\":true");
        if (connection->flags & PT_CONNECTION_ASSURED)
                out = PUT(out, ",\"assured\":true");
        if (connection->flags & PT_CONNECTION_DYING)
                out = PUT(out, ",\"dying\":true");
        if (nat) {
                out = PUT(out, ",\"nat\":\"");
                out = put_text(out, nat);
                out = PUT(out, "\"");
        }
        out = PUT(out, ",\"timeoutUSec\":");
        out = put_number(out, connection->timeout * (uint64_t) G_USEC_PER_SEC);
        if (connection->mark) {
                out = PUT(out, ",\"mark\":");
                out = put_number(out, connection->mark);
        }
        if (connection->zone) {
                out = PUT(out, ",\"zone\":");
                out = put_number(out, connection->zone);
        }
        if (connection->helper[0]) {
                out = PUT(out, ",\"helper\":\"");
                out = put_text(out, connection->helper);
                out = PUT(out, "\"");
        }
        return PUT(out, "}");
}

size_t pt_connection_write_json(const PtConnection *connection,
                                char out[static PT_CONNECTION_JSON_MAX])
{
        const char *state = pt_connection_state_to_string(connection->state);
        char protocol[PT_PROTOCOL_TEXT_MAX];
        char *begin = out;

        out = PUT(out, "{\"id\":");
        out = put_number(out, connection->id);
        out = connection->family == AF_INET ? PUT(out, ",\"family\":\"ipv4\"")
                                            : PUT(out, ",\"family\":\"ipv6\"");
        out = PUT(out, ",\"protocol\":\"");
        out = put_text(out, pt_connection_protocol(connection->protocol, protocol));
        out = PUT(out, "\"");
        if (state) {
                out = PUT(out, ",\"state\":\"");
                out = put_text(out, state);
                out = PUT(out, "\"");
        }
        out = PUT(out, ",\"original\":");
        out = put_tuple(out, connection, &connection->original, 0);
        out = PUT(out, ",\"reply\":");
        out = put_tuple(out, connection, &connection->reply, 1);
        return (size_t) (put_details(out, connection) - begin);
}
