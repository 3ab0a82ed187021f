/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Boxes by brute force over few numbers, and rules' boxes beside what the matcher says of packets. */

#include "filter-unit.h"
#include "filter/box.h"
#include "filter/packet.h"

#include <netinet/in.h>

#define SPACE 4

/* A box within a small space: two bits in each dimension. */
static FwBox random_box(GRand *rand)
{
        FwBox box;

        fw_box_all(AF_INET, &box);
        for (unsigned i = 0; i < FW_BOX_ADDRESS_MAX + FW_BOX_NUMBER_MAX; i++) {
                unsigned lo = (unsigned) g_rand_int_range(rand, 0, SPACE),
                         hi = (unsigned) g_rand_int_range(rand, (int) lo, SPACE);

                if (g_rand_int_range(rand, 0, 3) == 0)
                        lo = 0, hi = SPACE - 1;
                if (i < FW_BOX_ADDRESS_MAX)
                        box.address[i] = (FwSpan){lo, hi};
                else
                        box.number[i - FW_BOX_ADDRESS_MAX] =
                                (FwRange16){(uint16_t) lo, (uint16_t) hi};
        }
        return box;
}

static FwBox point(unsigned n)
{
        FwBox box;

        fw_box_all(AF_INET, &box);
        for (unsigned i = 0; i < FW_BOX_ADDRESS_MAX; i++, n /= SPACE)
                box.address[i] = (FwSpan){n % SPACE, n % SPACE};
        for (unsigned i = 0; i < FW_BOX_NUMBER_MAX; i++, n /= SPACE)
                box.number[i] = (FwRange16){(uint16_t) (n % SPACE), (uint16_t) (n % SPACE)};
        return box;
}

static unsigned count_of(const GArray *boxes, const FwBox *at)
{
        unsigned n = 0;

        for (unsigned i = 0; i < boxes->len; i++)
                n += fw_box_contains(&g_array_index(boxes, FwBox, i), at);
        return n;
}

static void test_algebra(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(8);
        unsigned overlaps = 0;

        for (unsigned round = 0; round < 300; round++) {
                g_autoptr(GArray) left = g_array_new(FALSE, FALSE, sizeof(FwBox));
                FwBox a = random_box(rand), b = random_box(rand), both = {0};
                bool overlap = fw_box_intersect(&a, &b, &both), inside = true, any = false;

                fw_box_subtract(&a, &b, left);
                for (unsigned n = 0; n < SPACE * SPACE * SPACE * SPACE * SPACE * SPACE; n++) {
                        FwBox at = point(n);
                        bool in_a = fw_box_contains(&a, &at), in_b = fw_box_contains(&b, &at);

                        any = any || (in_a && in_b);
                        inside = inside && (in_a || !in_b);
                        if (overlap)
                                assert_int_equal(fw_box_contains(&both, &at), in_a && in_b);
                        assert_int_equal(count_of(left, &at), in_a && !in_b);
                }
                assert_int_equal(overlap, any);
                assert_int_equal(fw_box_overlaps(&b, &a), any);
                assert_int_equal(fw_box_contains(&a, &b), inside);
                assert_int_equal(fw_box_equal(&a, &b), inside && fw_box_contains(&b, &a));
                overlaps += overlap;
        }
        assert_in_range(overlaps, 20, 280);
}

static void test_families_are_apart(void **state)
{
        FwBox a, b;

        fw_box_all(AF_INET, &a);
        fw_box_all(AF_INET6, &b);
        assert_false(fw_box_overlaps(&a, &b));
        assert_false(fw_box_contains(&b, &a));
}

