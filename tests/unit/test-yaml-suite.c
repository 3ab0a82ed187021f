/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * yaml-test-suite: what is not YAML is refused, what is YAML gives the tree of the suite's JSON or
 * is refused for what this front end does not take (anchors, tags, fractions...). Where libyaml
 * itself is wrong, the case is listed here.
 */

#include "kind-unit.h"
#include "suite-unit.h"

#include "kind/yaml.h"

/* Refusals of what is YAML. */
static const char *const narrower[] = {
        "yaml-anchor",    "yaml-alias",   "yaml-tag", "yaml-key", "duplicate-key",
        "not-an-integer", "out-of-range", "nul",      NULL,
};

/* libyaml 0.2.5 takes these, which are not YAML. */
static const char *const wrongly_accepted[] = {
        "9C9N/0", "9JBA/0", "CVW2/0", "DK95/1", "EB22/0", "G5U8/0", "MUS6/0", "MUS6/1",
        "QB6E/0", "RHX7/0", "S98Z/0", "SU5Z/0", "X4QW/0", "Y79Y/3", "YJV2/0", NULL};
/* libyaml 0.2.5 refuses these, which are YAML. */
static const char *const wrongly_refused[] = {
        "2JQS/0", "2LFX/0", "4ABK/0",  "4MUZ/0", "4MUZ/1", "4MUZ/2", "58MP/0", "5MUD/0", "5T43/0",
        "6BCT/0", "6CA3/0", "6LVF/0",  "7Z25/0", "8XYN/0", "96NN/0", "96NN/1", "9SA2/0", "A2M4/0",
        "BEC7/0", "CFD4/0", "DBG4/0",  "DK3J/0", "DK95/0", "DK95/3", "DK95/4", "FP8R/0", "FRK4/0",
        "HM87/0", "HWV9/0", "K3WX/0",  "M7A3/0", "MUS6/5", "MUS6/6", "NHX8/0", "NJ66/0", "NKF9/0",
        "Q5MG/0", "QT73/0", "R4YG/0",  "S3PD/0", "SM9W/1", "UKK6/0", "UT92/0", "VJP3/1", "W4TN/0",
        "W5VH/0", "Y79Y/1", "Y79Y/10", "ZYU8/0", "ZYU8/1", "ZYU8/2", "ZYU8/3", NULL};
/* libyaml 0.2.5 reads these as something else. */
static const char *const wrongly_read[] = {"652Z/0", "HM87/1", "L24T/1", NULL};

static void replace(GString *text, const char *from, const char *to)
{
        g_string_replace(text, from, to, 0);
}

/* The suite makes invisible characters visible. */
static GString *real_text(const char *visible)
{
        GString *text = g_string_new(visible);

        replace(text, "␣", " ");
        while (strstr(text->str, "—»"))
                replace(text, "—»", "»");
        replace(text, "»", "\t");
        replace(text, "↵", "");
        replace(text, "←", "\r");
        replace(text, "⇔", "\xef\xbb\xbf");
        replace(text, "∎\n", "");
        return text;
}

static const char *text_of(struct json_object *test, const char *member)
{
        return json_object_get_string(json_object_object_get(test, member));
}

/* What the suite says the document is, if it says and if it is one value that we could represent.
 */
static bool expected_tree(struct json_object *test, struct json_object **ret)
{
        const char *json = text_of(test, "json");

        return json && pt_json_parse(json, strlen(json), NULL, ret) == 0;
}

static void check_case(const char *id, struct json_object *test)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *tree = NULL, *expected = NULL;
        g_autoptr(GString) text = real_text(text_of(test, "yaml"));
        bool accepted = pt_yaml_parse("x", text->str, text->len, diag, &tree) >= 0;
        const char *code = accepted ? "" : pt_diag_get(diag, 0)->code;

        if (json_object_get_boolean(json_object_object_get(test, "fail"))) {
                if (accepted != unit_is_one_of(id, wrongly_accepted))
                        fail_msg("%s, which is not YAML: %s", id, accepted ? "accepted" : code);
                return;
        }
        if (strcmp(code, "yaml-syntax") == 0) {
                if (!unit_is_one_of(id, wrongly_refused))
                        fail_msg("%s is refused: %s", id, pt_diag_get(diag, 0)->text);
                return;
        }
        assert_false(unit_is_one_of(id, wrongly_refused));
        if (!accepted && !unit_is_one_of(code, narrower))
                fail_msg("%s is refused: %s", id, code);
        if (accepted && expected_tree(test, &expected) &&
            json_object_equal(tree, expected) == unit_is_one_of(id, wrongly_read))
                fail_msg("%s is read as %s", id, json_object_get_string(tree));
}

static void test_suite(void **state)
{
        g_autofree char *folder = g_build_filename(*state, "src", NULL);
        g_autoptr(GPtrArray) paths = unit_suite_files(folder);
        unsigned cases = 0;

        for (guint i = 0; i < paths->len; i++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                g_autofree char *text = NULL, *name = g_path_get_basename(paths->pdata[i]);
                pt_auto_json *tests = NULL;
                gsize size;

                assert_true(g_file_get_contents(paths->pdata[i], &text, &size, NULL));
                /* The suite's own files are in our subset. */
                if (pt_yaml_parse(name, text, size, diag, &tests) < 0)
                        fail_msg("%s: %s", pt_diag_get(diag, 0)->subject,
                                 pt_diag_get(diag, 0)->text);
                for (size_t j = 0; j < json_object_array_length(tests); j++, cases++) {
                        g_autofree char *id = g_strdup_printf("%.4s/%zu", name, j);

                        check_case(id, json_object_array_get_idx(tests, j));
                }
        }
        assert_true(cases > 300);
}

int main(void)
{
        g_autofree char *folder = unit_suite_folder("yaml-test-suite");
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_prestate(test_suite, folder),
        };

        return folder ? cmocka_run_group_tests(tests, NULL, NULL) : UNIT_SKIPPED;
}
