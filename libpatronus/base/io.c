/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>

#define READ_CHUNK (64U * 1024U)
#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

int pt_read_all(int fd, size_t limit, char **ret, size_t *ret_size)
{
        g_autofree char *data = NULL;
        size_t size = 0, allocated = READ_CHUNK;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return -errno;
        if (S_ISREG(st.st_mode) && st.st_size > 0) {
                if ((uint64_t) st.st_size > limit && lseek(fd, 0, SEEK_CUR) == 0)
                        return -EFBIG;
                allocated = MIN((size_t) st.st_size, limit) +
                            2; /* NUL, and a byte to see the end with */
        }
        data = g_malloc(allocated);

        for (;;) {
                ssize_t n = read(fd, data + size, allocated - 1 - size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t) n;
                if (size > limit)
                        return -EFBIG;
                if (size == allocated - 1) {
                        allocated = allocated * 2;
                        data = g_realloc(data, allocated);
                }
        }
        data[size] = '\0';
        *ret = g_steal_pointer(&data);
        *ret_size = size;
        return 0;
}

int pt_read_file(int dirfd, const char *path, size_t limit, char **ret, size_t *ret_size)
{
        pt_auto_fd int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

        if (fd < 0)
                return -errno;
        return pt_read_all(fd, limit, ret, ret_size);
}

int pt_write_all(int fd, const void *data, size_t size)
{
        const char *p = data;

        while (size > 0) {
                ssize_t n = write(fd, p, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return -EIO;
                p += n;
                size -= (size_t) n;
        }
        return 0;
}

static int sync_parent(int dirfd, const char *path)
{
        g_autofree char *parent = g_path_get_dirname(path);
        pt_auto_fd int fd = openat(dirfd, parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        if (fd < 0 || fsync(fd) < 0)
                return -errno;
        return 0;
}

static int write_temporary(int dirfd, const char *path, const void *data, size_t size, mode_t mode)
{
        pt_auto_fd int fd =
                openat(dirfd, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        int r;

        if (fd < 0)
                return -errno;
        r = pt_write_all(fd, data, size);
        /* fchmod() and not the mode of openat(): the umask has no say. */
        if (r >= 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
                r = -errno;
        if (r < 0)
                (void) unlinkat(dirfd, path, 0);
        return r;
}

int pt_replace_file(int dirfd, const char *name, const void *data, size_t size, mode_t mode)
{
        g_autofree char *temporary = NULL;
        uint64_t nonce;
        int r;

        if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
                return -EIO;
        temporary = g_strdup_printf("%s.%016" G_GINT64_MODIFIER "x.tmp", name, (guint64) nonce);
        r = write_temporary(dirfd, temporary, data, size, mode);
        if (r < 0)
                return r;
        if (renameat(dirfd, temporary, dirfd, name) < 0) {
                r = -errno;
                (void) unlinkat(dirfd, temporary, 0);
                return r;
        }
        return sync_parent(dirfd, name);
}

int pt_memfd_new_sealed(const char *name, const void *data, size_t size)
{
        pt_auto_fd int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int r;

        if (fd < 0)
                return -errno;
        r = pt_write_all(fd, data, size);
        if (r < 0)
                return r;
        r = pt_memfd_seal(fd);
        if (r < 0)
                return r;
        return pt_steal_fd(&fd);
}

int pt_memfd_seal(int fd)
{
        if (fcntl(fd, F_ADD_SEALS, ALL_SEALS) < 0 || lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        return 0;
}

int pt_memfd_check(int fd, size_t limit, size_t *ret_size)
{
        struct stat st;
        int seals = fcntl(fd, F_GET_SEALS);

        /* EINVAL: not a memfd at all, so that nothing keeps it from changing. */
        if (seals < 0 && errno != EINVAL)
                return -errno;
        if (seals < 0 || (seals & ALL_SEALS) != ALL_SEALS)
                return -EPERM;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EPERM;
        if ((uint64_t) st.st_size > limit)
                return -EFBIG;
        *ret_size = (size_t) st.st_size;
        return 0;
}
