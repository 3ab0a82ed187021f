/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind-unit.h"

#include "kinds/firewall/bridge.h"

#include <netinet/in.h>

static void test_rule_refused(void **state)
{
        static const struct {
                const char *text, *code, *pointer, *part;
        } cases[] = {
                {UNIT_RULE("a",
                           "\"action\":\"drop\",\"source\":{\"addresses\":[\"10.0.0.1\",\"::1\"]}"),
                 "mixed-families", "/spec/source/addresses", "IPv4 and IPv6"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"source\":{\"addresses\":[\"10.0.0.1\"]},"
                                "\"destination\":{\"addresses\":"
                                "[\"::1\"]}"),
                 "mixed-families", "/spec/destination/addresses", "/spec/source/addresses is IPv4"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"family\":\"ipv6\",\"source\":{\"addresses\":"
                                "[\"10.0.0.1\"]}"),
                 "mixed-families", "/spec/source/addresses", "/spec/family is IPv6"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"family\":\"ipv6\",\"protocol\":\"icmp\""),
                 "mixed-families", "/spec/protocol", "/spec/family is IPv6"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"protocol\":58,\"destination\":{"
                                "\"addresses\":[\"10.0.0.1\"]}"),
                 "mixed-families", "/spec/destination/addresses", "/spec/protocol is IPv6"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"protocol\":\"icmp\",\"destination\":{"
                                "\"ports\":[1]}"),
                 "no-ports", "/spec/destination/ports", "tcp, udp"},
                {UNIT_RULE("a",
                           "\"action\":\"drop\",\"protocol\":\"gre\",\"source\":{\"ports\":[1]}"),
                 "no-ports", "/spec/source/ports", "leave out the protocol"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"from\":\"router\",\"to\":\"router\""),
                 "router-to-router", "/spec/to", "never filtered"},
                {UNIT_RULE("a", "\"action\":\"continue\",\"floating\":true,\"quick\":false"),
                 "never-decides", "/spec/quick", "decides nothing"},
                {UNIT_RULE("a", "\"action\":\"continue\",\"helper\":\"ftp\",\"protocol\":\"tcp\""),
                 "needs-allow", "/spec/helper", "allow"},
                {UNIT_ZONE("a", "\"input\":\"continue\""), "unknown-value", "/spec/input", "allow"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"setMark\":\"0x1/0x1\""), "needs-allow",
                 "/spec/setMark", "action: continue"},
                {UNIT_RULE("a", "\"action\":\"reject\",\"setDscp\":1"), "needs-allow",
                 "/spec/setDscp", "action: allow"},
                {UNIT_RULE("a", "\"action\":\"allow\",\"setMark\":\"0x101/0xf0f\""),
                 "reserved-bits", "/spec/setMark", "write 0x1/0xf"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"quick\":false"), "needs-floating",
                 "/spec/quick", "floating: true"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"direction\":\"in\""), "needs-floating",
                 "/spec/direction", "floating: true"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"floating\":true,\"from\":\"router\","
                                "\"direction\":\"in\""),
                 "never-matches", "/spec/direction", "write \"out\""},
                {UNIT_RULE("a", "\"action\":\"drop\",\"floating\":true,\"to\":\"router\","
                                "\"direction\":\"out\""),
                 "never-matches", "/spec/direction", "write \"in\""},
                {UNIT_RULE("a", "\"action\":\"drop\",\"limits\":{\"connections\":1}"),
                 "needs-allow", "/spec/limits", "or allow"},
                {UNIT_RULE("a", "\"action\":\"allow\",\"limits\":{\"connections\":1,\"burst\":2}"),
                 "needs-rate", "/spec/limits/burst", "add rate"},
                {UNIT_RULE("a",
                           "\"action\":\"allow\",\"limits\":{\"rate\":\"1/second\",\"overload\":"
                           "\"x\"}"),
                 "needs-limit", "/spec/limits/overload", "per source"},
                {UNIT_RULE("a", "\"action\":\"allow\",\"limits\":{\"rate\":\"1/second\","
                                "\"overloadFor\":\"1h\"}"),
                 "needs-overload", "/spec/limits/overloadFor", "add overload"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"addSource\":{\"alias\":\"x\"}"),
                 "needs-allow", "/spec/addSource", "continue"},
                {UNIT_RULE("a", "\"action\":\"allow\",\"addSource\":{\"alias\":\"x\"},\"source\":{"
                                "\"except\":{\"aliases\":[\"x\"]}}"),
                 "excludes-itself", "/spec/addSource/alias", "except"},
                {UNIT_RULE("a", "\"action\":\"allow\",\"rejectWith\":\"no-route\""), "needs-reject",
                 "/spec/rejectWith", "action: reject"},
                {UNIT_RULE("a", "\"action\":\"reject\",\"rejectWith\":\"tcp-reset\""),
                 "needs-protocol", "/spec/rejectWith", "protocol: tcp"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"tcpFlags\":{\"set\":[\"syn\"]}"),
                 "needs-protocol", "/spec/tcpFlags", "protocol: tcp"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"protocol\":\"tcp\",\"tcpFlags\":{\"set\":["
                                "\"syn\"],\"clear\":[\"syn\"]}"),
                 "never-matches", "/spec/tcpFlags/clear", "syn cannot be"},
                {UNIT_ZONE("a", "\"sources\":[\"10.0.0.1-10.0.0.3\"]"), "invalid-address",
                 "/spec/sources/0", "is not one prefix"},
                {UNIT_ZONE("unassigned", ""), "reserved-name", "/metadata/name", "unassigned"},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtDiagnostics) diag = unit_refused(cases[i].text);

                assert_int_equal(pt_diag_count(diag), 1);
                assert_diag(diag, cases[i].code, cases[i].pointer, cases[i].part);
        }
}

