/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the table of bridges becomes: rules, and how a chain is brought from one list to the next. */

#include "bridge-internal.h"

#include "bridge-put.h"
#include "filter/reason.h"
#include "netlink/nft-expr.h"
#include "objects.h"
#include "resync.h"
#include "sequence.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter_bridge.h>
#include <string.h>

static void match_ip(unsigned family, struct nftnl_rule *rule)
{
        uint16_t type = htons(family == 0 ? ETH_P_IP : ETH_P_IPV6);

        pt_nft_meta(rule, NFT_META_PROTOCOL, PT_REG(REG));
        pt_nft_cmp(rule, PT_REG(REG), NFT_CMP_EQ, &type, sizeof(type));
}

static void match_state(uint32_t states, struct nftnl_rule *rule)
{
        static const uint32_t zero;

        pt_nft_ct(rule, NFT_CT_STATE, PT_REG(REG));
        pt_nft_mask(rule, PT_REG(REG), &states, sizeof(states));
        pt_nft_cmp(rule, PT_REG(REG), NFT_CMP_NEQ, &zero, sizeof(zero));
}

/* What a frame that is no IP packet has is "invalid" too (nft_ct_get_eval() in
 * net/netfilter/nft_ct.c). */
static void put_question(const FwBridgeChain *chain, const FwBridgeItem *item,
                         struct nftnl_rule *rule)
{
        switch (item->fixed) {
        case FW_BRIDGE_FIXED_NONE:
                fw_frame_way_put(
                        g_ptr_array_index(item->rule->effective.ways, item->part & ~FW_PART_LOG),
                        chain->direction, rule);
                return;
        case FW_BRIDGE_FIXED_ESTABLISHED:
                match_state(NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED),
                            rule);
                return;
        case FW_BRIDGE_FIXED_INVALID:
                match_ip(item->part & ~FW_PART_LOG, rule);
                match_state(NF_CT_STATE_INVALID_BIT, rule);
                return;
        case FW_BRIDGE_FIXED_DEFAULT:
                return;
        }
        g_assert_not_reached();
}

static void put_log(const FwBridge *bridge, const FwBridgeItem *item, struct nftnl_rule *rule)
{
        const FirewallRule *view = item->rule ? &item->rule->effective.rule : NULL;
        g_autofree char *rate = view ? fw_object_rate_name(view) : fw_bridge_rate_name(bridge);
        g_autofree char *prefix =
                view ? fw_log_prefix(view)
                     : g_strdup(fw_reason_prefix(item->fixed == FW_BRIDGE_FIXED_INVALID
                                                         ? FW_REASON_INVALID
                                                         : FW_REASON_BRIDGE));

        pt_nft_object(rule, NFT_OBJECT_LIMIT, rate);
        pt_nft_log(rule, PT_MARK_NFLOG_GROUP, prefix);
}

/* NFT_CONTINUE: it only counts. */
static int verdict_of(const FwBridge *bridge, const FwBridgeChain *chain, const FwBridgeItem *item)
{
        switch (item->fixed) {
        case FW_BRIDGE_FIXED_NONE:
                if (!fw_rule_decides(&item->rule->effective.rule))
                        return NFT_CONTINUE;
                return item->rule->effective.rule.action == FW_ALLOW ? NF_ACCEPT : NF_DROP;
        case FW_BRIDGE_FIXED_ESTABLISHED:
                return NF_ACCEPT;
        case FW_BRIDGE_FIXED_INVALID:
                return NF_DROP;
        case FW_BRIDGE_FIXED_DEFAULT:
                return fw_bridge_default(bridge->settings, chain->direction) == FW_DROP ? NF_DROP
                                                                                        : NF_ACCEPT;
        }
        g_assert_not_reached();
}

