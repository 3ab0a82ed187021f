/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/io.h"
#include "unit.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

typedef struct Folder {
        char *path;
        int fd;
} Folder;

static int folder_setup(void **state)
{
        Folder *folder = g_new0(Folder, 1);

        folder->path = g_dir_make_tmp("test-io-XXXXXX", NULL);
        folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        *state = folder;
        return folder->fd < 0;
}

static int folder_teardown(void **state)
{
        Folder *folder = *state;
        const char *name;
        GDir *dir = g_dir_open(folder->path, 0, NULL);

        while ((name = g_dir_read_name(dir)))
                unlinkat(folder->fd, name, 0);
        g_dir_close(dir);
        close(folder->fd);
        g_rmdir(folder->path);
        g_free(folder->path);
        g_free(folder);
        return 0;
}

static void test_replace_and_read(void **state)
{
        const Folder *folder = *state;
        g_autofree char *data = NULL, *again = NULL;
        size_t size;
        struct stat st;
        mode_t umask_before = umask(0077);

        assert_int_equal(pt_replace_file(folder->fd, "f", "first", 5, 0640), 0);
        umask(umask_before);
        assert_int_equal(fstatat(folder->fd, "f", &st, 0), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
        assert_int_equal(pt_read_file(folder->fd, "f", 5, &data, &size), 0);
        assert_int_equal(size, 5);
        assert_string_equal(data, "first");

        assert_int_equal(pt_replace_file(folder->fd, "f", "second", 6, 0600), 0);
        assert_int_equal(pt_read_file(folder->fd, "f", 5, &again, &size), -EFBIG);
        assert_null(again);
        assert_int_equal(pt_read_file(folder->fd, "f", 6, &again, &size), 0);
        assert_string_equal(again, "second");
        assert_int_equal(unlinkat(folder->fd, "f", 0), 0);
}

/* A failed replacement leaves what was there, and nothing beside it. */
static void test_replace_fails(void **state)
{
        const Folder *folder = *state;
        g_autofree char *name = g_strnfill(240, 'n');
        unsigned entries = 0;
        GDir *dir;

        assert_int_equal(pt_replace_file(folder->fd, name, "x", 1, 0600), -ENAMETOOLONG);
        assert_int_equal(mkdirat(folder->fd, "d", 0700), 0);
        assert_int_equal(pt_replace_file(folder->fd, "d", "x", 1, 0600), -EISDIR);
        assert_int_equal(pt_replace_file(folder->fd, "absent/f", "x", 1, 0600), -ENOENT);
        dir = g_dir_open(folder->path, 0, NULL);
        while (g_dir_read_name(dir))
                entries++;
        g_dir_close(dir);
        assert_int_equal(entries, 1);
        assert_int_equal(unlinkat(folder->fd, "d", AT_REMOVEDIR), 0);
}

static void test_read_pipe(void **state)
{
        g_autofree char *sent = g_strnfill(60000, 'p'), *got = NULL;
        size_t size;
        int fds[2];

        (void) state;
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        assert_int_equal(pt_write_all(fds[1], sent, 60000), 0);
        close(fds[1]);
        assert_int_equal(pt_read_all(fds[0], 60000, &got, &size), 0);
        assert_int_equal(size, 60000);
        assert_string_equal(got, sent);
        close(fds[0]);

        /* An endless source ends at the limit. */
        fds[0] = open("/dev/zero", O_RDONLY | O_CLOEXEC);
        assert_int_equal(pt_read_all(fds[0], 1 << 20, &got, &size), -EFBIG);
        close(fds[0]);
}

static void test_read_errors(void **state)
{
        const Folder *folder = *state;
        g_autofree char *data = NULL;
        size_t size;

        assert_int_equal(pt_read_file(folder->fd, "absent", 10, &data, &size), -ENOENT);
        assert_int_equal(pt_read_file(folder->fd, ".", 10, &data, &size), -EISDIR);
        assert_int_equal(pt_write_all(-1, "x", 1), -EBADF);
}

static void test_memfd(void **state)
{
        pt_auto_fd int fd = pt_memfd_new_sealed("t", "hello", 5), open_fd = -EBADF, file = -EBADF;
        g_autofree char *data = NULL;
        size_t size = 0;

        (void) state;
        assert_true(fd >= 0);
        assert_int_equal(pt_memfd_check(fd, 5, &size), 0);
        assert_int_equal(size, 5);
        assert_int_equal(pt_memfd_check(fd, 4, &size), -EFBIG);
        assert_int_equal(pt_read_all(fd, 5, &data, &size), 0);
        assert_string_equal(data, "hello");
        assert_int_equal(pt_write_all(fd, "x", 1), -EPERM);
        assert_int_equal(ftruncate(fd, 0), -1);

        open_fd = memfd_create("t", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        assert_int_equal(fcntl(open_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL), 0);
        assert_int_equal(pt_memfd_check(open_fd, 10, &size), -EPERM);
        file = open("/dev/null", O_RDONLY | O_CLOEXEC);
        assert_int_equal(pt_memfd_check(file, 10, &size), -EPERM);
        assert_int_equal(pt_memfd_check(-1, 10, &size), -EBADF);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_replace_and_read),
                cmocka_unit_test(test_replace_fails),
                cmocka_unit_test(test_read_pipe),
                cmocka_unit_test(test_read_errors),
                cmocka_unit_test(test_memfd),
        };

        return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
