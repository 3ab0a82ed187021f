/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A layout that random steps have changed is the layout of the last slice: names, order, units,
 * keys. */

#include "filter-unit.h"
#include "layout-delta.h"
#include "objects.h"
#include "nat.h"

/* Of a rule that is no view of others, the object; else what it comes from, and how that reads. */
static void assert_same_rule(const FirewallRule *a, const FirewallRule *b)
{
        const FwEffectiveRule *x = fw_effective_of(a), *y = fw_effective_of(b);

        assert_ptr_equal(x ? x->origin : &a->object, y ? y->origin : &b->object);
        assert_true(pt_digest_equal(&a->object.digest, &b->object.digest));
}

static void assert_same_piece(const FwPiece *a, const FwPiece *b)
{
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->sort, b->sort);
        assert_int_equal(a->family, b->family);
        assert_int_equal(a->shape, b->shape);
        assert_int_equal(a->ranges, b->ranges);
        assert_int_equal(a->item_size, b->item_size);
        assert_int_equal(a->n, b->n);
        for (unsigned i = 0; i < a->n; i++) {
                const FwItem *x = fw_piece_item(a, i), *y = fw_piece_item(b, i);

                if (x->rule)
                        assert_same_rule(x->rule, y->rule);
                assert_int_equal(g_strcmp0(x->chain, y->chain), 0);
                assert_memory_equal(x->keys, y->keys, a->item_size - sizeof(*x));
        }
}

static void assert_same_plan(const FwPlan *a, const FwPlan *b)
{
        assert_true(!a == !b);
        if (!a)
                return;
        assert_int_equal(a->chains->len, b->chains->len);
        for (unsigned i = 0; i < a->chains->len; i++) {
                const FwChain *x = g_ptr_array_index(a->chains, i),
                              *y = g_ptr_array_index(b->chains, i);

                assert_string_equal(x->name, y->name);
                assert_ptr_equal(fw_plan_chain(a, x->name), x);
                assert_int_equal(x->pieces->len, y->pieces->len);
                for (unsigned k = 0; k < x->pieces->len; k++)
                        assert_same_piece(g_ptr_array_index(x->pieces, k),
                                          g_ptr_array_index(y->pieces, k));
        }
}

static void assert_same_unit(const FwUnit *a, const FwUnit *b)
{
        GHashTableIter iter;
        FwSlot *slot;

        assert_string_equal(a->name, b->name);
        assert_int_equal(a->n, b->n);
        assert_int_equal(a->shape, b->shape);
        assert_same_plan(a->plan, b->plan);
        if (!a->shape)
                return;
        assert_int_equal(g_hash_table_size(a->keys), g_hash_table_size(b->keys));
        g_hash_table_iter_init(&iter, a->keys);
        while (g_hash_table_iter_next(&iter, (void **) &slot, NULL)) {
                FwKey key = {0};

                memcpy(key.bytes, slot->bytes, slot->len);
                assert_same_rule(fw_unit_owner(b, &key, slot->len), slot->rule);
        }
}

static void assert_same_entry(const FirewallRule *a, const FirewallRule *b)
{
        FwNatSide x, y;

        if (!fw_nat_of(a, &x)) {
                assert_same_rule(a, b);
                return;
        }
        assert_ptr_equal(fw_nat_of(a, &x), fw_nat_of(b, &y));
        assert_int_equal(x, y);
        assert_int_equal(fw_nat_is_reflected(a), fw_nat_is_reflected(b));
}

static void assert_same_class(const FwClass *a, const FwClass *b)
{
        assert_non_null(b);
        assert_string_equal(a->chain, b->chain);
        assert_int_equal(a->entries->len, b->entries->len);
        for (unsigned i = 0; i < a->entries->len; i++)
                assert_same_entry(g_array_index(a->entries, FwEntry, i).rule,
                                  g_array_index(b->entries, FwEntry, i).rule);
        assert_int_equal(a->units->len, b->units->len);
        for (unsigned i = 0; i < a->units->len; i++)
                assert_same_unit(g_ptr_array_index(a->units, i), g_ptr_array_index(b->units, i));
}

static void assert_same_nat(const FwNat *a, const FwNat *b)
{
        GHashTableIter iter;
        gpointer scope, n;
        FwClass *klass;

        assert_int_equal(g_hash_table_size(a->scopes), g_hash_table_size(b->scopes));
        assert_int_equal(g_hash_table_size(a->classes), g_hash_table_size(b->classes));
        assert_int_equal(g_hash_table_size(a->classes), g_hash_table_size(a->scopes));
        g_hash_table_iter_init(&iter, a->scopes);
        while (g_hash_table_iter_next(&iter, &scope, &n))
                assert_ptr_equal(g_hash_table_lookup(b->scopes, scope), n);
        g_hash_table_iter_init(&iter, a->classes);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &klass))
                assert_same_class(klass, g_hash_table_lookup(b->classes, klass->name));
}

