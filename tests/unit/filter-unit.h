/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Random policies for the tests of filterd, from a seed, so that a failure can be repeated. */

#include "kind/json.h"
#include "kinds/firewall/firewall.h"
#include "txn/slice.h"
#include "unit.h"

#include <string.h>

static inline PtObject *fw_object(const char *text)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = NULL;
        PtObject *object = NULL;

        assert_int_equal(pt_json_parse(text, strlen(text), diag, &json), 0);
        if (pt_object_from_json(json, 0, diag, &object) < 0)
                fail_msg("%s: %s", text, pt_diag_get(diag, 0)->text);
        pt_object_seal(object);
        return object;
}

static inline void fw_put(PtSlice *slice, const char *text)
{
        g_autoptr(PtObject) object = fw_object(text);

        pt_slice_put(slice, object);
}

static inline void fw_put_zone(PtSlice *slice, const char *name, const char *spec)
{
        g_autofree char *text =
                g_strdup_printf("{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Zone\","
                                "\"metadata\":{\"name\":\"%s\"},\"spec\":%s}",
                                name, spec);

        fw_put(slice, text);
}

static inline void fw_put_ordered(PtSlice *slice, const char *kind, const char *name,
                                  unsigned position, const char *spec)
{
        g_autofree char *text =
                g_strdup_printf("{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"%s\","
                                "\"metadata\":{\"name\":\"%s\",\"position\":%u},\"spec\":%s}",
                                kind, name, position, spec);

        fw_put(slice, text);
}

static inline void fw_put_rule(PtSlice *slice, const char *name, unsigned position,
                               const char *spec)
{
        fw_put_ordered(slice, "FirewallRule", name, position, spec);
}

static inline void fw_put_service(PtSlice *slice, const char *name, const char *spec)
{
        g_autofree char *text =
                g_strdup_printf("{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Service\","
                                "\"metadata\":{\"name\":\"%s\"},\"spec\":%s}",
                                name, spec);

        fw_put(slice, text);
}

static const char *const fw_zone_names[] = {"wan", "lan", "dmz"};

static inline const char *fw_pick(GRand *rand, const char *const *words, int n)
{
        return words[g_rand_int_range(rand, 0, n)];
}

/* Built-in ones, which may be overridden, and one that is not. */
static const char *const fw_service_names[] = {"ssh", "dns", "ftp", "ipsec", "shop"};
#define FW_SERVICE_NAMES 5

/* What keeps a rule from being folded, each beside what would fold. */
static const char *const fw_odd_specs[] = {
        "\"protocol\":\"tcp\",\"destination\":{\"ports\":[1]},\"log\":true",
        "\"protocol\":\"tcp\",\"destination\":{\"ports\":[1]},\"log\":true,\"logRate\":\"1/hour\"",
        "\"source\":{\"addresses\":[\"10.0.1.1\"],\"except\":{\"addresses\":[\"10.0.1.0/28\"]}}",
        "\"source\":{\"macs\":[\"02:00:00:00:00:01\"]},\"destination\":{\"ports\":[2]}",
        "\"icmpTypes\":[\"echo-request\",\"packet-too-big\"]",
        "\"mark\":\"0x1/0xff\",\"states\":[\"new\"],\"dscp\":46",
        "\"source\":{\"aliases\":[\"some\"],\"addresses\":[\"10.0.1.1\"]}",
        "\"destination\":{\"aliases\":[\"some\"]},\"dscp\":3",
};
#define FW_ODD_SPECS 8

static inline void fw_random_service(PtSlice *slice, GRand *rand)
{
        const char *name = fw_pick(rand, fw_service_names, FW_SERVICE_NAMES);
        g_autofree char *spec = NULL;

        /* Nothing else stands for the last one. */
        if (strcmp(name, "shop") != 0 && g_rand_int_range(rand, 0, 3) == 0) {
                (void) pt_slice_remove(slice, &pt_kind_service, name);
                return;
        }
        spec = g_strdup_printf("{\"tcp\":[%d]%s}", g_rand_int_range(rand, 1, 6),
                               g_rand_boolean(rand)   ? ",\"udp\":[\"6-9\"]"
                               : g_rand_boolean(rand) ? ",\"helper\":\"ftp\""
                                                      : "");
        fw_put_service(slice, name, spec);
}

