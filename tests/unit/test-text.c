/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/text.h"
#include "unit.h"

#include <string.h>

static void test_names(void **state)
{
        static const char *const good[] = {"a", "0", "lan", "allow-web", "a.b_c-9", "10.0.0.1"};
        static const char *const bad[] = {"", "-a", "a-", ".", "A", "a b", "a/b", "ä", "_a", "a_"};
        g_autofree char *longest = g_strnfill(PT_NAME_MAX, 'a');
        g_autofree char *longer = g_strnfill(PT_NAME_MAX + 1, 'a');

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
                assert_true(pt_name_is_valid(good[i]));
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
                assert_false(pt_name_is_valid(bad[i]));
        assert_true(pt_name_is_valid(longest));
        assert_false(pt_name_is_valid(longer));
}

static void test_nearest(void **state)
{
        static const char *const words[] = {"action", "from", "to", "destination", "source", NULL};
        g_autofree char *large = g_strnfill(100000, 'a');

        (void) state;
        assert_string_equal(pt_nearest_word("acton", words), "action");
        assert_string_equal(pt_nearest_word("form", words),
                            "from"); /* a transposition is one step */
        assert_string_equal(pt_nearest_word("destinations", words), "destination");
        assert_string_equal(pt_nearest_word("dsetinatoin", words), "destination");
        assert_string_equal(pt_nearest_word("source", words), "source");
        assert_null(pt_nearest_word("xy", words));
        assert_null(pt_nearest_word("", words));
        assert_null(pt_nearest_word("priority", words));
        assert_null(pt_nearest_word(large, words));
        assert_null(pt_nearest_word("action", (const char *const[]){NULL}));
}

static void test_utf8(void **state)
{
        static const char *const bad[] = {
                "\xc0\xaf",         /* overlong */
                "\xed\xa0\x80",     /* a surrogate */
                "\xf4\x90\x80\x80", /* beyond U+10FFFF */
                "\xe2\x82",         /* cut */
                "\x80",
        };

        (void) state;
        assert_true(pt_utf8_is_valid("", 0));
        assert_true(pt_utf8_is_valid("gr\xc3\xbc\xc3\x9f", 6));
        assert_false(pt_utf8_is_valid("a\0b", 3));
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
                assert_false(pt_utf8_is_valid(bad[i], strlen(bad[i])));
}

static void test_durations(void **state)
{
        static const struct {
                const char *text;
                uint64_t usec;
        } good[] = {
                {"30s", 30000000},    {"10m", 600000000},    {"1h", 3600000000},
                {"2d", 172800000000}, {"1h30m", 5400000000}, {"1w1d", 691200000000},
                {"250ms", 250000},    {"1m0s", 60000000},    {"366d", PT_DURATION_MAX_USEC},
        };
        static const char *const bad[] = {
                "",      "30",   "s",  "-1s", "1.5h", "1 h",  "1H",
                "30m1h", "1h1h", "0s", "1hm", "1mss", "\xff",
        };
        static const struct {
                uint64_t usec;
                const char *text;
        } shown[] = {
                {0, "0s"},
                {999, "0s"},
                {1000, "1ms"},
                {59999999, "59s999ms"},
                {60000000, "1m"},
                {3601000000, "1h"},
                {3660000000, "1h1m"},
                {431999000000, "4d23h"},
                {UINT64_MAX, "30500568w6d"},
        };
        char buffer[PT_DURATION_TEXT_MAX];
        uint64_t usec;

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                assert_int_equal(pt_duration_parse(good[i].text, &usec), 0);
                assert_int_equal(usec, good[i].usec);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++)
                assert_int_equal(pt_duration_parse(bad[i], &usec), -EINVAL);
        assert_int_equal(pt_duration_parse("367d", &usec), -ERANGE);
        assert_int_equal(pt_duration_parse("366d1ms", &usec), -ERANGE);
        assert_int_equal(pt_duration_parse("99999999999999999999999d", &usec), -ERANGE);
        for (size_t i = 0; i < G_N_ELEMENTS(shown); i++)
                assert_string_equal(pt_duration_format(shown[i].usec, buffer), shown[i].text);
}

static void test_hex(void **state)
{
        static const uint8_t bytes[] = {0x00, 0x0f, 0xa5, 0xff};
        g_autoptr(GString) out = g_string_new("x");

        (void) state;
        pt_hex_append(bytes, 0, out);
        assert_string_equal(out->str, "x");
        pt_hex_append(bytes, sizeof(bytes), out);
        assert_string_equal(out->str, "x000fa5ff");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names), cmocka_unit_test(test_nearest),
                cmocka_unit_test(test_utf8),  cmocka_unit_test(test_durations),
                cmocka_unit_test(test_hex),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
