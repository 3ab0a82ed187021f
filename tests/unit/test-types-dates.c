/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_dates(void **state)
{
        static const PtField field = {.type = &pt_type_dates};
        static const TypeCase cases[] = {
                {"\"2026-12-24\"", "\"2026-12-24\"", NULL, NULL},
                {"\"2026-12-24/2027-01-06\"", "\"2026-12-24/2027-01-06\"", NULL, NULL},
                {"\"2026-12-24/2026-12-24\"", "\"2026-12-24\"", NULL, NULL},
                {"\"12-24\"", "\"12-24\"", NULL, NULL},
                {"\"02-29\"", "\"02-29\"", NULL, NULL},
                {"\"2028-02-29\"", "\"2028-02-29\"", NULL, NULL},
                {"\"2026-02-29\"", NULL, "invalid-date", "2026-02-29"},
                {"\"2100-02-29\"", NULL, "invalid-date", "calendar"},
                {"\"02-30\"", NULL, "invalid-date", "every year"},
                {"\"2026-13-01\"", NULL, "invalid-date", "2026-13-01"},
                {"\"2026-00-01\"", NULL, "invalid-date", "calendar"},
                {"\"0000-01-01\"", NULL, "invalid-date", "calendar"},
                {"\"2026-1-1\"", NULL, "invalid-date", "2026-1-1"},
                {"\"2027-01-06/2026-12-24\"", NULL, "invalid-date", "earlier day first"},
                {"\"2026-12-24/12-26\"", NULL, "invalid-date", "first and a last"},
                {"\"2026-12-24-2026-12-26\"", NULL, "invalid-date", "calendar"},
                {"\"\"", NULL, "invalid-date", "calendar"},
                {"20261224", NULL, "wrong-type", "2026-12-24"},
        };
        static const char *const order[] = {"01-01",      "12-31",      "1970-01-01",
                                            "2026-05-01", "2026-05-31", "2026-05-31/2026-06-01",
                                            "2026-06-01", "9999-12-31"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_dates),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
