/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "backend/runner.h"
#include "unit.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define MSEC UINT64_C(1000)
#define FOREVER (600 * 1000 * MSEC)
/* For whatever takes no time on a machine that has any. */
#define PATIENCE_USEC (60 * 1000 * MSEC)

typedef struct Fixture {
        sd_event *event;
        PtRunner *runner;
        GString *states; /* the fourth letters of those that there were: staRting, runNing,
                            waiTing, stoPping, stoPped */
        char *why;       /* what prepare says: it cannot */
        unsigned prepared;
} Fixture;

static void note(PtRunner *runner, void *userdata)
{
        Fixture *fixture = userdata;

        g_string_append_c(fixture->states, pt_runner_state_to_string(pt_runner_state(runner))[3]);
}

static int prepare(void *userdata, char **ret_why)
{
        Fixture *fixture = userdata;

        fixture->prepared++;
        if (!fixture->why)
                return 0;
        *ret_why = g_strdup(fixture->why);
        return -ENODEV;
}

static int setup(void **state)
{
        Fixture *fixture = g_new0(Fixture, 1);
        sigset_t child;

        sigemptyset(&child);
        sigaddset(&child, SIGCHLD);
        sigprocmask(SIG_BLOCK, &child, NULL);
        fixture->states = g_string_new(NULL);
        assert_return_code(sd_event_new(&fixture->event), 0);
        *state = fixture;
        return 0;
}

static int teardown(void **state)
{
        Fixture *fixture = *state;

        pt_runner_free(fixture->runner);
        sd_event_unref(fixture->event);
        g_string_free(fixture->states, TRUE);
        g_free(fixture->why);
        g_free(fixture);
        /* Nobody is left of any test. */
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        assert_int_equal(errno, ECHILD);
        return 0;
}

static void make(Fixture *fixture, const char *script, const PtRunnerSpec *with)
{
        const char *argv[] = {"/bin/sh", "-c", script, NULL};
        PtRunnerSpec spec = *with;

        spec.name = "test";
        if (!spec.argv)
                spec.argv = argv;
        spec.prepare = prepare;
        spec.changed = note;
        spec.userdata = fixture;
        if (spec.retry_min_usec == 0)
                spec.retry_min_usec = MSEC;
        assert_return_code(pt_runner_new(fixture->event, &spec, &fixture->runner), 0);
        assert_int_equal(pt_runner_state(fixture->runner), PT_RUNNER_STOPPED);
}

static void run_until(Fixture *fixture, PtRunnerState state)
{
        uint64_t end = (uint64_t) g_get_monotonic_time() + PATIENCE_USEC;

        while (pt_runner_state(fixture->runner) != state) {
                assert_true((uint64_t) g_get_monotonic_time() < end);
                assert_return_code(sd_event_run(fixture->event, 1000 * MSEC), 0);
        }
}

/* Until there were so many starts after the first one. */
static void run_restarts(Fixture *fixture, unsigned n)
{
        uint64_t end = (uint64_t) g_get_monotonic_time() + PATIENCE_USEC;

        while (pt_runner_restarts(fixture->runner) < n) {
                assert_true((uint64_t) g_get_monotonic_time() < end);
                assert_return_code(sd_event_run(fixture->event, 1000 * MSEC), 0);
        }
}

static void test_runs_and_stops(void **state)
{
        Fixture *fixture = *state;
        pid_t pid;

        make(fixture, "exec sleep 1000", &(PtRunnerSpec){.settle_usec = 10 * MSEC});
        pt_runner_start(fixture->runner);
        assert_int_equal(pt_runner_state(fixture->runner), PT_RUNNER_STARTING);
        run_until(fixture, PT_RUNNER_RUNNING);
        pid = pt_runner_pid(fixture->runner);
        assert_int_equal(kill(pid, 0), 0);
        pt_runner_start(fixture->runner); /* it stays */
        assert_int_equal(pt_runner_pid(fixture->runner), pid);
        pt_runner_stop(fixture->runner);
        assert_int_equal(pt_runner_state(fixture->runner), PT_RUNNER_STOPPING);
        run_until(fixture, PT_RUNNER_STOPPED);
        assert_int_equal(pt_runner_pid(fixture->runner), 0);
        assert_int_equal(kill(pid, 0), -1);
        assert_string_equal(pt_runner_error(fixture->runner), "");
        assert_string_equal(fixture->states->str, "rnpp");
        assert_int_equal(fixture->prepared, 1);
}

