/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Who calls, and whether they may: root, the members of the group "patronus", and the daemon's own
 * user (which is how a private instance is driven). The bus policy says the same; this is the check
 * that does not depend on its files.
 */

#include "base/macros.h"
#include <systemd/sd-bus.h>

#define PT_ACCESS_GROUP "patronus"
/* Connections whose answer is remembered. A bus never uses a unique name twice. */
#define PT_ACCESS_CACHE_MAX 256

typedef struct PtCaller {
        uid_t uid;
        char *user; /* name, or the uid as a number */
        bool allowed;
} PtCaller;

typedef struct PtAccess {
        GHashTable *callers; /* unique name: PtCaller */
} PtAccess;

void pt_access_init(PtAccess *access);
void pt_access_done(PtAccess *access);
/* Forgets all callers: for a new bus connection. */
void pt_access_reset(PtAccess *access);
/*
 * The sender of a message, valid until the next call; asks the bus the first time. A method
 * handler's error if it may not call us.
 */
int pt_access_check(PtAccess *access, sd_bus_message *m, const PtCaller **ret, sd_bus_error *error);
