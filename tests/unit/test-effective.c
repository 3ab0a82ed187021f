/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What services and NAT rules make of rules: who they are, what they say, and when they are the
 * same. */

#include "filter/effective.h"
#include "filter-unit.h"

#include <netinet/in.h>

static const FirewallRule *get(FwEffective *effective, const PtSlice *slice, const char *name)
{
        return fw_effective_rule(
                effective, slice,
                (const FirewallRule *) pt_slice_get(slice, &pt_kind_firewall_rule, name));
}

static const FirewallRule *linked(FwEffective *effective, const PtSlice *slice, const char *name)
{
        FwNatPolicy policy = fw_nat_policy(effective, slice);

        return fw_effective_linked(&policy,
                                   (const NatRule *) pt_slice_get(slice, &pt_kind_nat_rule, name));
}

static void assert_choice(const FirewallRule *rule, unsigned i, int protocol, int helper,
                          unsigned lo, unsigned hi)
{
        const FwEffectiveRule *effective = fw_effective_of(rule);
        const FwAlternative *choice;
        const PtPortRange *port;

        assert_non_null(effective);
        assert_true(i < effective->n_choices);
        choice = &effective->choices[i];
        assert_int_equal(choice->protocol, protocol);
        assert_int_equal(choice->helper, helper);
        assert_int_equal(choice->ports.n, 1);
        port = choice->ports.items;
        assert_int_equal(port->lo, lo);
        assert_int_equal(port->hi, hi);
}

static void test_plain(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwEffective) effective = fw_effective_new();
        const FirewallRule *rule;

        fw_put_rule(slice, "web", 1, "{\"action\":\"allow\",\"protocol\":\"tcp\"}");
        rule = get(effective, slice, "web");
        assert_ptr_equal(rule, pt_slice_get(slice, &pt_kind_firewall_rule, "web"));
        assert_null(fw_effective_of(rule));
}

static void test_services(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwEffective) effective = fw_effective_new();
        const FirewallRule *origin, *rule;
        uint8_t uid[16], uid2[16];
        const int *protocols;

        fw_put_service(slice, "shop", "{\"tcp\":[\"20-30\",25],\"udp\":[7]}");
        fw_put_rule(slice, "web", 3,
                    "{\"action\":\"allow\",\"priority\":7,\"from\":\"lan\",\"services\":[\"ftp\","
                    "\"ipsec\",\"shop\"]}");
        origin = (const FirewallRule *) pt_slice_get(slice, &pt_kind_firewall_rule, "web");
        rule = get(effective, slice, "web");
        assert_ptr_not_equal(rule, origin);
        assert_string_equal(rule->object.name, "web");
        assert_string_equal(rule->object.kind->name, "FirewallRule");
        pt_object_uid(&origin->object, uid);
        pt_object_uid(&rule->object, uid2);
        assert_memory_equal(uid, uid2, sizeof(uid));
        assert_int_equal(fw_rule_priority(rule), 7);
        assert_int_equal(fw_effective_compare(rule, origin), 0);
        assert_false(pt_digest_equal(&rule->object.digest, &origin->object.digest));

        /* The port of the helper comes before the range around it. */
        assert_int_equal(fw_effective_of(rule)->n_choices, 3);
        assert_choice(rule, 0, IPPROTO_TCP, FW_HELPER_FTP, 21, 21);
        assert_choice(rule, 1, IPPROTO_TCP, FW_HELPER_INVALID, 20, 30);
        assert_int_equal(fw_effective_of(rule)->choices[2].ports.n, 3);
        assert_int_equal(fw_effective_of(rule)->protocols.n, 2);
        protocols = fw_effective_of(rule)->protocols.items;
        assert_int_equal(protocols[0], IPPROTO_ESP);
        assert_int_equal(protocols[1], IPPROTO_AH);

        /* Who asks for ports asks for protocols that have some. */
        fw_put_rule(slice, "ports", 4,
                    "{\"action\":\"allow\",\"services\":[\"ipsec\"],"
                    "\"source\":{\"ports\":[500]}}");
        assert_int_equal(fw_effective_of(get(effective, slice, "ports"))->protocols.n, 0);
}

/* The helper of the rule is for what has none of its own; what is not allowed has none. */
static void test_helpers(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwEffective) effective = fw_effective_new();

        fw_put_rule(slice, "own", 1,
                    "{\"action\":\"allow\",\"helper\":\"sip\",\"services\":[\"ftp\",\"dns\"]}");
        fw_put_rule(slice, "no", 2, "{\"action\":\"drop\",\"services\":[\"ftp\"]}");
        assert_choice(get(effective, slice, "own"), 0, IPPROTO_TCP, FW_HELPER_FTP, 21, 21);
        assert_choice(get(effective, slice, "own"), 1, IPPROTO_TCP, FW_HELPER_SIP, 53, 53);
        assert_choice(get(effective, slice, "own"), 2, IPPROTO_UDP, FW_HELPER_SIP, 53, 53);
        assert_choice(get(effective, slice, "no"), 0, IPPROTO_TCP, FW_HELPER_INVALID, 21, 21);
}

/* The same object as long as what it comes from is the same; another state of the rule when a
 * service changes, even if nobody touched the rule. */
