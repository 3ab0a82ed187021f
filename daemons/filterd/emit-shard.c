/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rules in chains: shards, and what leads to units. */

#include "base/marks.h"
#include "emit-internal.h"
#include "netlink/nft-expr.h"
#include "sequence.h"

#include <string.h>

#define TABLE PT_MARK_NFT_TABLE

/* The rules of a shard as its chain has them: an entry may be several. */
typedef struct ShardItem {
        const FirewallRule *rule;
        unsigned part; /* of fw_rule_part_numbers() */
} ShardItem;

static GArray *shard_items(const FwShard *shard)
{
        GArray *items = g_array_sized_new(FALSE, FALSE, sizeof(ShardItem), shard->n);

        for (unsigned i = 0; i < shard->n; i++) {
                ShardItem item = {.rule = shard->rules[i]};
                unsigned parts = fw_match_parts(item.rule);

                for (unsigned part = 0; part < parts; part++) {
                        unsigned numbers[FW_PART_RULES_MAX];
                        unsigned n = fw_rule_part_numbers(item.rule, part, numbers);

                        for (unsigned k = 0; k < n; k++) {
                                item.part = numbers[k];
                                g_array_append_val(items, item);
                        }
                }
        }
        return items;
}

static struct nftnl_rule *rule_new(Emit *emit, PtNftBatch *batch, const FwRulePart *part)
{
        FwPutWith with = {emit->sets, emit->tags};

        return fw_rule_new(part, &with, batch, &emit->set_id);
}

void fw_emit_shard(Emit *emit, const FwShard *shard, bool fresh)
{
        g_autoptr(GArray) items = shard_items(shard);
        PtNftBatch *batch = emit->batch;

        if (fresh) {
                fw_stages_chain(emit->stages, shard->chain);
                batch = emit->stages->before;
        } else {
                pt_nft_batch_add_chain(batch, TABLE, shard->chain, NULL);
        }
        for (unsigned i = 0; i < items->len; i++) {
                const ShardItem *item = &g_array_index(items, ShardItem, i);
                FwRulePart part = {.chain = shard->chain, .rule = item->rule, .part = item->part};

                part.carried = item->part == 0 &&
                               fw_emit_take(emit, shard->owner, item->rule, &part.count);
                pt_nft_batch_append_rule(batch, rule_new(emit, batch, &part));
        }
        fw_touched_chain(emit->touched, shard->chain, shard->rules, shard->n);
}

typedef struct ShardSync {
        Emit *emit;
        const FwShard *shard;
        GArray *items;
        GArray *kernel;
        const int *match;
} ShardSync;

static bool shard_rule_stale(const FwKernelRule *kernel, unsigned i, void *userdata)
{
        const ShardSync *sync = userdata;
        const ShardItem *item = &g_array_index(sync->items, ShardItem, i);
        FwTag tag;

        fw_tag_of(item->rule, item->part, false, &tag);
        return !fw_tag_same(&kernel->tag, &tag) || fw_emit_rule_moves(sync->emit, item->rule);
}

/* What a rule begins at. One that only moves within the shard takes its own count along, any other
 * what left the class's chains and maps under its name. */
static bool begin_count(Emit *emit, const ShardSync *sync, unsigned i, FwCount *ret)
{
        const ShardItem *item = &g_array_index(sync->items, ShardItem, i);
        int match = sync->match[i];
        FwTag tag;

        *ret = (FwCount){0};
        fw_tag_of(item->rule, item->part, false, &tag);
        if (match >= 0 && fw_tag_same(&fw_kernel_rule(sync->kernel, match)->tag, &tag)) {
                *ret = fw_kernel_rule(sync->kernel, match)->count;
                return true;
        }
        return item->part == 0 && fw_emit_take(emit, sync->shard->owner, item->rule, ret);
}

void fw_emit_carry_chain(Emit *emit, const FwShard *before, const FwShard *after, GArray *kernel)
{
        g_autoptr(GArray) items = after ? shard_items(after) : NULL;

        for (unsigned k = 0; k < kernel->len; k++) {
                const FwKernelRule *rule = fw_kernel_rule(kernel, (int) k);
                bool stays = false;
                FwTag tag;

                for (unsigned i = 0; items && i < items->len && !stays; i++) {
                        const ShardItem *item = &g_array_index(items, ShardItem, i);

                        fw_tag_of(item->rule, item->part, false, &tag);
                        stays = fw_tag_same(&rule->tag, &tag);
                }
                if (!stays)
                        fw_carry_add(emit->carry, before->owner, rule->tag.uid, rule->count.packets,
                                     rule->count.bytes);
        }
}

