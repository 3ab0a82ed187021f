/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "settings.h"

#include "filter/guards.h"
#include "filter/interval.h"
#include "ruleset-internal.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <string.h>

#define CHAIN_ANTISPOOF "p_antispoof"
#define CHAIN_BOGONS "p_bogons"
#define CHAIN_PRIVATE "p_private"

#define SET_LOCKOUT_INTERFACES "s_lockout_if"
#define SET_LOCKOUT4 "s_lockout4"
#define SET_LOCKOUT6 "s_lockout6"
#define SET_LOCKOUT_PORTS "s_lockout_ports"

#define IPPROTO_VRRP 112 /* RFC 9568 */

/* nft's datatype numbers, for listings only (nftables/include/datatype.h). */
enum { TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_INET_SERVICE = 13, TYPE_IFNAME = 41 };

static const struct {
        const char *set;
        int family;
        FwZoneGuards guard;
        const char *chain;
} blocked[] = {
        {"s_bogons4", AF_INET, FW_GUARD_BOGONS, CHAIN_BOGONS},
        {"s_bogons6", AF_INET6, FW_GUARD_BOGONS, CHAIN_BOGONS},
        {"s_private4", AF_INET, FW_GUARD_PRIVATE, CHAIN_PRIVATE},
        {"s_private6", AF_INET6, FW_GUARD_PRIVATE, CHAIN_PRIVATE},
};

static const struct {
        FwZoneGuards guard;
        const char *chain;
} guards[] = {
        {FW_GUARD_ANTISPOOF, CHAIN_ANTISPOOF},
        {FW_GUARD_BOGONS, CHAIN_BOGONS},
        {FW_GUARD_PRIVATE, CHAIN_PRIVATE},
};

const char *const fw_settings_chains[] = {FW_CHAIN_LOCKOUT, CHAIN_ANTISPOOF, CHAIN_BOGONS,
                                          CHAIN_PRIVATE, NULL};

static unsigned all_guards(const FwZones *zones)
{
        unsigned all = 0;

        for (unsigned i = 0; i < zones->n; i++)
                all |= zones->zones[i].guards;
        return all;
}

bool fw_settings_has_lockout(const FwZones *zones)
{
        return fw_lockout_of(zones) != NULL;
}

bool fw_settings_has_chain(const FwZones *zones, const char *chain)
{
        if (strcmp(chain, FW_CHAIN_LOCKOUT) == 0)
                return fw_settings_has_lockout(zones);
        for (unsigned i = 0; i < G_N_ELEMENTS(guards); i++)
                if (strcmp(chain, guards[i].chain) == 0)
                        return all_guards(zones) & guards[i].guard;
        return false;
}

/* Interval sets. */

static void put_element(GPtrArray *elements, const uint8_t *key, size_t len, uint32_t flags)
{
        struct nftnl_set_elem *e = nftnl_set_elem_alloc();

        g_assert(e);
        nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key, (uint32_t) len);
        if (flags)
                nftnl_set_elem_set_u32(e, NFTNL_SET_ELEM_FLAGS, flags);
        g_ptr_array_add(elements, e);
}

/* The set's whole name. */
static const char *put_set(FwStages *stages, const char *name, uint32_t type, size_t len,
                           GArray *bounds)
{
        GPtrArray *elements = fw_stages_elements_new();
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = name,
                .flags = NFT_SET_INTERVAL,
                .key_type = type,
                .key_len = (uint32_t) len,
        };

        fw_bounds_merge(bounds, len);
        for (unsigned i = 0; i < bounds->len; i++) {
                FwBounds *at = &g_array_index(bounds, FwBounds, i);

                put_element(elements, at->lo, len, 0);
                /* Ends are exclusive; an interval to the last value has none. */
                if (fw_interval_increment(at->hi, len))
                        put_element(elements, at->hi, len, NFT_SET_ELEM_INTERVAL_END);
        }
        return fw_stages_set(stages, &spec, elements);
}

/* Expressions. */

static void match_source(struct nftnl_rule *rule, int family, const char *set)
{
        fw_match_family(rule, family);
        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, family == AF_INET ? 12 : 8,
                       family == AF_INET ? 4 : 16, PT_REG(REG_DATA));
        if (set)
                pt_nft_lookup(rule, PT_REG(REG_DATA), -1, set, 0);
}

static void match_source_is(struct nftnl_rule *rule, int family, const uint8_t *address,
                            const uint8_t *mask)
{
        uint32_t len = family == AF_INET ? 4 : 16;

        match_source(rule, family, NULL);
        pt_nft_mask(rule, PT_REG(REG_DATA), mask, len);
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, address, len);
}

