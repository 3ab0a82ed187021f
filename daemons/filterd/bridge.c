/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "bridge.h"

#include "base/marks.h"
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

#define TABLE PT_MARK_NFT_TABLE
#define CHAIN_MARKER "_rev"
#define REG 0

/* What is in the chains beside the rules. */
typedef enum Fixed {
        FIXED_NONE,        /* a rule's */
        FIXED_ESTABLISHED, /* part 0 */
        FIXED_INVALID,     /* part 0: IPv4, 1: IPv6 */
        FIXED_DEFAULT,
} Fixed;

/* A rule of the kernel. */
typedef struct Item {
        Fixed fixed;
        const FwFrameRule *rule; /* of FIXED_NONE */
        unsigned part;           /* its way, or one of several; with FW_PART_LOG */
        FwTag tag;
        char *comment;
} Item;

typedef struct Chain {
        FwBridgeDirection direction;
        GArray *items;
} Chain;

struct FwBridge {
        unsigned refs;
        GPtrArray *rules;
        const BridgeSettings *settings; /* a reference, or NULL */
        Chain chains[FW_BRIDGE_DIRECTION_MAX];
        GHashTable *sets;  /* name -> FwValueSet, whose bounds are the rules' */
        GHashTable *rates; /* name -> PtRate */
        PtDigest digest;   /* of all items */
};

static const struct {
        const char *name;
        uint32_t hook;
} chains[FW_BRIDGE_DIRECTION_MAX] = {
        [FW_BRIDGE_FORWARD] = {"forward", NF_BR_FORWARD},
        [FW_BRIDGE_IN] = {"input", NF_BR_LOCAL_IN},
        [FW_BRIDGE_OUT] = {"output", NF_BR_LOCAL_OUT},
};

static void item_clear(void *p)
{
        g_free(((Item *) p)->comment);
}

FwBridge *fw_bridge_ref(FwBridge *bridge)
{
        if (bridge)
                bridge->refs++;
        return bridge;
}

void fw_bridge_unref(FwBridge *bridge)
{
        if (!bridge || --bridge->refs > 0)
                return;
        for (unsigned i = 0; i < FW_BRIDGE_DIRECTION_MAX; i++)
                g_clear_pointer(&bridge->chains[i].items, g_array_unref);
        g_clear_pointer(&bridge->sets, g_hash_table_unref);
        g_clear_pointer(&bridge->rates, g_hash_table_unref);
        g_clear_pointer(&bridge->rules, g_ptr_array_unref);
        pt_object_unref((PtObject *) (uintptr_t) bridge->settings);
        g_free(bridge);
}

const GPtrArray *fw_bridge_rules(const FwBridge *bridge)
{
        return bridge->rules;
}

/* Building. */

static char *default_rate_name(const FwBridge *bridge)
{
        PtRate rate = fw_bridge_log_rate(bridge->settings);

        return g_strdup_printf("l_default/%u/%u", rate.count, rate.seconds);
}

static bool logs_default(const FwBridge *bridge)
{
        return bridge->settings && bridge->settings->log_default;
}

/* Whose identity is its name, and whose state is all that it is made of. */
static void add_fixed(FwBridge *bridge, Chain *chain, Fixed fixed, unsigned part,
                      const char *comment, int verdict)
{
        g_autofree char *rate = default_rate_name(bridge);
        g_autofree char *state = g_strdup_printf("%s %u %d %s", comment, part, verdict, rate);
        Item item = {
                .fixed = fixed,
                .part = part,
                .tag = {.version = FW_TAG_VERSION, .part = {(uint8_t) (part >> 8), (uint8_t) part}},
                .comment = g_strdup(comment)};
        PtDigest digest;

        pt_digest_of(comment, strlen(comment), &digest);
        memcpy(item.tag.uid, digest.bytes, sizeof(item.tag.uid));
        pt_digest_of(state, strlen(state), &digest);
        memcpy(item.tag.generation, digest.bytes, sizeof(item.tag.generation));
        g_array_append_val(chain->items, item);
        if (part & FW_PART_LOG && !g_hash_table_contains(bridge->rates, rate)) {
                PtRate value = fw_bridge_log_rate(bridge->settings);

                g_hash_table_insert(bridge->rates, g_steal_pointer(&rate),
                                    g_memdup2(&value, sizeof(value)));
        }
}

