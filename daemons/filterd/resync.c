/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "resync.h"

#include "netlink/nft-expr.h"

#include <linux/netfilter.h>
#include <string.h>

static void kernel_rule_clear(void *p)
{
        g_free(((FwKernelRule *) p)->comment);
}

static int read_kernel_rule(struct nftnl_rule *rule, void *userdata)
{
        GArray *rules = userdata;
        FwKernelRule k = {.handle = nftnl_rule_get_u64(rule, NFTNL_RULE_HANDLE),
                          .comment = pt_nft_rule_comment(rule)};

        /* A foreign rule has none: it matches nothing, and goes. */
        (void) fw_tag_read_rule(rule, &k.tag);
        (void) pt_nft_rule_counter(rule, &k.count.packets, &k.count.bytes);
        g_array_append_val(rules, k);
        return 0;
}

int fw_kernel_read(PtNft *nft, const char *table, const char *chain, GArray **ret)
{
        return fw_kernel_read_of(nft, NFPROTO_INET, table, chain, ret);
}

int fw_kernel_read_of(PtNft *nft, uint8_t family, const char *table, const char *chain,
                      GArray **ret)
{
        g_autoptr(GArray) rules = g_array_new(FALSE, FALSE, sizeof(FwKernelRule));
        int r;

        g_array_set_clear_func(rules, kernel_rule_clear);
        r = pt_nft_dump_rules_of(nft, family, table, chain, read_kernel_rule, rules);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&rules);
        return 0;
}

bool fw_kernel_rule_is(const FwKernelRule *kernel, const FwTag *tag)
{
        return memcmp(kernel->tag.uid, tag->uid, sizeof(tag->uid)) == 0;
}

/* Inserts first, before what they precede by its present handle; then replacements; then what
 * leaves. */
void fw_resync(PtNftBatch *batch, const FwResync *sync,
               struct nftnl_rule *(*make)(unsigned i, void *userdata),
               bool (*stale)(const FwKernelRule *kernel, unsigned i, void *userdata),
               void *userdata)
{
        g_autofree bool *stays = g_new0(bool, sync->kernel->len + 1);
        g_autofree uint64_t *anchors =
                g_new0(uint64_t, sync->n + 1); /* handle of the next that stays; 0: the end */

        for (unsigned i = sync->n; i-- > 0;)
                anchors[i] = sync->keep[i] ? fw_kernel_rule(sync->kernel, sync->match[i])->handle
                                           : anchors[i + 1];
        for (unsigned i = 0; i < sync->n; i++) {
                if (sync->keep[i]) {
                        stays[sync->match[i]] = true;
                        continue;
                }
                if (anchors[i])
                        pt_nft_batch_insert_rule(batch, make(i, userdata), anchors[i]);
                else
                        pt_nft_batch_append_rule(batch, make(i, userdata));
        }
        for (unsigned i = 0; i < sync->n; i++)
                if (sync->keep[i] &&
                    stale(fw_kernel_rule(sync->kernel, sync->match[i]), i, userdata))
                        pt_nft_batch_replace_rule(
                                batch, make(i, userdata),
                                fw_kernel_rule(sync->kernel, sync->match[i])->handle);
        for (unsigned k = 0; k < sync->kernel->len; k++)
                if (!stays[k])
                        pt_nft_batch_delete_rule(batch, sync->table, sync->chain,
                                                 fw_kernel_rule(sync->kernel, (int) k)->handle);
}
