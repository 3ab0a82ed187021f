/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the aliases' sets have to do, as part of a batch. */

#include "emit.h"
#include "sets.h"

/* Sets that come, before the commit; of those that stay, elements that leave, then those that enter. Leaving ones
 * first, because the kernel refuses an interval that overlaps another one (nft_set_rbtree.c). */
void fw_sets_put(const FwSets *sets, FwStages *stages, FwTouched *touched);
/* An element of an external alias; 0: for as long as the alias says. */
struct nftnl_set_elem *fw_external_element(FwSetPart part, const void *key, uint64_t left_msec);
/* After the rules: sets that nothing looks up any more. */
void fw_sets_put_drops(const FwSets *sets, PtNftBatch *batch);
