/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Snapshots, retention and a short journal: what keeps a store that runs for years small, and loses
 * nothing. */

#include "store-unit.h"

#include "txn/journal.h"

static bool is_snapshot(const char *dir, unsigned number)
{
        g_autofree char *name = g_strdup_printf("revisions/%u/filterd.ndjson", number),
                        *text = NULL;
        PtSliceHeader header;
        size_t size;

        text = unit_read(dir, name, &size);
        assert_int_equal(pt_slice_header(text, size, &header), 0);
        return !header.delta;
}

static bool has_revision(const char *dir, unsigned number)
{
        g_autofree char *name = g_strdup_printf("revisions/%u", number),
                        *path = unit_path(dir, name);

        return access(path, F_OK) == 0;
}

/* After PT_STORE_DELTAS_MAX deltas there is a snapshot, with and without a restart between. */
static void test_snapshots(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = unit_slice(300), empty = pt_slice_new();

        assert_int_equal(unit_intend(store, 1, empty, slice), 0);
        assert_int_equal(pt_store_decide(store, 1), 0);
        assert_true(is_snapshot(dir, 1));
        for (unsigned i = 2; i <= 2 * PT_STORE_DELTAS_MAX + 2; i++) {
                bool due = (i - 1) % PT_STORE_DELTAS_MAX == 0;

                unit_commit(store, &slice, "a", i);
                assert_false(is_snapshot(dir, i));
                assert_int_equal(pt_store_tidy(store), 0);
                assert_int_equal(is_snapshot(dir, i), due);
                unit_assert_daemon(dir, "filterd", slice, i);
                if (i == 100) {
                        pt_store_close(store);
                        store = unit_open(dir);
                }
        }
        unit_assert_load(store, pt_store_decided(store), slice);
}

/* Large deltas make a snapshot due before they are many. */
static void test_snapshot_by_size(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = unit_slice(2000), empty = pt_slice_new();
        unsigned deltas = 0;

        assert_int_equal(unit_intend(store, 1, empty, slice), 0);
        assert_int_equal(pt_store_decide(store, 1), 0);
        do {
                g_autoptr(PtSlice) before = pt_slice_clone(slice);

                for (unsigned i = 0; i < 300; i++) {
                        g_autofree char *name = g_strdup_printf("rule-%u", i);

                        unit_put(slice, unit_rule(name, 10000 + deltas));
                }
                deltas++;
                assert_int_equal(unit_intend(store, 1 + deltas, before, slice), 0);
                assert_int_equal(pt_store_decide(store, 1 + deltas), 0);
                assert_int_equal(pt_store_tidy(store), 0);
                assert_true(deltas < 10);
        } while (!is_snapshot(dir, 1 + deltas));
        assert_true(deltas > 1);
        unit_assert_daemon(dir, "filterd", slice, 1 + deltas);
}

/* Hundreds of commits without anybody calling pt_store_tidy(): the store bounds itself. */
static void test_retention(void **state)
{
        const char *dir = *state;
        const unsigned n = 420;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = unit_slice(300), empty = pt_slice_new();
        g_autoptr(GPtrArray) contents =
                g_ptr_array_new_with_free_func((GDestroyNotify) pt_slice_unref);
        unsigned kept = 0;

        assert_int_equal(unit_intend(store, 1, empty, slice), 0);
        assert_int_equal(pt_store_decide(store, 1), 0);
        g_ptr_array_add(contents, pt_slice_clone(slice));
        for (unsigned i = 2; i <= n; i++) {
                unit_commit(store, &slice, "a", i);
                g_ptr_array_add(contents, pt_slice_clone(slice));
                if (i == 350) {
                        pt_store_close(store);
                        store = unit_open(dir);
                }
        }
        for (int i = 0; i < 2; i++) { /* as left, and opened again: what went does not come back */
                kept = 0;
                for (unsigned number = 1; number <= n; number++) {
                        g_autoptr(PtSlice) loaded = NULL;

                        if (has_revision(dir, number)) {
                                if (kept++ % 10 == 0 || number == n)
                                        unit_assert_load(store, number,
                                                         contents->pdata[number - 1]);
                        } else {
                                assert_int_equal(kept, 0); /* the newest ones stay, without a gap */
                                assert_int_equal(pt_store_load(store, number, NULL, &loaded),
                                                 -ENOENT);
                        }
                }
                assert_true(kept >= PT_STORE_REVISIONS_KEPT);
                assert_true(kept <= PT_STORE_REVISIONS_KEPT + 4 * PT_STORE_DELTAS_MAX);
                pt_store_close(store);
                store = unit_open(dir);
        }
        assert_int_equal(pt_store_tidy(store), 0);
        unit_assert_daemon(dir, "filterd", slice, n);
}

static unsigned count_revisions(PtStore *store)
{
        g_autoptr(GPtrArray) list = NULL;

        assert_int_equal(pt_store_list(store, 0, UINT_MAX, &list), 0);
        return list->len;
}

