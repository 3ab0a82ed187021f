/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "pools.h"

#include "base/digest.h"
#include "ruleset-internal.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_nat.h>
#include <string.h>

#define PREFIX "v_"
#define STICKY_PREFIX "y_"
/* The same one always, so that clients keep their servers when the pool is loaded anew. */
#define HASH_SEED 0x706f6f6c

/* nft's datatype numbers, for listings only (nftables/include/datatype.h); a mark is a number of
 * four bytes in host byte order, as numgen and jhash give it. */
enum { TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_MARK = 19 };

static uint32_t address_len(int family)
{
        return family == AF_INET ? 4 : 16;
}

char *fw_pool_chain(const char *pool)
{
        return g_strconcat(PREFIX, pool, NULL);
}

char *fw_pool_server_key(const FwPool *pool, unsigned server)
{
        return g_strdup_printf("%s/%s", pool->pool->object.name, pool->servers[server].id);
}

/* Pools. */

static char *server_id(const FwServer *server)
{
        uint8_t bytes[sizeof(server->address.lo) + 3];
        char text[PT_DIGEST_HEX + 1];
        PtDigest digest;

        memcpy(bytes, server->address.lo, sizeof(server->address.lo));
        bytes[sizeof(bytes) - 3] = server->address.family;
        bytes[sizeof(bytes) - 2] = (uint8_t) (server->port >> 8);
        bytes[sizeof(bytes) - 1] = (uint8_t) server->port;
        pt_digest_of(bytes, sizeof(bytes), &digest);
        pt_digest_to_hex(&digest, text);
        return g_strndup(text, 16);
}

static void add_server(FwPool *pool, const FwServer *server, bool fallback)
{
        FwPoolServer *added = &pool->servers[pool->n++];

        added->server = server;
        added->fallback = fallback;
        added->id = server_id(server);
        added->chain = g_strdup_printf("%s/%s", pool->name, added->id);
        if (pool->pool->sticky > 0 && !fallback)
                added->sticky =
                        g_strdup_printf(STICKY_PREFIX "%s/%s/%" PRIu64, pool->pool->object.name,
                                        added->id, pool->pool->sticky / G_USEC_PER_SEC);
}

static FwPool *pool_new(const ServerPool *object)
{
        FwPool *pool = g_new0(FwPool, 1);
        const FwServer *servers = object->servers.items, *fallback = fw_pool_fallback(object);
        unsigned weights = 0;

        pool->refs = 1;
        pool->pool = (const ServerPool *) pt_object_ref(&object->object);
        pool->name = fw_pool_chain(object->object.name);
        pool->servers = g_new0(FwPoolServer, object->servers.n + 1);
        for (unsigned i = 0; i < object->servers.n; i++)
                if (fw_server_enabled(&servers[i])) {
                        add_server(pool, &servers[i], false);
                        weights += fw_server_weight(&servers[i]);
                }
        if (fallback)
                add_server(pool, fallback, true);
        weights = MAX(weights, 1);
        pool->slots = weights * ((FW_POOL_SLOTS_MIN + weights - 1) / weights);
        return pool;
}

void fw_pool_unref(void *p)
{
        FwPool *pool = p;

        if (--pool->refs > 0)
                return;
        for (unsigned i = 0; i < pool->n; i++) {
                g_free(pool->servers[i].id);
                g_free(pool->servers[i].chain);
                g_free(pool->servers[i].sticky);
        }
        g_free(pool->servers);
        g_free(pool->name);
        g_free(pool->put);
        pt_object_unref((PtObject *) (uintptr_t) &pool->pool->object);
        g_free(pool);
}

typedef struct Collect {
        const FwNatPolicy *policy;
        GHashTable *pools, *old;
        unsigned servers;
} Collect;

static int collect(const PtObject *object, void *userdata)
{
        Collect *collect = userdata;
        const NatRule *nat = (const NatRule *) object;
        const ServerPool *pool = fw_nat_pool(collect->policy, nat);
        FwPool *same;

        if (!pool || !fw_nat_in_force(collect->policy, nat) ||
            g_hash_table_contains(collect->pools, nat->pool))
                return 0;
        same = collect->old ? g_hash_table_lookup(collect->old, nat->pool) : NULL;
        if (same && pt_digest_equal(&same->pool->object.digest, &pool->object.digest))
                same->refs++;
        else
                same = pool_new(pool);
        collect->servers += same->n;
        g_hash_table_insert(collect->pools, same->pool->object.name, same);
        return 0;
}

