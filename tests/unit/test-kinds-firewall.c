/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind-unit.h"

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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rule_refused), cmocka_unit_test(test_rule_meaning),
                cmocka_unit_test(test_order),        cmocka_unit_test(test_zone_overlap),
                cmocka_unit_test(test_empty_zone),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
