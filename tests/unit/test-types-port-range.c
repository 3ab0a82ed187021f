/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_port_range(void **state)
{
        static const PtField field = {.type = &pt_type_port_range};
        static const TypeCase cases[] = {
                {"1", "1", NULL, NULL},
                {"65535", "65535", NULL, NULL},
                {"\"443\"", "443", NULL, NULL},
                {"\"80-80\"", "80", NULL, NULL},
                {"\"80-90\"", "\"80-90\"", NULL, NULL},
                {"\"1-65535\"", "\"1-65535\"", NULL, NULL},
                {"0", NULL, "out-of-range", "0 is out of range 1-65535"},
                {"70000", NULL, "out-of-range", "70000 is out of range 1-65535"},
                {"-5", NULL, "out-of-range", "-5"},
                {"\"0-5\"", NULL, "out-of-range", "0-5"},
                {"\"5-65536\"", NULL, "out-of-range", "5-65536"},
                {"\"99999999999999999999\"", NULL, "out-of-range", "1-65535"},
                {"\"90-80\"", NULL, "invalid-range", "write 80-90"},
                {"\"http\"", NULL, "invalid-port", "write a number"},
                {"\"80-\"", NULL, "invalid-port", "\"80-\""},
                {"\"-80\"", NULL, "invalid-port", "\"-80\""},
                {"\"080\"", NULL, "invalid-port", "\"080\""},
                {"\"80-90-100\"", NULL, "invalid-port", "80-90-100"},
                {"\"80 - 90\"", NULL, "invalid-port", "80 - 90"},
                {"\"\"", NULL, "invalid-port", "443"},
                {"true", NULL, "wrong-type", "true was given"},
        };
        static const char *const order[] = {"1", "2-3", "2-9", "10", "65535"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

/* The same values, with words of their own. */
static void test_length_range(void **state)
{
        static const PtField field = {.type = &pt_type_length_range};
        static const TypeCase cases[] = {
                {"1500", "1500", NULL, NULL},
                {"\"64-128\"", "\"64-128\"", NULL, NULL},
                {"0", NULL, "out-of-range", "0 is out of range 1-65535"},
                {"\"128-64\"", NULL, "invalid-range", "write 64-128"},
                {"\"big\"", NULL, "invalid-length", "a number of bytes"},
                {"[]", NULL, "wrong-type", "bytes"},
        };

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_port_range),
                cmocka_unit_test(test_length_range),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
