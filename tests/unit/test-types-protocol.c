/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_protocol(void **state)
{
        static const PtField field = {.type = &pt_type_protocol};
        static const TypeCase cases[] = {
                {"\"tcp\"", "\"tcp\"", NULL, NULL},
                {"\"any\"", "\"any\"", NULL, NULL},
                {"6", "\"tcp\"", NULL, NULL},
                {"\"6\"", "\"tcp\"", NULL, NULL},
                {"58", "\"icmpv6\"", NULL, NULL},
                {"0", "0", NULL, NULL},
                {"255", "255", NULL, NULL},
                {"\"253\"", "253", NULL, NULL},
                {"256", NULL, "out-of-range", "0-255"},
                {"-1", NULL, "out-of-range", "-1"},
                {"\"256\"", NULL, "out-of-range", "256"},
                {"\"TCP\"", NULL, "unknown-value", "did you mean \"tcp\"?"},
                {"\"udplit\"", NULL, "unknown-value", "did you mean \"udplite\"?"},
                {"\"06\"", NULL, "unknown-value", "known: any"},
                {"true", NULL, "wrong-type", "write a name (tcp)"},
                {"null", NULL, "wrong-type", "or leave the field out"},
        };
        static const char *const order[] = {"any", "0", "icmp", "tcp", "253"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_protocol),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