static struct nftnl_rule *rule_new(const FwBridge *bridge, const FwBridgeChain *chain,
                                   const FwBridgeItem *item, const FwCount *count, bool carried)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, fw_bridge_chains[chain->direction].name);
        int verdict = verdict_of(bridge, chain, item);
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        FwTag tag = item->tag;

        put_question(chain, item, rule);
        if (item->part & FW_PART_LOG) {
                put_log(bridge, item, rule);
        } else {
                pt_nft_counter(rule, count->packets, count->bytes);
                if (verdict != NFT_CONTINUE)
                        pt_nft_verdict(rule, verdict, NULL);
        }
        tag.flags = carried ? FW_TAG_CARRIED : 0;
        nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, userdata,
                            (uint32_t) pt_nft_userdata(item->comment, &tag, sizeof(tag), userdata));
        return rule;
}

/* Writing. */

typedef struct Sync {
        const FwBridge *bridge;
        const FwBridgeChain *chain;
        GArray *kernel;      /* FwKernelRule */
        const int *match;    /* item -> kernel, or -1 */
        GHashTable *orphans; /* uid as GBytes -> FwCount of rules that go */
} Sync;

static const FwBridgeItem *item_at(const Sync *sync, unsigned i)
{
        return &g_array_index(sync->chain->items, FwBridgeItem, i);
}

static struct nftnl_rule *make(unsigned i, void *userdata)
{
        const Sync *sync = userdata;
        const FwBridgeItem *item = item_at(sync, i);
        FwCount count = {};

        if (sync->match[i] >= 0)
                count = fw_kernel_rule(sync->kernel, sync->match[i])->count;
        if (item->part == 0) {
                g_autoptr(GBytes) uid = g_bytes_new_static(item->tag.uid, sizeof(item->tag.uid));
                const FwCount *orphan = g_hash_table_lookup(sync->orphans, uid);

                count.packets += orphan ? orphan->packets : 0;
                count.bytes += orphan ? orphan->bytes : 0;
        }
        return rule_new(sync->bridge, sync->chain, item, &count, count.packets > 0);
}

static bool stale(const FwKernelRule *kernel, unsigned i, void *userdata)
{
        return !fw_tag_same(&kernel->tag, &item_at(userdata, i)->tag);
}

/* What tells parts apart: uid and part. */
static GBytes *part_key(const FwTag *tag)
{
        uint8_t key[sizeof(tag->uid) + sizeof(tag->part)];

        memcpy(key, tag->uid, sizeof(tag->uid));
        memcpy(key + sizeof(tag->uid), tag->part, sizeof(tag->part));
        return g_bytes_new(key, sizeof(key));
}

/* Finds the kernel's rule of each item, and what those have counted that no item is. */
static void match_items(const FwBridgeChain *chain, GArray *kernel, int *match, GHashTable *orphans)
{
        g_autoptr(GHashTable) there = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
                                                            (GDestroyNotify) g_bytes_unref, NULL);

        for (unsigned k = 0; k < kernel->len; k++)
                g_hash_table_insert(there, part_key(&fw_kernel_rule(kernel, (int) k)->tag),
                                    GUINT_TO_POINTER(k + 1));
        for (unsigned i = 0; i < chain->items->len; i++) {
                g_autoptr(GBytes) key = part_key(&g_array_index(chain->items, FwBridgeItem, i).tag);

                match[i] = (int) GPOINTER_TO_UINT(g_hash_table_lookup(there, key)) - 1;
                (void) g_hash_table_remove(there, key);
        }
        for (unsigned k = 0; k < kernel->len; k++) {
                const FwKernelRule *rule = fw_kernel_rule(kernel, (int) k);
                g_autoptr(GBytes) key = part_key(&rule->tag);
                GBytes *uid = g_bytes_new(rule->tag.uid, sizeof(rule->tag.uid));
                FwCount *count = g_hash_table_lookup(orphans, uid);

                if (!g_hash_table_contains(there, key)) {
                        g_bytes_unref(uid);
                        continue;
                }
                if (count) {
                        g_bytes_unref(uid);
                } else {
                        count = g_new0(FwCount, 1);
                        g_hash_table_insert(orphans, uid, count);
                }
                count->packets += rule->count.packets;
                count->bytes += rule->count.bytes;
        }
}

