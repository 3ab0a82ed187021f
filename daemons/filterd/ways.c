/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "ways.h"

#include "netlink/addresses.h"
#include "netlink/route.h"

#include <string.h>

/* Ways that are remembered at a time: 16 MiB. */
#define WAYS_MAX 131072

/* A question to the kernel. No padding, so that bytes can be compared. */
typedef struct Key {
        uint8_t destination[16], source[16];
        uint32_t family, arrives;
} Key;
G_STATIC_ASSERT(sizeof(Key) == 40);

typedef struct Known {
        Key key;
        int result;
        FwWay way;
} Known;

struct FwWays {
        PtRouter *router;
        GHashTable *known; /* Known, a set by their keys */
        GArray *addresses; /* PtLocalAddress */
};

static unsigned key_hash(const void *p)
{
        uint64_t words[sizeof(Key) / sizeof(uint64_t)], hash = 0;

        memcpy(words, &((const Known *) p)->key, sizeof(words));
        for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
                hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15U;
        return (unsigned) (hash >> 32);
}

static gboolean key_equal(const void *a, const void *b)
{
        return memcmp(&((const Known *) a)->key, &((const Known *) b)->key, sizeof(Key)) == 0;
}

int fw_ways_open(int netns_fd, FwWays **ret)
{
        g_autoptr(FwWays) ways = g_new0(FwWays, 1);
        int r = pt_router_open(netns_fd, &ways->router);

        if (r < 0)
                return r;
        r = pt_local_addresses(netns_fd, &ways->addresses);
        if (r < 0)
                return r;
        ways->known = g_hash_table_new_full(key_hash, key_equal, g_free, NULL);
        *ret = g_steal_pointer(&ways);
        return 0;
}

void fw_ways_close(FwWays *ways)
{
        if (!ways)
                return;
        pt_router_close(ways->router);
        g_clear_pointer(&ways->known, g_hash_table_unref);
        g_clear_pointer(&ways->addresses, g_array_unref);
        g_free(ways);
}

/* Whether an address of the machine is one of the interface. */
static bool is_of(const FwWays *ways, const Key *key, uint32_t index)
{
        for (unsigned i = 0; i < ways->addresses->len; i++) {
                const PtLocalAddress *own = &g_array_index(ways->addresses, PtLocalAddress, i);

                if (own->index == index && own->family == (int) key->family &&
                    memcmp(own->address, key->destination, key->family == AF_INET ? 4 : 16) == 0)
                        return true;
        }
        return false;
}

static int ask(FwWays *ways, const Key *key, FwWay *ret)
{
        static const uint8_t none[16];
        PtRouteQuery query = {.family = (int) key->family, .destination = key->destination};
        PtRoute route;
        int r;

        if (memcmp(key->source, none, sizeof(none)) != 0)
                query.source = key->source;
        query.arrives = key->arrives;
        r = pt_router_get(ways->router, &query, &route);
        if (r < 0 && query.source) {
                /* From there it cannot come, as the kernel knows; where it would go can be told. */
                query = (PtRouteQuery){.family = query.family, .destination = key->destination};
                r = pt_router_get(ways->router, &query, &route);
        }
        if (r < 0)
                return r;
        *ret = (FwWay){.local = route.local};
        if (route.local)
                ret->here = key->arrives > 0 && is_of(ways, key, key->arrives);
        else
                g_strlcpy(ret->out, route.name, sizeof(ret->out));
        return 0;
}

static int find(FwWays *ways, const Key *key, FwWay *ret)
{
        Known wanted = {.key = *key}, *known = g_hash_table_lookup(ways->known, &wanted);

        if (!known) {
                if (g_hash_table_size(ways->known) >= WAYS_MAX)
                        g_hash_table_remove_all(ways->known);
                known = g_memdup2(&wanted, sizeof(wanted));
                known->result = ask(ways, key, &known->way);
                g_hash_table_add(ways->known, known);
        }
        if (known->result == 0)
                *ret = known->way;
        return known->result;
}

int fw_ways_forth(FwWays *ways, const FwPacket *packet, const uint8_t *destination, FwWay *ret)
{
        size_t size = packet->family == AF_INET ? 4 : 16;
        Key key = {.family = (uint32_t) packet->family};

        memcpy(key.destination, destination, size);
        /* Without an interface the kernel wants an address of its own as source. */
        key.arrives = packet->in[0] ? if_nametoindex(packet->in) : 0;
        if (key.arrives > 0)
                fw_number_write(packet->values[FW_DIM_SOURCE_ADDRESS].lo, size, key.source);
        return find(ways, &key, ret);
}

int fw_ways_back(FwWays *ways, const FwPacket *packet, const uint8_t *source, FwWay *ret)
{
        Key key = {.family = (uint32_t) packet->family};

        memcpy(key.destination, source, packet->family == AF_INET ? 4 : 16);
        return find(ways, &key, ret);
}
