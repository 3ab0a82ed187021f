/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "backend/config-file.h"
#include "unit.h"

#include <string.h>
#include <sys/stat.h>

static void test_words(void **state)
{
        g_autoptr(GString) text = g_string_new(NULL);

        assert_return_code(
                pt_config_file_put_words(text, (const char *[]){"tun-device", "nat64", NULL}), 0);
        assert_return_code(pt_config_file_put_words(text, (const char *[]){"alone", NULL}), 0);
        assert_string_equal(text->str, "tun-device nat64\nalone\n");
}

/* What the syntax cannot hold is refused, and leaves no half of a line. */
static void test_words_that_are_none(void **state)
{
        static const char *const bad[] = {"", "a b", "a\tb", "a\nmap", "a#b", "a\x01", "\xc3\xa4"};
        g_autoptr(GString) text = g_string_new("before\n");

        for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
                assert_int_equal(
                        pt_config_file_put_words(text, (const char *[]){"word", bad[i], NULL}),
                        -EINVAL);
                assert_string_equal(text->str, "before\n");
        }
}

static char *read_back(const char *path)
{
        char *text = NULL;

        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        return text;
}

static void test_write(void **state)
{
        g_autofree char *folder = g_dir_make_tmp("test-config-file-XXXXXX", NULL),
                        *path = g_build_filename(folder, "program.conf", NULL), *first = NULL,
                        *second = NULL;
        g_autoptr(GString) text = g_string_new("one\n");
        struct stat before, after;

        assert_int_equal(pt_config_file_write(path, text, 0640), 1);
        first = read_back(path);
        assert_string_equal(first, "one\n");
        assert_int_equal(stat(path, &before), 0);
        assert_int_equal(before.st_mode & 07777, 0640);
        assert_int_equal(pt_config_file_write(path, text, 0640), 0);
        assert_int_equal(stat(path, &after), 0);
        assert_int_equal(before.st_ino, after.st_ino); /* nobody touched it */
        g_string_assign(text, "two\n");                /* as long */
        assert_int_equal(pt_config_file_write(path, text, 0640), 1);
        g_string_assign(text, "2");
        assert_int_equal(pt_config_file_write(path, text, 0640), 1);
        second = read_back(path);
        assert_string_equal(second, "2");
        unlink(path);
        rmdir(folder);
        assert_int_equal(pt_config_file_write(path, text, 0640), -ENOENT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_words_that_are_none),
                cmocka_unit_test(test_write),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
