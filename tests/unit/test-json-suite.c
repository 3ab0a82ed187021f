/* SPDX-License-Identifier: GPL-3.0-or-later */

/* JSONTestSuite: y_ is JSON, n_ is not, i_ is up to the parser. What is JSON and still refused has
 * a code of its own. */

#include "kind-unit.h"
#include "suite-unit.h"

/* Refusals of what is JSON: fractions, numbers of more than 64 bits, NUL, and equal keys. */
static const char *const narrower[] = {"not-an-integer", "out-of-range", "nul", "duplicate-key",
                                       NULL};
/* Refusals of what is not. */
static const char *const syntax[] = {"json-syntax", "json-surrogate", "not-utf8", "too-deep", NULL};

static int parse(const char *path, const char **ret_code)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autofree char *text = NULL;
        pt_auto_json *json = NULL;
        gsize size;
        int r;

        assert_true(g_file_get_contents(path, &text, &size, NULL));
        r = pt_json_parse(text, size, diag, &json);
        assert_int_equal(pt_diag_errors(diag) > 0, r < 0);
        /* The last one: what is wrong with the syntax ends the reading. */
        *ret_code = r < 0 ? g_intern_string(pt_diag_get(diag, pt_diag_count(diag) - 1)->code) : "";
        return r;
}

static void test_suite(void **state)
{
        g_autofree char *folder = g_build_filename(*state, "test_parsing", NULL);
        g_autoptr(GPtrArray) paths = unit_suite_files(folder);
        unsigned accepted = 0, refused = 0;

        for (guint i = 0; i < paths->len; i++) {
                g_autofree char *name = g_path_get_basename(paths->pdata[i]);
                const char *code;
                int r = parse(paths->pdata[i], &code);

                if (name[0] == 'y' && r < 0 && !unit_is_one_of(code, narrower))
                        fail_msg("%s is refused: %s", name, code);
                if (name[0] == 'n' && (r >= 0 || !unit_is_one_of(code, syntax)))
                        fail_msg("%s is accepted, or not for its syntax: %s", name, code);
                accepted += r >= 0;
                refused += r < 0;
        }
        assert_true(accepted > 50); /* it was the suite, and it was read */
        assert_true(refused > 150);
}

/* Texts that parsers turn into different things: accepted by none of ours, or to one thing. */
static void test_transforms(void **state)
{
        g_autofree char *folder = g_build_filename(*state, "test_transform", NULL);
        g_autoptr(GPtrArray) paths = unit_suite_files(folder);

        for (guint i = 0; i < paths->len; i++) {
                g_autofree char *name = g_path_get_basename(paths->pdata[i]);
                const char *code;
                int r = parse(paths->pdata[i], &code);

                if (g_str_has_prefix(name, "object_same_key"))
                        assert_string_equal(code, "duplicate-key");
                else if (g_str_has_prefix(name, "object_key_nf"))
                        assert_int_equal(r, 0); /* other bytes are another key */
                else if (g_str_has_prefix(name, "string_"))
                        assert_true(r < 0);
        }
}

int main(void)
{
        g_autofree char *folder = unit_suite_folder("jsontestsuite");
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_prestate(test_suite, folder),
                cmocka_unit_test_prestate(test_transforms, folder),
        };

        return folder ? cmocka_run_group_tests(tests, NULL, NULL) : UNIT_SKIPPED;
}
