/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/bridge.h"
#include "kinds/firewall/endpoint.h"

#define ETHER_TYPE_IPV4 0x0800
#define ETHER_TYPE_ARP 0x0806
#define ETHER_TYPE_IPV6 0x86dd

static const PtChoice actions[] = {
        {"allow", FW_ALLOW, "lets it pass"},
        {"drop", FW_DROP, "discards it without a word"},
        {},
};

static const PtChoice directions[] = {
        {"forward", FW_BRIDGE_FORWARD, "frames from one port of a bridge to another"},
        {"in", FW_BRIDGE_IN, "frames from a port to this machine"},
        {"out", FW_BRIDGE_OUT, "frames from this machine to a port"},
        {},
};

/* clang-format off */
static const PtField arp_fields[] = {
        [FW_ARP_OPERATION] = PT_FIELD(FwArp, arp_operation, operations, "operation", PT_F_LIST,
                .doc = "What the packet is, one of these: request, reply, or a number.",
                .example = "[request, reply]"),
        [FW_ARP_SENDER_MAC] = PT_FIELD(FwArp, mac_mask, sender_macs, "senderMac", PT_F_LIST,
                .doc = "The hardware address that the packet tells of the sender, which may be "
                       "another one than the frame's.",
                .example = "[\"02:00:5e:10:00:01\"]"),
        [FW_ARP_SENDER_ADDRESS] = PT_FIELD(FwArp, address_range, sender_addresses, "senderAddress",
                PT_F_LIST,
                .doc = "The IPv4 address that the sender says is its own.",
                .example = "[10.0.0.1, 10.0.0.16/28]"),
        [FW_ARP_TARGET_ADDRESS] = PT_FIELD(FwArp, address_range, target_addresses, "targetAddress",
                PT_F_LIST,
                .doc = "The IPv4 address that is asked for, or that of whom the reply is to.",
                .example = "[10.0.0.0/24]"),
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(arp_fields) == FW_ARP_TARGET_ADDRESS + 2);