static void set_random(FwPacket *packet, FwBox *box, GRand *rand)
{
        static const int protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ICMPV6,
                                        IPPROTO_ESP};
        bool v4 = packet->family == AF_INET;
        int protocol = protocols[g_rand_int_range(rand, 0, 5)];
        FwNumber base = v4 ? 0x0a000000 : (FwNumber) 0x20010db8 << 96;
        FwNumber source = base + (FwNumber) g_rand_int_range(rand, 0, v4 ? 1280 : 201);
        FwRange16 ports[2];

        if (g_rand_int_range(rand, 0, 3) == 0)
                source = 0x0a090000 + (FwNumber) g_rand_int_range(rand, 0, 0x5000);
        for (unsigned i = 0; i < 2; i++) {
                ports[i].lo =
                        (uint16_t) (g_rand_boolean(rand)   ? g_rand_int_range(rand, 0, 5)
                                    : g_rand_boolean(rand) ? g_rand_int_range(rand, 998, 1002)
                                                           : g_rand_int_range(rand, 7998, 8012));
                if (g_rand_int_range(rand, 0, 5) == 0)
                        ports[i].lo = (uint16_t[]){22, 53, 123, 443}[g_rand_int_range(rand, 0, 4)];
                ports[i].hi = ports[i].lo;
        }
        fw_packet_set(packet, FW_DIM_SOURCE_ADDRESS, source, source);
        fw_packet_set(packet, FW_DIM_DESTINATION_ADDRESS, 7, 7);
        fw_packet_set(packet, FW_DIM_PROTOCOL, (FwNumber) protocol, (FwNumber) protocol);
        fw_packet_set_unknown(packet, FW_DIM_STATUS);
        box->address[FW_BOX_SOURCE] = (FwSpan){source, source};
        box->address[FW_BOX_DESTINATION] = (FwSpan){7, 7};
        box->number[FW_BOX_PROTOCOL] = (FwRange16){(uint16_t) protocol, (uint16_t) protocol};
        if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) {
                fw_packet_set(packet, FW_DIM_SOURCE_PORT, ports[0].lo, ports[0].lo);
                fw_packet_set(packet, FW_DIM_DESTINATION_PORT, ports[1].lo, ports[1].lo);
                box->number[FW_BOX_SOURCE_PORT] = ports[0];
                box->number[FW_BOX_DESTINATION_PORT] = ports[1];
        }
        if (protocol == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
                FwNumber type = (FwNumber) (g_rand_boolean(rand) ? (v4 ? 8 : 128) : 2) << 8;

                fw_packet_set(packet, FW_DIM_ICMP, type, type);
                box->number[FW_BOX_ICMP] = (FwRange16){(uint16_t) type, (uint16_t) type};
        }
}

static void test_rules_are_their_boxes(void **state)
{
        unsigned exact = 0, inexact = 0, inside = 0;

        for (uint32_t seed = 1; seed <= 10; seed++) {
                g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
                g_autoptr(PtSlice) slice = pt_slice_new();
                g_autoptr(FwEffective) effective = fw_effective_new();
                FwSource source = {.slice = slice};
                g_autoptr(FwAliasCache) aliases = fw_alias_cache_new(&source);

                fw_random_zones(slice, rand);
                for (unsigned i = 0; i < 60; i++)
                        fw_random_service(slice, rand);
                for (unsigned i = 0; i < 100; i++) {
                        g_autoptr(GArray) boxes = g_array_new(FALSE, FALSE, sizeof(FwBox));
                        const FirewallRule *rule;
                        bool is;

                        fw_random_rule(slice, rand, 1, false);
                        rule = fw_effective_rule(effective, slice,
                                                 (const FirewallRule *) pt_slice_get(
                                                         slice, &pt_kind_firewall_rule, "rule-0"));
                        is = fw_rule_boxes(rule, boxes);
                        *(is ? &exact : &inexact) += 1;
                        if (fw_rule_foldable(rule))
                                assert_true(is);
                        for (unsigned k = 0; k < 60; k++) {
                                int family = g_rand_int_range(rand, 0, 3) ? AF_INET : AF_INET6;
                                g_autoptr(FwMatcher) matcher = NULL;
                                FwPacket packet;
                                FwTruth truth;
                                unsigned n;
                                FwBox at;

                                fw_packet_init(&packet, family, "eth0");
                                fw_box_all(family, &at);
                                set_random(&packet, &at, rand);
                                matcher = fw_matcher_new(&packet, aliases);
                                truth = fw_matcher_ask(matcher, rule);
                                n = count_of(boxes, &at);
                                assert_in_range(n, 0, 1);
                                if (is)
                                        assert_int_equal(truth, n ? FW_YES : FW_NO);
                                else if (truth != FW_NO)
                                        assert_int_equal(n, 1);
                                inside += n;
                        }
                }
        }
        assert_in_range(exact, 300, 1000);
        assert_in_range(inexact, 30, 1000);
        assert_in_range(inside, 1000, 60000);
}