static void test_rule_meaning(void **state)
{
        static const struct {
                const char *text;
                int protocol, family;
        } cases[] = {
                {UNIT_RULE("a", "\"action\":\"drop\""), -1, AF_UNSPEC},
                {UNIT_RULE("a", "\"action\":\"drop\",\"protocol\":\"any\",\"destination\":{"
                                "\"ports\":[1]}"),
                 -1, AF_UNSPEC},
                {UNIT_RULE("a", "\"action\":\"drop\",\"protocol\":\"icmp\""), IPPROTO_ICMP,
                 AF_INET},
                {UNIT_RULE("a", "\"action\":\"drop\",\"protocol\":\"icmpv6\",\"family\":\"ipv6\""),
                 IPPROTO_ICMPV6, AF_INET6},
                {UNIT_RULE("a", "\"action\":\"drop\",\"family\":\"ipv4\""), -1, AF_INET},
                {UNIT_RULE("a", "\"action\":\"drop\",\"source\":{\"addresses\":[\"::1\"]}"), -1,
                 AF_INET6},
                {UNIT_RULE("a",
                           "\"action\":\"drop\",\"destination\":{\"addresses\":[\"10.0.0.0/8\"]}"),
                 -1, AF_INET},
                {UNIT_RULE("a",
                           "\"action\":\"drop\",\"protocol\":\"sctp\",\"source\":{\"ports\":[1]}"),
                 IPPROTO_SCTP, AF_UNSPEC},
                {UNIT_RULE("a", "\"action\":\"drop\",\"from\":\"router\",\"to\":\"any\""), -1,
                 AF_UNSPEC},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtObject) object = unit_object(cases[i].text);
                const FirewallRule *rule = (const FirewallRule *) object;

                assert_int_equal(fw_rule_protocol(rule), cases[i].protocol);
                assert_int_equal(fw_rule_family(rule), cases[i].family);
        }
}

static PtObject *rule_at(const char *name, int priority, unsigned position)
{
        g_autofree char *text =
                priority < 0
                        ? g_strdup_printf(UNIT_RULE("%s", "\"action\":\"drop\""), name)
                        : g_strdup_printf(UNIT_RULE("%s", "\"action\":\"drop\",\"priority\":%d"),
                                          name, priority);
        PtObject *object = unit_object(text);

        object->position = position;
        return object;
}

