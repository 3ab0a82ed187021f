/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A disk that is full after any byte, and one that is read-only: what was confirmed is loaded, now
 * and after the next start, and when there is room again all goes on. ENOSPC and EROFS are the
 * kernel's own, of a small filesystem in a mount namespace of the test's.
 */

#include "store-unit.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <signal.h>

#define WINDOW_USEC (60 * G_USEC_PER_SEC)

static int intend(PtStore *store, const PtSlice *before, const PtSlice *after,
                  uint64_t confirm_usec)
{
        PtRevision revision = {.number = pt_store_last(store) + 1,
                               .time_usec = 1700000000000000,
                               .confirm_usec = confirm_usec};

        return pt_store_intend(store, &revision, before, after);
}

static PtSlice *with_rule(const PtSlice *slice, const char *rule)
{
        PtSlice *after = pt_slice_clone(slice);

        unit_put(after, unit_rule(rule, 1));
        return after;
}

/* As if each file, and so the disk, ended at `limit` bytes. */
static rlim_t limit_files(rlim_t limit)
{
        struct rlimit now;
        rlim_t before;

        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &now), 0);
        before = now.rlim_cur;
        now.rlim_cur = limit;
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
        return before;
}

/* What was answered, and what is found afterwards, must be the same: each call was done or was not. */
typedef struct Done {
        bool intended, decided, confirmed;
} Done;

static Done try_all(PtStore *store, const PtSlice *before, const PtSlice *after)
{
        Done done = {.intended = intend(store, before, after, WINDOW_USEC) >= 0};

        if (done.intended)
                done.decided = pt_store_decide(store, pt_store_pending(store)) >= 0;
        if (done.decided)
                done.confirmed = pt_store_confirm(store, pt_store_decided(store)) >= 0;
        return done;
}

static void assert_done(PtStore *store, const Done *done, const PtSlice *before,
                        const PtSlice *after)
{
        PtConfirm confirm;

        assert_int_equal(pt_store_decided(store), done->decided ? 2 : 1);
        assert_int_equal(pt_store_confirmed(store), done->confirmed ? 2 : 1);
        assert_int_equal(pt_store_pending(store), done->intended && !done->decided ? 2 : 0);
        assert_int_equal(pt_store_unconfirmed(store, &confirm), done->decided && !done->confirmed);
        unit_assert_load(store, 1, before);
        if (done->decided)
                unit_assert_load(store, 2, after);
}

/* No file grows beyond so many bytes, for every number of bytes: every write is torn at every byte. */
static void test_torn_at_every_byte(void **state)
{
        const char *dir = *state;
        g_autofree char *original = g_strconcat(dir, "-original", NULL), *journal = NULL;
        g_autoptr(PtStore) store = unit_open(original);
        g_autoptr(PtSlice) before = pt_slice_new(), after = NULL;
        unsigned all = 0, none = 0;
        size_t size;

        unit_commit(store, &before, "a", 1);
        after = with_rule(before, "b");
        pt_store_close(g_steal_pointer(&store));
        journal = unit_read(original, "journal", &size);
        for (rlim_t limit = 0; all == 0; limit++) {
                rlim_t whole;
                Done done;

                unit_copy_dir(original, dir);
                store = unit_open(dir);
                whole = limit_files(limit);
                done = try_all(store, before, after);
                assert_done(store, &done, before, after);
                limit_files(whole);
                pt_store_close(g_steal_pointer(&store));
                store = unit_open(dir);
                assert_done(store, &done, before, after);
                unit_assert_daemon(dir, "filterd", done.decided ? after : before,
                                   done.decided ? 2 : 1);
                if (done.intended && !done.decided)
                        assert_int_equal(pt_store_decide(store, 2), 0);
                if (done.intended && !done.confirmed)
                        assert_int_equal(pt_store_confirm(store, 2), 0);
                if (!done.intended)
                        assert_true(try_all(store, before, after).confirmed);
                unit_assert_load(store, 2, after);
                pt_store_close(g_steal_pointer(&store));
                none += !done.intended;
                /* Beyond the journal nothing of this store grows. */
                all = done.confirmed && limit > size;
                assert_true(limit < 100000);
        }
        assert_true(none >= size);
        unit_remove(original);
}

/* Runs `function` where `dir` is a small filesystem of its own; its result is the exit code. */
static void in_small_filesystem(const char *dir, void (*function)(const char *dir))
{
        int status = 0;
        pid_t child;

        if (geteuid() != 0) {
                print_message("needs root to mount a filesystem\n");
                skip();
        }
        assert_int_equal(mkdir(dir, 0755), 0);
        child = fork();
        if (child == 0) {
                if (unshare(CLONE_NEWNS) < 0 ||
                    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
                    mount("small", dir, "tmpfs", 0, "size=256k") < 0)
                        _exit(77);
                function(dir);
                _exit(0);
        }
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
                print_message("a filesystem cannot be mounted here\n");
                skip();
        }
        assert_int_equal(status, 0);
}

