/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Processes as /proc shows them, and the one among a process's ancestors that carries its login:
 *
 *         PtProcess chain[PT_ANCESTORS_MAX];
 *         int n = pt_process_ancestors(pid, chain);         chain[0] is `pid` itself
 *         const PtProcess *carrier = pt_process_carrier(chain, (unsigned) n);
 *
 * Names are what the programs call themselves: they tell people apart who make a mistake, not those
 * who lie. Reads files of /proc only, and never waits.
 */

#include "base/macros.h"
#include <sys/types.h>

#define PT_COMM_MAX 64 /* with its NUL; 16 of programs, and the kernel's own threads have more */
/* Steps up to the first process: a shell in an editor in a shell ... has ten. */
#define PT_ANCESTORS_MAX 64

typedef struct PtProcess {
        pid_t pid, parent;
        uid_t uid;                     /* real */
        unsigned tty_major, tty_minor; /* controlling terminal; 0, 0: none */
        uint64_t start_usec;           /* CLOCK_BOOTTIME, rounded down to a tick (10 ms) */
        char comm[PT_COMM_MAX];        /* as the program calls itself: any bytes */
} PtProcess;

/*
 * The text of /proc/PID/stat, of `size` bytes; sets all but `uid`. -EBADMSG: not one.
 */
int pt_process_parse_stat(const char *text, size_t size, PtProcess *ret);
/* The real uid in the text of /proc/PID/status. -EBADMSG: there is none. */
int pt_process_parse_status(const char *text, size_t size, uid_t *ret);
/* -ESRCH: there is none, or we may not see it. */
int pt_process_read(pid_t pid, PtProcess *ret);
/*
 * A process and its ancestors, up to the first of this process namespace, as they were at the
 * moments that each was looked at. Returns their number; -ELOOP: there are more than
 * PT_ANCESTORS_MAX; -ESRCH: one is gone, or we may not see it (which are the same to us).
 */
int pt_process_ancestors(pid_t pid, PtProcess chain[static PT_ANCESTORS_MAX]);

/*
 * The process that serves the connection by which somebody logged in: of OpenSSH and dropbear the
 * nearest that runs as root (those above it listen, those below have become the user), or the
 * nearest of all when none does. NULL: not logged in that way.
 */
const PtProcess *pt_process_carrier(const PtProcess *chain, unsigned n);
/*
 * The nearest process that keeps terminals for whoever attaches to them (tmux, screen, mosh ...):
 * where the person sits is not to be seen from here. NULL: none.
 */
const PtProcess *pt_process_keeper(const PtProcess *chain, unsigned n);
/* A terminal of the machine itself: a virtual console or a serial line, and no pseudo terminal. */
bool pt_process_on_console(const PtProcess *process);
