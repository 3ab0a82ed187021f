/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What belongs to which zone. A packet's zone: longest matching zone source, else exact interface
 * name, else longest glob, else `unassigned`, which drops.
 */

#include "kinds/firewall/firewall.h"
#include "txn/slice.h"

#define FW_ZONES_MAX 250 /* pairs grow with the square */

/* What stands before the rules for packets that come from a zone (FilterSettings). */
typedef enum FwZoneGuards {
        FW_GUARD_ANTISPOOF = 1 << 0,
        FW_GUARD_BOGONS = 1 << 1,
        FW_GUARD_PRIVATE = 1 << 2,
} FwZoneGuards;

typedef struct FwZone {
        const Zone *zone; /* a reference; NULL: the router */
        const char *name;
        unsigned guards;  /* FwZoneGuards */
        bool masquerades; /* Zone.masquerade, where NatSettings leave it in force */
} FwZone;

/* Where a rule about fragments is for, which is no zone's name. */
#define FW_ZONE_FRAGMENTS "FRAGMENTS"

typedef struct FwZones {
        FwZone *zones; /* sorted by name */
        unsigned n;
        FwZone router, fragments;
        GArray *interfaces; /* FwInterval, flattened; number: index in `zones` + 1 */
        GArray *sources4;   /* FwInterval, flattened; NULL: no zone has such sources */
        GArray *sources6;
        const FilterSettings *settings; /* a reference; NULL: none */
        bool proxies; /* rules have the router answer for servers: it begins clients' connections */
        PtDigest digest; /* of all that the dispatch part of the ruleset depends on */
} FwZones;

/* -E2BIG with a diagnostic above FW_ZONES_MAX. Takes references: a layout outlives the slice it was
 * made from when a whole slice with equal zones comes instead of a delta. */
int fw_zones_new(const PtSlice *slice, PtDiagnostics *diag, FwZones **ret);
void fw_zones_free(FwZones *zones);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwZones, fw_zones_free)

/*
 * The zone that an address belongs to, on this side of an interface of this name; NULL: none, it is
 * unassigned. `address` NULL: the interface alone decides.
 */
const FwZone *fw_zones_find(const FwZones *zones, int family, const uint8_t *address,
                            const char *interface);

/* What happens to packets of a pair that no rule decides. Either side may be the router, not both.
 */
FwAction fw_zones_default(const FwZones *zones, const FwZone *from, const FwZone *to);

/* Whether a rule that names no zone in `from` is for packets of the router too. */
bool fw_scope_floats(const FirewallRule *rule);
/* Whether a rule is for packets from one zone to another (or the router), by its `from` and `to`; to
 * FW_ZONE_FRAGMENTS: rules about fragments, which are for nothing else. */
bool fw_scope_matches(const char *from, const char *to, const FirewallRule *rule);

/*
 * What connections are marked with that come from a zone, or go to it: a hash of its uid from 1 to
 * 255; 0: the router. It is the same after every commit and restart, and a rename keeps it. Two zones may
 * have the same: whoever reads it looks further then.
 */
uint8_t fw_zone_mark(const FwZone *zone);
#define FW_ZONE_MARKS 256
/* The zones that marks stand for; NULL: none, or several. */
void fw_zones_by_mark(const FwZones *zones, const FwZone *ret[static FW_ZONE_MARKS]);