static void add_stateful(FwBridge *bridge, Chain *chain)
{
        add_fixed(bridge, chain, FIXED_ESTABLISHED, 0, "bridge/established", NF_ACCEPT);
        for (unsigned family = 0; family < 2; family++) {
                if (logs_default(bridge))
                        add_fixed(bridge, chain, FIXED_INVALID, family | FW_PART_LOG,
                                  "bridge/invalid", NF_DROP);
                add_fixed(bridge, chain, FIXED_INVALID, family, "bridge/invalid", NF_DROP);
        }
}

static void add_part(Chain *chain, const FwFrameRule *rule, unsigned part)
{
        const FirewallRule *view = &rule->effective.rule;
        Item item = {.rule = rule,
                     .part = part,
                     .comment = g_strdup_printf("BridgeRule/%s", view->object.name)};

        fw_tag_of(view, part, false, &item.tag);
        g_array_append_val(chain->items, item);
}

static void add_sets(FwBridge *bridge, const GArray *way)
{
        for (unsigned i = 0; i < way->len; i++) {
                FwValueSet set;
                g_autofree char *name = NULL;

                if (!fw_frame_test_set(&g_array_index(way, FwFrameTest, i), &set))
                        continue;
                name = fw_value_set_name(&set);
                if (!g_hash_table_contains(bridge->sets, name))
                        g_hash_table_insert(bridge->sets, g_steal_pointer(&name),
                                            g_memdup2(&set, sizeof(set)));
        }
}

static void add_rule(FwBridge *bridge, const FwFrameRule *rule)
{
        const FirewallRule *view = &rule->effective.rule;
        Chain *chain = &bridge->chains[rule->direction];
        const GPtrArray *ways = rule->effective.ways;

        for (unsigned part = 0; part < ways->len; part++) {
                add_sets(bridge, g_ptr_array_index(ways, part));
                if (fw_rule_logs(view))
                        add_part(chain, rule, part | FW_PART_LOG);
                add_part(chain, rule, part);
        }
        if (fw_rule_logs(view) && ways->len > 0) {
                PtRate rate = fw_object_rate(view);

                g_hash_table_replace(bridge->rates, fw_object_rate_name(view),
                                     g_memdup2(&rate, sizeof(rate)));
        }
}

static void add_default(FwBridge *bridge, Chain *chain)
{
        FwAction action = fw_bridge_default(bridge->settings, chain->direction);
        g_autofree char *comment =
                g_strconcat("bridge/default/", chains[chain->direction].name, NULL);

        if (action == FW_DROP && logs_default(bridge))
                add_fixed(bridge, chain, FIXED_DEFAULT, FW_PART_LOG, comment, NF_DROP);
        add_fixed(bridge, chain, FIXED_DEFAULT, 0, comment,
                  action == FW_DROP ? NF_DROP : NF_ACCEPT);
}

static void seal(FwBridge *bridge)
{
        PtHasher *hasher = pt_hasher_new();

        for (unsigned i = 0; i < FW_BRIDGE_DIRECTION_MAX; i++) {
                const GArray *items = bridge->chains[i].items;

                pt_hasher_add(hasher, &items->len, sizeof(items->len));
                for (unsigned k = 0; k < items->len; k++)
                        pt_hasher_add(hasher, &g_array_index(items, Item, k).tag, sizeof(FwTag));
        }
        pt_hasher_end(hasher, &bridge->digest);
}

int fw_bridge_new(const FwSource *source, FwEffective *effective, PtDiagnostics *diag,
                  FwBridge **ret)
{
        g_autoptr(FwBridge) bridge = NULL;
        const PtObject *settings = pt_slice_get(source->slice, &pt_kind_bridge_settings, "default");
        int r;

        *ret = NULL;
        if (!settings && pt_slice_count(source->slice, &pt_kind_bridge_rule) == 0)
                return 0;
        bridge = g_new0(FwBridge, 1);
        bridge->refs = 1;
        bridge->sets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        bridge->rates = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        if (settings)
                bridge->settings = (const BridgeSettings *) pt_object_ref(settings);
        for (FwBridgeDirection i = 0; i < FW_BRIDGE_DIRECTION_MAX; i++) {
                bridge->chains[i].direction = i;
                bridge->chains[i].items = g_array_new(FALSE, FALSE, sizeof(Item));
                g_array_set_clear_func(bridge->chains[i].items, item_clear);
        }
        r = fw_frame_rules_new(source, effective, diag, &bridge->rules);
        if (r < 0)
                return r;
        if (fw_bridge_stateful(bridge->settings))
                add_stateful(bridge, &bridge->chains[FW_BRIDGE_FORWARD]);
        for (unsigned i = 0; i < bridge->rules->len; i++)
                add_rule(bridge, g_ptr_array_index(bridge->rules, i));
        for (unsigned i = 0; i < FW_BRIDGE_DIRECTION_MAX; i++)
                add_default(bridge, &bridge->chains[i]);
        seal(bridge);
        *ret = g_steal_pointer(&bridge);
        return 0;
}