static struct nftnl_rule *make_shard_rule(unsigned i, void *userdata)
{
        const ShardSync *sync = userdata;
        const ShardItem *item = &g_array_index(sync->items, ShardItem, i);
        FwRulePart part = {.chain = sync->shard->chain, .rule = item->rule, .part = item->part};

        part.carried = begin_count(sync->emit, sync, i, &part.count);
        return rule_new(sync->emit, sync->emit->batch, &part);
}

void fw_emit_shard_sync(Emit *emit, const FwShard *shard, GArray *kernel)
{
        g_autoptr(GArray) items = shard_items(shard);
        g_autofree int *match = g_new(int, items->len + 1);
        g_autofree bool *keep = g_new(bool, items->len + 1);
        ShardSync sync = {
                .emit = emit, .shard = shard, .items = items, .kernel = kernel, .match = match};
        FwResync resync = {.table = TABLE,
                           .kernel = kernel,
                           .match = match,
                           .keep = keep,
                           .n = items->len,
                           .chain = shard->chain};

        for (unsigned i = 0; i < items->len; i++) {
                const ShardItem *item = &g_array_index(items, ShardItem, i);
                FwTag tag;

                fw_tag_of(item->rule, item->part, false, &tag);
                match[i] = -1;
                for (unsigned k = 0; k < kernel->len && match[i] < 0; k++)
                        if (fw_kernel_rule_is(fw_kernel_rule(kernel, (int) k), &tag) &&
                            memcmp(fw_kernel_rule(kernel, (int) k)->tag.part, tag.part,
                                   sizeof(tag.part)) == 0)
                                match[i] = (int) k;
        }
        fw_sequence_keep(match, items->len, keep);
        fw_resync(emit->batch, &resync, make_shard_rule, shard_rule_stale, &sync);
        fw_touched_chain(emit->touched, shard->chain, shard->rules, shard->n);
}

void fw_emit_chain_drop(Emit *emit, const char *chain)
{
        pt_nft_batch_flush_chain(emit->stages->after, TABLE, chain);
        pt_nft_batch_delete_chain(emit->stages->after, TABLE, chain);
}

/* What leads to units. */

struct nftnl_rule *fw_emit_lead(const char *chain, const char *name)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        size_t size = pt_nft_userdata(name, NULL, 0, userdata);

        nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, userdata, (uint32_t) size);
        return rule;
}

static struct nftnl_rule *make_lead(unsigned i, void *userdata)
{
        const FwLeads *leads = userdata;

        return leads->make(i, leads->userdata);
}

static bool lead_stale(const FwKernelRule *kernel, unsigned i, void *userdata)
{
        return false; /* a unit's name says all that its rule does */
}

int fw_emit_leads_sync(Emit *emit, const FwLeads *leads)
{
        g_autofree int *match = g_new(int, leads->n + 1);
        g_autofree bool *keep = g_new(bool, leads->n + 1);
        g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(GArray) kernel = NULL;
        FwResync sync = {
                .table = TABLE, .match = match, .keep = keep, .n = leads->n, .chain = leads->chain};
        int r;

        r = fw_kernel_read(emit->nft, TABLE, leads->chain, &kernel);
        if (r < 0)
                return r;
        for (unsigned k = 0; k < kernel->len; k++)
                if (fw_kernel_rule(kernel, (int) k)->comment)
                        g_hash_table_insert(names, fw_kernel_rule(kernel, (int) k)->comment,
                                            GUINT_TO_POINTER(k + 1));
        for (unsigned i = 0; i < leads->n; i++)
                match[i] = (int) GPOINTER_TO_UINT(
                                   g_hash_table_lookup(names, leads->name(i, leads->userdata))) -
                           1;
        fw_sequence_keep(match, leads->n, keep);
        sync.kernel = kernel;
        fw_resync(emit->batch, &sync, make_lead, lead_stale, (void *) (uintptr_t) leads);
        return 0;
}
