/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_enum(void **state)
{
        static const PtField field = {.type = &pt_type_enum, .choices = fw_actions};
        static const TypeCase cases[] = {
                {"\"allow\"", "\"allow\"", NULL, NULL},
                {"\"reject\"", "\"reject\"", NULL, NULL},
                {"\"Allow\"", NULL, "unknown-value", "did you mean \"allow\"?"},
                {"\"ALLOW\"", NULL, "unknown-value", "did you mean \"allow\"?"},
                {"\"permit\"", NULL, "unknown-value", "known: allow, drop, reject"},
                {"0", NULL, "wrong-type", "write one of allow, drop, reject"},
                {"\"\"", NULL, "unknown-value", "known"},
        };
        static const char *const order[] = {"allow", "drop", "reject"};
        g_autofree char *schema = unit_type_schema(&field);

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
        assert_string_equal(schema,
                            "{\"enum\":[\"allow\",\"drop\",\"reject\"],\"type\":\"string\"}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_enum),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