static void assert_same_objects(GHashTable *a, GHashTable *b)
{
        GHashTableIter iter;
        const FwObject *object;

        assert_int_equal(g_hash_table_size(a), g_hash_table_size(b));
        g_hash_table_iter_init(&iter, a);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &object)) {
                const FwObject *other = g_hash_table_lookup(b, object->name);

                assert_non_null(other);
                assert_int_equal(object->users, other->users);
        }
}

static void assert_same_layout(const FwLayout *a, const FwLayout *b)
{
        GHashTableIter iter;
        FwClass *klass;

        assert_int_equal(g_hash_table_size(a->classes), g_hash_table_size(b->classes));
        assert_int_equal(a->pairs->len, b->pairs->len);
        assert_same_objects(a->objects, b->objects);
        for (unsigned i = 0; i < a->pairs->len; i++) {
                const FwPair *x = &g_array_index(a->pairs, FwPair, i),
                             *y = &g_array_index(b->pairs, FwPair, i);

                assert_string_equal(x->from->name, y->from->name);
                assert_string_equal(x->to->name, y->to->name);
                assert_true(!x->klass == !y->klass);
                if (x->klass) {
                        assert_string_equal(x->klass->name, y->klass->name);
                        assert_ptr_equal(x->klass, g_hash_table_lookup(a->classes, x->klass->name));
                }
        }
        g_hash_table_iter_init(&iter, a->classes);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &klass))
                assert_same_class(klass, g_hash_table_lookup(b->classes, klass->name));
        assert_same_nat(a->nat, b->nat);
        assert_int_equal(g_hash_table_size(a->pools), g_hash_table_size(b->pools));
}

static void test_delta_equals_fresh(void **state)
{
        unsigned patches = 0, changes = 0;

        for (uint32_t seed = 1; seed <= 12; seed++) {
                g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
                g_autoptr(PtSlice) slice = pt_slice_new();
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                g_autoptr(FwLayout) layout = NULL;
                bool uniform = seed % 2 == 0;
                unsigned names = seed % 3 == 0 ? 20 : seed % 3 == 1 ? 400 : 3000;

                fw_random_zones(slice, rand);
                for (unsigned i = 0; i < names; i++)
                        fw_random_rule(slice, rand, names, uniform);
                assert_int_equal(fw_layout_new(slice, diag, &layout), 0);
                for (unsigned step = 0; step < 60; step++) {
                        g_autoptr(PtSlice) next = fw_random_step(slice, rand, names, uniform);
                        g_autoptr(FwLayoutDelta) delta = NULL;
                        g_autoptr(FwLayout) fresh = NULL;

                        assert_int_equal(fw_delta_new(layout, next, NULL, diag, &delta), 0);
                        patches += delta->patches->len;
                        changes += delta->changes->len;
                        fw_delta_apply(delta);
                        assert_int_equal(fw_layout_new(next, diag, &fresh), 0);
                        assert_same_layout(layout, fresh);
                        pt_slice_unref(slice);
                        slice = g_steal_pointer(&next);
                }
        }
        /* Both ways were taken. */
        assert_true(patches > 50);
        assert_true(changes > 500);
}

/* The same of policies as large ones are, which become plans. */
static void test_dense_delta_equals_fresh(void **state)
{
        unsigned plans = 0;

        for (uint32_t seed = 1; seed <= 6; seed++) {
                g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
                g_autoptr(PtSlice) slice = pt_slice_new();
                g_autoptr(FwLayout) layout = NULL;
                unsigned names = seed % 2 ? 60 : 900;

                fw_random_zones(slice, rand);
                for (unsigned i = 0; i < 2 * names; i++)
                        fw_random_dense_rule(slice, rand, names);
                assert_int_equal(fw_layout_new(slice, NULL, &layout), 0);
                for (unsigned step = 0; step < 30; step++) {
                        g_autoptr(PtSlice) next = fw_random_dense_step(slice, rand, names);
                        g_autoptr(FwLayoutDelta) delta = NULL;
                        g_autoptr(FwLayout) fresh = NULL;
                        const FwClass *klass;

                        assert_int_equal(fw_delta_new(layout, next, NULL, NULL, &delta), 0);
                        fw_delta_apply(delta);
                        assert_int_equal(fw_layout_new(next, NULL, &fresh), 0);
                        assert_same_layout(layout, fresh);
                        klass = g_hash_table_lookup(layout->classes, "lan/wan");
                        for (unsigned i = 0; i < klass->units->len; i++)
                                plans += ((FwUnit *) g_ptr_array_index(klass->units, i))->plan !=
                                         NULL;
                        pt_slice_unref(slice);
                        slice = g_steal_pointer(&next);
                }
        }
        assert_true(plans > 150);
}

