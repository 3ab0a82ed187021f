/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "slice-unit.h"

#include <string.h>

static const PtKind *const zones_only[] = {&pt_kind_zone, NULL};
static const PtKind *const both_kinds[] = {&pt_kind_firewall_rule, &pt_kind_zone, NULL};

static int count_object(const PtObject *object, void *userdata)
{
        assert_non_null(object);
        ++*(unsigned *) userdata;
        return 0;
}

static unsigned count(const PtSlice *slice, const PtKind *kind)
{
        unsigned n = 0;

        assert_int_equal(pt_slice_foreach(slice, kind, count_object, &n), 0);
        assert_int_equal(pt_slice_count(slice, kind), n);
        return n;
}

static void test_put_get_remove(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        const PtObject *found;

        (void) state;
        assert_null(pt_slice_get(slice, &pt_kind_zone, "lan"));
        assert_false(pt_slice_remove(slice, &pt_kind_zone, "lan"));
        unit_put(slice, unit_zone("lan", false));
        unit_put(slice, unit_rule("lan", 1)); /* the same name of another kind */
        unit_put(slice, unit_rule("web", 2));
        assert_int_equal(count(slice, NULL), 3);
        assert_int_equal(count(slice, &pt_kind_firewall_rule), 2);
        assert_int_equal(count(slice, &pt_kind_zone), 1);
        found = pt_slice_get(slice, &pt_kind_firewall_rule, "lan");
        assert_ptr_equal(found->kind, &pt_kind_firewall_rule);

        unit_put(slice, unit_rule("lan", 7));
        assert_int_equal(count(slice, NULL), 3);
        found = pt_slice_get(slice, &pt_kind_firewall_rule, "lan");
        assert_int_equal(((const FirewallRule *) (const void *) found)->priority, 7);

        assert_true(pt_slice_remove(slice, &pt_kind_zone, "lan"));
        assert_null(pt_slice_get(slice, &pt_kind_zone, "lan"));
        assert_int_equal(count(slice, &pt_kind_zone), 0);
        assert_int_equal(count(slice, NULL), 2);
}

/* An equal object brings nothing: the one that others share stays. */
static void test_put_equal(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtObject) first = unit_rule("web", 1), equal = unit_rule("web", 1);

        (void) state;
        pt_slice_put(slice, first);
        pt_slice_put(slice, equal);
        assert_ptr_equal(pt_slice_get(slice, &pt_kind_firewall_rule, "web"), first);
}

static void test_clone_is_apart(void **state)
{
        g_autoptr(PtSlice) slice = unit_slice(5000), clone = pt_slice_clone(slice);
        PtDigest before = unit_root(slice), now;

        (void) state;
        assert_same_root(slice, clone);
        unit_put(clone, unit_rule("rule-17", 65535));
        unit_put(clone, unit_zone("lan", true));
        assert_true(pt_slice_remove(clone, &pt_kind_firewall_rule, "rule-18"));

        assert_int_equal(count(slice, NULL), 5000);
        assert_int_equal(count(clone, NULL), 5000);
        assert_non_null(pt_slice_get(slice, &pt_kind_firewall_rule, "rule-18"));
        assert_null(pt_slice_get(slice, &pt_kind_zone, "lan"));
        assert_other_root(slice, clone);
        now = unit_root(slice);
        assert_true(pt_digest_equal(&before, &now));

        unit_put(clone, unit_rule("rule-17", 17));
        unit_put(clone, unit_rule("rule-18", 18));
        assert_true(pt_slice_remove(clone, &pt_kind_zone, "lan"));
        assert_same_root(slice, clone);
}