static void test_order(void **state)
{
        PtObject *rules[] = {
                rule_at("z", 0, 9),     rule_at("b", 100, 1),   rule_at("a", 100, 2),
                rule_at("b", 100, 2),   rule_at("y", 32767, 0), rule_at("a", -1, 0),
                rule_at("b", 32768, 0), rule_at("a", -1, 1),    rule_at("a", 65535, 0),
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
                for (size_t j = 0; j < G_N_ELEMENTS(rules); j++)
                        assert_int_equal(fw_rule_compare_order((FirewallRule *) rules[i],
                                                               (FirewallRule *) rules[j]),
                                         (i > j) - (i < j));
        for (size_t i = 0; i < G_N_ELEMENTS(rules); i++)
                pt_object_unref(rules[i]);
}

/* A set of zones that answers like a slice. */
typedef struct Zones {
        PtObject *zones[8];
        size_t n;
} Zones;

static int foreach_zone(const void *ctx, const PtKind *kind,
                        int (*each)(const PtObject *object, void *userdata), void *userdata)
{
        const Zones *zones = ctx;

        assert_ptr_equal(kind, &pt_kind_zone); /* rules are never walked */
        for (size_t i = 0; i < zones->n; i++) {
                int r = each(zones->zones[i], userdata);

                if (r != 0)
                        return r;
        }
        return 0;
}

static int check_zones(const Zones *zones, size_t i, PtDiagnostics *diag)
{
        PtLookup lookup = {.foreach = foreach_zone, .ctx = zones};

        return pt_kind_zone.check_set(zones->zones[i], &lookup, diag);
}

static void test_zone_overlap(void **state)
{
        Zones zones = {
                {unit_object(UNIT_ZONE("a", "\"interfaces\":[\"eth0\",\"eth2\",\"vlan*\"],"
                                            "\"sources\":[\"10.0.0.0/8\"]")),
                 unit_object(UNIT_ZONE("b", "\"interfaces\":[\"eth1\",\"eth2\",\"vlan1\"],"
                                            "\"sources\":[\"10.0.0.0/9\"]")),
                 unit_object(UNIT_ZONE(
                         "c", "\"interfaces\":[\"vlan*\"],\"sources\":[\"10.0.0.0/8\",\"::/0\"]")),
                 unit_object(UNIT_ZONE("d", "\"interfaces\":[\"eth5\"]"))},
                4};
        g_autoptr(PtDiagnostics) diag = pt_diag_new(), alone = pt_diag_new();

        (void) state;
        assert_int_equal(check_zones(&zones, 0, diag), -EINVAL);
        assert_int_equal(pt_diag_count(diag),
                         6); /* eth2, vlan* and 10.0.0.0/8, each said at both zones */
        assert_diag(diag, "zone-overlap", "/spec/interfaces/1",
                    "eth2 belongs to Zone/b too (/spec/interfaces/1)");
        assert_diag(diag, "zone-overlap", "/spec/interfaces/2",
                    "vlan* belongs to Zone/c too (/spec/interfaces/0)");
        assert_diag(diag, "zone-overlap", "/spec/interfaces/0",
                    "vlan* belongs to Zone/a too (/spec/interfaces/2)");
        assert_diag(diag, "zone-overlap", "/spec/sources/0",
                    "10.0.0.0/8 belongs to Zone/c too (/spec/sources/0)");
        assert_string_equal(pt_diag_get(diag, 0)->subject, "Zone/a");
        assert_string_equal(pt_diag_get(diag, 1)->subject, "Zone/b");
        assert_int_equal(check_zones(&zones, 1, diag), -EINVAL);
        assert_int_equal(check_zones(&zones, 2, diag), -EINVAL);
        assert_int_equal(pt_diag_count(diag), 6); /* the others' checks find the same */
        assert_int_equal(check_zones(&zones, 3, alone), 0);
        assert_int_equal(pt_diag_count(alone), 0);
        for (size_t i = 0; i < zones.n; i++)
                pt_object_unref(zones.zones[i]);
}

static void test_empty_zone(void **state)
{
        static const char text[] = UNIT_ZONE("a", "\"masquerade\":true");
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtObject) object = NULL;
        pt_auto_json *json = NULL;

        (void) state;
        assert_int_equal(pt_json_parse(text, strlen(text), diag, &json), 0);
        assert_int_equal(pt_object_from_json(json, 0, diag, &object), 0);
        assert_int_equal(pt_diag_errors(diag), 0);
        assert_diag(diag, "empty-zone", "/spec", "no packet belongs to it");
}

