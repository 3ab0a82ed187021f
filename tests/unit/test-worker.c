/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What a child did, and what is made of one that did not come to an end. */

#include "unit.h"

#include "event/worker.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>

typedef struct Case {
        sd_event *event;
        size_t size; /* of the output */
        int result;
        bool killed, hangs;

        bool done;
        int ended;
        char *out;
} Case;

static int run(void *userdata, GString *out)
{
        const Case *test = userdata;
        g_autofree char *text = g_strnfill(test->size, 'x');

        g_string_append(out, text);
        if (test->killed)
                raise(SIGKILL);
        while (test->hangs)
                pause();
        return test->result;
}

static void on_done(int result, const GString *out, void *userdata)
{
        Case *test = userdata;

        test->done = true;
        test->ended = result;
        test->out = g_strndup(out->str, out->len);
        (void) sd_event_exit(test->event, 0);
}

static void check(Case test, uint64_t timeout_usec, int result, size_t size)
{
        PtWorker *worker = NULL;

        assert_int_equal(sd_event_new(&test.event), 0);
        assert_int_equal(pt_worker_start(test.event, timeout_usec, run, on_done, &test, &worker),
                         0);
        assert_false(test.done);
        assert_int_equal(sd_event_loop(test.event), 0);
        assert_true(test.done);
        assert_int_equal(test.ended, result);
        assert_int_equal(strlen(test.out), size);
        assert_int_equal(strspn(test.out, "x"), size);
        g_free(test.out);
        sd_event_unref(test.event);
}

static void test_results(void **state)
{
        (void) state;
        check((Case){.size = 0}, G_USEC_PER_SEC * 60, 0, 0);
        check((Case){.size = 20, .result = 7}, G_USEC_PER_SEC * 60, 7, 20);
        check((Case){.size = 20, .result = -ENOENT}, G_USEC_PER_SEC * 60, -ENOENT, 20);
        check((Case){.size = PT_WORKER_OUTPUT_MAX}, G_USEC_PER_SEC * 60, 0, PT_WORKER_OUTPUT_MAX);
        check((Case){.size = PT_WORKER_OUTPUT_MAX + 1}, G_USEC_PER_SEC * 60, -EFBIG,
              PT_WORKER_OUTPUT_MAX);
}

static void test_no_end(void **state)
{
        (void) state;
        check((Case){.killed = true}, G_USEC_PER_SEC * 60, -EIO, 0);
        check((Case){.hangs = true}, 10000, -ETIME, 0);
}

static void test_freed(void **state)
{
        Case test = {.hangs = true};
        PtWorker *worker = NULL;

        (void) state;
        assert_int_equal(sd_event_new(&test.event), 0);
        assert_int_equal(pt_worker_start(test.event, G_USEC_PER_SEC, run, on_done, &test, &worker),
                         0);
        pt_worker_free(worker);
        assert_int_equal(waitpid(-1, NULL, 0), -1); /* the child is gone, and waited for */
        assert_int_equal(errno, ECHILD);
        assert_int_equal(sd_event_run(test.event, 0), 0);
        assert_false(test.done);
        sd_event_unref(test.event);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_results),
                cmocka_unit_test(test_no_end),
                cmocka_unit_test(test_freed),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
