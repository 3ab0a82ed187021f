/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/difference.h"
#include "filter/lines.h"
#include "policy-unit.h"

/* Pieces against all packets of small worlds. */

typedef struct Pieces {
        const FwSpace *space;
        GArray *parts; /* FwPart */
} Pieces;

static int keep(const FwCube *piece, const FwPair *pair, void *userdata)
{
        const Pieces *pieces = userdata;
        FwPart part = {*piece, *pair};

        g_array_append_val(pieces->parts, part);
        return 0;
}

static FwSpan one(int number)
{
        return (FwSpan){(FwNumber) number, (FwNumber) number};
}

static FwCube cube_of(const FwSpace *space, const WorldPacket *packet)
{
        FwCube cube = fw_space_all(space, AF_INET);
        FwSpan source = one((10 << 24) + packet->source);
        FwSpan destination = one((10 << 24) + packet->destination);
        FwSpan port = one(packet->port);
        FwSpan protocol = one(world_numbers[packet->protocol]);

        cube.lo[FW_AXIS_FROM] = cube.hi[FW_AXIS_FROM] = (uint32_t) packet->from;
        cube.lo[FW_AXIS_TO] = cube.hi[FW_AXIS_TO] = (uint32_t) packet->to;
        fw_space_narrow(space, FW_AXIS_SOURCE, AF_INET, &source, &cube);
        fw_space_narrow(space, FW_AXIS_DESTINATION, AF_INET, &destination, &cube);
        fw_space_narrow(space, FW_AXIS_PROTOCOL, AF_INET, &protocol, &cube);
        fw_space_narrow(space, FW_AXIS_DESTINATION_PORT, AF_INET, &port, &cube);
        if (packet->mark) /* the only condition there is, if there is one */
                cube.holds = 1;
        else
                cube.fails = 1;
        return cube;
}

static void check_packet(const Pieces *pieces, const WorldPacket *packet, int before, int after)
{
        FwCube cube = cube_of(pieces->space, packet);
        const FwPart *found = NULL;

        for (unsigned i = 0; i < pieces->parts->len; i++) {
                const FwPart *part = &g_array_index(pieces->parts, FwPart, i);

                if (!fw_cube_overlaps(&part->cube, &cube))
                        continue;
                assert_null(found); /* pieces have no packet in common */
                found = part;
        }
        assert_int_equal(found != NULL, before != after);
        if (found) {
                assert_int_equal(found->pair.before->action, before);
                assert_int_equal(found->pair.after->action, after);
        }
}

static FwPolicy *new_policy(const PtSlice *slice)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        FwSource source = {slice, NULL};
        FwPolicy *policy;

        assert_int_equal(fw_policy_new(&source, diag, &policy), 0);
        return policy;
}

static void compare_worlds(const World *before, const World *after)
{
        g_autoptr(PtSlice) old_slice = world_slice(before), new_slice = world_slice(after);
        g_autoptr(FwPolicy) old = new_policy(old_slice), new = new_policy(new_slice);
        g_autoptr(FwSpace) space = fw_space_new(fw_policy_zones(old, new));
        g_autoptr(GArray) parts = g_array_new(FALSE, FALSE, sizeof(FwPart));
        Pieces pieces = {space, parts};
        WorldPacket packet = {0};

        fw_policy_note(old, space);
        fw_policy_note(new, space);
        fw_space_settle(space);
        assert_int_equal(fw_policy_place(old, space), 0);
        assert_int_equal(fw_policy_place(new, space), 0);
        assert_int_equal(fw_policy_compare(old, new, keep, &pieces), 0);
        do
                check_packet(&pieces, &packet, world_verdict(before, &packet, -1),
                             world_verdict(after, &packet, -1));
        while (world_next(before, &packet));
}

/* A few edits, as people make them: one rule changes, comes, goes, or moves. */
static void edit(World *world, GRand *rand)
{
        unsigned at = (unsigned) g_rand_int_range(rand, 0, (int) world->n);
        unsigned to = (unsigned) g_rand_int_range(rand, 0, (int) world->n);
        WorldRule moved = world->rules[at];

        switch (g_rand_int_range(rand, 0, 5)) {
        case 0:
                world_random_rule(world, rand, &world->rules[at]);
                break;
        case 1:
                world_random_rule(world, rand, &world->rules[world->n++]);
                break;
        case 2:
                if (world->n > 1)
                        world->rules[at] = world->rules[--world->n];
                break;
        case 3:
                world->rules[at] = world->rules[to];
                world->rules[to] = moved;
                break;
        default:
                world->forward[at % 2] = g_rand_int_range(rand, 0, 3);
        }
}