/* RFC 2131 4.1: who has no address yet asks from 0.0.0.0. */
static void put_dhcp_returns(PtNftBatch *batch, const char *chain)
{
        static const uint16_t client = 68, server = 67;
        static const uint8_t none[4], mask[4] = {255, 255, 255, 255};
        uint16_t ports[] = {htons(client), htons(server)};
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);

        match_source_is(rule, AF_INET, none, mask);
        fw_match_protocol(rule, IPPROTO_UDP);
        pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(ports), PT_REG(REG_DATA));
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, ports, sizeof(ports));
        pt_nft_verdict(rule, NFT_RETURN, NULL);
        fw_finish(batch, rule, "guard/dhcp");
}

static void put_log(const FwZones *zones, struct nftnl_rule *rule, FwReason reason,
                    PtNftBatch *batch)
{
        PtRate rate = fw_settings_log_rate(zones->settings);

        pt_nft_limit(rule, rate.count, rate.seconds);
        pt_nft_log(rule, PT_MARK_NFLOG_GROUP, fw_reason_prefix(reason));
        fw_finish(batch, rule, "log");
}

void fw_settings_put_log(const FwZones *zones, const char *chain, FwReason reason,
                         PtNftBatch *batch)
{
        if (zones->settings && zones->settings->log_default)
                put_log(zones, pt_nft_rule_new(TABLE, chain), reason, batch);
}

void fw_settings_put_log_invalid(const FwZones *zones, const char *chain, PtNftBatch *batch)
{
        struct nftnl_rule *rule;

        if (!zones->settings || !zones->settings->log_invalid)
                return;
        rule = pt_nft_rule_new(TABLE, chain);
        fw_match_state(rule, NF_CT_STATE_INVALID_BIT);
        put_log(zones, rule, FW_REASON_INVALID, batch);
}

/* RFC 3704 2.2, strict: the way back to the source leads out where it came in. */
static void match_no_way_back(struct nftnl_rule *rule)
{
        static const uint32_t nowhere;

        pt_nft_fib(rule, NFT_FIB_RESULT_OIF, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF, PT_REG(REG_DATA));
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, &nowhere, sizeof(nowhere));
}

static void put_antispoof(const FwZones *zones, GHashTable *counts, PtNftBatch *batch)
{
        static const uint8_t link_local[16] = {0xfe, 0x80}, link_mask[16] = {0xff, 0xc0};
        static const uint8_t unspecified[16];
        uint8_t all[16];
        struct nftnl_rule *rule;

        pt_nft_batch_add_chain(batch, TABLE, CHAIN_ANTISPOOF, NULL);
        put_dhcp_returns(batch, CHAIN_ANTISPOOF);
        memset(all, 0xff, sizeof(all));
        rule = pt_nft_rule_new(TABLE, CHAIN_ANTISPOOF);
        match_source_is(rule, AF_INET6, unspecified, all);
        pt_nft_verdict(rule, NFT_RETURN, NULL);
        fw_finish(batch, rule, "guard/unspecified");
        rule = pt_nft_rule_new(TABLE, CHAIN_ANTISPOOF);
        match_source_is(rule, AF_INET6, link_local, link_mask);
        pt_nft_verdict(rule, NFT_RETURN, NULL);
        fw_finish(batch, rule, "guard/link-local");
        rule = pt_nft_rule_new(TABLE, CHAIN_ANTISPOOF);
        fw_match_protocol(rule, IPPROTO_VRRP);
        pt_nft_verdict(rule, NFT_RETURN, NULL);
        fw_finish(batch, rule, "guard/vrrp");
        if (zones->settings->log_default) {
                rule = pt_nft_rule_new(TABLE, CHAIN_ANTISPOOF);
                match_no_way_back(rule);
                put_log(zones, rule, FW_REASON_ANTISPOOF, batch);
        }
        rule = pt_nft_rule_new(TABLE, CHAIN_ANTISPOOF);
        match_no_way_back(rule);
        fw_put_counted(batch, counts, rule, NF_DROP, NULL, "guard/antispoof");
}