int fw_pools_new(const FwNatPolicy *policy, GHashTable *old, PtDiagnostics *diag, GHashTable **ret)
{
        g_autoptr(GHashTable) pools =
                g_hash_table_new_full(g_str_hash, g_str_equal, NULL, fw_pool_unref);
        Collect state = {.policy = policy, .pools = pools, .old = old};

        (void) pt_slice_foreach(policy->slice, &pt_kind_nat_rule, collect, &state);
        if (state.servers > FW_POOLS_SERVERS_MAX) {
                pt_diag_error(diag, "too-many-servers", "",
                              "the pools that rules name have %u servers, more than %d; leave some "
                              "out",
                              state.servers, FW_POOLS_SERVERS_MAX);
                return -E2BIG;
        }
        *ret = g_steal_pointer(&pools);
        return 0;
}

bool fw_pools_same(GHashTable *a, GHashTable *b)
{
        GHashTableIter iter;
        gpointer name, pool;

        if (g_hash_table_size(a) != g_hash_table_size(b))
                return false;
        g_hash_table_iter_init(&iter, a);
        while (g_hash_table_iter_next(&iter, &name, &pool))
                if (g_hash_table_lookup(b, name) != pool)
                        return false;
        return true;
}

/* Slots. */

/* Each gets so many of every so many as its weight says, spread evenly: the one that lags behind its
 * share most is next. Nobody: the fallback, or -1. */
typedef struct Turn {
        int lag[FW_POOL_SERVERS_MAX + 1];
        bool up[FW_POOL_SERVERS_MAX + 1];
        int others; /* when none is up */
} Turn;

static int next_turn(const FwPool *pool, Turn *turn)
{
        int best = -1, all = 0;

        for (unsigned i = 0; i < pool->n; i++) {
                if (!turn->up[i])
                        continue;
                turn->lag[i] += (int) fw_server_weight(pool->servers[i].server);
                all += (int) fw_server_weight(pool->servers[i].server);
                if (best < 0 || turn->lag[i] > turn->lag[best])
                        best = (int) i;
        }
        if (best < 0)
                return turn->others;
        turn->lag[best] -= all;
        return best;
}

int *fw_pool_assign(const FwPool *pool, const FwHealth *health)
{
        int *slots = g_new(int, pool->slots);
        Turn all = {.others = -1}, live = {.others = -1};

        for (unsigned i = 0; i < pool->n; i++) {
                if (pool->servers[i].fallback) {
                        live.others = (int) i;
                        continue;
                }
                all.up[i] = true;
                live.up[i] = fw_health_is_up(health, pool->pool->object.name, pool->servers[i].id);
        }
        for (unsigned i = 0; i < pool->slots; i++) {
                /* Of a hash, who is alive keeps what it has when others die. */
                int own = pool->pool->algorithm == FW_BALANCE_SOURCE_HASH ? next_turn(pool, &all)
                                                                          : -1;

                slots[i] = own >= 0 && live.up[own] ? own : next_turn(pool, &live);
        }
        return slots;
}

bool fw_pool_is_put(const FwPool *pool, const int *slots)
{
        return pool->put && memcmp(pool->put, slots, pool->slots * sizeof(*slots)) == 0;
}

static void put_elements(const FwPool *pool, const int *slots, PtNftBatch *batch)
{
        uint32_t verdict = (uint32_t) NFT_GOTO;

        pt_nft_batch_elements_begin(batch, TABLE, pool->name, 0, false);
        for (uint32_t i = 0; i < pool->slots; i++) {
                struct nftnl_set_elem *element;

                if (slots[i] < 0)
                        continue;
                element = nftnl_set_elem_alloc();
                g_assert(element);
                nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, &i, sizeof(i));
                nftnl_set_elem_set(element, NFTNL_SET_ELEM_VERDICT, &verdict, sizeof(verdict));
                nftnl_set_elem_set_str(element, NFTNL_SET_ELEM_CHAIN,
                                       pool->servers[slots[i]].chain);
                pt_nft_batch_element(batch, element);
        }
        pt_nft_batch_elements_end(batch);
}