/* Whoever needs to be seen working is not taken for it by its age. */
static void test_ready_is_told(void **state)
{
        Fixture *fixture = *state;

        make(fixture, "exec sleep 1000", &(PtRunnerSpec){});
        pt_runner_ready(fixture->runner); /* nobody is there */
        assert_int_equal(pt_runner_state(fixture->runner), PT_RUNNER_STOPPED);
        pt_runner_start(fixture->runner);
        assert_return_code(sd_event_run(fixture->event, 20 * MSEC), 0);
        assert_int_equal(pt_runner_state(fixture->runner), PT_RUNNER_STARTING);
        pt_runner_ready(fixture->runner);
        assert_int_equal(pt_runner_state(fixture->runner), PT_RUNNER_RUNNING);
}

static void test_program_is_missing(void **state)
{
        const char *argv[] = {"/nonexistent/program", NULL};
        Fixture *fixture = *state;

        make(fixture, NULL, &(PtRunnerSpec){.argv = argv});
        pt_runner_start(fixture->runner);
        assert_int_equal(pt_runner_state(fixture->runner), PT_RUNNER_WAITING);
        assert_string_equal(pt_runner_error(fixture->runner),
                            "/nonexistent/program cannot be started: No such file or directory");
        run_restarts(fixture, 2);
        pt_runner_stop(fixture->runner);
        assert_int_equal(pt_runner_state(fixture->runner), PT_RUNNER_STOPPED);
}

static void test_is_no_program(void **state)
{
        const char *argv[] = {"/etc/passwd", NULL};
        Fixture *fixture = *state;

        make(fixture, NULL, &(PtRunnerSpec){.argv = argv, .retry_min_usec = FOREVER});
        pt_runner_start(fixture->runner);
        assert_string_equal(pt_runner_error(fixture->runner),
                            "/etc/passwd cannot be started: Permission denied");
}

static void test_dies_at_once(void **state)
{
        Fixture *fixture = *state;

        make(fixture, "echo first; echo 'no such device' >&2; exit 3",
             &(PtRunnerSpec){.settle_usec = FOREVER});
        pt_runner_start(fixture->runner);
        run_restarts(fixture, 3);
        run_until(fixture, PT_RUNNER_WAITING);
        assert_string_equal(pt_runner_error(fixture->runner),
                            "it ended with exit code 3: no such device");
        assert_true(g_str_has_prefix(fixture->states->str, "rtrtrt"));
        assert_true(fixture->prepared >= 4);
}

/* It is tried later and later, however often it looked as if it worked. */
static void test_delays_grow(void **state)
{
        Fixture *fixture = *state;
        uint64_t start = (uint64_t) g_get_monotonic_time();

        make(fixture, "exit 1",
             &(PtRunnerSpec){.retry_min_usec = 10 * MSEC, .retry_max_usec = 40 * MSEC});
        pt_runner_start(fixture->runner);
        run_restarts(fixture, 4); /* after 10, 20, 40 and 40 ms */
        assert_true((uint64_t) g_get_monotonic_time() - start >= 110 * MSEC);
}

