/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Work in parts: who does which, and what is made of one that fails or is killed. */

#include "unit.h"

#include "event/parts.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* In memory that all share. */
typedef struct Seen {
        pid_t pids[PT_PARTS_MAX];
        int results[PT_PARTS_MAX];
        bool killed[PT_PARTS_MAX];
} Seen;

static Seen *seen_new(void)
{
        void *p =
                mmap(NULL, sizeof(Seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        assert_ptr_not_equal(p, MAP_FAILED);
        return p;
}

static int run(unsigned part, void *userdata)
{
        Seen *seen = userdata;

        seen->pids[part] = getpid();
        if (seen->killed[part])
                raise(SIGKILL);
        return seen->results[part];
}

static void assert_no_children(void)
{
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
}

static void test_each_once(void **state)
{
        static const unsigned sizes[] = {1, 2, 7, PT_PARTS_MAX};

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                Seen *seen = seen_new();

                assert_int_equal(pt_parts_run(sizes[i], run, seen), 0);
                assert_int_equal(seen->pids[0], getpid());
                for (unsigned a = 0; a < sizes[i]; a++) {
                        assert_int_not_equal(seen->pids[a], 0);
                        for (unsigned b = 0; b < a; b++)
                                assert_int_not_equal(seen->pids[a], seen->pids[b]);
                }
                for (unsigned a = sizes[i]; a < PT_PARTS_MAX; a++)
                        assert_int_equal(seen->pids[a], 0);
                assert_no_children();
                munmap(seen, sizeof(*seen));
        }
}

static void check_result(unsigned part, int result, bool killed, int expected)
{
        Seen *seen = seen_new();

        seen->results[part] = result;
        seen->killed[part] = killed;
        assert_int_equal(pt_parts_run(4, run, seen), expected);
        for (unsigned i = 0; i < 4; i++) /* one that fails stops no other */
                assert_int_not_equal(seen->pids[i], 0);
        assert_no_children();
        munmap(seen, sizeof(*seen));
}

static void test_failures(void **state)
{
        (void) state;
        check_result(0, -ENOENT, false, -ENOENT);
        check_result(3, -E2BIG, false, -E2BIG);
        check_result(2, -EHWPOISON, false, -EHWPOISON); /* the largest that there is */
        check_result(1, 5, false, 0);
        check_result(2, 0, true, -EIO);
}

static void test_first_failure(void **state)
{
        Seen *seen = seen_new();

        (void) state;
        seen->results[1] = -ENOSPC;
        seen->results[3] = -EACCES;
        assert_int_equal(pt_parts_run(4, run, seen), -ENOSPC);
        munmap(seen, sizeof(*seen));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_once),
                cmocka_unit_test(test_failures),
                cmocka_unit_test(test_first_failure),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
