/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/firewall.h"

#include <netinet/in.h>
#include <string.h>

static const PtChoice families[] = {
        {"ipv4", AF_INET, "IPv4 only"},
        {"ipv6", AF_INET6, "IPv6 only"},
        {},
};

/* clang-format off */
static const PtField endpoint_fields[] = {
        [FW_ENDPOINT_ADDRESSES] = PT_FIELD(FwEndpoint, address_range, addresses, "addresses",
                PT_F_LIST,
                .doc = "Addresses, prefixes and ranges, one of which the packet's address must be "
                       "in; all of one family. Absent: any address.",
                .example = "[10.0.0.0/8, 192.0.2.10-192.0.2.20]"),
        [FW_ENDPOINT_PORTS] = PT_FIELD(FwEndpoint, port_range, ports, "ports", PT_F_LIST,
                .doc = "Ports and port ranges, one of which the packet's port must be in. Without "
                       "a protocol they mean TCP and UDP. Absent: any port.",
                .example = "[80, 443, 6000-6010]"),
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(endpoint_fields) == FW_ENDPOINT_PORTS + 2);

static const PtField rule_fields[] = {
        [FW_RULE_ACTION] = PT_FIELD(FirewallRule, enum, action, "action", PT_F_REQUIRED,
                .choices = fw_actions,
                .doc = "What happens to the first packet of a connection that the rule matches. "
                       "Replies and errors of what was allowed pass without a rule.",
                .example = "allow"),
        [FW_RULE_ENABLED] = PT_FIELD(FirewallRule, bool, enabled, "enabled", 0,
                .def = "true",
                .doc = "Whether the rule is in force. A rule that is not stays in the "
                       "configuration.",
                .example = "false"),
        [FW_RULE_PRIORITY] = PT_FIELD(FirewallRule, u16, priority, "priority", 0,
                .def = "32768",
                .doc = "Rules are tried in the order of their priority, the lowest number first, "
                       "then of their position in the file, then by name; the first that matches "
                       "decides.",
                .example = "100"),
        [FW_RULE_FROM] = PT_FIELD(FirewallRule, ref, from, "from", 0,
                .ref = "Zone", .def = "any",
                .doc = "The zone that the packet comes from, \"router\" for packets of the "
                       "machine itself, or \"any\". Absent: any zone.",
                .example = "wan"),
        [FW_RULE_TO] = PT_FIELD(FirewallRule, ref, to, "to", 0,
                .ref = "Zone", .def = "any",
                .doc = "The zone that the packet goes to, \"router\" for packets to the machine "
                       "itself, or \"any\". Absent: any zone, and the machine itself.",
                .example = "router"),
        [FW_RULE_FAMILY] = PT_FIELD(FirewallRule, enum, family, "family", 0,
                .choices = families,
                .doc = "IPv4 or IPv6 only. Absent: both, or what the addresses and the protocol "
                       "say.",
                .example = "ipv6"),
        [FW_RULE_PROTOCOL] = PT_FIELD(FirewallRule, protocol, protocol, "protocol", 0,
                .def = "any",
                .doc = "The protocol inside IP, by name or number. Absent or \"any\": any, or TCP "
                       "and UDP when the rule has ports.",
                .example = "tcp"),
        [FW_RULE_SOURCE] = PT_STRUCT(FirewallRule, FwEndpoint, source, "source", endpoint_fields,
                .doc = "What the packet's source must be.",
                .example = "{ addresses: [10.0.0.0/8] }"),
        [FW_RULE_DESTINATION] = PT_STRUCT(FirewallRule, FwEndpoint, destination,
                "destination", endpoint_fields,
                .doc = "What the packet's destination must be: after port forwarding, before "
                       "masquerading.",
                .example = "{ ports: [80, 443] }"),
        [FW_RULE_DSCP] = PT_FIELD(FirewallRule, u8, dscp, "dscp", 0,
                .max = 63,
                .doc = "The DiffServ code point that the packet must carry (RFC 2474): 46 is "
                       "expedited forwarding, 0 best effort. Absent: any.",
                .example = "46"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(rule_fields) == FW_RULE_DSCP + 2);

bool fw_rule_enabled(const FirewallRule *rule)
{
        return !pt_object_has(&rule->object, FW_RULE_ENABLED) || rule->enabled;
}

unsigned fw_rule_priority(const FirewallRule *rule)
{
        return pt_object_has(&rule->object, FW_RULE_PRIORITY) ? rule->priority
                                                              : FW_PRIORITY_DEFAULT;
}

int fw_rule_protocol(const FirewallRule *rule)
{
        return pt_object_has(&rule->object, FW_RULE_PROTOCOL) ? rule->protocol : PT_PROTOCOL_ANY;
}

/* The family that a protocol is of: ICMP is IPv4's (RFC 792), ICMPv6 is IPv6's (RFC 4443). */
static int protocol_family(int protocol)
{
        if (protocol == IPPROTO_ICMP)
                return AF_INET;
        return protocol == IPPROTO_ICMPV6 ? AF_INET6 : AF_UNSPEC;
}

static int endpoint_family(const FwEndpoint *endpoint)
{
        const PtAddressRange *addresses = endpoint->addresses.items;

        return endpoint->addresses.n > 0 ? addresses[0].family : AF_UNSPEC;
}

int fw_rule_family(const FirewallRule *rule)
{
        int family = protocol_family(fw_rule_protocol(rule));

        if (family == AF_UNSPEC && pt_object_has(&rule->object, FW_RULE_FAMILY))
                family = rule->family;
        if (family == AF_UNSPEC)
                family = endpoint_family(&rule->source);
        if (family == AF_UNSPEC)
                family = endpoint_family(&rule->destination);
        return family;
}

int fw_rule_compare_order(const FirewallRule *a, const FirewallRule *b)
{
        unsigned x = fw_rule_priority(a), y = fw_rule_priority(b);
        int r;

        if (x != y)
                return x < y ? -1 : 1;
        if (a->object.position != b->object.position)
                return a->object.position < b->object.position ? -1 : 1;
        r = strcmp(a->object.name, b->object.name);
        return (r > 0) - (r < 0);
}

static const char *family_words(int family)
{
        return family == AF_INET ? "IPv4" : "IPv6";
}

/* What first said which family the rule is of, and the first place that says otherwise. */
static int check_family(int *family, const char **from, int other, const char *pointer,
                        PtDiagnostics *diag)
{
        if (other == AF_UNSPEC || other == *family)
                return 0;
        if (*family == AF_UNSPEC) {
                *family = other;
                *from = pointer;
                return 0;
        }
        pt_diag_error(diag, "mixed-families", pointer,
                      "this is %s, but %s is %s, so no packet matches both; write two rules",
                      family_words(other), *from, family_words(*family));
        return -EINVAL;
}

/* Sets are sorted with IPv4 first: the ends say whether a list has both. */
static int check_endpoint_family(const FwEndpoint *endpoint, int *family, const char **from,
                                 const char *pointer, PtDiagnostics *diag)
{
        const PtAddressRange *addresses = endpoint->addresses.items;
        unsigned n = endpoint->addresses.n;

        if (n > 0 && addresses[0].family != addresses[n - 1].family) {
                pt_diag_error(diag, "mixed-families", pointer,
                              "the list has IPv4 and IPv6 addresses; write a rule for each family");
                return -EINVAL;
        }
        return check_family(family, from, endpoint_family(endpoint), pointer, diag);
}

static int check_families(const FirewallRule *rule, PtDiagnostics *diag)
{
        int family = AF_UNSPEC, r = 0;
        const char *from = NULL;

        if (pt_object_has(&rule->object, FW_RULE_FAMILY))
                r = check_family(&family, &from, rule->family, "/spec/family", diag);
        if (check_family(&family, &from, protocol_family(fw_rule_protocol(rule)), "/spec/protocol",
                         diag) < 0)
                r = -EINVAL;
        if (check_endpoint_family(&rule->source, &family, &from, "/spec/source/addresses", diag) <
            0)
                r = -EINVAL;
        if (check_endpoint_family(&rule->destination, &family, &from, "/spec/destination/addresses",
                                  diag) < 0)
                r = -EINVAL;
        return r;
}

static bool has_ports(int protocol)
{
        return protocol == PT_PROTOCOL_ANY || protocol == IPPROTO_TCP || protocol == IPPROTO_UDP ||
               protocol == IPPROTO_SCTP || protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

static int check_ports(const FirewallRule *rule, const FwEndpoint *endpoint, const char *pointer,
                       PtDiagnostics *diag)
{
        if (endpoint->ports.n == 0 || has_ports(fw_rule_protocol(rule)))
                return 0;
        pt_diag_error(
                diag, "no-ports", pointer,
                "the rule's protocol has no ports; use tcp, udp, sctp, dccp or udplite, or leave "
                "out the protocol (TCP and UDP)");
        return -EINVAL;
}

static int rule_check(const PtObject *object, PtDiagnostics *diag)
{
        const FirewallRule *rule = (const FirewallRule *) object;
        int r = check_families(rule, diag);

        if (check_ports(rule, &rule->source, "/spec/source/ports", diag) < 0)
                r = -EINVAL;
        if (check_ports(rule, &rule->destination, "/spec/destination/ports", diag) < 0)
                r = -EINVAL;
        if (rule->from && rule->to && strcmp(rule->from, FW_ZONE_ROUTER) == 0 &&
            strcmp(rule->to, FW_ZONE_ROUTER) == 0) {
                pt_diag_error(diag, "router-to-router", "/spec/to",
                              "what the machine sends to itself is never filtered; name a zone in "
                              "\"from\" or \"to\"");
                r = -EINVAL;
        }
        return r;
}

const PtKind pt_kind_firewall_rule = {
        .name = "FirewallRule",
        .api_version = "patronus.firewall/v1",
        .plural = "firewallrules",
        .doc = "Which new connections pass. Rules are tried in the order of their priority, and "
               "the first one that "
               "matches decides; what none matches gets the default of its zone. What a rule "
               "leaves out matches "
               "everything.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: FirewallRule\n"
                   "metadata:\n"
                   "  name: allow-web\n"
                   "  description: \"the public site\"\n"
                   "spec:\n"
                   "  action: allow\n"
                   "  from: wan\n"
                   "  to: dmz\n"
                   "  protocol: tcp\n"
                   "  destination:\n"
                   "    addresses: [192.0.2.10]\n"
                   "    ports: [80, 443]\n",
        .size = sizeof(FirewallRule),
        .fields = rule_fields,
        .ordered = true,
        .check = rule_check,
};
