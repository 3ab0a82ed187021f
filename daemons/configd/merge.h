/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Two configurations that began as one become one again: what I changed of `base` is done to
 * `theirs`. By object: what only one side changed is taken, what both changed alike is no conflict,
 * all else that both changed is one. Where an object of an ordered kind stands is a thing of its
 * own: to move a rule and to edit it do not collide (merge-order.c). One that was renamed is still
 * the same object, by its uid, so renaming what the other side deletes or edits is a conflict.
 *
 *         g_autoptr(Merge) merge = merge_new(base, mine, theirs, MERGE_REPORT);
 *         if (merge->conflicts->len == 0)
 *                 use(merge->merged);
 */

#include "txn/slice.h"

typedef enum MergePrefer {
        MERGE_REPORT, /* conflicts stay: `merged` is of no use then */
        MERGE_MINE,
        MERGE_THEIRS,
        MERGE_PREFER_MAX,
        MERGE_PREFER_INVALID = -EINVAL,
} MergePrefer;

/* What both changed. The objects are owned by the merge; NULL: there is none on that side. One that
 * was renamed has its other name. */
typedef struct Conflict {
        const PtObject *base, *mine, *theirs;
        const PtObject *beside; /* what they placed and I placed this one beside: only the order of
                                   the two is in conflict; else NULL */
} Conflict;

typedef struct Merge {
        PtSlice *base, *mine, *theirs; /* referenced */
        PtSlice *merged;
        GArray *conflicts; /* Conflict, by kind and name; with a preference they are resolved */
        GPtrArray *made;   /* PtObject, of which conflicts may speak */
        MergePrefer prefer;
} Merge;

/* "" is MERGE_REPORT, "mine", "theirs". */
MergePrefer merge_prefer_from_string(const char *text);

Merge *merge_new(PtSlice *base, PtSlice *mine, PtSlice *theirs, MergePrefer prefer);
void merge_free(Merge *merge);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Merge, merge_free)

/* The object that a conflict is named after: what it was called when both began. */
const PtObject *conflict_object(const Conflict *conflict);

/* For merge-order.c and back. */
void merge_add_conflict(Merge *merge, const Conflict *conflict);
/* The places of an ordered kind's objects in `merged`. */
void merge_order(Merge *merge, const PtKind *kind);
/* The object itself if it stands there already, else a sealed copy; the caller's. */
PtObject *merge_at(const PtObject *object, uint32_t position);
