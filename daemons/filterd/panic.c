/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "panic.h"

#include "base/log.h"
#include "engine-nft.h"
#include "filter/guards.h"
#include "filter/interval.h"
#include "ruleset-internal.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <string.h>

#define RESTARTS_MAX 5
#define IPV6_HOP_LIMIT_OFFSET 7 /* RFC 8200 3 */

/* nft's datatype numbers, for listings only (nftables/include/datatype.h). */
enum { TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_INET_SERVICE = 13, TYPE_IFNAME = 41 };

static const struct {
        const char *chain;
        uint32_t hook;
        const char *comment;
} hooks[] = {
        {"panic_input", NF_INET_LOCAL_IN, "panic/input"},
        {"panic_forward", NF_INET_FORWARD, "panic/forward"},
        {"panic_output", NF_INET_LOCAL_OUT, "panic/output"},
};
const char *const fw_panic_chains[] = {"panic_input", "panic_forward", "panic_output", NULL};

enum { SET_PORTS, SET_INTERFACES, SET_SOURCES4, SET_SOURCES6, SET_MAX };
static const struct {
        const char *name;
        uint32_t type, len;
} sets[SET_MAX] = {
        [SET_PORTS] = {"panic_ports", TYPE_INET_SERVICE, 2},
        [SET_INTERFACES] = {"panic_if", TYPE_IFNAME, 16},
        [SET_SOURCES4] = {"panic_sources4", TYPE_IPADDR, 4},
        [SET_SOURCES6] = {"panic_sources6", TYPE_IP6ADDR, 16},
};

struct FwPanic {
        FwEngine *engine;
        FwBans *bans;
        PtNft *nft;
        bool on;
};

/* Rules. */

static GArray *bounds_of(const FwLockout *lockout, unsigned set)
{
        switch (set) {
        case SET_PORTS:
                return fw_lockout_ports(lockout);
        case SET_INTERFACES:
                return fw_lockout_interfaces(lockout);
        case SET_SOURCES4:
                return fw_lockout_sources(lockout, AF_INET);
        default:
                return fw_lockout_sources(lockout, AF_INET6);
        }
}

/* All four, also those that nothing asks: so what is taken away is always the same. */
static void put_sets(const FwLockout *lockout, PtNftBatch *batch)
{
        for (unsigned s = 0; s < SET_MAX; s++) {
                g_autoptr(GArray) bounds = lockout ? bounds_of(lockout, s) : NULL;
                PtNftSetSpec spec = {
                        .table = TABLE,
                        .name = sets[s].name,
                        .flags = NFT_SET_INTERVAL,
                        .key_type = sets[s].type,
                        .key_len = sets[s].len,
                };

                pt_nft_batch_add_set(batch, &spec);
                if (!bounds || bounds->len == 0)
                        continue;
                fw_bounds_merge(bounds, sets[s].len);
                pt_nft_batch_elements_begin(batch, TABLE, sets[s].name, 0, false);
                for (unsigned i = 0; i < bounds->len; i++) {
                        FwBounds *at = &g_array_index(bounds, FwBounds, i);

                        pt_nft_batch_key(batch, at->lo, sets[s].len, 0);
                        /* Ends are exclusive; an interval to the last value has none. */
                        if (fw_interval_increment(at->hi, sets[s].len))
                                pt_nft_batch_key(batch, at->hi, sets[s].len,
                                                 NFT_SET_ELEM_INTERVAL_END);
                }
                pt_nft_batch_elements_end(batch);
        }
}

static void put_loopback(const char *chain, bool out, PtNftBatch *batch)
{
        static const char lo[16] = "lo";
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);

        pt_nft_meta(rule, out ? NFT_META_OIFNAME : NFT_META_IIFNAME, PT_REG(REG_DATA));
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, lo, sizeof(lo));
        pt_nft_verdict(rule, NF_ACCEPT, NULL);
        fw_finish(batch, rule, "loopback");
}