static void test_dies_later(void **state)
{
        Fixture *fixture = *state;
        pid_t first;

        make(fixture, "exec sleep 1000",
             &(PtRunnerSpec){.settle_usec = MSEC, .retry_min_usec = 50 * MSEC});
        pt_runner_start(fixture->runner);
        run_until(fixture, PT_RUNNER_RUNNING);
        first = pt_runner_pid(fixture->runner);
        assert_int_equal(kill(first, SIGKILL), 0);
        run_until(fixture, PT_RUNNER_WAITING);
        assert_string_equal(pt_runner_error(fixture->runner), "it was ended by signal 9 (Killed)");
        assert_int_equal(pt_runner_pid(fixture->runner), 0);
        run_until(fixture, PT_RUNNER_RUNNING);
        assert_int_not_equal(pt_runner_pid(fixture->runner), first);
        assert_string_equal(fixture->states->str, "rntrn");
        assert_int_equal(pt_runner_restarts(fixture->runner), 1);
        /* Why it ended is still to be read. */
        assert_string_not_equal(pt_runner_error(fixture->runner), "");
}

static void await_line(Fixture *fixture, const char *path)
{
        uint64_t end = (uint64_t) g_get_monotonic_time() + PATIENCE_USEC;
        struct stat st;

        while (stat(path, &st) < 0 || st.st_size == 0) {
                assert_true((uint64_t) g_get_monotonic_time() < end);
                assert_return_code(sd_event_run(fixture->event, 5 * MSEC), 0);
        }
}

static char *scratch(void)
{
        char *path = g_strdup("/tmp/test-runner-XXXXXX");
        int fd = g_mkstemp(path);

        assert_return_code(fd, errno);
        close(fd);
        return path;
}

static void test_hangs_at_stop(void **state)
{
        Fixture *fixture = *state;
        g_autofree char *path = scratch(),
                        *script = g_strdup_printf("trap '' TERM; echo deaf >%s; exec sleep 1000",
                                                  path);
        uint64_t start;

        make(fixture, script, &(PtRunnerSpec){.settle_usec = MSEC, .stop_usec = 30 * MSEC});
        pt_runner_start(fixture->runner);
        await_line(fixture, path);
        start = (uint64_t) g_get_monotonic_time();
        pt_runner_stop(fixture->runner);
        run_until(fixture, PT_RUNNER_STOPPED);
        assert_true((uint64_t) g_get_monotonic_time() - start >= 30 * MSEC);
        unlink(path);
}

/* Started again while it hangs: the next one begins when the old one is gone. */
static void test_restart_of_one_that_hangs(void **state)
{
        Fixture *fixture = *state;
        g_autofree char *path = scratch(),
                        *script = g_strdup_printf("trap '' TERM; echo deaf >%s; exec sleep 1000",
                                                  path);
        pid_t first;

        make(fixture, script, &(PtRunnerSpec){.settle_usec = MSEC, .stop_usec = 10 * MSEC});
        pt_runner_start(fixture->runner);
        await_line(fixture, path);
        run_until(fixture, PT_RUNNER_RUNNING);
        first = pt_runner_pid(fixture->runner);
        pt_runner_restart(fixture->runner);
        assert_int_equal(pt_runner_state(fixture->runner), PT_RUNNER_STOPPING);
        assert_int_equal(pt_runner_pid(fixture->runner), first);
        run_until(fixture, PT_RUNNER_RUNNING);
        assert_int_not_equal(pt_runner_pid(fixture->runner), first);
        assert_int_equal(kill(first, 0), -1);
        assert_string_equal(fixture->states->str, "rnprn");
        unlink(path);
}

static void test_stop_while_waiting(void **state)
{
        Fixture *fixture = *state;

        make(fixture, "exit 1", &(PtRunnerSpec){.retry_min_usec = FOREVER});
        pt_runner_start(fixture->runner);
        run_until(fixture, PT_RUNNER_WAITING);
        pt_runner_stop(fixture->runner);
        assert_int_equal(pt_runner_state(fixture->runner), PT_RUNNER_STOPPED);
        pt_runner_start(fixture->runner); /* not after FOREVER */
        assert_int_equal(pt_runner_state(fixture->runner), PT_RUNNER_STARTING);
}

