/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Where a caller sits: what the kernel and logind say of the process that sent a message. For the
 * audit, and to tell a connection that began after a commit from one that was there before.
 *
 *         g_autoptr(PtOrigin) origin = NULL;
 *         r = pt_origin_read(m, &origin);
 *
 * Asks the bus driver for the sender's process (a round trip, as pt_bus_sender_uid()); the rest are
 * files of /proc and of logind. It guards against mistakes, not against root, who can call a program
 * of his own "sshd".
 */

#include "base/process.h"
#include <systemd/sd-bus.h>

typedef struct PtOrigin {
        pid_t pid;      /* 0: not known */
        char *unit;     /* systemd's, NULL: none or not known */
        char *session;  /* logind's, NULL: none or not known */
        char *remote;   /* the host that the login came from, as logind says; NULL */
        bool is_remote; /* under an ssh server, or logind says so, or it cannot be told (under tmux
                           or its like, or the process is not known) */
        bool console;   /* at the machine: on a terminal of its own, or in a session with a seat */
        uint64_t since_usec; /* CLOCK_BOOTTIME when the connection began that carries the caller:
                                the start of the ssh server's process for it; 0: not known */
} PtOrigin;

/* Never fails for what is not known. Negative: the bus did not answer. */
int pt_origin_read(sd_bus_message *m, PtOrigin **ret);
/* The same of a process: 0 for one that is not known. */
PtOrigin *pt_origin_of(pid_t pid);
void pt_origin_free(PtOrigin *origin);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtOrigin, pt_origin_free)