/* Without it nobody is reached by IPv6, the administrator neither. RFC 4861: only with hop limit 255. */
static void put_discovery(const char *chain, PtNftBatch *batch)
{
        static const uint8_t first = ND_ROUTER_SOLICIT, last = ND_REDIRECT;
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);

        fw_match_family(rule, AF_INET6);
        fw_match_protocol(rule, IPPROTO_ICMPV6);
        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, IPV6_HOP_LIMIT_OFFSET, 1,
                       PT_REG(REG_DATA));
        fw_match_u8(rule, 255);
        pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, PT_REG(REG_DATA));
        pt_nft_range(rule, PT_REG(REG_DATA), NFT_RANGE_EQ, &first, &last, sizeof(first));
        pt_nft_verdict(rule, NF_ACCEPT, NULL);
        fw_finish(batch, rule, "discovery");
}

/* Who administers: what comes from there to the ports, or answers of connections that did. */
static void put_lockout(const FwLockout *lockout, const char *chain, bool out, int family,
                        PtNftBatch *batch)
{
        bool four = family == AF_INET;
        uint32_t size = four ? 4 : 16;
        uint8_t reply = IP_CT_DIR_REPLY;
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);

        if (lockout->interfaces.n > 0) {
                pt_nft_meta(rule, out ? NFT_META_OIFNAME : NFT_META_IIFNAME, PT_REG(REG_DATA));
                pt_nft_lookup(rule, PT_REG(REG_DATA), -1, sets[SET_INTERFACES].name, 0);
        }
        fw_match_family(rule, family);
        if (lockout->sources.n > 0) {
                pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, (four ? 12 : 8) + (out ? size : 0),
                               size, PT_REG(REG_DATA));
                pt_nft_lookup(rule, PT_REG(REG_DATA), -1,
                              sets[four ? SET_SOURCES4 : SET_SOURCES6].name, 0);
        }
        fw_match_protocol(rule, IPPROTO_TCP);
        pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, out ? 0 : 2, 2, PT_REG(REG_DATA));
        pt_nft_lookup(rule, PT_REG(REG_DATA), -1, sets[SET_PORTS].name, 0);
        if (out) {
                pt_nft_ct(rule, NFT_CT_DIRECTION, PT_REG(REG_DATA));
                pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, &reply, sizeof(reply));
        }
        pt_nft_verdict(rule, NF_ACCEPT, NULL);
        fw_finish(batch, rule, "anti-lockout");
}

static void put_hook(const FwZones *zones, unsigned h, GHashTable *counts, PtNftBatch *batch)
{
        PtNftHook hook = {"filter", hooks[h].hook, PT_MARK_PRIORITY_PANIC, NF_ACCEPT};
        const FwLockout *lockout = fw_lockout_of(zones);
        PtRate rate = fw_settings_log_rate(zones->settings);
        bool out = hooks[h].hook == NF_INET_LOCAL_OUT;
        struct nftnl_rule *rule;

        pt_nft_batch_add_chain(batch, TABLE, hooks[h].chain, &hook);
        if (hooks[h].hook != NF_INET_FORWARD) {
                put_loopback(hooks[h].chain, out, batch);
                put_discovery(hooks[h].chain, batch);
                if (lockout) {
                        put_lockout(lockout, hooks[h].chain, out, AF_INET, batch);
                        put_lockout(lockout, hooks[h].chain, out, AF_INET6, batch);
                }
        }
        rule = pt_nft_rule_new(TABLE, hooks[h].chain);
        pt_nft_limit(rule, rate.count, rate.seconds);
        pt_nft_log(rule, PT_MARK_NFLOG_GROUP, fw_reason_prefix(FW_REASON_PANIC));
        fw_finish(batch, rule, "log");
        fw_put_counted(batch, counts, pt_nft_rule_new(TABLE, hooks[h].chain), NF_DROP, NULL,
                       hooks[h].comment);
}

static void put_all(const FwZones *zones, GHashTable *counts, PtNftBatch *batch)
{
        put_sets(fw_lockout_of(zones), batch);
        for (unsigned h = 0; h < G_N_ELEMENTS(hooks); h++)
                put_hook(zones, h, counts, batch);
}

