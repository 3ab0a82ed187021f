/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/connection-filter.h"

#include "kind/field.h"
#include <string.h>

static const PtChoice families[] = {
        {"ipv4", AF_INET, NULL},
        {"ipv6", AF_INET6, NULL},
        {},
};

/* clang-format off */
const PtField pt_connection_filter_fields[] = {
        [PT_FILTER_ID] = PT_FIELD(PtConnectionFilter, u32, id, "id", 0,
                .doc = "The number that the kernel gave the connection.", .example = "2735161843"),
        [PT_FILTER_FAMILY] = PT_FIELD(PtConnectionFilter, enum, family, "family", 0,
                .choices = families, .doc = "IPv4 or IPv6 only.", .example = "ipv6"),
        [PT_FILTER_PROTOCOL] = PT_FIELD(PtConnectionFilter, protocol, protocol, "protocol", 0,
                .doc = "Protocol, by name or number.", .example = "tcp"),
        [PT_FILTER_STATE] = PT_FIELD(PtConnectionFilter, enum, state, "state", 0,
                .choices = pt_connection_states,
                .doc = "State of a TCP, SCTP or DCCP connection.", .example = "established"),
        [PT_FILTER_ADDRESS] = PT_FIELD(PtConnectionFilter, address_range, address, "address", 0,
                .doc = "Address, prefix or range of either end, before or after translation.",
                .example = "10.0.0.7"),
        [PT_FILTER_SOURCE] = PT_FIELD(PtConnectionFilter, address_range, source, "source", 0,
                .doc = "Whence the connection was opened: an address, a prefix or a range.",
                .example = "10.0.0.0/8"),
        [PT_FILTER_DESTINATION] = PT_FIELD(PtConnectionFilter, address_range, destination, "destination", 0,
                .doc = "Whither the connection was opened, before translation.",
                .example = "192.0.2.1"),
        [PT_FILTER_REPLY_SOURCE] = PT_FIELD(PtConnectionFilter, address_range, reply_source, "replySource", 0,
                .doc = "Who answers: the destination after translation.", .example = "10.3.0.2"),
        [PT_FILTER_REPLY_DESTINATION] = PT_FIELD(PtConnectionFilter, address_range, reply_destination, "replyDestination", 0,
                .doc = "Whom the answers go to: the source after translation.",
                .example = "192.0.2.7"),
        [PT_FILTER_PORT] = PT_FIELD(PtConnectionFilter, port_range, port, "port", 0,
                .doc = "Port or range of either end, before or after translation.", .example = "443"),
        [PT_FILTER_SOURCE_PORT] = PT_FIELD(PtConnectionFilter, port_range, source_port, "sourcePort", 0,
                .doc = "Port or range that the connection was opened from.", .example = "1024-65535"),
        [PT_FILTER_DESTINATION_PORT] = PT_FIELD(PtConnectionFilter, port_range, destination_port, "destinationPort", 0,
                .doc = "Port or range that the connection was opened to, before translation.",
                .example = "443"),
        [PT_FILTER_MARK] = PT_FIELD(PtConnectionFilter, u32, mark, "mark", 0,
                .doc = "The connection's mark.", .example = "1"),
        [PT_FILTER_ZONE] = PT_FIELD(PtConnectionFilter, u16, zone, "zone", 0,
                .doc = "The conntrack zone, which is no zone of the firewall.", .example = "0"),
        [PT_FILTER_HELPER] = PT_FIELD(PtConnectionFilter, string, helper, "helper", 0,
                .max = PT_CONNECTION_HELPER_MAX - 1,
                .doc = "Name of the helper that follows the connection.", .example = "ftp"),
        [PT_FILTER_REPLIED] = PT_FIELD(PtConnectionFilter, bool, replied, "replied", 0,
                .doc = "Whether packets were seen both ways.", .example = "false"),
        [PT_FILTER_ASSURED] = PT_FIELD(PtConnectionFilter, bool, assured, "assured", 0,
                .doc = "Whether the connection stays when the table is full.", .example = "true"),
        [PT_FILTER_NAT] = PT_FIELD(PtConnectionFilter, bool, nat, "nat", 0,
                .doc = "Whether an address or port is translated.", .example = "true"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(pt_connection_filter_fields) == PT_FILTER_NAT + 2);

void pt_connection_filter_done(PtConnectionFilter *filter)
{
        pt_fields_done(pt_connection_filter_fields, filter, filter->present);
        *filter = (PtConnectionFilter){0};
}

int pt_connection_filter_from_json(struct json_object *json, PtDiagnostics *diag,
                                   PtConnectionFilter *ret)
{
        *ret = (PtConnectionFilter){0};
        return pt_fields_from_json(pt_connection_filter_fields, json, "", diag, ret, &ret->present);
}

static bool in_range(const PtAddressRange *range, uint8_t family, const uint8_t *address)
{
        size_t size = family == AF_INET ? 4 : 16;

        return range->family == family && memcmp(address, range->lo, size) >= 0 &&
               memcmp(address, range->hi, size) <= 0;
}

static bool has_address(const PtConnection *c, const PtAddressRange *range)
{
        return in_range(range, c->family, c->original.source) ||
               in_range(range, c->family, c->original.destination) ||
               in_range(range, c->family, c->reply.source) ||
               in_range(range, c->family, c->reply.destination);
}

static bool is_port(const PtPortRange *range, uint16_t port)
{
        return port >= range->lo && port <= range->hi;
}

static bool has_port(const PtConnection *c, const PtPortRange *range)
{
        return is_port(range, c->original.source_port) ||
               is_port(range, c->original.destination_port) ||
               is_port(range, c->reply.source_port) || is_port(range, c->reply.destination_port);
}

static bool matches_field(const PtConnectionFilter *filter, unsigned field, const PtConnection *c)
{
        switch (field) {
        case PT_FILTER_ID:
                return c->id == filter->id;
        case PT_FILTER_FAMILY:
                return c->family == filter->family;
        case PT_FILTER_PROTOCOL:
                return filter->protocol == PT_PROTOCOL_ANY || c->protocol == filter->protocol;
        case PT_FILTER_STATE:
                return c->state == filter->state;
        case PT_FILTER_ADDRESS:
                return has_address(c, &filter->address);
        case PT_FILTER_SOURCE:
                return in_range(&filter->source, c->family, c->original.source);
        case PT_FILTER_DESTINATION:
                return in_range(&filter->destination, c->family, c->original.destination);
        case PT_FILTER_REPLY_SOURCE:
                return in_range(&filter->reply_source, c->family, c->reply.source);
        case PT_FILTER_REPLY_DESTINATION:
                return in_range(&filter->reply_destination, c->family, c->reply.destination);
        case PT_FILTER_PORT:
                return pt_connection_has_ports(c) && has_port(c, &filter->port);
        case PT_FILTER_SOURCE_PORT:
                return pt_connection_has_ports(c) &&
                       is_port(&filter->source_port, c->original.source_port);
        case PT_FILTER_DESTINATION_PORT:
                return pt_connection_has_ports(c) &&
                       is_port(&filter->destination_port, c->original.destination_port);
        case PT_FILTER_MARK:
                return c->mark == filter->mark;
        case PT_FILTER_ZONE:
                return c->zone == filter->zone;
        case PT_FILTER_HELPER:
                return strcmp(c->helper, filter->helper) == 0;
        case PT_FILTER_REPLIED:
                return filter->replied == !!(c->flags & PT_CONNECTION_REPLIED);
        case PT_FILTER_ASSURED:
                return filter->assured == !!(c->flags & PT_CONNECTION_ASSURED);
        case PT_FILTER_NAT:
                return filter->nat == !!(c->flags & (PT_CONNECTION_SNAT | PT_CONNECTION_DNAT));
        }
        return false;
}

bool pt_connection_matches(const PtConnectionFilter *filter, const PtConnection *connection)
{
        for (uint64_t left = filter->present; left; left &= left - 1)
                if (!matches_field(filter, (unsigned) __builtin_ctzll(left), connection))
                        return false;
        return true;
}

static bool is_host(const PtConnectionFilter *filter, unsigned field, const PtAddressRange *range)
{
        return pt_connection_filter_has(filter, field) &&
               memcmp(range->lo, range->hi, sizeof(range->lo)) == 0;
}

static bool is_one(const PtConnectionFilter *filter, unsigned field, const PtPortRange *range)
{
        return pt_connection_filter_has(filter, field) && range->lo == range->hi;
}

bool pt_connection_filter_tuple(const PtConnectionFilter *filter, PtConnection *ret)
{
        PtConnection c = {0};

        if (!is_host(filter, PT_FILTER_SOURCE, &filter->source) ||
            !is_host(filter, PT_FILTER_DESTINATION, &filter->destination) ||
            filter->source.family != filter->destination.family ||
            !pt_connection_filter_has(filter, PT_FILTER_PROTOCOL) || filter->protocol < 0 ||
            !is_one(filter, PT_FILTER_SOURCE_PORT, &filter->source_port) ||
            !is_one(filter, PT_FILTER_DESTINATION_PORT, &filter->destination_port))
                return false;
        c.family = filter->source.family;
        c.protocol = (uint8_t) filter->protocol;
        memcpy(c.original.source, filter->source.lo, sizeof(c.original.source));
        memcpy(c.original.destination, filter->destination.lo, sizeof(c.original.destination));
        c.original.source_port = filter->source_port.lo;
        c.original.destination_port = filter->destination_port.lo;
        c.zone = filter->zone;
        c.id = filter->id;
        if (!pt_connection_has_ports(&c))
                return false;
        *ret = c;
        return true;
}
