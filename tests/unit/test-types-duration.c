/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_duration(void **state)
{
        static const PtField field = {.type = &pt_type_duration};
        static const PtField narrow = {
                .type = &pt_type_duration, .min = 60 * 1000000, .max = INT64_C(7200) * 1000000};
        static const TypeCase cases[] = {
                {"\"30s\"", "\"30s\"", NULL, NULL},
                {"\"90m\"", "\"1h30m\"", NULL, NULL},
                {"\"3600s\"", "\"1h\"", NULL, NULL},
                {"\"8d\"", "\"1w1d\"", NULL, NULL},
                {"\"366d\"", "\"52w2d\"", NULL, NULL},
                {"\"1w2d3h4m5s6ms\"", "\"1w2d3h4m5s6ms\"", NULL, NULL},
                {"\"1500ms\"", "\"1s500ms\"", NULL, NULL},
                {"\"367d\"", NULL, "out-of-range", "52w2d"},
                {"\"0s\"", NULL, "invalid-duration", "1h30m"},
                {"\"30\"", NULL, "invalid-duration", "30s"},
                {"\"s30\"", NULL, "invalid-duration", "30s"},
                {"\"-1s\"", NULL, "invalid-duration", "30s"},
                {"\"\"", NULL, "invalid-duration", "30s"},
                {"30", NULL, "wrong-type", "30s"},
        };
        static const TypeCase narrowed[] = {
                {"\"1m\"", "\"1m\"", NULL, NULL},
                {"\"2h\"", "\"2h\"", NULL, NULL},
                {"\"59s\"", NULL, "out-of-range", "1m-2h"},
                {"\"121m\"", NULL, "out-of-range", "1m-2h"},
        };
        static const char *const order[] = {"100ms", "2s", "1m", "1w"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_cases(&narrow, narrowed, G_N_ELEMENTS(narrowed));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_duration),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