static void put_blocked(const FwZones *zones, GHashTable *counts, FwStages *stages)
{
        PtNftBatch *batch = stages->batch;
        unsigned wanted = all_guards(zones);

        for (unsigned i = 0; i < G_N_ELEMENTS(blocked); i++) {
                bool ipv4 = blocked[i].family == AF_INET;
                g_autoptr(GArray) bounds = NULL;
                g_autofree char *comment = g_strconcat(
                        "guard/", blocked[i].guard == FW_GUARD_BOGONS ? "bogons" : "private", NULL);
                struct nftnl_rule *rule;
                const char *set;

                if (!(wanted & blocked[i].guard))
                        continue;
                bounds = fw_guard_sources(blocked[i].guard, blocked[i].family);
                set = put_set(stages, blocked[i].set, ipv4 ? TYPE_IPADDR : TYPE_IP6ADDR,
                              ipv4 ? 4 : 16, bounds);
                if (ipv4) {
                        pt_nft_batch_add_chain(batch, TABLE, blocked[i].chain, NULL);
                        put_dhcp_returns(batch, blocked[i].chain);
                }
                if (zones->settings->log_default) {
                        rule = pt_nft_rule_new(TABLE, blocked[i].chain);
                        match_source(rule, blocked[i].family, set);
                        put_log(zones, rule,
                                blocked[i].guard == FW_GUARD_BOGONS ? FW_REASON_BOGONS
                                                                    : FW_REASON_PRIVATE,
                                batch);
                }
                rule = pt_nft_rule_new(TABLE, blocked[i].chain);
                match_source(rule, blocked[i].family, set);
                fw_put_counted(batch, counts, rule, NF_DROP, NULL, comment);
        }
}

/* Anti-lockout. */

typedef struct LockoutSets {
        const char *ports, *interfaces, *sources; /* the last two: NULL: any */
} LockoutSets;

/* `family` AF_UNSPEC: from everywhere. */
static void put_lockout_rule(const LockoutSets *sets, int family, GHashTable *counts,
                             PtNftBatch *batch)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, FW_CHAIN_LOCKOUT);

        if (sets->interfaces) {
                pt_nft_meta(rule, NFT_META_IIFNAME, NFT_REG_1);
                pt_nft_lookup(rule, NFT_REG_1, -1, sets->interfaces, 0);
        }
        if (family != AF_UNSPEC)
                match_source(rule, family, sets->sources);
        fw_match_protocol(rule, IPPROTO_TCP);
        pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, PT_REG(REG_DATA));
        pt_nft_lookup(rule, PT_REG(REG_DATA), -1, sets->ports, 0);
        fw_put_counted(batch, counts, rule, NF_ACCEPT, NULL,
                       family == AF_INET6 ? "anti-lockout/ipv6" : "anti-lockout");
}

static void put_lockout(const FwLockout *lockout, GHashTable *counts, FwStages *stages)
{
        static const int families[] = {AF_INET, AF_INET6};
        g_autoptr(GArray) ports = fw_lockout_ports(lockout);
        LockoutSets sets = {0};

        pt_nft_batch_add_chain(stages->batch, TABLE, FW_CHAIN_LOCKOUT, NULL);
        sets.ports = put_set(stages, SET_LOCKOUT_PORTS, TYPE_INET_SERVICE, 2, ports);
        if (lockout->interfaces.n > 0) {
                g_autoptr(GArray) bounds = fw_lockout_interfaces(lockout);

                sets.interfaces = put_set(stages, SET_LOCKOUT_INTERFACES, TYPE_IFNAME,
                                          FW_INTERVAL_KEY_MAX, bounds);
        }
        if (lockout->sources.n == 0) {
                put_lockout_rule(&sets, AF_UNSPEC, counts, stages->batch);
                return;
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(families); i++) {
                bool ipv4 = families[i] == AF_INET;
                g_autoptr(GArray) bounds = fw_lockout_sources(lockout, families[i]);

                sets.sources = put_set(stages, ipv4 ? SET_LOCKOUT4 : SET_LOCKOUT6,
                                       ipv4 ? TYPE_IPADDR : TYPE_IP6ADDR, ipv4 ? 4 : 16, bounds);
                put_lockout_rule(&sets, families[i], counts, stages->batch);
        }
}

void fw_settings_put(const FwZones *zones, GHashTable *counts, FwStages *stages)
{
        const FwLockout *lockout = fw_lockout_of(zones);

        if (lockout)
                put_lockout(lockout, counts, stages);
        if (all_guards(zones) & FW_GUARD_ANTISPOOF)
                put_antispoof(zones, counts, stages->batch);
        put_blocked(zones, counts, stages);
}

void fw_settings_drop(const FwZones *zones, PtNftBatch *batch)
{
        for (const char *const *chain = fw_settings_chains; *chain; chain++)
                if (fw_settings_has_chain(zones, *chain)) {
                        pt_nft_batch_flush_chain(batch, TABLE, *chain);
                        pt_nft_batch_delete_chain(batch, TABLE, *chain);
                }
}

void fw_settings_put_guards(const FwZone *zone, const char *chain, PtNftBatch *batch)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(guards); i++) {
                struct nftnl_rule *rule;

                if (!(zone->guards & guards[i].guard))
                        continue;
                rule = pt_nft_rule_new(TABLE, chain);
                pt_nft_verdict(rule, NFT_JUMP, guards[i].chain);
                fw_finish(batch, rule, guards[i].chain);
        }
}
