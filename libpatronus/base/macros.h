/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Small helpers every file may use: cleanup attributes for descriptors and sd-* objects, and
 * negative errno constants with a name of ours.
 */

#include <errno.h>
#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

/* Closes *fd when it is open and keeps errno; for __attribute__((cleanup)). */
static inline void pt_closep(int *fd)
{
        int saved = errno;

        if (*fd >= 0)
                close(*fd);
        errno = saved;
}

/* pt_auto_fd int fd = -EBADF; closes at the end of the scope. */
#define pt_auto_fd __attribute__((cleanup(pt_closep)))

/* Takes the descriptor out of *fd, leaving -EBADF. */
static inline int pt_steal_fd(int *fd)
{
        int r = *fd;

        *fd = -EBADF;
        return r;
}

/* pt_auto(T_unrefp) style cleanup for types that GLib does not know. */
#define pt_cleanup(func) __attribute__((cleanup(func)))
