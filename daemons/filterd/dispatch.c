/* SPDX-License-Identifier: GPL-3.0-or-later */

/* From a packet to the chain of its zone pair: the maps, the rules of the base chains, defaults and
 * masquerade. */

#include "counters.h"
#include "interval.h"
#include "ruleset-internal.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <string.h>

#define MAP_INTERFACE "if_zone"
#define MAP_SOURCE4 "src4_zone"
#define MAP_SOURCE6 "src6_zone"
#define MAP_ZONE "zone_of"
#define MAP_CLASS "pair_class"
#define SET_MASQUERADE "masquerade"

/* nft's datatype numbers (nftables/include/datatype.h), so that listings show names and numbers. */
enum { TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_MARK = 19, TYPE_IFNAME = 41 };
#define TYPE_PAIR (TYPE_MARK << 6 | TYPE_MARK)

/* `classes` maps a class to its chain; one a hook, so that the kernel validates a chain that only
 * forwarding reaches once, and not once a hook. */
typedef struct Hook {
        const char *chain;
        uint32_t hook;
        const char *classes;
} Hook;

static const Hook hooks[] = {
        {CHAIN_INPUT, NF_INET_LOCAL_IN, "class_chain_input"},
        {CHAIN_FORWARD, NF_INET_FORWARD, "class_chain_forward"},
        {CHAIN_OUTPUT, NF_INET_LOCAL_OUT, "class_chain_output"},
};

static struct nftnl_set_elem *element(const void *key, size_t len)
{
        struct nftnl_set_elem *e = nftnl_set_elem_alloc();

        g_assert(e);
        nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key, (uint32_t) len);
        return e;
}

/* An interval map to zone numbers; the intervals cover everything. */
static void put_intervals(PtNftBatch *batch, const char *name, uint32_t type, size_t len,
                          const GArray *intervals, uint32_t *set_id)
{
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = name,
                .id = ++*set_id,
                .flags = NFT_SET_MAP | NFT_SET_INTERVAL,
                .key_type = type,
                .key_len = (uint32_t) len,
                .data_type = TYPE_MARK,
                .data_len = 4,
        };

        pt_nft_batch_add_set(batch, &spec);
        pt_nft_batch_elements_begin(batch, TABLE, name, spec.id, false);
        for (unsigned i = 0; i < intervals->len; i++) {
                const FwInterval *interval = &g_array_index(intervals, FwInterval, i);
                uint8_t end[FW_INTERVAL_KEY_MAX];
                struct nftnl_set_elem *e;

                e = element(interval->lo, len);
                nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, &interval->number,
                                   sizeof(interval->number));
                pt_nft_batch_element(batch, e);
                memcpy(end, interval->hi, len);
                if (!fw_interval_increment(end, len))
                        continue;
                e = element(end, len);
                nftnl_set_elem_set_u32(e, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
                pt_nft_batch_element(batch, e);
        }
        pt_nft_batch_elements_end(batch);
}

/* (zone by address, zone by interface) to zone: the address wins. */
static void put_zone_of(PtNftBatch *batch, const FwZones *zones, uint32_t *set_id)
{
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = MAP_ZONE,
                .id = ++*set_id,
                .flags = NFT_SET_MAP,
                .key_type = TYPE_PAIR,
                .key_len = 8,
                .data_type = TYPE_MARK,
                .data_len = 4,
        };

        pt_nft_batch_add_set(batch, &spec);
        pt_nft_batch_elements_begin(batch, TABLE, MAP_ZONE, spec.id, false);
        for (unsigned a = 0; a <= zones->n; a++) {
                for (unsigned i = 0; i <= zones->n; i++) {
                        uint32_t key[] = {a < zones->n ? zones->zones[a].number : 0,
                                          i < zones->n ? zones->zones[i].number : 0};
                        struct nftnl_set_elem *e;

                        if (a < zones->n && zones->zones[a].zone->sources.n == 0)
                                continue;
                        e = element(key, sizeof(key));
                        nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, key[0] ? &key[0] : &key[1],
                                           sizeof(key[0]));
                        pt_nft_batch_element(batch, e);
                }
        }
        pt_nft_batch_elements_end(batch);
}

