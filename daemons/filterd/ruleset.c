/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "ruleset.h"

#include "base/marks.h"
#include "counters.h"
#include "interval.h"
#include "netlink/nft-expr.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define TABLE PT_MARK_NFT_TABLE

#define CHAIN_INPUT "input"
#define CHAIN_FORWARD "forward"
#define CHAIN_OUTPUT "output"
#define CHAIN_POSTROUTING "postrouting"
#define CHAIN_PROLOGUE "prologue"
#define CHAIN_PROLOGUE_INPUT "prologue_input"
#define CHAIN_PROLOGUE_OUTPUT "prologue_output"
#define CHAIN_MARKER "_rev"

#define MAP_INTERFACE "if_zone"
#define MAP_SOURCE4 "src4_zone"
#define MAP_SOURCE6 "src6_zone"
#define MAP_ZONE "zone_of"
#define MAP_CLASS "pair_class"
#define MAP_CHAIN "class_chain"
#define SET_MASQUERADE "masquerade"

/* nft's datatype numbers (nftables/include/datatype.h), so that listings show names and numbers. */
enum { TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_MARK = 19, TYPE_IFNAME = 41 };
#define TYPE_PAIR (TYPE_MARK << 6 | TYPE_MARK)

/* Registers: 0-3 hold names and addresses, 4 and 5 partial zones, 8 and 9 the zones from and to, 10
 * and 11 the class. */
enum {
        REG_DATA = 0,
        REG_BY_ADDRESS = 4,
        REG_BY_INTERFACE = 5,
        REG_FROM = 8,
        REG_TO = 9,
        REG_CLASS = 10
};

static void finish(PtNftBatch *batch, struct nftnl_rule *rule, const char *comment)
{
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        size_t size = pt_nft_userdata(comment, NULL, 0, userdata);

        nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, userdata, (uint32_t) size);
        pt_nft_batch_append_rule(batch, rule);
}

/* Counts and decides. */
static void decide(PtNftBatch *batch, struct nftnl_rule *rule, int verdict, const char *chain,
                   const char *comment)
{
        pt_nft_counter(rule, 0, 0);
        pt_nft_verdict(rule, verdict, chain);
        finish(batch, rule, comment);
}

static void match_u8(struct nftnl_rule *rule, uint8_t value)
{
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, &value, sizeof(value));
}

static void match_family(struct nftnl_rule *rule, int family)
{
        pt_nft_meta(rule, NFT_META_NFPROTO, PT_REG(REG_DATA));
        match_u8(rule, family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
}

static void match_protocol(struct nftnl_rule *rule, uint8_t protocol)
{
        pt_nft_meta(rule, NFT_META_L4PROTO, PT_REG(REG_DATA));
        match_u8(rule, protocol);
}

static void match_state(struct nftnl_rule *rule, uint32_t state)
{
        static const uint32_t zero;

        pt_nft_ct(rule, NFT_CT_STATE, PT_REG(REG_DATA));
        pt_nft_mask(rule, PT_REG(REG_DATA), &state, sizeof(state));
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_NEQ, &zero, sizeof(zero));
}

/* An ICMP type between two, inclusive. */
static void match_icmp_type(struct nftnl_rule *rule, uint8_t lo, uint8_t hi)
{
        pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, PT_REG(REG_DATA));
        if (lo == hi)
                match_u8(rule, lo);
        else
                pt_nft_range(rule, PT_REG(REG_DATA), NFT_RANGE_EQ, &lo, &hi, sizeof(lo));
}

/* RFC 8200 3: the hop limit is the eighth byte. */
static void match_hop_limit(struct nftnl_rule *rule, uint8_t value)
{
        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, 7, 1, PT_REG(REG_DATA));
        match_u8(rule, value);
}

static void match_ports(struct nftnl_rule *rule, uint16_t source, uint16_t destination)
{
        uint16_t ports[] = {htons(source), htons(destination)};

        match_protocol(rule, IPPROTO_UDP);
        pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(ports), PT_REG(REG_DATA));
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, ports, sizeof(ports));
}

static struct nftnl_rule *icmp6(const char *chain)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);

        match_family(rule, AF_INET6);
        match_protocol(rule, IPPROTO_ICMPV6);
        return rule;
}

/* RFC 4861 6.1, 7.1, 8.1: valid only with hop limit 255, so that nobody sends it from afar. */
static void put_ndp(PtNftBatch *batch, const char *chain, const char *comment)
{
        struct nftnl_rule *rule = icmp6(chain);

        match_hop_limit(rule, 255);
        match_icmp_type(rule, ND_ROUTER_SOLICIT, ND_REDIRECT);
        decide(batch, rule, NF_ACCEPT, NULL, comment);
}