/* A root depends on what is in the slice, not on how it came there. */
static void test_root_by_content(void **state)
{
        g_autoptr(PtSlice) up = pt_slice_new(), down = pt_slice_new(), empty = pt_slice_new();

        (void) state;
        for (unsigned i = 0; i < 3000; i++) {
                g_autofree char *a = g_strdup_printf("rule-%u", i);
                g_autofree char *b = g_strdup_printf("rule-%u", 2999 - i);

                unit_put(up, unit_rule(a, i));
                unit_put(down, unit_rule(b, 2999 - i));
        }
        assert_same_root(up, down);
        for (unsigned i = 0; i < 3000; i++) {
                g_autofree char *name = g_strdup_printf("rule-%u", i);

                assert_true(pt_slice_remove(down, &pt_kind_firewall_rule, name));
        }
        assert_same_root(down, empty);
        assert_int_equal(count(down, NULL), 0);
}

/* The root as the header defines it, computed here from the definition alone. */
static void test_root_definition(void **state)
{
        static const char *const names[] = {"a", "b", "c"};
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autofree PtDigest *buckets = g_new0(PtDigest, PT_SLICE_BUCKETS);
        PtDigest root, actual;

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *key = g_strconcat("FirewallRule/", names[i], NULL);
                g_autoptr(PtObject) rule = unit_rule(names[i], 5);
                PtDigest hash;
                unsigned index;

                pt_slice_put(slice, rule);
                pt_digest_of(key, strlen(key), &hash);
                index = (hash.bytes[0] * 256U + hash.bytes[1]) % PT_SLICE_BUCKETS;
                assert_true(pt_digest_equal(&buckets[index], &(PtDigest){{0}})); /* one each */
                pt_digest_of(rule->digest.bytes, PT_DIGEST_SIZE, &buckets[index]);
        }
        pt_digest_of(buckets, PT_SLICE_BUCKETS * sizeof(PtDigest), &root);
        actual = unit_root(slice);
        assert_true(pt_digest_equal(&root, &actual));
}

static void test_sorted(void **state)
{
        g_autoptr(PtSlice) slice = unit_slice(2000);
        g_autoptr(GPtrArray) all = NULL, zones = NULL;

        (void) state;
        unit_put(slice, unit_zone("wan", true));
        unit_put(slice, unit_zone("lan", true));
        all = pt_slice_sorted(slice, NULL);
        zones = pt_slice_sorted(slice, &pt_kind_zone);
        assert_int_equal(all->len, 2002);
        for (unsigned i = 1; i < all->len; i++)
                assert_true(pt_object_compare_identity(all->pdata[i - 1], all->pdata[i]) < 0);
        assert_int_equal(zones->len, 2);
        assert_string_equal(((PtObject *) zones->pdata[0])->name, "lan");
}

static int stop_at_third(const PtObject *object, void *userdata)
{
        (void) object;
        return ++*(unsigned *) userdata == 3 ? 42 : 0;
}

static void test_foreach_stops(void **state)
{
        g_autoptr(PtSlice) slice = unit_slice(10);
        unsigned n = 0;

        (void) state;
        assert_int_equal(pt_slice_foreach(slice, NULL, stop_at_third, &n), 42);
        assert_int_equal(n, 3);
        n = 0;
        assert_int_equal(pt_slice_foreach(slice, &pt_kind_firewall_rule, stop_at_third, &n), 42);
        assert_int_equal(n, 3);
}

typedef struct Changes {
        unsigned created, updated, deleted;
} Changes;

static int note_change(const PtObject *before, const PtObject *after, void *userdata)
{
        Changes *changes = userdata;

        assert_true(before || after);
        if (before && after) {
                assert_string_equal(before->name, after->name);
                changes->updated++;
        } else if (after) {
                changes->created++;
        } else {
                changes->deleted++;
        }
        return 0;
}

static Changes compare(const PtSlice *before, const PtSlice *after)
{
        Changes changes = {0};

        assert_int_equal(pt_slice_compare(before, after, note_change, &changes), 0);
        return changes;
}