/* A configuration that is mended is tried at once. */
static void test_restart_while_waiting(void **state)
{
        Fixture *fixture = *state;

        make(fixture, "exit 1", &(PtRunnerSpec){.retry_min_usec = FOREVER});
        pt_runner_start(fixture->runner);
        run_until(fixture, PT_RUNNER_WAITING);
        pt_runner_restart(fixture->runner);
        assert_int_equal(pt_runner_state(fixture->runner), PT_RUNNER_STARTING);
        assert_int_equal(pt_runner_restarts(fixture->runner), 1);
}

static void test_prepare_refuses(void **state)
{
        Fixture *fixture = *state;

        fixture->why = g_strdup("/dev/net/tun is not there");
        make(fixture, "exec sleep 1000", &(PtRunnerSpec){.settle_usec = MSEC});
        pt_runner_start(fixture->runner);
        assert_int_equal(pt_runner_state(fixture->runner), PT_RUNNER_WAITING);
        assert_string_equal(pt_runner_error(fixture->runner), "/dev/net/tun is not there");
        run_restarts(fixture, 1);
        assert_int_equal(pt_runner_pid(fixture->runner), 0);
        g_clear_pointer(&fixture->why, g_free);
        run_until(fixture, PT_RUNNER_RUNNING);
}

/* Lines are cut, and hold nothing that a terminal would obey. */
static void test_what_it_says_is_tame(void **state)
{
        Fixture *fixture = *state;

        make(fixture, "printf 'a\\033[2Jb\\n'; printf '%01000d' 7; exit 1",
             &(PtRunnerSpec){.retry_min_usec = FOREVER});
        pt_runner_start(fixture->runner);
        run_until(fixture, PT_RUNNER_WAITING);
        assert_true(strlen(pt_runner_error(fixture->runner)) < 300);
        assert_non_null(strstr(pt_runner_error(fixture->runner), ": 00000"));
}

/* What fills the pipe is read all the time: it does not stop the program. */
static void test_says_much(void **state)
{
        Fixture *fixture = *state;

        make(fixture,
             "i=0; while [ $i -lt 3000 ]; do echo 'a line that is not short, and is said often'; "
             "i=$((i+1)); done; echo done; exit 4",
             &(PtRunnerSpec){.retry_min_usec = FOREVER});
        pt_runner_start(fixture->runner);
        run_until(fixture, PT_RUNNER_WAITING);
        assert_string_equal(pt_runner_error(fixture->runner), "it ended with exit code 4: done");
}

/* It has no descriptor and no variable of ours, and can gain nothing. */
static void test_nothing_goes_with_it(void **state)
{
        Fixture *fixture = *state;
        int fd = open("/dev/null", O_RDONLY); /* without O_CLOEXEC */

        assert_return_code(fd, errno);
        assert_int_equal(setenv("PATRONUS_TEST_SECRET", "1", 1), 0);
        make(fixture,
             "open=; n=3; while [ $n -lt 64 ]; do [ -e /proc/$$/fd/$n ] && open=\"$open $n\"; "
             "n=$((n+1)); done; "
             "echo \"open:$open variables: $(env | grep -c PATRONUS) status: "
             "$(grep -c '^NoNewPrivs:.1' /proc/$$/status)$(grep -c '^CapAmb:.0*$' "
             "/proc/$$/status)\"; exit 9",
             &(PtRunnerSpec){.retry_min_usec = FOREVER});
        pt_runner_start(fixture->runner);
        run_until(fixture, PT_RUNNER_WAITING);
        assert_string_equal(pt_runner_error(fixture->runner),
                            "it ended with exit code 9: open: variables: 0 status: 11");
        close(fd);
        unsetenv("PATRONUS_TEST_SECRET");
}