static const PtField rule_fields[] = {
        [BRIDGE_RULE_ACTION] = PT_FIELD(BridgeRule, enum, action, "action", PT_F_REQUIRED,
                .choices = actions,
                .doc = "What happens to a frame that the rule matches.",
                .example = "allow"),
        [BRIDGE_RULE_ENABLED] = PT_FIELD(BridgeRule, bool, enabled, "enabled", 0,
                .def = "true",
                .doc = "Whether the rule is in force. A rule that is not stays in the "
                       "configuration.",
                .example = "false"),
        [BRIDGE_RULE_PRIORITY] = PT_FIELD(BridgeRule, u16, priority, "priority", 0,
                .def = "32768",
                .doc = "Rules are tried in the order of their priority, the lowest number first, "
                       "then of their position in the file, then by name; the first that matches "
                       "decides.",
                .example = "100"),
        [BRIDGE_RULE_GROUP] = PT_FIELD(BridgeRule, ref, group, "group", 0,
                .ref = "RuleGroup",
                .doc = "The group that the rule is in: it is in force while both are enabled.",
                .example = "guests"),
        [BRIDGE_RULE_SCHEDULE] = PT_FIELD(BridgeRule, ref, schedule, "schedule", 0,
                .ref = "Schedule",
                .doc = "When the rule is in force; at other times it is as if it were not there. "
                       "While the machine's clock is not synchronised, a rule that allows is not "
                       "in force, and one that drops is. Absent: always.",
                .example = "office-hours"),
        [BRIDGE_RULE_DIRECTION] = PT_FIELD(BridgeRule, enum, direction, "direction", 0,
                .choices = directions, .def = "forward",
                .doc = "Which frames the rule is about.",
                .example = "in"),
        [BRIDGE_RULE_BRIDGES] = PT_FIELD(BridgeRule, ifname, bridges, "bridges", PT_F_LIST,
                .doc = "Bridges, one of which the frame's port must belong to: names, or globs "
                       "that end in *. It needs the kernel's nft_meta_bridge. Absent: any bridge.",
                .example = "[br0]"),
        [BRIDGE_RULE_FROM] = PT_FIELD(BridgeRule, ifname, from, "from", PT_F_LIST,
                .doc = "Ports, one of which the frame must have come by: names of interfaces, or "
                       "globs that end in *. Absent: any port.",
                .example = "[eth1, \"tap*\"]"),
        [BRIDGE_RULE_TO] = PT_FIELD(BridgeRule, ifname, to, "to", PT_F_LIST,
                .doc = "Ports, one of which the frame must leave by. A frame that leaves by "
                       "several (a broadcast) is asked for each of them. Absent: any port.",
                .example = "[eth2]"),
        [BRIDGE_RULE_SOURCE_MAC] = PT_FIELD(BridgeRule, mac_mask, source_macs, "sourceMac",
                PT_F_LIST,
                .doc = "Hardware addresses, one of which the frame must come from. With a mask, "
                       "all that agree where it has ones; a mask whose ones do not come first "
                       "stands alone.",
                .example = "[\"02:00:5e:10:00:01\", \"02:aa:00:00:00:00/ff:ff:00:00:00:00\"]"),
        [BRIDGE_RULE_SOURCE_MAC_ALIASES] = PT_FIELD(BridgeRule, ref, source_mac_aliases,
                "sourceMacAliases", PT_F_LIST,
                .ref = "Alias",
                .doc = "Aliases of hardware addresses, in one of which (or of those beside) the "
                       "frame's source must be.",
                .example = "[phones]"),
        [BRIDGE_RULE_DESTINATION_MAC] = PT_FIELD(BridgeRule, mac_mask, destination_macs,
                "destinationMac", PT_F_LIST,
                .doc = "Hardware addresses, one of which the frame must go to. Of all groups, "
                       "broadcast too, the first byte's last bit is one.",
                .example = "[\"01:00:00:00:00:00/01:00:00:00:00:00\"]"),
        [BRIDGE_RULE_DESTINATION_MAC_ALIASES] = PT_FIELD(BridgeRule, ref, destination_mac_aliases,
                "destinationMacAliases", PT_F_LIST,
                .ref = "Alias",
                .doc = "The same by aliases.",
                .example = "[printers]"),
        [BRIDGE_RULE_ETHER_TYPES] = PT_FIELD(BridgeRule, ether_type, ether_types, "etherTypes",
                PT_F_LIST,
                .doc = "What the frame carries, after its VLAN tag if it has one: ipv4, ipv6, arp, "
                       "or a number. Absent: anything, or what the other fields ask for.",
                .example = "[ipv4, ipv6, \"0x8863\"]"),
        [BRIDGE_RULE_VLANS] = PT_FIELD(BridgeRule, vlan_range, vlans, "vlans", PT_F_LIST,
                .doc = "VLANs, one of which the frame's outermost tag must name, or \"untagged\", "
                       "which a tag of priority alone (VLAN 0) is too. The tag is that with which "
                       "the frame leaves. Absent: whatever it is.",
                .example = "[10, \"20-29\", untagged]"),
        [BRIDGE_RULE_ARP] = PT_STRUCT(BridgeRule, FwArp, arp, "arp", arp_fields,
                .doc = "What must be in the frame's ARP packet, of Ethernet and IPv4.",
                .example = "{ operation: [reply], senderAddress: [10.0.0.1] }"),
        [BRIDGE_RULE_FAMILY] = PT_FIELD(BridgeRule, enum, family, "family", 0,
                .choices = fw_families,
                .doc = "IPv4 or IPv6 only. Absent: any frame, or what the addresses and the "
                       "protocol say.",
                .example = "ipv6"),
        [BRIDGE_RULE_PROTOCOL] = PT_FIELD(BridgeRule, protocol, protocol, "protocol", 0,
                .def = "any",
                .doc = "The protocol inside IP, by name or number. Absent or \"any\": any, or TCP "
                       "and UDP when the rule has ports.",
                .example = "tcp"),
        [BRIDGE_RULE_SOURCE] = PT_STRUCT(BridgeRule, FwEndpoint, source, "source",
                fw_endpoint_fields,
                .doc = "What the IP packet's source must be. Fragments after the first have no "
                       "ports.",
                .example = "{ addresses: [10.0.0.0/8] }"),
        [BRIDGE_RULE_DESTINATION] = PT_STRUCT(BridgeRule, FwEndpoint, destination, "destination",
                fw_endpoint_fields,
                .doc = "What the IP packet's destination must be.",
                .example = "{ ports: [80, 443] }"),
        [BRIDGE_RULE_SERVICES] = PT_FIELD(BridgeRule, ref, services, "services", PT_F_LIST,
                .ref = "Service",
                .doc = "What the IP packet is for, in place of a protocol and the destination's "
                       "ports: services by name, of the built-in ones or your own.",
                .example = "[ssh, https]"),
        [BRIDGE_RULE_ICMP_TYPES] = PT_FIELD(BridgeRule, icmp_type, icmp_types, "icmpTypes",
                PT_F_LIST,
                .doc = "Types of ICMP and ICMPv6, by name or number, and perhaps a code. Neighbour "
                       "discovery is neighbour-solicitation and neighbour-advertisement.",
                .example = "[neighbour-solicitation, neighbour-advertisement]"),
        [BRIDGE_RULE_LOG] = PT_FIELD(BridgeRule, bool, log, "log", 0,
                .def = "false",
                .doc = "Whether the frames that the rule matches are logged. A rule in audit mode "
                       "logs unless this is false.",
                .example = "true"),
        [BRIDGE_RULE_LOG_RATE] = PT_FIELD(BridgeRule, rate, log_rate, "logRate", 0,
                .def = "10/second",
                .doc = "How many frames are logged at most; the rule's counter counts all.",
                .example = "5/minute"),
        [BRIDGE_RULE_MODE] = PT_FIELD(BridgeRule, enum, mode, "mode", 0,
                .choices = fw_rule_modes, .def = "enforce",
                .doc = "A rule in audit mode counts and logs what it would have done, and does "
                       "nothing else: what it matches goes on to the next rule.",
                .example = "audit"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(rule_fields) == BRIDGE_RULE_MODE + 2);

FwBridgeDirection fw_bridge_direction(const BridgeRule *rule)
{
        return pt_object_has(&rule->object, BRIDGE_RULE_DIRECTION)
                       ? (FwBridgeDirection) rule->direction
                       : FW_BRIDGE_FORWARD;
}

void fw_bridge_rule_view(const BridgeRule *rule, FirewallRule *ret, FwRuleBox *ret_box)
{
        static const struct {
                unsigned own, other;
        } bits[] = {
                {BRIDGE_RULE_ACTION, FW_RULE_ACTION},     {BRIDGE_RULE_ENABLED, FW_RULE_ENABLED},
                {BRIDGE_RULE_PRIORITY, FW_RULE_PRIORITY}, {BRIDGE_RULE_FAMILY, FW_RULE_FAMILY},
                {BRIDGE_RULE_PROTOCOL, FW_RULE_PROTOCOL}, {BRIDGE_RULE_LOG, FW_RULE_LOG},
                {BRIDGE_RULE_LOG_RATE, FW_RULE_LOG_RATE}, {BRIDGE_RULE_MODE, FW_RULE_MODE},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(bits); i++)
                if (pt_object_has(&rule->object, bits[i].own))
                        ret->object.present |= UINT64_C(1) << bits[i].other;
        ret->object.position = rule->object.position;
        ret->action = rule->action;
        ret->enabled = rule->enabled;
        ret->priority = rule->priority;
        ret->family = rule->family;
        ret->protocol = rule->protocol;
        ret->source = rule->source;
        ret->destination = rule->destination;
        *ret_box = (FwRuleBox){
                .services = rule->services,
                .icmp_types = rule->icmp_types,
                .log = rule->log,
                .log_rate = rule->log_rate,
                .schedule = rule->schedule,
                .group = rule->group,
                .mode = rule->mode,
        };
        ret->box = ret_box;
}

bool fw_bridge_asks_ip(const BridgeRule *rule)
{
        static const unsigned fields[] = {BRIDGE_RULE_FAMILY,   BRIDGE_RULE_PROTOCOL,
                                          BRIDGE_RULE_SOURCE,   BRIDGE_RULE_DESTINATION,
                                          BRIDGE_RULE_SERVICES, BRIDGE_RULE_ICMP_TYPES};

        for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
                if (pt_object_has(&rule->object, fields[i]))
                        return true;
        return false;
}

bool fw_mac_mask_is_prefix(const PtMacMask *mac)
{
        bool ended = false;

        for (unsigned bit = 0; bit < sizeof(mac->mask) * 8; bit++) {
                bool one = mac->mask[bit / 8] >> (7 - bit % 8) & 1;

                if (one && ended)
                        return false;
                ended = ended || !one;
        }
        return true;
}

/* One question has one mask. */
static int check_masks(const PtList *macs, unsigned aliases, const char *pointer,
                       PtDiagnostics *diag)
{
        const PtMacMask *items = macs->items;

        for (unsigned i = 0; i < macs->n; i++) {
                g_autofree char *at = NULL;

                if (fw_mac_mask_is_prefix(&items[i]) || macs->n + aliases == 1)
                        continue;
                at = g_strdup_printf("%s/%u", pointer, i);
                pt_diag_error(diag, "mask-with-holes", at,
                              "the ones of this mask do not come first, so it cannot stand beside "
                              "other addresses; write a rule for it alone");
                return -EINVAL;
        }
        return 0;
}

static int check_ports(const BridgeRule *rule, PtDiagnostics *diag)
{
        FwBridgeDirection direction = fw_bridge_direction(rule);

        if (direction == FW_BRIDGE_IN && rule->to.n > 0) {
                pt_diag_error(diag, "never-matches", "/spec/to",
                              "a frame to this machine leaves by no port; remove this, or the "
                              "direction");
                return -EINVAL;
        }
        if (direction == FW_BRIDGE_OUT && rule->from.n > 0) {
                pt_diag_error(diag, "never-matches", "/spec/from",
                              "what this machine sends came by no port; remove this, or the "
                              "direction");
                return -EINVAL;
        }
        return 0;
}

static int check_arp(const BridgeRule *rule, PtDiagnostics *diag)
{
        const struct {
                const PtList *list;
                const char *pointer;
        } rows[] = {{&rule->arp.sender_addresses, "/spec/arp/senderAddress"},
                    {&rule->arp.target_addresses, "/spec/arp/targetAddress"}};
        int r = check_masks(&rule->arp.sender_macs, 0, "/spec/arp/senderMac", diag);

        if (!pt_object_has(&rule->object, BRIDGE_RULE_ARP))
                return 0;
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                const PtAddressRange *ranges = rows[i].list->items;

                if (rows[i].list->n == 0 || ranges[rows[i].list->n - 1].family == AF_INET)
                        continue;
                pt_diag_error(diag, "wrong-family", rows[i].pointer,
                              "ARP is of IPv4; IPv6 asks by ICMPv6 (\"icmpTypes: "
                              "[neighbour-solicitation, neighbour-advertisement]\")");
                r = -EINVAL;
        }
        if (fw_bridge_asks_ip(rule)) {
                pt_diag_error(diag, "never-matches", "/spec/arp",
                              "a frame holds ARP or IP; write two rules");
                r = -EINVAL;
        }
        return r;
}

