/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which datasets stay: as long as a revision that is kept refers to them, and not longer. */

#include "dataset-unit.h"

#include <sys/stat.h>

#define FAR_FUTURE UINT64_C(10000000000000000) /* in 2286 */

static const PtKind *const alias_kinds[] = {&pt_kind_alias, &pt_kind_firewall_rule, NULL};

static PtStore *open_store(const char *dir)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtStore *store = NULL;
        int r = pt_store_open(dir, diag, &store);

        unit_print(diag);
        assert_int_equal(r, 0);
        assert_int_equal(pt_diag_count(diag), 0);
        pt_store_add_daemon(store, "filterd", alias_kinds, NULL);
        return store;
}

static void put_alias(PtSlice *slice, const char *name, const char *digest)
{
        PtObject *object = pt_object_new(&pt_kind_alias, name);
        Alias *alias = (Alias *) (void *) object;

        alias->type = FW_ALIAS_NETWORK;
        alias->dataset = g_strdup(digest);
        object->present = UINT64_C(1) << ALIAS_TYPE | UINT64_C(1) << ALIAS_DATASET;
        pt_object_seal(object);
        unit_put(slice, object);
}

/* Commits `after` on *slice and moves that on. */
static void commit(PtStore *store, PtSlice **slice, PtSlice *after)
{
        uint64_t number = pt_store_last(store) + 1;

        assert_int_equal(unit_intend(store, number, *slice, after), 0);
        assert_int_equal(pt_store_decide(store, number), 0);
        pt_slice_unref(*slice);
        *slice = after;
}

/* The number of kept revisions that need it; -1: it is not there. */
static int needed(const PtStore *store, const char *digest)
{
        g_autoptr(GPtrArray) list = NULL;

        assert_int_equal(pt_store_list_datasets(store, &list), 0);
        for (unsigned i = 0; i < list->len; i++) {
                const PtStoreDataset *entry = g_ptr_array_index(list, i);

                if (strcmp(entry->digest, digest) == 0)
                        return (int) entry->revisions;
        }
        return -1;
}

static bool is_one(const char *digest, void *userdata)
{
        return strcmp(digest, userdata) == 0;
}

static int collect(PtStore *store, uint64_t before, char *used, unsigned *ret_waiting)
{
        return pt_store_collect_datasets(store, before, used ? is_one : NULL, used, ret_waiting);
}

static void test_references(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtStore) store = open_store(*state);
        g_autoptr(PtDataset) dataset = NULL;
        char a[65], b[65], c[65];
        unsigned waiting;
        PtSlice *after;

        unit_dataset_put(*state, "10.0.0.1\n", a);
        unit_dataset_put(*state, "10.0.0.2\n", b);
        unit_dataset_put(*state, "10.0.0.3\n", c);
        after = pt_slice_clone(slice);
        put_alias(after, "one", a);
        put_alias(after, "two", a);
        commit(store, &slice, after);
        assert_int_equal(needed(store, a), 1);
        assert_int_equal(needed(store, b), 0);
        after = pt_slice_clone(slice);
        put_alias(after, "one", b);
        commit(store, &slice, after);
        assert_int_equal(needed(store, a), 2);
        assert_int_equal(needed(store, b), 1);

        /* Nothing that may still be used goes. */
        assert_int_equal(collect(store, 0, NULL, &waiting), 0);
        assert_int_equal(waiting, 1);
        assert_int_equal(collect(store, FAR_FUTURE, c, &waiting), 0);
        assert_int_equal(waiting, 1);
        assert_int_equal(collect(store, FAR_FUTURE, NULL, &waiting), 1);
        assert_int_equal(waiting, 0);
        assert_int_equal(needed(store, c), -1);
        assert_int_equal(pt_store_delete_dataset(store, a), -EBUSY);
        assert_int_equal(pt_store_delete_dataset(store, c), -ENOENT);
        assert_int_equal(pt_store_delete_dataset(store, "../journal"), -ENOENT);

        /* The configuration has none any more, but could be taken back to one that has. */
        after = pt_slice_new();
        commit(store, &slice, after);
        pt_store_close(store);
        store = open_store(*state);
        assert_int_equal(collect(store, FAR_FUTURE, NULL, &waiting), 0);
        assert_int_equal(needed(store, a), 2);
        assert_int_equal(needed(store, b), 1);
        assert_int_equal(pt_dataset_open(*state, b, &dataset), 0);
}

/* What the intent of a crash refers to is kept until that is settled. */
static void test_intent(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new(), after = pt_slice_new();
        g_autoptr(PtStore) store = open_store(*state);
        unsigned waiting;
        char a[65];

        unit_dataset_put(*state, "10.0.0.1\n", a);
        put_alias(after, "one", a);
        assert_int_equal(unit_intend(store, 1, slice, after), 0);
        pt_store_close(store);
        store = open_store(*state);
        assert_int_equal(pt_store_pending(store), 1);
        assert_int_equal(collect(store, FAR_FUTURE, NULL, &waiting), 0);
        assert_int_equal(pt_store_delete_dataset(store, a), -EBUSY);
        assert_int_equal(pt_store_abort(store, 1), 0);
        assert_int_equal(pt_store_delete_dataset(store, a), 0);
        assert_int_equal(needed(store, a), -1);
}

