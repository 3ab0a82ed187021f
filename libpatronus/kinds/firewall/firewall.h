/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The C shape of the firewall's kinds. Engines read these structs; the tables beside this file fill
 * them. */

#include "kind/type.h"

typedef enum FwAction {
        FW_ALLOW,
        FW_DROP,
        FW_REJECT,
        FW_ACTION_MAX,
        FW_ACTION_INVALID = -EINVAL,
} FwAction;

#define FW_ZONE_ROUTER "router" /* the machine itself; reserved */
#define FW_ZONE_ANY "any"       /* reserved */
/* Packets of no zone, which are dropped; no zone has the name. */
#define FW_ZONE_UNASSIGNED "unassigned"

/* Bits of Zone.object.present. */
enum { ZONE_INTERFACES, ZONE_SOURCES, ZONE_INPUT, ZONE_FORWARD, ZONE_OUTPUT, ZONE_MASQUERADE };

typedef struct Zone {
        PtObject object;
        PtList interfaces; /* char *: names, or globs that end in "*"; a set */
        PtList sources;    /* PtAddressRange, prefixes only; a set */
        /* FwAction for what no rule matched: */
        int input;       /* from the zone to the router; default drop */
        int forward;     /* from the zone to any zone; default drop */
        int output;      /* from the router to the zone; default allow */
        bool masquerade; /* IPv4 that leaves by the zone gets the interface's address */
} Zone;

/* Bits of FwEndpoint.present. */
enum { FW_ENDPOINT_ADDRESSES, FW_ENDPOINT_PORTS };

typedef struct FwEndpoint {
        uint64_t present;
        PtList addresses; /* PtAddressRange: addresses, prefixes and ranges of one family; a set */
        PtList ports;     /* PtPortRange; a set */
} FwEndpoint;

/* Bits of FirewallRule.object.present. */
enum {
        FW_RULE_ACTION,
        FW_RULE_ENABLED,
        FW_RULE_PRIORITY,
        FW_RULE_FROM,
        FW_RULE_TO,
        FW_RULE_FAMILY,
        FW_RULE_PROTOCOL,
        FW_RULE_SOURCE,
        FW_RULE_DESTINATION,
        FW_RULE_DSCP,
};

#define FW_PRIORITY_DEFAULT 32768

typedef struct FirewallRule {
        PtObject object;
        int action;        /* FwAction */
        bool enabled;      /* default true */
        uint16_t priority; /* 0-65535, lower first; default FW_PRIORITY_DEFAULT */
        char *from;        /* zone name, "router", "any", or NULL: any zone */
        char *to;          /* zone name, "router", "any", or NULL: any zone and the router */
        int family;        /* AF_INET, AF_INET6 or 0: both (or what the addresses say) */
        int protocol;      /* if present; see fw_rule_protocol() */
        FwEndpoint source;
        FwEndpoint destination;
        uint8_t dscp; /* if present */
} FirewallRule;

extern const PtChoice fw_actions[];
extern const PtKind pt_kind_zone;
extern const PtKind pt_kind_firewall_rule;

/* What the rule says with defaults filled in. */
bool fw_rule_enabled(const FirewallRule *rule);
unsigned fw_rule_priority(const FirewallRule *rule);
/* IPPROTO_*, or -1: any; ports without a protocol mean TCP and UDP. */
int fw_rule_protocol(const FirewallRule *rule);
int fw_rule_family(const FirewallRule *rule); /* AF_INET, AF_INET6, or AF_UNSPEC for both */
/* -1, 0, 1: priority, then position, then name by bytes: the order of evaluation. */
int fw_rule_compare_order(const FirewallRule *a, const FirewallRule *b);
