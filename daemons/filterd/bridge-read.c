/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the kernel has of the table of bridges, and what it is able to. */

#include "bridge-internal.h"

#include "netlink/nft-expr.h"
#include "resync.h"

#include <linux/netfilter.h>
#include <string.h>

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

static bool chain_is(const FwBridgeChain *chain, GArray *kernel)
{
        if (kernel->len != chain->items->len)
                return false;
        for (unsigned i = 0; i < kernel->len; i++)
                if (!fw_tag_same(&fw_kernel_rule(kernel, (int) i)->tag,
                                 &g_array_index(chain->items, FwBridgeItem, i).tag))
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

                r = fw_bridge_read_chain(nft, i, &kernel);
                if (r < 0)
                        return r;
                if (chain_is(&bridge->chains[i], kernel))
                        continue;
                pt_diag_error(diag, "not-in-force", "",
                              "the kernel does not have chain %s of the table of bridges as it was "
                              "committed: something else changed it",
                              fw_bridge_chains[i].name);
                return -EUCLEAN;
        }
        return 0;
}

/* Parts of one rule are next to each other, but for their logs, which count nothing. */
static void tell_counts(const FwBridgeChain *chain, GArray *kernel,
                        void (*each)(const FwBridgeCount *count, void *userdata), void *userdata)
{
        for (unsigned i = 0; i < chain->items->len;) {
                const FwBridgeItem *item = &g_array_index(chain->items, FwBridgeItem, i);
                FwBridgeCount row = {.rule = item->rule,
                                     .name = item->rule ? item->rule->effective.rule.object.name
                                                        : item->comment,
                                     .chain = fw_bridge_chains[chain->direction].name};

                for (; i < chain->items->len &&
                       memcmp(g_array_index(chain->items, FwBridgeItem, i).tag.uid, item->tag.uid,
                              sizeof(item->tag.uid)) == 0;
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
                int r = fw_bridge_read_chain(nft, i, &kernel);

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
        fw_bridge_put_base(batch);
        if (ask) {
                rule = pt_nft_rule_new(TABLE, fw_bridge_chains[FW_BRIDGE_FORWARD].name);
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
