/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_name(void **state)
{
        static const PtField field = {.type = &pt_type_name};
        static const TypeCase cases[] = {
                {"\"a\"", "\"a\"", NULL, NULL},
                {"\"web-1.x_y\"", "\"web-1.x_y\"", NULL, NULL},
                {"\"A\"", NULL, "invalid-name", "\"A\" is not a name"},
                {"\"\"", NULL, "invalid-name", "1 to 63"},
                {"\"-a\"", NULL, "invalid-name", "first and last"},
                {"\"a b\"", NULL, "invalid-name", "a b"},
                {"\"ä\"", NULL, "invalid-name", "a-z"},
                {"1", NULL, "wrong-type", "write a name"},
                {"null", NULL, "wrong-type", "leave the field out"},
        };
        static const char *const order[] = {"a", "a-b", "b"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
