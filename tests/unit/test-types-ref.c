/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "type-unit.h"

static void test_ref(void **state)
{
        static const PtField field = {.type = &pt_type_ref, .ref = "Zone"};
        static const TypeCase cases[] = {
                {"\"lan\"", "\"lan\"", NULL, NULL},
                {"\"any\"", "\"any\"", NULL, NULL},
                {"\"LAN\"", NULL, "invalid-name", "\"LAN\""},
                {"[]", NULL, "wrong-type", "a list was given"},
        };
        static const char *const order[] = {"lan", "wan"};

        (void) state;
        unit_type_cases(&field, cases, G_N_ELEMENTS(cases));
        unit_type_order(&field, order, G_N_ELEMENTS(order));
}

static void test_complete(void **state)
{
        static const PtField field = {.type = &pt_type_ref, .ref = "Zone"};
        g_autoptr(GString) out = g_string_new(NULL);

        (void) state;
        pt_type_ref.complete(&field, out);
        assert_string_equal(out->str, "any\nrouter\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ref),
                cmocka_unit_test(test_complete),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
