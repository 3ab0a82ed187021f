/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unused.h"

#include "identity.h"

typedef struct Uses {
        GHashTable *used; /* PtObject, by identity: borrowed, or keys of what does not exist */
        const PtSlice *slice;
        const PtObject *from;
        GPtrArray *unused; /* PtObject */
} Uses;

static int mark(const PtKind *kind, const char *name, const char *pointer, void *userdata)
{
        const Uses *uses = userdata;
        const PtObject *target = kind->passive ? pt_slice_get(uses->slice, kind, name) : NULL;

        /* What refers to itself is not used by that. */
        if (target && target != uses->from)
                g_hash_table_add(uses->used, (void *) target);
        return 0;
}

static int mark_all(const PtObject *object, void *userdata)
{
        Uses *uses = userdata;

        uses->from = object;
        return pt_object_foreach_ref(object, mark, uses);
}

static int collect(const PtObject *object, void *userdata)
{
        const Uses *uses = userdata;

        if (object->kind->passive && !(object->present & object->kind->acts_by) &&
            !g_hash_table_contains(uses->used, object))
                g_ptr_array_add(uses->unused, (void *) object);
        return 0;
}

static int compare(const void *a, const void *b)
{
        return pt_object_compare_identity(*(const PtObject *const *) a,
                                          *(const PtObject *const *) b);
}

void unused_report(const PtSlice *slice, PtDiagnostics *diag)
{
        g_autoptr(GHashTable) used = g_hash_table_new(identity_hash, identity_equal);
        g_autoptr(GPtrArray) unused = g_ptr_array_new();
        Uses uses = {.used = used, .slice = slice, .unused = unused};

        (void) pt_slice_foreach(slice, NULL, mark_all, &uses);
        (void) pt_slice_foreach(slice, NULL, collect, &uses);
        g_ptr_array_sort(unused, compare);
        for (guint i = 0; i < unused->len; i++) {
                const PtObject *object = g_ptr_array_index(unused, i);

                pt_diag_set_subject(diag, "%s/%s", object->kind->name, object->name);
                pt_diag_warning(diag, "unused", "",
                                "nothing refers to it: it does nothing; remove it, or refer to it");
        }
        pt_diag_set_subject(diag, NULL);
}
