/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store-unit.h"

#include <sys/wait.h>

static void test_empty(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = NULL;
        g_autoptr(GPtrArray) list = NULL;
        PtRevision *revision = NULL;
        uint64_t number;
        bool damaged;

        assert_int_equal(pt_store_decided(store), 0);
        assert_int_equal(pt_store_last(store), 0);
        assert_int_equal(pt_store_pending(store), 0);
        assert_int_equal(pt_store_load(store, 0, NULL, &slice), 0);
        assert_int_equal(pt_slice_count(slice, NULL), 0);
        assert_int_equal(pt_store_load(store, 1, NULL, &slice), -ENOENT);
        assert_int_equal(pt_store_get(store, 1, &revision), -ENOENT);
        assert_int_equal(pt_store_list(store, 0, 10, &list), 0);
        assert_int_equal(list->len, 0);
        assert_int_equal(pt_store_read_slice(dir, "filterd", NULL, &slice, &number, &damaged),
                         -ENOENT);
        assert_int_equal(
                pt_store_read_slice("/nonexistent", "filterd", NULL, &slice, &number, &damaged),
                -ENOENT);
        assert_int_equal(pt_store_decide(store, 1), -EINVAL);
        assert_int_equal(pt_store_abort(store, 1), -EINVAL);
        assert_int_equal(pt_store_tidy(store), 0);
}

static void assert_mode(const char *dir, const char *name, mode_t mode)
{
        g_autofree char *path = unit_path(dir, name);
        struct stat st;

        assert_int_equal(lstat(path, &st), 0);
        assert_int_equal(st.st_mode & 07777, mode);
}

static void test_commits(void **state)
{
        const char *dir = *state;
        mode_t before = umask(0077);
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new(), first = NULL, tenth = NULL;
        g_autoptr(GPtrArray) list = NULL;
        g_autoptr(PtRevision) revision = NULL;
        PtDigest root;

        for (unsigned i = 1; i <= 20; i++) {
                g_autofree char *name = g_strdup_printf("rule-%u", i % 7);

                unit_commit(store, &slice, name, i);
                if (i == 1)
                        first = pt_slice_clone(slice);
                if (i == 10)
                        tenth = pt_slice_clone(slice);
                unit_assert_daemon(dir, "filterd", slice, i);
        }
        umask(before);
        assert_mode(dir, "journal", 0600);
        assert_mode(dir, "revisions", 0755);
        assert_mode(dir, "revisions/20", 0755);
        assert_mode(dir, "revisions/20/filterd.ndjson", 0640);
        assert_mode(dir, "revisions/20/meta.json", 0640);

        for (int i = 0; i < 2; i++) { /* as left, and opened again */
                assert_int_equal(pt_store_decided(store), 20);
                assert_int_equal(pt_store_last(store), 20);
                unit_assert_load(store, 20, slice);
                unit_assert_load(store, 10, tenth);
                unit_assert_load(store, 1, first);
                pt_store_close(store);
                store = unit_open(dir);
        }
        assert_int_equal(pt_store_get(store, 10, &revision), 0);
        assert_int_equal(revision->number, 10);
        assert_int_equal(revision->parent, 9);
        assert_int_equal(revision->uid, 1000);
        assert_string_equal(revision->author, "alice");
        assert_string_equal(revision->comment, "a \"comment\"\n");
        assert_int_equal(revision->time_usec, 1700000000000000);
        assert_int_equal(revision->state, PT_REVISION_DECIDED);
        root = unit_root(tenth);
        assert_true(pt_digest_equal(&revision->root, &root));

        assert_int_equal(pt_store_list(store, 15, 3, &list), 0);
        assert_int_equal(list->len, 3);
        for (unsigned i = 0; i < 3; i++)
                assert_int_equal(((PtRevision *) list->pdata[i])->number, 14 - i);
        /* And on after the start: on the chain that is there. */
        unit_commit(store, &slice, "later", 1);
        unit_assert_daemon(dir, "filterd", slice, 21);
}

