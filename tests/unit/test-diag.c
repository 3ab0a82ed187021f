/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/diag.h"
#include "unit.h"

#include <string.h>

static void test_entries(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        const PtDiagnostic *entry;

        (void) state;
        pt_diag_error(diag, "a", NULL, "first");
        pt_diag_set_subject(diag, "%s/%s", "Zone", "lan");
        pt_diag_warning(diag, "out-of-range", "/spec/ports/1", "%d is out of range 1-65535", 70000);
        pt_diag_set_subject(diag, NULL);
        pt_diag_add_full(diag, PT_SEVERITY_NOTICE, "f.yaml:1:2", "", "c", "third");

        assert_int_equal(pt_diag_count(diag), 3);
        assert_int_equal(pt_diag_errors(diag), 1);
        entry = pt_diag_get(diag, 0);
        assert_string_equal(entry->subject, "");
        assert_string_equal(entry->pointer, "");
        entry = pt_diag_get(diag, 1);
        assert_int_equal(entry->severity, PT_SEVERITY_WARNING);
        assert_string_equal(entry->subject, "Zone/lan");
        assert_string_equal(entry->pointer, "/spec/ports/1");
        assert_string_equal(entry->code, "out-of-range");
        assert_string_equal(entry->text, "70000 is out of range 1-65535");
        assert_string_equal(pt_diag_get(diag, 2)->subject, "f.yaml:1:2");
        assert_null(pt_diag_get(diag, 3));
}

static void test_absent(void **state)
{
        (void) state;
        pt_diag_set_subject(NULL, "x");
        pt_diag_error(NULL, "a", NULL, "nobody listens");
        assert_int_equal(pt_diag_count(NULL), 0);
        assert_int_equal(pt_diag_errors(NULL), 0);
        pt_diag_free(NULL);
}

static void test_limits(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autofree char *large = g_strnfill(100000, 'x');
        size_t errors = 0;

        (void) state;
        for (int i = 0; i < 500; i++)
                pt_diag_notice(diag, "n", NULL, "%s", large);
        assert_int_equal(pt_diag_count(diag), PT_DIAG_MAX);
        assert_int_equal(pt_diag_dropped(diag), 400);
        assert_true(strlen(pt_diag_get(diag, 0)->text) < 2000);

        /* What refuses is kept, though it came after the list was full. */
        for (int i = 0; i < 3; i++)
                pt_diag_error(diag, "e", NULL, "refused");
        assert_int_equal(pt_diag_count(diag), PT_DIAG_MAX);
        assert_int_equal(pt_diag_dropped(diag), 403);
        for (size_t i = 0; i < pt_diag_count(diag); i++)
                errors += pt_diag_get(diag, i)->severity == PT_SEVERITY_ERROR;
        assert_int_equal(errors, 3);
        for (int i = 0; i < 500; i++)
                pt_diag_error(diag, "e", NULL, "refused");
        assert_int_equal(pt_diag_errors(diag), 503);
        assert_int_equal(pt_diag_count(diag), PT_DIAG_MAX);
}

static void test_utf8(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        GString *wide = g_string_new(NULL);

        (void) state;
        for (int i = 0; i < 1000; i++)
                g_string_append(wide, "€");
        pt_diag_error(diag, "a", "/\xff", "bad \xc3 byte");
        pt_diag_error(diag, "b", NULL, "%s", wide->str);
        g_string_free(wide, TRUE);
        for (size_t i = 0; i < 2; i++) {
                assert_true(g_utf8_validate(pt_diag_get(diag, i)->text, -1, NULL));
                assert_true(g_utf8_validate(pt_diag_get(diag, i)->pointer, -1, NULL));
        }
        assert_true(g_str_has_suffix(pt_diag_get(diag, 1)->text, "€…"));
}

static void test_severity(void **state)
{
        (void) state;
        for (int i = 0; i < PT_SEVERITY_MAX; i++)
                assert_int_equal(pt_severity_from_string(pt_severity_to_string((PtSeverity) i)), i);
        assert_int_equal(pt_severity_from_string("loud"), PT_SEVERITY_INVALID);
        assert_null(pt_severity_to_string(PT_SEVERITY_INVALID));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_entries),  cmocka_unit_test(test_absent),
                cmocka_unit_test(test_limits),   cmocka_unit_test(test_utf8),
                cmocka_unit_test(test_severity),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
