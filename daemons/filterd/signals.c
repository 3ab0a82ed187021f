/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "signals.h"

#include "bus/daemon.h"

#define INTERFACE "org.patronus.Filter1"

void fw_signals_done(FwSignals *signals)
{
        signals->pause = sd_event_source_disable_unref(signals->pause);
}

/* Without a bus nobody misses it, and the number is not used up. */
static sd_bus *bus_of(const FwSignals *signals)
{
        return pt_daemon_bus(signals->daemon);
}

void fw_signals_drift_repaired(FwSignals *signals, const char *what, uint64_t usec)
{
        if (bus_of(signals))
                (void) sd_bus_emit_signal(bus_of(signals), pt_daemon_class(signals->daemon)->path,
                                          INTERFACE, "DriftRepaired", "tst", ++signals->sequence,
                                          what, usec);
}

void fw_signals_server_changed(FwSignals *signals, const char *pool, const char *address,
                               uint16_t port, const char *state)
{
        if (bus_of(signals))
                (void) sd_bus_emit_signal(bus_of(signals), pt_daemon_class(signals->daemon)->path,
                                          INTERFACE, "ServerChanged", "tssqs", ++signals->sequence,
                                          pool, address, port, state);
}

static void tell(FwSignals *signals);

static int pause_ends(sd_event_source *source, uint64_t usec, void *userdata)
{
        FwSignals *signals = userdata;

        signals->pause = sd_event_source_disable_unref(signals->pause);
        if (signals->added > 0 || signals->removed > 0)
                tell(signals);
        return 0;
}

static void tell(FwSignals *signals)
{
        if (bus_of(signals))
                (void) sd_bus_emit_signal(bus_of(signals), pt_daemon_class(signals->daemon)->path,
                                          INTERFACE, "BansChanged", "tuuu", ++signals->sequence,
                                          signals->added, signals->removed, signals->total);
        signals->added = signals->removed = 0;
        (void) sd_event_add_time_relative(pt_daemon_event(signals->daemon), &signals->pause,
                                          CLOCK_MONOTONIC, FW_SIGNAL_INTERVAL_USEC, 0, pause_ends,
                                          signals);
}

void fw_signals_bans_changed(FwSignals *signals, uint32_t added, uint32_t removed, uint32_t total)
{
        signals->added += added;
        signals->removed += removed;
        signals->total = total;
        if (!signals->pause)
                tell(signals);
}

void fw_signals_alias_refreshed(FwSignals *signals, const char *alias, const char *source,
                                bool changed, const char *error)
{
        if (bus_of(signals))
                (void) sd_bus_emit_signal(bus_of(signals), pt_daemon_class(signals->daemon)->path,
                                          INTERFACE, "AliasRefreshed", "tssbs", ++signals->sequence,
                                          alias, source, changed, error ?: "");
}

void fw_signals_nat64_changed(FwSignals *signals, const char *name, const char *state,
                              const char *error)
{
        if (bus_of(signals))
                (void) sd_bus_emit_signal(bus_of(signals), pt_daemon_class(signals->daemon)->path,
                                          INTERFACE, "Nat64Changed", "tsss", ++signals->sequence,
                                          name, state, error);
}
