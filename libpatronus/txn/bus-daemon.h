/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* org.patronus.Daemon1: what every daemon says about itself. */

#include "kind/kind.h"
#include <systemd/sd-bus.h>

/* Kept true by the daemon; read when somebody asks. */
typedef struct PtDaemonInfo {
        const char *state; /* "running", "starting", "unconfigured", "degraded", "busy" */
        uint64_t revision; /* in force */
        uint64_t wanted_revision;
        const PtKind *const *kinds; /* NULL-terminated */
        GHashTable *conditions;     /* char * to char *: a name, and a text for people */
} PtDaemonInfo;

/* `info` outlives the slot; it may be NULL for --introspect. `ret_slot` may be NULL: as long as the
 * bus. */
int pt_daemon_info_attach(PtDaemonInfo *info, sd_bus *bus, const char *path,
                          sd_bus_slot **ret_slot);
/* Tells watchers that Revision, WantedRevision or Conditions changed. */
int pt_daemon_info_changed(sd_bus *bus, const char *path);
