/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The fixed part of the table: base chains, prologue, dispatch to the classes, defaults,
 * masquerade, and the marker. */

#include "layout.h"
#include "netlink/nft.h"
#include "stages.h"

/* Names and meaning of all that the table holds; another number in the marker means: replace the
 * whole. */
#define FW_LAYOUT_VERSION 8

#define FW_CHAIN_REJECT "p_reject"

/* The table with its chains; dispatch and classes come after. */
void fw_ruleset_put_base(PtNftBatch *batch);
/* What packets are dispatched to; borrowed. */
typedef struct FwDispatchTo {
        const FwZones *zones;
        const GArray *pairs; /* FwPair */
        GHashTable *nat;     /* FwNat.scopes */
} FwDispatchTo;

/*
 * Maps and rules from the base chains to the classes. `old`: what packets are dispatched to now, in
 * whose place this comes; NULL: nothing. Counters of the fixed rules begin at `counts` (comment ->
 * FwCount), which may be NULL.
 */
void fw_ruleset_put_dispatch(const FwDispatchTo *to, const FwDispatchTo *old, GHashTable *counts,
                             FwStages *stages);
/* Adds what a rule has counted under its comment; for pt_nft_dump_rules(). `userdata`: comment ->
 * FwCount. */
int fw_read_count(struct nftnl_rule *rule, void *userdata);
/* What the fixed rules have counted, those of the zones included, by comment. -ENOENT: they are not
 * there; `partly`: those that are. */
int fw_ruleset_read_fixed(PtNft *nft, const FwZones *zones, bool partly, GHashTable **ret);

typedef struct FwMarker {
        uint64_t revision;
        PtDigest root;
        uint16_t version; /* FW_LAYOUT_VERSION of who wrote it */
        uint8_t times[8]; /* FwTimes.digest of the rules in force */
        /* What nothing leads to yet, or any more, may be there: a commit was about to begin, or has
         * not ended. */
        bool about_to_change, unswept;
        PtDigest live; /* of what the sets hold beside the slice; zero: nothing */
} FwMarker;

/* Goes last into a batch. */
void fw_ruleset_put_marker(const FwMarker *marker, bool replace, PtNftBatch *batch);
/* -ENOENT: no table, or none of ours. */
int fw_ruleset_read_marker(PtNft *nft, FwMarker *ret);