/* RFC 3810 5: hop limit 1. Versions 1 (130-132) and 2 (143). */
static void put_mld(PtNftBatch *batch, const char *chain, const char *comment)
{
        static const uint8_t types[][2] = {{130, 132}, {143, 143}};

        for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
                struct nftnl_rule *rule = icmp6(chain);

                match_hop_limit(rule, 1);
                match_icmp_type(rule, types[i][0], types[i][1]);
                decide(batch, rule, NF_ACCEPT, NULL, comment);
        }
}

static void put_loopback(PtNftBatch *batch, const char *chain, uint32_t key, const char *comment)
{
        static const char lo[16] = "lo";
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);

        pt_nft_meta(rule, key, NFT_REG_1);
        pt_nft_cmp(rule, NFT_REG_1, NFT_CMP_EQ, lo, sizeof(lo));
        decide(batch, rule, NF_ACCEPT, NULL, comment);
}

static void put_icmp_errors(PtNftBatch *batch)
{
        static const uint8_t types4[] = {ICMP_DEST_UNREACH, ICMP_TIME_EXCEEDED, ICMP_PARAMETERPROB};
        struct nftnl_rule *rule;

        /* RFC 4890 4.4.1: unreachable, too big, time exceeded, parameter problem: types 1-4. */
        rule = icmp6(CHAIN_PROLOGUE_INPUT);
        match_icmp_type(rule, ICMP6_DST_UNREACH, ICMP6_PARAM_PROB);
        decide(batch, rule, NF_ACCEPT, NULL, "prologue/icmpv6-errors");
        for (unsigned i = 0; i < G_N_ELEMENTS(types4); i++) {
                rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE_INPUT);
                match_family(rule, AF_INET);
                match_protocol(rule, IPPROTO_ICMP);
                match_icmp_type(rule, types4[i], types4[i]);
                decide(batch, rule, NF_ACCEPT, NULL, "prologue/icmp-errors");
        }
}

/* DHCP client: IPv4 by ports (RFC 2131 4.1), IPv6 from the link only (RFC 8415 7.2): replies are
 * not "established". */
static void put_dhcp(PtNftBatch *batch)
{
        static const uint8_t link_local[2] = {0xfe, 0x80}, link_mask[2] = {0xff, 0xc0};
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE_INPUT);

        match_family(rule, AF_INET);
        match_ports(rule, 67, 68);
        decide(batch, rule, NF_ACCEPT, NULL, "prologue/dhcp-client");
        rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE_INPUT);
        match_family(rule, AF_INET6);
        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, 8, sizeof(link_local), PT_REG(REG_DATA));
        pt_nft_mask(rule, PT_REG(REG_DATA), link_mask, sizeof(link_mask));
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, link_local, sizeof(link_local));
        match_ports(rule, 547, 546);
        decide(batch, rule, NF_ACCEPT, NULL, "prologue/dhcpv6-client");
        rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE_OUTPUT);
        match_family(rule, AF_INET);
        match_ports(rule, 68, 67);
        decide(batch, rule, NF_ACCEPT, NULL, "prologue/dhcp-client-output");
        rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE_OUTPUT);
        match_family(rule, AF_INET6);
        match_ports(rule, 546, 547);
        decide(batch, rule, NF_ACCEPT, NULL, "prologue/dhcpv6-client-output");
}

static void put_prologue(PtNftBatch *batch)
{
        static const uint8_t icmp_protocols[] = {IPPROTO_ICMP, IPPROTO_ICMPV6};
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE);

        match_state(rule, NF_CT_STATE_BIT(IP_CT_ESTABLISHED));
        decide(batch, rule, NF_ACCEPT, NULL, "prologue/established");
        /* Related is for ICMP errors; helpers' expectations are related too, and come with rules
         * that name one. */
        for (unsigned i = 0; i < G_N_ELEMENTS(icmp_protocols); i++) {
                rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE);
                match_state(rule, NF_CT_STATE_BIT(IP_CT_RELATED));
                match_protocol(rule, icmp_protocols[i]);
                decide(batch, rule, NF_ACCEPT, NULL,
                       i == 0 ? "prologue/related-icmp" : "prologue/related-icmpv6");
        }
        put_loopback(batch, CHAIN_PROLOGUE_INPUT, NFT_META_IIFNAME, "prologue/loopback-input");
        put_ndp(batch, CHAIN_PROLOGUE_INPUT, "prologue/ndp-input");
        put_mld(batch, CHAIN_PROLOGUE_INPUT, "prologue/mld-input");
        put_icmp_errors(batch);
        put_loopback(batch, CHAIN_PROLOGUE_OUTPUT, NFT_META_OIFNAME, "prologue/loopback-output");
        put_ndp(batch, CHAIN_PROLOGUE_OUTPUT, "prologue/ndp-output");
        put_mld(batch, CHAIN_PROLOGUE_OUTPUT, "prologue/mld-output");
        put_dhcp(batch);
}

