/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Objects as keys of a GHashTable, by (kind, name). */

#include "kind/kind.h"

static inline guint identity_hash(gconstpointer key)
{
        const PtObject *object = key;

        return g_str_hash(object->name) ^ g_direct_hash(object->kind);
}

static inline gboolean identity_equal(gconstpointer a, gconstpointer b)
{
        const PtObject *x = a, *y = b;

        return x->kind == y->kind && g_str_equal(x->name, y->name);
}