static void test_compare(void **state)
{
        g_autoptr(PtSlice) before = unit_slice(4000), after = pt_slice_clone(before),
                           apart = unit_slice(4000);
        Changes changes;

        (void) state;
        unit_put(after, unit_rule("rule-1", 60000));
        unit_put(after, unit_rule("new", 1));
        unit_put(after, unit_zone("new", true));
        assert_true(pt_slice_remove(after, &pt_kind_firewall_rule, "rule-2"));
        changes = compare(before, after);
        assert_int_equal(changes.created, 2);
        assert_int_equal(changes.updated, 1);
        assert_int_equal(changes.deleted, 1);
        changes = compare(after, before);
        assert_int_equal(changes.created, 1);
        assert_int_equal(changes.deleted, 2);

        /* Equal content in buckets that are not shared, before and after their digests are known.
         */
        for (int i = 0; i < 2; i++) {
                changes = compare(before, apart);
                assert_int_equal(changes.created + changes.updated + changes.deleted, 0);
                assert_same_root(before, apart);
        }
}

static void test_project(void **state)
{
        g_autoptr(PtSlice) slice = unit_slice(1000), zones = NULL, all = NULL;

        (void) state;
        unit_put(slice, unit_zone("lan", false));
        zones = pt_slice_project(slice, zones_only);
        assert_int_equal(count(zones, NULL), 1);
        assert_non_null(pt_slice_get(zones, &pt_kind_zone, "lan"));
        all = pt_slice_project(slice, both_kinds);
        assert_same_root(all, slice);
        assert_true(pt_slice_remove(all, &pt_kind_zone, "lan"));
        assert_int_equal(count(slice, &pt_kind_zone), 1);
}

static void test_lookup(void **state)
{
        g_autoptr(PtSlice) slice = unit_slice(3);
        PtLookup lookup = pt_slice_lookup(slice);
        unsigned n = 0;

        (void) state;
        assert_non_null(lookup.get(lookup.ctx, &pt_kind_firewall_rule, "rule-2"));
        assert_null(lookup.get(lookup.ctx, &pt_kind_zone, "rule-2"));
        assert_int_equal(lookup.foreach (lookup.ctx, &pt_kind_firewall_rule, count_object, &n), 0);
        assert_int_equal(n, 3);
}

/* Thousands of random puts, removals and clones, against a hash table that knows what should be
 * there. */
static void test_against_model(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new(), old = pt_slice_new();
        g_autoptr(GHashTable) model = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        g_autoptr(GRand) rand = g_rand_new_with_seed(1);
        size_t old_count = 0;

        (void) state;
        for (unsigned i = 0; i < 20000; i++) {
                g_autofree char *name = g_strdup_printf("r%d", g_rand_int_range(rand, 0, 3000));
                unsigned priority = (unsigned) g_rand_int_range(rand, 1, 60000);

                if (g_rand_int_range(rand, 0, 3) == 0) {
                        assert_int_equal(pt_slice_remove(slice, &pt_kind_firewall_rule, name),
                                         g_hash_table_remove(model, name));
                } else {
                        unit_put(slice, unit_rule(name, priority));
                        g_hash_table_replace(model, g_strdup(name), GUINT_TO_POINTER(priority));
                }
                if (i % 1000 == 999) {
                        assert_int_equal(count(old, NULL),
                                         old_count); /* untouched by what came after */
                        g_clear_pointer(&old, pt_slice_unref);
                        old = pt_slice_clone(slice);
                        old_count = g_hash_table_size(model);
                }
        }
        assert_int_equal(count(slice, NULL), g_hash_table_size(model));
        for (unsigned i = 0; i < 3000; i++) {
                g_autofree char *name = g_strdup_printf("r%u", i);
                const PtObject *object = pt_slice_get(slice, &pt_kind_firewall_rule, name);
                unsigned priority = GPOINTER_TO_UINT(g_hash_table_lookup(model, name));

                assert_int_equal(object ? ((const FirewallRule *) (const void *) object)->priority
                                        : 0,
                                 priority);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_put_get_remove),  cmocka_unit_test(test_put_equal),
                cmocka_unit_test(test_clone_is_apart),  cmocka_unit_test(test_root_by_content),
                cmocka_unit_test(test_root_definition), cmocka_unit_test(test_sorted),
                cmocka_unit_test(test_foreach_stops),   cmocka_unit_test(test_compare),
                cmocka_unit_test(test_project),         cmocka_unit_test(test_lookup),
                cmocka_unit_test(test_against_model),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
