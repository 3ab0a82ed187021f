/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_ifname(void **state)
{
        static const PtField field = {.type = &pt_type_ifname};
        static const TypeCase cases[] = {
                {"\"eth0\"", "\"eth0\"", NULL, NULL},
                {"\"eth0.100\"", "\"eth0.100\"", NULL, NULL},
                {"\"br-lan@x\"", "\"br-lan@x\"", NULL, NULL},
                {"\"abcdefghijklmno\"", "\"abcdefghijklmno\"", NULL, NULL},
                {"\"vlan*\"", "\"vlan*\"", NULL, NULL},
                {"\"abcdefghijklmn*\"", "\"abcdefghijklmn*\"", NULL, NULL},
                {"\"abcdefghijklmnop\"", NULL, "invalid-interface", "longer than 15 bytes"},
                {"\"abcdefghijklmno*\"", NULL, "invalid-interface", "longer than 15 bytes"},
                {"\"\"", NULL, "invalid-interface", "is empty"},
                {"\"*\"", NULL, "invalid-interface", "is every interface"},
                {"\"e*h\"", NULL, "invalid-interface", "* that is not at the end"},
                {"\"**\"", NULL, "invalid-interface", "not at the end"},
                {"\".\"", NULL, "invalid-interface", "kernel"},
                {"\"..\"", NULL, "invalid-interface", "kernel"},
                {"\"a/b\"", NULL, "invalid-interface", "character other"},
                {"\"a:0\"", NULL, "invalid-interface", "character other"},
                {"\"a b\"", NULL, "invalid-interface", "character other"},
                {"\"ä\"", NULL, "invalid-interface", "character other"},
                {"\"a\\\"b\"", NULL, "invalid-interface", "character other"},
                {"0", NULL, "wrong-type", "write an interface name"},
        };
        static const char *const order[] = {"eth*", "eth0", "eth1"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ifname),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
