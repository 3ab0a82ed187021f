/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Revisions that have to be confirmed: what waits, until when, and what the machine boots with
 * meanwhile. */

#include "store-unit.h"

#include "base/boot.h"

#define WINDOW_USEC (60 * G_USEC_PER_SEC)

static int intend_window(PtStore *store, uint64_t number, const PtSlice *before,
                         const PtSlice *after)
{
        PtRevision revision = {
                .number = number, .time_usec = 1700000000000000, .confirm_usec = WINDOW_USEC};

        return pt_store_intend(store, &revision, before, after);
}

/* A commit that has to be confirmed; *slice moves on. */
static void commit_window(PtStore *store, PtSlice **slice, const char *rule)
{
        PtSlice *after = pt_slice_clone(*slice);
        uint64_t number = pt_store_last(store) + 1;

        unit_put(after, unit_rule(rule, 1));
        assert_int_equal(intend_window(store, number, *slice, after), 0);
        assert_int_equal(pt_store_decide(store, number), 0);
        pt_slice_unref(*slice);
        *slice = after;
}

static void assert_waits(const PtStore *store, uint64_t number, uint64_t since, uint64_t until)
{
        PtConfirm confirm;

        assert_true(pt_store_unconfirmed(store, &confirm));
        assert_int_equal(confirm.revision, number);
        assert_false(confirm.other_boot);
        assert_in_range(confirm.deadline_usec, since + WINDOW_USEC, until + WINDOW_USEC);
}

static bool has(const char *dir, const char *name)
{
        g_autofree char *path = unit_path(dir, name);

        return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void assert_link(const char *dir, const char *name, const char *target)
{
        g_autofree char *path = unit_path(dir, name), *found = g_file_read_link(path, NULL);

        assert_string_equal(found ?: "", target);
}

static void test_confirmed_by_decision(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtRevision) revision = NULL;
        PtConfirm confirm;

        assert_int_equal(pt_store_confirmed(store), 0);
        assert_false(pt_store_unconfirmed(store, &confirm));
        unit_commit(store, &slice, "a", 1);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(pt_store_confirmed(store), 1);
                assert_false(pt_store_unconfirmed(store, &confirm));
                assert_int_equal(pt_store_confirm(store, 1), -EINVAL);
                assert_link(dir, "revisions/confirmed", "1");
                assert_false(has(dir, "revisions/unconfirmed"));
                assert_int_equal(pt_store_get(store, 1, &revision), 0);
                assert_int_equal(revision->confirmed_usec, revision->time_usec);
                g_clear_pointer(&revision, pt_revision_free);
                pt_store_close(store);
                store = unit_open(dir);
        }
}

static void test_waits(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new(), first = NULL, other = NULL;
        g_autoptr(PtRevision) revision = NULL;
        uint64_t since, until, deadline;
        PtConfirm confirm;

        unit_commit(store, &slice, "a", 1);
        first = pt_slice_clone(slice);
        since = pt_boottime_usec();
        commit_window(store, &slice, "b");
        until = pt_boottime_usec();
        assert_waits(store, 2, since, until);
        assert_true(pt_store_unconfirmed(store, &confirm));
        deadline = confirm.deadline_usec;
        /* No other one may wait behind it. */
        other = pt_slice_clone(slice);
        unit_put(other, unit_rule("c", 1));
        assert_int_equal(intend_window(store, 3, slice, other), -EBUSY);
        for (int i = 0; i < 2; i++) { /* as left, and opened again */
                assert_int_equal(pt_store_decided(store), 2);
                assert_int_equal(pt_store_confirmed(store), 1);
                assert_true(pt_store_unconfirmed(store, &confirm));
                assert_int_equal(confirm.deadline_usec, deadline);
                assert_link(dir, "revisions/decided", "2");
                assert_link(dir, "revisions/confirmed", "1");
                unit_assert_daemon(dir, "filterd", slice, 2); /* the same boot */
                pt_store_close(store);
                store = unit_open(dir);
        }
        assert_int_equal(pt_store_confirm(store, 1), -EINVAL);
        assert_int_equal(pt_store_confirm(store, 2), 0);
        assert_int_equal(pt_store_confirm(store, 2), -EINVAL);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(pt_store_confirmed(store), 2);
                assert_false(pt_store_unconfirmed(store, &confirm));
                assert_link(dir, "revisions/confirmed", "2");
                assert_false(has(dir, "revisions/unconfirmed"));
                assert_int_equal(pt_store_get(store, 2, &revision), 0);
                assert_int_equal(revision->confirm_usec, WINDOW_USEC);
                assert_true(revision->confirmed_usec > revision->time_usec);
                g_clear_pointer(&revision, pt_revision_free);
                pt_store_close(store);
                store = unit_open(dir);
        }
        unit_assert_daemon(dir, "filterd", slice, 2);
}

