/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "kept-counts.h"

#include "base/marks.h"
#include "emit-rule.h"
#include "netlink/nft-expr.h"
#include "resync.h"

#include <string.h>

#define TABLE PT_MARK_NFT_TABLE

static const char *const chains[] = {FW_CHAIN_KEPT, FW_CHAIN_KEPT_NAT};
#define N_CHAINS G_N_ELEMENTS(chains)
enum { KEPT_FILTER, KEPT_NAT };

struct FwKeptCounts {
        FwNatPolicy policy;
        unsigned read[N_CHAINS]; /* rules in the kernel's chain, whether in force or not */
};

FwKeptCounts *fw_kept_counts_new(FwEffective *effective, const PtSlice *slice)
{
        FwKeptCounts *kept = g_new0(FwKeptCounts, 1);

        kept->policy = fw_nat_policy(effective, slice);
        return kept;
}

void fw_kept_counts_free(FwKeptCounts *kept)
{
        g_free(kept);
}

/* Whether the object has rules in classes of the filter, or of translations. */
static bool lives(const FwNatPolicy *policy, unsigned sort, const PtObject *object)
{
        const FirewallRule *rule = (const FirewallRule *) object;

        if (object->kind == &pt_kind_nat_rule) {
                if (sort == KEPT_NAT)
                        return fw_nat_in_force(policy, (const NatRule *) object);
                rule = fw_effective_linked(policy, (const NatRule *) object);
                return rule && fw_rule_enabled(rule);
        }
        return sort == KEPT_FILTER && fw_rule_in_force(policy->slice, policy->times, rule);
}

static bool is_live(const FwKeptCounts *kept, unsigned sort, const FwKernelRule *rule)
{
        static const PtKind *const kinds[] = {&pt_kind_firewall_rule, &pt_kind_nat_rule};

        for (unsigned i = 0; rule->comment && i < G_N_ELEMENTS(kinds); i++) {
                size_t len = strlen(kinds[i]->name);
                const PtObject *object;
                uint8_t uid[16];

                if (strncmp(rule->comment, kinds[i]->name, len) != 0 || rule->comment[len] != '/')
                        continue;
                object = pt_slice_get(kept->policy.slice, kinds[i], rule->comment + len + 1);
                if (!object)
                        return false;
                pt_object_uid(object, uid);
                return memcmp(uid, rule->tag.uid, sizeof(uid)) == 0 &&
                       lives(&kept->policy, sort, object);
        }
        return false;
}

static int read_chain(PtNft *nft, const char *chain, GArray **ret)
{
        int r = fw_kernel_read(nft, TABLE, chain, ret);

        if (r != -ENOENT)
                return r;
        *ret = g_array_new(FALSE, FALSE, sizeof(FwKernelRule)); /* nothing waits */
        return 0;
}

int fw_kept_counts_read(FwKeptCounts *kept, PtNft *nft, FwCarry *carry)
{
        for (unsigned sort = 0; sort < N_CHAINS; sort++) {
                g_autoptr(GArray) rules = NULL;
                int r = read_chain(nft, chains[sort], &rules);

                if (r < 0)
                        return r;
                kept->read[sort] = rules->len;
                for (unsigned i = 0; i < rules->len; i++) {
                        const FwKernelRule *rule = fw_kernel_rule(rules, (int) i);

                        if (is_live(kept, sort, rule))
                                fw_carry_add(carry, chains[sort], rule->tag.uid,
                                             rule->count.packets, rule->count.bytes);
                }
        }
        return 0;
}

int fw_kept_counts_foreach(PtNft *nft,
                           void (*each)(const char *comment, const FwCount *count, void *userdata),
                           void *userdata)
{
        for (unsigned sort = 0; sort < N_CHAINS; sort++) {
                g_autoptr(GArray) rules = NULL;
                int r = read_chain(nft, chains[sort], &rules);

                if (r < 0)
                        return r;
                for (unsigned i = 0; i < rules->len; i++)
                        if (fw_kernel_rule(rules, (int) i)->comment)
                                each(fw_kernel_rule(rules, (int) i)->comment,
                                     &fw_kernel_rule(rules, (int) i)->count, userdata);
        }
        return 0;
}

/* What nobody took. */
typedef struct Left {
        const FwKeptCounts *kept;
        GHashTable *counts[N_CHAINS]; /* GBytes, a uid -> FwCount */
        unsigned waited[N_CHAINS];    /* of `counts`, how many are in the kernel's chain */
        bool fresh[N_CHAINS];         /* some are not */
        bool begun[N_CHAINS];         /* the chain is there, and has nothing else in it */
        PtNftBatch *batch;
} Left;

