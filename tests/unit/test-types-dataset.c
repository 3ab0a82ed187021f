/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_dataset(void **state)
{
        static const PtField field = {.type = &pt_type_dataset};
        static const TypeCase cases[] = {
                {"\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
                 "\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"", NULL,
                 NULL},
                {"\"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855\"", NULL,
                 "invalid-digest", "64 hex digits"},
                {"\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85\"", NULL,
                 "invalid-digest", "64"},
                {"\"\"", NULL, "invalid-digest", "64"},
                {"1", NULL, "wrong-type", "digest"},
        };
        static const char *const order[] = {
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b854",
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_dataset),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