static void test_abort(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new(), large = unit_slice(5000), loaded = NULL;
        g_autofree char *folder = unit_path(dir, "revisions/2");
        g_autoptr(PtRevision) revision = NULL;

        unit_commit(store, &slice, "a", 1);
        assert_int_equal(unit_intend(store, 2, slice, large), 0); /* too large for the journal */
        assert_int_equal(access(folder, F_OK), 0);
        assert_int_equal(pt_store_pending(store), 2);
        assert_int_equal(unit_intend(store, 3, slice, large), -EBUSY);
        assert_int_equal(pt_store_decide(store, 3), -EINVAL);
        unit_assert_daemon(dir, "filterd", slice, 1);
        unit_assert_load(store, 2, large);
        assert_int_equal(pt_store_abort(store, 2), 0);
        assert_int_equal(access(folder, F_OK), -1);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(pt_store_pending(store), 0);
                assert_int_equal(pt_store_decided(store), 1);
                assert_int_equal(pt_store_last(store), 2);
                assert_int_equal(pt_store_load(store, 2, NULL, &loaded), -ENOENT);
                assert_int_equal(unit_intend(store, 2, slice, large),
                                 -EINVAL); /* a number is used once */
                unit_assert_load(store, 1, slice);
                pt_store_close(store);
                store = unit_open(dir);
        }
        assert_int_equal(pt_store_get(store, 2, &revision), 0);
        assert_int_equal(revision->state, PT_REVISION_ABORTED);
        unit_commit(store, &slice, "b", 2);
        unit_assert_daemon(dir, "filterd", slice, 3);
}

/* The last run died between intent and decision: both ways out are open, with the content at hand.
 */
static void test_pending(void **state)
{
        const char *dir = *state;
        static const unsigned sizes[] = {3, 5000}; /* in the journal, in a file */

        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                g_autoptr(PtSlice) after = unit_slice(sizes[i]), before = pt_slice_new();

                for (int decide = 0; decide < 2; decide++) {
                        g_autofree char *copy = g_strconcat(dir, "-copy", NULL);
                        g_autoptr(PtStore) store = unit_open(copy);

                        unit_commit(store, &before, "a", 1);
                        assert_int_equal(unit_intend(store, 2, before, after), 0);
                        pt_store_close(store);
                        store = unit_open(copy);
                        assert_int_equal(pt_store_pending(store), 2);
                        assert_int_equal(pt_store_decided(store), 1);
                        assert_int_equal(pt_store_last(store), 2);
                        unit_assert_load(store, 2, after);
                        unit_assert_load(store, 1, before);
                        unit_assert_daemon(copy, "filterd", before, 1);
                        if (decide)
                                assert_int_equal(pt_store_decide(store, 2), 0);
                        else
                                assert_int_equal(pt_store_abort(store, 2), 0);
                        unit_assert_daemon(copy, "filterd", decide ? after : before,
                                           decide ? 2 : 1);
                        pt_store_close(store);
                        store = unit_open(copy);
                        assert_int_equal(pt_store_pending(store), 0);
                        unit_assert_load(store, decide ? 2 : 1, decide ? after : before);
                        unit_remove(copy);
                        pt_slice_unref(before);
                        before = pt_slice_new();
                }
        }
}

/* Each daemon's file has its own kinds; the whole comes together again from all of them. */
static void test_daemons(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = unit_slice(1000), empty = pt_slice_new(), zones = NULL;

        pt_store_add_daemon(store, "netd", unit_zones, NULL);
        unit_put(slice, unit_zone("lan", false));
        assert_int_equal(unit_intend(store, 1, empty, slice), 0);
        assert_int_equal(pt_store_decide(store, 1), 0);
        for (unsigned i = 2; i < 10; i++) {
                g_autoptr(PtSlice) before = pt_slice_clone(slice);

                g_clear_pointer(&zones, pt_slice_unref);
                if (i == 4)
                        unit_put(slice, unit_zone("wan", true));
                if (i == 5)
                        assert_true(pt_slice_remove(slice, &pt_kind_zone, "lan"));
                unit_put(slice, unit_rule("rule-1", 10000 + i));
                assert_int_equal(unit_intend(store, i, before, slice), 0);
                if (i == 6) { /* its part is projected again */
                        pt_store_close(store);
                        store = unit_open(dir);
                        pt_store_add_daemon(store, "netd", unit_zones, NULL);
                }
                assert_int_equal(pt_store_decide(store, i), 0);
                zones = pt_slice_project(slice, unit_zones);
                unit_assert_daemon(dir, "filterd", slice, i);
                unit_assert_daemon(dir, "netd", zones, i);
                unit_assert_load(store, i, slice);
        }
}

