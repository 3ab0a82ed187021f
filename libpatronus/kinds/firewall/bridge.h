/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The C shape of the kinds that filter frames between the ports of bridges. */

#include "kinds/firewall/firewall.h"

/* Which frames a rule is about. */
typedef enum FwBridgeDirection {
        FW_BRIDGE_FORWARD, /* from a port to a port; the default */
        FW_BRIDGE_IN,      /* from a port to this machine */
        FW_BRIDGE_OUT,     /* from this machine to a port */
        FW_BRIDGE_DIRECTION_MAX,
        FW_BRIDGE_DIRECTION_INVALID = -EINVAL,
} FwBridgeDirection;

/* Bits of FwArp.present. */
enum { FW_ARP_OPERATION, FW_ARP_SENDER_MAC, FW_ARP_SENDER_ADDRESS, FW_ARP_TARGET_ADDRESS };

/* What an ARP packet must say (RFC 826), of Ethernet and IPv4. */
typedef struct FwArp {
        uint64_t present;
        PtList operations;       /* uint16_t; a set */
        PtList sender_macs;      /* PtMacMask; a set */
        PtList sender_addresses; /* PtAddressRange of IPv4; a set */
        PtList target_addresses; /* the same */
} FwArp;

/* Bits of BridgeRule.object.present. */
enum {
        BRIDGE_RULE_ACTION,
        BRIDGE_RULE_ENABLED,
        BRIDGE_RULE_PRIORITY,
        BRIDGE_RULE_GROUP,
        BRIDGE_RULE_SCHEDULE,
        BRIDGE_RULE_DIRECTION,
        BRIDGE_RULE_BRIDGES,
        BRIDGE_RULE_FROM,
        BRIDGE_RULE_TO,
        BRIDGE_RULE_SOURCE_MAC,
        BRIDGE_RULE_SOURCE_MAC_ALIASES,
        BRIDGE_RULE_DESTINATION_MAC,
        BRIDGE_RULE_DESTINATION_MAC_ALIASES,
        BRIDGE_RULE_ETHER_TYPES,
        BRIDGE_RULE_VLANS,
        BRIDGE_RULE_ARP,
        BRIDGE_RULE_FAMILY,
        BRIDGE_RULE_PROTOCOL,
        BRIDGE_RULE_SOURCE,
        BRIDGE_RULE_DESTINATION,
        BRIDGE_RULE_SERVICES,
        BRIDGE_RULE_ICMP_TYPES,
        BRIDGE_RULE_LOG,
        BRIDGE_RULE_LOG_RATE,
        BRIDGE_RULE_MODE,
};

/* The kernel asks a frame rule after rule, and a change of one reads and compares all of them. */
#define FW_BRIDGE_RULES_MAX 4096

typedef struct BridgeRule {
        PtObject object;
        int action;                /* FwAction: FW_ALLOW or FW_DROP */
        bool enabled;              /* default true */
        uint16_t priority;         /* as of FirewallRule */
        char *group;               /* RuleGroup, or NULL */
        char *schedule;            /* Schedule, or NULL */
        int direction;             /* FwBridgeDirection */
        PtList bridges;            /* char *: names, or globs that end in "*"; a set */
        PtList from, to;           /* the same, of ports */
        PtList source_macs;        /* PtMacMask; a set */
        PtList source_mac_aliases; /* char *: Alias of type mac; a set */
        PtList destination_macs, destination_mac_aliases;
        PtList ether_types; /* uint16_t; a set */
        PtList vlans;       /* PtVlanRange; a set */
        FwArp arp;
        int family, protocol; /* as of FirewallRule */
        FwEndpoint source, destination;
        PtList services;   /* char *: Service; a set */
        PtList icmp_types; /* PtIcmpType; a set */
        bool log;
        PtRate log_rate;
        int mode; /* FwRuleMode */
} BridgeRule;

extern const PtKind pt_kind_bridge_rule;

/* What it asks of IP, and how it stands and logs, as a FirewallRule; its lists are the rule's. */
void fw_bridge_rule_view(const BridgeRule *rule, FirewallRule *ret, FwRuleBox *ret_box);
FwBridgeDirection fw_bridge_direction(const BridgeRule *rule);
/* Whether it asks anything of IP, so that it matches no other frame. */
bool fw_bridge_asks_ip(const BridgeRule *rule);
/* The ones of the mask come first: all that agree with it lie between two addresses. */
bool fw_mac_mask_is_prefix(const PtMacMask *mac);

/* Bits of BridgeSettings.object.present. */
enum {
        BRIDGE_SETTINGS_DEFAULT,
        BRIDGE_SETTINGS_INPUT,
        BRIDGE_SETTINGS_OUTPUT,
        BRIDGE_SETTINGS_STATEFUL,
        BRIDGE_SETTINGS_LOG_DEFAULT,
        BRIDGE_SETTINGS_LOG_RATE,
};

/* The one object of it, "default", may be absent: then all is as the defaults say. */
typedef struct BridgeSettings {
        PtObject object;
        int forward, input, output; /* FwAction for what no rule matched: FW_ALLOW, the default, or
                                       FW_DROP */
        bool stateful;
        bool log_default;
        PtRate log_rate;
} BridgeSettings;

extern const PtKind pt_kind_bridge_settings;

/* All take NULL: no settings. */
FwAction fw_bridge_default(const BridgeSettings *settings, FwBridgeDirection direction);
bool fw_bridge_stateful(const BridgeSettings *settings);
PtRate fw_bridge_log_rate(const BridgeSettings *settings);