static void drop_all(PtNftBatch *batch)
{
        for (unsigned h = 0; h < G_N_ELEMENTS(hooks); h++) {
                pt_nft_batch_flush_chain(batch, TABLE, hooks[h].chain);
                pt_nft_batch_delete_chain(batch, TABLE, hooks[h].chain);
        }
        for (unsigned s = 0; s < SET_MAX; s++)
                pt_nft_batch_delete_set(batch, TABLE, sets[s].name);
}

void fw_panic_put(const FwPanic *panic, const FwZones *zones, GHashTable *counts, PtNftBatch *batch)
{
        if (panic->on)
                put_all(zones, counts, batch);
}

/* Switching. */

typedef struct Change {
        FwPanic *panic;
        bool on, was;
        FwBansDone done; /* NULL: the policy changed, and nobody waits */
        void *userdata;
} Change;

static int read_counts(PtNft *nft, GHashTable *counts)
{
        int r = 0;

        for (unsigned h = 0; r == 0 && h < G_N_ELEMENTS(hooks); h++) {
                r = -EINTR;
                for (unsigned i = 0; r == -EINTR && i < RESTARTS_MAX; i++)
                        r = pt_nft_dump_rules(nft, TABLE, hooks[h].chain, fw_read_count, counts);
        }
        return r;
}

static int make(PtNftBatch **ret, void *userdata)
{
        g_autoptr(PtNftBatch) batch = pt_nft_batch_new(0);
        g_autoptr(GHashTable) counts =
                g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        Change *change = userdata;
        const FwPanic *panic = change->panic;
        const FwLayout *layout = fw_engine_layout(panic->engine);
        int r = 0;

        if (!layout)
                return -ESRCH;
        change->was = panic->on;
        if (!change->done)
                change->on = panic->on;
        if (panic->on) {
                r = read_counts(panic->nft, counts);
                drop_all(batch);
        }
        if (r < 0)
                return r;
        if (change->on)
                put_all(layout->zones, counts, batch);
        *ret = g_steal_pointer(&batch);
        return 0;
}

static void made(int result, uint32_t n, void *userdata)
{
        g_autofree Change *change = userdata;

        if (result == 0)
                change->panic->on = change->on;
        if (change->done)
                change->done(result, change->was != change->on, change->userdata);
        else if (result < 0 && result != -ECANCELED)
                pt_log(LOG_ERR, "panic mode does not follow the new anti-lockout: %s",
                       strerror(-result));
}

static int send_change(FwPanic *panic, bool on, FwBansDone done, void *userdata)
{
        Change *change = g_new0(Change, 1);
        int r;

        *change = (Change){.panic = panic, .on = on, .done = done, .userdata = userdata};
        r = fw_bans_send_made(panic->bans, make, made, change);
        if (r < 0)
                g_free(change);
        return r;
}

int fw_panic_switch(FwPanic *panic, bool on, FwBansDone done, void *userdata)
{
        return send_change(panic, on, done, userdata);
}

void fw_panic_follow(FwPanic *panic)
{
        int r = panic->on ? send_change(panic, true, NULL, NULL) : 0;

        if (r < 0)
                pt_log(LOG_ERR, "panic mode does not follow the new anti-lockout: %s",
                       strerror(-r));
}

bool fw_panic_is_on(const FwPanic *panic)
{
        return panic && panic->on;
}

int fw_panic_new(int netns_fd, FwEngine *engine, FwBans *bans, FwPanic **ret)
{
        g_autoptr(FwPanic) panic = g_new0(FwPanic, 1);
        g_autoptr(GPtrArray) chains = NULL;
        int r;

        panic->engine = engine;
        panic->bans = bans;
        r = pt_nft_open(netns_fd, &panic->nft);
        if (r == 0)
                r = pt_nft_list_chains(panic->nft, TABLE, &chains);
        if (r < 0 && r != -ENOENT)
                return r;
        for (unsigned i = 0; chains && i < chains->len; i++)
                panic->on = panic->on || strcmp(g_ptr_array_index(chains, i), hooks[0].chain) == 0;
        *ret = g_steal_pointer(&panic);
        return 0;
}

void fw_panic_free(FwPanic *panic)
{
        if (!panic)
                return;
        pt_nft_close(panic->nft);
        g_free(panic);
}