#define UNIT_KIND(kind, name, spec)                                                                \
        "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"" kind                                \
        "\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{" spec "}}"
#define RULE(spec) UNIT_KIND("FirewallRule", "a", "\"action\":\"allow\"," spec)
#define NAT(type, spec) UNIT_KIND("NatRule", "a", "\"type\":\"" type "\",\"zone\":\"wan\"" spec)
#define ALIAS(type, spec) UNIT_KIND("Alias", "a", "\"type\":\"" type "\"" spec)

#define BRIDGE_RULE(spec)                                                                          \
        "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"BridgeRule\",\"metadata\":{\"name\":" \
        "\"a\"},\"spec\":{\"action\":\"drop\"," spec "}}"

static void test_bridge_refused(void **state)
{
        static const struct {
                const char *text, *code, *pointer, *part;
        } cases[] = {
                {BRIDGE_RULE("\"direction\":\"in\",\"to\":[\"p1\"]"), "never-matches", "/spec/to",
                 "leaves by no port"},
                {BRIDGE_RULE("\"direction\":\"out\",\"from\":[\"p1\"]"), "never-matches",
                 "/spec/from", "came by no port"},
                {BRIDGE_RULE("\"sourceMac\":[\"01:00:00:00:00:00/01:00:00:00:00:00\","
                             "\"02:00:00:00:00:01\"]"),
                 "mask-with-holes", "/spec/sourceMac/0", "for it alone"},
                {BRIDGE_RULE("\"destinationMac\":[\"01:00:00:00:00:00/01:00:00:00:00:00\"],"
                             "\"destinationMacAliases\":[\"x\"]"),
                 "mask-with-holes", "/spec/destinationMac/0", "for it alone"},
                {BRIDGE_RULE("\"arp\":{\"senderMac\":[\"00:00:00:00:00:00/00:00:00:00:00:ff\","
                             "\"02:00:00:00:00:01\"]}"),
                 "mask-with-holes", "/spec/arp/senderMac/0", "for it alone"},
                {BRIDGE_RULE("\"arp\":{\"senderAddress\":[\"::1\"]}"), "wrong-family",
                 "/spec/arp/senderAddress", "neighbour-solicitation"},
                {BRIDGE_RULE("\"arp\":{\"operation\":[1]},\"protocol\":\"tcp\""), "never-matches",
                 "/spec/arp", "two rules"},
                {BRIDGE_RULE("\"arp\":{\"operation\":[1]},\"etherTypes\":[\"ipv4\"]"),
                 "never-matches", "/spec/etherTypes/0", "ARP"},
                {BRIDGE_RULE("\"protocol\":\"tcp\",\"etherTypes\":[\"ipv6\",\"0x88cc\"]"),
                 "never-matches", "/spec/etherTypes/1", "(IP)"},
                {BRIDGE_RULE("\"source\":{\"addresses\":[\"10.0.0.1\"]},\"etherTypes\":[\"ipv6\"]"),
                 "never-matches", "/spec/etherTypes/0", "(IPv4)"},
                {BRIDGE_RULE("\"source\":{\"addresses\":[\"10.0.0.1\"]},\"family\":\"ipv6\""),
                 "mixed-families", "/spec/source/addresses", "/spec/family is IPv6"},
                {BRIDGE_RULE("\"source\":{\"macs\":[\"02:00:00:00:00:01\"]}"), "two-ways",
                 "/spec/source/macs", "sourceMac"},
                {BRIDGE_RULE("\"services\":[\"ssh\"],\"protocol\":\"tcp\""), "two-ways",
                 "/spec/protocol", "services"},
                {BRIDGE_RULE("\"icmpTypes\":[3]"), "needs-protocol", "/spec/icmpTypes/0",
                 "protocol: icmp"},
                {BRIDGE_RULE("\"protocol\":\"gre\",\"destination\":{\"ports\":[1]}"), "no-ports",
                 "/spec/destination/ports", "tcp, udp"},
                {BRIDGE_RULE("\"rejectWith\":\"no-route\""), "unknown-field", "/spec/rejectWith",
                 "rejectWith"},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtDiagnostics) diag = unit_refused(cases[i].text);

                assert_int_equal(pt_diag_count(diag), 1);
                assert_diag(diag, cases[i].code, cases[i].pointer, cases[i].part);
        }
}

