/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What FilterSettings say about sources: from which ones a guarded zone takes nothing (bogons,
 * private addresses), and from where the router can always be administered (anti-lockout). Lists
 * are of FwBounds (interval.h), in no order, the caller's.
 */

#include "filter/reason.h"
#include "filter/zones.h"

/* The sources that a guard refuses: FW_GUARD_BOGONS, FW_GUARD_PRIVATE. */
GArray *fw_guard_sources(FwZoneGuards guard, int family);
/* Who drops a packet from the zone by its source address: FW_REASON_BOGONS, FW_REASON_PRIVATE;
 * negative: none of its guards. Antispoof asks for more than an address. */
FwReason fw_guard_refuses(const FwZone *zone, int family, const uint8_t *source);

/* NULL: there is no anti-lockout. */
const FwLockout *fw_lockout_of(const FwZones *zones);
/* The ports that it keeps open, those it has by default too; interface names; and sources. No
 * interfaces, no sources of any family: all of them. */
GArray *fw_lockout_ports(const FwLockout *lockout);
GArray *fw_lockout_interfaces(const FwLockout *lockout);
GArray *fw_lockout_sources(const FwLockout *lockout, int family);
/* Whether it accepts a TCP connection to the router. */
bool fw_lockout_admits(const FwZones *zones, const char *interface, int family,
                       const uint8_t *source, uint16_t port);
