/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/endpoint.h"

#include <netinet/in.h>
#include <string.h>

const PtChoice fw_helpers[] = {
        {"amanda", FW_HELPER_AMANDA, "Amanda backup, UDP 10080"},
        {"ftp", FW_HELPER_FTP, "FTP, active and passive, TCP 21"},
        {"h323", FW_HELPER_H323, "H.323 calls, TCP 1720 and UDP 1719"},
        {"irc", FW_HELPER_IRC, "direct connections of IRC, TCP 6667"},
        {"netbios-ns", FW_HELPER_NETBIOS_NS, "answers to NetBIOS name broadcasts, UDP 137"},
        {"pptp", FW_HELPER_PPTP, "GRE of PPTP, TCP 1723"},
        {"sane", FW_HELPER_SANE, "network scanners, TCP 6566"},
        {"sip", FW_HELPER_SIP, "media of SIP calls, TCP and UDP 5060"},
        {"snmp", FW_HELPER_SNMP, "answers to SNMP broadcasts, UDP 161"},
        {"tftp", FW_HELPER_TFTP, "TFTP transfers, UDP 69"},
        {},
};

/* net/netfilter/nf_conntrack_*.c. */
static const struct {
        const char *name;
        bool tcp, udp;
} kernel_helpers[FW_HELPER_MAX] = {
        [FW_HELPER_AMANDA] = {"amanda", .udp = true},
        [FW_HELPER_FTP] = {"ftp", .tcp = true},
        [FW_HELPER_H323] = {"Q.931", .tcp = true},
        [FW_HELPER_IRC] = {"irc", .tcp = true},
        [FW_HELPER_NETBIOS_NS] = {"netbios-ns", .udp = true},
        [FW_HELPER_PPTP] = {"pptp", .tcp = true},
        [FW_HELPER_SANE] = {"sane", .tcp = true},
        [FW_HELPER_SIP] = {"sip", .tcp = true, .udp = true},
        [FW_HELPER_SNMP] = {"snmp", .udp = true},
        [FW_HELPER_TFTP] = {"tftp", .udp = true},
};

const char *fw_helper_kernel_name(FwHelper helper)
{
        return kernel_helpers[helper].name;
}

bool fw_helper_has_protocol(FwHelper helper, int protocol)
{
        return (protocol == IPPROTO_TCP && kernel_helpers[helper].tcp) ||
               (protocol == IPPROTO_UDP && kernel_helpers[helper].udp);
}

static const PtChoice states[] = {
        {"new", FW_STATE_NEW, "the first packet of a connection"},
        {"related", FW_STATE_RELATED, "a connection that a helper expects"},
        {"invalid", FW_STATE_INVALID,
         "what belongs to no connection and can begin none; only seen by rules when "
         "FilterSettings let it pass"},
        {"untracked", FW_STATE_UNTRACKED, "what is exempt from connection tracking"},
        {},
};