static void compare_random(guint32 seed, int bits, unsigned n)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

        for (unsigned i = 0; i < n; i++) {
                World before = {.bits = bits}, after;

                world_random(&before, rand);
                after = before;
                if (i % 4 == 0)
                        world_random(&after, rand);
                else
                        for (int k = g_rand_int_range(rand, 1, 4); k > 0; k--)
                                edit(&after, rand);
                compare_worlds(&before, &after);
        }
}

static void test_every_packet(void **state)
{
        compare_random(1, 2, g_getenv("PATRONUS_LONG") ? 50000 : 1500);
        compare_random(2, 4, g_getenv("PATRONUS_LONG") ? 1000 : 20);
}

/* Lines for people. */

static PtSlice *three_zones(void)
{
        PtSlice *slice = pt_slice_new();

        fw_put_zone(slice, "dmz", "{\"interfaces\":[\"dmz0\"]}");
        fw_put_zone(slice, "lan", "{\"interfaces\":[\"lan0\"]}");
        fw_put_zone(slice, "wan", "{\"interfaces\":[\"wan0\"]}");
        fw_put_rule(slice, "web", 10,
                    "{\"action\":\"allow\",\"from\":\"wan\",\"to\":\"dmz\",\"protocol\":\"tcp\","
                    "\"destination\":{\"addresses\":[\"10.2.0.5\"],\"ports\":[80,443]}}");
        return slice;
}

/* The texts, one a line. */
static char *differ(const PtSlice *before, const PtSlice *after)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(FwDifference) difference = NULL;
        FwSource old = {before, NULL}, new = {after, NULL};
        GString *texts = g_string_new(NULL);

        assert_int_equal(fw_difference_new(&old, &new, diag, &difference), 0);
        assert_false(difference->partial);
        for (unsigned i = 0; i < difference->lines->len; i++)
                g_string_append_printf(texts, "%s\n",
                                       json_object_get_string(json_object_object_get(
                                               g_ptr_array_index(difference->lines, i), "text")));
        return g_string_free(texts, FALSE);
}

static void expect(const PtSlice *before, const PtSlice *after, const char *wanted)
{
        g_autofree char *text = differ(before, after);

        assert_string_equal(text, wanted);
}

static void test_says_what(void **state)
{
        g_autoptr(PtSlice) before = three_zones(), after = three_zones();

        expect(before, after, "");
        fw_put_rule(after, "ssh", 20,
                    "{\"action\":\"allow\",\"from\":\"lan\",\"to\":\"dmz\",\"protocol\":\"tcp\","
                    "\"source\":{\"addresses\":[\"10.1.0.0/24\"]},\"destination\":{\"addresses\":["
                    "\"10.2.0.5\"],\"ports\":[22]}}");
        expect(before, after,
               "newly allowed: lan 10.1.0.0/24 -> dmz 10.2.0.5 tcp/22 (before: drop by the "
               "default; after: allow by FirewallRule/ssh)\n");
        expect(after, before,
               "newly denied: lan 10.1.0.0/24 -> dmz 10.2.0.5 tcp/22 (before: allow by "
               "FirewallRule/ssh; after: drop by the default)\n");
}

static void test_few_lines(void **state)
{
        g_autoptr(PtSlice) before = three_zones(), after = three_zones();

        fw_put_rule(after, "services", 20,
                    "{\"action\":\"allow\",\"from\":\"lan\",\"destination\":{\"ports\":[22,53,"
                    "\"80-90\",443,8080]}}");
        fw_put_rule(after, "ping", 30,
                    "{\"action\":\"allow\",\"from\":\"lan\",\"to\":\"wan\",\"icmpTypes\":["
                    "\"echo-request\"]}");
        expect(before, after,
               "newly allowed: lan -> any,router tcp,udp/22,53,80-90,443 and 1 more (before: drop "
               "by the default; after: allow by FirewallRule/services)\n"
               "newly allowed: lan -> wan ipv4 icmp type 8 (before: drop by the default; after: "
               "allow by FirewallRule/ping)\n"
               "newly allowed: lan -> wan ipv6 icmpv6 type 128 (before: drop by the default; "
               "after: allow by FirewallRule/ping)\n");
}

