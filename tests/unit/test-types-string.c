/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_string(void **state)
{
        static const PtField field = {.type = &pt_type_string};
        static const TypeCase cases[] = {
                {"\"\"", "\"\"", NULL, NULL},
                {"\"ä \\\"x\\\"\"", "\"ä \\\"x\\\"\"", NULL, NULL},
                {"\"a\\nb\"", NULL, "invalid", "control character (0x0a) at byte 1"},
                {"\"\\u007f\"", NULL, "invalid", "0x7f"},
                {"5", NULL, "wrong-type", "write a string"},
                {"true", NULL, "wrong-type", "in quotes"},
        };
        static const char *const order[] = {"", "a", "ab", "b"};
        g_autofree char *schema = unit_type_schema(&field);

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
        assert_string_equal(schema, "{\"maxLength\":1024,\"type\":\"string\"}");
}

static void test_limits(void **state)
{
        static const PtField field = {.type = &pt_type_string, .min = 2, .max = 3};
        static const TypeCase cases[] = {
                {"\"ab\"", "\"ab\"", NULL, NULL},
                {"\"abc\"", "\"abc\"", NULL, NULL},
                {"\"a\"", NULL, "out-of-range", "1 bytes are out of range 2-3"},
                {"\"abcd\"", NULL, "out-of-range", "4 bytes"},
        };
        g_autofree char *schema = unit_type_schema(&field);

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        assert_string_equal(schema, "{\"maxLength\":3,\"minLength\":2,\"type\":\"string\"}");
}

/* A NUL cannot come by JSON text, but trees are made elsewhere too. */
static void test_nul(void **state)
{
        static const PtField field = {.type = &pt_type_string};
        pt_auto_json *json = json_object_new_string_len("a\0b", 3);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        char *value = NULL;

        (void) state;
        assert_int_equal(pt_type_string.from_json(&field, json, "", diag, &value), -EINVAL);
        assert_diag(diag, "wrong-type", "", "without NUL");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_string),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_nul),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
