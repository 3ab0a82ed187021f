/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_moments(void **state)
{
        static const PtField field = {.type = &pt_type_moment};
        static const TypeCase cases[] = {
                {"\"2026-12-24T18:00:00\"", "\"2026-12-24T18:00:00\"", NULL, NULL},
                {"\"2026-12-24T18:00\"", "\"2026-12-24T18:00:00\"", NULL, NULL},
                {"\"2026-12-24T23:59:59Z\"", "\"2026-12-24T23:59:59Z\"", NULL, NULL},
                {"\"2026-12-24T18:00+00:00\"", "\"2026-12-24T18:00:00Z\"", NULL, NULL},
                {"\"2026-12-24T18:00:01+01:00\"", "\"2026-12-24T18:00:01+01:00\"", NULL, NULL},
                {"\"2026-12-24T18:00-09:30\"", "\"2026-12-24T18:00:00-09:30\"", NULL, NULL},
                {"\"2028-02-29T00:00Z\"", "\"2028-02-29T00:00:00Z\"", NULL, NULL},
                {"\"2026-02-29T00:00Z\"", NULL, "invalid-moment", "2026-02-29"},
                {"\"2026-12-24\"", NULL, "invalid-moment", "day and time"},
                {"\"2026-12-24 18:00\"", NULL, "invalid-moment", "day and time"},
                {"\"2026-12-24T24:00\"", NULL, "invalid-moment", "day and time"},
                {"\"2026-12-24T18:60\"", NULL, "invalid-moment", "day and time"},
                {"\"2026-12-24T18:00:60\"", NULL, "invalid-moment", "day and time"},
                {"\"2026-12-24T18:00:\"", NULL, "invalid-moment", "day and time"},
                {"\"2026-12-24T18:00:00z\"", NULL, "invalid-moment", "zone"},
                {"\"2026-12-24T18:00:00ZZ\"", NULL, "invalid-moment", "zone"},
                {"\"2026-12-24T18:00:00+1\"", NULL, "invalid-moment", "+01:00"},
                {"\"2026-12-24T18:00:00+24:00\"", NULL, "invalid-moment", "+01:00"},
                {"\"2026-12-24T1\"", NULL, "invalid-moment", "day and time"},
                {"\"1969-12-24T18:00\"", NULL, "invalid-moment", "day and time"},
                {"\"18:00\"", NULL, "invalid-moment", "day and time"},
                {"\"\"", NULL, "invalid-moment", "day and time"},
                {"20261224", NULL, "wrong-type", "2026-12-24T18:00:00"},
        };
        static const char *const order[] = {"1970-01-01T00:00:00",       "2026-12-24T18:00:00",
                                            "2026-12-24T18:00:00-01:00", "2026-12-24T18:00:00Z",
                                            "2026-12-24T18:00:00+01:00", "2026-12-24T18:00:01",
                                            "2026-12-25T00:00:00",       "9999-12-31T23:59:59Z"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_moments),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
