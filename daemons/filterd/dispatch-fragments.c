/* SPDX-License-Identifier: GPL-3.0-or-later */

/* From a fragment, as it came, to the class of its zone's rules about fragments. The base chain is
 * there when there are any such rules: it would cost each packet something. */

#include "dispatch-internal.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define MAP_FRAGMENTS "from_fragments"

/* Two bytes, and the bits of them that tell a fragment: an offset, or that more come. RFC 791 3.1,
 * RFC 8200 4.5; one with neither is whole (RFC 6946). */
#define IPV4_OFFSET 6
#define IPV4_FRAGMENT 0x3fff
#define IPV6_OFFSET 2
#define IPV6_FRAGMENT 0xfff9

static bool has_rules(const FwZones *zones, const GArray *pairs)
{
        for (unsigned i = 0; i < zones->n; i++)
                if (fw_pair_fragments(pairs, zones->n, i)->klass)
                        return true;
        return false;
}

static FwTarget to_class(int index, FwDispatchKey key, const void *userdata)
{
        const FwDispatch *dispatch = userdata;
        const FwPair *pair;

        if (index < 0)
                return fw_dispatch_rest(key, NFT_GOTO, CHAIN_FRAGMENTS_INTERFACE);
        pair = fw_pair_fragments(dispatch->pairs, dispatch->zones->n, (unsigned) index);
        /* What an address says is not asked of the interface again. */
        return pair->klass ? (FwTarget){NFT_GOTO, g_strdup(pair->klass->chain)}
                           : (FwTarget){NF_ACCEPT, NULL};
}

static void put_family(const FwDispatch *dispatch, int family)
{
        static const uint16_t none;
        uint16_t mask = htons(family == AF_INET ? IPV4_FRAGMENT : IPV6_FRAGMENT);
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, CHAIN_FRAGMENTS);

        fw_match_family(rule, family);
        if (family == AF_INET)
                pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, IPV4_OFFSET, sizeof(mask),
                               PT_REG(REG_DATA));
        else
                pt_nft_extension(rule, IPPROTO_FRAGMENT, IPV6_OFFSET, sizeof(mask),
                                 PT_REG(REG_DATA));
        pt_nft_mask(rule, PT_REG(REG_DATA), &mask, sizeof(mask));
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_NEQ, &none, sizeof(none));
        pt_nft_verdict(rule, NFT_JUMP, CHAIN_FRAGMENTS_OF);
        fw_finish(dispatch->batch, rule, CHAIN_FRAGMENTS_OF);
}

void fw_dispatch_put_fragments(const FwDispatch *dispatch)
{
        PtNftHook hook = {"filter", NF_INET_PRE_ROUTING, PT_MARK_PRIORITY_FRAGMENTS, NF_ACCEPT};
        FwSide side = {.name = MAP_FRAGMENTS,
                       .chain = CHAIN_FRAGMENTS_OF,
                       .by_interface = CHAIN_FRAGMENTS_INTERFACE,
                       .rest = FW_REST_PASSES,
                       .target_of = to_class,
                       .userdata = dispatch};

        if (!has_rules(dispatch->zones, dispatch->pairs))
                return;
        pt_nft_batch_add_chain(dispatch->batch, TABLE, CHAIN_FRAGMENTS_OF, NULL);
        pt_nft_batch_add_chain(dispatch->batch, TABLE, CHAIN_FRAGMENTS, &hook);
        put_family(dispatch, AF_INET);
        put_family(dispatch, AF_INET6);
        fw_dispatch_put_side(dispatch, &side);
}

void fw_dispatch_add_fragments(const FwDispatchTo *to, GHashTable *chains)
{
        if (!has_rules(to->zones, to->pairs))
                return;
        g_hash_table_add(chains, g_strdup(CHAIN_FRAGMENTS));
        g_hash_table_add(chains, g_strdup(CHAIN_FRAGMENTS_OF));
        if (to->zones->sources4 || to->zones->sources6)
                g_hash_table_add(chains, g_strdup(CHAIN_FRAGMENTS_INTERFACE));
}
