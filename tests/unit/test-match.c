/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How many kernel rules and keys a rule becomes: what is written out, what becomes a set, what
 * folds. That they mean the same is for tests with packets. */

#include "filter-unit.h"
#include "match-put.h"

static const FirewallRule *put(PtSlice *slice, FwEffective *effective, const char *spec)
{
        fw_put_rule(slice, "rule", 1, spec);
        return fw_effective_rule(
                effective, slice,
                (const FirewallRule *) pt_slice_get(slice, &pt_kind_firewall_rule, "rule"));
}

/* A list of `n` ports, two apart. */
static char *ports(unsigned n)
{
        GString *text = g_string_new("[");

        for (unsigned i = 0; i < n; i++)
                g_string_append_printf(text, "%s%u", i ? "," : "", 100 + 2 * i);
        g_string_append_c(text, ']');
        return g_string_free(text, FALSE);
}

static unsigned parts_of(const char *rest)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwEffective) effective = fw_effective_new();
        g_autofree char *spec = g_strdup_printf("{\"action\":\"allow\"%s}", rest);

        return fw_match_parts(put(slice, effective, spec));
}

static void test_parts(void **state)
{
        static const struct {
                const char *rest;
                unsigned parts;
        } cases[] = {
                {"", 1},
                {",\"protocol\":\"tcp\"", 1},
                {",\"destination\":{\"ports\":[80]}", 2}, /* TCP and UDP */
                {",\"protocol\":\"tcp\",\"destination\":{\"ports\":[80,443]},\"source\":{\"ports\":"
                 "["
                 "1,2,3]}",
                 6},
                {",\"dscp\":46", 2}, /* it lies elsewhere in each family */
                {",\"dscp\":46,\"family\":\"ipv6\"", 1},
                {",\"source\":{\"aliases\":[\"a\"]}", 2},
                {",\"source\":{\"aliases\":[\"a\",\"b\"],\"addresses\":[\"10.0.0.1\"]}", 3},
                {",\"source\":{\"except\":{\"aliases\":[\"a\",\"b\"]}}", 2},
                {",\"source\":{\"except\":{\"ports\":[1,2,3]}},\"protocol\":\"udp\"", 1},
                {",\"icmpTypes\":[\"echo-request\",\"packet-too-big\"]", 3},
                {",\"icmpTypes\":[\"packet-too-big\"]", 1},
                {",\"services\":[\"dns\",\"ssh\"]", 3},
                {",\"services\":[\"ipsec\"]", 4},
                {",\"services\":[\"nowhere\"]", 0},
                {",\"states\":[\"new\",\"invalid\"],\"mark\":\"1/1\"", 1},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
                if (parts_of(cases[i].rest) != cases[i].parts)
                        fail_msg("%s: %u parts instead of %u", cases[i].rest,
                                 parts_of(cases[i].rest), cases[i].parts);
}

/* Up to FW_PARTS_MAX are written out; one more, and the largest list is a set. */
static void test_long_lists(void **state)
{
        g_autofree char *some = ports(FW_PARTS_MAX), *more = ports(FW_PARTS_MAX + 1);
        g_autofree char *at =
                g_strdup_printf(",\"protocol\":\"tcp\",\"destination\":{\"ports\":%s}", some);
        g_autofree char *above =
                g_strdup_printf(",\"protocol\":\"tcp\",\"destination\":{\"ports\":%s}", more);
        g_autofree char *both = g_strdup_printf(
                ",\"destination\":{\"ports\":%s},\"source\":{\"ports\":[1,2,3]}", some);

        assert_int_equal(parts_of(at), FW_PARTS_MAX);
        assert_int_equal(parts_of(above), 1);
        assert_int_equal(parts_of(both), 2 * 3); /* protocols, source ports; a set of the others */
}

/* Every part is one choice of each list, and no two are the same. */
static void test_each_part(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwEffective) effective = fw_effective_new();
        const FirewallRule *rule =
                put(slice, effective,
                    "{\"action\":\"allow\",\"destination\":{\"ports\":[80,\"90-99\"],"
                    "\"aliases\":[\"a\",\"b\"]},\"source\":{\"except\":{\"ports\":[1,2]}}}");
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        unsigned parts = fw_match_parts(rule);

        assert_int_equal(parts, 2 * 2 * 2 * 2); /* families, protocols, ports, aliases */
        for (unsigned part = 0; part < parts; part++) {
                GString *text = g_string_new(NULL);
                FwMatch match;

                fw_match_part(rule, part, &match);
                g_string_printf(text, "%d", match.family);
                for (unsigned i = 0; i < match.n_terms; i++) {
                        const FwTerm *term = &match.terms[i];

                        assert_int_equal(term->n + term->n_aliases, term->negated ? 2 : 1);
                        g_string_append_printf(
                                text, " %p %p", term->n ? term->items : NULL,
                                (const void *) (term->n_aliases ? term->aliases : NULL));
                }
                assert_true(g_hash_table_add(seen, g_string_free(text, FALSE)));
        }
}

