/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* org.patronus.Config1 on the bus. */

#include "manager.h"

/* `manager` may be NULL: to describe the interface. */
int bus_config_attach(Manager *manager, sd_bus *bus);
/* The configuration at a revision; 0: the empty one before the first. -ENOENT, -EBADMSG with an error
 * text. */
int bus_config_load(Manager *manager, uint64_t number, PtSlice **ret, sd_bus_error *error);
void bus_config_committed(Manager *manager, const Reply *reply, const char *author,
                          const char *comment);
void bus_config_reverted(Manager *manager, uint64_t revision);
void bus_config_state_changed(Manager *manager);
/* A daemon cannot be brought to the running revision and is behind until it can; `reason` NULL: it
 * was. */
void bus_config_degraded(Manager *manager, const char *daemon, const char *reason);
/* A commit is under way still. */
void bus_config_progress(Manager *manager, const Commit *commit);