/* What is right is not refused with it. */
static void test_bridge_accepted(void **state)
{
        static const char *const texts[] = {
                BRIDGE_RULE("\"destinationMac\":[\"01:00:00:00:00:00/01:00:00:00:00:00\"]"),
                BRIDGE_RULE("\"sourceMac\":[\"02:00:00:00:00:00/ff:fe:00:00:00:00\","
                            "\"02:00:00:00:00:01\"],\"sourceMacAliases\":[\"x\"]"),
                BRIDGE_RULE("\"etherTypes\":[\"arp\"],\"arp\":{\"operation\":[\"reply\",8]}"),
                BRIDGE_RULE("\"etherTypes\":[\"ipv4\",\"ipv6\"],\"protocol\":\"tcp\""),
                BRIDGE_RULE("\"vlans\":[1,\"2-4094\",\"untagged\"],\"mode\":\"audit\""),
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autoptr(PtObject) object = unit_object(texts[i]);

                assert_ptr_equal(object->kind, &pt_kind_bridge_rule);
        }
}

static void test_more_refused(void **state)
{
        static const struct {
                const char *text, *code, *pointer, *part;
        } cases[] = {
                {RULE("\"icmpTypes\":[8]"), "needs-protocol", "/spec/icmpTypes/0",
                 "protocol: icmp"},
                {RULE("\"icmpTypes\":[\"echo-request\"],\"protocol\":\"tcp\""), "no-icmp",
                 "/spec/icmpTypes", "use icmp or icmpv6"},
                {RULE("\"icmpTypes\":[\"packet-too-big\"],\"family\":\"ipv4\""), "mixed-families",
                 "/spec/icmpTypes/0", "no such type"},
                {RULE("\"icmpTypes\":[\"echo-request\"],\"destination\":{\"ports\":[1]}"),
                 "no-ports", "/spec/icmpTypes", "no ports"},
                {RULE("\"services\":[\"ssh\"],\"protocol\":\"tcp\""), "two-ways", "/spec/protocol",
                 "remove this"},
                {RULE("\"services\":[\"ssh\"],\"destination\":{\"portAliases\":[\"x\"]}"),
                 "two-ways", "/spec/destination/portAliases", "remove this"},
                {RULE("\"helper\":\"ftp\""), "needs-protocol", "/spec/helper", "protocol: tcp"},
                {RULE("\"helper\":\"tftp\",\"protocol\":\"tcp\""), "needs-protocol", "/spec/helper",
                 "UDP"},
                {RULE("\"destination\":{\"macs\":[\"02:00:00:00:00:01\"]}"), "source-only",
                 "/spec/destination/macs", "match it in"},
                {RULE("\"protocol\":\"gre\",\"source\":{\"except\":{\"ports\":[1]}}"), "no-ports",
                 "/spec/source/except/ports", "tcp, udp"},
                {RULE("\"source\":{\"addresses\":[\"10.0.0.1\"],\"except\":{\"addresses\":[\"::1\"]"
                      "}}"),
                 "mixed-families", "/spec/source/except/addresses", "IPv4"},
                {RULE("\"from\":\"router\",\"source\":{\"macAliases\":[\"x\"]}"), "never-matches",
                 "/spec/source/macAliases", "name the zone"},
                {RULE("\"source\":{\"addresses\":[\"10.0.0.1\"],\"aliases\":[\"a\",\"b\",\"c\","
                      "\"d\","
                      "\"e\",\"f\",\"g\"]},\"destination\":{\"aliases\":[\"a\",\"b\",\"c\",\"d\","
                      "\"e\","
                      "\"f\",\"g\",\"h\",\"i\"]}"),
                 "too-many-aliases", "/spec", "one alias that includes them"},
                {NAT("forward", ""), "one-target", "/spec/translation/addresses", "one address"},
                {NAT("forward", ",\"translation\":{\"addresses\":[\"10.0.0.1\"],\"ports\":[80]}"),
                 "needs-ports", "/spec/destination/ports", "needs one"},
                {NAT("forward", ",\"destination\":{\"ports\":[\"80-90\"]},\"translation\":{"
                                "\"addresses\":[\"10.0.0.1\"],\"ports\":[\"180-181\"]}"),
                 "unequal-ranges", "/spec/translation/ports", "as many"},
                {NAT("forward",
                     ",\"destination\":{\"ports\":[\"80-81\"],\"portAliases\":[\"web\"]},"
                     "\"translation\":{\"addresses\":[\"10.0.0.1\"],\"ports\":["
                     "\"180-181\"]}"),
                 "unequal-ranges", "/spec/translation/ports", "one range"},
                {NAT("redirect", ""), "needs-ports", "/spec/translation/ports", "one port"},
                {NAT("redirect", ",\"translation\":{\"addresses\":[\"10.0.0.1\"],\"ports\":[1]}"),
                 "no-target", "/spec/translation/addresses", "forward"},
                {NAT("masquerade", ",\"translation\":{\"addresses\":[\"10.0.0.1\"]}"), "no-target",
                 "/spec/translation/addresses", "source"},
                {NAT("source", ""), "needs-addresses", "/spec/translation/addresses", "masquerade"},
                {NAT("one-to-one", ",\"destination\":{\"addresses\":[\"192.0.2.0/"
                                   "24\"]},\"translation\":{\"addresses\":[\"10.0.0.0/25\"]}"),
                 "unequal-prefixes", "/spec/translation/addresses", "one length"},
                {NAT("prefix", ",\"destination\":{\"addresses\":[\"192.0.2.0/"
                               "24\"]},\"translation\":{\"addresses\":[\"10.0.0.0/24\"]}"),
                 "mixed-families", "/spec/type", "IPv6"},
                {NAT("one-to-one", ",\"translation\":{\"addresses\":[\"10.0.0.0/25\"]}"),
                 "needs-outside", "/spec/destination/addresses", "outside"},
                {NAT("source", ",\"source\":{\"macs\":[\"02:00:00:00:00:01\"]},\"translation\":{"
                               "\"addresses\":[\"10.0.0.1\"]}"),
                 "too-late", "/spec/source", "own hardware address"},
                {ALIAS("host", ",\"addresses\":[\"10.0.0.1\",\"10.0.0.0/8\"]"), "not-a-host",
                 "/spec/addresses/0", "type network"},
                {ALIAS("host", ",\"ports\":[1]"), "wrong-entries", "/spec/ports", "\"addresses\""},
                {ALIAS("port", ",\"addresses\":[\"10.0.0.1\"]"), "wrong-entries", "/spec/addresses",
                 "\"ports\""},
                {UNIT_KIND("Service", "a", ""), "empty-service", "/spec", "tcp: [8080]"},
                {UNIT_KIND("Service", "a", "\"tcp\":[69],\"helper\":\"tftp\""), "needs-protocol",
                 "/spec/helper", "no UDP ports"},
                {UNIT_KIND("FilterSettings", "x", ""), "singleton", "/metadata/name", "default"},
                {UNIT_KIND("PolicyTest", "a",
                           "\"from\":\"lan\",\"source\":\"10.0.0.0/24\",\"destination\":"
                           "\"10.0.0.1\",\"destinationPort\":1,\"expect\":\"drop\""),
                 "not-a-host", "/spec/source", "one address"},
                {UNIT_KIND("PolicyTest", "a",
                           "\"from\":\"lan\",\"source\":\"10.0.0.1\",\"destination\":\"::1\","
                           "\"destinationPort\":1,\"expect\":\"drop\""),
                 "mixed-families", "/spec/destination", "one family"},
                {UNIT_KIND("PolicyTest", "a",
                           "\"from\":\"lan\",\"source\":\"10.0.0.1\",\"destination\":"
                           "\"10.0.0.2\",\"expect\":\"drop\""),
                 "required", "/spec/destinationPort", "has a port"},
                {UNIT_KIND("PolicyTest", "a",
                           "\"from\":\"lan\",\"source\":\"10.0.0.1\",\"destination\":"
                           "\"10.0.0.2\",\"protocol\":\"gre\",\"sourcePort\":1,\"expect\":"
                           "\"drop\""),
                 "no-ports", "/spec/protocol", "no ports"},
                {UNIT_KIND("PolicyTest", "a",
                           "\"from\":\"any\",\"source\":\"10.0.0.1\",\"destination\":"
                           "\"10.0.0.2\",\"protocol\":\"icmp\",\"expect\":\"drop\""),
                 "one-zone", "/spec/from", "router"},
                {UNIT_KIND("PolicyTest", "a",
                           "\"from\":\"lan\",\"source\":\"10.0.0.1\",\"destination\":"
                           "\"10.0.0.2\",\"protocol\":\"icmpv6\",\"expect\":\"drop\""),
                 "mixed-families", "/spec/protocol", "icmpv6"},
                {UNIT_KIND("PolicyTest", "a",
                           "\"from\":\"lan\",\"source\":\"10.0.0.1\",\"destination\":"
                           "\"10.0.0.2\",\"destinationPort\":1,\"icmpType\":\"redirect\","
                           "\"expect\":\"drop\""),
                 "no-icmp", "/spec/icmpType", "protocol: icmp"},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtDiagnostics) diag = unit_refused(cases[i].text);

                assert_int_equal(pt_diag_count(diag), 1);
                assert_diag(diag, cases[i].code, cases[i].pointer, cases[i].part);
        }
}