void fw_ruleset_put_base(PtNftBatch *batch)
{
        static const struct {
                const char *name;
                PtNftHook hook;
        } hooks[] = {
                {CHAIN_INPUT, {"filter", NF_INET_LOCAL_IN, PT_MARK_PRIORITY_FILTER, NF_DROP}},
                {CHAIN_FORWARD, {"filter", NF_INET_FORWARD, PT_MARK_PRIORITY_FILTER, NF_DROP}},
                {CHAIN_OUTPUT, {"filter", NF_INET_LOCAL_OUT, PT_MARK_PRIORITY_FILTER, NF_ACCEPT}},
                {CHAIN_POSTROUTING,
                 {"nat", NF_INET_POST_ROUTING, PT_MARK_PRIORITY_SRCNAT, NF_ACCEPT}},
        };
        static const char *const chains[] = {CHAIN_PROLOGUE, CHAIN_PROLOGUE_INPUT,
                                             CHAIN_PROLOGUE_OUTPUT, FW_CHAIN_REJECT, CHAIN_MARKER};
        struct nftnl_rule *rule;

        pt_nft_batch_add_table(batch, TABLE);
        for (unsigned i = 0; i < G_N_ELEMENTS(chains); i++)
                pt_nft_batch_add_chain(batch, TABLE, chains[i], NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(hooks); i++)
                pt_nft_batch_add_chain(batch, TABLE, hooks[i].name, &hooks[i].hook);
        put_prologue(batch);

        rule = pt_nft_rule_new(TABLE, FW_CHAIN_REJECT);
        match_protocol(rule, IPPROTO_TCP);
        pt_nft_reject(rule, NFT_REJECT_TCP_RST, 0);
        finish(batch, rule, "reject/tcp");
        rule = pt_nft_rule_new(TABLE, FW_CHAIN_REJECT);
        pt_nft_reject(rule, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
        finish(batch, rule, "reject/other");
}

/* Dispatch. */

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
static void put_hook(PtNftBatch *batch, const FwZones *zones, const char *chain, uint32_t hook)
{
        static const int families[] = {AF_INET, AF_INET6}, both[] = {AF_UNSPEC};
        bool split = zones->sources4 || zones->sources6;
        const int *list = split ? families : both;
        struct nftnl_rule *rule;

        rule = pt_nft_rule_new(TABLE, chain);
        pt_nft_verdict(rule, NFT_JUMP, CHAIN_PROLOGUE);
        finish(batch, rule, CHAIN_PROLOGUE);
        if (hook != NF_INET_FORWARD) {
                const char *prologue =
                        hook == NF_INET_LOCAL_IN ? CHAIN_PROLOGUE_INPUT : CHAIN_PROLOGUE_OUTPUT;

                rule = pt_nft_rule_new(TABLE, chain);
                pt_nft_verdict(rule, NFT_JUMP, prologue);
                finish(batch, rule, prologue);
        }
        rule = pt_nft_rule_new(TABLE, chain);
        match_state(rule, NF_CT_STATE_INVALID_BIT);
        decide(batch, rule, NF_DROP, NULL, "invalid");

        for (unsigned i = 0; i < (split ? 2 : 1); i++) {
                rule = pt_nft_rule_new(TABLE, chain);
                if (split)
                        match_family(rule, list[i]);
                put_pair(rule, zones, list[i], hook);
                pt_nft_lookup(rule, PT_REG(REG_FROM), PT_REG(REG_CLASS), MAP_CLASS, 0);
                pt_nft_lookup(rule, PT_REG(REG_CLASS), NFT_REG_VERDICT, MAP_CHAIN, 0);
                finish(batch, rule, "dispatch");
        }
        for (unsigned i = 0; i < (split ? 2 : 1); i++) {
                rule = pt_nft_rule_new(TABLE, chain);
                if (split)
                        match_family(rule, list[i]);
                put_pair(rule, zones, list[i], hook);
                pt_nft_lookup(rule, PT_REG(REG_FROM), NFT_REG_VERDICT, FW_MAP_DEFAULT, 0);
                finish(batch, rule, "default");
        }
        /* The policy decides: it drops, but for what the router itself sends. */
        rule = pt_nft_rule_new(TABLE, chain);
        pt_nft_counter(rule, 0, 0);
        finish(batch, rule, "unassigned");
}

static void class_key(const FwZones *zones, const FwClass *klass, uint32_t ret[2])
{
        ret[0] = fw_zones_number(zones, klass->from);
        ret[1] = fw_zones_number(zones, klass->to);
}

/* Pair to class, class to chain. A chain is reached from one element, so that the kernel validates
 * it once. */
static void put_classes(PtNftBatch *batch, const FwZones *zones, const GArray *pairs,
                        uint32_t *set_id)
{
        PtNftSetSpec classes = {
                .table = TABLE,
                .name = MAP_CLASS,
                .id = ++*set_id,
                .flags = NFT_SET_MAP,
                .key_type = TYPE_PAIR,
                .key_len = 8,
                .data_type = TYPE_PAIR,
                .data_len = 8,
        };
        PtNftSetSpec chains = {
                .table = TABLE,
                .name = MAP_CHAIN,
                .id = ++*set_id,
                .flags = NFT_SET_MAP,
                .key_type = TYPE_PAIR,
                .key_len = 8,
                .data_type = NFT_DATA_VERDICT,
        };
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
        uint32_t key[2];

        pt_nft_batch_add_set(batch, &classes);
        pt_nft_batch_add_set(batch, &chains);
        pt_nft_batch_elements_begin(batch, TABLE, MAP_CLASS, classes.id, false);
        for (unsigned i = 0; i < pairs->len; i++) {
                const FwPair *pair = &g_array_index(pairs, FwPair, i);
                uint32_t from_to[] = {pair->from->number, pair->to->number};
                struct nftnl_set_elem *e;

                if (!pair->klass)
                        continue;
                class_key(zones, pair->klass, key);
                e = element(from_to, sizeof(from_to));
                nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, key, sizeof(key));
                pt_nft_batch_element(batch, e);
        }
        pt_nft_batch_elements_end(batch);
        pt_nft_batch_elements_begin(batch, TABLE, MAP_CHAIN, chains.id, false);
        for (unsigned i = 0; i < pairs->len; i++) {
                FwClass *klass = g_array_index(pairs, FwPair, i).klass;
                uint32_t verdict = (uint32_t) NFT_JUMP;
                struct nftnl_set_elem *e;

                if (!klass || !g_hash_table_add(seen, klass))
                        continue;
                class_key(zones, klass, key);
                e = element(key, sizeof(key));
                nftnl_set_elem_set(e, NFTNL_SET_ELEM_VERDICT, &verdict, sizeof(verdict));
                nftnl_set_elem_set_str(e, NFTNL_SET_ELEM_CHAIN, klass->chain);
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

        match_family(rule, AF_INET);
        put_zone(rule, zones, AF_INET, true, REG_TO);
        pt_nft_lookup(rule, PT_REG(REG_TO), -1, SET_MASQUERADE, spec.id);
        pt_nft_counter(rule, 0, 0);
        pt_nft_masquerade(rule);
        finish(batch, rule, "masquerade");
}

void fw_ruleset_put_dispatch(const FwZones *zones, const GArray *pairs, GHashTable *defaults,
                             bool replace, uint32_t *set_id, PtNftBatch *batch)
{
        static const struct {
                const char *chain;
                uint32_t hook;
        } hooks[] = {
                {CHAIN_INPUT, NF_INET_LOCAL_IN},
                {CHAIN_FORWARD, NF_INET_FORWARD},
                {CHAIN_OUTPUT, NF_INET_LOCAL_OUT},
        };
        static const char *const sets[] = {MAP_INTERFACE,  MAP_SOURCE4,   MAP_SOURCE6,
                                           MAP_ZONE,       MAP_CLASS,     MAP_CHAIN,
                                           FW_MAP_DEFAULT, SET_MASQUERADE};
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
        }
        put_intervals(batch, MAP_INTERFACE, TYPE_IFNAME, 16, zones->interfaces, set_id);
        put_intervals(batch, MAP_SOURCE4, TYPE_IPADDR, 4, zones->sources4 ?: nothing, set_id);
        put_intervals(batch, MAP_SOURCE6, TYPE_IP6ADDR, 16, zones->sources6 ?: nothing, set_id);
        put_zone_of(batch, zones, set_id);
        put_classes(batch, zones, pairs, set_id);
        put_defaults(batch, pairs, defaults, set_id);
        for (unsigned i = 0; i < G_N_ELEMENTS(hooks); i++)
                put_hook(batch, zones, hooks[i].chain, hooks[i].hook);
        put_masquerade(batch, zones, set_id);
}

