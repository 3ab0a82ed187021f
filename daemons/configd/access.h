/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Who calls, and whether they may: root, the members of the group "patronus", and configd's own
 * user (which is how a private instance is driven). The bus policy says the same; this is the check
 * that does not depend on its files.
 */

#include "base/macros.h"
#include <systemd/sd-bus.h>

#define ACCESS_GROUP "patronus"
/* Connections whose answer is remembered. A bus never uses a unique name twice. */
#define ACCESS_CACHE_MAX 256

typedef struct Caller {
        uid_t uid;
        char *user; /* name, or the uid as a number */
        bool allowed;
} Caller;

typedef struct Access {
        GHashTable *callers; /* unique name: Caller */
} Access;

void access_init(Access *access);
void access_done(Access *access);
/* Forgets all callers: for a new bus connection. */
void access_reset(Access *access);
/*
 * The sender of a message, valid until the next call; asks the bus the first time. A method
 * handler's error if it may not call us.
 */
int access_check(Access *access, sd_bus_message *m, const Caller **ret, sd_bus_error *error);