/* What the other fields ask for must be among them. */
static int check_ether_types(const BridgeRule *rule, const FirewallRule *view, PtDiagnostics *diag)
{
        const uint16_t *types = rule->ether_types.items;
        int family = fw_rule_family(view), r = 0;

        for (unsigned i = 0; i < rule->ether_types.n; i++) {
                bool arp = types[i] == ETHER_TYPE_ARP;
                bool ip = (types[i] == ETHER_TYPE_IPV4 && family != AF_INET6) ||
                          (types[i] == ETHER_TYPE_IPV6 && family != AF_INET);
                g_autofree char *at = NULL;

                if ((arp || !pt_object_has(&rule->object, BRIDGE_RULE_ARP)) &&
                    (ip || !fw_bridge_asks_ip(rule)))
                        continue;
                at = g_strdup_printf("/spec/etherTypes/%u", i);
                pt_diag_error(diag, "never-matches", at,
                              "no frame of this type holds what the rule asks for (%s); remove it "
                              "from the list, or write another rule",
                              fw_bridge_asks_ip(rule) ? family == AF_INET    ? "IPv4"
                                                        : family == AF_INET6 ? "IPv6"
                                                                             : "IP"
                                                      : "ARP");
                r = -EINVAL;
        }
        return r;
}

static int check_endpoint_macs(const BridgeRule *rule, PtDiagnostics *diag)
{
        const FwEndpointBox *source = fw_endpoint_box(&rule->source);

        if (source->macs.n == 0 && source->mac_aliases.n == 0)
                return 0;
        pt_diag_error(diag, "two-ways",
                      source->macs.n > 0 ? "/spec/source/macs" : "/spec/source/macAliases",
                      "of frames, this is \"%s\"; write it there",
                      source->macs.n > 0 ? "sourceMac" : "sourceMacAliases");
        return -EINVAL;
}