/* Counters. */

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

typedef struct Fixed {
        void (*each)(const char *comment, uint64_t packets, uint64_t bytes, void *userdata);
        void *userdata;
        const char *chain;
} Fixed;

static int read_fixed_rule(struct nftnl_rule *rule, void *userdata)
{
        Fixed *fixed = userdata;
        g_autofree char *comment = pt_nft_rule_comment(rule);
        uint64_t packets, bytes;

        if (comment && pt_nft_rule_counter(rule, &packets, &bytes)) {
                g_autofree char *name = strchr(comment, '/')
                                                ? g_strdup(comment)
                                                : g_strdup_printf("%s/%s", comment, fixed->chain);

                fixed->each(name, packets, bytes, fixed->userdata);
        }
        return 0;
}

static int read_fixed_element(struct nftnl_set_elem *e, void *userdata)
{
        Fixed *fixed = userdata;
        uint32_t size = 0;
        const void *data = nftnl_set_elem_get(e, NFTNL_SET_ELEM_USERDATA, &size);
        uint64_t packets, bytes;
        size_t len;
        const char *comment =
                data ? pt_nft_userdata_find(data, size, PT_NFT_UDATA_COMMENT, &len) : NULL;

        if (comment && pt_nft_element_counter(e, &packets, &bytes))
                fixed->each(comment, packets, bytes, fixed->userdata);
        return 0;
}

