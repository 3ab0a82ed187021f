/* SPDX-License-Identifier: GPL-3.0-or-later */

/* NAT rules as classes: what a side asks for, which lists there are, and the limits. */

#include "filter-unit.h"
#include "nat.h"
#include "unit.h"

#include <netinet/in.h>

static void put_nat(PtSlice *slice, const char *name, unsigned position, const char *spec)
{
        fw_put_ordered(slice, "NatRule", name, position, spec);
}

static const NatRule *get(const PtSlice *slice, const char *name)
{
        return (const NatRule *) pt_slice_get(slice, &pt_kind_nat_rule, name);
}

/* Of the slice as it is; what services there are does not matter here. */
static int new_nat(const PtSlice *slice, PtDiagnostics *diag, FwNat **ret)
{
        g_autoptr(FwEffective) effective = fw_effective_new();
        FwNatPolicy policy = fw_nat_policy(effective, slice);

        return fw_nat_new(&policy, diag, ret);
}

static void free_use(FirewallRule **use)
{
        pt_object_unref(&(*use)->object);
}
#define auto_use __attribute__((cleanup(free_use))) FirewallRule

/* The way in asks for what is outside, the way out for what is inside, and `source` is the other
 * side in both. */
static void test_sides(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        const NatRule *nat;
        FwNatPolicy policy;
        FwNatSide side;

        put_nat(slice, "both", 7,
                "{\"type\":\"one-to-one\",\"zone\":\"wan\",\"priority\":3,\"protocol\":\"tcp\","
                "\"source\":{\"addresses\":[\"198.51.100.0/24\"],\"ports\":[1024]},"
                "\"destination\":{\"addresses\":[\"192.0.2.1\"]},"
                "\"translation\":{\"addresses\":[\"10.0.0.1\"]}}");
        nat = get(slice, "both");
        policy = fw_nat_policy(NULL, slice);
        for (FwNatSide s = FW_NAT_IN; s < FW_NAT_BACK; s++) {
                auto_use *use = fw_nat_use_new(&policy, nat, s, false);
                const FwEndpoint *other = s == FW_NAT_IN ? &use->source : &use->destination,
                                 *own = s == FW_NAT_IN ? &use->destination : &use->source;
                uint8_t uid[16], uid_nat[16];

                assert_ptr_equal(fw_nat_of(use, &side), nat);
                assert_int_equal(side, s);
                assert_ptr_equal(other->addresses.items, nat->source.addresses.items);
                assert_int_equal(other->ports.n, 1);
                assert_ptr_equal(
                        own->addresses.items,
                        (s == FW_NAT_IN ? &nat->destination.addresses : &nat->translation.addresses)
                                ->items);
                assert_int_equal(own->ports.n, 0);
                assert_int_equal(fw_rule_protocol(use), IPPROTO_TCP);
                assert_int_equal(fw_rule_family(use), AF_INET);
                assert_int_equal(fw_rule_priority(use), 3);
                assert_int_equal(use->object.position, 7);
                pt_object_uid(&use->object, uid);
                pt_object_uid(&nat->object, uid_nat);
                assert_memory_equal(uid, uid_nat, sizeof(uid));
                assert_string_equal(use->object.kind->name, "NatRule");
        }
        assert_true(fw_nat_has_side(nat, FW_NAT_IN) && fw_nat_has_side(nat, FW_NAT_OUT));
        fw_put_rule(slice, "rule", 1, "{\"action\":\"allow\"}");
        assert_null(fw_nat_of(
                (const FirewallRule *) pt_slice_get(slice, &pt_kind_firewall_rule, "rule"), NULL));
}

