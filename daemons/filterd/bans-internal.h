/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to bans.c and bans-nft.c. */

#include "bans.h"

/* How many bans there are of each family and prefix length: a set and rules for each that is not 0. */
typedef struct FwBanLengths {
        uint32_t n[2][129];
} FwBanLengths;

static inline uint32_t *fw_ban_length(FwBanLengths *lengths, const FwBan *ban)
{
        return &lengths->n[ban->family == AF_INET ? 0 : 1][ban->plen];
}

/* Sets and elements of a sorted tree of bans (FwBan, its own key); with `create` the sets too. */
void fw_bans_put_elements(GTree *bans, uint64_t now, PtNftBatch *batch);
void fw_bans_delete_elements(GTree *bans, PtNftBatch *batch);
/* A set for each length that `after` has and `before` (NULL: nothing) has not. */
void fw_bans_put_sets(const FwBanLengths *before, const FwBanLengths *after, PtNftBatch *batch);
/* The other way round, once no rule names them. */
void fw_bans_delete_sets(const FwBanLengths *before, const FwBanLengths *after, PtNftBatch *batch);
/* All rules of the two chains; those that are there must go first. */
void fw_bans_put_rules(const FwBanLengths *lengths, GHashTable *counts, PtNftBatch *batch);
void fw_bans_delete_rules(PtNftBatch *batch);

/* What the rules of the two chains counted, by comment. -ENOENT: no such chains. */
int fw_bans_read_counts(PtNft *nft, GHashTable **ret);
/* Every ban in the kernel's sets, and which sets there are, also empty. -ENOENT: no table. */
int fw_bans_read(PtNft *nft, uint64_t now, GTree *ret, FwBanLengths *ret_sets);
