/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "nearest.h"

#include "base/text.h"

/* With more names than these, looking for the nearest one costs more than the hint is worth. */
#define NAMES_MAX 1000

static int collect_name(const PtObject *object, void *userdata)
{
        g_ptr_array_add(userdata, object->name);
        return 0;
}

/* `reserved`: names that are no objects count too. */
static char *find(const PtSlice *slice, const PtKind *kind, const char *name, bool reserved)
{
        g_autoptr(GPtrArray) names = g_ptr_array_new();

        if (pt_slice_count(slice, kind) <= NAMES_MAX)
                (void) pt_slice_foreach(slice, kind, collect_name, names);
        for (const char *const *word = kind->reserved_names; reserved && word && *word; word++)
                g_ptr_array_add(names, (void *) (uintptr_t) *word);
        for (const PtBuiltin *builtin = kind->builtins; builtin && builtin->name; builtin++)
                g_ptr_array_add(names, (void *) (uintptr_t) builtin->name);
        g_ptr_array_add(names, NULL);
        return g_strdup(pt_nearest_word(name, (const char *const *) names->pdata));
}

char *nearest_reference(const PtSlice *slice, const PtKind *kind, const char *name)
{
        return find(slice, kind, name, true);
}

char *nearest_not_found_text(const PtSlice *slice, const PtKind *kind, const char *name)
{
        g_autofree char *nearest = find(slice, kind, name, false);

        if (nearest)
                return g_strdup_printf("there is no %s \"%s\"; did you mean \"%s\"?", kind->name,
                                       name, nearest);
        return g_strdup_printf("there is no %s \"%s\"", kind->name, name);
}

int nearest_not_found(const PtSlice *slice, const PtKind *kind, const char *name,
                      PtDiagnostics *diag)
{
        g_autofree char *text = nearest_not_found_text(slice, kind, name);

        pt_diag_set_subject(diag, "%s/%s", kind->name, name);
        pt_diag_error(diag, "not-found", NULL, "%s", text);
        return -ENOENT;
}