/* clang-format off */
static const PtField rule_fields[] = {
        [FW_RULE_ACTION] = PT_FIELD(FirewallRule, enum, action, "action", PT_F_REQUIRED,
                .choices = fw_rule_actions,
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
                       "decides. Floating rules stand before or after all others.",
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
                .choices = fw_families,
                .doc = "IPv4 or IPv6 only. Absent: both, or what the addresses and the protocol "
                       "say.",
                .example = "ipv6"),
        [FW_RULE_PROTOCOL] = PT_FIELD(FirewallRule, protocol, protocol, "protocol", 0,
                .def = "any",
                .doc = "The protocol inside IP, by name or number. Absent or \"any\": any, or TCP "
                       "and UDP when the rule has ports.",
                .example = "tcp"),
        [FW_RULE_SOURCE] = PT_STRUCT(FirewallRule, FwEndpoint, source, "source", fw_endpoint_fields,
                .doc = "What the packet's source must be.",
                .example = "{ addresses: [10.0.0.0/8] }"),
        [FW_RULE_DESTINATION] = PT_STRUCT(FirewallRule, FwEndpoint, destination,
                "destination", fw_endpoint_fields,
                .doc = "What the packet's destination must be: after port forwarding, before "
                       "masquerading.",
                .example = "{ ports: [80, 443] }"),
        [FW_RULE_DSCP] = PT_FIELD(FirewallRule, u8, dscp, "dscp", 0,
                .max = 63,
                .doc = "The DiffServ code point that the packet must carry (RFC 2474): 46 is "
                       "expedited forwarding, 0 best effort. Absent: any.",
                .example = "46"),
        [FW_RULE_SERVICES] = PT_BOXED(FirewallRule, FwRuleBox, box, ref, services, "services",
                PT_F_LIST,
                .ref = "Service",
                .doc = "What the connection is for, in place of a protocol and the destination's "
                       "ports: services by name, of the built-in ones or your own.",
                .example = "[ssh, https]"),
        [FW_RULE_ICMP_TYPES] = PT_BOXED(FirewallRule, FwRuleBox, box, icmp_type, icmp_types,
                "icmpTypes", PT_F_LIST,
                .doc = "Types of ICMP and ICMPv6, by name or number, and perhaps a code. A name "
                       "alone means both families; numbers need the protocol icmp or icmpv6.",
                .example = "[echo-request, destination-unreachable/4]"),
        [FW_RULE_MARK] = PT_BOXED(FirewallRule, FwRuleBox, box, mark, mark, "mark", 0,
                .doc = "The mark that the packet must carry, as another program, or a rule for "
                       "routing, has set it; the mask says which bits count.",
                .example = "0x10/0xff"),
        [FW_RULE_STATES] = PT_BOXED(FirewallRule, FwRuleBox, box, enum, states, "states",
                PT_F_LIST, .choices = states,
                .doc = "What connection tracking makes of the packet. Packets of connections that "
                       "exist never come to a rule. Absent: whatever it is.",
                .example = "[new]"),
        [FW_RULE_HELPER] = PT_BOXED(FirewallRule, FwRuleBox, box, enum, helper, "helper", 0,
                .choices = fw_helpers,
                .doc = "What follows the protocol and lets in the further connections that the "
                       "two ends agree on, above port 1023. No helper works unless a rule or its "
                       "service names it.",
                .example = "ftp"),
        [FW_RULE_LOG] = PT_BOXED(FirewallRule, FwRuleBox, box, bool, log, "log", 0,
                .def = "false",
                .doc = "Whether the packets that the rule matches are logged. A rule in audit mode "
                       "logs unless this is false.",
                .example = "true"),
        [FW_RULE_LOG_RATE] = PT_BOXED(FirewallRule, FwRuleBox, box, rate, log_rate, "logRate", 0,
                .def = "10/second",
                .doc = "How many packets are logged at most; the rule's counter counts all.",
                .example = "5/minute"),
        [FW_RULE_REJECT_WITH] = PT_BOXED(FirewallRule, FwRuleBox, box, enum, reject_with,
                "rejectWith", 0, .choices = fw_reject_kinds,
                .doc = "What the sender of a rejected packet is told. Absent: a reset for TCP, "
                       "else that it is administratively prohibited.",
                .example = "port-unreachable"),
        [FW_RULE_TCP_FLAGS] = PT_STRUCT_BOXED(FirewallRule, FwRuleBox, box, FwTcpFlags, tcp_flags,
                "tcpFlags", fw_tcp_flags_fields,
                .doc = "Which flags of TCP the packet must have and which it must not; of the "
                       "others, it may. Packets of connections that exist never come to a rule.",
                .example = "{ set: [syn], clear: [ack] }"),
        [FW_RULE_LENGTH] = PT_BOXED(FirewallRule, FwRuleBox, box, length_range, lengths,
                "length", PT_F_LIST,
                .doc = "How long the packet must be: bytes from the IP header on, without that of "
                       "Ethernet. What came in fragments is as long as the whole.",
                .example = "[64-128, 1500]"),
        [FW_RULE_INTERFACES] = PT_BOXED(FirewallRule, FwRuleBox, box, ifname, interfaces,
                "interfaces", PT_F_LIST,
                .doc = "Interfaces, one of which the packet must have come by; with \"from: "
                       "router\", one that it leaves by; of a floating rule, as its direction "
                       "says. Names, or globs that end in *. They are asked beside the zones: one "
                       "that the zone does not have never matches.",
                .example = "[eth1, \"vlan*\"]"),
        [FW_RULE_SCHEDULE] = PT_BOXED(FirewallRule, FwRuleBox, box, ref, schedule, "schedule", 0,
                .ref = "Schedule",
                .doc = "When the rule is in force; at other times it is as if it were not there. "
                       "While the machine's clock is not synchronised, a rule that allows is not "
                       "in force, and one that drops or rejects is. Connections that exist go on when "
                       "the window ends, unless endConnections says otherwise. Absent: always.",
                .example = "office-hours"),
        [FW_RULE_FLOATING] = PT_BOXED(FirewallRule, FwRuleBox, box, bool, floating, "floating", 0,
                .def = "false",
                .doc = "A floating rule is for all zones that it does not leave out by \"from\" and "
                       "\"to\", and for the machine itself at either end. It is tried before all "
                       "rules that do not float or, if it is not quick, after them.",
                .example = "true"),
        [FW_RULE_QUICK] = PT_BOXED(FirewallRule, FwRuleBox, box, bool, quick, "quick", 0,
                .def = "true",
                .doc = "Of a floating rule: whether it decides at once. One that is not quick "
                       "decides what no other sort of rule has decided; of several that match, "
                       "the last one in the order of rules.",
                .example = "false"),
        [FW_RULE_DIRECTION] = PT_BOXED(FirewallRule, FwRuleBox, box, enum, direction, "direction", 0,
                .choices = fw_directions, .def = "any",
                .doc = "Of a floating rule: whether it is for packets that arrive by an interface "
                       "(to the machine, or to be forwarded), for those that leave by one (of the "
                       "machine, or forwarded), or for both; its interfaces are those.",
                .example = "out"),
        [FW_RULE_GROUP] = PT_BOXED(FirewallRule, FwRuleBox, box, ref, group, "group", 0,
                .ref = "RuleGroup",
                .doc = "The group that the rule is in: it is in force while both are enabled.",
                .example = "guests"),
        [FW_RULE_MODE] = PT_BOXED(FirewallRule, FwRuleBox, box, enum, mode, "mode", 0,
                .choices = fw_rule_modes, .def = "enforce",
                .doc = "A rule in audit mode counts and logs what it would have done, and does "
                       "nothing else: what it matches goes on to the next rule.",
                .example = "audit"),
        [FW_RULE_SET_MARK] = PT_BOXED(FirewallRule, FwRuleBox, box, mark, set_mark, "setMark", 0,
                .doc = "What the mark of the packet becomes where the mask has bits, which are the "
                       "lowest eight at most. All further packets of the connection, both ways, "
                       "get the eight bits again. The mark is for queues, for later rules and for "
                       "other programs' rules; a packet's way is chosen before.",
                .example = "0x10/0xff"),
        [FW_RULE_SET_DSCP] = PT_BOXED(FirewallRule, FwRuleBox, box, u8, set_dscp, "setDscp", 0,
                .max = 63,
                .doc = "The DiffServ code point that the packet and all further ones of the "
                       "connection get, both ways (RFC 2474). Later rules see it.",
                .example = "46"),
        [FW_RULE_LIMITS] = PT_STRUCT_BOXED(FirewallRule, FwRuleBox, box, FwLimits, limits,
                "limits", fw_limits_fields,
                .doc = "How much the rule lets pass: connections that exist at one time, and new "
                       "ones in a time. What is beyond a limit is dropped and counted apart; it "
                       "does not come to later rules.",
                .example = "{ connectionsPerSource: 20, ratePerSource: 10/minute }"),
        [FW_RULE_ADD_SOURCE] = PT_STRUCT_BOXED(FirewallRule, FwRuleBox, box, FwAdd, add_source,
                "addSource", fw_add_fields,
                .doc = "Puts the source address of what the rule lets pass into an external alias, "
                       "for some time: so other rules know who knocked.",
                .example = "{ alias: knocked, timeout: 30s }"),
        [FW_RULE_ADD_DESTINATION] = PT_STRUCT_BOXED(FirewallRule, FwRuleBox, box, FwAdd,
                add_destination, "addDestination", fw_add_fields,
                .doc = "The same with the destination address, as it is after port forwarding.",
                .example = "{ alias: contacted, timeout: 1h }"),
        [FW_RULE_SET_TAG] = PT_BOXED(FirewallRule, FwRuleBox, box, name, set_tag, "setTag", 0,
                .doc = "A tag that the packet's connection gets, and has as long as it is there. "
                       "Later rules see it at once. At most 64 tags are told apart.",
                .example = "trusted"),
        [FW_RULE_TAGGED] = PT_BOXED(FirewallRule, FwRuleBox, box, name, tagged, "tagged",
                PT_F_LIST,
                .doc = "Tags, one of which the packet's connection must have: by an earlier rule, "
                       "or since an earlier packet of a connection that was not answered yet. What "
                       "is not tracked has none. Absent: whatever it has.",
                .example = "[trusted]"),
        [FW_RULE_FRAGMENTS] = PT_BOXED(FirewallRule, FwRuleBox, box, bool, fragments, "fragments", 0,
                .def = "false",
                .doc = "Drops fragments, before they are put together and before all else, of "
                       "connections that exist too. Such a rule asks what each of them shows: "
                       "where it comes from, addresses, the protocol, its own length. All "
                       "other rules see what was put together.",
                .example = "true"),
        [FW_RULE_END_CONNECTIONS] = PT_BOXED(FirewallRule, FwRuleBox, box, bool, end_connections,
                "endConnections", 0,
                .def = "false",
                .doc = "Whether connections that the rule let pass end when its schedule's window "
                       "does, unless another rule would let them begin then.",
                .example = "true"),
        [FW_RULE_SYN_PROXY] = PT_BOXED(FirewallRule, FwRuleBox, box, bool, syn_proxy, "synProxy", 0,
                .def = "false",
                .doc = "Whether the router answers for the server until the client has answered: "
                       "a server behind it, or the router itself, then hears of real clients only, and "
                       "a flood of first packets costs no memory. Needs protocol tcp. The router "
                       "announces segments of 1440 bytes, a window scale of 7 (as Linux servers "
                       "have by default), timestamps and selective acknowledgements. "
                       "Connections whose destination a NAT rule translates pass as without it.",
                .example = "true"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(rule_fields) == FW_RULE_SYN_PROXY + 2);

bool fw_rule_enabled(const FirewallRule *rule)
{
        return !pt_object_has(&rule->object, FW_RULE_ENABLED) || rule->enabled;
}

unsigned fw_rule_priority(const FirewallRule *rule)
{
        return pt_object_has(&rule->object, FW_RULE_PRIORITY) ? rule->priority
                                                              : FW_PRIORITY_DEFAULT;
}

/* ICMP types without a protocol do not make one: they are of two. */
int fw_rule_protocol(const FirewallRule *rule)
{
        return pt_object_has(&rule->object, FW_RULE_PROTOCOL) ? rule->protocol : PT_PROTOCOL_ANY;
}

const FwRuleBox *fw_rule_box(const FirewallRule *rule)
{
        static const FwRuleBox empty;

        return rule->box ? rule->box : &empty;
}

/* The family that all ICMP types are of, if there is but one that any of them is of. */
static int icmp_family(const FirewallRule *rule)
{
        const PtList *list = &fw_rule_box(rule)->icmp_types;
        const PtIcmpType *types = list->items;
        bool any4 = false, any6 = false;

        for (unsigned i = 0; i < list->n; i++) {
                any4 = any4 || types[i].type4 >= 0;
                any6 = any6 || types[i].type6 >= 0;
        }
        return any4 == any6 ? AF_UNSPEC : any4 ? AF_INET : AF_INET6;
}

int fw_rule_family(const FirewallRule *rule)
{
        int family = fw_protocol_family(fw_rule_protocol(rule));

        if (family == AF_UNSPEC && pt_object_has(&rule->object, FW_RULE_FAMILY))
                family = rule->family;
        if (family == AF_UNSPEC)
                family = fw_endpoint_family(&rule->source);
        if (family == AF_UNSPEC)
                family = fw_endpoint_family(&rule->destination);
        return family != AF_UNSPEC ? family : icmp_family(rule);
}

int fw_order_compare(unsigned priority_a, const PtObject *a, unsigned priority_b, const PtObject *b)
{
        int r;

        if (priority_a != priority_b)
                return priority_a < priority_b ? -1 : 1;
        if (a->position != b->position)
                return a->position < b->position ? -1 : 1;
        r = strcmp(a->name, b->name);
        return (r > 0) - (r < 0);
}

int fw_rule_compare_order(const FirewallRule *a, const FirewallRule *b)
{
        FwRulePlace place = fw_rule_place(a), other = fw_rule_place(b);
        int r;

        if (place != other)
                return place < other ? -1 : 1;
        r = fw_order_compare(fw_rule_priority(a), &a->object, fw_rule_priority(b), &b->object);
        return place == FW_PLACE_LATE ? -r : r;
}

static int check_families(const FirewallRule *rule, PtDiagnostics *diag)
{
        FwFamilyCheck check = {.diag = diag};

        if (pt_object_has(&rule->object, FW_RULE_FAMILY))
                fw_family_says(&check, rule->family, "/spec/family");
        fw_family_says(&check, fw_protocol_family(fw_rule_protocol(rule)), "/spec/protocol");
        fw_family_says_endpoint(&check, &rule->source, "/spec/source");
        fw_family_says_endpoint(&check, &rule->destination, "/spec/destination");
        return fw_family_finish(&check);
}

static bool is_icmp(int protocol)
{
        return protocol == IPPROTO_ICMP || protocol == IPPROTO_ICMPV6;
}

static int check_icmp_type(const FirewallRule *rule, const PtIcmpType *type, int family,
                           const char *pointer, PtDiagnostics *diag)
{
        if (type->type4 == type->type6 && !is_icmp(fw_rule_protocol(rule))) {
                pt_diag_error(
                        diag, "needs-protocol", pointer,
                        "a number is another type in each protocol; add \"protocol: icmp\" or "
                        "\"protocol: icmpv6\", or write the type's name");
                return -EINVAL;
        }
        if ((family == AF_INET && type->type4 < 0) || (family == AF_INET6 && type->type6 < 0)) {
                pt_diag_error(diag, "mixed-families", pointer,
                              "%s has no such type, and the rule is of that family",
                              family == AF_INET ? "ICMP of IPv4" : "ICMPv6");
                return -EINVAL;
        }
        return 0;
}

static int check_icmp(const FirewallRule *rule, PtDiagnostics *diag)
{
        const PtList *list = &fw_rule_box(rule)->icmp_types;
        int protocol = fw_rule_protocol(rule), family = fw_rule_family(rule), r = 0;

        if (list->n == 0)
                return 0;
        if (protocol != PT_PROTOCOL_ANY && !is_icmp(protocol)) {
                pt_diag_error(diag, "no-icmp", "/spec/icmpTypes",
                              "the rule's protocol has no such types; use icmp or icmpv6, or leave "
                              "out the protocol");
                return -EINVAL;
        }
        if (fw_endpoint_has_ports(&rule->source) || fw_endpoint_has_ports(&rule->destination)) {
                pt_diag_error(diag, "no-ports", "/spec/icmpTypes",
                              "ICMP has no ports; a packet that matches both does not exist");
                r = -EINVAL;
        }
        for (unsigned i = 0; i < list->n; i++) {
                g_autofree char *at = g_strdup_printf("/spec/icmpTypes/%u", i);

                if (check_icmp_type(rule, (const PtIcmpType *) list->items + i, family, at, diag) <
                    0)
                        r = -EINVAL;
        }
        return r;
}

static int check_services(const FirewallRule *rule, PtDiagnostics *diag)
{
        const FwEndpointBox *destination = fw_endpoint_box(&rule->destination);
        const char *also = NULL;

        if (fw_rule_box(rule)->services.n == 0)
                return 0;
        if (pt_object_has(&rule->object, FW_RULE_PROTOCOL))
                also = "/spec/protocol";
        else if (rule->destination.ports.n > 0)
                also = "/spec/destination/ports";
        else if (destination->port_aliases.n > 0)
                also = "/spec/destination/portAliases";
        else if (fw_rule_box(rule)->icmp_types.n > 0)
                also = "/spec/icmpTypes";
        if (!also)
                return 0;
        pt_diag_error(diag, "two-ways", also,
                      "services say the protocol and the ports already; remove this, or the "
                      "services");
        return -EINVAL;
}

static int check_helper(const FirewallRule *rule, PtDiagnostics *diag)
{
        int protocol = fw_rule_protocol(rule);
        FwHelper helper = (FwHelper) fw_rule_box(rule)->helper;
        bool tcp, udp;

        if (!pt_object_has(&rule->object, FW_RULE_HELPER))
                return 0;
        if (rule->action != FW_ALLOW) {
                pt_diag_error(diag, "needs-allow", "/spec/helper",
                              "a connection that does not come about has nothing to help; remove "
                              "the helper, or allow");
                return -EINVAL;
        }
        if (fw_rule_box(rule)->services.n > 0 || fw_helper_has_protocol(helper, protocol))
                return 0;
        tcp = fw_helper_has_protocol(helper, IPPROTO_TCP);
        udp = fw_helper_has_protocol(helper, IPPROTO_UDP);
        pt_diag_error(diag, "needs-protocol", "/spec/helper",
                      "the helper %s is for %s; add \"protocol: %s\" and the port",
                      fw_helpers[helper].name,
                      tcp && udp ? "TCP or UDP"
                      : tcp      ? "TCP"
                                 : "UDP",
                      tcp ? "tcp" : "udp");
        return -EINVAL;
}

/* Values of one list are one question, each alias is another; the kernel has no "or" of sets. */
static unsigned combinations(const FwEndpoint *endpoint)
{
        const FwEndpointBox *box = fw_endpoint_box(endpoint);
        const struct {
                unsigned values, aliases;
        } rows[] = {
                {endpoint->addresses.n, box->aliases.n},
                {endpoint->ports.n, box->port_aliases.n},
                {box->macs.n, box->mac_aliases.n},
        };
        unsigned n = 1;

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                unsigned own = (rows[i].values > 0) + rows[i].aliases;

                n = MIN(n * MAX(own, 1), UINT16_MAX); /* 4097 times that is a number */
        }
        return n;
}