static void test_shapes(void **state)
{
        static const struct {
                const char *rest;
                unsigned keys; /* 0: no shape */
        } cases[] = {
                {",\"protocol\":\"tcp\",\"destination\":{\"ports\":[80,443]}", 2},
                {",\"destination\":{\"ports\":[80,443]}", 4},
                {",\"services\":[\"dns\",\"ssh\"]", 3},
                {",\"services\":[\"ftp\"]", 0}, /* a helper is in no map */
                {",\"services\":[\"ftp\"],\"log\":true", 0},
                {",\"services\":[\"ipsec\"]", 0}, /* with ports and without */
                {",\"protocol\":\"tcp\"", 0},
                {",\"protocol\":\"tcp\",\"destination\":{\"ports\":[\"80-81\"]}", 0},
                {",\"protocol\":\"tcp\",\"destination\":{\"ports\":[80]},\"log\":true", 0},
                {",\"protocol\":\"tcp\",\"destination\":{\"ports\":[80]},\"mark\":1", 0},
                {",\"protocol\":\"tcp\",\"destination\":{\"ports\":[80],\"except\":{\"ports\":[1]}"
                 "}",
                 0},
                {",\"source\":{\"addresses\":[\"10.0.0.1\",\"10.0.0.2\"]}", 2},
                {",\"source\":{\"addresses\":[\"10.0.0.1\",\"10.0.1.0/24\"]}", 0},
                {",\"source\":{\"addresses\":[\"10.0.0.1\"],\"aliases\":[\"a\"]}", 0},
                {",\"source\":{\"addresses\":[\"10.0.0.1\"]},\"limits\":{\"connections\":1}", 0},
                {",\"source\":{\"addresses\":[\"10.0.0.1\"]},\"addSource\":{\"alias\":\"a\"}", 0},
                {",\"source\":{\"addresses\":[\"10.0.0.1\"]},\"setTag\":\"a\"", 0},
                {",\"source\":{\"addresses\":[\"10.0.0.1\"]},\"tagged\":[\"a\"]", 0},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtSlice) slice = pt_slice_new();
                g_autoptr(FwEffective) effective = fw_effective_new();
                g_autofree char *spec = g_strdup_printf("{\"action\":\"allow\"%s}", cases[i].rest);
                const FirewallRule *rule = put(slice, effective, spec);
                FwKey keys[FW_KEYS_MAX];
                unsigned n = 0;
                uint32_t shape = fw_match_shape(rule, &n);

                if ((shape == 0) != (cases[i].keys == 0) || (shape && n != cases[i].keys))
                        fail_msg("%s: shape %x, %u keys", cases[i].rest, shape, n);
                if (shape)
                        assert_int_equal(fw_match_keys(rule, shape, keys), n);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parts),
                cmocka_unit_test(test_long_lists),
                cmocka_unit_test(test_each_part),
                cmocka_unit_test(test_shapes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
