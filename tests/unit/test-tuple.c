/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "txn/tuple.h"
#include "unit.h"

#include <netinet/in.h>
#include <string.h>

static void test_texts(void **state)
{
        static const struct {
                const char *text, *canonical;
        } good[] = {
                {"192.0.2.7 51234 192.0.2.1 22", NULL},
                {"2001:db8::7 51234 2001:db8::1 22", NULL},
                {"fe80::7%eth0 1 fe80::1%eth0 65535", "fe80::7 1 fe80::1 65535"},
                {"::ffff:192.0.2.7 51234 ::ffff:192.0.2.1 22", "192.0.2.7 51234 192.0.2.1 22"},
                {"::ffff:192.0.2.7 51234 192.0.2.1 22", "192.0.2.7 51234 192.0.2.1 22"},
        };
        char buffer[PT_TUPLE_TEXT_MAX];
        PtTuple tuple;

        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                assert_int_equal(pt_tuple_parse(good[i].text, &tuple), 0);
                assert_string_equal(pt_tuple_format(&tuple, buffer),
                                    good[i].canonical ?: good[i].text);
                assert_int_equal(tuple.protocol, IPPROTO_TCP);
        }
}

static void test_members(void **state)
{
        static const uint8_t client[16] = {192, 0, 2, 7}, local[16] = {192, 0, 2, 1};
        PtTuple tuple;

        assert_int_equal(pt_tuple_parse("192.0.2.7 51234 192.0.2.1 22", &tuple), 0);
        assert_int_equal(tuple.family, AF_INET);
        assert_memory_equal(tuple.client, client, sizeof(client));
        assert_memory_equal(tuple.local, local, sizeof(local));
        assert_int_equal(tuple.client_port, 51234);
        assert_int_equal(tuple.local_port, 22);
}

static void test_refused(void **state)
{
        static const char *const bad[] = {
                "",
                "192.0.2.7",
                "192.0.2.7 51234 192.0.2.1",
                "192.0.2.7 51234 192.0.2.1 22 ",
                "192.0.2.7 51234 192.0.2.1 22 x",
                "192.0.2.7  51234 192.0.2.1 22",
                "192.0.2.7 51234 2001:db8::1 22",
                "192.0.2.7 0 192.0.2.1 22",
                "192.0.2.7 65536 192.0.2.1 22",
                "192.0.2.7 -1 192.0.2.1 22",
                "192.0.2.7 0x16 192.0.2.1 22",
                "192.0.2.7%eth0 1 192.0.2.1 22",
                "host 1 192.0.2.1 22",
        };
        g_autofree char *lengthy = g_strnfill(100000, ' ');
        PtTuple tuple = {.family = 42};

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
                assert_int_equal(pt_tuple_parse(bad[i], &tuple), -EINVAL);
        assert_int_equal(pt_tuple_parse(lengthy, &tuple), -EINVAL);
        assert_int_equal(tuple.family, 42);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_texts),
                cmocka_unit_test(test_members),
                cmocka_unit_test(test_refused),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
