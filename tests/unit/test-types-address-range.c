/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_addresses(void **state)
{
        static const PtField field = {.type = &pt_type_address_range};
        static const TypeCase cases[] = {
                {"\"192.0.2.1\"", "\"192.0.2.1\"", NULL, NULL},
                {"\"192.0.2.1/32\"", "\"192.0.2.1\"", NULL, NULL},
                {"\"0.0.0.0/0\"", "\"0.0.0.0/0\"", NULL, NULL},
                {"\"10.0.0.0/8\"", "\"10.0.0.0/8\"", NULL, NULL},
                {"\"::\"", "\"::\"", NULL, NULL},
                {"\"::/0\"", "\"::/0\"", NULL, NULL},
                {"\"2001:DB8:0:0::1\"", "\"2001:db8::1\"", NULL, NULL},
                {"\"2001:db8::/32\"", "\"2001:db8::/32\"", NULL, NULL},
                {"\"2001:db8::1/128\"", "\"2001:db8::1\"", NULL, NULL},
                {"\"2001:db8::/127\"", "\"2001:db8::/127\"", NULL, NULL},
                {"\"128.0.0.0/1\"", "\"128.0.0.0/1\"", NULL, NULL},
                {"\"255.255.255.255\"", "\"255.255.255.255\"", NULL, NULL},
                {"\"10.0.0.1/8\"", NULL, "host-bits",
                 "write 10.0.0.0/8 for the network, or 10.0.0.1 for the host"},
                {"\"2001:db8::1/64\"", NULL, "host-bits", "write 2001:db8::/64"},
                {"\"1.2.3.4/0\"", NULL, "host-bits", "write 0.0.0.0/0"},
                {"\"::ffff:1.2.3.4\"", NULL, "invalid-address", "write 1.2.3.4"},
                {"\"::ffff:0:0/96\"", NULL, "invalid-address", "IPv4-mapped"},
                {"\"fe80::1%eth0\"", NULL, "invalid-address", "zone id"},
                {"\"1.2.3\"", NULL, "invalid-address", "is not an address"},
                {"\"1.2.3.4.5\"", NULL, "invalid-address", "is not an address"},
                {"\"01.2.3.4\"", NULL, "invalid-address", "is not an address"},
                {"\"1.2.3.256\"", NULL, "invalid-address", "is not an address"},
                {"\" 1.2.3.4\"", NULL, "invalid-address", "is not an address"},
                {"\"\"", NULL, "invalid-address", "is not an address"},
                {"\"localhost\"", NULL, "invalid-address", "is not an address"},
                {"\"2001:db8:::1\"", NULL, "invalid-address", "is not an address"},
                {"\"10.0.0.0/33\"", NULL, "invalid-address", "0-32"},
                {"\"::/129\"", NULL, "invalid-address", "0-128"},
                {"\"10.0.0.0/08\"", NULL, "invalid-address", "0-32"},
                {"\"10.0.0.0/\"", NULL, "invalid-address", "0-32"},
                {"\"10.0.0.0/+8\"", NULL, "invalid-address", "0-32"},
                {"\"10.0.0.0/8/8\"", NULL, "invalid-address", "0-32"},
                {"\"10.0.0.0/255.0.0.0\"", NULL, "invalid-address", "0-32"},
                {"5", NULL, "wrong-type", "write an address"},
                {"\"192.0.2.10-192.0.2.20\"", "\"192.0.2.10-192.0.2.20\"", NULL, NULL},
                {"\"2001:db8::1-2001:db8::ff\"", "\"2001:db8::1-2001:db8::ff\"", NULL, NULL},
                {"\"10.0.0.0-10.255.255.255\"", "\"10.0.0.0/8\"", NULL, NULL},
                {"\"0.0.0.0-255.255.255.255\"", "\"0.0.0.0/0\"", NULL, NULL},
                {"\"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff\"", "\"::/0\"", NULL, NULL},
                {"\"1.2.3.4-1.2.3.4\"", "\"1.2.3.4\"", NULL, NULL},
                {"\"1.2.3.5-1.2.3.6\"", "\"1.2.3.5-1.2.3.6\"", NULL, NULL},
                {"\"1.2.3.4-1.2.3.5\"", "\"1.2.3.4/31\"", NULL, NULL},
                {"\"2.0.0.0-1.0.0.0\"", NULL, "invalid-range", "write 1.0.0.0-2.0.0.0"},
                {"\"1.2.3.4-::1\"", NULL, "mixed-families", "begins in one family"},
                {"\"1.2.3.4-5\"", NULL, "invalid-address", "is not an address"},
                {"\"1.2.3.4-\"", NULL, "invalid-address", "is not an address"},
                {"\"-1.2.3.4\"", NULL, "invalid-address", "is not an address"},
                {"\"1.2.3.0-1.2.3.255/24\"", NULL, "invalid-address", "is not an address"},
        };
        static const char *const order[] = {
                "0.0.0.0/0",     "0.0.0.0",    "9.0.0.0",         "10.0.0.0/8", "10.0.0.0-10.0.0.9",
                "10.0.0.0",      "10.0.0.1",   "255.255.255.255", "::",         "2001:db8::/32",
                "2001:db8::/64", "2001:db8::1"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

static void test_prefixes(void **state)
{
        static const PtField field = {.type = &pt_type_prefix};
        static const TypeCase cases[] = {
                {"\"192.0.2.1\"", "\"192.0.2.1\"", NULL, NULL},
                {"\"192.0.2.1/32\"", "\"192.0.2.1\"", NULL, NULL},
                {"\"0.0.0.0/0\"", "\"0.0.0.0/0\"", NULL, NULL},
                {"\"10.0.0.0/8\"", "\"10.0.0.0/8\"", NULL, NULL},
                {"\"::\"", "\"::\"", NULL, NULL},
                {"\"::/0\"", "\"::/0\"", NULL, NULL},
                {"\"2001:DB8:0:0::1\"", "\"2001:db8::1\"", NULL, NULL},
                {"\"2001:db8::/32\"", "\"2001:db8::/32\"", NULL, NULL},
                {"\"2001:db8::1/128\"", "\"2001:db8::1\"", NULL, NULL},
                {"\"2001:db8::/127\"", "\"2001:db8::/127\"", NULL, NULL},
                {"\"128.0.0.0/1\"", "\"128.0.0.0/1\"", NULL, NULL},
                {"\"255.255.255.255\"", "\"255.255.255.255\"", NULL, NULL},
                {"\"10.0.0.1/8\"", NULL, "host-bits",
                 "write 10.0.0.0/8 for the network, or 10.0.0.1 for the host"},
                {"\"2001:db8::1/64\"", NULL, "host-bits", "write 2001:db8::/64"},
                {"\"1.2.3.4/0\"", NULL, "host-bits", "write 0.0.0.0/0"},
                {"\"::ffff:1.2.3.4\"", NULL, "invalid-address", "write 1.2.3.4"},
                {"\"::ffff:0:0/96\"", NULL, "invalid-address", "IPv4-mapped"},
                {"\"fe80::1%eth0\"", NULL, "invalid-address", "zone id"},
                {"\"1.2.3\"", NULL, "invalid-address", "is not an address"},
                {"\"1.2.3.4.5\"", NULL, "invalid-address", "is not an address"},
                {"\"01.2.3.4\"", NULL, "invalid-address", "is not an address"},
                {"\"1.2.3.256\"", NULL, "invalid-address", "is not an address"},
                {"\" 1.2.3.4\"", NULL, "invalid-address", "is not an address"},
                {"\"\"", NULL, "invalid-address", "is not an address"},
                {"\"localhost\"", NULL, "invalid-address", "is not an address"},
                {"\"2001:db8:::1\"", NULL, "invalid-address", "is not an address"},
                {"\"10.0.0.0/33\"", NULL, "invalid-address", "0-32"},
                {"\"::/129\"", NULL, "invalid-address", "0-128"},
                {"\"10.0.0.0/08\"", NULL, "invalid-address", "0-32"},
                {"\"10.0.0.0/\"", NULL, "invalid-address", "0-32"},
                {"\"10.0.0.0/+8\"", NULL, "invalid-address", "0-32"},
                {"\"10.0.0.0/8/8\"", NULL, "invalid-address", "0-32"},
                {"\"10.0.0.0/255.0.0.0\"", NULL, "invalid-address", "0-32"},
                {"5", NULL, "wrong-type", "write an address"},
                {"\"10.0.0.0-10.255.255.255\"", "\"10.0.0.0/8\"", NULL, NULL},
                {"\"192.0.2.10-192.0.2.20\"", NULL, "invalid-address", "is not one prefix"},
        };

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
}

static void test_value(void **state)
{
        static const PtField field = {.type = &pt_type_address_range};
        pt_auto_json *json = json_object_new_string("10.1.0.0/16");
        PtAddressRange range = {};
        static const uint8_t lo[16] = {10, 1, 0, 0}, hi[16] = {10, 1, 255, 255};

        (void) state;
        assert_int_equal(pt_type_address_range.from_json(&field, json, "", NULL, &range), 0);
        assert_int_equal(range.family, AF_INET);
        assert_int_equal(range.plen, 16);
        assert_memory_equal(range.lo, lo, 16);
        assert_memory_equal(range.hi, hi, 16);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_addresses),
                cmocka_unit_test(test_prefixes),
                cmocka_unit_test(test_value),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
