/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The index of the evaluator's rules against all rules one after the other. */

#include "evaluate-unit.h"

#include "filter/evaluate.h"
#include "filter-unit.h"

/* Candidates of the index are all that match, and the outcome is the one without it. */
static void test_index(void **state)
{
        unsigned by_rule = 0, asked = 0;

        for (uint32_t seed = 1; seed <= 6; seed++) {
                g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
                g_autoptr(PtSlice) slice = pt_slice_new();
                g_autoptr(FwLists) lists = NULL;
                FwSource source = {.slice = slice};
                const FwZones *zones;

                fw_random_zones(slice, rand);
                for (unsigned i = 0; i < 60; i++)
                        fw_random_service(slice, rand);
                for (unsigned i = 0; i < 2500; i++)
                        fw_random_rule(slice, rand, 2500, false);
                assert_int_equal(fw_lists_new(&source, NULL, NULL, &lists), 0);
                zones = fw_lists_zones(lists);
                assert_true(zones->n > 1);
                for (unsigned i = 0; i < 400; i++) {
                        const FwZone *to = &zones->zones[1];
                        bool ipv4 = g_rand_boolean(rand);
                        FwRuleList *list = fw_lists_rules(lists, &zones->zones[0], to);
                        FwPacket packet = packet_of(
                                "x", ipv4 ? "10.0.0.0" : "fd00::", ipv4 ? "10.0.0.0" : "fd00::",
                                (unsigned) g_rand_int_range(rand, 0, 100));
                        g_autoptr(FwMatcher) matcher = NULL;
                        g_autoptr(GHashTable) found = g_hash_table_new(NULL, NULL);
                        const FirewallRule *rule;
                        FwRuleWalk walk = {.list = list};
                        unsigned place, last = 0;

                        packet.values[FW_DIM_SOURCE_ADDRESS].lo +=
                                (unsigned) g_rand_int_range(rand, 0, 600);
                        packet.values[FW_DIM_DESTINATION_ADDRESS].lo +=
                                (unsigned) g_rand_int_range(rand, 0, 600);
                        for (unsigned d = FW_DIM_SOURCE_ADDRESS; d <= FW_DIM_DESTINATION_ADDRESS;
                             d++)
                                packet.values[d].hi = packet.values[d].lo;
                        if (g_rand_int_range(rand, 0, 5) == 0)
                                fw_packet_set(&packet, FW_DIM_PROTOCOL, IPPROTO_UDP, IPPROTO_UDP);
                        if (g_rand_int_range(rand, 0, 5) == 0)
                                fw_packet_set(&packet, FW_DIM_DESTINATION_PORT, 0, 65535);
                        matcher = fw_matcher_new(&packet, fw_lists_aliases(lists));
                        fw_rule_list_walk(list, &packet, &walk);
                        while ((rule = fw_rule_walk_next(&walk, &place))) {
                                assert_true(place > last);
                                last = place;
                                g_hash_table_add(found, (void *) (uintptr_t) rule);
                                asked++;
                        }
                        for (unsigned k = 0; k < fw_rule_list_length(list); k++) {
                                rule = fw_rule_list_get(list, k);
                                if (fw_matcher_ask(matcher, rule) == FW_NO)
                                        continue;
                                assert_true(g_hash_table_contains(found, rule));
                                by_rule++;
                        }
                }
        }
        assert_true(by_rule > 1000);
        assert_true(asked < 6U * 400 * 2500 / 2); /* it leaves most out */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_index),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