static const char *const fw_group_names[] = {"first", "second"};

/* What decides nothing, in one part and in several that overlap. */
static const char *const fw_mode_specs[] = {
        "\"mode\":\"audit\"",
        "\"group\":\"first\"",
        "\"group\":\"second\"",
        "\"mode\":\"audit\",\"group\":\"first\"",
};
#define FW_MODE_SPECS 4

static const char *const fw_floating_specs[] = {
        "",
        ",\"quick\":false",
        ",\"direction\":\"in\"",
        ",\"quick\":false,\"direction\":\"in\",\"interfaces\":[\"wan\",\"x*\"]",
        ",\"interfaces\":[\"lan\"]",
};
#define FW_FLOATING_SPECS 5

static inline void fw_random_group(PtSlice *slice, GRand *rand)
{
        g_autofree char *text = g_strdup_printf(
                "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"RuleGroup\",\"metadata\":{"
                "\"name\":\"%s\"},\"spec\":{\"enabled\":%s}}",
                fw_pick(rand, fw_group_names, 2), g_rand_boolean(rand) ? "true" : "false");

        fw_put(slice, text);
}

/* A spec of one of few shapes over few values, so that keys collide and runs form and break;
 * `uniform`: of one shape and one pair, over many values, so that long runs stay. */
static inline char *fw_random_spec(GRand *rand, bool uniform)
{
        static const char *const actions[] = {"allow", "drop", "reject"};
        GString *spec = g_string_new(NULL);
        bool goes_on;

        if (uniform) {
                g_string_printf(spec,
                                "{\"action\":\"%s\",\"from\":\"lan\",\"to\":\"wan\",\"protocol\":"
                                "\"tcp\",\"source\":{\"addresses\":[\"10.0.%d.%d\"]},"
                                "\"destination\":{\"ports\":[%d]}}",
                                fw_pick(rand, actions, 3), g_rand_int_range(rand, 0, 250),
                                g_rand_int_range(rand, 1, 255), g_rand_int_range(rand, 1, 60000));
                return g_string_free(spec, FALSE);
        }

        goes_on = g_rand_int_range(rand, 0, 12) == 0;
        g_string_printf(
                spec, "{\"action\":\"%s\"%s", goes_on ? "continue" : fw_pick(rand, actions, 3),
                goes_on && g_rand_boolean(rand) ? ",\"setMark\":\"0x3/0xf\",\"setDscp\":8" : "");
        if (g_rand_int_range(rand, 0, 8) != 0)
                g_string_append_printf(spec, ",\"from\":\"%s\"", fw_pick(rand, fw_zone_names, 3));
        if (g_rand_int_range(rand, 0, 4) != 0)
                g_string_append_printf(
                        spec, ",\"to\":\"%s\"",
                        g_rand_int_range(rand, 0, 5) ? fw_pick(rand, fw_zone_names, 2) : "router");
        if (g_rand_int_range(rand, 0, 20) == 0)
                g_string_append(spec, ",\"enabled\":false");
        if (g_rand_int_range(rand, 0, 10) == 0)
                g_string_append_printf(spec, ",\"priority\":%d", g_rand_int_range(rand, 0, 5));
        if (g_rand_int_range(rand, 0, 6) == 0)
                g_string_append_printf(spec, ",%s", fw_pick(rand, fw_mode_specs, FW_MODE_SPECS));
        if (g_rand_int_range(rand, 0, 8) == 0)
                g_string_append_printf(
                        spec, ",\"floating\":true%s",
                        goes_on ? "" : fw_pick(rand, fw_floating_specs, FW_FLOATING_SPECS));
        switch (g_rand_int_range(rand, 0, 16)) {
        case 5: /* what is no key */
                g_string_append_printf(spec, ",%s", fw_pick(rand, fw_odd_specs, FW_ODD_SPECS));
                break;
        case 4: /* what other objects say */
                g_string_append_printf(spec, ",\"services\":[\"%s\"%s]",
                                       fw_pick(rand, fw_service_names, FW_SERVICE_NAMES),
                                       g_rand_boolean(rand) ? "" : ",\"https\"");
                break;
        case 0:
                g_string_append_printf(
                        spec, ",\"protocol\":\"tcp\",\"destination\":{\"ports\":[\"%d-%d\"]}", 1000,
                        2000);
                break;
        case 2: /* several rules in the kernel */
                g_string_append_printf(spec, ",\"destination\":{\"ports\":[%d,443,\"8000-%d\"]}",
                                       g_rand_int_range(rand, 1, 4),
                                       g_rand_int_range(rand, 8001, 8010));
                break;
        case 3: /* more than are written out: a set */
                g_string_append(spec, ",\"protocol\":\"udp\",\"source\":{\"addresses\":[");
                for (int i = 0; i < 20; i++)
                        g_string_append_printf(spec, "%s\"10.9.%d.0/%d\"", i ? "," : "", i * 4,
                                               22 + i % 3);
                g_string_append(spec, "]},\"destination\":{\"ports\":[53,123]}");
                break;
        case 1:
                g_string_append_printf(spec,
                                       ",\"source\":{\"addresses\":[\"2001:db8::%x\"]},"
                                       "\"destination\":{\"ports\":[%d]}",
                                       g_rand_int_range(rand, 1, 200),
                                       g_rand_int_range(rand, 1, 4));
                break;
        default:
                g_string_append_printf(spec,
                                       ",\"protocol\":\"%s\",\"source\":{\"addresses\":[\"10.0.%d.%"
                                       "d\"]},\"destination\":{\"ports\":[%d]}",
                                       g_rand_boolean(rand) ? "tcp" : "udp",
                                       g_rand_int_range(rand, 0, 4), g_rand_int_range(rand, 1, 255),
                                       g_rand_int_range(rand, 1, 4));
        }
        g_string_append_c(spec, '}');
        return g_string_free(spec, FALSE);
}