void fw_pool_put_slots(const FwPool *pool, const int *slots, PtNftBatch *batch)
{
        pt_nft_batch_flush_set(batch, TABLE, pool->name);
        put_elements(pool, slots, batch);
        for (unsigned i = 0; i < pool->n; i++) {
                bool used = false;

                for (unsigned k = 0; k < pool->slots && !used; k++)
                        used = slots[k] == (int) i;
                if (!used && pool->servers[i].sticky)
                        pt_nft_batch_flush_set(batch, TABLE, pool->servers[i].sticky);
        }
}

void fw_pools_trust(GHashTable *pools, const FwHealth *health)
{
        GHashTableIter iter;
        FwPool *pool;

        g_hash_table_iter_init(&iter, pools);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &pool)) {
                g_free(pool->put);
                pool->put = fw_pool_assign(pool, health);
        }
}

/* Rules. */

static void put_source(struct nftnl_rule *rule, int family)
{
        fw_match_family(rule, family); /* as a listing needs it */
        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, family == AF_INET ? 12 : 8,
                       address_len(family), PT_REG(0));
}

/* The destination becomes the server's; and the client is remembered, where there is room for it. */
static void put_server(const FwPool *pool, const FwPoolServer *server, PtNftBatch *batch)
{
        int family = fw_pool_family(pool->pool);
        uint16_t port = htons(server->server->port);
        g_autofree char *comment = g_strdup_printf("ServerPool/%s", pool->pool->object.name);
        PtNftNat nat = {.family = family, .address_min = PT_REG(0)};
        struct nftnl_rule *rule;

        pt_nft_batch_add_chain(batch, TABLE, server->chain, NULL);
        if (server->sticky) {
                rule = pt_nft_rule_new(TABLE, server->chain);
                put_source(rule, family);
                pt_nft_remember(rule, PT_REG(0), server->sticky, pool->pool->sticky / 1000);
                fw_finish(batch, rule, comment);
        }
        rule = pt_nft_rule_new(TABLE, server->chain);
        pt_nft_counter(rule, 0, 0);
        pt_nft_immediate(rule, PT_REG(0), server->server->address.lo, address_len(family));
        if (fw_pool_has_ports(pool->pool)) {
                pt_nft_immediate(rule, PT_REG(8), &port, sizeof(port));
                nat.port_min = PT_REG(8);
                nat.flags = NF_NAT_RANGE_PROTO_SPECIFIED;
        }
        pt_nft_nat(rule, false, &nat);
        fw_finish(batch, rule, comment);
}

static void put_number(const FwPool *pool, struct nftnl_rule *rule)
{
        int family = fw_pool_family(pool->pool);

        switch ((FwBalance) pool->pool->algorithm) {
        case FW_BALANCE_ROUND_ROBIN:
        case FW_BALANCE_RANDOM:
                pt_nft_number(rule, pool->pool->algorithm == FW_BALANCE_RANDOM, pool->slots,
                              PT_REG(0));
                return;
        case FW_BALANCE_SOURCE_HASH:
                put_source(rule, family);
                pt_nft_jhash(rule, PT_REG(0), address_len(family), pool->slots, HASH_SEED,
                             PT_REG(0));
                return;
        case FW_BALANCE_MAX:
        case FW_BALANCE_INVALID:
                break;
        }
        g_assert_not_reached();
}

static void put_choice(const FwPool *pool, PtNftBatch *batch)
{
        g_autofree char *comment = g_strdup_printf("ServerPool/%s", pool->pool->object.name);
        FwAction refusal = fw_pool_when_down(pool->pool);
        struct nftnl_rule *rule;

        for (unsigned i = 0; i < pool->n; i++) {
                if (!pool->servers[i].sticky)
                        continue;
                rule = pt_nft_rule_new(TABLE, pool->name);
                put_source(rule, fw_pool_family(pool->pool));
                pt_nft_lookup(rule, PT_REG(0), -1, pool->servers[i].sticky, 0);
                pt_nft_verdict(rule, NFT_GOTO, pool->servers[i].chain);
                fw_finish(batch, rule, comment);
        }
        rule = pt_nft_rule_new(TABLE, pool->name);
        put_number(pool, rule);
        pt_nft_lookup(rule, PT_REG(0), NFT_REG_VERDICT, pool->name, 0);
        fw_finish(batch, rule, comment);
        rule = pt_nft_rule_new(TABLE, pool->name);
        pt_nft_counter(rule, 0, 0);
        pt_nft_verdict(rule, refusal == FW_DROP ? NF_DROP : NFT_GOTO,
                       refusal == FW_DROP ? NULL : FW_CHAIN_REJECT);
        fw_finish(batch, rule, comment);
}

