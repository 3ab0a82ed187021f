/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The fixed part of the table: base chains, prologue, dispatch to the classes, defaults,
 * masquerade, and the marker. */

#include "layout.h"
#include "netlink/nft.h"

/* Names and meaning of all that the table holds; another number in the marker means: replace the
 * whole. */
#define FW_LAYOUT_VERSION 1

#define FW_CHAIN_REJECT "reject"
#define FW_MAP_DEFAULT "pair_default"

/* The table with its chains; dispatch and classes come after. */
void fw_ruleset_put_base(PtNftBatch *batch);
/* Maps and rules of the base chains; with `replace`, what is there goes first. Class chains must
 * exist. Default counters begin at `defaults` (key: 8 bytes, from and to numbers as a uint64; value
 * FwCount), which may be NULL. */
void fw_ruleset_put_dispatch(const FwZones *zones, const GArray *pairs, GHashTable *defaults,
                             bool replace, uint32_t *set_id, PtNftBatch *batch);
/* The default counters as the kernel has them, for fw_ruleset_put_dispatch() and for people. */
int fw_ruleset_read_defaults(PtNft *nft, GHashTable **ret);
/* What the fixed rules have counted: `each` gets their comments. */
int fw_ruleset_read_fixed(PtNft *nft,
                          void (*each)(const char *comment, uint64_t packets, uint64_t bytes,
                                       void *userdata),
                          void *userdata);

typedef struct FwMarker {
        uint64_t revision;
        PtDigest root;
        uint16_t version; /* FW_LAYOUT_VERSION of who wrote it */
} FwMarker;

/* Goes last into a batch. */
void fw_ruleset_put_marker(const FwMarker *marker, bool replace, PtNftBatch *batch);
/* -ENOENT: no table, or none of ours. */
int fw_ruleset_read_marker(PtNft *nft, FwMarker *ret);