/* The machine boots: what was not confirmed does not come into force again. */
static void test_other_boot(void **state)
{
        const char *dir = *state;
        g_autofree char *copy = g_strconcat(dir, "-copy", NULL);
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new(), first = NULL, back = NULL;

        unit_commit(store, &slice, "a", 1);
        first = pt_slice_clone(slice);
        commit_window(store, &slice, "b");
        pt_store_close(g_steal_pointer(&store));
        unit_copy_dir(dir, copy);
        unit_boot_again(copy);
        unit_assert_daemon(copy, "filterd", first, 1);
        /* Reverting is a revision that is confirmed by its decision. */
        store = unit_open(dir);
        back = pt_slice_clone(slice);
        assert_int_equal(unit_intend(store, 3, slice, first), 0);
        assert_int_equal(pt_store_decide(store, 3), 0);
        for (int i = 0; i < 2; i++) {
                PtConfirm confirm;

                assert_int_equal(pt_store_confirmed(store), 3);
                assert_false(pt_store_unconfirmed(store, &confirm));
                assert_link(dir, "revisions/confirmed", "3");
                assert_false(has(dir, "revisions/unconfirmed"));
                unit_assert_daemon(dir, "filterd", first, 3);
                unit_assert_load(store, 2, back);
                pt_store_close(store);
                store = unit_open(dir);
        }
}

/* The first revision of all, unconfirmed at the next boot: as if there had never been one. */
static void test_first_unconfirmed(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new(), found = NULL;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        uint64_t number;
        bool damaged;

        commit_window(store, &slice, "a");
        assert_int_equal(pt_store_confirmed(store), 0);
        unit_assert_daemon(dir, "filterd", slice, 1);
        unit_boot_again(dir);
        assert_int_equal(pt_store_read_slice(dir, "filterd", diag, &found, &number, &damaged),
                         -ENOENT);
        assert_int_equal(pt_diag_count(diag), 0);
}

/* A run that died between intent and decision: the next one decides, and the time since counts. */
static void test_decided_later(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new(), after = NULL;
        uint64_t since, until;

        unit_commit(store, &slice, "a", 1);
        after = pt_slice_clone(slice);
        unit_put(after, unit_rule("b", 1));
        since = pt_boottime_usec();
        assert_int_equal(intend_window(store, 2, slice, after), 0);
        until = pt_boottime_usec();
        pt_store_close(g_steal_pointer(&store));
        /* Until the two times differ. */
        while (pt_boottime_usec() <= until)
                ;
        store = unit_open(dir);
        assert_int_equal(pt_store_pending(store), 2);
        assert_int_equal(pt_store_decide(store, 2), 0);
        assert_waits(store, 2, since, until);
        pt_store_close(g_steal_pointer(&store));
        store = unit_open(dir);
        assert_waits(store, 2, since, until);
}

static void test_aborted(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new(), after = NULL;
        PtConfirm confirm;

        unit_commit(store, &slice, "a", 1);
        after = pt_slice_clone(slice);
        unit_put(after, unit_rule("b", 1));
        assert_int_equal(intend_window(store, 2, slice, after), 0);
        assert_int_equal(pt_store_abort(store, 2), 0);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(pt_store_confirmed(store), 1);
                assert_false(pt_store_unconfirmed(store, &confirm));
                assert_false(has(dir, "revisions/unconfirmed"));
                unit_assert_daemon(dir, "filterd", slice, 1);
                pt_store_close(store);
                store = unit_open(dir);
        }
}

/* A store of before there was confirmation: what was decided is confirmed. */
static void test_older_store(void **state)
{
        const char *dir = *state;
        g_autofree char *link = unit_path(dir, "revisions/confirmed");
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new();

        unit_commit(store, &slice, "a", 1);
        pt_store_close(g_steal_pointer(&store));
        assert_int_equal(unlink(link), 0);
        unit_assert_daemon(dir, "filterd", slice, 1);
        store = unit_open(dir);
        assert_int_equal(pt_store_confirmed(store), 1);
        assert_link(dir, "revisions/confirmed", "1");
}

#define store_test(function)                                                                       \
        cmocka_unit_test_setup_teardown(function, unit_store_setup, unit_store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                store_test(test_confirmed_by_decision),
                store_test(test_waits),
                store_test(test_other_boot),
                store_test(test_first_unconfirmed),
                store_test(test_decided_later),
                store_test(test_aborted),
                store_test(test_older_store),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
