/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Crashes, damage and full disks: nothing decided is lost, and what is wrong is named. */

#include "store-unit.h"

#include <signal.h>
#include <sys/resource.h>

/* As unit_open(), for a store that has something to say. */
static PtStore *open_damaged(const char *dir, PtDiagnostics *diag)
{
        PtStore *store = NULL;
        int r = pt_store_open(dir, diag, &store);

        if (r < 0)
                unit_print(diag);
        assert_int_equal(r, 0);
        pt_store_add_daemon(store, "filterd", unit_kinds, NULL);
        return store;
}

/* The bytes before the last line of the journal. */
static size_t last_line(const char *journal, size_t size)
{
        const char *newline = memrchr(journal, '\n', size - 1);

        return newline ? (size_t) (newline + 1 - journal) : 0;
}

/* The journal ends within its last record, at every byte of it; the files never follow before a
 * record is whole. */
static void test_torn_intent(void **state)
{
        const char *dir = *state;
        g_autofree char *copy = g_strconcat(dir, "-copy", NULL), *journal = NULL;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new(), after = NULL;
        size_t size;

        unit_commit(store, &slice, "a", 1);
        unit_commit(store, &slice, "b", 2);
        after = pt_slice_clone(slice);
        unit_put(after, unit_rule("c", 3));
        assert_int_equal(unit_intend(store, 3, slice, after), 0);
        pt_store_close(g_steal_pointer(&store));
        journal = unit_read(dir, "journal", &size);

        unit_copy_dir(dir, copy);
        for (size_t cut = last_line(journal, size); cut <= size; cut++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();

                unit_write(copy, "journal", journal, cut);
                store = open_damaged(copy, diag);
                assert_int_equal(pt_diag_errors(diag), 0);
                assert_int_equal(pt_store_pending(store), cut == size ? 3 : 0);
                assert_int_equal(pt_store_decided(store), 2);
                unit_assert_load(store, 2, slice);
                unit_assert_daemon(copy, "filterd", slice, 2);
                pt_store_close(g_steal_pointer(&store));
        }
        /* The last of them was whole: it can still be decided. */
        store = unit_open(copy);
        assert_int_equal(pt_store_decide(store, 3), 0);
        unit_assert_daemon(copy, "filterd", after, 3);
}

static void test_torn_decision(void **state)
{
        const char *dir = *state;
        g_autofree char *copy = g_strconcat(dir, "-copy", NULL),
                        *work = g_strconcat(dir, "-work", NULL);
        g_autofree char *journal = NULL;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new(), before = NULL;
        size_t size;

        unit_commit(store, &slice, "a", 1);
        before = pt_slice_clone(slice);
        unit_copy_dir(dir, copy); /* the files as they are when the second commit begins */
        unit_commit(store, &slice, "b", 2);
        pt_store_close(g_steal_pointer(&store));
        journal = unit_read(dir, "journal", &size);

        for (size_t cut = last_line(journal, size); cut <= size; cut++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                bool whole = cut == size;

                unit_copy_dir(copy, work);
                unit_write(work, "journal", journal, cut);
                /* What a daemon finds before configd is back: the link names the revision before.
                 */
                unit_assert_daemon(work, "filterd", before, 1);
                store = open_damaged(work, diag);
                assert_int_equal(pt_diag_errors(diag), 0);
                assert_int_equal(pt_store_decided(store), whole ? 2 : 1);
                assert_int_equal(pt_store_pending(store), whole ? 0 : 2);
                unit_assert_load(store, 2, slice);
                unit_assert_daemon(work, "filterd", whole ? slice : before, whole ? 2 : 1);
                pt_store_close(g_steal_pointer(&store));
        }
}

/* After a power cut any file that was written since the last sync may be empty, cut or gone: all
 * come from the journal. */