/* In the child: cmocka's assertions would jump into the parent's tests. */
#define must(condition)                                                                            \
        do {                                                                                       \
                if (!(condition)) {                                                                \
                        fprintf(stderr, "line %d: %s\n", __LINE__, #condition);                    \
                        _exit(1);                                                                  \
                }                                                                                  \
        } while (0)

static bool same(PtStore *store, uint64_t number, const PtSlice *slice)
{
        g_autoptr(PtSlice) found = NULL;
        PtDigest a, b;

        if (pt_store_load(store, number, NULL, &found) < 0)
                return false;
        pt_slice_root(found, &a);
        pt_slice_root(slice, &b);
        return pt_digest_equal(&a, &b);
}

static PtStore *reopen(const char *dir, PtStore *store)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtStore *again = NULL;

        pt_store_close(store);
        must(pt_store_open(dir, diag, &again) == 0);
        if (pt_diag_errors(diag) > 0)
                unit_print(diag);
        must(pt_diag_errors(diag) == 0);
        pt_store_add_daemon(again, "filterd", unit_kinds, NULL);
        return again;
}

/* Fills the disk up to its last block. */
static void fill(const char *dir)
{
        g_autofree char *path = unit_path(dir, "filler");
        pt_auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        static const char block[512];

        must(fd >= 0);
        while (write(fd, block, sizeof(block)) > 0)
                ;
        must(errno == ENOSPC);
}

/* Commits until there is no room, frees some, and so on: nothing that was decided is ever lost. */
static void run_full(const char *dir)
{
        PtStore *store = reopen(dir, NULL);
        PtSlice *slice = pt_slice_new();
        unsigned refused = 0, files = 0;

        for (unsigned round = 0; round < 40; round++) {
                g_autofree char *rule = g_strdup_printf("rule-%u", round % 9),
                                *filler = unit_path(dir, "filler");
                PtSlice *after = with_rule(slice, rule);
                int r;

                unit_put(after, unit_rule("changing", round));
                if (round % 3 == 1)
                        fill(dir);
                if (round % 3 == 2) { /* full between intent and decision */
                        r = intend(store, slice, after, round % 2 ? WINDOW_USEC : 0);
                        must(r == 0);
                        fill(dir);
                } else {
                        r = intend(store, slice, after, 0);
                }
                if (r >= 0)
                        r = pt_store_decide(store, pt_store_pending(store));
                refused += r == -ENOSPC;
                must(r == 0 || r == -ENOSPC);
                (void) unlink(filler);
                if (r == 0) {
                        pt_slice_unref(slice);
                        slice = after;
                } else {
                        if (pt_store_pending(store) > 0)
                                must(pt_store_abort(store, pt_store_pending(store)) == 0);
                        pt_slice_unref(after);
                }
                if (pt_store_decided(store) != pt_store_confirmed(store))
                        must(pt_store_confirm(store, pt_store_decided(store)) == 0);
                files += pt_store_decided(store) > 0;
                must(pt_store_decided(store) == 0 || same(store, pt_store_decided(store), slice));
                store = reopen(dir, store);
                must(pt_store_decided(store) == 0 || same(store, pt_store_decided(store), slice));
        }
        must(refused > 0 && files > 20);
        pt_slice_unref(slice);
        pt_store_close(store);
}

static void test_full_disk(void **state)
{
        in_small_filesystem(*state, run_full);
}

/* A disk that can only be read (as ext4 makes it after an error), while an intent waits: daemons
 * have what is confirmed, configd does not start on it and says why, and later goes on. */
static void run_read_only(const char *dir)
{
        PtStore *store = reopen(dir, NULL);
        PtSlice *slice = pt_slice_new(), *after, *found = NULL;
        PtDiagnostics *diag = pt_diag_new();
        uint64_t number;
        bool damaged;

        after = with_rule(slice, "a");
        must(intend(store, slice, after, 0) == 0 && pt_store_decide(store, 1) == 0);
        pt_slice_unref(slice);
        slice = after;
        after = with_rule(slice, "b");
        must(intend(store, slice, after, WINDOW_USEC) == 0);
        pt_store_close(store);
        must(mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
        must(pt_store_read_slice(dir, "filterd", diag, &found, &number, &damaged) == 0);
        must(number == 1 && !damaged);
        must(pt_store_open(dir, diag, &store) < 0);
        must(pt_diag_errors(diag) > 0);
        must(mount(NULL, dir, NULL, MS_REMOUNT, NULL) == 0);
        store = reopen(dir, NULL);
        must(pt_store_pending(store) == 2 && pt_store_decided(store) == 1);
        must(pt_store_decide(store, 2) == 0);
        must(same(store, 1, slice) && same(store, 2, after));
        pt_store_close(store);
        pt_diag_free(diag);
        pt_slice_unref(found);
        pt_slice_unref(slice);
        pt_slice_unref(after);
}

static void test_read_only(void **state)
{
        in_small_filesystem(*state, run_read_only);
}

#define store_test(function)                                                                       \
        cmocka_unit_test_setup_teardown(function, unit_store_setup, unit_store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                store_test(test_torn_at_every_byte),
                store_test(test_full_disk),
                store_test(test_read_only),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