static void test_each_sort(void **state)
{
        g_autoptr(PtSlice) before = three_zones(), after = three_zones();

        fw_put_rule(before, "old", 30, "{\"action\":\"allow\",\"from\":\"lan\"}");
        fw_put_rule(after, "old", 30, "{\"action\":\"allow\",\"from\":\"lan\",\"to\":\"wan\"}");
        fw_put_rule(after, "bad", 5,
                    "{\"action\":\"reject\",\"from\":\"wan\",\"source\":{\"addresses\":["
                    "\"192.0.2.0/24\"]},\"to\":\"dmz\"}");
        fw_put_rule(after, "marked", 6,
                    "{\"action\":\"drop\",\"from\":\"wan\",\"to\":\"dmz\",\"mark\":\"0x1/"
                    "0xff\"}");
        expect(before, after,
               "newly denied: lan -> dmz,lan,router (before: allow by FirewallRule/old; after: "
               "drop by the default)\n"
               "newly denied: wan 0.0.0.0-192.0.1.255,192.0.3.0-255.255.255.255 -> dmz 10.2.0.5 "
               "tcp/80,443 if mark 0x1/0xff (before: allow by FirewallRule/web; after: drop by "
               "FirewallRule/marked)\n"
               "newly denied: wan 192.0.2.0/24 -> dmz 10.2.0.5 tcp/80,443 (before: allow by "
               "FirewallRule/web; after: reject by FirewallRule/bad)\n"
               "denied otherwise: wan 192.0.2.0/24 -> dmz protocol 0-5,7-255 (before: drop by the "
               "default; after: reject by FirewallRule/bad)\n"
               "denied otherwise: wan 192.0.2.0/24 -> dmz 0.0.0.0-10.2.0.4,10.2.0.6-"
               "255.255.255.255 tcp (before: drop by the default; after: reject by "
               "FirewallRule/bad)\n"
               "denied otherwise: wan 192.0.2.0/24 -> dmz 10.2.0.5 tcp/0-79,81-442,444-65535 "
               "(before: drop by the default; after: reject by FirewallRule/bad)\n");
}

static void test_names_the_rest(void **state)
{
        g_autoptr(PtSlice) before = three_zones(), after = three_zones();

        fw_put_zone(after, "lan", "{\"interfaces\":[\"lan0\",\"lan1\"]}");
        fw_put_zone(after, "guest", "{\"interfaces\":[\"guest0\"],\"forward\":\"allow\"}");
        fw_put(after, "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"NatRule\",\"metadata\":{"
                      "\"name\":\"out\"},\"spec\":{\"type\":\"masquerade\",\"zone\":\"wan\"}}");
        expect(before, after,
               "newly allowed: guest -> any (before: drop by no zone; after: allow by the "
               "default)\n"
               "NatRule/out is new\n"
               "Zone/guest is new\n"
               "Zone/lan has changed: what belongs to it is not compared\n");
}

static void test_for_programs(void **state)
{
        g_autoptr(PtSlice) before = three_zones(), after = three_zones();
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(FwDifference) difference = NULL;
        FwSource old = {before, NULL}, new = {after, NULL};
        g_autoptr(GString) text = g_string_new(NULL);

        fw_put_rule(after, "v6", 20,
                    "{\"action\":\"allow\",\"from\":\"lan\",\"to\":\"wan\",\"protocol\":\"icmpv6\","
                    "\"icmpTypes\":[128],\"mark\":\"0x1/0xff\"}");
        assert_int_equal(fw_difference_new(&old, &new, diag, &difference), 0);
        assert_int_equal(difference->lines->len, 1);
        pt_json_to_canonical(g_ptr_array_index(difference->lines, 0), text);
        assert_string_equal(
                text->str,
                "{\"after\":\"allow by FirewallRule/v6\",\"before\":\"drop by the default\","
                "\"change\":\"newly-allowed\",\"conditions\":[\"mark 0x1/0xff\"],\"family\":"
                "\"ipv6\",\"from\":[\"lan\"],\"icmpTypes\":[\"128\"],\"protocol\":[\"icmpv6\"],"
                "\"text\":\"newly allowed: lan -> wan ipv6 icmpv6 type 128 if mark 0x1/0xff "
                "(before: drop by the default; after: allow by FirewallRule/v6)\",\"to\":["
                "\"wan\"]}");
}

/* Alike for packets is alike, however it is written. */
static void test_same_by_other_words(void **state)
{
        g_autoptr(PtSlice) before = three_zones(), after = three_zones();

        fw_put_rule(before, "net", 20,
                    "{\"action\":\"allow\",\"source\":{\"addresses\":[\"10.0.0.0/24\"]}}");
        fw_put_rule(after, "low", 20,
                    "{\"action\":\"allow\",\"source\":{\"addresses\":[\"10.0.0.0/25\"]}}");
        fw_put_rule(
                after, "high", 30,
                "{\"action\":\"allow\",\"source\":{\"addresses\":[\"10.0.0.128-10.0.0.255\"]}}");
        expect(before, after, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_packet),        cmocka_unit_test(test_says_what),
                cmocka_unit_test(test_few_lines),           cmocka_unit_test(test_each_sort),
                cmocka_unit_test(test_names_the_rest),      cmocka_unit_test(test_for_programs),
                cmocka_unit_test(test_same_by_other_words),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