static void test_lost_files(void **state)
{
        static const char *const damage[] = {"gone", "empty", "cut", "zeros", "folder"};
        static const char *const files[] = {"filterd.ndjson", "meta.json"};
        const char *dir = *state;
        g_autofree char *copy = g_strconcat(dir, "-copy", NULL);
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new();

        for (unsigned i = 1; i <= 5; i++)
                unit_commit(store, &slice, "a", i);
        pt_store_close(g_steal_pointer(&store));
        for (unsigned number = 1; number <= 5; number++)
                for (unsigned f = 0; f < G_N_ELEMENTS(files); f++)
                        for (unsigned d = 0; d < G_N_ELEMENTS(damage); d++) {
                                g_autofree char *folder =
                                        g_strdup_printf("%s/revisions/%u", copy, number);
                                g_autofree char *path = unit_path(folder, files[f]);
                                static const char zeros[10] = {0};

                                unit_copy_dir(dir, copy);
                                switch (d) {
                                case 0:
                                        assert_int_equal(unlink(path), 0);
                                        break;
                                case 1:
                                case 2:
                                        assert_int_equal(truncate(path, d == 1 ? 0 : 100), 0);
                                        break;
                                case 3:
                                        unit_write(folder, files[f], zeros, sizeof(zeros));
                                        break;
                                case 4:
                                        unit_remove(folder);
                                        break;
                                }
                                store = unit_open(copy);
                                assert_int_equal(pt_store_decided(store), 5);
                                unit_assert_load(store, 5, slice);
                                unit_assert_daemon(copy, "filterd", slice, 5);
                                pt_store_close(g_steal_pointer(&store));
                        }
}

static void test_lost_link(void **state)
{
        const char *dir = *state;
        g_autofree char *link = unit_path(dir, "revisions/decided");
        /* The first two may be what a crash left; the others nobody but a stranger makes. */
        static const char *const targets[] = {NULL, "1", "7", "nonsense", "../../etc"};
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new();

        unit_commit(store, &slice, "a", 1);
        unit_commit(store, &slice, "b", 1);
        for (unsigned i = 0; i < G_N_ELEMENTS(targets); i++) {
                pt_store_close(g_steal_pointer(&store));
                assert_int_equal(unlink(link), 0);
                if (targets[i])
                        assert_int_equal(symlink(targets[i], link), 0);
                if (i < 2) {
                        store = unit_open(dir);
                } else {
                        g_autoptr(PtDiagnostics) diag = pt_diag_new();

                        store = open_damaged(dir, diag);
                        assert_true(unit_said(diag, "the link revisions/decided was changed"));
                }
                unit_assert_daemon(dir, "filterd", slice, 2);
        }
}

/* What a daemon alone makes of a damaged store: the newest revision that is whole, and a word about
 * it. */
static void test_daemon_falls_back(void **state)
{
        const char *dir = *state;
        g_autofree char *text = NULL;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = unit_slice(20), empty = pt_slice_new(), second = NULL;
        size_t size;

        assert_int_equal(unit_intend(store, 1, empty, slice), 0);
        assert_int_equal(pt_store_decide(store, 1), 0);
        unit_commit(store, &slice, "a", 1);
        second = pt_slice_clone(slice);
        for (unsigned i = 3; i <= 5; i++)
                unit_commit(store, &slice, "a", i);
        text = unit_read(dir, "revisions/3/filterd.ndjson", &size);
        for (size_t i = 0; i < size; i++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                g_autoptr(PtSlice) found = NULL;
                uint64_t number = 0;
                bool damaged = false;

                text[i] ^= 1;
                unit_write(dir, "revisions/3/filterd.ndjson", text, size);
                text[i] ^= 1;
                assert_int_equal(
                        pt_store_read_slice(dir, "filterd", diag, &found, &number, &damaged), 0);
                assert_true(damaged);
                assert_int_equal(number, 2);
                assert_same_root(found, second);
                assert_true(pt_diag_errors(diag) > 0);
                assert_true(unit_said(diag, "revisions/3/filterd.ndjson"));
                assert_true(unit_said(diag, "revision 2 of filterd is used instead"));
        }
}

static int read_damaged(const char *dir, PtDiagnostics *diag, uint64_t *ret_number)
{
        g_autoptr(PtSlice) found = NULL;
        bool damaged = false;
        int r = pt_store_read_slice(dir, "filterd", diag, &found, ret_number, &damaged);

        assert_true(r < 0 || damaged);
        return r;
}

