/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the program gives up before it reads anything of a stranger. */

/*
 * No capabilities and none to get, limits of memory, time and files, no other sockets than those of
 * IP, no other files than those that name servers and certificates are in (and `readable`, which may
 * be NULL), no processes. What the kernel does not have (Landlock) is left out; what the unit gave
 * up already is not asked for again. A negative errno: something could not be given up.
 */
int sandbox_enter(const char *const *readable);