/* What is in a box is copied, read and freed like anything else. */
static void test_boxes(void **state)
{
        static const char *const texts[] = {
                RULE("\"log\":true,\"logRate\":\"5/minute\",\"mark\":\"0x10/"
                     "0xff\",\"services\":[\"dns\","
                     "\"ssh\"],\"source\":{\"aliases\":[\"a\"],\"except\":{\"aliases\":[\"b\"]},"
                     "\"macs\":[\"02:00:00:00:00:01\"]}"),
                RULE("\"source\":{\"except\":{\"ports\":[22]}}"),
                RULE("\"to\":\"wan\""),
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                g_autoptr(PtObject) object = unit_object(texts[i]), copy = NULL;
                g_autoptr(GString) a = g_string_new(NULL), b = g_string_new(NULL);

                copy = pt_object_copy(object, NULL);
                pt_object_to_canonical(object, a);
                pt_object_unref(g_steal_pointer(&object));
                pt_object_to_canonical(copy, b);
                assert_string_equal(a->str, b->str);
        }
        /* A struct without members is absent, though its box was made. */
        for (unsigned i = 0; i < 2; i++) {
                g_autoptr(PtObject) object = unit_object(i == 0 ? RULE("\"source\":{\"except\":{}}")
                                                                : RULE("\"to\":\"wan\""));
                g_autoptr(PtObject) copy = pt_object_copy(object, NULL);

                assert_false(pt_object_has(copy, FW_RULE_SOURCE));
        }
}

