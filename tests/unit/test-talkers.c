/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Connections added up: by what, in which order, and what is said of those that there is no place for. */

#include "talkers.h"

#include "base/marks.h"
#include "unit.h"

#include <arpa/inet.h>
#include <string.h>

typedef struct Flow {
        const char *source, *destination, *answers; /* NULL: the destination */
        uint8_t protocol;
        uint16_t port;
        uint8_t from, to;
        uint64_t there, back; /* bytes, of packets of 100; both 0: the kernel did not count it */
} Flow;

static PtConnection connection(const Flow *flow)
{
        PtConnection c = {.protocol = flow->protocol, .id = 7};

        c.family = strchr(flow->source, ':') ? AF_INET6 : AF_INET;
        assert_int_equal(inet_pton(c.family, flow->source, c.original.source), 1);
        assert_int_equal(inet_pton(c.family, flow->destination, c.original.destination), 1);
        assert_int_equal(inet_pton(c.family, flow->answers ?: flow->destination, c.reply.source),
                         1);
        c.original.source_port = 4711;
        c.original.destination_port = 1;
        c.reply.source_port = flow->port;
        c.mark = (uint32_t) flow->from << PT_CTMARK_FROM_SHIFT |
                 (uint32_t) flow->to << PT_CTMARK_TO_SHIFT | 5;
        if (flow->there + flow->back > 0) {
                c.flags = PT_CONNECTION_COUNTED;
                c.bytes[0] = flow->there;
                c.bytes[1] = flow->back;
                c.packets[0] = flow->there / 100;
                c.packets[1] = flow->back / 100;
        }
        return c;
}

static GArray *add_up(const Flow *flows, size_t n, FwTalkBy by, FwTalkWhat what, unsigned limit,
                      FwTalkTotal *total)
{
        g_autoptr(FwTalk) talk = fw_talk_new(by, what, 64);

        for (size_t i = 0; i < n; i++) {
                PtConnection c = connection(&flows[i]);

                fw_talk_add(talk, &c);
        }
        return fw_talk_top(talk, limit, total);
}

static const FwTalker *row(const GArray *rows, unsigned i)
{
        assert_true(i < rows->len);
        return &g_array_index(rows, FwTalker, i);
}

static void assert_address(const FwTalker *talker, bool destination, const char *expected)
{
        char text[INET6_ADDRSTRLEN];

        assert_non_null(inet_ntop(talker->key.family,
                                  destination ? talker->key.destination : talker->key.source, text,
                                  sizeof(text)));
        assert_string_equal(text, expected);
}

enum { LAN = 3, DMZ = 4, WAN = 9 };

static const Flow flows[] = {
        {"10.0.0.1", "192.0.2.1", NULL, IPPROTO_TCP, 443, LAN, WAN, 1000, 9000},
        {"10.0.0.2", "192.0.2.1", NULL, IPPROTO_UDP, 53, LAN, WAN, 100, 200},
        {"10.0.0.2", "192.0.2.2", NULL, IPPROTO_UDP, 53, LAN, WAN, 100, 200},
        {"10.0.0.2", "198.51.100.9", "10.3.0.7", IPPROTO_TCP, 443, LAN, DMZ, 300, 400},
        {"fd00::1", "2001:db8::1", NULL, IPPROTO_TCP, 443, LAN, WAN, 20000, 500},
        {"fd00::1", "2001:db8::1", NULL, IPPROTO_ICMPV6, 0, LAN, WAN, 800, 800},
        {"10.9.0.1", "10.0.0.1", NULL, IPPROTO_TCP, 22, 0, 0, 100, 100},
};