bool fw_bridge_same(const FwBridge *a, const FwBridge *b)
{
        return a && b ? pt_digest_equal(&a->digest, &b->digest) : a == b;
}

bool fw_bridge_is(const FwBridge *bridge, const PtDigest *marker)
{
        static const PtDigest none;

        return pt_digest_equal(bridge ? &bridge->digest : &none, marker);
}

/* Rules as the kernel has them. */

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
static void put_question(const Chain *chain, const Item *item, struct nftnl_rule *rule)
{
        switch (item->fixed) {
        case FIXED_NONE:
                fw_frame_way_put(
                        g_ptr_array_index(item->rule->effective.ways, item->part & ~FW_PART_LOG),
                        chain->direction, rule);
                return;
        case FIXED_ESTABLISHED:
                match_state(NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED),
                            rule);
                return;
        case FIXED_INVALID:
                match_ip(item->part & ~FW_PART_LOG, rule);
                match_state(NF_CT_STATE_INVALID_BIT, rule);
                return;
        case FIXED_DEFAULT:
                return;
        }
        g_assert_not_reached();
}

static void put_log(const FwBridge *bridge, const Item *item, struct nftnl_rule *rule)
{
        const FirewallRule *view = item->rule ? &item->rule->effective.rule : NULL;
        g_autofree char *rate = view ? fw_object_rate_name(view) : default_rate_name(bridge);
        g_autofree char *prefix =
                view ? fw_log_prefix(view)
                     : g_strdup(fw_reason_prefix(item->fixed == FIXED_INVALID ? FW_REASON_INVALID
                                                                              : FW_REASON_BRIDGE));

        pt_nft_object(rule, NFT_OBJECT_LIMIT, rate);
        pt_nft_log(rule, PT_MARK_NFLOG_GROUP, prefix);
}

/* NFT_CONTINUE: it only counts. */
static int verdict_of(const FwBridge *bridge, const Chain *chain, const Item *item)
{
        switch (item->fixed) {
        case FIXED_NONE:
                if (!fw_rule_decides(&item->rule->effective.rule))
                        return NFT_CONTINUE;
                return item->rule->effective.rule.action == FW_ALLOW ? NF_ACCEPT : NF_DROP;
        case FIXED_ESTABLISHED:
                return NF_ACCEPT;
        case FIXED_INVALID:
                return NF_DROP;
        case FIXED_DEFAULT:
                return fw_bridge_default(bridge->settings, chain->direction) == FW_DROP ? NF_DROP
                                                                                        : NF_ACCEPT;
        }
        g_assert_not_reached();
}

static struct nftnl_rule *rule_new(const FwBridge *bridge, const Chain *chain, const Item *item,
                                   const FwCount *count, bool carried)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chains[chain->direction].name);
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
        const Chain *chain;
        GArray *kernel;      /* FwKernelRule */
        const int *match;    /* item -> kernel, or -1 */
        GHashTable *orphans; /* uid as GBytes -> FwCount of rules that go */
} Sync;

static const Item *item_at(const Sync *sync, unsigned i)
{
        return &g_array_index(sync->chain->items, Item, i);
}

static struct nftnl_rule *make(unsigned i, void *userdata)
{
        const Sync *sync = userdata;
        const Item *item = item_at(sync, i);
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
static void match_items(const Chain *chain, GArray *kernel, int *match, GHashTable *orphans)
{
        g_autoptr(GHashTable) there = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
                                                            (GDestroyNotify) g_bytes_unref, NULL);

