/* SPDX-License-Identifier: GPL-3.0-or-later */

/* From a packet to the chains that translate it: dispatch.c shows them. */

#include "dispatch-internal.h"
#include "nat.h"

#include <linux/netfilter.h>

#define MAP_NAT_IN "nat_in"
#define MAP_NAT_OUT "nat_out"

bool fw_dispatch_has_leaving(const FwZone *zone, GHashTable *nat)
{
        g_autofree char *back = fw_nat_chain(nat, FW_NAT_BACK, FW_ZONE_ANY);

        return back || zone->masquerades;
}

/* What an address says is not asked of the interface again. */
static FwTarget to_nat(const FwDispatch *dispatch, FwNatSide side, const FwZone *zone)
{
        char *chain = fw_nat_chain(dispatch->nat, side, zone->name);

        return chain ? (FwTarget){NFT_GOTO, chain} : (FwTarget){NF_ACCEPT, NULL};
}

static FwTarget to_nat_in(int index, FwDispatchKey key, const void *userdata)
{
        const FwDispatch *dispatch = userdata;

        if (index < 0)
                return fw_dispatch_rest(key, NFT_GOTO, CHAIN_PREROUTING_INTERFACE);
        return to_nat(dispatch, FW_NAT_IN, &dispatch->zones->zones[index]);
}

static FwTarget to_nat_out(int index, FwDispatchKey key, const void *userdata)
{
        const FwDispatch *dispatch = userdata;
        const FwZone *zone;

        if (index < 0)
                return fw_dispatch_rest(key, NFT_GOTO, CHAIN_POSTROUTING_INTERFACE);
        zone = &dispatch->zones->zones[index];
        return fw_dispatch_has_leaving(zone, dispatch->nat)
                       ? (FwTarget){NFT_GOTO, fw_dispatch_zone_chain('s', zone->name)}
                       : to_nat(dispatch, FW_NAT_OUT, zone);
}

typedef struct Back {
        unsigned zone;
        const char *chain, *by_interface;
} Back;

/* Of `back_lan`: what came from the zone by which it leaves. */
static FwTarget to_back(int index, FwDispatchKey key, const void *userdata)
{
        const Back *back = userdata;

        if (index < 0)
                return fw_dispatch_rest(key, NFT_JUMP, back->by_interface);
        return (unsigned) index == back->zone ? (FwTarget){NFT_JUMP, g_strdup(back->chain)}
                                              : (FwTarget){NFT_CONTINUE, NULL};
}

static char *back_map(const char *zone)
{
        return g_strdup_printf("back_%s", zone);
}

/* First what was reflected and goes back, then the zone's rules, then its own masquerade. */
static void put_leaving(const FwDispatch *dispatch, unsigned index)
{
        const FwZone *zone = &dispatch->zones->zones[index];
        g_autofree char *chain = fw_dispatch_zone_chain('s', zone->name),
                        *map = back_map(zone->name),
                        *by_interface = fw_dispatch_zone_chain('b', zone->name),
                        *back_chain = fw_nat_chain(dispatch->nat, FW_NAT_BACK, FW_ZONE_ANY),
                        *rules = fw_nat_chain(dispatch->nat, FW_NAT_OUT, zone->name);
        Back back = {index, back_chain, by_interface};
        FwSide side = {.name = map,
                       .chain = chain,
                       .by_interface = by_interface,
                       .comes_back = true,
                       .rest = FW_REST_PASSES,
                       .target_of = to_back,
                       .userdata = &back};
        struct nftnl_rule *rule;

        pt_nft_batch_add_chain(dispatch->batch, TABLE, chain, NULL);
        if (back_chain)
                fw_dispatch_put_side(dispatch, &side);
        if (rules)
                fw_dispatch_put_jump(dispatch, chain, rules);
        if (!zone->masquerades)
                return;
        rule = pt_nft_rule_new(TABLE, chain);
        pt_nft_verdict(rule, NFT_GOTO, CHAIN_MASQUERADE);
        fw_finish(dispatch->batch, rule, CHAIN_MASQUERADE);
}

void fw_dispatch_put_nat(const FwDispatch *dispatch)
{
        g_autofree char *own = fw_nat_chain(dispatch->nat, FW_NAT_IN, FW_ZONE_ROUTER);
        FwSide in = {.name = MAP_NAT_IN,
                     .chain = CHAIN_PREROUTING,
                     .by_interface = CHAIN_PREROUTING_INTERFACE,
                     .rest = FW_REST_PASSES,
                     .target_of = to_nat_in,
                     .userdata = dispatch};
        FwSide out = {.name = MAP_NAT_OUT,
                      .chain = CHAIN_POSTROUTING,
                      .by_interface = CHAIN_POSTROUTING_INTERFACE,
                      .out = true,
                      .rest = FW_REST_PASSES,
                      .target_of = to_nat_out,
                      .userdata = dispatch};

        for (unsigned i = 0; i < dispatch->zones->n; i++)
                if (fw_dispatch_has_leaving(&dispatch->zones->zones[i], dispatch->nat))
                        put_leaving(dispatch, i);
        fw_dispatch_put_side(dispatch, &in);
        fw_dispatch_put_side(dispatch, &out);
        if (own)
                fw_dispatch_put_jump(dispatch, CHAIN_OUTPUT_NAT, own);
}