/* Ports are of TCP and UDP, also where the rule asks for none. */
static void test_ports(void **state)
{
        static const struct {
                const char *spec;
                unsigned sport, dport; /* ranges asked for */
                bool router, map;
        } cases[] = {
                {"{\"type\":\"masquerade\",\"zone\":\"wan\"}", 0, 0, false, false},
                {"{\"type\":\"masquerade\",\"zone\":\"wan\",\"translation\":{\"ports\":[\"1-9\"]}}",
                 0, 1, false, false},
                {"{\"type\":\"masquerade\",\"zone\":\"wan\",\"protocol\":\"tcp\",\"translation\":{"
                 "\"ports\":[\"1-9\"]}}",
                 0, 0, false, false},
                {"{\"type\":\"masquerade\",\"zone\":\"wan\",\"source\":{\"ports\":[5,7]},"
                 "\"translation\":{\"ports\":[\"1-9\"]}}",
                 2, 0, false, false},
                {"{\"type\":\"redirect\",\"zone\":\"lan\",\"translation\":{\"ports\":[3128]}}", 0,
                 1, false, false},
                {"{\"type\":\"forward\",\"zone\":\"wan\",\"translation\":{\"addresses\":["
                 "\"10.0.0.1\"]}}",
                 0, 0, true, false},
                {"{\"type\":\"forward\",\"zone\":\"wan\",\"destination\":{\"aliases\":[\"a\"],"
                 "\"ports\":[\"80-90\"]},\"translation\":{\"addresses\":[\"10.0.0.1\"],\"ports\":["
                 "\"180-190\"]}}",
                 0, 1, false, true},
                {"{\"type\":\"forward\",\"zone\":\"wan\",\"destination\":{\"ports\":[\"80-90\"]},"
                 "\"translation\":{\"addresses\":[\"10.0.0.1\"],\"ports\":[\"80-90\"]}}",
                 0, 1, true, false},
                {"{\"type\":\"forward\",\"zone\":\"wan\",\"destination\":{\"ports\":[\"80-90\"]},"
                 "\"translation\":{\"addresses\":[\"10.0.0.1\"],\"ports\":[8080]}}",
                 0, 1, true, false},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtSlice) slice = pt_slice_new();
                const NatRule *nat;
                FwNatPolicy policy = fw_nat_policy(NULL, slice);
                FirewallRule *use;

                put_nat(slice, "a", 1, cases[i].spec);
                nat = get(slice, "a");
                use = fw_nat_use_new(&policy, nat,
                                     fw_nat_has_side(nat, FW_NAT_IN) ? FW_NAT_IN : FW_NAT_OUT,
                                     false);
                assert_int_equal(use->source.ports.n, cases[i].sport);
                assert_int_equal(use->destination.ports.n, cases[i].dport);
                assert_int_equal(fw_nat_to_router(nat), cases[i].router);
                assert_int_equal(fw_nat_maps_ports(nat), cases[i].map);
                pt_object_unref(&use->object);
        }
}

static void assert_class(const FwNat *nat, const char *name, const char *const *expected)
{
        const FwClass *klass = g_hash_table_lookup(nat->classes, name);

        assert_non_null(klass);
        assert_int_equal(klass->entries->len, g_strv_length((char **) (uintptr_t) expected));
        for (unsigned i = 0; i < klass->entries->len; i++)
                assert_string_equal(g_array_index(klass->entries, FwEntry, i).rule->object.name,
                                    expected[i]);
}

/* A zone's list has its own rules and those of any zone in one order; zones without rules share. */
static void test_lists(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(FwNat) nat = NULL;
        g_autofree char *in_wan = NULL, *in_lan = NULL, *out_lan = NULL;

        put_nat(slice, "late", 1,
                "{\"type\":\"forward\",\"zone\":\"wan\",\"priority\":9,\"translation\":{"
                "\"addresses\":["
                "\"10.0.0.1\"]}}");
        put_nat(slice, "early", 3,
                "{\"type\":\"redirect\",\"zone\":\"wan\",\"priority\":1,\"translation\":{\"ports\":"
                "["
                "1]}}");
        put_nat(slice, "any", 2,
                "{\"type\":\"one-to-one\",\"zone\":\"any\",\"priority\":5,\"destination\":{"
                "\"addresses\":[\"192.0.2.1\"]},\"translation\":{\"addresses\":[\"10.0.0.1\"]}}");
        put_nat(slice, "off", 4, "{\"type\":\"masquerade\",\"zone\":\"lan\",\"enabled\":false}");
        assert_int_equal(new_nat(slice, diag, &nat), 0);
        assert_int_equal(g_hash_table_size(nat->classes), 3);
        assert_class(nat, "in/wan", (const char *const[]){"early", "any", "late", NULL});
        assert_class(nat, "in/any", (const char *const[]){"any", NULL});
        assert_class(nat, "out/any", (const char *const[]){"any", NULL});

        in_wan = fw_nat_chain(nat->scopes, FW_NAT_IN, "wan");
        in_lan = fw_nat_chain(nat->scopes, FW_NAT_IN, "lan");
        out_lan = fw_nat_chain(nat->scopes, FW_NAT_OUT, "lan");
        assert_string_equal(in_wan, "n_in/wan");
        assert_string_equal(in_lan, "n_in/any");
        assert_string_equal(out_lan, "n_out/any");
        (void) pt_slice_remove(slice, &pt_kind_nat_rule, "any");
        fw_nat_free(g_steal_pointer(&nat));
        assert_int_equal(new_nat(slice, diag, &nat), 0);
        assert_null(fw_nat_chain(nat->scopes, FW_NAT_OUT, "wan"));
}