static void test_daemon_finds_nothing(void **state)
{
        const char *dir = *state;
        g_autofree char *snapshot = unit_path(dir, "revisions/1/filterd.ndjson"),
                        *link = unit_path(dir, "revisions/decided");
        g_autofree char *revisions = unit_path(dir, "revisions"),
                        *second = unit_path(dir, "revisions/2");
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = unit_slice(4), empty = pt_slice_new();
        uint64_t number = 0;

        assert_int_equal(unit_intend(store, 1, empty, slice), 0);
        assert_int_equal(pt_store_decide(store, 1), 0);
        unit_commit(store, &slice, "a", 1);
        unit_remove(second);
        assert_int_equal(unlink(link), 0);
        assert_int_equal(mkdir(link, 0755), 0); /* a folder where a link should be */
        assert_int_equal(read_damaged(dir, diag, &number), 0);
        assert_int_equal(number, 1);
        assert_true(unit_said(diag, "does not name a revision"));
        assert_int_equal(unlink(snapshot), 0);
        assert_int_equal(read_damaged(dir, diag, &number), -ENOENT);
        unit_write(dir, "revisions/1/filterd.ndjson", "{}\n", 3);
        assert_int_equal(read_damaged(dir, diag, &number), -EBADMSG);
        assert_true(unit_said(diag, "revisions/1/filterd.ndjson does not begin as a slice"));
        unit_remove(revisions);
        unit_write(dir, "revisions", "", 0); /* no folder at all */
        assert_int_equal(read_damaged(dir, diag, &number), -ENOTDIR);
        assert_true(unit_said(diag, "cannot be read: Not a directory"));
}

/* configd meets a damaged snapshot: the revisions on it cannot be loaded, and the next commit
 * writes all anew. */
static void test_commit_after_damage(void **state)
{
        const char *dir = *state;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = unit_slice(5000), empty = pt_slice_new(), loaded = NULL;
        g_autofree char *snapshot = unit_path(dir, "revisions/1/filterd.ndjson");

        assert_int_equal(unit_intend(store, 1, empty, slice), 0);
        assert_int_equal(pt_store_decide(store, 1), 0);
        unit_commit(store, &slice, "a", 1);
        pt_store_close(g_steal_pointer(&store));
        assert_int_equal(truncate(snapshot, 1000), 0);
        store = unit_open(dir);
        assert_int_equal(pt_store_load(store, 2, diag, &loaded), -EBADMSG);
        assert_true(unit_said(diag, "revisions/1/filterd.ndjson"));
        assert_int_equal(unit_intend(store, 3, empty, slice), 0);
        assert_int_equal(pt_store_decide(store, 3), 0);
        unit_assert_load(store, 3, slice);
        unit_assert_daemon(dir, "filterd", slice, 3);
}

static void tamper(char *journal, size_t size, unsigned line)
{
        for (size_t i = 0; i < size; i++) {
                if (line == 0 && strncmp(journal + i, "\"type\"", 6) == 0) {
                        journal[i + 1] = 'T';
                        return;
                }
                line -= journal[i] == '\n' && line > 0;
        }
}

/* A record was changed, whichever: it is named, the rest counts, the journal begins anew and the
 * evidence is kept. */
static void test_tampered(void **state)
{
        const char *dir = *state;
        g_autofree char *copy = g_strconcat(dir, "-copy", NULL), *journal = NULL;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new();
        size_t size;

        for (unsigned i = 1; i <= 4; i++)
                unit_commit(store, &slice, "a", i);
        pt_store_close(g_steal_pointer(&store));
        journal = unit_read(dir, "journal", &size);
        for (unsigned line = 0; line < 8; line++) {
                g_autofree char *changed = g_strndup(journal, size), *kept = NULL;
                g_autoptr(PtDiagnostics) diag = pt_diag_new(), quiet = pt_diag_new();
                size_t kept_size;

                tamper(changed, size, line);
                unit_copy_dir(dir, copy);
                unit_write(copy, "journal", changed, size);
                store = open_damaged(copy, diag);
                assert_true(pt_diag_errors(diag) > 0);
                assert_true(unit_said(diag, "of the journal was changed after it was written"));
                assert_int_equal(pt_store_decided(store), 4);
                assert_int_equal(pt_store_last(store), 4);
                unit_assert_load(store, 4, slice);
                unit_assert_daemon(copy, "filterd", slice, 4);
                kept = unit_read(copy, "journal.damaged", &kept_size);
                assert_int_equal(kept_size, size);
                assert_memory_equal(kept, changed, size);
                pt_store_close(g_steal_pointer(&store));
                store = open_damaged(copy, quiet); /* and that was it */
                assert_int_equal(pt_diag_count(quiet), 0);
                assert_int_equal(pt_store_decided(store), 4);
                pt_store_close(g_steal_pointer(&store));
        }
}