static void test_builtins(void **state)
{
        unsigned n = 0;

        (void) state;
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++)
                for (const PtBuiltin *builtin = (*kind)->builtins; builtin && builtin->name;
                     builtin++, n++) {
                        g_autoptr(PtObject) object = pt_kind_builtin(*kind, builtin->name);
                        g_autoptr(PtDiagnostics) diag = pt_diag_new();

                        assert_int_equal(pt_object_check(object, diag), 0);
                        assert_true(pt_kind_has_builtin(*kind, builtin->name));
                        if (builtin > (*kind)->builtins)
                                assert_true(strcmp(builtin[-1].name, builtin->name) < 0);
                }
        assert_true(n > 50);
        assert_null(pt_kind_builtin(&pt_kind_service, "nothing"));
        assert_null(pt_kind_builtin(&pt_kind_zone, "ssh"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bridge_refused), cmocka_unit_test(test_bridge_accepted),
                cmocka_unit_test(test_more_refused),   cmocka_unit_test(test_boxes),
                cmocka_unit_test(test_builtins),       cmocka_unit_test(test_rule_refused),
                cmocka_unit_test(test_rule_meaning),   cmocka_unit_test(test_order),
                cmocka_unit_test(test_zone_overlap),   cmocka_unit_test(test_empty_zone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