static void assert_too_much(PtSlice *slice, const char *code)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        FwNat *nat = NULL;

        assert_int_equal(new_nat(slice, diag, &nat), -E2BIG);
        assert_null(nat);
        assert_string_equal(pt_diag_get(diag, 0)->code, code);
}

static void test_limits(void **state)
{
        g_autoptr(PtSlice) rules = pt_slice_new(), ports = pt_slice_new(), maps = pt_slice_new(),
                           zones = pt_slice_new();
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(FwNat) nat = NULL;

        for (unsigned i = 0; i <= FW_NAT_RULES_MAX; i++) {
                g_autofree char *name = g_strdup_printf("n-%u", i);

                if (i == FW_NAT_RULES_MAX) {
                        assert_int_equal(new_nat(rules, diag, &nat), 0);
                        fw_nat_free(g_steal_pointer(&nat));
                }
                put_nat(rules, name, i + 1, "{\"type\":\"masquerade\",\"zone\":\"wan\"}");
        }
        assert_too_much(rules, "too-many-nat-rules");

        for (unsigned i = 0; i < 300 * 1000; i += 1000) {
                g_autofree char *name = g_strdup_printf("own-%u", i),
                                *spec = g_strdup_printf("{\"type\":\"masquerade\",\"zone\":"
                                                        "\"zone-%u\"}",
                                                        i);

                put_nat(zones, name, i + 1, spec);
        }
        for (unsigned i = 1; i <= FW_NAT_ENTRIES_MAX / 301; i++) {
                g_autofree char *name = g_strdup_printf("any-%u", i);

                if (i == FW_NAT_ENTRIES_MAX / 301) {
                        assert_int_equal(new_nat(zones, diag, &nat), 0);
                        fw_nat_free(g_steal_pointer(&nat));
                }
                put_nat(zones, name, i + 1, "{\"type\":\"masquerade\",\"zone\":\"any\"}");
        }
        assert_too_much(zones, "too-many-nat-rules");

        for (unsigned i = 0; i <= FW_NAT_MAPS_MAX; i++) {
                g_autofree char *name = g_strdup_printf("n-%u", i);

                if (i == FW_NAT_MAPS_MAX) {
                        assert_int_equal(new_nat(maps, diag, &nat), 0);
                        fw_nat_free(g_steal_pointer(&nat));
                }
                put_nat(maps, name, i + 1,
                        i % 2 == 0 ? "{\"type\":\"source\",\"zone\":\"wan\",\"translation\":{"
                                     "\"addresses\":[\"192.0.2.1\",\"192.0.2.3\"]}}"
                                   : "{\"type\":\"forward\",\"zone\":\"wan\",\"destination\":{"
                                     "\"ports\":["
                                     "\"1-2\"]},\"translation\":{\"addresses\":[\"10.0.0.1\"],"
                                     "\"ports\":["
                                     "\"3-4\"]}}");
        }
        assert_too_much(maps, "too-many-maps");

        for (unsigned i = 0; i <= FW_NAT_PORTS_MAX / 65000; i++) {
                g_autofree char *name = g_strdup_printf("n-%u", i);

                assert_int_equal(new_nat(ports, diag, &nat), 0);
                fw_nat_free(g_steal_pointer(&nat));
                put_nat(ports, name, i + 1,
                        "{\"type\":\"forward\",\"zone\":\"wan\",\"protocol\":\"tcp\","
                        "\"destination\":{"
                        "\"ports\":[\"1-65000\"]},\"translation\":{\"addresses\":[\"10.0.0.1\"],"
                        "\"ports\":[\"2-65001\"]}}");
        }
        assert_too_much(ports, "too-many-ports");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sides),
                cmocka_unit_test(test_ports),
                cmocka_unit_test(test_lists),
                cmocka_unit_test(test_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