static inline void fw_random_rule(PtSlice *slice, GRand *rand, unsigned names, bool uniform)
{
        g_autofree char *spec = fw_random_spec(rand, uniform);
        unsigned n = (unsigned) g_rand_int_range(rand, 0, (int) names);
        g_autofree char *name = g_strdup_printf("rule-%u", n);

        fw_put_rule(slice, name, n + 1, spec);
}

/* An address, prefix or range in a space that makes them nest and cross. */
static inline void fw_random_addresses(GString *spec, GRand *rand, const char *end, bool v6)
{
        unsigned plen = (unsigned) g_rand_int_range(rand, g_rand_int_range(rand, 0, 10) ? 27 : 12,
                                                    33),
                 a = g_rand_int(rand) & 0xfff0f, b = g_rand_int(rand) & 0xff;

        if (g_rand_int_range(rand, 0, 15) == 0)
                return;
        g_string_append_printf(spec, ",\"%s\":{\"addresses\":[", end);
        if (v6) {
                g_string_append_printf(spec, "\"2001:db8:%x::%x/%u\"", a & 0xf,
                                       plen < 28 ? 0 : b & 0xf, plen < 28 ? 48U : 128U);
        } else if (g_rand_int_range(rand, 0, 8) == 0) {
                g_string_append_printf(spec, "\"10.%u.%u.%u-10.%u.%u.255\"", a >> 16, a >> 8 & 0xff,
                                       b, a >> 16, a >> 8 & 0xff);
        } else {
                uint32_t address = (0x0a000000 | a << 4 | b) & (UINT32_MAX << (32 - plen));

                g_string_append_printf(spec, "\"%u.%u.%u.%u/%u\"", address >> 24,
                                       address >> 16 & 0xff, address >> 8 & 0xff, address & 0xff,
                                       plen);
        }
        g_string_append(spec, "]");
}

