/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/daemon.h"

#include "private-bus.h"
#include "unit.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#define NAME "org.patronus.Test1"
#define PATH "/org/patronus/Test1"
#define WAIT 2 /* start() waits in the loop, as a participant does */

static PrivateBus bus;

/* ---- a small daemon, run in a child ----------------------------------------------------- */

static int method_ping(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        PtDaemon *daemon = userdata;

        return sd_bus_reply_method_return(m, "s", pt_daemon_bus(daemon) ? "bus" : "none");
}

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Ping", "", "s", method_ping, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

static int t_start(PtDaemon *daemon)
{
        /* The service manager's socket says what happened, in order. */
        pt_daemon_status(daemon, "start %s", pt_daemon_state_dir(daemon));
        if (pt_daemon_userdata(daemon) == GINT_TO_POINTER(WAIT)) {
                while (sd_event_run(pt_daemon_event(daemon), UINT64_MAX) >= 0)
                        ; /* until the loop has ended */
                return -ECANCELED;
        }
        return GPOINTER_TO_INT(pt_daemon_userdata(daemon));
}

static int t_attach(PtDaemon *daemon, sd_bus *connection)
{
        pt_daemon_status(daemon, "attach");
        return sd_bus_add_object_vtable(connection, NULL, PATH, NAME, vtable, daemon);
}

static void t_stop(PtDaemon *daemon)
{
        pt_daemon_status(daemon, "stop");
}

static int t_result(PtDaemon *daemon, const char *value)
{
        if (g_str_equal(value, "done"))
                pt_daemon_set_userdata(daemon, GINT_TO_POINTER(1));
        else if (g_str_equal(value, "wait"))
                pt_daemon_set_userdata(daemon, GINT_TO_POINTER(WAIT));
        else if (g_str_equal(value, "fail"))
                pt_daemon_set_userdata(daemon, GINT_TO_POINTER(-EIO));
        else
                return -EINVAL;
        return 0;
}

static const PtDaemonOption options[] = {
        {"result", "WORD", "what start() does: done, wait or fail", t_result},
        {},
};

static const PtAccessRow access_rows[] = {PT_MAY_CALL(NAME, "Ping", RUNTIME_READ), {}};
static const PtAccessTable access_table = {.rows = access_rows};

static const PtDaemonClass test_class = {
        .name = "testd",
        .bus_name = NAME,
        .path = PATH,
        .doc = "a daemon for tests",
        .options = options,
        .access = &access_table,
        .start = t_start,
        .attach = t_attach,
        .stop = t_stop,
};

/* ---- running and watching it ------------------------------------------------------------ */

typedef struct Child {
        pid_t pid;
        int notify; /* our end of NOTIFY_SOCKET */
        int output; /* its standard output */
        char *socket;
} Child;

static void child_start(Child *child, const char *const *argv)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        unsigned argc = 0;
        int fds[2];

        child->socket = g_strdup_printf("%s/notify", bus.dir);
        assert_true(strlen(child->socket) < sizeof(address.sun_path));
        memcpy(address.sun_path, child->socket, strlen(child->socket) + 1);
        child->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        assert_return_code(child->notify, errno);
        assert_return_code(bind(child->notify, (struct sockaddr *) &address, sizeof(address)),
                           errno);
        assert_return_code(pipe(fds), errno);
        while (argv[argc])
                argc++;
        (void) fflush(stdout);
        child->pid = fork();
        assert_return_code(child->pid, errno);
        if (child->pid == 0) {
                g_autofree char **copy = g_memdup2(argv, (argc + 1) * sizeof(char *));

                (void) prctl(PR_SET_PDEATHSIG, SIGKILL); /* when an assertion ends the test */
                (void) setenv("NOTIFY_SOCKET", child->socket, true);
                (void) dup2(fds[1], STDOUT_FILENO);
                exit(pt_daemon_run(&test_class, (int) argc, copy));
        }
        close(fds[1]);
        child->output = fds[0];
}

/* Waits for a notification that has this line; what comes before it is dropped. */
static void child_expect(Child *child, const char *line)
{
        for (;;) {
                struct pollfd p = {.fd = child->notify, .events = POLLIN};
                g_auto(GStrv) lines = NULL;
                char text[1024];
                ssize_t n;

                assert_int_equal(poll(&p, 1, 10000), 1);
                n = recv(child->notify, text, sizeof(text) - 1, 0);
                assert_return_code(n, errno);
                text[n] = 0;
                lines = g_strsplit(text, "\n", -1);
                if (g_strv_contains((const char *const *) lines, line))
                        return;
        }
}