static int check_combinations(const FirewallRule *rule, PtDiagnostics *diag)
{
        uint64_t n = (uint64_t) combinations(&rule->source) * combinations(&rule->destination);

        if (n <= FW_ALIAS_COMBINATIONS_MAX)
                return 0;
        pt_diag_error(diag, "too-many-aliases", "/spec",
                      "the aliases of source and destination make more than %d combinations; put "
                      "some into one alias that includes them",
                      FW_ALIAS_COMBINATIONS_MAX);
        return -EINVAL;
}

/* What the machine itself sends has come by no interface. */
static int check_macs(const FirewallRule *rule, PtDiagnostics *diag)
{
        const FwEndpointBox *box = fw_endpoint_box(&rule->source);

        if (!rule->from || strcmp(rule->from, FW_ZONE_ROUTER) != 0 ||
            (box->macs.n == 0 && box->mac_aliases.n == 0))
                return 0;
        pt_diag_error(diag, "never-matches",
                      box->macs.n > 0 ? "/spec/source/macs" : "/spec/source/macAliases",
                      "packets of the router itself come from no hardware address; name the zone "
                      "that they come from, or remove this");
        return -EINVAL;
}

int fw_rule_check_ip(const FirewallRule *rule, PtDiagnostics *diag)
{
        int protocol = fw_rule_protocol(rule), r = check_families(rule, diag);

        if (fw_endpoint_check(&rule->source, protocol, true, "/spec/source", diag) < 0)
                r = -EINVAL;
        if (fw_endpoint_check(&rule->destination, protocol, false, "/spec/destination", diag) < 0)
                r = -EINVAL;
        if (check_icmp(rule, diag) < 0 || check_services(rule, diag) < 0)
                r = -EINVAL;
        return r;
}

