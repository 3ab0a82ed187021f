/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_icmp_type(void **state)
{
        static const PtField field = {.type = &pt_type_icmp_type};
        static const TypeCase cases[] = {
                {"\"echo-request\"", "\"echo-request\"", NULL, NULL},
                {"8", "8", NULL, NULL},
                {"\"8\"", "8", NULL, NULL},
                {"\"3/4\"", "\"3/4\"", NULL, NULL},
                {"\"destination-unreachable/4\"", "\"destination-unreachable/4\"", NULL, NULL},
                {"0", "0", NULL, NULL},
                {"\"packet-too-big\"", "\"packet-too-big\"", NULL, NULL},
                {"256", NULL, "out-of-range", "256"},
                {"-1", NULL, "out-of-range", "-1"},
                {"\"3/256\"", NULL, "out-of-range", "code 256"},
                {"\"3/\"", NULL, "out-of-range", "code"},
                {"\"echo-requets\"", NULL, "unknown-value", "did you mean \"echo-request\"?"},
                {"true", NULL, "wrong-type", "3/4"},
        };
        static const char *const order[] = {"packet-too-big",
                                            "echo-reply",
                                            "destination-unreachable",
                                            "destination-unreachable/4",
                                            "3",
                                            "8"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_icmp_type),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
