/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_mac_mask(void **state)
{
        static const PtField field = {.type = &pt_type_mac_mask};
        static const TypeCase cases[] = {
                {"\"02:00:5e:10:00:01\"", "\"02:00:5e:10:00:01\"", NULL, NULL},
                {"\"02-00-5E-10-00-0A\"", "\"02:00:5e:10:00:0a\"", NULL, NULL},
                {"\"02:00:5e:00:00:00/FF:ff:ff:00:00:00\"",
                 "\"02:00:5e:00:00:00/ff:ff:ff:00:00:00\"", NULL, NULL},
                {"\"02:00:5e:00:00:01/ff:ff:ff:ff:ff:ff\"", "\"02:00:5e:00:00:01\"", NULL, NULL},
                {"\"01:00:00:00:00:00/01:00:00:00:00:00\"",
                 "\"01:00:00:00:00:00/01:00:00:00:00:00\"", NULL, NULL},
                {"\"02:00:5e:10:00:00/ff:ff:ff:00:00:00\"", NULL, "never-matches",
                 "write 02:00:5e:00:00:00/ff:ff:ff:00:00:00"},
                {"\"02:00:5e:10:00\"", NULL, "invalid-mac", "six pairs"},
                {"\"02:00:5e:10:00:01/\"", NULL, "invalid-mac", "mask"},
                {"\"02:00:5e:10:00:01/24\"", NULL, "invalid-mac", "mask"},
                {"7", NULL, "wrong-type", "hardware address"},
        };
        static const char *const order[] = {"00:00:00:00:00:01",
                                            "02:00:5e:00:00:00/ff:ff:ff:00:00:00",
                                            "02:00:5e:00:00:00", "ff:ff:ff:ff:ff:ff"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mac_mask),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
