/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A message of ctnetlink, as a connection: whatever is read fits into its line of JSON, that line
 * is JSON, and says the same about a filter as the struct does.
 */

#include "kind/json.h"
#include "netlink/addresses.h"
#include "netlink/connection-filter.h"
#include "netlink/route.h"

#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const PtConnection *connection)
{
        char text[PT_CONNECTION_JSON_MAX + 1];
        pt_auto_json *json = NULL;
        PtConnectionFilter own = {
                .present = 1U << PT_FILTER_FAMILY | 1U << PT_FILTER_PROTOCOL | 1U << PT_FILTER_ID,
                .family = connection->family,
                .protocol = connection->protocol,
                .id = connection->id,
        };
        size_t length = pt_connection_write_json(connection, text);

        if (length > PT_CONNECTION_JSON_MAX)
                __builtin_trap();
        text[length] = '\0';
        json = json_tokener_parse(text);
        if (!json || !pt_connection_matches(&own, connection))
                __builtin_trap();
        own.id++;
        if (pt_connection_matches(&own, connection))
                __builtin_trap();
}

/* The same bytes as answers about the way to somewhere. */
static void check_route(const struct nlmsghdr *header)
{
        static const uint8_t destination[16];
        PtRouteQuery query = {.family = AF_INET6, .destination = destination};
        PtRoute route = {};
        uint8_t mac[6];

        if (pt_route_parse(header, &query, &route) == 0 && route.index == 0)
                __builtin_trap();
        if (pt_route_link_parse(header, &route) == 0 && !memchr(route.name, 0, sizeof(route.name)))
                __builtin_trap();
        (void) pt_neighbour_parse(header, mac);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree struct nlmsghdr *header = NULL;
        PtLocalAddress address;
        PtConnection connection;

        if (size < sizeof(*header))
                return 0;
        /* Read in place, aligned, as from a socket; the caller has checked the length. */
        header = g_memdup2(data, size);
        header->nlmsg_len = (uint32_t) size;
        if (pt_connection_parse(header, &connection) == 0)
                check(&connection);
        /* The same bytes as an address of the machine's own. */
        if (pt_local_address_parse(header, &address) == 0 && address.family != AF_INET &&
            address.family != AF_INET6)
                __builtin_trap();
        check_route(header);
        return 0;
}
