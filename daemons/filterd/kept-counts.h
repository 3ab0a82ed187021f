/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Counts that no class has any more of rules that go on: of a rule for several pairs of zones, when
 * the class of some of them goes and the others' stay as they are; of one that is for other zones
 * now. They wait in two chains that nobody leads to, FW_CHAIN_KEPT and FW_CHAIN_KEPT_NAT, a rule
 * each, until the rule comes into a class or is made anew in one, or is not in force any more. So
 * the sum over a rule's rows does not fall by a commit.
 */

#include "emit.h"
#include "filter/effective.h"

typedef struct FwKeptCounts FwKeptCounts;

/* With the rules that are in force in `slice`; both are the caller's. */
FwKeptCounts *fw_kept_counts_new(FwEffective *effective, const PtSlice *slice);
void fw_kept_counts_free(FwKeptCounts *kept);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwKeptCounts, fw_kept_counts_free)
/* Adds what waits in the kernel to what is carried. */
int fw_kept_counts_read(FwKeptCounts *kept, PtNft *nft, FwCarry *carry);
/* What nobody took waits from then on; `before`: the slice until then, or NULL. */
void fw_kept_counts_put(const FwKeptCounts *kept, const PtSlice *before, const FwCarry *carry,
                        PtNftBatch *batch);

/* Each that waits: `comment` is "KIND/NAME". */
int fw_kept_counts_foreach(PtNft *nft,
                           void (*each)(const char *comment, const FwCount *count, void *userdata),
                           void *userdata);
