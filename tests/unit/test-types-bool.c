/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_bool(void **state)
{
        static const PtField field = {.type = &pt_type_bool};
        static const TypeCase cases[] = {
                {"true", "true", NULL, NULL},
                {"false", "false", NULL, NULL},
                {"\"true\"", NULL, "wrong-type", "a string was given; write true or false"},
                {"1", NULL, "wrong-type", "a number was given"},
                {"null", NULL, "wrong-type", "null was given"},
                {"[]", NULL, "wrong-type", "a list"},
                {"{}", NULL, "wrong-type", "a mapping"},
        };
        static const char *const order[] = {"false", "true"};
        g_autofree char *schema = unit_type_schema(&field);

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
        assert_string_equal(schema, "{\"type\":\"boolean\"}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bool),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
