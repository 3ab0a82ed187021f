/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the parts of the store know of datasets; the store's alone. What others may ask is in
 * store.h. */

#include "txn/store-internal.h"

/* Opens the folder below the state directory, and makes it. Returns the descriptor. */
int pt_store_datasets_open(int dirfd);
/* Notes what `after` refers to in the revision, at the cost of what differs. -EFBIG: more than
 * PT_STORE_DATASETS_MAX. */
int pt_store_datasets_intend(PtStore *store, PtStoreRevision *revision, const PtSlice *before,
                             const PtSlice *after);
/* The intent is decided now. */
void pt_store_datasets_decide(PtStore *store, const PtStoreRevision *revision);