static int rule_check(const PtObject *object, PtDiagnostics *diag)
{
        const BridgeRule *rule = (const BridgeRule *) object;
        FirewallRule view = {};
        FwRuleBox box;
        int r;

        fw_bridge_rule_view(rule, &view, &box);
        r = fw_rule_check_ip(&view, diag);
        if (check_ports(rule, diag) < 0 || check_arp(rule, diag) < 0 ||
            check_masks(&rule->source_macs, rule->source_mac_aliases.n, "/spec/sourceMac", diag) <
                    0 ||
            check_masks(&rule->destination_macs, rule->destination_mac_aliases.n,
                        "/spec/destinationMac", diag) < 0 ||
            check_endpoint_macs(rule, diag) < 0 || check_ether_types(rule, &view, diag) < 0)
                r = -EINVAL;
        return r;
}

/* What comes and goes at run time is in sets of the other table. */
static int check_external(const PtList *aliases, const char *pointer, const PtLookup *lookup,
                          PtDiagnostics *diag)
{
        char *const *names = aliases->items;
        int r = 0;

        for (unsigned i = 0; i < aliases->n; i++) {
                const Alias *alias =
                        (const Alias *) lookup->get(lookup->ctx, &pt_kind_alias, names[i]);
                g_autofree char *at = g_strdup_printf("%s/%u", pointer, i);

                if (!alias || !alias->external)
                        continue;
                pt_diag_error(diag, "external-alias", at,
                              "Alias \"%s\" is external, and rules of bridges do not see what is "
                              "put into it at run time; name another one",
                              names[i]);
                r = -EINVAL;
        }
        return r;
}

