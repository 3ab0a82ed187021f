/* SPDX-License-Identifier: GPL-3.0-or-later */

/* State directories as released versions wrote them (tests/golden/store-*): each loads, every
 * revision of it, and goes on. */

#include "store-unit.h"

#define GOLDEN PT_SOURCE_ROOT "/tests/golden/store-0.1"
#define ROOT "c87be68e813f704cdca26cc885fd10645459904473b37e7f76ab39d157340b88"
#define DATASET "07f1f62252b57cf1949231185094a44b925666389cedde38d9a6a484e69bef58"

static const PtKind *const kinds[] = {&pt_kind_alias, &pt_kind_firewall_rule, &pt_kind_zone, NULL};

static void assert_root(const PtSlice *slice, const char *wanted)
{
        char hex[PT_DIGEST_HEX + 1];
        PtDigest root;

        pt_slice_root(slice, &root);
        pt_digest_to_hex(&root, hex);
        assert_string_equal(hex, wanted);
}

static PtStore *open_store(const char *dir)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtStore *store = NULL;

        assert_int_equal(pt_store_open(dir, diag, &store), 0);
        for (size_t i = 0; i < pt_diag_count(diag); i++)
                fail_msg("%s", pt_diag_get(diag, i)->text);
        pt_store_add_daemon(store, "filterd", kinds, NULL);
        return store;
}

static void test_revisions(void **state)
{
        static const size_t objects[] = {4, 4, 3, 4};
        static const char *const comments[] = {"the first", "https only", "renamed", "a list"};
        g_autoptr(PtStore) store = NULL;
        g_autoptr(PtSlice) slice = NULL;
        g_autoptr(PtDataset) dataset = NULL;

        unit_copy_dir(GOLDEN, *state);
        store = open_store(*state);
        assert_int_equal(pt_store_decided(store), 4);
        for (uint64_t number = 1; number <= 4; number++) {
                g_autoptr(PtRevision) revision = NULL;

                pt_slice_unref(slice);
                slice = NULL;
                assert_int_equal(pt_store_load(store, number, NULL, &slice), 0);
                assert_int_equal(pt_slice_count(slice, NULL), objects[number - 1]);
                assert_int_equal(pt_store_get(store, number, &revision), 0);
                assert_string_equal(revision->comment, comments[number - 1]);
                assert_int_equal(revision->parent, number - 1);
        }
        assert_root(slice, ROOT);
        assert_non_null(pt_slice_get(slice, &pt_kind_zone, "inside"));
        assert_int_equal(pt_store_open_dataset(store, DATASET, &dataset), 0);
}

/* A daemon that starts alone from it. */
static void test_slice(void **state)
{
        g_autoptr(PtSlice) slice = NULL;
        uint64_t revision = 0;
        bool damaged = true;

        unit_copy_dir(GOLDEN, *state);
        assert_int_equal(pt_store_read_slice(*state, "filterd", NULL, &slice, &revision, &damaged),
                         0);
        assert_int_equal(revision, 4);
        assert_false(damaged);
        assert_root(slice, ROOT);
}

/* The next revision follows it, and is there after another start. */
static void test_goes_on(void **state)
{
        g_autoptr(PtSlice) before = NULL, after = NULL, again = NULL;
        PtRevision revision = {.number = 5, .author = (char *) "root", .comment = (char *) "more"};
        PtStore *store;

        unit_copy_dir(GOLDEN, *state);
        store = open_store(*state);
        assert_int_equal(pt_store_load(store, 4, NULL, &before), 0);
        after = pt_slice_clone(before);
        assert_true(pt_slice_remove(after, &pt_kind_zone, "wan"));
        pt_slice_root(after, &revision.root);
        assert_int_equal(pt_store_intend(store, &revision, before, after), 0);
        assert_int_equal(pt_store_decide(store, 5), 0);
        pt_store_close(store);
        store = open_store(*state);
        assert_int_equal(pt_store_decided(store), 5);
        assert_int_equal(pt_store_load(store, 5, NULL, &again), 0);
        assert_int_equal(pt_slice_count(again, NULL), 3);
        pt_store_close(store);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_revisions, unit_store_setup,
                                                unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_slice, unit_store_setup, unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_goes_on, unit_store_setup,
                                                unit_store_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
