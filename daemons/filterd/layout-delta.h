/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a new slice does to a layout. A rule that enters, leaves or changes inside a long fold is a
 * patch: a few keys. Anything else cuts its class anew, at the cost of a pass over the class's
 * entries, and takes over the units that stay. Both give what fw_layout_new() would give; the tests
 * compare.
 */

#include "layout.h"

/* One effective rule that differs; both NULL never. */
typedef struct FwRuleChange {
        const FirewallRule *before, *after; /* references */
} FwRuleChange;

typedef struct FwPatch {
        FwClass *klass; /* borrowed from the layout */
        FwUnit *unit;
        const FirewallRule *before; /* NULL: enters */
        const FirewallRule *after;  /* NULL: leaves */
} FwPatch;

typedef struct FwClassChange {
        FwClass *before; /* NULL: new */
        FwClass *after;  /* NULL: gone */
} FwClassChange;

typedef struct FwLayoutDelta {
        FwLayout *layout;
        PtSlice *slice;
        FwZones *zones;         /* NULL: no zone changed */
        GHashTable *scopes;     /* NULL: the same */
        GArray *pairs;          /* NULL: the same; FwPair of the new zones */
        GHashTable *objects;    /* NULL: the same; of objects.h */
        FwSets *sets;           /* NULL: the same */
        GHashTable *nat_scopes; /* NULL: the same */
        GHashTable *pools;      /* NULL: the same */
        FwTags *tags;           /* NULL: the same */
        FwTimes *times;         /* as the effective rules have them; a reference, or NULL */
        bool dispatch;          /* zones, pairs or nat_scopes differ in what the kernel sees */
        GArray *rules;          /* FwRuleChange of what no slice holds; patches borrow */
        GArray *patches;        /* FwPatch */
        GArray *changes;        /* FwClassChange, of NAT classes too */
        unsigned created, updated, deleted; /* rules */
} FwLayoutDelta;

/* `live`: what aliases hold beside the slice from then on, or NULL. -EUCLEAN: the contents of a set
 * are not known any more; the whole must be loaded. */
int fw_delta_new(FwLayout *layout, PtSlice *slice, FwLive *live, PtDiagnostics *diag,
                 FwLayoutDelta **ret);
bool fw_delta_is_empty(const FwLayoutDelta *delta);
/* The layout becomes what the delta says; patches and changes must not be used any more. */
void fw_delta_apply(FwLayoutDelta *delta);
void fw_delta_free(FwLayoutDelta *delta);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwLayoutDelta, fw_delta_free)