/* A rule as large policies have them, all of one pair: prefixes that nest and cross, ports, ranges,
 * anything, and now and then what does not fold. */
static inline void fw_random_dense_rule(PtSlice *slice, GRand *rand, unsigned names)
{
        static const char *const actions[] = {"allow", "drop", "reject"};
        static const char *const protocols[] = {"tcp", "udp"};
        static const char *const ports[] = {"80", "443", "53,123", "\"1000-2000\"",
                                            "\"1500-2500\""};
        unsigned n = (unsigned) g_rand_int_range(rand, 0, (int) names);
        g_autofree char *name = g_strdup_printf("rule-%u", n);
        g_autoptr(GString) spec = g_string_new(NULL);
        bool v6 = g_rand_int_range(rand, 0, 6) == 0, with_ports = g_rand_int_range(rand, 0, 4) != 0;

        g_string_printf(spec, "{\"action\":\"%s\",\"from\":\"lan\",\"to\":\"wan\"",
                        fw_pick(rand, actions, 3));
        if (g_rand_int_range(rand, 0, 40) == 0) {
                g_string_append_printf(spec, ",%s}", fw_pick(rand, fw_odd_specs, FW_ODD_SPECS));
                fw_put_rule(slice, name, n + 1, spec->str);
                return;
        }
        if (with_ports || g_rand_boolean(rand))
                g_string_append_printf(spec, ",\"protocol\":\"%s\"", fw_pick(rand, protocols, 2));
        fw_random_addresses(spec, rand, "source", v6);
        if (spec->str[spec->len - 1] == ']')
                g_string_append_c(spec, '}');
        fw_random_addresses(spec, rand, "destination", v6);
        if (spec->str[spec->len - 1] == ']')
                g_string_append_printf(spec, with_ports ? ",\"ports\":[%s]}" : "}",
                                       fw_pick(rand, ports, 5));
        else if (with_ports)
                g_string_append_printf(spec, ",\"destination\":{\"ports\":[%s]}",
                                       fw_pick(rand, ports, 5));
        g_string_append_c(spec, '}');
        fw_put_rule(slice, name, n + 1, spec->str);
}

static inline PtSlice *fw_random_dense_step(const PtSlice *slice, GRand *rand, unsigned names)
{
        PtSlice *next = pt_slice_clone(slice);

        for (int n = g_rand_int_range(rand, 1, 4); n > 0; n--) {
                g_autofree char *name =
                        g_strdup_printf("rule-%d", g_rand_int_range(rand, 0, (int) names));

                if (g_rand_int_range(rand, 0, 3) == 0)
                        (void) pt_slice_remove(next, &pt_kind_firewall_rule, name);
                else
                        fw_random_dense_rule(next, rand, names);
        }
        return next;
}

/* Zones, and what rules name beside them. */
static inline void fw_random_zones(PtSlice *slice, GRand *rand)
{
        static const char *const specs[] = {
                "{\"interfaces\":[\"%s\"]}",
                "{\"interfaces\":[\"%s\",\"x%s*\"],\"input\":\"allow\"}",
                "{\"interfaces\":[\"%s\"],\"sources\":[\"10.0.%s.0/"
                "24\"],\"forward\":\"reject\",\"masquerade\":true}",
        };

        for (unsigned i = 0; i < 3; i++) {
                g_autoptr(GString) spec = g_string_new(specs[g_rand_int_range(rand, 0, 3)]);
                char number[] = {(char) ('0' + i), 0};

                g_string_replace(spec, "0.%s.",
                                 number[0] == '0'   ? "0.0."
                                 : number[0] == '1' ? "0.1."
                                                    : "0.2.",
                                 0);
                g_string_replace(spec, "%s", fw_zone_names[i], 0);
                fw_put_zone(slice, fw_zone_names[i], spec->str);
        }
        fw_put(slice, "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Alias\",\"metadata\":{"
                      "\"name\":\"some\"},\"spec\":{\"type\":\"host\","
                      "\"addresses\":[\"10.0.1.7\",\"2001:db8::7\"]}}");
        if (!pt_slice_get(slice, &pt_kind_service, "shop"))
                fw_put_service(slice, "shop", "{\"tcp\":[3,8443]}");
}

