/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Whole reads and writes, atomic replacement and sealed memfds. */

#include "base/macros.h"

/* Reads to the end of `fd`; -EFBIG when there are more than `limit` bytes. A NUL follows the data.
 */
int pt_read_all(int fd, size_t limit, char **ret, size_t *ret_size);
/* Opens and reads a file below `dirfd` (or AT_FDCWD). */
int pt_read_file(int dirfd, const char *path, size_t limit, char **ret, size_t *ret_size);
/* Writes everything, over short writes and EINTR. */
int pt_write_all(int fd, const void *data, size_t size);
/* Writes a temporary beside `name`, fsyncs it, renames it over `name` and fsyncs the directory. */
int pt_replace_file(int dirfd, const char *name, const void *data, size_t size, mode_t mode);

/* A memfd with these bytes, sealed against every change (F_SEAL_SEAL|SHRINK|GROW|WRITE). Returns
 * the fd. */
int pt_memfd_new_sealed(const char *name, const void *data, size_t size);
/* Seals a memfd that was written to; rewinds it. */
int pt_memfd_seal(int fd);
/*
 * Checks a descriptor from a stranger: a memfd with all four seals and at most `limit` bytes;
 * -EPERM if it is not sealed (it could change or shrink under the reader), -EFBIG if too large.
 * Returns its size in ret_size.
 */
int pt_memfd_check(int fd, size_t limit, size_t *ret_size);