static const FwPoolServer *find_sticky(const FwPool *pool, const char *name)
{
        for (unsigned i = 0; pool && i < pool->n; i++)
                if (g_strcmp0(pool->servers[i].sticky, name) == 0)
                        return &pool->servers[i];
        return NULL;
}

static void put_sets(const FwPool *pool, const FwPool *before, PtNftBatch *batch)
{
        int family = fw_pool_family(pool->pool);
        PtNftSetSpec map = {
                .table = TABLE,
                .name = pool->name,
                .flags = NFT_SET_MAP,
                .key_type = TYPE_MARK,
                .key_len = sizeof(uint32_t),
                .data_type = NFT_DATA_VERDICT,
        };

        for (unsigned i = 0; i < pool->n; i++) {
                PtNftSetSpec sticky = {
                        .table = TABLE,
                        .name = pool->servers[i].sticky,
                        .flags = NFT_SET_EVAL | NFT_SET_TIMEOUT,
                        .key_type = family == AF_INET ? TYPE_IPADDR : TYPE_IP6ADDR,
                        .key_len = address_len(family),
                        .size = FW_STICKY_MAX,
                };

                if (sticky.name && !find_sticky(before, sticky.name))
                        pt_nft_batch_add_set(batch, &sticky);
        }
        pt_nft_batch_add_set(batch, &map);
}

/* `before`: what keeps the name, and is gone. */
static void put_pool(FwPool *pool, const FwPool *before, const FwHealth *health, PtNftBatch *batch)
{
        if (!before)
                pt_nft_batch_add_chain(batch, TABLE, pool->name, NULL);
        put_sets(pool, before, batch);
        for (unsigned i = 0; i < pool->n; i++)
                put_server(pool, &pool->servers[i], batch);
        g_free(pool->put);
        pool->put = fw_pool_assign(pool, health);
        put_elements(pool, pool->put, batch);
        put_choice(pool, batch);
}

/* All but the chain that rules lead to, and what `after` has too. */
static void drop_pool(const FwPool *pool, const FwPool *after, PtNftBatch *batch)
{
        pt_nft_batch_flush_chain(batch, TABLE, pool->name);
        pt_nft_batch_delete_set(batch, TABLE, pool->name);
        for (unsigned i = 0; i < pool->n; i++) {
                const FwPoolServer *server = &pool->servers[i];

                pt_nft_batch_flush_chain(batch, TABLE, server->chain);
                pt_nft_batch_delete_chain(batch, TABLE, server->chain);
                if (server->sticky && !find_sticky(after, server->sticky))
                        pt_nft_batch_delete_set(batch, TABLE, server->sticky);
        }
}

void fw_pools_put(GHashTable *pools, GHashTable *before, const FwHealth *health, PtNftBatch *batch)
{
        GHashTableIter iter;
        gpointer name;
        FwPool *pool;

        g_hash_table_iter_init(&iter, pools);
        while (g_hash_table_iter_next(&iter, &name, (void **) &pool)) {
                const FwPool *old = before ? g_hash_table_lookup(before, name) : NULL;

                if (old == pool)
                        continue;
                if (old)
                        drop_pool(old, pool, batch);
                put_pool(pool, old, health, batch);
        }
}

void fw_pools_put_drops(GHashTable *pools, GHashTable *after, PtNftBatch *batch)
{
        GHashTableIter iter;
        gpointer name;
        FwPool *pool;

        g_hash_table_iter_init(&iter, pools);
        while (g_hash_table_iter_next(&iter, &name, (void **) &pool)) {
                if (g_hash_table_contains(after, name))
                        continue;
                drop_pool(pool, NULL, batch);
                pt_nft_batch_delete_chain(batch, TABLE, pool->name);
        }
}