static void test_sources(void **state)
{
        FwTalkTotal total;
        g_autoptr(GArray) rows =
                add_up(flows, G_N_ELEMENTS(flows), FW_TALK_SOURCE, FW_TALK_BYTES, 100, &total);
        g_autoptr(GArray) two =
                add_up(flows, G_N_ELEMENTS(flows), FW_TALK_SOURCE, FW_TALK_CONNECTIONS, 2, &total);

        assert_int_equal(rows->len, 4);
        assert_address(row(rows, 0), false, "fd00::1");
        assert_int_equal(row(rows, 0)->bytes[0], 20800);
        assert_int_equal(row(rows, 0)->bytes[1], 1300);
        assert_int_equal(row(rows, 0)->packets[0], 208);
        assert_int_equal(row(rows, 0)->packets[1], 13);
        assert_int_equal(row(rows, 0)->connections, 2);
        assert_int_equal(row(rows, 0)->missed, 0);
        assert_address(row(rows, 1), false, "10.0.0.1");
        assert_address(row(rows, 2), false, "10.0.0.2");
        assert_int_equal(row(rows, 2)->bytes[0] + row(rows, 2)->bytes[1], 1300);
        assert_int_equal(row(rows, 2)->zones[0], FW_TALK_ONE);
        assert_int_equal(row(rows, 2)->marks[0], LAN);
        assert_int_equal(row(rows, 2)->zones[1], FW_TALK_SEVERAL);
        assert_address(row(rows, 3), false, "10.9.0.1");
        assert_int_equal(row(rows, 3)->zones[0], FW_TALK_UNKNOWN);

        assert_int_equal(two->len, 2);
        assert_address(row(two, 0), false, "10.0.0.2");
        assert_address(row(two, 1), false, "fd00::1");
        assert_int_equal(total.rows, 2);
        assert_int_equal(total.connections, 7);
        assert_int_equal(total.uncounted, 0);
        assert_int_equal(total.bytes, 33600);
        assert_int_equal(total.packets, 336);
        assert_int_equal(total.thrown, 0);
        assert_int_equal(total.what, FW_TALK_CONNECTIONS);
}

/* Who answers is the server behind a translation. */
static void test_destinations_and_pairs(void **state)
{
        FwTalkTotal total;
        g_autoptr(GArray) rows = add_up(flows, G_N_ELEMENTS(flows), FW_TALK_DESTINATION,
                                        FW_TALK_PACKETS, 100, &total);
        g_autoptr(GArray) pairs =
                add_up(flows, G_N_ELEMENTS(flows), FW_TALK_PAIR, FW_TALK_BYTES, 100, &total);

        assert_int_equal(rows->len, 5);
        assert_address(row(rows, 0), true, "2001:db8::1");
        assert_address(row(rows, 1), true, "192.0.2.1");
        assert_int_equal(row(rows, 1)->packets[0] + row(rows, 1)->packets[1], 103);
        assert_address(row(rows, 2), true, "10.3.0.7");
        assert_int_equal(row(rows, 2)->marks[1], DMZ);

        assert_int_equal(pairs->len, 6);
        assert_address(row(pairs, 1), false, "10.0.0.1");
        assert_address(row(pairs, 1), true, "192.0.2.1");
        /* equals: those with more connections, then by address */
        assert_address(row(pairs, 3), true, "192.0.2.1");
        assert_address(row(pairs, 4), true, "192.0.2.2");
}

static void test_services_and_zones(void **state)
{
        FwTalkTotal total;
        g_autoptr(GArray) services =
                add_up(flows, G_N_ELEMENTS(flows), FW_TALK_SERVICE, FW_TALK_BYTES, 100, &total);
        g_autoptr(GArray) zones =
                add_up(flows, G_N_ELEMENTS(flows), FW_TALK_ZONE, FW_TALK_BYTES, 100, &total);

        assert_int_equal(services->len, 4);
        assert_int_equal(row(services, 0)->key.port, 443);
        assert_int_equal(row(services, 0)->key.protocol, IPPROTO_TCP);
        assert_int_equal(row(services, 0)->connections, 3);
        assert_int_equal(row(services, 1)->key.protocol, IPPROTO_ICMPV6);
        assert_false(row(services, 1)->key.has_port);
        assert_int_equal(row(services, 2)->key.port, 53);

        assert_int_equal(zones->len, 3);
        assert_int_equal(row(zones, 0)->key.from, LAN);
        assert_int_equal(row(zones, 0)->key.to, WAN);
        assert_int_equal(row(zones, 1)->key.to, DMZ);
        assert_false(row(zones, 2)->key.has_zones);
}