/* Every type, over few values. */
static inline char *fw_random_nat_spec(GRand *rand)
{
        static const char *const zones[] = {"wan", "lan", "any"};
        static const char *const specs[] = {
                "\"type\":\"masquerade\",\"source\":{\"addresses\":[\"10.%d.0.0/16\"]}",
                "\"type\":\"masquerade\",\"family\":\"ipv6\",\"translation\":{\"ports\":"
                "[\"1%d00-2000\"]}",
                "\"type\":\"source\",\"translation\":{\"addresses\":[\"192.0.2.%d\"]}",
                "\"type\":\"source\",\"translation\":{\"addresses\":[\"192.0.2.%d\","
                "\"198.51.100.0/24\",\"203.0.113.7-203.0.113.9\"],\"persistent\":false}",
                "\"type\":\"source\",\"translation\":{\"addresses\":[\"2001:db8::%d\","
                "\"2001:db8:1::/64\"]}",
                "\"type\":\"forward\",\"protocol\":\"tcp\",\"destination\":{\"ports\":[44%d,"
                "\"8000-8009\"]},\"translation\":{\"addresses\":[\"10.3.0.2\"],\"ports\":[80]}",
                "\"type\":\"forward\",\"protocol\":\"tcp\",\"destination\":{\"ports\":[%d]},"
                "\"translation\":{\"addresses\":[\"10.0.2.%d\"]}",
                "\"type\":\"forward\",\"destination\":{\"ports\":[\"8000-80%d0\"]},"
                "\"translation\":{\"addresses\":[\"fd00::2\"]}",
                "\"type\":\"forward\",\"destination\":{\"addresses\":[\"192.0.2.%d\"],\"ports\":["
                "\"8000-8009\"]},\"translation\":{\"addresses\":[\"10.3.0.2\"],\"ports\":["
                "\"9000-9009\"]}",
                "\"type\":\"one-to-one\",\"destination\":{\"addresses\":[\"192.0.%d.0/24\"]},"
                "\"translation\":{\"addresses\":[\"10.3.0.0/24\"]}",
                "\"type\":\"prefix\",\"destination\":{\"addresses\":[\"2001:db8:%d::/48\"]},"
                "\"translation\":{\"addresses\":[\"fd00:3::/48\"]}",
                "\"type\":\"forward\",\"services\":[\"ssh\",\"shop\"],\"translation\":{"
                "\"addresses\":[\"10.0.2.%d\"]}",
                "\"type\":\"forward\",\"services\":[\"ftp\",\"shop\"],\"translation\":{"
                "\"addresses\":[\"10.0.2.%d\"],\"ports\":[2121]}",
                "\"type\":\"masquerade\",\"services\":[\"dns\",\"ipsec\"]",
                "\"type\":\"forward\",\"destination\":{\"ports\":[80]},\"pool\":\"pool-%d\"",
                "\"type\":\"redirect\",\"destination\":{\"ports\":[8%d]},\"translation\":{"
                "\"ports\":[3128]}",
        };
        GString *spec = g_string_new("{");

        g_string_append_printf(spec, "\"zone\":\"%s\",", fw_pick(rand, zones, 3));
        if (g_rand_int_range(rand, 0, 8) == 0)
                g_string_append(spec, "\"enabled\":false,");
        if (g_rand_int_range(rand, 0, 4) == 0)
                g_string_append_printf(spec, "\"priority\":%d,", g_rand_int_range(rand, 0, 5));
        if (g_rand_int_range(rand, 0, 6) == 0)
                g_string_append(spec, "\"filter\":\"none\",");
        g_string_append(spec, fw_pick(rand, specs, G_N_ELEMENTS(specs)));
        if (strstr(spec->str, "\"forward\"") && g_rand_int_range(rand, 0, 2) == 0)
                g_string_append_printf(spec, ",\"reflection\":%s",
                                       g_rand_boolean(rand) ? "true" : "false");
        g_string_replace(spec, "%d", (const char *[]){"1", "2", "3"}[g_rand_int_range(rand, 0, 3)],
                         0);
        g_string_append_c(spec, '}');
        return g_string_free(spec, FALSE);
}