/* An old copy of the journal, or none at all, does not take the firewall back. */
static void test_journal_cut_off(void **state)
{
        const char *dir = *state;
        g_autofree char *copy = g_strconcat(dir, "-copy", NULL), *journal = NULL;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new();
        size_t size;

        for (unsigned i = 1; i <= 4; i++)
                unit_commit(store, &slice, "a", i);
        pt_store_close(g_steal_pointer(&store));
        journal = unit_read(dir, "journal", &size);
        for (size_t cut = 0; cut < size; cut += cut < size ? strcspn(journal + cut, "\n") + 1 : 1) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();

                unit_copy_dir(dir, copy);
                unit_write(copy, "journal", journal, cut);
                store = open_damaged(copy, diag);
                assert_true(unit_said(diag, "its end was removed, or an old copy took its place"));
                assert_int_equal(pt_store_decided(store), 4);
                assert_int_equal(pt_store_pending(store), 0);
                unit_assert_load(store, 4, slice);
                unit_assert_daemon(copy, "filterd", slice, 4);
                pt_store_close(g_steal_pointer(&store));
        }
}

static void test_nothing_left(void **state)
{
        const char *dir = *state;
        g_autofree char *folder = unit_path(dir, "revisions/1"),
                        *journal = unit_path(dir, "journal");
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new();

        unit_commit(store, &slice, "a", 1);
        pt_store_close(g_steal_pointer(&store));
        unit_remove(folder);
        assert_int_equal(unlink(journal), 0);
        assert_int_equal(pt_store_open(dir, diag, &store), -EBADMSG);
        assert_null(store);
        assert_true(unit_said(diag, "none is left"));
}

static void test_unreadable(void **state)
{
        const char *dir = *state;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtStore) store = NULL;
        g_autofree char *file = unit_path(dir, "plain");

        assert_int_equal(mkdir(dir, 0700), 0);
        unit_write(dir, "plain", "", 0);
        assert_int_equal(pt_store_open(file, diag, &store), -ENOTDIR);
        assert_true(unit_said(diag, "cannot be opened: Not a directory"));
        unit_write(dir, "revisions", "", 0);
        assert_int_equal(pt_store_open(dir, diag, &store), -ENOTDIR);
        if (geteuid() == 0) {
                print_message("that permissions are in the way cannot be tested as root\n");
        } else {
                assert_int_equal(chmod(dir, 0), 0);
                assert_int_equal(pt_store_open(dir, diag, &store), -EACCES);
        }
}

/* Runs `function` while no file may grow beyond `limit` bytes, as on a full disk. */
static int with_limit(rlim_t limit,
                      int (*function)(PtStore *store, const PtSlice *before, const PtSlice *after),
                      PtStore *store, const PtSlice *before, const PtSlice *after)
{
        struct rlimit whole, small;
        int r;

        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &whole), 0);
        small = whole;
        small.rlim_cur = limit;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        r = function(store, before, after);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &whole), 0);
        return r;
}

static int intend_next(PtStore *store, const PtSlice *before, const PtSlice *after)
{
        return unit_intend(store, pt_store_last(store) + 1, before, after);
}

static int decide_pending(PtStore *store, const PtSlice *before, const PtSlice *after)
{
        (void) before;
        (void) after;
        return pt_store_decide(store, pt_store_pending(store));
}

