/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/io.h"
#include "base/log.h"
#include "unit.h"

#include <string.h>
#include <sys/mman.h>

/* What `write_logs` wrote to standard error. */
static char *capture(void (*write_logs)(void))
{
        pt_auto_fd int file = memfd_create("stderr", MFD_CLOEXEC), saved = dup(STDERR_FILENO);
        char *text = NULL;
        size_t size;

        assert_true(file >= 0 && saved >= 0);
        assert_true(dup2(file, STDERR_FILENO) >= 0);
        write_logs();
        assert_true(dup2(saved, STDERR_FILENO) >= 0);
        assert_int_equal(lseek(file, 0, SEEK_SET), 0);
        assert_int_equal(pt_read_all(file, 1 << 20, &text, &size), 0);
        return text;
}

static void write_levels(void)
{
        errno = EXDEV;
        pt_log(LOG_NOTICE, "revision %d is in force", 7);
        pt_log(LOG_DEBUG, "not shown");
        pt_log_set_level(LOG_DEBUG);
        pt_log_fields(LOG_DEBUG, (const char *[]){"PATRONUS_KIND=Zone", NULL}, "shown");
        pt_log_set_level(LOG_INFO);
        assert_int_equal(errno, EXDEV);
}

static void write_forged(void)
{
        pt_log(LOG_INFO, "name is '%s'", "x\npatronus-test: forged\033[2J");
}

static void test_levels(void **state)
{
        g_autofree char *text = capture(write_levels);

        (void) state;
        assert_string_equal(text, "test: revision 7 is in force\ntest: shown\n");
}

static void test_one_line(void **state)
{
        g_autofree char *text = capture(write_forged);

        (void) state;
        assert_string_equal(text, "test: name is 'x patronus-test: forged [2J'\n");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_levels),
                cmocka_unit_test(test_one_line),
        };

        pt_log_open("test");
        return cmocka_run_group_tests(tests, NULL, NULL);
}
