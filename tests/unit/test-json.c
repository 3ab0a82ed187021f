/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind-unit.h"

/* Parses and writes canonically: NULL if refused, and then with `code`. */
static char *round_trip(const char *text, size_t size, const char **ret_code)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = NULL;
        GString *out;

        if (pt_json_parse(text, size, diag, &json) < 0) {
                assert_int_equal(pt_diag_count(diag), 1);
                *ret_code = g_intern_string(pt_diag_get(diag, 0)->code);
                return NULL;
        }
        assert_int_equal(pt_diag_count(diag), 0);
        out = g_string_new(NULL);
        pt_json_to_canonical(json, out);
        return g_string_free(out, FALSE);
}

static void test_accepted(void **state)
{
        static const char *const cases[][2] = {
                {" null ", "null"},
                {"[true,false , null]", "[true,false,null]"},
                {"-0", "0"},
                {"9223372036854775807", "9223372036854775807"},
                {"-9223372036854775808", "-9223372036854775808"},
                {"\"\\u0041\\u00e9\\uD83D\\uDE00\\/\\b\\f\\n\\r\\t\\u001F\"",
                 "\"Aé😀/\\b\\f\\n\\r\\t\\u001f\""},
                {"\"\\\"\\\\\"", "\"\\\"\\\\\""},
                {"\"\\u007f\"", "\"\x7f\""},
                {"{\"b\":1,\"a\":{}}", "{\"a\":{},\"b\":1}"},
                {"{\"\":[]}", "{\"\":[]}"},
                /* RFC 8785, 3.2.3: its own example, and what UTF-16 sorts otherwise than UTF-8 */
                {"{\"\\u20ac\":1,\"\\r\":2,\"\\ufb33\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":"
                 "6,\"\\u00f6\":7}",
                 "{\"\\r\":2,\"1\":4,\"\xc2\x80\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\xef\xac\xb3\":3}"},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                const char *code = NULL;
                g_autofree char *text = round_trip(cases[i][0], strlen(cases[i][0]), &code);

                assert_null(code);
                assert_string_equal(text, cases[i][1]);
        }
}

static void test_refused(void **state)
{
        static const char *const cases[][2] = {
                {"", "json-syntax"},
                {"{\"a\":1,\"a\":2}", "duplicate-key"},
                {"{\"a\":1,\"\\u0061\":2}", "duplicate-key"},
                {"{\"x\":[{\"a\":1,\"a\":1}]}", "duplicate-key"},
                {"\"\\u0000\"", "nul"},
                {"\"\\ud800\"", "json-surrogate"},
                {"\"\\ud800\\u0041\"", "json-surrogate"},
                {"\"\\udc00\"", "json-surrogate"},
                {"1.0", "not-an-integer"},
                {"1e2", "not-an-integer"},
                {"9223372036854775808", "out-of-range"},
                {"-9223372036854775809", "out-of-range"},
                {"99999999999999999999999999999999999", "out-of-range"},
                {"\"\xff\"", "not-utf8"},
                {"\"\xed\xa0\x80\"", "not-utf8"},
                {"{} {}", "json-syntax"},
                {"[1,]", "json-syntax"},
                {"{\"a\":1,}", "json-syntax"},
                {"'a'", "json-syntax"},
                {"// a\n1", "json-syntax"},
                {"NaN", "json-syntax"},
                {"nul", "json-syntax"},
                {"-", "json-syntax"},
                {"01", "json-syntax"},
                {"+1", "json-syntax"},
                {"1.", "json-syntax"},
                {"\"a\nb\"", "json-syntax"},
                {"\"\\x\"", "json-syntax"},
                {"\"", "json-syntax"},
                {"\"\\", "json-syntax"},
                {"\"\\u12", "json-syntax"},
                {"\xef\xbb\xbf{}", "json-syntax"},
        };
        static const char nul[] = "[1]\0";
        const char *code = NULL;

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                assert_null(round_trip(cases[i][0], strlen(cases[i][0]), &code));
                assert_string_equal(code, cases[i][1]);
        }
        assert_null(round_trip(nul, sizeof(nul), &code));
        assert_string_equal(code, "not-utf8");
}

static void test_place(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = NULL;
        static const char text[] = "{\n  \"a\": 1,\n  \"a\": 2}";

        (void) state;
        assert_int_equal(pt_json_parse(text, strlen(text), diag, &json), -EINVAL);
        assert_diag(diag, "duplicate-key", "", "line 3, column 3");
}

/* What is JSON but not taken is told all at once, but not without end. */
static void test_all_problems(void **state)
{
        static const char text[] =
                "{\"a\": 1.5, \"b\": \"\\u0000\",\n \"a\": 99999999999999999999}";
        g_autoptr(PtDiagnostics) diag = pt_diag_new(), many = pt_diag_new();
        g_autoptr(GString) fractions = g_string_new("[0.5");
        pt_auto_json *json = NULL;

        (void) state;
        assert_int_equal(pt_json_parse(text, strlen(text), diag, &json), -EINVAL);
        assert_null(json);
        assert_diag(diag, "not-an-integer", "", "line 1, column 7");
        assert_diag(diag, "nul", "", "line 1, column 18");
        assert_diag(diag, "duplicate-key", "", "line 2, column 2");
        assert_diag(diag, "out-of-range", "", "line 2, column 7");
        for (unsigned i = 0; i < 100000; i++)
                g_string_append(fractions, ",0.5");
        g_string_append_c(fractions, ']');
        assert_int_equal(pt_json_parse(fractions->str, fractions->len, many, &json), -EINVAL);
        assert_int_equal(pt_diag_errors(many), 10);
}

static void test_depth(void **state)
{
        g_autofree char *deep = g_strnfill(PT_JSON_DEPTH_MAX + 1, '[');
        g_autofree char *close = g_strnfill(PT_JSON_DEPTH_MAX, ']');
        g_autofree char *good = g_strconcat(deep + 1, close, NULL), *text = NULL;
        const char *code = NULL;

        (void) state;
        assert_null(round_trip(deep, strlen(deep), &code));
        assert_string_equal(code, "too-deep");
        text = round_trip(good, strlen(good), &code);
        assert_string_equal(text, good);
}

static void test_size(void **state)
{
        g_autofree char *large = g_strnfill(PT_DOCUMENT_MAX + 1, ' ');
        pt_auto_json *json = NULL;

        (void) state;
        assert_int_equal(pt_json_parse(large, PT_DOCUMENT_MAX + 1, NULL, &json), -EFBIG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_accepted),     cmocka_unit_test(test_refused),
                cmocka_unit_test(test_place),        cmocka_unit_test(test_depth),
                cmocka_unit_test(test_all_problems), cmocka_unit_test(test_size),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