/* `fresh`: the table is made anew, and what it had only gives its counters. */
static void put_chain(const FwBridge *bridge, const FwBridgeChain *chain, GArray *kernel,
                      bool fresh, PtNftBatch *batch)
{
        g_autofree int *match = g_new(int, chain->items->len + 1);
        g_autofree bool *keep = g_new0(bool, chain->items->len + 1);
        g_autoptr(GHashTable) orphans = g_hash_table_new_full(
                g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, g_free);
        Sync sync = {bridge, chain, kernel, match, orphans};
        FwResync resync = {.table = TABLE,
                           .chain = fw_bridge_chains[chain->direction].name,
                           .kernel = kernel,
                           .match = match,
                           .keep = keep,
                           .n = chain->items->len};

        match_items(chain, kernel, match, orphans);
        if (fresh) {
                for (unsigned i = 0; i < chain->items->len; i++)
                        pt_nft_batch_append_rule(batch, make(i, &sync));
                return;
        }
        fw_sequence_keep(match, chain->items->len, keep);
        fw_resync(batch, &resync, make, stale, &sync);
}

static bool has_name(const GPtrArray *names, const char *name)
{
        for (unsigned i = 0; i < names->len; i++)
                if (strcmp(g_ptr_array_index(names, i), name) == 0)
                        return true;
        return false;
}

/* What the rules look up, before they do. */
static void put_sets(const FwBridge *bridge, const GPtrArray *there, PtNftBatch *batch)
{
        GHashTableIter iter;
        const char *name;
        FwValueSet *set;

        g_hash_table_iter_init(&iter, bridge->sets);
        while (g_hash_table_iter_next(&iter, (void **) &name, (void **) &set)) {
                if (there && has_name(there, name))
                        continue;
                pt_nft_batch_add_table(batch, TABLE);
                fw_value_set_put(set, TABLE, name, 0, batch);
        }
}

static void drop_unused(const FwBridge *before, const FwBridge *after, const GPtrArray *there,
                        PtNftBatch *batch)
{
        GHashTableIter iter;
        const char *name;

        for (unsigned i = 0; i < there->len; i++)
                if (!g_hash_table_contains(after->sets, g_ptr_array_index(there, i)))
                        pt_nft_batch_delete_set(batch, TABLE, g_ptr_array_index(there, i));
        if (!before)
                return;
        g_hash_table_iter_init(&iter, before->rates);
        while (g_hash_table_iter_next(&iter, (void **) &name, NULL))
                if (!g_hash_table_contains(after->rates, name))
                        pt_nft_batch_delete_object(batch, TABLE, name, NFT_OBJECT_LIMIT);
}

/* Those that are there already stay as they are (nf_tables_newobj()). */
static void put_rates(const FwBridge *bridge, PtNftBatch *batch)
{
        GHashTableIter iter;
        const char *name;
        const PtRate *rate;

        g_hash_table_iter_init(&iter, bridge->rates);
        while (g_hash_table_iter_next(&iter, (void **) &name, (void **) &rate))
                pt_nft_batch_add_limit(batch, TABLE, name, rate->count, rate->seconds);
}

static void put_marker(const FwBridge *bridge, PtNftBatch *batch)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, CHAIN_MARKER);
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        size_t size = pt_nft_userdata("what is in this table", bridge->digest.bytes, PT_DIGEST_SIZE,
                                      userdata);

        nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, userdata, (uint32_t) size);
        pt_nft_counter(rule, 0, 0);
        pt_nft_batch_flush_chain(batch, TABLE, CHAIN_MARKER);
        pt_nft_batch_append_rule(batch, rule);
}