static void test_without_numbers(void **state)
{
        static const Flow some[] = {
                {"10.0.0.1", "192.0.2.1", NULL, IPPROTO_TCP, 443, LAN, WAN, 0, 0},
                {"10.0.0.2", "192.0.2.1", NULL, IPPROTO_TCP, 443, LAN, WAN, 0, 0},
                {"10.0.0.2", "192.0.2.2", NULL, IPPROTO_TCP, 443, LAN, WAN, 0, 0},
                {"10.0.0.1", "192.0.2.3", NULL, IPPROTO_TCP, 443, LAN, WAN, 10, 20},
        };
        FwTalkTotal total;
        g_autoptr(GArray) none = add_up(some, 3, FW_TALK_SOURCE, FW_TALK_BYTES, 100, &total);
        g_autoptr(GArray) one = NULL;

        assert_int_equal(total.what, FW_TALK_CONNECTIONS);
        assert_int_equal(total.uncounted, 3);
        assert_address(row(none, 0), false, "10.0.0.2");
        assert_int_equal(row(none, 0)->uncounted, 2);
        one = add_up(some, 4, FW_TALK_SOURCE, FW_TALK_BYTES, 100, &total);
        assert_int_equal(total.what, FW_TALK_BYTES);
        assert_int_equal(total.uncounted, 3);
        assert_address(row(one, 0), false, "10.0.0.1");
        assert_int_equal(row(one, 0)->uncounted, 1);
        assert_int_equal(row(one, 0)->bytes[1], 20);
}

static void test_nothing(void **state)
{
        FwTalkTotal total;
        g_autoptr(GArray) rows = add_up(NULL, 0, FW_TALK_PAIR, FW_TALK_BYTES, 100, &total);

        assert_int_equal(rows->len, 0);
        assert_int_equal(total.rows, 0);
        assert_int_equal(total.connections, 0);
}

#define SOURCES 500U
#define PLACES 32U

static uint32_t draw(uint32_t *seed)
{
        *seed = *seed * 1664525U + 1013904223U;
        return *seed >> 8;
}

static unsigned source_of(const FwTalker *talker)
{
        return (unsigned) talker->key.source[2] * 256 + talker->key.source[3];
}

/*
 * Many more keys than places: what a row says was there, no more was missed than it says, and who has
 * more than one part in PLACES of the whole is among the rows. With numbers and without any.
 */
static void test_more_than_there_are_places(void **state)
{
        for (uint32_t round = 0; round < 60; round++) {
                g_autoptr(FwTalk) talk = fw_talk_new(FW_TALK_SOURCE, round % 3, PLACES);
                uint64_t had[SOURCES] = {0}, all = 0;
                bool numbers = round % 2, seen[SOURCES] = {false};
                g_autoptr(GArray) rows = NULL;
                uint32_t seed = round;
                FwTalkTotal total;

                for (unsigned i = 0; i < 6000; i++) {
                        unsigned source = draw(&seed) % (i % 2 ? SOURCES : 9);
                        uint64_t size = 1 + draw(&seed) % 1000, value;
                        PtConnection c = {.family = AF_INET, .protocol = IPPROTO_UDP};

                        c.original.source[0] = 10;
                        c.original.source[2] = (uint8_t) (source / 256);
                        c.original.source[3] = (uint8_t) source;
                        if (numbers) {
                                c.flags = PT_CONNECTION_COUNTED;
                                c.bytes[i % 2] = size * 50;
                                c.packets[i % 2] = size;
                        }
                        fw_talk_add(talk, &c);
                        value = !numbers || round % 3 == FW_TALK_CONNECTIONS ? 1
                                : round % 3 == FW_TALK_BYTES                 ? size * 50
                                                                             : size;
                        had[source] += value;
                        all += value;
                }
                rows = fw_talk_top(talk, PLACES, &total);
                assert_int_equal(rows->len, PLACES);
                assert_true(total.thrown > 0);
                assert_int_equal(total.connections, 6000);
                for (unsigned i = 0; i < rows->len; i++) {
                        const FwTalker *talker = row(rows, i);
                        unsigned source = source_of(talker);
                        uint64_t value = total.what == FW_TALK_CONNECTIONS ? talker->connections
                                         : total.what == FW_TALK_BYTES
                                                 ? talker->bytes[0] + talker->bytes[1]
                                                 : talker->packets[0] + talker->packets[1];

                        assert_false(seen[source]);
                        seen[source] = true;
                        assert_true(value > 0);
                        assert_true(value <= had[source]);
                        assert_true(had[source] <= value + talker->missed);
                }
                for (unsigned i = 0; i < SOURCES; i++)
                        assert_true(seen[i] || had[i] <= all / PLACES);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sources),
                cmocka_unit_test(test_destinations_and_pairs),
                cmocka_unit_test(test_services_and_zones),
                cmocka_unit_test(test_without_numbers),
                cmocka_unit_test(test_nothing),
                cmocka_unit_test(test_more_than_there_are_places),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
