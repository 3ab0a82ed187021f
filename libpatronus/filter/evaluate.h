/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the ruleset of a slice does with a packet, in user space and in the order of evaluation
 * (docs/ARCHITECTURE.md): rules about fragments, translation of destinations, then anti-lockout, bans, the prologue, what
 * belongs to no connection, the zone, its guards, the rules of the zone pair, the default; and how
 * the source is translated of what passes. One function a stage, one row of `stages` each.
 *
 *         FwWorld world = {.lists = lists, .route = route, ...};
 *
 *         r = fw_evaluate(&world, &packet, &outcome);
 *         if (r >= 0)
 *                 text = fw_outcome_describe(&outcome);
 *
 * Where others know more than the slice, it asks them: `route` (the kernel's routes and addresses),
 * `banned` (bans come and go by calls).
 *
 * What a packet is of is FW_DIM_STATE. Only one that begins a connection (new) is translated; what
 * belongs to one has been.
 */

#include "filter/ban.h"
#include "filter/opening.h"
#include "filter/packet.h"
#include "filter/lists.h"
#include "filter/prologue.h"
#include "filter/reason.h"

/* Where a packet goes. */
typedef struct FwWay {
        bool local;            /* to the machine itself */
        bool here;             /* to an address of the interface that it came by */
        char out[IF_NAMESIZE]; /* else: by which interface; "": it is not known */
} FwWay;

typedef struct FwWorld {
        FwLists *lists;
        const FwTimes *times; /* what schedules say; NULL: the lists hold what is in force */
        /* Whether a ban in force is of the address; *ret: the widest one. NULL: there are none. */
        bool (*banned)(uint8_t family, const uint8_t *address, FwBan *ret, void *userdata);
        bool panic; /* nothing passes but what comes before the stage */
        /* Whether a port of the router is open to it: *ret is which. NULL: none is. */
        bool (*opened)(const FwKnock *knock, FwOpening *ret, void *userdata);
        /* Where the packet goes with this destination. Negative: nowhere, or it is not known. */
        int (*route)(const FwPacket *packet, const uint8_t *destination, FwWay *ret,
                     void *userdata);
        /* Where answers to its source go, for antispoof. NULL: where it came from. */
        int (*back)(const FwPacket *packet, const uint8_t *source, FwWay *ret, void *userdata);
        void *userdata;
} FwWorld;

typedef enum FwStage {
        FW_STAGE_FRAGMENTS, /* it is one, and a rule drops it as it came */
        FW_STAGE_LOCKOUT,
        FW_STAGE_LINK, /* neighbour discovery */
        FW_STAGE_PANIC,
        FW_STAGE_BANS,
        FW_STAGE_PROLOGUE,
        FW_STAGE_STATE, /* it belongs to no connection, and can begin none */
        FW_STAGE_ZONE,  /* it comes from, or goes to, an interface of no zone */
        FW_STAGE_GUARDS,
        FW_STAGE_OPENINGS,
        FW_STAGE_RULES,
        FW_STAGE_DEFAULT,
        FW_STAGE_MAX,
        FW_STAGE_INVALID = -EINVAL,
} FwStage;

/* What a NAT rule, or the masquerade of a zone, makes of one end of a connection. */
typedef struct FwEnd {
        const NatRule *rule;  /* NULL: none, or the zone's own masquerade */
        const FwZone *zone;   /* whose masquerade it is */
        const NatRule *doubt; /* may do it before that, by what is not known of the packet */
        FwSpan address, port; /* after it; of one that nothing translates, as it is */
} FwEnd;

#define FW_ALSO_MAX 8 /* nobody reads more; whether there were more is not told */

/* All that it points to belongs to the world. */
typedef struct FwOutcome {
        int family;
        uint8_t protocol;
        FwStage stage; /* the one that decides */
        FwReason reason;
        FwAction action;
        const FirewallRule *rule; /* effective; of FW_STAGE_RULES and FW_STAGE_FRAGMENTS */
        unsigned place, places;   /* its number in the order of its pair of zones, of so many */
        /* A rule before it that would decide otherwise, if what is not known of the packet is as it
         * asks; NULL: the outcome is certain. */
        const FirewallRule *doubt;
        /* What matches, or may, before it and decides nothing (fw_rule_decides()): the first ones. */
        const FirewallRule *also[FW_ALSO_MAX];
        unsigned n_also;
        FwEnd destination; /* as the filter sees it */
        FwEnd source;      /* as it leaves, if it does */
        bool goes_back;    /* by the zone that it came from, reflected: as one of the router */
        FwWay way;
        const FwZone *from, *to;       /* either may be the router; NULL: no zone */
        FwBan ban;                     /* of FW_STAGE_BANS */
        FwOpening opening;             /* of FW_STAGE_OPENINGS */
        const FwPrologueRow *prologue; /* of FW_STAGE_LINK and FW_STAGE_PROLOGUE */
        char unassigned[IF_NAMESIZE];  /* of FW_STAGE_ZONE: the interface */
} FwOutcome;

/* -EINVAL: family, protocol, source, destination, or what its protocol has beside them (ports, ICMP
 * type) are missing; else what `route` says, or that an alias's dataset cannot be read. */
int fw_evaluate(const FwWorld *world, const FwPacket *packet, FwOutcome *ret);
/* Who decides what, for people: "FirewallRule/x drops it". The caller's. */
char *fw_outcome_describe(const FwOutcome *outcome);
/* The same of its translation: "NatRule/x leads it to 10.3.0.10 port 8443"; NULL: there is none. */
char *fw_outcome_describe_translation(const FwOutcome *outcome);
/* The same of its source: "NatRule/x sends it as 192.0.2.7"; NULL: it stays. */
char *fw_outcome_describe_source(const FwOutcome *outcome);