void fw_bridge_put_base(PtNftBatch *batch)
{
        pt_nft_batch_add_table(batch, TABLE);
        pt_nft_batch_add_chain(batch, TABLE, CHAIN_MARKER, NULL);
        for (unsigned i = 0; i < FW_BRIDGE_DIRECTION_MAX; i++) {
                PtNftHook hook = {"filter", fw_bridge_chains[i].hook, NF_BR_PRI_FILTER_BRIDGED,
                                  NF_ACCEPT};

                pt_nft_batch_add_chain(batch, TABLE, fw_bridge_chains[i].name, &hook);
        }
}

int fw_bridge_read_chain(PtNft *nft, FwBridgeDirection direction, GArray **ret)
{
        int r = fw_kernel_read_of(nft, NFPROTO_BRIDGE, TABLE, fw_bridge_chains[direction].name,
                                  ret);

        if (r != -ENOENT)
                return r;
        *ret = g_array_new(FALSE, FALSE, sizeof(FwKernelRule));
        return 0;
}

typedef struct Present {
        GPtrArray *chains, *sets; /* names */
        GArray *rules[FW_BRIDGE_DIRECTION_MAX];
} Present;

static void present_clear(Present *present)
{
        g_clear_pointer(&present->chains, g_ptr_array_unref);
        g_clear_pointer(&present->sets, g_ptr_array_unref);
        for (unsigned i = 0; i < FW_BRIDGE_DIRECTION_MAX; i++)
                g_clear_pointer(&present->rules[i], g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Present, present_clear)

static int read_present(PtNft *nft, Present *ret)
{
        int r = pt_nft_list_chains_of(nft, NFPROTO_BRIDGE, TABLE, &ret->chains);

        if (r == 0 || r == -ENOENT)
                r = pt_nft_list_sets_of(nft, NFPROTO_BRIDGE, TABLE, &ret->sets);
        if (r == -ENOENT)
                r = 0;
        ret->chains = ret->chains ?: g_ptr_array_new();
        ret->sets = ret->sets ?: g_ptr_array_new();
        for (unsigned i = 0; r == 0 && i < FW_BRIDGE_DIRECTION_MAX; i++)
                r = fw_bridge_read_chain(nft, i, &ret->rules[i]);
        return r;
}

static void put_all(const FwBridge *bridge, const Present *present, bool fresh, PtNftBatch *batch)
{
        fw_bridge_put_base(batch);
        put_rates(bridge, batch);
        for (unsigned i = 0; i < FW_BRIDGE_DIRECTION_MAX; i++)
                put_chain(bridge, &bridge->chains[i], present->rules[i], fresh, batch);
        put_marker(bridge, batch);
}

static int put(const FwBridge *before, const FwBridge *after, bool whole, PtNft *nft,
               FwStages *stages)
{
        g_auto(Present) present = {};
        int r = read_present(nft, &present);
        bool there;

        if (r < 0)
                return r;
        there = present.chains->len > 0 || present.sets->len > 0;
        if ((whole || !after) && there)
                pt_nft_batch_delete_table(stages->batch, TABLE);
        if (!after)
                return 0;
        if (whole) {
                pt_nft_batch_add_table(stages->batch, TABLE);
                put_sets(after, NULL, stages->batch);
        } else {
                put_sets(after, present.sets, stages->before);
        }
        put_all(after, &present, whole, stages->batch);
        if (!whole)
                drop_unused(before, after, present.sets, stages->after);
        return 0;
}

static void set_family(FwStages *stages, uint8_t family)
{
        pt_nft_batch_set_family(stages->before, family);
        pt_nft_batch_set_family(stages->batch, family);
        pt_nft_batch_set_family(stages->after, family);
}

int fw_bridge_put(const FwBridge *before, const FwBridge *after, bool whole, PtNft *nft,
                  FwStages *stages)
{
        int r;

        if (!whole && fw_bridge_same(before, after))
                return 0;
        set_family(stages, NFPROTO_BRIDGE);
        r = put(before, after, whole, nft, stages);
        set_family(stages, NFPROTO_INET);
        return r;
}