static int rule_check(const PtObject *object, PtDiagnostics *diag)
{
        const FirewallRule *rule = (const FirewallRule *) object;
        int r = fw_rule_check_ip(rule, diag);

        if (check_helper(rule, diag) < 0 || check_combinations(rule, diag) < 0 ||
            check_macs(rule, diag) < 0 || fw_rule_check_rare(rule, diag) < 0 ||
            fw_rule_check_limits(rule, diag) < 0)
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

static int refuse_helper(FwHelper helper, const char *pointer, PtDiagnostics *diag)
{
        pt_diag_error(diag, "helper-not-allowed", pointer,
                      "FilterSettings do not list the helper %s; add it to their \"helpers\"",
                      fw_helpers[helper].name);
        return -EINVAL;
}

/* Helpers that the rule names, itself or by a built-in service; services of one's own are checked
 * themselves. */
static int check_helpers_allowed(const FirewallRule *rule, const PtLookup *lookup,
                                 PtDiagnostics *diag)
{
        const FilterSettings *settings = (const FilterSettings *) lookup->get(
                lookup->ctx, &pt_kind_filter_settings, "default");
        const FwRuleBox *box = fw_rule_box(rule);
        char *const *services = box->services.items;
        int r = 0;

        if (!settings || !pt_object_has(&settings->object, SETTINGS_HELPERS) ||
            rule->action != FW_ALLOW)
                return 0;
        if (pt_object_has(&rule->object, FW_RULE_HELPER) &&
            !fw_settings_helper(settings, (FwHelper) box->helper))
                r = refuse_helper((FwHelper) box->helper, "/spec/helper", diag);
        for (unsigned i = 0; i < box->services.n; i++) {
                FwHelper helper = fw_builtin_helper(services[i], lookup);
                g_autofree char *pointer = g_strdup_printf("/spec/services/%u", i);

                if (helper != FW_HELPER_INVALID && !fw_settings_helper(settings, helper))
                        r = refuse_helper(helper, pointer, diag);
        }
        return r;
}

static int rule_check_set(const PtObject *object, const PtLookup *lookup, PtDiagnostics *diag)
{
        const FirewallRule *rule = (const FirewallRule *) object;
        int r = fw_endpoint_check_set(&rule->source, lookup, "/spec/source", diag);

        if (fw_endpoint_check_set(&rule->destination, lookup, "/spec/destination", diag) < 0)
                r = -EINVAL;
        if (fw_rule_check_limits_set(rule, lookup, diag) < 0)
                r = -EINVAL;
        return check_helpers_allowed(rule, lookup, diag) < 0 ? -EINVAL : r;
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
        .order_field = "priority",
        .check = rule_check,
        .check_set = rule_check_set,
};