static void put_zone(struct nftnl_rule *rule, const FwZones *zones, int family, bool out,
                     uint32_t reg)
{
        bool by_address = family == AF_INET ? zones->sources4 != NULL
                                            : family == AF_INET6 && zones->sources6 != NULL;
        uint32_t by_interface = by_address ? REG_BY_INTERFACE : reg;

        pt_nft_meta(rule, out ? NFT_META_OIFNAME : NFT_META_IIFNAME, NFT_REG_1);
        pt_nft_lookup(rule, NFT_REG_1, PT_REG(by_interface), MAP_INTERFACE, 0);
        if (!by_address)
                return;
        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER,
                       family == AF_INET ? (out ? 16 : 12) : (out ? 24 : 8),
                       family == AF_INET ? 4 : 16, PT_REG(REG_DATA));
        pt_nft_lookup(rule, PT_REG(REG_DATA), PT_REG(REG_BY_ADDRESS),
                      family == AF_INET ? MAP_SOURCE4 : MAP_SOURCE6, 0);
        pt_nft_lookup(rule, PT_REG(REG_BY_ADDRESS), PT_REG(reg), MAP_ZONE, 0);
}

/* Zones from and to of a packet at a hook, in their registers. */
static void put_pair(struct nftnl_rule *rule, const FwZones *zones, int family, uint32_t hook)
{
        if (hook == NF_INET_LOCAL_OUT)
                pt_nft_immediate(rule, PT_REG(REG_FROM), &zones->router.number, 4);
        else
                put_zone(rule, zones, family, false, REG_FROM);
        if (hook == NF_INET_LOCAL_IN)
                pt_nft_immediate(rule, PT_REG(REG_TO), &zones->router.number, 4);
        else
                put_zone(rule, zones, family, true, REG_TO);
}

/* Without zones by address one rule serves both families. */
static void put_hook(PtNftBatch *batch, const FwZones *zones, const Hook *hook)
{
        static const int families[] = {AF_INET, AF_INET6}, both[] = {AF_UNSPEC};
        bool split = zones->sources4 || zones->sources6;
        const int *list = split ? families : both;
        struct nftnl_rule *rule;

        rule = pt_nft_rule_new(TABLE, hook->chain);
        pt_nft_verdict(rule, NFT_JUMP, CHAIN_PROLOGUE);
        fw_finish(batch, rule, CHAIN_PROLOGUE);
        if (hook->hook != NF_INET_FORWARD) {
                const char *prologue = hook->hook == NF_INET_LOCAL_IN ? CHAIN_PROLOGUE_INPUT
                                                                      : CHAIN_PROLOGUE_OUTPUT;

                rule = pt_nft_rule_new(TABLE, hook->chain);
                pt_nft_verdict(rule, NFT_JUMP, prologue);
                fw_finish(batch, rule, prologue);
        }
        rule = pt_nft_rule_new(TABLE, hook->chain);
        fw_match_state(rule, NF_CT_STATE_INVALID_BIT);
        fw_decide(batch, rule, NF_DROP, NULL, "invalid");

        for (unsigned i = 0; i < (split ? 2 : 1); i++) {
                rule = pt_nft_rule_new(TABLE, hook->chain);
                if (split)
                        fw_match_family(rule, list[i]);
                put_pair(rule, zones, list[i], hook->hook);
                pt_nft_lookup(rule, PT_REG(REG_FROM), PT_REG(REG_CLASS), MAP_CLASS, 0);
                pt_nft_lookup(rule, PT_REG(REG_CLASS), NFT_REG_VERDICT, hook->classes, 0);
                fw_finish(batch, rule, "dispatch");
        }
        for (unsigned i = 0; i < (split ? 2 : 1); i++) {
                rule = pt_nft_rule_new(TABLE, hook->chain);
                if (split)
                        fw_match_family(rule, list[i]);
                put_pair(rule, zones, list[i], hook->hook);
                pt_nft_lookup(rule, PT_REG(REG_FROM), NFT_REG_VERDICT, FW_MAP_DEFAULT, 0);
                fw_finish(batch, rule, "default");
        }
        /* The policy decides: it drops, but for what the router itself sends. */
        rule = pt_nft_rule_new(TABLE, hook->chain);
        pt_nft_counter(rule, 0, 0);
        fw_finish(batch, rule, "unassigned");
}

static void class_key(const FwZones *zones, const FwClass *klass, uint32_t ret[2])
{
        ret[0] = fw_zones_number(zones, klass->from);
        ret[1] = fw_zones_number(zones, klass->to);
}

static uint32_t hook_of(const FwPair *pair)
{
        if (!pair->from->zone)
                return NF_INET_LOCAL_OUT;
        return pair->to->zone ? NF_INET_FORWARD : NF_INET_LOCAL_IN;
}