int fw_ruleset_read_fixed(PtNft *nft,
                          void (*each)(const char *comment, uint64_t packets, uint64_t bytes,
                                       void *userdata),
                          void *userdata)
{
        static const char *const chains[] = {
                CHAIN_PROLOGUE, CHAIN_PROLOGUE_INPUT, CHAIN_PROLOGUE_OUTPUT, CHAIN_INPUT,
                CHAIN_FORWARD,  CHAIN_OUTPUT,         CHAIN_POSTROUTING};
        Fixed fixed = {.each = each, .userdata = userdata};
        int r = 0;

        for (unsigned i = 0; r == 0 && i < G_N_ELEMENTS(chains); i++) {
                fixed.chain = chains[i];
                r = pt_nft_dump_rules(nft, TABLE, chains[i], read_fixed_rule, &fixed);
        }
        return r ?: pt_nft_dump_elements(nft, TABLE, FW_MAP_DEFAULT, read_fixed_element, &fixed);
}

/* The marker: one rule that no packet reaches. */

typedef struct __attribute__((packed)) WireMarker {
        uint16_t version; /* big endian, as all of it */
        uint64_t revision;
        uint8_t root[PT_DIGEST_SIZE];
} WireMarker;

void fw_ruleset_put_marker(const FwMarker *marker, bool replace, PtNftBatch *batch)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, CHAIN_MARKER);
        g_autofree char *comment = g_strdup_printf("revision %" PRIu64, marker->revision);
        WireMarker wire = {.version = htobe16(marker->version),
                           .revision = htobe64(marker->revision)};
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        size_t size;

        memcpy(wire.root, marker->root.bytes, sizeof(wire.root));
        size = pt_nft_userdata(comment, &wire, sizeof(wire), userdata);
        nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, userdata, (uint32_t) size);
        pt_nft_counter(rule, 0, 0);
        if (replace)
                pt_nft_batch_flush_chain(batch, TABLE, CHAIN_MARKER);
        pt_nft_batch_append_rule(batch, rule);
}

typedef struct MarkerReader {
        FwMarker marker;
        unsigned n;
} MarkerReader;

static int read_marker(struct nftnl_rule *rule, void *userdata)
{
        MarkerReader *reader = userdata;
        uint32_t size = 0;
        const void *data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &size);
        size_t len;
        const WireMarker *wire =
                data ? pt_nft_userdata_find(data, size, PT_NFT_UDATA_PATRONUS, &len) : NULL;

        if (!wire || len != sizeof(*wire))
                return -ENOENT;
        reader->n++;
        reader->marker.version = be16toh(wire->version);
        reader->marker.revision = be64toh(wire->revision);
        memcpy(reader->marker.root.bytes, wire->root, sizeof(wire->root));
        return 0;
}

int fw_ruleset_read_marker(PtNft *nft, FwMarker *ret)
{
        MarkerReader reader = {0};
        int r = pt_nft_dump_rules(nft, TABLE, CHAIN_MARKER, read_marker, &reader);

        if (r < 0)
                return r;
        if (reader.n != 1)
                return -ENOENT;
        *ret = reader.marker;
        return 0;
}