static bool foldable(const char *spec)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwEffective) effective = fw_effective_new();

        fw_put_service(slice, "shop", "{\"tcp\":[6667],\"helper\":\"irc\"}");
        fw_put_rule(slice, "rule", 1, spec);
        return fw_rule_foldable(fw_effective_rule(
                effective, slice,
                (const FirewallRule *) pt_slice_get(slice, &pt_kind_firewall_rule, "rule")));
}

static void test_what_folds(void **state)
{
        assert_true(foldable("{\"action\":\"allow\"}"));
        assert_true(foldable("{\"action\":\"reject\",\"from\":\"lan\",\"priority\":7,"
                             "\"source\":{\"addresses\":[\"10.0.0.1-10.0.0.9\"],\"ports\":[1]}}"));
        assert_true(foldable("{\"action\":\"drop\",\"services\":[\"ssh\"]}"));
        assert_true(foldable("{\"action\":\"drop\",\"icmpTypes\":[\"echo-request\"]}"));
        assert_false(foldable("{\"action\":\"allow\",\"services\":[\"shop\"]}")); /* a helper */
        for (unsigned i = 0; i < FW_ODD_SPECS; i++) {
                g_autofree char *spec =
                        g_strdup_printf("{\"action\":\"allow\",%s}", fw_odd_specs[i]);

                assert_int_equal(foldable(spec), i == 4); /* types of ICMP */
        }
}

/* Of a rule with too many combinations, the lists that make it so are left out. */
static void test_too_many_boxes(void **state)
{
        g_autoptr(GString) ports = g_string_new(NULL);
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(GArray) boxes = g_array_new(FALSE, FALSE, sizeof(FwBox));
        g_autofree char *spec = NULL;

        for (unsigned i = 0; i < 100; i++)
                g_string_append_printf(ports, "%s%u", i ? "," : "", 100 + 2 * i);
        spec = g_strdup_printf("{\"action\":\"allow\",\"protocol\":\"tcp\",\"source\":{"
                               "\"ports\":[%s]},\"destination\":{\"addresses\":[\"10.0.0.0/8\"],"
                               "\"ports\":[%s]}}",
                               ports->str, ports->str);
        fw_put_rule(slice, "rule", 1, spec);
        assert_false(fw_rule_boxes(
                (const FirewallRule *) pt_slice_get(slice, &pt_kind_firewall_rule, "rule"), boxes));
        assert_in_range(boxes->len, 1, FW_BOXES_MAX);
        for (unsigned i = 0; i < boxes->len; i++) {
                const FwBox *box = &g_array_index(boxes, FwBox, i);

                assert_int_equal(box->family, AF_INET);
                assert_int_equal(box->number[FW_BOX_PROTOCOL].lo, IPPROTO_TCP);
                assert_true(box->address[FW_BOX_DESTINATION].lo == 0x0a000000);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_algebra),
                cmocka_unit_test(test_families_are_apart),
                cmocka_unit_test(test_rules_are_their_boxes),
                cmocka_unit_test(test_what_folds),
                cmocka_unit_test(test_too_many_boxes),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
