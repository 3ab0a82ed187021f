/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What filterd tells without being asked. Every signal of org.patronus.Filter1 has a number, one
 * more than that of the one before: a reader that finds a gap, or a smaller number, lists again.
 */

#include "base/macros.h"
#include <systemd/sd-bus.h>

typedef struct PtDaemon PtDaemon;

/* Bans may change 50,000 times a second, and are told this often at most. */
#define FW_SIGNAL_INTERVAL_USEC (G_USEC_PER_SEC / 5)

typedef struct FwSignals {
        PtDaemon *daemon;
        uint64_t sequence;      /* of the last */
        sd_event_source *pause; /* not NULL: bans were told a moment ago */
        uint32_t added, removed, total;
} FwSignals;

void fw_signals_done(FwSignals *signals);
void fw_signals_bans_changed(FwSignals *signals, uint32_t added, uint32_t removed, uint32_t total);
/* `state`: "up" or "down". */
void fw_signals_server_changed(FwSignals *signals, const char *pool, const char *address,
                               uint16_t port, const char *state);
/* `state`: the runner's; `error`: why it does not run, or "". */
void fw_signals_nat64_changed(FwSignals *signals, const char *name, const char *state,
                              const char *error);
void fw_signals_drift_repaired(FwSignals *signals, const char *what, uint64_t usec);
/* `error`: NULL when it went well. */
void fw_signals_alias_refreshed(FwSignals *signals, const char *alias, const char *source,
                                bool changed, const char *error);
