/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a rule demands of a packet, apart from its zones, with defaults filled in; and its two forms
 * in the kernel: a list of expressions, or keys of a verdict map.
 *
 * A rule has a shape when each of its dimensions is a choice of single values: addresses, prefixes
 * of one length, ports. Consecutive rules of one shape cannot both match a packet unless they have
 * a key in common, so they may stand in one map: their order does not matter.
 */

#include "kinds/firewall/firewall.h"
#include "netlink/nft-batch.h"

typedef struct FwMatch {
        const FirewallRule *rule; /* for what has one value, and is the same in all parts */
        int family;               /* AF_INET, AF_INET6, or AF_UNSPEC: both */
        int protocols[2];         /* IPPROTO_* */
        unsigned n_protocols;     /* 0: any */
        PtList saddr, daddr;      /* PtAddressRange; borrowed */
        PtList sport, dport;      /* PtPortRange; borrowed */
} FwMatch;

void fw_match_of(const FirewallRule *rule, FwMatch *ret);

/*
 * A rule with several ports, addresses or protocols is several rules in a chain, up to
 * FW_PARTS_MAX: a set for each would make the kernel walk the list of all sets for each new one
 * (nft_set_lookup). Only longer lists are worth a set. The number of parts, and one of them.
 */
#define FW_PARTS_MAX 16
unsigned fw_match_parts(const FwMatch *match);
void fw_match_part(const FwMatch *match, unsigned part, FwMatch *ret);

/* Appends the expressions to a rule; sets that they need go into the batch before. Uses *set_id for
 * their numbers. */
void fw_match_put(const FwMatch *match, const char *table, PtNftBatch *batch, uint32_t *set_id,
                  struct nftnl_rule *rule);

/* 0: the rule has no shape. */
uint32_t fw_match_shape(const FwMatch *match);

#define FW_KEY_MAX 44  /* two IPv6 addresses, protocol, two ports, each in whole registers */
#define FW_KEYS_MAX 64 /* keys of one rule; above, it has no shape */

typedef struct FwKey {
        uint8_t bytes[FW_KEY_MAX];
} FwKey;

/* How many keys a rule with a shape has. */
unsigned fw_match_key_count(const FwMatch *match);
/* The keys of a rule that has the shape; their number. */
unsigned fw_match_keys(const FwMatch *match, uint32_t shape, FwKey ret[static FW_KEYS_MAX]);
size_t fw_shape_key_len(uint32_t shape);
uint32_t fw_shape_key_type(uint32_t shape); /* nft's datatype numbers */
/* Appends what loads a packet's key and looks it up in the verdict map. */
void fw_shape_put(uint32_t shape, const char *map, uint32_t set_id, struct nftnl_rule *rule);