/* Puts or removes one of `names`, which are those of rules, at the position of the rule: what tells
 * them apart is the kind. */
static inline void fw_random_nat(PtSlice *slice, GRand *rand, unsigned names)
{
        unsigned n = (unsigned) g_rand_int_range(rand, 0, (int) names);
        g_autofree char *spec = fw_random_nat_spec(rand), *name = g_strdup_printf("rule-%u", n);

        if (g_rand_int_range(rand, 0, 4) == 0)
                (void) pt_slice_remove(slice, &pt_kind_nat_rule, name);
        else
                fw_put_ordered(slice, "NatRule", name, n + 1, spec);
}

/* One of three pools: with other servers, or gone. */
static inline void fw_random_pool(PtSlice *slice, GRand *rand)
{
        g_autofree char *name = g_strdup_printf("pool-%d", g_rand_int_range(rand, 1, 4));
        g_autofree char *text = g_strdup_printf(
                "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"ServerPool\",\"metadata\":{"
                "\"name\":\"%s\"},\"spec\":{\"servers\":[{\"address\":\"10.0.3.%d\",\"port\":80},{"
                "\"address\":\"10.0.4.%d\",\"port\":8%d,\"weight\":3}]%s}}",
                name, g_rand_int_range(rand, 1, 4), g_rand_int_range(rand, 1, 4),
                g_rand_int_range(rand, 1, 4), g_rand_boolean(rand) ? ",\"sticky\":\"5m\"" : "");

        if (g_rand_int_range(rand, 0, 5) == 0)
                (void) pt_slice_remove(slice, &pt_kind_server_pool, name);
        else
                fw_put(slice, text);
}

static inline void fw_random_nat_settings(PtSlice *slice, GRand *rand)
{
        static const char *const outbound[] = {"automatic", "hybrid", "manual", "off"};
        g_autofree char *spec =
                g_strdup_printf("{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"NatSettings\","
                                "\"metadata\":{\"name\":\"default\"},\"spec\":{\"outbound\":\"%s\","
                                "\"reflection\":%s}}",
                                fw_pick(rand, outbound, G_N_ELEMENTS(outbound)),
                                g_rand_boolean(rand) ? "true" : "false");

        if (g_rand_int_range(rand, 0, 4) == 0)
                (void) pt_slice_remove(slice, &pt_kind_nat_settings, "default");
        else
                fw_put(slice, spec);
}

/* One to a few changes of any sort. */
static inline PtSlice *fw_random_step(const PtSlice *slice, GRand *rand, unsigned names,
                                      bool uniform)
{
        PtSlice *next = pt_slice_clone(slice);
        int n = uniform ? 1 : g_rand_int_range(rand, 1, 5);

        if (g_rand_int_range(rand, 0, 10) == 0)
                fw_random_zones(next, rand);
        if (!uniform && g_rand_int_range(rand, 0, 4) == 0)
                fw_random_service(next, rand);
        if (g_rand_int_range(rand, 0, 8) == 0)
                fw_random_nat_settings(next, rand);
        if (g_rand_int_range(rand, 0, 3) == 0)
                fw_random_pool(next, rand);
        if (!uniform && g_rand_int_range(rand, 0, 4) == 0)
                fw_random_group(next, rand);
        for (int i = uniform ? 0 : g_rand_int_range(rand, 0, 4); i > 0; i--)
                fw_random_nat(next, rand, MIN(names, 60));
        while (n-- > 0) {
                if (g_rand_int_range(rand, 0, 3) == 0) {
                        g_autofree char *name =
                                g_strdup_printf("rule-%d", g_rand_int_range(rand, 0, (int) names));

                        (void) pt_slice_remove(next, &pt_kind_firewall_rule, name);
                } else {
                        fw_random_rule(next, rand, names, uniform);
                }
        }
        return next;
}