/* An object that no daemon's file would have is refused, not lost. */
static void test_uncovered(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtSlice) slice = unit_slice(1), empty = pt_slice_new();
        g_autoptr(PtStore) store = NULL;

        assert_int_equal(pt_store_open(*state, diag, &store), 0);
        pt_store_add_daemon(store, "netd", unit_zones, NULL);
        assert_int_equal(unit_intend(store, 1, empty, slice), -EINVAL);
        assert_int_equal(pt_store_pending(store), 0);
}

static void test_bad_texts(void **state)
{
        g_autoptr(PtStore) store = unit_open(*state);
        g_autoptr(PtSlice) slice = unit_slice(1), empty = pt_slice_new();
        g_autofree char *large = g_strnfill(1 << 20, 'c');
        PtRevision revision = {.number = 1, .comment = (char *) "\xff"};

        assert_int_equal(pt_store_intend(store, &revision, empty, slice), -EINVAL);
        revision.comment = large;
        assert_int_equal(pt_store_intend(store, &revision, empty, slice), -EFBIG);
        revision.comment = NULL;
        revision.number = 0;
        assert_int_equal(pt_store_intend(store, &revision, empty, slice), -EINVAL);
        revision.number = 1;
        assert_int_equal(pt_store_intend(store, &revision, empty, slice), 0);
        assert_int_equal(pt_store_decide(store, 1), 0);
        unit_assert_load(store, 1, slice);
}

/* What cannot be loaded any more does not stand in the way of the next commit. */
static void test_other_base(void **state)
{
        g_autoptr(PtStore) store = unit_open(*state);
        g_autoptr(PtSlice) slice = pt_slice_new(), other = unit_slice(50), after = unit_slice(51);

        unit_commit(store, &slice, "a", 1);
        assert_int_equal(unit_intend(store, 2, other, after), 0);
        assert_int_equal(pt_store_decide(store, 2), 0);
        unit_assert_load(store, 2, after);
        unit_assert_daemon(*state, "filterd", after, 2);
        unit_assert_load(store, 1, slice);
}

static void test_one_writer(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtStore) store = unit_open(*state), second = NULL;

        assert_int_equal(pt_store_open(*state, diag, &second), -EBUSY);
        assert_null(second);
        assert_true(unit_said(diag, "another configd uses"));
        g_clear_pointer(&store, pt_store_close);
        store = unit_open(*state);
}

/* The daemon is another user, who may read its file and write nothing. */
static void test_other_user(void **state)
{
        g_autofree char *parent = g_path_get_dirname(*state);
        g_autoptr(PtStore) store = NULL;
        g_autoptr(PtSlice) slice = pt_slice_new();
        int status = 0;
        pid_t child;

        if (geteuid() != 0) {
                print_message("needs root to become another user\n");
                skip();
        }
        assert_int_equal(chmod(parent, 0755), 0);
        store = unit_open(*state);
        pt_store_add_daemon(store, "netd", unit_zones, "nogroup");
        unit_commit(store, &slice, "a", 1);
        unit_commit(store, &slice, "b", 1);
        child = fork();
        if (child == 0) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                g_autoptr(PtSlice) found = NULL;
                uint64_t number;
                bool damaged;
                int r;

                /* nobody:nogroup on Debian */
                if (setgid(65534) < 0 || setuid(65534) < 0)
                        _exit(1);
                r = pt_store_read_slice(*state, "netd", diag, &found, &number, &damaged);
                if (r < 0 || damaged || number != 2)
                        _exit(2);
                r = pt_store_read_slice(*state, "filterd", diag, &found, &number, &damaged);
                _exit(r == -EBADMSG && unit_said(diag, "Permission denied") ? 0 : 3);
        }
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
}

#define store_test(function)                                                                       \
        cmocka_unit_test_setup_teardown(function, unit_store_setup, unit_store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                store_test(test_empty),      store_test(test_commits),
                store_test(test_abort),      store_test(test_pending),
                store_test(test_daemons),    store_test(test_uncovered),
                store_test(test_bad_texts),  store_test(test_other_base),
                store_test(test_one_writer), store_test(test_other_user),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
