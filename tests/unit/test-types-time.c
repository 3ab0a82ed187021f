/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_time(void **state)
{
        static const PtField field = {.type = &pt_type_time};
        static const TypeCase cases[] = {
                {"\"00:00\"", "\"00:00\"", NULL, NULL},
                {"\"08:30\"", "\"08:30\"", NULL, NULL},
                {"\"23:59\"", "\"23:59\"", NULL, NULL},
                {"\"24:00\"", NULL, "invalid-time", "23:59"},
                {"\"12:60\"", NULL, "invalid-time", "12:60"},
                {"\"8:30\"", NULL, "invalid-time", "8:30"},
                {"\"08.30\"", NULL, "invalid-time", "08.30"},
                {"\"08:3x\"", NULL, "invalid-time", "minutes"},
                {"\"\"", NULL, "invalid-time", "minutes"},
                {"510", NULL, "wrong-type", "08:00"},
        };
        static const char *const order[] = {"00:00", "00:01", "01:00", "12:00", "23:59"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_time),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