static int rule_check_set(const PtObject *object, const PtLookup *lookup, PtDiagnostics *diag)
{
        const BridgeRule *rule = (const BridgeRule *) object;
        const FwEndpointBox *source = fw_endpoint_box(&rule->source);
        const FwEndpointBox *destination = fw_endpoint_box(&rule->destination);
        const struct {
                const PtList *aliases;
                const char *pointer;
                bool macs;
        } rows[] = {
                {&source->aliases, "/spec/source/aliases", false},
                {&source->except.aliases, "/spec/source/except/aliases", false},
                {&destination->aliases, "/spec/destination/aliases", false},
                {&destination->except.aliases, "/spec/destination/except/aliases", false},
                {&rule->source_mac_aliases, "/spec/sourceMacAliases", true},
                {&rule->destination_mac_aliases, "/spec/destinationMacAliases", true},
        };
        int r = fw_endpoint_check_set(&rule->source, lookup, "/spec/source", diag);

        if (fw_endpoint_check_set(&rule->destination, lookup, "/spec/destination", diag) < 0)
                r = -EINVAL;
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                if (rows[i].macs && fw_check_alias_types(rows[i].aliases, FW_ALIAS_MAC, lookup,
                                                         rows[i].pointer, diag) < 0)
                        r = -EINVAL;
                if (check_external(rows[i].aliases, rows[i].pointer, lookup, diag) < 0)
                        r = -EINVAL;
        }
        return r;
}

const PtKind pt_kind_bridge_rule = {
        .name = "BridgeRule",
        .api_version = "patronus.firewall/v1",
        .plural = "bridgerules",
        .doc = "Which frames pass between the ports of a bridge, and between them and this "
               "machine. Rules are tried in the order of their priority, and the first one that "
               "matches decides; what none matches gets the default of BridgeSettings. What a rule "
               "leaves out matches every frame.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: BridgeRule\n"
                   "metadata:\n"
                   "  name: no-foreign-dhcp\n"
                   "  description: \"DHCP servers stand behind the uplink alone\"\n"
                   "spec:\n"
                   "  action: drop\n"
                   "  from: [\"tap*\"]\n"
                   "  protocol: udp\n"
                   "  source:\n"
                   "    ports: [67]\n",
        .size = sizeof(BridgeRule),
        .fields = rule_fields,
        .ordered = true,
        .order_field = "priority",
        .check = rule_check,
        .check_set = rule_check_set,
};
