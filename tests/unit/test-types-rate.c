/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_rate(void **state)
{
        static const PtField field = {.type = &pt_type_rate};
        static const TypeCase cases[] = {
                {"\"10/second\"", "\"10/second\"", NULL, NULL},
                {"\"1000000/day\"", "\"1000000/day\"", NULL, NULL},
                {"\"60/minute\"", "\"60/minute\"", NULL, NULL},
                {"\"0/second\"", NULL, "invalid-rate", "10/second"},
                {"\"1000001/second\"", NULL, "invalid-rate", "1-1000000"},
                {"\"10/sec\"", NULL, "invalid-rate", "second, minute"},
                {"\"10\"", NULL, "invalid-rate", "10"},
                {"10", NULL, "wrong-type", "10/second"},
        };
        static const char *const order[] = {"1/day",    "1/hour",    "1/minute",
                                            "1/second", "60/minute", "10/second"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rate),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