        for (unsigned k = 0; k < kernel->len; k++)
                g_hash_table_insert(there, part_key(&fw_kernel_rule(kernel, (int) k)->tag),
                                    GUINT_TO_POINTER(k + 1));
        for (unsigned i = 0; i < chain->items->len; i++) {
                g_autoptr(GBytes) key = part_key(&g_array_index(chain->items, Item, i).tag);

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
static void put_chain(const FwBridge *bridge, const Chain *chain, GArray *kernel, bool fresh,
                      PtNftBatch *batch)
{
        g_autofree int *match = g_new(int, chain->items->len + 1);
        g_autofree bool *keep = g_new0(bool, chain->items->len + 1);
        g_autoptr(GHashTable) orphans = g_hash_table_new_full(
                g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, g_free);
        Sync sync = {bridge, chain, kernel, match, orphans};
        FwResync resync = {.table = TABLE,
                           .chain = chains[chain->direction].name,
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

static void put_base(PtNftBatch *batch)
{
        pt_nft_batch_add_table(batch, TABLE);
        pt_nft_batch_add_chain(batch, TABLE, CHAIN_MARKER, NULL);
        for (unsigned i = 0; i < FW_BRIDGE_DIRECTION_MAX; i++) {
                PtNftHook hook = {"filter", chains[i].hook, NF_BR_PRI_FILTER_BRIDGED, NF_ACCEPT};

                pt_nft_batch_add_chain(batch, TABLE, chains[i].name, &hook);
        }
}

/* The rules of a chain; none of one that is not there. */
static int read_chain(PtNft *nft, FwBridgeDirection direction, GArray **ret)
{
        int r = fw_kernel_read_of(nft, NFPROTO_BRIDGE, TABLE, chains[direction].name, ret);

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
                r = read_chain(nft, i, &ret->rules[i]);
        return r;
}

static void put_all(const FwBridge *bridge, const Present *present, bool fresh, PtNftBatch *batch)
{
        put_base(batch);
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

/* Reading. */

static int read_marker(struct nftnl_rule *rule, void *userdata)
{
        PtDigest *digest = userdata;
        uint32_t size = 0;
        const void *data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &size);
        size_t len;
        const void *found =
                data ? pt_nft_userdata_find(data, size, PT_NFT_UDATA_PATRONUS, &len) : NULL;

        if (found && len == PT_DIGEST_SIZE)
                memcpy(digest->bytes, found, PT_DIGEST_SIZE);
        return 0;
}

int fw_bridge_read_marker(PtNft *nft, PtDigest *ret)
{
        PtDigest digest = {};
        int r = pt_nft_dump_rules_of(nft, NFPROTO_BRIDGE, TABLE, CHAIN_MARKER, read_marker,
                                     &digest);

        if (r < 0 && r != -ENOENT)
                return r;
        *ret = digest;
        return 0;
}

static bool chain_is(const Chain *chain, GArray *kernel)
{
        if (kernel->len != chain->items->len)
                return false;
        for (unsigned i = 0; i < kernel->len; i++)
                if (!fw_tag_same(&fw_kernel_rule(kernel, (int) i)->tag,
                                 &g_array_index(chain->items, Item, i).tag))
                        return false;
        return true;
}

int fw_bridge_verify(const FwBridge *bridge, bool changed, PtNft *nft, PtDiagnostics *diag)
{
        PtDigest marker;
        int r = fw_bridge_read_marker(nft, &marker);

        if (r < 0)
                return r;
        if (!fw_bridge_is(bridge, &marker)) {
                pt_diag_error(diag, "not-in-force", "",
                              "the marker of the table of bridges is another one: something else "
                              "changed the table");
                return -EUCLEAN;
        }
        for (unsigned i = 0; bridge && changed && i < FW_BRIDGE_DIRECTION_MAX; i++) {
                g_autoptr(GArray) kernel = NULL;

                r = read_chain(nft, i, &kernel);
                if (r < 0)
                        return r;
                if (chain_is(&bridge->chains[i], kernel))
                        continue;
                pt_diag_error(diag, "not-in-force", "",
                              "the kernel does not have chain %s of the table of bridges as it was "
                              "committed: something else changed it",
                              chains[i].name);
                return -EUCLEAN;
        }
        return 0;
}

/* Parts of one rule are next to each other, but for their logs, which count nothing. */
static void tell_counts(const Chain *chain, GArray *kernel,
                        void (*each)(const FwBridgeCount *count, void *userdata), void *userdata)
{
        for (unsigned i = 0; i < chain->items->len;) {
                const Item *item = &g_array_index(chain->items, Item, i);
                FwBridgeCount row = {.rule = item->rule,
                                     .name = item->rule ? item->rule->effective.rule.object.name
                                                        : item->comment,
                                     .chain = chains[chain->direction].name};

                for (; i < chain->items->len && memcmp(g_array_index(chain->items, Item, i).tag.uid,
                                                       item->tag.uid, sizeof(item->tag.uid)) == 0;
                     i++) {
                        const FwKernelRule *rule = fw_kernel_rule(kernel, (int) i);

                        row.count.packets += rule->count.packets;
                        row.count.bytes += rule->count.bytes;
                        row.carried |= (rule->tag.flags & FW_TAG_CARRIED) != 0;
                }
                each(&row, userdata);
        }
}

int fw_bridge_read_counts(const FwBridge *bridge, PtNft *nft,
                          void (*each)(const FwBridgeCount *count, void *userdata), void *userdata)
{
        for (unsigned i = 0; bridge && i < FW_BRIDGE_DIRECTION_MAX; i++) {
                g_autoptr(GArray) kernel = NULL;
                int r = read_chain(nft, i, &kernel);

                if (r < 0)
                        return r;
                if (chain_is(&bridge->chains[i], kernel))
                        tell_counts(&bridge->chains[i], kernel, each, userdata);
        }
        return 0;
}

/* Asking. */

/* The kernel tries all of a batch, and then throws it away because of its end: there is no such
 * chain. `ask` is NULL for the table alone. */
static int try_rule(PtNft *nft, void (*ask)(struct nftnl_rule *rule))
{
        g_autoptr(PtNftBatch) batch = pt_nft_batch_new(0);
        struct nftnl_rule *rule;
        g_autofree char *what = NULL;
        int r;

        pt_nft_batch_set_family(batch, NFPROTO_BRIDGE);
        put_base(batch);
        if (ask) {
                rule = pt_nft_rule_new(TABLE, chains[FW_BRIDGE_FORWARD].name);
                ask(rule);
                pt_nft_batch_append_rule(batch, rule);
        }
        pt_nft_batch_delete_chain(batch, TABLE, "no chain");
        r = pt_nft_send(nft, batch, &what);
        return r == -ENOENT && what && strstr(what, "no chain") ? 0 : r;
}

static void ask_bridge(struct nftnl_rule *rule)
{
        pt_nft_meta(rule, NFT_META_BRI_IIFNAME, PT_REG(REG));
}

static void ask_state(struct nftnl_rule *rule)
{
        pt_nft_ct(rule, NFT_CT_STATE, PT_REG(REG));
}

static int lacks(int error, const char *code, const char *text, PtDiagnostics *diag)
{
        if (error == -EPERM || error == -EINTR)
                return error;
        pt_diag_error(diag, code, "/spec", "%s", text);
        return -EOPNOTSUPP;
}

static const FwFrameRule *names_bridges(const FwBridge *bridge)
{
        for (unsigned i = 0; i < bridge->rules->len; i++) {
                const FwFrameRule *rule = g_ptr_array_index(bridge->rules, i);

                if (fw_frame_rule_origin(rule)->bridges.n > 0)
                        return rule;
        }
        return NULL;
}

int fw_bridge_probe(const FwBridge *before, const FwBridge *after, PtNft *nft, PtDiagnostics *diag)
{
        const FwFrameRule *named;
        bool stateful;
        int r;

        if (!after || fw_bridge_same(before, after))
                return 0;
        named = before && names_bridges(before) ? NULL : names_bridges(after);
        stateful = fw_bridge_stateful(after->settings) &&
                   !(before && fw_bridge_stateful(before->settings));
        r = before ? 0 : try_rule(nft, NULL);
        if (r < 0)
                r = lacks(r, "no-bridge",
                          "this kernel has no nf_tables for bridges (CONFIG_NF_TABLES_BRIDGE); "
                          "remove the rules and settings of bridges",
                          diag);
        if (r < 0)
                return r;
        if (named && (r = try_rule(nft, ask_bridge)) < 0) {
                pt_diag_set_subject(diag, "BridgeRule/%s", named->effective.rule.object.name);
                r = lacks(r, "no-bridge-meta",
                          "this kernel cannot tell bridges apart (CONFIG_NFT_BRIDGE_META, module "
                          "nft_meta_bridge); name ports in \"from\" and \"to\" instead of bridges",
                          diag);
        } else if (stateful && (r = try_rule(nft, ask_state)) < 0) {
                pt_diag_set_subject(diag, "BridgeSettings/default");
                r = lacks(r, "no-bridge-conntrack",
                          "this kernel does not follow connections through bridges "
                          "(CONFIG_NF_CONNTRACK_BRIDGE, module nf_conntrack_bridge); set "
                          "\"stateful\" to false",
                          diag);
        }
        pt_diag_set_subject(diag, NULL);
        return r < 0 ? r : 0;
}