static void put_pairs(PtNftBatch *batch, const FwZones *zones, const GArray *pairs,
                      uint32_t *set_id)
{
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = MAP_CLASS,
                .id = ++*set_id,
                .flags = NFT_SET_MAP,
                .key_type = TYPE_PAIR,
                .key_len = 8,
                .data_type = TYPE_PAIR,
                .data_len = 8,
        };

        pt_nft_batch_add_set(batch, &spec);
        pt_nft_batch_elements_begin(batch, TABLE, spec.name, spec.id, false);
        for (unsigned i = 0; i < pairs->len; i++) {
                const FwPair *pair = &g_array_index(pairs, FwPair, i);
                uint32_t from_to[] = {pair->from->number, pair->to->number}, key[2];
                struct nftnl_set_elem *e;

                if (!pair->klass)
                        continue;
                class_key(zones, pair->klass, key);
                e = element(from_to, sizeof(from_to));
                nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, key, sizeof(key));
                pt_nft_batch_element(batch, e);
        }
        pt_nft_batch_elements_end(batch);
}

/* Class to chain, for the classes that the hook's pairs have. */
static void put_chains(PtNftBatch *batch, const FwZones *zones, const GArray *pairs,
                       const Hook *hook, uint32_t *set_id)
{
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = hook->classes,
                .id = ++*set_id,
                .flags = NFT_SET_MAP,
                .key_type = TYPE_PAIR,
                .key_len = 8,
                .data_type = NFT_DATA_VERDICT,
        };
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);

        pt_nft_batch_add_set(batch, &spec);
        pt_nft_batch_elements_begin(batch, TABLE, spec.name, spec.id, false);
        for (unsigned i = 0; i < pairs->len; i++) {
                const FwPair *pair = &g_array_index(pairs, FwPair, i);
                uint32_t verdict = (uint32_t) NFT_JUMP, key[2];
                struct nftnl_set_elem *e;

                if (!pair->klass || hook_of(pair) != hook->hook ||
                    !g_hash_table_add(seen, pair->klass))
                        continue;
                class_key(zones, pair->klass, key);
                e = element(key, sizeof(key));
                nftnl_set_elem_set(e, NFTNL_SET_ELEM_VERDICT, &verdict, sizeof(verdict));
                nftnl_set_elem_set_str(e, NFTNL_SET_ELEM_CHAIN, pair->klass->chain);
                pt_nft_batch_element(batch, e);
        }
        pt_nft_batch_elements_end(batch);
}

static void put_defaults(PtNftBatch *batch, const GArray *pairs, GHashTable *defaults,
                         uint32_t *set_id)
{
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = FW_MAP_DEFAULT,
                .id = ++*set_id,
                .flags = NFT_SET_MAP,
                .key_type = TYPE_PAIR,
                .key_len = 8,
                .data_type = NFT_DATA_VERDICT,
                .counter = true,
        };

        pt_nft_batch_add_set(batch, &spec);
        pt_nft_batch_elements_begin(batch, TABLE, FW_MAP_DEFAULT, spec.id, false);
        for (unsigned i = 0; i < pairs->len; i++) {
                const FwPair *pair = &g_array_index(pairs, FwPair, i);
                uint32_t key[] = {pair->from->number, pair->to->number};
                FwAction action = fw_zones_default(pair->from, pair->to);
                uint32_t verdict = action == FW_ALLOW  ? NF_ACCEPT
                                   : action == FW_DROP ? NF_DROP
                                                       : (uint32_t) NFT_GOTO;
                g_autofree char *comment =
                        g_strdup_printf("default/%s/%s", pair->from->name, pair->to->name);
                struct nftnl_set_elem *e = element(key, sizeof(key));
                uint8_t userdata[NFT_USERDATA_MAXLEN];
                size_t size = pt_nft_userdata(comment, NULL, 0, userdata);
                const FwCount *count;
                uint64_t id;

                nftnl_set_elem_set(e, NFTNL_SET_ELEM_VERDICT, &verdict, sizeof(verdict));
                if (action == FW_REJECT)
                        nftnl_set_elem_set_str(e, NFTNL_SET_ELEM_CHAIN, FW_CHAIN_REJECT);
                nftnl_set_elem_set(e, NFTNL_SET_ELEM_USERDATA, userdata, (uint32_t) size);
                memcpy(&id, key, sizeof(id));
                count = defaults ? g_hash_table_lookup(defaults, &id) : NULL;
                if (count)
                        nftnl_set_elem_add_expr(e,
                                                pt_nft_counter_new(count->packets, count->bytes));
                pt_nft_batch_element(batch, e);
        }
        pt_nft_batch_elements_end(batch);
}