/* Pairs that see the same rules share a class. */
static void test_classes(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(FwLayout) layout = NULL;
        static const struct {
                const char *pair, *klass;
        } expected[] = {
                {"lan/wan", "lan/wan"}, {"lan/dmz", "lan/any"}, {"lan/router", "lan/any"},
                {"wan/dmz", "any/any"}, {"dmz/dmz", "any/any"}, {"wan/router", "any/any"},
                {"router/lan", NULL},
        };

        fw_put_zone(slice, "lan", "{\"interfaces\":[\"lan\"]}");
        fw_put_zone(slice, "wan", "{\"interfaces\":[\"wan\"]}");
        fw_put_zone(slice, "dmz", "{\"interfaces\":[\"dmz\"]}");
        fw_put_rule(slice, "exact", 1, "{\"action\":\"allow\",\"from\":\"lan\",\"to\":\"wan\"}");
        fw_put_rule(slice, "by-from", 2, "{\"action\":\"drop\",\"from\":\"lan\"}");
        fw_put_rule(slice, "everywhere", 3,
                    "{\"action\":\"allow\",\"destination\":{\"ports\":[80]}}");
        assert_int_equal(fw_layout_new(slice, diag, &layout), 0);
        for (unsigned i = 0; i < G_N_ELEMENTS(expected); i++) {
                bool found = false;

                for (unsigned k = 0; k < layout->pairs->len; k++) {
                        const FwPair *pair = &g_array_index(layout->pairs, FwPair, k);
                        g_autofree char *name =
                                g_strdup_printf("%s/%s", pair->from->name, pair->to->name);

                        if (strcmp(name, expected[i].pair) != 0)
                                continue;
                        found = true;
                        assert_true(!pair->klass == !expected[i].klass);
                        if (pair->klass)
                                assert_string_equal(pair->klass->name, expected[i].klass);
                }
                assert_true(found);
        }
        assert_int_equal(
                ((FwClass *) g_hash_table_lookup(layout->classes, "lan/wan"))->entries->len, 3);
        assert_int_equal(
                ((FwClass *) g_hash_table_lookup(layout->classes, "any/any"))->entries->len, 1);
}

static bool needs_dispatch(FwLayout *layout, PtSlice *slice)
{
        g_autoptr(FwLayoutDelta) delta = NULL;

        assert_int_equal(fw_delta_new(layout, slice, NULL, NULL, &delta), 0);
        assert_false(fw_delta_is_empty(delta));
        return delta->dispatch;
}

/* The dispatch is made anew only when other pairs have rules, or other zones translations: not when
 * the only rule of one is edited, or is another one. */
static void test_dispatch_stays(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new(), edited = NULL, other = NULL, more = NULL,
                           elsewhere = NULL;
        g_autoptr(FwLayout) layout = NULL;
        static const char nat[] =
                "{\"type\":\"redirect\",\"zone\":\"wan\",\"protocol\":\"tcp\","
                "\"destination\":{\"ports\":[80]},\"translation\":{\"ports\":[%d]}}";
        g_autofree char *before = g_strdup_printf(nat, 3128), *after = g_strdup_printf(nat, 3129);

        fw_put_zone(slice, "wan", "{\"interfaces\":[\"wan\"]}");
        fw_put_zone(slice, "lan", "{\"interfaces\":[\"lan\"]}");
        fw_put_rule(slice, "a", 1, "{\"action\":\"allow\",\"from\":\"lan\",\"to\":\"wan\"}");
        fw_put_ordered(slice, "NatRule", "n", 1, before);
        assert_int_equal(fw_layout_new(slice, NULL, &layout), 0);

        edited = pt_slice_clone(slice);
        fw_put_rule(edited, "a", 1, "{\"action\":\"drop\",\"from\":\"lan\",\"to\":\"wan\"}");
        fw_put_ordered(edited, "NatRule", "n", 1, after);
        assert_false(needs_dispatch(layout, edited));
        other = pt_slice_clone(slice);
        (void) pt_slice_remove(other, &pt_kind_firewall_rule, "a");
        fw_put_rule(other, "b", 2, "{\"action\":\"drop\",\"from\":\"lan\",\"to\":\"wan\"}");
        assert_false(needs_dispatch(layout, other));
        more = pt_slice_clone(slice);
        fw_put_rule(more, "b", 2, "{\"action\":\"drop\",\"from\":\"wan\",\"to\":\"lan\"}");
        assert_true(needs_dispatch(layout, more));
        elsewhere = pt_slice_clone(slice);
        fw_put_rule(elsewhere, "a", 1, "{\"action\":\"allow\",\"from\":\"wan\",\"to\":\"lan\"}");
        assert_true(needs_dispatch(layout, elsewhere));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_delta_equals_fresh),
                cmocka_unit_test(test_dense_delta_equals_fresh),
                cmocka_unit_test(test_classes),
                cmocka_unit_test(test_dispatch_stays),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
