/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the ruleset of a slice does with a connection's first packet, in user space and in the order
 * of evaluation (docs/ARCHITECTURE.md): translation of destinations, then anti-lockout, bans, the
 * prologue, the zone, its guards, the rules of the zone pair, the default. One function a stage, one
 * row of `stages` each.
 *
 * It knows TCP. Of other protocols the prologue lets some packets pass that it does not ask for yet
 * (ICMP errors, neighbour discovery, DHCP).
 *
 *         FwWorld world = {.slice = slice, .zones = zones, .effective = effective, ...};
 *
 *         r = fw_evaluate(&world, &packet, &outcome);
 *         if (r >= 0)
 *                 text = fw_outcome_describe(&outcome);
 *
 * Where others know more than the slice, it asks them: `route` (the kernel's routes and addresses),
 * `banned` (bans come and go by calls).
 */

#include "filter/ban.h"
#include "filter/effective.h"
#include "filter/packet.h"
#include "filter/zones.h"

/* Where a packet goes. */
typedef struct FwWay {
        bool local;            /* to the machine itself */
        bool here;             /* to an address of the interface that it came by */
        char out[IF_NAMESIZE]; /* else: by which interface */
} FwWay;

typedef struct FwWorld {
        FwSource source;
        const FwZones *zones;   /* of the source's slice */
        FwEffective *effective; /* of its rules */
        /* Whether a ban in force is of the address; *ret: the widest one. NULL: there are none. */
        bool (*banned)(uint8_t family, const uint8_t *address, FwBan *ret, void *userdata);
        /* Where the packet goes with this destination. Negative: nowhere, or it is not known. */
        int (*route)(const FwPacket *packet, const uint8_t *destination, FwWay *ret,
                     void *userdata);
        void *userdata;
} FwWorld;

typedef enum FwStage {
        FW_STAGE_LOCKOUT,
        FW_STAGE_BANS,
        FW_STAGE_PROLOGUE,
        FW_STAGE_ZONE, /* it comes from, or goes to, an interface of no zone */
        FW_STAGE_GUARDS,
        FW_STAGE_RULES,
        FW_STAGE_DEFAULT,
        FW_STAGE_MAX,
        FW_STAGE_INVALID = -EINVAL,
} FwStage;

/* All that it points to belongs to the world. */
typedef struct FwOutcome {
        int family;
        FwStage stage; /* the one that decides */
        FwAction action;
        const FirewallRule *rule; /* effective; of FW_STAGE_RULES */
        /* A rule before it that would decide otherwise, if what is not known of the packet is as it
         * asks; NULL: the outcome is certain. */
        const FirewallRule *doubt;
        const NatRule *nat;       /* translated the destination; NULL: none did */
        const NatRule *nat_doubt; /* or may have */
        FwSpan destination, port; /* as the filter sees them */
        FwWay way;
        const FwZone *from, *to;      /* `to` may be the router; NULL: no zone */
        FwBan ban;                    /* of FW_STAGE_BANS */
        const char *guard;            /* of FW_STAGE_GUARDS: from what the zone takes nothing */
        char unassigned[IF_NAMESIZE]; /* of FW_STAGE_ZONE: the interface */
} FwOutcome;

/* -EPROTONOSUPPORT: it is not of TCP; -EINVAL: source, destination or a port are missing; else what
 * `route` says, or that an alias's dataset cannot be read. */
int fw_evaluate(const FwWorld *world, const FwPacket *packet, FwOutcome *ret);
/* Who decides what, for people: "FirewallRule/x drops it". The caller's. */
char *fw_outcome_describe(const FwOutcome *outcome);
/* The same of its translation: "NatRule/x leads it to 10.3.0.10 port 8443"; NULL: there is none. */
char *fw_outcome_describe_translation(const FwOutcome *outcome);
