/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the tests of slices and of the store share: objects that cost a line to make. */

#include "kinds/firewall/firewall.h"
#include "txn/slice.h"
#include "unit.h"

/* A sealed rule; `priority` makes two of one name differ. */
static inline PtObject *unit_rule(const char *name, unsigned priority)
{
        PtObject *object = pt_object_new(&pt_kind_firewall_rule, name);
        FirewallRule *rule = (FirewallRule *) (void *) object;

        rule->action = FW_ALLOW;
        rule->priority = (uint16_t) priority;
        object->present = UINT64_C(1) << FW_RULE_ACTION | UINT64_C(1) << FW_RULE_PRIORITY;
        pt_object_seal(object);
        return object;
}

static inline PtObject *unit_zone(const char *name, bool masquerade)
{
        PtObject *object = pt_object_new(&pt_kind_zone, name);

        ((Zone *) (void *) object)->masquerade = masquerade;
        object->present = UINT64_C(1) << ZONE_MASQUERADE;
        pt_object_seal(object);
        return object;
}

/* Puts an object and drops the caller's reference. */
static inline void unit_put(PtSlice *slice, PtObject *object)
{
        pt_slice_put(slice, object);
        pt_object_unref(object);
}

/* Rules rule-0 ... rule-(n-1). */
static inline PtSlice *unit_slice(unsigned n)
{
        PtSlice *slice = pt_slice_new();

        for (unsigned i = 0; i < n; i++) {
                g_autofree char *name = g_strdup_printf("rule-%u", i);

                unit_put(slice, unit_rule(name, i % 65536));
        }
        return slice;
}

static inline int unit_compare_position(const void *a, const void *b)
{
        const PtObject *x = *(PtObject *const *) a, *y = *(PtObject *const *) b;

        return x->position != y->position
                       ? (x->position > y->position) - (x->position < y->position)
                       : pt_object_compare_identity(x, y);
}

/* "name:position ...", in the order of the positions. */
static inline char *unit_order(const PtSlice *slice)
{
        g_autoptr(GPtrArray) objects = pt_slice_sorted(slice, NULL);
        GString *out = g_string_new(NULL);

        g_ptr_array_sort(objects, unit_compare_position);
        for (guint i = 0; i < objects->len; i++) {
                const PtObject *object = g_ptr_array_index(objects, i);

                g_string_append_printf(out, "%s%s:%u", i ? " " : "", object->name,
                                       object->position);
        }
        return g_string_free(out, false);
}

static inline PtDigest unit_root(const PtSlice *slice)
{
        PtDigest root;

        pt_slice_root(slice, &root);
        return root;
}

static inline void unit_root_hex(const PtSlice *slice, char ret[static PT_DIGEST_HEX + 1])
{
        PtDigest root = unit_root(slice);

        pt_digest_to_hex(&root, ret);
}

static inline bool unit_same_root(const PtSlice *a, const PtSlice *b)
{
        PtDigest root_a = unit_root(a), root_b = unit_root(b);

        return pt_digest_equal(&root_a, &root_b);
}
#define assert_same_root(a, b) assert_true(unit_same_root(a, b))
#define assert_other_root(a, b) assert_false(unit_same_root(a, b))
