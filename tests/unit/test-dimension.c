/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The table of what rules ask, against packets whose bytes are written out here as the RFCs draw
 * them. */

#include "kinds/firewall/dimension.h"
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* RFC 791 3.1: DSCP 46, ECN 1, TCP, from 192.0.2.1 to 198.51.100.2; RFC 9293 3.1: 4660 to 443, SYN
 * and ECE. */
static const uint8_t ipv4[] = {0x45, 0xb9, 0,    40,   0, 0,   0,           0,          64,
                               6,    0,    0,    192,  0, 2,   1,           198,        51,
                               100,  2,    0x12, 0x34, 1, 187, [32] = 0x50, [33] = 0x42};
/* RFC 8200 3: version 6, DSCP 46, ECN 1, flow 0xabcde, ICMPv6; RFC 4443 3.1: unreachable, port. */
static const uint8_t ipv6[44] = {
        0x6b, 0x9a, 0xbc, 0xde,     0,           4,        58,       64,      0x20,
        1,    0x0d, 0xb8, [23] = 1, [24] = 0xfd, [39] = 2, [40] = 1, [41] = 4};

/* The number that a dimension has in a packet, its last 64 bits. */
static uint64_t read_packet(FwDimension dimension, int family)
{
        const uint8_t *packet = family == AF_INET ? ipv4 : ipv6;
        const FwPlace *place = fw_dimension_place(dimension, family);
        unsigned start = place->offset;
        uint64_t value = 0;

        if (fw_dimensions[dimension].layer == FW_LAYER_TRANSPORT)
                start += (family == AF_INET ? 20 : 40) * 8;
        for (unsigned i = start; i < start + place->width; i++)
                value = value << 1 | (packet[i / 8] >> (7 - i % 8) & 1);
        return value;
}

static void test_places(void **state)
{
        assert_int_equal(read_packet(FW_DIM_DSCP, AF_INET), 46);
        assert_int_equal(read_packet(FW_DIM_SOURCE_ADDRESS, AF_INET), 0xc0000201);
        assert_int_equal(read_packet(FW_DIM_DESTINATION_ADDRESS, AF_INET), 0xc6336402);
        assert_int_equal(read_packet(FW_DIM_SOURCE_PORT, AF_INET), 0x1234);
        assert_int_equal(read_packet(FW_DIM_DESTINATION_PORT, AF_INET), 443);
        assert_int_equal(read_packet(FW_DIM_TCP_FLAGS, AF_INET), 0x42);
        assert_int_equal(read_packet(FW_DIM_DSCP, AF_INET6), 46);
        assert_int_equal(read_packet(FW_DIM_SOURCE_ADDRESS, AF_INET6), 1);
        assert_int_equal(fw_dimension_place(FW_DIM_SOURCE_ADDRESS, AF_INET6)->width, 128);
        assert_int_equal(read_packet(FW_DIM_DESTINATION_ADDRESS, AF_INET6), 2);
        assert_int_equal(read_packet(FW_DIM_ICMP, AF_INET6), 0x0104);
}

/* What the compiler takes for granted. */
static void test_rows(void **state)
{
        for (FwDimension i = 0; i < FW_DIM_MAX; i++) {
                const FwDimensionInfo *info = &fw_dimensions[i];
                const FwPlace *places[] = {&info->ipv4, &info->ipv6};

                assert_non_null(info->name);
                for (unsigned k = 0; k < G_N_ELEMENTS(places); k++) {
                        assert_in_range(places[k]->width, 1, FW_VALUE_BYTES_MAX * 8);
                        assert_int_not_equal(places[k]->datatype, 0);
                        /* What a rule lists fills whole bytes, and is in network byte order. */
                        if (info->value == FW_VALUE_NONE)
                                continue;
                        assert_int_equal(places[k]->offset % 8, 0);
                        assert_int_equal(places[k]->width % 8, 0);
                        assert_false(info->host_order);
                        assert_int_not_equal(fw_value_size(info->value), 0);
                }
                /* What lies elsewhere in each family needs to know which it is. */
                if (memcmp(places[0], places[1], sizeof(*places[0])) != 0)
                        assert_true(info->needs & FW_NEED_FAMILY);
        }
}

static void test_intervals(void **state)
{
        const PtPortRange ports = {1023, 1024};
        const PtIcmpType unreachable = {3, 1, -1}, port = {3, 1, 3}, too_big = {-1, 2, -1};
        const PtPortRange length = {64, 1500};
        const char *name = "eth0", *glob = "eth*";
        const int protocol = IPPROTO_ESP;
        uint8_t lo[FW_VALUE_BYTES_MAX], hi[FW_VALUE_BYTES_MAX];

        assert_true(fw_value_interval(FW_DIM_SOURCE_PORT, AF_INET, &ports, lo, hi));
        assert_memory_equal(lo, "\x03\xff", 2);
        assert_memory_equal(hi, "\x04\x00", 2);
        assert_true(fw_value_interval(FW_DIM_ICMP, AF_INET, &unreachable, lo, hi));
        assert_memory_equal(lo, "\x03\x00", 2);
        assert_memory_equal(hi, "\x03\xff", 2);
        assert_true(fw_value_interval(FW_DIM_ICMP, AF_INET6, &port, lo, hi));
        assert_memory_equal(lo, "\x01\x03", 2);
        assert_memory_equal(hi, "\x01\x03", 2);
        assert_false(fw_value_interval(FW_DIM_ICMP, AF_INET, &too_big, lo, hi));
        assert_true(fw_value_interval(FW_DIM_PROTOCOL, AF_UNSPEC, &protocol, lo, hi));
        assert_int_equal(lo[0], 50);
        assert_int_equal(hi[0], 50);
        assert_true(fw_value_interval(FW_DIM_LENGTH, AF_INET6, &length, lo, hi));
        assert_memory_equal(lo, "\0\0\0\x40", 4);
        assert_memory_equal(hi, "\0\0\x05\xdc", 4);
        assert_true(fw_value_interval(FW_DIM_IN_INTERFACE, AF_INET, &name, lo, hi));
        assert_memory_equal(lo, "eth0\0\0\0\0\0\0\0\0\0\0\0", 16);
        assert_memory_equal(hi, lo, 16);
        assert_true(fw_value_interval(FW_DIM_OUT_INTERFACE, AF_INET, &glob, lo, hi));
        assert_memory_equal(lo, "eth\0\0\0\0\0\0\0\0\0\0\0\0", 16);
        assert_memory_equal(hi, "eth\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_rows),
                cmocka_unit_test(test_intervals),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