static void test_disk_full(void **state)
{
        const char *dir = *state;
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new(), large = unit_slice(5000), small = NULL;
        g_autofree char *journal = NULL, *left = unit_path(dir, "revisions/2");
        size_t size;

        unit_commit(store, &slice, "a", 1);
        small = pt_slice_clone(slice);
        unit_put(small, unit_rule("b", 1));
        journal = unit_read(dir, "journal", &size);

        /* Neither the file of a large intent, nor the record of a small one: refused, and nothing
         * is left of it. */
        assert_int_equal(with_limit(size, intend_next, store, slice, large), -EFBIG);
        assert_int_equal(with_limit(size + 100, intend_next, store, slice, small), -EFBIG);
        assert_int_equal(pt_store_pending(store), 0);
        assert_int_equal(access(left, F_OK), -1);
        unit_assert_daemon(dir, "filterd", slice, 1);

        /* No room for the decision: still undecided, and decided when there is room. */
        assert_int_equal(intend_next(store, slice, small), 0);
        g_free(journal);
        journal = unit_read(dir, "journal", &size);
        assert_int_equal(with_limit(size + 10, decide_pending, store, NULL, NULL), -EFBIG);
        assert_int_equal(pt_store_decided(store), 1);
        assert_int_equal(pt_store_pending(store), 2);
        assert_int_equal(pt_store_decide(store, 2), 0);
        unit_assert_daemon(dir, "filterd", small, 2);
        pt_store_close(g_steal_pointer(&store));
        store = unit_open(dir);
        unit_assert_load(store, 2, small);
}

/* Decided, and then no file can be written: it is decided all the same, and the files follow later.
 */
static void test_no_files_after_decision(void **state)
{
        const char *dir = *state;
        g_autofree char *copy = g_strconcat(dir, "-copy", NULL),
                        *folder = unit_path(dir, "revisions/2");
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new(), before = NULL;

        unit_commit(store, &slice, "a", 1);
        before = pt_slice_clone(slice);
        unit_write(dir, "revisions/2", "", 0); /* in the way of the folder */
        unit_commit(store, &slice, "b", 1);
        assert_int_equal(pt_store_decided(store), 2);
        unit_assert_load(store, 2, slice);
        unit_assert_daemon(dir, "filterd", before, 1);
        unit_copy_dir(dir, copy);
        assert_int_equal(unlink(folder), 0);
        assert_int_equal(pt_store_tidy(store), 0);
        unit_assert_daemon(dir, "filterd", slice, 2);

        /* Or at the next start. */
        g_free(folder);
        folder = unit_path(copy, "revisions/2");
        assert_int_equal(unlink(folder), 0);
        pt_store_close(g_steal_pointer(&store));
        store = unit_open(copy);
        unit_assert_daemon(copy, "filterd", slice, 2);
}

/* Half a folder from a run that died is no revision. */
static void test_leftovers(void **state)
{
        const char *dir = *state;
        g_autofree char *folder = unit_path(dir, "revisions/9"),
                        *unfinished = unit_path(dir, "journal.0123456789abcdef.tmp");
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new();

        unit_commit(store, &slice, "a", 1);
        pt_store_close(g_steal_pointer(&store));
        assert_int_equal(mkdir(folder, 0755), 0);
        unit_write(folder, "filterd.ndjson.tmp", "x", 1);
        unit_write(dir, "journal.0123456789abcdef.tmp", "x", 1);
        unit_assert_daemon(dir, "filterd", slice, 1);
        store = unit_open(dir);
        assert_int_equal(access(folder, F_OK), -1);
        assert_int_equal(access(unfinished, F_OK), -1);
        assert_int_equal(pt_store_decided(store), 1);
        assert_int_equal(pt_store_last(store), 9);
}

#define store_test(function)                                                                       \
        cmocka_unit_test_setup_teardown(function, unit_store_setup, unit_store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                store_test(test_torn_intent),
                store_test(test_torn_decision),
                store_test(test_lost_files),
                store_test(test_lost_link),
                store_test(test_daemon_falls_back),
                store_test(test_daemon_finds_nothing),
                store_test(test_commit_after_damage),
                store_test(test_tampered),
                store_test(test_journal_cut_off),
                store_test(test_nothing_left),
                store_test(test_unreadable),
                store_test(test_disk_full),
                store_test(test_no_files_after_decision),
                store_test(test_leftovers),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
