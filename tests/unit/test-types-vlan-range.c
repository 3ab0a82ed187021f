/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_vlan_range(void **state)
{
        static const PtField field = {.type = &pt_type_vlan_range};
        static const TypeCase cases[] = {
                {"10", "10", NULL, NULL},
                {"\"10\"", "10", NULL, NULL},
                {"\"10-20\"", "\"10-20\"", NULL, NULL},
                {"\"1-4094\"", "\"1-4094\"", NULL, NULL},
                {"\"untagged\"", "\"untagged\"", NULL, NULL},
                {"0", NULL, "out-of-range", "1-4094"},
                {"4095", NULL, "out-of-range", "1-4094"},
                {"\"1-4095\"", NULL, "out-of-range", "1-4094"},
                {"\"20-10\"", NULL, "invalid-range", "10-20"},
                {"\"tagged\"", NULL, "invalid-vlan", "untagged"},
                {"false", NULL, "wrong-type", "untagged"},
        };
        static const char *const order[] = {"untagged", "1", "1-2", "2", "4094"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_vlan_range),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
