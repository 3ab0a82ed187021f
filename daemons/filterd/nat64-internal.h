/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Between nat64.c and nat64-plan.c: how the helper is reached. */

#include "nat64.h"

/* Where the system has the helper's socket, if it has one; the caller's. */
char *fw_nat64_system_socket(const char *run_dir);
/* A connection, with these flags of the socket, or a negative errno. */
int fw_nat64_connect(const char *path, int flags);
