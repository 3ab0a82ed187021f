/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A layout, or what changes in it, as one batch; and what to look at afterwards to see that the
 * kernel has it.
 */

#include "counters.h"
#include "layout-delta.h"
#include "ruleset.h"

/* What a batch touched, for fw_touched_verify(). Bounded: of a large batch, a sample spread over
 * all of it. */
#define FW_TOUCHED_CHAINS_MAX 256
#define FW_TOUCHED_ELEMENTS_MAX 1024
#define FW_TOUCHED_SETS_MAX 1024

typedef struct FwTouched FwTouched;
FwTouched *fw_touched_new(void);
void fw_touched_free(FwTouched *touched);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwTouched, fw_touched_free)
/* 0, or -EUCLEAN with a diagnostic when the kernel has something else, or what reading said. */
int fw_touched_verify(const FwTouched *touched, PtNft *nft, PtDiagnostics *diag);

/* The whole table; one that exists is deleted first when `replace`. */
void fw_emit_all(const FwLayout *layout, const FwMarker *marker, bool replace, FwCarry *carry,
                 GHashTable *defaults, PtNftBatch *batch, FwTouched *touched);

/*
 * What differs. Reads from the kernel what it needs: the chains that change, and counters to carry.
 * -ENOENT or -EUCLEAN: the kernel does not have what the layout says; the whole must be replaced.
 * -EINTR: another transaction came between. From the first of several transactions to the last the
 * marker says so; `old` is what it says before.
 */
int fw_emit_delta(const FwLayoutDelta *delta, const FwMarker *marker, const FwMarker *old,
                  PtNft *nft, FwStages *stages, FwTouched *touched);
