/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * metadata.position of ordered kinds: the order of the file within a set, kept from one apply to
 * the next so that an unchanged object stays the same object. Gaps of POSITION_STEP leave room for
 * what comes between later.
 */

#include "txn/slice.h"

#define POSITION_STEP 1024

/* The set that an object lives in: its PT_LABEL_SET label, or "". */
const char *position_set(const PtObject *object);

/*
 * Gives each object (unsealed, of any kinds, in file order) of an ordered kind its position: its
 * own where the input says one; the one it has in `current` as long as these increase; else one
 * between its neighbours in the file, or, at the end of the file, after the last. `replaced` holds
 * the names of sets whose other objects go away (NULL: those of every set do), and so do not count.
 * -EINVAL with a diagnostic when there is no room.
 */
int position_assign(const PtSlice *current, const GPtrArray *objects, GHashTable *replaced,
                    PtDiagnostics *diag);