static void put_masquerade(PtNftBatch *batch, const FwZones *zones, uint32_t *set_id)
{
        PtNftSetSpec spec = {.table = TABLE,
                             .name = SET_MASQUERADE,
                             .id = ++*set_id,
                             .key_type = TYPE_MARK,
                             .key_len = 4};
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, CHAIN_POSTROUTING);

        pt_nft_batch_add_set(batch, &spec);
        pt_nft_batch_elements_begin(batch, TABLE, SET_MASQUERADE, spec.id, false);
        for (unsigned i = 0; i < zones->n; i++)
                if (zones->zones[i].zone->masquerade)
                        pt_nft_batch_element(batch, element(&zones->zones[i].number, 4));
        pt_nft_batch_elements_end(batch);

        fw_match_family(rule, AF_INET);
        put_zone(rule, zones, AF_INET, true, REG_TO);
        pt_nft_lookup(rule, PT_REG(REG_TO), -1, SET_MASQUERADE, spec.id);
        pt_nft_counter(rule, 0, 0);
        pt_nft_masquerade(rule);
        fw_finish(batch, rule, "masquerade");
}

void fw_ruleset_put_dispatch(const FwZones *zones, const GArray *pairs, GHashTable *defaults,
                             bool replace, uint32_t *set_id, PtNftBatch *batch)
{
        static const char *const sets[] = {MAP_INTERFACE, MAP_SOURCE4,    MAP_SOURCE6,   MAP_ZONE,
                                           MAP_CLASS,     FW_MAP_DEFAULT, SET_MASQUERADE};
        g_autoptr(GArray) nothing = g_array_new(FALSE, FALSE, sizeof(FwInterval));
        FwInterval all = {0};

        memset(all.hi, 0xff, sizeof(all.hi));
        g_array_append_val(nothing, all);
        if (replace) {
                for (unsigned i = 0; i < G_N_ELEMENTS(hooks); i++)
                        pt_nft_batch_flush_chain(batch, TABLE, hooks[i].chain);
                pt_nft_batch_flush_chain(batch, TABLE, CHAIN_POSTROUTING);
                for (unsigned i = 0; i < G_N_ELEMENTS(sets); i++)
                        pt_nft_batch_delete_set(batch, TABLE, sets[i]);
                for (unsigned i = 0; i < G_N_ELEMENTS(hooks); i++)
                        pt_nft_batch_delete_set(batch, TABLE, hooks[i].classes);
        }
        put_intervals(batch, MAP_INTERFACE, TYPE_IFNAME, 16, zones->interfaces, set_id);
        put_intervals(batch, MAP_SOURCE4, TYPE_IPADDR, 4, zones->sources4 ?: nothing, set_id);
        put_intervals(batch, MAP_SOURCE6, TYPE_IP6ADDR, 16, zones->sources6 ?: nothing, set_id);
        put_zone_of(batch, zones, set_id);
        put_pairs(batch, zones, pairs, set_id);
        put_defaults(batch, pairs, defaults, set_id);
        for (unsigned i = 0; i < G_N_ELEMENTS(hooks); i++) {
                put_chains(batch, zones, pairs, &hooks[i], set_id);
                put_hook(batch, zones, &hooks[i]);
        }
        put_masquerade(batch, zones, set_id);
}

static int read_default(struct nftnl_set_elem *e, void *userdata)
{
        GHashTable *defaults = userdata;
        uint32_t len = 0;
        const void *key = nftnl_set_elem_get(e, NFTNL_SET_ELEM_KEY, &len);
        FwCount count;

        if (key && len == 8 && pt_nft_element_counter(e, &count.packets, &count.bytes))
                g_hash_table_insert(defaults, g_memdup2(key, 8), g_memdup2(&count, sizeof(count)));
        return 0;
}

int fw_ruleset_read_defaults(PtNft *nft, GHashTable **ret)
{
        g_autoptr(GHashTable) defaults =
                g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
        int r = pt_nft_dump_elements(nft, TABLE, FW_MAP_DEFAULT, read_default, defaults);

        if (r < 0)
                return r;
        *ret = g_steal_pointer(&defaults);
        return 0;
}