static int child_end(Child *child, int signal_number)
{
        int status;

        if (signal_number)
                assert_return_code(kill(child->pid, signal_number), errno);
        assert_int_equal(waitpid(child->pid, &status, 0), child->pid);
        close(child->notify);
        close(child->output);
        (void) unlink(child->socket);
        g_free(child->socket);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void assert_answers(void)
{
        sd_bus *client = private_bus_connect(&bus);
        sd_bus_message *reply = NULL;
        const char *text;

        private_bus_await(client, NAME);
        assert_return_code(sd_bus_call_method(client, NAME, PATH, NAME, "Ping", NULL, &reply, ""),
                           0);
        assert_return_code(sd_bus_message_read(reply, "s", &text), 0);
        assert_string_equal(text, "bus");
        sd_bus_message_unref(reply);
        sd_bus_flush_close_unref(client);
}

/* ---- tests ------------------------------------------------------------------------------ */

static void test_lifecycle(void **state)
{
        const char *const argv[] = {"testd", "--bus", bus.address, "--state-dir", "/s", NULL};
        Child child;

        private_bus_start(&bus);
        child_start(&child, argv);
        child_expect(&child, "STATUS=start /s");
        child_expect(&child, "STATUS=attach");
        child_expect(&child, "READY=1");
        assert_answers();
        assert_return_code(kill(child.pid, SIGHUP), errno);
        assert_answers();
        assert_return_code(kill(child.pid, SIGTERM), errno);
        child_expect(&child, "STOPPING=1");
        child_expect(&child, "STATUS=stop");
        assert_int_equal(child_end(&child, 0), 0);
        private_bus_stop(&bus);
}

static void test_no_bus(void **state)
{
        const char *const argv[] = {"testd", "--bus", "none", NULL};
        Child child;

        child_start(&child, argv);
        child_expect(&child, "STATUS=start /var/lib/patronus");
        child_expect(&child, "READY=1");
        assert_int_equal(child_end(&child, SIGINT), 0);
}

static void test_bus_comes_later_and_goes(void **state)
{
        const char *const argv[] = {"testd", "--bus", bus.address, NULL};
        Child child;

        child_start(&child, argv);
        child_expect(&child, "READY=1");
        for (unsigned i = 0; i < 3; i++) {
                private_bus_start(&bus);
                assert_answers();
                private_bus_stop(&bus);
        }
        assert_int_equal(child_end(&child, SIGTERM), 0);
}

static void test_bus_that_does_not_speak(void **state)
{
        g_autofree char *path = g_strdup_printf("%s/deaf", bus.dir);
        g_autofree char *address = g_strdup_printf("unix:path=%s", path);
        const char *const argv[] = {"testd", "--bus", address, NULL};
        struct sockaddr_un deaf = {.sun_family = AF_UNIX};
        pt_auto_fd int fd = -EBADF;
        Child child;

        memcpy(deaf.sun_path, path, strlen(path) + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_return_code(bind(fd, (struct sockaddr *) &deaf, sizeof(deaf)), errno);
        assert_return_code(listen(fd, 5), errno);
        child_start(&child, argv);
        child_expect(&child, "STATUS=attach"); /* and yet it listens to signals */
        assert_int_equal(child_end(&child, SIGTERM), 0);
        (void) unlink(path);
}

static void test_name_taken(void **state)
{
        const char *const argv[] = {"testd", "--bus", bus.address, NULL};
        sd_bus *other;
        Child child;

        private_bus_start(&bus);
        other = private_bus_connect(&bus);
        assert_return_code(sd_bus_request_name(other, NAME, 0), 0);
        child_start(&child, argv);
        child_expect(&child, "READY=1");
        assert_return_code(sd_bus_release_name(other, NAME), 0);
        assert_answers();
        sd_bus_flush_close_unref(other);
        assert_int_equal(child_end(&child, SIGTERM), 0);
        private_bus_stop(&bus);
}

static void test_start_results(void **state)
{
        const char *const done[] = {"testd", "--result", "done", "--bus", "none", NULL};
        const char *const wait[] = {"testd", "--result", "wait", "--bus", "none", NULL};
        const char *const fail[] = {"testd", "--result=fail", "--bus", "none", NULL};
        Child child;

        child_start(&child, done);
        child_expect(&child, "STATUS=stop");
        assert_int_equal(child_end(&child, 0), 0);
        child_start(&child, fail);
        child_expect(&child, "STATUS=stop");
        assert_int_equal(child_end(&child, 0), 1);
        child_start(&child, wait);
        child_expect(&child, "STATUS=start /var/lib/patronus");
        assert_int_equal(child_end(&child, SIGTERM), 0); /* that is no failure */
}

static void test_usage(void **state)
{
        const char *const bad[][3] = {
                {"testd", "--nonsense", NULL},       {"testd", "word", NULL},
                {"testd", "--result=maybe", NULL},   {"testd", "--state-dir=relative", NULL},
                {"testd", "--log-level=loud", NULL}, {"testd", "--bus=", NULL},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                Child child;

                child_start(&child, bad[i]);
                assert_int_equal(child_end(&child, 0), 2);
        }
}

static void assert_prints(const char *option, const char *const *parts)
{
        const char *const argv[] = {"testd", option, NULL};
        char text[8192];
        size_t n = 0;
        ssize_t r;
        Child child;

        child_start(&child, argv);
        while ((r = read(child.output, text + n, sizeof(text) - 1 - n)) > 0)
                n += (size_t) r;
        text[n] = 0;
        assert_int_equal(child_end(&child, 0), 0);
        for (; *parts; parts++)
                if (!strstr(text, *parts))
                        fail_msg("%s: \"%s\" is missing in:\n%s", option, *parts, text);
}

static void test_prints(void **state)
{
        assert_prints("--help", (const char *const[]){"a daemon for tests", "--result WORD",
                                                      "--state-dir DIR", NULL});
        assert_prints("--version", (const char *const[]){"patronus-testd ", NULL});
        assert_prints(
                "--introspect",
                (const char *const[]){"<node name=\"org/patronus/Test1\">",
                                      "<interface name=\"" NAME "\">", "<method name=\"Ping\">",
                                      "<interface name=\"org.freedesktop.LogControl1\">", NULL});
}

static int setup(void **state)
{
        private_bus_init(&bus);
        return 0;
}

static int teardown(void **state)
{
        private_bus_done(&bus);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lifecycle),
                cmocka_unit_test(test_no_bus),
                cmocka_unit_test(test_bus_comes_later_and_goes),
                cmocka_unit_test(test_bus_that_does_not_speak),
                cmocka_unit_test(test_name_taken),
                cmocka_unit_test(test_start_results),
                cmocka_unit_test(test_usage),
                cmocka_unit_test(test_prints),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