/* What was confirmed within a day stays, however much it is, up to the limit; then the oldest go. */
static void test_confirmed_day(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new(), first = NULL;
        uint64_t now = (uint64_t) g_get_real_time(), n = 0;

        while (n < PT_STORE_REVISIONS_MAX + 2 * PT_STORE_DELTAS_MAX) {
                g_autoptr(PtSlice) after = pt_slice_clone(slice);
                PtRevision revision = {.number = ++n, .time_usec = now};

                /* The first are of the day before yesterday. */
                if (n <= 10)
                        revision.time_usec -= 2 * PT_STORE_REVISIONS_DAY_USEC;
                unit_put(after, unit_rule("a", (unsigned) (n % 1000) + 1));
                assert_int_equal(pt_store_intend(store, &revision, slice, after), 0);
                assert_int_equal(pt_store_decide(store, n), 0);
                pt_slice_unref(slice);
                slice = g_steal_pointer(&after);
                if (n == 11)
                        first = pt_slice_clone(slice);
                if (n % 100 == 0)
                        assert_int_equal(pt_store_tidy(store), 0);
                if (n == 600) {
                        assert_in_range(count_revisions(store), 590, 600);
                        unit_assert_load(store, 11, first);
                }
        }
        assert_int_equal(pt_store_tidy(store), 0);
        assert_in_range(count_revisions(store), PT_STORE_REVISIONS_MAX,
                        PT_STORE_REVISIONS_MAX + 2 * PT_STORE_DELTAS_MAX);
        assert_false(has_revision(dir, 11));
        pt_store_close(g_steal_pointer(&store));
        store = unit_open(dir);
        unit_assert_load(store, n, slice);
}

/* Failed attempts do not push revisions out, and do not pile up. */
static void test_aborted(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new(), after = unit_slice(1);
        g_autoptr(GPtrArray) list = NULL;

        unit_commit(store, &slice, "a", 1);
        for (unsigned i = 0; i < 3 * PT_STORE_REVISIONS_KEPT; i++) {
                assert_int_equal(unit_intend(store, 2 + i, slice, after), 0);
                assert_int_equal(pt_store_abort(store, 2 + i), 0);
        }
        for (int i = 0; i < 2; i++) {
                assert_int_equal(pt_store_tidy(store), 0);
                assert_int_equal(pt_store_list(store, 0, 10000, &list), 0);
                assert_int_equal(list->len, 1 + PT_STORE_REVISIONS_KEPT);
                assert_int_equal(((PtRevision *) list->pdata[0])->number,
                                 1 + 3 * PT_STORE_REVISIONS_KEPT);
                assert_int_equal(((PtRevision *) list->pdata[PT_STORE_REVISIONS_KEPT])->number, 1);
                g_clear_pointer(&list, g_ptr_array_unref);
                pt_store_close(store);
                store = unit_open(dir);
        }
        unit_assert_load(store, 1, slice);
}

/* The journal is shortened, all is there without what it had, and a lost file is still made anew
 * from what it has. */
static void test_journal(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autofree char *comment = g_strnfill(500000, 'c'), *path = unit_path(dir, "journal");
        g_autofree char *lost = NULL;
        g_autoptr(GPtrArray) list = NULL;
        off_t largest = 0;
        struct stat st;
        unsigned n = 0;

        do {
                g_autoptr(PtSlice) after = pt_slice_clone(slice);
                PtRevision revision = {.number = ++n, .comment = comment};

                unit_put(after, unit_rule("a", n));
                assert_int_equal(pt_store_intend(store, &revision, slice, after), 0);
                assert_int_equal(pt_store_decide(store, n), 0);
                pt_slice_unref(slice);
                slice = g_steal_pointer(&after);
                assert_int_equal(pt_store_tidy(store), 0);
                assert_int_equal(stat(path, &st), 0);
                largest = MAX(largest, st.st_size);
                assert_true(n < 30);
        } while (st.st_size >= largest);
        assert_true(largest < 2 * PT_STORE_JOURNAL_MAX);
        assert_true(st.st_size < 600000); /* one revision, and no text */

        unit_commit(store, &slice, "a", 60000);
        for (int i = 0; i < 2; i++) {
                unit_assert_load(store, n + 1, slice);
                assert_int_equal(pt_store_list(store, 0, 100, &list), 0);
                assert_int_equal(list->len, n + 1);
                assert_int_equal(strlen(((PtRevision *) list->pdata[5])->comment), 500000);
                g_clear_pointer(&list, g_ptr_array_unref);
                pt_store_close(store);
                store = unit_open(dir);
        }
        lost = g_strdup_printf("%s/revisions/%u", dir, n + 1);
        pt_store_close(g_steal_pointer(&store));
        unit_remove(lost);
        store = unit_open(dir);
        unit_assert_daemon(dir, "filterd", slice, n + 1);
        assert_int_equal(pt_store_last(store), n + 1);
}

/* Two configurations of daemons over time: one that joins gets a snapshot, one that left costs
 * nothing. */
static void test_daemons_change(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = unit_slice(300), empty = pt_slice_new(), zones = NULL;
        g_autofree char *gone = unit_path(dir, "revisions/70/netd.ndjson");

        unit_put(slice, unit_zone("lan", true));
        assert_int_equal(unit_intend(store, 1, empty, slice), 0);
        assert_int_equal(pt_store_decide(store, 1), 0);
        for (unsigned i = 2; i <= 70; i++) {
                if (i == 30)
                        pt_store_add_daemon(store, "netd", unit_zones, NULL);
                if (i == 60) {
                        pt_store_close(store);
                        store = unit_open(dir);
                }
                unit_commit(store, &slice, "a", i);
                assert_int_equal(pt_store_tidy(store), 0);
                if (i >= 29)
                        unit_assert_load(store, i, slice);
                if (i == 59) {
                        zones = pt_slice_project(slice, unit_zones);
                        unit_assert_daemon(dir, "netd", zones, 59);
                }
        }
        assert_int_equal(access(gone, F_OK), -1);
}

#define store_test(function)                                                                       \
        cmocka_unit_test_setup_teardown(function, unit_store_setup, unit_store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                store_test(test_snapshots),      store_test(test_snapshot_by_size),
                store_test(test_retention),      store_test(test_confirmed_day),
                store_test(test_aborted),        store_test(test_journal),
                store_test(test_daemons_change),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