/* The program has a child that keeps its output open, and lives on: its own end is seen. */
static void test_child_of_it_stays(void **state)
{
        Fixture *fixture = *state;
        g_autofree char *path = scratch(),
                        *script = g_strdup_printf("sleep 1000 & echo $! >%s; exit 5", path),
                        *text = NULL;

        make(fixture, script, &(PtRunnerSpec){.retry_min_usec = FOREVER});
        pt_runner_start(fixture->runner);
        run_until(fixture, PT_RUNNER_WAITING);
        assert_string_equal(pt_runner_error(fixture->runner), "it ended with exit code 5");
        assert_true(g_file_get_contents(path, &text, NULL, NULL));
        assert_int_equal(kill((pid_t) g_ascii_strtoll(text, NULL, 10), SIGKILL), 0);
        unlink(path);
}

/* Whoever runs it dies: it is asked to end. */
static void test_ends_with_its_starter(void **state)
{
        Fixture *fixture = *state;
        g_autofree char *path = scratch();
        char byte;
        int held[2];
        pid_t starter;

        assert_int_equal(pipe2(held, O_CLOEXEC), 0);
        starter = fork();
        if (starter == 0) {
                /* The program holds no end of the pipe but by this name. */
                g_autofree char *script =
                        g_strdup_printf("exec 9>/proc/%d/fd/%d; echo up >%s; exec sleep 1000",
                                        (int) getpid(), held[1], path);

                assert_return_code(sd_event_new(&fixture->event), 0); /* of this process */
                make(fixture, script, &(PtRunnerSpec){.settle_usec = FOREVER});
                pt_runner_start(fixture->runner);
                await_line(fixture, path);
                _exit(0); /* without any clean-up, as a crash is */
        }
        close(held[1]);
        assert_int_equal(waitpid(starter, NULL, 0), starter);
        assert_int_equal(read(held[0], &byte, 1), 0); /* nobody has the other end */
        close(held[0]);
        unlink(path);
}

static void test_free_ends_it(void **state)
{
        Fixture *fixture = *state;
        pid_t pid;

        make(fixture, "exec sleep 1000", &(PtRunnerSpec){.settle_usec = MSEC});
        pt_runner_start(fixture->runner);
        run_until(fixture, PT_RUNNER_RUNNING);
        pid = pt_runner_pid(fixture->runner);
        g_clear_pointer(&fixture->runner, pt_runner_free);
        assert_int_equal(kill(pid, 0), -1);
        assert_int_equal(errno, ESRCH);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_runs_and_stops, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ready_is_told, setup, teardown),
                cmocka_unit_test_setup_teardown(test_program_is_missing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_is_no_program, setup, teardown),
                cmocka_unit_test_setup_teardown(test_dies_at_once, setup, teardown),
                cmocka_unit_test_setup_teardown(test_delays_grow, setup, teardown),
                cmocka_unit_test_setup_teardown(test_dies_later, setup, teardown),
                cmocka_unit_test_setup_teardown(test_hangs_at_stop, setup, teardown),
                cmocka_unit_test_setup_teardown(test_restart_of_one_that_hangs, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stop_while_waiting, setup, teardown),
                cmocka_unit_test_setup_teardown(test_restart_while_waiting, setup, teardown),
                cmocka_unit_test_setup_teardown(test_prepare_refuses, setup, teardown),
                cmocka_unit_test_setup_teardown(test_what_it_says_is_tame, setup, teardown),
                cmocka_unit_test_setup_teardown(test_says_much, setup, teardown),
                cmocka_unit_test_setup_teardown(test_nothing_goes_with_it, setup, teardown),
                cmocka_unit_test_setup_teardown(test_child_of_it_stays, setup, teardown),
                cmocka_unit_test_setup_teardown(test_ends_with_its_starter, setup, teardown),
                cmocka_unit_test_setup_teardown(test_free_ends_it, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
