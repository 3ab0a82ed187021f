/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Networks and addresses of interfaces, as the kernel has them: what rtnetlink says of changes is
 * only a reason to read them anew, so that nothing is missed when messages are lost.
 */

#include "feeds-internal.h"

#include "netlink/addresses.h"
#include "netlink/nft-socket.h"

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

/* Many addresses change at once when an interface comes up. */
#define SETTLE_USEC (G_USEC_PER_SEC / 20)
#define RECEIVE_SIZE (32U * 1024U)

struct FwLocal {
        FwFeeds *feeds;
        struct mnl_socket *socket;
        sd_event_source *readable, *settling;
};

static int settled(sd_event_source *source, uint64_t usec, void *userdata)
{
        struct FwLocal *local = userdata;

        local->settling = sd_event_source_disable_unref(local->settling);
        fw_feeds_hurry(local->feeds, FW_LIVE_LOCAL);
        return 0;
}

static int readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        struct FwLocal *local = userdata;
        g_autofree char *buffer = g_malloc(RECEIVE_SIZE);
        ssize_t n;

        do {
                n = recv(fd, buffer, RECEIVE_SIZE, MSG_DONTWAIT);
        } while (n > 0 || (n < 0 && errno == ENOBUFS));
        if (!local->settling)
                (void) sd_event_add_time_relative(local->feeds->config.event, &local->settling,
                                                  CLOCK_MONOTONIC, SETTLE_USEC, 0, settled, local);
        return 0;
}

int fw_local_new(FwFeeds *feeds, struct FwLocal **ret)
{
        struct FwLocal *local = g_new0(struct FwLocal, 1);
        int r;

        local->feeds = feeds;
        r = pt_netlink_socket_open(NETLINK_ROUTE, -1,
                                   RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
                                   &local->socket);
        if (r >= 0)
                r = sd_event_add_io(feeds->config.event, &local->readable,
                                    mnl_socket_get_fd(local->socket), EPOLLIN, readable, local);
        if (r < 0) {
                fw_local_free(local);
                return r;
        }
        *ret = local;
        return 0;
}

void fw_local_free(struct FwLocal *local)
{
        if (!local)
                return;
        sd_event_source_disable_unref(local->readable);
        sd_event_source_disable_unref(local->settling);
        if (local->socket)
                mnl_socket_close(local->socket);
        g_free(local);
}

/* A name, or a glob that ends in "*". */
static bool matches(const char *pattern, const char *interface)
{
        size_t size = strlen(pattern);

        return size > 0 && pattern[size - 1] == '*' ? strncmp(pattern, interface, size - 1) == 0
                                                    : strcmp(pattern, interface) == 0;
}

static bool is_named(const PtList *patterns, uint32_t index)
{
        char interface[IF_NAMESIZE];

        if (!if_indextoname(index, interface))
                return false; /* it went with its addresses */
        for (unsigned i = 0; i < patterns->n; i++)
                if (matches(((char *const *) patterns->items)[i], interface))
                        return true;
        return false;
}

static bool is_link_local(const PtLocalAddress *address)
{
        return address->family == AF_INET6 && address->address[0] == 0xfe &&
               (address->address[1] & 0xc0) == 0x80;
}

/* The address, or the network it is in. */
static void add(GArray *ranges, const PtLocalAddress *address, bool network)
{
        unsigned size = address->family == AF_INET ? 4 : 16, bits = 8 * size;
        unsigned plen = network ? MIN(address->plen, bits) : bits;
        PtAddressRange range = {.family = address->family, .plen = (uint8_t) plen};

        memcpy(range.lo, address->address, size);
        for (unsigned bit = plen; bit < bits; bit++)
                range.lo[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
        memcpy(range.hi, range.lo, size);
        for (unsigned bit = plen; bit < bits; bit++)
                range.hi[bit / 8] |= (uint8_t) (0x80 >> bit % 8);
        for (unsigned i = 0; i < ranges->len; i++)
                if (memcmp(&g_array_index(ranges, PtAddressRange, i), &range, sizeof(range)) == 0)
                        return;
        if (ranges->len < FW_FETCH_ADDRESSES_ALL_MAX)
                g_array_append_val(ranges, range);
}

/* The upper 64 bits of the interface's address and the host's own lower ones. */
static void add_hosts6(GArray *ranges, const Alias *alias, const PtLocalAddress *address)
{
        const FwHost6 *hosts = alias->hosts6.items;
        char interface[IF_NAMESIZE];

        /* A longer prefix leaves less than the suffix says; a host of the link has its own. */
        if (address->family != AF_INET6 || address->plen > 64 ||
            !if_indextoname(address->index, interface))
                return;
        for (unsigned i = 0; i < alias->hosts6.n; i++) {
                PtLocalAddress host = {.family = AF_INET6};

                if (!matches(hosts[i].interface, interface))
                        continue;
                memcpy(host.address, address->address, 8);
                memcpy(host.address + 8, hosts[i].suffix.lo + 8, 8);
                add(ranges, &host, false);
        }
}

int fw_local_find(const Alias *alias, GArray **ret)
{
        const FwAliasBox *box = fw_alias_box(alias);
        g_autoptr(GArray) addresses = NULL;
        GArray *ranges;
        int r = pt_local_addresses(-1, &addresses);

        if (r < 0)
                return r;
        ranges = g_array_new(FALSE, FALSE, sizeof(PtAddressRange));
        for (unsigned i = 0; i < addresses->len; i++) {
                const PtLocalAddress *address = &g_array_index(addresses, PtLocalAddress, i);

                if (is_link_local(address))
                        continue;
                if (is_named(&box->interfaces, address->index))
                        add(ranges, address, alias->type == FW_ALIAS_NETWORK);
                add_hosts6(ranges, alias, address);
        }
        *ret = ranges;
        return 0;
}