static void left_clear(Left *left)
{
        for (unsigned sort = 0; sort < N_CHAINS; sort++)
                g_clear_pointer(&left->counts[sort], g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Left, left_clear)

static void add_left(const char *chain, const uint8_t uid[static 16], const FwCount *count,
                     void *userdata)
{
        Left *left = userdata;
        bool waited = strcmp(chain, FW_CHAIN_KEPT) == 0 || strcmp(chain, FW_CHAIN_KEPT_NAT) == 0;
        unsigned sort = strcmp(waited ? chain : fw_carry_kept(chain), FW_CHAIN_KEPT_NAT) == 0
                                ? KEPT_NAT
                                : KEPT_FILTER;
        GBytes *key = g_bytes_new(uid, 16);
        FwCount *sum = g_hash_table_lookup(left->counts[sort], key);

        if (sum) {
                g_bytes_unref(key);
        } else {
                sum = g_new0(FwCount, 1);
                g_hash_table_insert(left->counts[sort], key, sum);
        }
        sum->packets += count->packets;
        sum->bytes += count->bytes;
        if (waited)
                left->waited[sort]++;
        else
                left->fresh[sort] = true;
}

static GBytes *uid_of(const PtObject *object)
{
        uint8_t uid[16];

        pt_object_uid(object, uid);
        return g_bytes_new(uid, sizeof(uid));
}

static int forget_deleted(const PtObject *before, const PtObject *after, void *userdata)
{
        Left *left = userdata;
        g_autoptr(GBytes) uid = before && !after ? uid_of(before) : NULL;

        for (unsigned sort = 0; uid && sort < N_CHAINS; sort++)
                g_hash_table_remove(left->counts[sort], uid);
        return 0;
}

static void put_rule(PtNftBatch *batch, const char *chain, const PtObject *object,
                     const FwCount *count)
{
        struct nftnl_rule *r = pt_nft_rule_new(TABLE, chain);
        uint8_t userdata[NFT_USERDATA_MAXLEN];

        pt_nft_counter(r, count->packets, count->bytes);
        nftnl_rule_set_data(
                r, NFTNL_RULE_USERDATA, userdata,
                (uint32_t) fw_rule_userdata((const FirewallRule *) object, 0, true, userdata));
        pt_nft_batch_append_rule(batch, r);
}

static int put_object(const PtObject *object, void *userdata)
{
        Left *left = userdata;
        g_autoptr(GBytes) uid = uid_of(object);

        for (unsigned sort = 0; sort < N_CHAINS; sort++) {
                const FwCount *count = g_hash_table_lookup(left->counts[sort], uid);

                if (!count || !lives(&left->kept->policy, sort, object))
                        continue;
                if (!left->begun[sort]) {
                        pt_nft_batch_add_chain(left->batch, TABLE, chains[sort], NULL);
                        pt_nft_batch_flush_chain(left->batch, TABLE, chains[sort]);
                        left->begun[sort] = true;
                }
                put_rule(left->batch, chains[sort], object, count);
        }
        return 0;
}

void fw_kept_counts_put(const FwKeptCounts *kept, const PtSlice *before, const FwCarry *carry,
                        PtNftBatch *batch)
{
        g_auto(Left) left = {.kept = kept, .batch = batch};
        bool same = true, any = false;

        for (unsigned sort = 0; sort < N_CHAINS; sort++)
                left.counts[sort] = g_hash_table_new_full(g_bytes_hash, g_bytes_equal,
                                                          (GDestroyNotify) g_bytes_unref, g_free);
        fw_carry_foreach(carry, add_left, &left);
        for (unsigned sort = 0; sort < N_CHAINS; sort++)
                same = same && !left.fresh[sort] && left.waited[sort] == kept->read[sort];
        if (same)
                return;
        /* Most of what nobody takes is of rules that went: then no rule need be looked at. */
        if (before)
                (void) pt_slice_compare(before, kept->policy.slice, forget_deleted, &left);
        for (unsigned sort = 0; sort < N_CHAINS; sort++)
                any = any || g_hash_table_size(left.counts[sort]) > 0;
        if (any) {
                (void) pt_slice_foreach(kept->policy.slice, &pt_kind_firewall_rule, put_object,
                                        &left);
                (void) pt_slice_foreach(kept->policy.slice, &pt_kind_nat_rule, put_object, &left);
        }
        for (unsigned sort = 0; sort < N_CHAINS; sort++) {
                if (left.begun[sort] || kept->read[sort] == 0)
                        continue;
                pt_nft_batch_flush_chain(batch, TABLE, chains[sort]);
                pt_nft_batch_delete_chain(batch, TABLE, chains[sort]);
        }
}
