/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Interfaces whose other end is a program (TUN, Documentation/networking/tuntap.rst), in the
 * process's own namespace. They are made to stay when the program ends, so that routes and rules
 * do, and belong to a user who needs no right to be that program.
 */

#include "base/macros.h"

#include <sys/types.h>

/* Whether some can be made: the device of the kernel is there and may be opened. */
int pt_tun_check(void);
/*
 * Makes one of this name, with an alias and MTU, that `owner` may serve; or gives him one that is
 * there. No program may serve it now: -EBUSY. What was made and has no alias yet vanishes with us.
 */
int pt_tun_make(const char *name, uid_t owner, unsigned mtu, const char *alias);