/* It goes with the last revision that refers to it. */
static void test_retention(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtStore) store = open_store(*state);
        unsigned waiting, commits = 0;
        PtSlice *after = pt_slice_clone(slice);
        char a[65];

        unit_dataset_put(*state, "10.0.0.1\n", a);
        put_alias(after, "one", a);
        commit(store, &slice, after);
        after = pt_slice_clone(slice);
        pt_slice_remove(after, &pt_kind_alias, "one");
        commit(store, &slice, after);
        while (needed(store, a) > 0) {
                assert_int_equal(collect(store, FAR_FUTURE, NULL, &waiting), 0);
                assert_true(++commits < 4 * PT_STORE_REVISIONS_KEPT);
                unit_commit(store, &slice, "rule", commits);
                assert_int_equal(pt_store_tidy(store), 0);
        }
        assert_true(commits >= PT_STORE_REVISIONS_KEPT - 2);
        assert_int_equal(collect(store, FAR_FUTURE, NULL, &waiting), 1);
        assert_int_equal(needed(store, a), -1);
}

/* A revision before this one is given as the base: what it refers to is looked for anew. */
static void test_other_base(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new(), other = pt_slice_new();
        g_autoptr(PtStore) store = open_store(*state);
        g_autoptr(GHashTable) references = NULL;
        char a[65], b[65];
        PtSlice *after;

        unit_dataset_put(*state, "10.0.0.1\n", a);
        unit_dataset_put(*state, "10.0.0.2\n", b);
        after = pt_slice_clone(slice);
        put_alias(after, "one", a);
        commit(store, &slice, after);
        put_alias(other, "two", b);
        put_alias(other, "three", b);
        after = pt_slice_clone(other);
        unit_put(after, unit_rule("rule", 1));
        pt_slice_unref(slice);
        slice = pt_slice_ref(other);
        commit(store, &slice, after);
        assert_int_equal(needed(store, a), 1);
        assert_int_equal(needed(store, b), 1);
        references = pt_store_dataset_references(slice);
        assert_int_equal(g_hash_table_size(references), 1);
        assert_int_equal(GPOINTER_TO_UINT(g_hash_table_lookup(references, b)), 2);
}

static void test_listing(void **state)
{
        g_autoptr(PtStore) store = open_store(*state);
        g_autofree char *damaged = g_strnfill(64, '0'), *path = unit_dataset_path(damaged);
        g_autoptr(GPtrArray) list = NULL;
        const PtStoreDataset *first, *second;
        unsigned waiting;
        char a[65];

        unit_dataset_put(*state, "10.0.0.0/8\n10.0.0.1\n::1\n", a);
        unit_write(*state, path, "damage", 6);
        unit_write(*state, PT_DATASET_FOLDER "/unfinished.tmp", "x", 1);
        unit_write(*state, PT_DATASET_FOLDER "/README", "x", 1);
        assert_int_equal(pt_store_list_datasets(store, &list), 0);
        assert_int_equal(list->len, 2);
        first = g_ptr_array_index(list, 0);
        second = g_ptr_array_index(list, 1);
        assert_string_equal(first->digest, damaged);
        assert_true(first->damaged);
        assert_string_equal(second->digest, a);
        assert_false(second->damaged);
        assert_int_equal(second->size, 64 + 8 + 16);
        assert_int_equal(second->header.counts[PT_DATASET_RANGES4], 1);
        assert_true(second->time_usec > 1700000000000000);
        assert_int_equal(collect(store, FAR_FUTURE, a, &waiting), 2);
        assert_int_equal(needed(store, a), 0);
}

/* What is needed and was removed by hand is listed, so that somebody can put it again. */
static void test_lost(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtStore) store = open_store(*state);
        g_autofree char *path = NULL, *full = NULL;
        g_autoptr(GPtrArray) list = NULL;
        PtSlice *after = pt_slice_clone(slice);
        const PtStoreDataset *entry;
        char a[65];

        unit_dataset_put(*state, "10.0.0.1\n", a);
        put_alias(after, "one", a);
        commit(store, &slice, after);
        path = unit_dataset_path(a);
        full = unit_path(*state, path);
        assert_int_equal(unlink(full), 0);
        assert_int_equal(pt_store_list_datasets(store, &list), 0);
        assert_int_equal(list->len, 1);
        entry = g_ptr_array_index(list, 0);
        assert_string_equal(entry->digest, a);
        assert_true(entry->damaged);
        assert_int_equal(entry->revisions, 1);
        unit_dataset_put(*state, "10.0.0.1\n", a);
        g_clear_pointer(&list, g_ptr_array_unref);
        assert_int_equal(pt_store_list_datasets(store, &list), 0);
        assert_false(((const PtStoreDataset *) g_ptr_array_index(list, 0))->damaged);
}

static void test_room(void **state)
{
        g_autoptr(PtStore) store = open_store(*state);
        g_autofree char *first = NULL, *second = NULL;

        for (unsigned i = 0; i < PT_STORE_DATASETS_MAX; i++) {
                g_autofree char *name = g_strdup_printf(PT_DATASET_FOLDER "/%u", i);

                assert_int_equal(pt_store_datasets_room(store), 0);
                unit_write(*state, name, "", 0);
        }
        assert_int_equal(pt_store_datasets_room(store), -ENOSPC);
        first = g_build_filename(*state, PT_DATASET_FOLDER "/0", NULL);
        assert_int_equal(unlink(first), 0);
        assert_int_equal(pt_store_datasets_room(store), 0);
        second = g_build_filename(*state, PT_DATASET_FOLDER "/1", NULL);
        assert_int_equal(truncate(second, (off_t) PT_STORE_DATASETS_SIZE_MAX), 0); /* sparse */
        assert_int_equal(pt_store_datasets_room(store), -ENOSPC);
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, unit_dataset_setup, unit_store_teardown)
        const struct CMUnitTest tests[] = {
                test(test_references), test(test_intent),  test(test_retention),
                test(test_other_base), test(test_listing), test(test_lost),
                test(test_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
