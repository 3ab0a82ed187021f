/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_ether_type(void **state)
{
        static const PtField field = {.type = &pt_type_ether_type};
        static const TypeCase cases[] = {
                {"\"ipv4\"", "\"ipv4\"", NULL, NULL},
                {"\"0x0800\"", "\"ipv4\"", NULL, NULL},
                {"2054", "\"arp\"", NULL, NULL},
                {"\"34525\"", "\"ipv6\"", NULL, NULL},
                {"\"0x88CC\"", "\"0x88cc\"", NULL, NULL},
                {"1536", "\"0x0600\"", NULL, NULL},
                {"\"0xffff\"", "\"0xffff\"", NULL, NULL},
                {"1535", NULL, "out-of-range", "0x0600-0xffff"},
                {"65536", NULL, "out-of-range", "0x0600-0xffff"},
                {"-1", NULL, "out-of-range", "0x0600-0xffff"},
                {"\"0x\"", NULL, "invalid-ether-type", "ipv4, ipv6, arp"},
                {"\"0x10800\"", NULL, "invalid-ether-type", "ipv4, ipv6, arp"},
                {"\"ip\"", NULL, "invalid-ether-type", "ipv4, ipv6, arp"},
                {"true", NULL, "wrong-type", "ipv4, ipv6, arp"},
        };
        static const char *const order[] = {"0x0600", "ipv4", "arp", "ipv6", "0x88cc"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

static void test_arp_operation(void **state)
{
        static const PtField field = {.type = &pt_type_arp_operation};
        static const TypeCase cases[] = {
                {"\"request\"", "\"request\"", NULL, NULL},
                {"2", "\"reply\"", NULL, NULL},
                {"\"8\"", "8", NULL, NULL},
                {"65535", "65535", NULL, NULL},
                {"0", NULL, "out-of-range", "1-65535"},
                {"65536", NULL, "out-of-range", "1-65535"},
                {"\"ask\"", NULL, "invalid-arp-operation", "request, reply"},
                {"[]", NULL, "wrong-type", "request, reply"},
        };
        static const char *const order[] = {"request", "reply", "3", "65535"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ether_type),
                cmocka_unit_test(test_arp_operation),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