static void test_same(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new(), other = NULL;
        g_autoptr(FwEffective) effective = fw_effective_new();
        const FirewallRule *rule, *changed;

        fw_put_rule(slice, "web", 1, "{\"action\":\"allow\",\"services\":[\"ssh\"]}");
        rule = get(effective, slice, "web");
        assert_choice(rule, 0, IPPROTO_TCP, FW_HELPER_INVALID, 22, 22);
        assert_ptr_equal(get(effective, slice, "web"), rule);
        other = pt_slice_clone(slice);
        fw_put_service(other, "ssh", "{\"tcp\":[2222]}");
        changed = get(effective, other, "web");
        assert_choice(changed, 0, IPPROTO_TCP, FW_HELPER_INVALID, 2222, 2222);
        assert_false(pt_digest_equal(&changed->object.digest, &rule->object.digest));
        /* Both are known, in whatever order they are asked for. */
        assert_ptr_equal(get(effective, slice, "web"), rule);
        assert_ptr_equal(get(effective, other, "web"), changed);
        assert_true(pt_slice_remove(other, &pt_kind_service, "ssh"));
        assert_ptr_equal(get(effective, other, "web"), rule);
}

/* A service that is nowhere is no service: the rule does not grow by that. */
static void test_absent(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwEffective) effective = fw_effective_new();
        const FwEffectiveRule *rule;

        fw_put_rule(slice, "web", 1, "{\"action\":\"allow\",\"services\":[\"nowhere\"]}");
        rule = fw_effective_of(get(effective, slice, "web"));
        assert_non_null(rule);
        assert_true(rule->by_service);
        assert_int_equal(rule->n_choices, 0);
}

static void test_sweep(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwEffective) effective = fw_effective_new();
        const FirewallRule *kept = NULL;
        g_autoptr(PtObject) reference = NULL;

        fw_put_rule(slice, "web", 1, "{\"action\":\"allow\",\"services\":[\"ssh\"]}");
        for (unsigned i = 1; i <= 1000; i++) {
                g_autofree char *spec = g_strdup_printf("{\"tcp\":[%u]}", i);

                fw_put_service(slice, "ssh", spec);
                kept = get(effective, slice, "web");
                if (i == 1)
                        reference = pt_object_ref(&kept->object);
                fw_effective_sweep(effective);
        }
        /* What somebody holds stays as it is. */
        assert_choice((const FirewallRule *) reference, 0, IPPROTO_TCP, FW_HELPER_INVALID, 1, 1);
        fw_put_service(slice, "ssh", "{\"tcp\":[1]}");
        assert_true(
                pt_digest_equal(&get(effective, slice, "web")->object.digest, &reference->digest));
}

static void test_linked(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwEffective) effective = fw_effective_new();
        const FirewallRule *rule, *same;

        fw_put_ordered(slice, "NatRule", "web", 5,
                       "{\"type\":\"forward\",\"zone\":\"wan\",\"protocol\":\"tcp\",\"priority\":9,"
                       "\"source\":{\"addresses\":[\"192.0.2.0/24\"]},"
                       "\"destination\":{\"addresses\":[\"198.51.100.1\"],\"ports\":[443]},"
                       "\"translation\":{\"addresses\":[\"10.3.0.10\"],\"ports\":[8443]}}");
        fw_put_rule(slice, "web", 5, "{\"action\":\"drop\",\"priority\":9}");
        rule = linked(effective, slice, "web");
        assert_string_equal(rule->object.kind->name, "NatRule");
        assert_string_equal(rule->object.name, "web");
        assert_int_equal(rule->object.position, 5);
        assert_int_equal(fw_rule_priority(rule), 9);
        assert_int_equal(rule->action, FW_ALLOW);
        assert_true(fw_rule_enabled(rule));
        assert_string_equal(rule->from, "wan");
        assert_null(rule->to);
        assert_int_equal(fw_rule_family(rule), AF_INET);
        assert_int_equal(fw_rule_protocol(rule), IPPROTO_TCP);
        assert_int_equal(rule->source.addresses.n, 1);
        assert_int_equal(((const PtPortRange *) rule->destination.ports.items)->lo, 8443);
        assert_int_equal(((const PtAddressRange *) rule->destination.addresses.items)->lo[1], 3);
        assert_true(fw_effective_of(rule)->translated);
        assert_ptr_equal(linked(effective, slice, "web"), rule);
        /* Alike in all but the kind, and still in one order. */
        assert_int_equal(fw_effective_compare(get(effective, slice, "web"), rule), -1);
        assert_int_equal(fw_effective_compare(rule, get(effective, slice, "web")), 1);

        fw_put_ordered(slice, "NatRule", "own", 1,
                       "{\"type\":\"redirect\",\"zone\":\"lan\",\"protocol\":\"tcp\","
                       "\"enabled\":false,\"destination\":{\"ports\":[80]},"
                       "\"translation\":{\"ports\":[3128]}}");
        same = linked(effective, slice, "own");
        assert_string_equal(same->to, FW_ZONE_ROUTER);
        assert_int_equal(same->destination.addresses.n, 0);
        assert_false(fw_rule_enabled(same));

        fw_put_ordered(slice, "NatRule", "none", 1, "{\"type\":\"masquerade\",\"zone\":\"wan\"}");
        assert_null(linked(effective, slice, "none"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),   cmocka_unit_test(test_services),
                cmocka_unit_test(test_helpers), cmocka_unit_test(test_same),
                cmocka_unit_test(test_absent),  cmocka_unit_test(test_sweep),
                cmocka_unit_test(test_linked),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
