/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A message of ctnetlink, as a connection: whatever is read fits into its line of JSON, that line
 * is JSON, and says the same about a filter as the struct does.
 */

#include "kind/json.h"
#include "netlink/addresses.h"
#include "netlink/connection-filter.h"

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
        return 0;
}
