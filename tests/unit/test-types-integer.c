/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_u8(void **state)
{
        static const PtField field = {.type = &pt_type_u8};
        static const TypeCase cases[] = {
                {"0", "0", NULL, NULL},
                {"255", "255", NULL, NULL},
                {"256", NULL, "out-of-range", "256 is out of range 0-255"},
                {"-1", NULL, "out-of-range", "-1 is out of range"},
                {"\"1\"", NULL, "wrong-type", "write a number 0-255"},
        };
        static const char *const order[] = {"0", "1", "255"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

static void test_u16(void **state)
{
        static const PtField field = {.type = &pt_type_u16};
        static const TypeCase cases[] = {
                {"0", "0", NULL, NULL},
                {"65535", "65535", NULL, NULL},
                {"65536", NULL, "out-of-range", "0-65535"},
                {"true", NULL, "wrong-type", "true was given"},
                {"9223372036854775807", NULL, "out-of-range", "9223372036854775807"},
        };
        static const char *const order[] = {"0", "9", "10", "65535"};
        g_autofree char *schema = unit_type_schema(&field);

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
        assert_string_equal(schema, "{\"maximum\":65535,\"minimum\":0,\"type\":\"integer\"}");
}

static void test_u32(void **state)
{
        static const PtField field = {.type = &pt_type_u32};
        static const TypeCase cases[] = {
                {"0", "0", NULL, NULL},
                {"4294967295", "4294967295", NULL, NULL},
                {"4294967296", NULL, "out-of-range", "0-4294967295"},
        };
        static const char *const order[] = {"0", "2147483648", "4294967295"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

static void test_limits(void **state)
{
        static const PtField field = {.type = &pt_type_u8, .min = 3, .max = 63};
        static const TypeCase cases[] = {
                {"3", "3", NULL, NULL},
                {"63", "63", NULL, NULL},
                {"2", NULL, "out-of-range", "2 is out of range 3-63"},
                {"64", NULL, "out-of-range", "64 is out of range 3-63"},
        };
        g_autofree char *schema = unit_type_schema(&field);

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        assert_string_equal(schema, "{\"maximum\":63,\"minimum\":3,\"type\":\"integer\"}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_u8),
                cmocka_unit_test(test_u16),
                cmocka_unit_test(test_u32),
                cmocka_unit_test(test_limits),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
