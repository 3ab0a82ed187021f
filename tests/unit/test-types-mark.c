/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_mark(void **state)
{
        static const PtField field = {.type = &pt_type_mark};
        static const TypeCase cases[] = {
                {"\"0x10/0xff\"", "\"0x10/0xff\"", NULL, NULL},
                {"16", "\"0x10\"", NULL, NULL},
                {"\"16\"", "\"0x10\"", NULL, NULL},
                {"\"0xffffffff\"", "\"0xffffffff\"", NULL, NULL},
                {"\"0x1/0xffffffff\"", "\"0x1\"", NULL, NULL},
                {"0", "\"0x0\"", NULL, NULL},
                {"\"0x10/0xf\"", NULL, "never-matches", "0x0/0xf"},
                {"\"0x100000000\"", NULL, "invalid-mark", "0xffffffff"},
                {"4294967296", NULL, "invalid-mark", "4294967296"},
                {"-1", NULL, "invalid-mark", "-1"},
                {"\"0x\"", NULL, "invalid-mark", "0x10/0xff"},
                {"\"1/\"", NULL, "invalid-mark", "mask"},
                {"true", NULL, "wrong-type", "0x10"},
        };
        static const char *const order[] = {"0x0", "0x1/0xff", "0x1", "0xffffffff"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mark),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
