/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Shared by access.c (who calls), access-table.c (what is asked for) and guard.c (the filter). */

#include "bus/access.h"

#include <glib.h>

/* What all daemons have on the bus. */
extern const PtAccessRow pt_access_common[];

/* The row of a method call; NULL: it is in no table. Reads arguments. */
const PtAccessRow *pt_access_find(const PtAccess *access, sd_bus_message *m);
/* What the call is about, as its row says where: "" for what it does not say, or says wrongly.
 * Reads arguments. */
void pt_access_about(const PtAccess *access, const PtAccessRow *row, sd_bus_message *m,
                     const char **ret_kind, const char **ret_name);
/* The bytes that the arguments hold are at most `max`. Reads arguments. */
bool pt_access_fits(sd_bus_message *m, size_t max);

bool pt_access_is_peer(const PtAccess *access, uid_t uid);
void pt_caller_clear(PtCaller *caller);
void pt_guard_init(PtAccess *access);
void pt_guard_done(PtAccess *access);
