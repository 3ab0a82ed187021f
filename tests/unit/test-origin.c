/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Callers that are real processes: busctl, below a shell that is called as an ssh server would be,
 * on a pseudo terminal or none.
 */

#include "bus/origin.h"

#include "bus/bus.h"
#include "private-bus.h"
#include "unit.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <pty.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <utmp.h>

#define NOBODY 65534

static PrivateBus bus;
static sd_bus *service;
static PtOrigin *seen;

static int method_who(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        int r;

        r = pt_origin_read(m, &seen);
        if (r < 0)
                return r;
        return sd_bus_reply_method_return(m, "");
}

static const sd_bus_vtable test_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD("Who", "", "", method_who, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

/* A program of another name: `name` is a copy of the shell. */
static char *shell_called(const char *name)
{
        char *path = g_strdup_printf("%s/%s", bus.dir, name);
        g_autofree char *program = NULL;
        gsize size;

        assert_true(g_file_get_contents("/bin/sh", &program, &size, NULL));
        assert_true(g_file_set_contents_full(path, program, (gssize) size, G_FILE_SET_CONTENTS_NONE,
                                             0755, NULL));
        return path;
}

/* Runs a script in a session of its own, with a pseudo terminal or without, and says where its
 * call came from. */
static PtOrigin *origin_of(const char *shell, const char *script, bool terminal, uid_t uid)
{
        char *const argv[] = {(char *) shell, (char *) "-c", (char *) script, NULL};
        int status, master = -1, slave = -1;
        pid_t pid;

        if (terminal)
                assert_return_code(openpty(&master, &slave, NULL, NULL, NULL), errno);
        pid = fork();
        if (pid == 0) {
                if ((terminal ? login_tty(slave) : setsid()) < 0 ||
                    (uid != 0 && setresuid(uid, uid, uid) < 0))
                        _exit(1);
                (void) execv(shell, argv);
                _exit(1);
        }
        while (!seen) {
                if (sd_bus_process(service, NULL) == 0)
                        assert_return_code(sd_bus_wait(service, 10000000), 0);
                /* Its answer is sent as soon as it is seen: from then on it may end. */
                if (!seen)
                        assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
        }
        assert_return_code(sd_bus_flush(service), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        if (terminal) {
                close(master);
                close(slave);
        }
        return g_steal_pointer(&seen);
}

/* A script that calls us, in between others. */
static char *script_of(const char *before, const char *after)
{
        const char *name;

        assert_return_code(sd_bus_get_unique_name(service, &name), 0);
        return g_strdup_printf("%sbusctl --address=%s call %s /t org.patronus.Test Who%s; true",
                               before, bus.address, name, after);
}

static uint64_t now_usec(void)
{
        struct timespec now;

        assert_return_code(clock_gettime(CLOCK_BOOTTIME, &now), errno);
        return (uint64_t) now.tv_sec * 1000000 + (uint64_t) now.tv_nsec / 1000;
}

/* What this very test was started from: a developer may have logged in by ssh. */
static bool remote_here(void)
{
        g_autoptr(PtOrigin) here = pt_origin_of(getpid());

        return here->is_remote;
}

static void test_plain(void **state)
{
        g_autofree char *script = script_of("", "");
        g_autoptr(PtOrigin) bare = origin_of("/bin/sh", script, false, 0);
        g_autoptr(PtOrigin) on_pty = origin_of("/bin/sh", script, true, 0);

        assert_true(bare->pid > 0 && on_pty->pid > bare->pid);
        assert_int_equal(bare->is_remote, remote_here());
        assert_int_equal(on_pty->is_remote, remote_here());
        assert_false(bare->console);
        if (!remote_here()) {
                assert_int_equal(bare->since_usec, 0);
                assert_int_equal(on_pty->since_usec, 0);
        }
}

static void test_ssh(void **state)
{
        g_autofree char *shell = shell_called("sshd");
        g_autofree char *script = script_of("", "");
        uint64_t tick = 1000000 / (uint64_t) sysconf(_SC_CLK_TCK), before = now_usec();
        g_autoptr(PtOrigin) old = origin_of(shell, script, true, 0);
        uint64_t between = now_usec();
        g_autoptr(PtOrigin) new = origin_of(shell, script, false, 0);

        assert_true(old->is_remote && new->is_remote);
        assert_false(old->console || new->console);
        assert_in_range(old->since_usec, before - tick, between);
        assert_in_range(new->since_usec, between - tick, now_usec());
}

/* A server that does not run as root is the user's own, and its start tells nothing while there is
 * one of root's above it. */
static void test_ssh_of_the_user(void **state)
{
        g_autofree char *shell = shell_called("sshd");
        g_autofree char *script = script_of("", "");
        g_autofree char *nested = NULL;
        g_autoptr(PtOrigin) origin = NULL;
        uint64_t before = now_usec();

        /* The outer one waits before it starts the inner. */
        nested = g_strdup_printf("read x; setpriv --reuid %d -- %s -c '%s'; true", NOBODY, shell,
                                 script);
        int lines[2], status;
        pid_t pid;
        char *const argv[] = {shell, (char *) "-c", nested, NULL};

        assert_return_code(pipe(lines), errno);
        pid = fork();
        if (pid == 0) {
                if (dup2(lines[0], STDIN_FILENO) < 0)
                        _exit(1);
                close(lines[1]);
                (void) execv(shell, argv);
                _exit(1);
        }
        g_usleep(30000); /* three ticks of the clock that start times are read in */
        uint64_t between = now_usec() - 1000000 / (uint64_t) sysconf(_SC_CLK_TCK);

        assert_int_equal(write(lines[1], "\n", 1), 1);
        while (!seen)
                if (sd_bus_process(service, NULL) == 0)
                        assert_return_code(sd_bus_wait(service, 10000000), 0);
        assert_return_code(sd_bus_flush(service), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        origin = g_steal_pointer(&seen);
        assert_true(origin->is_remote);
        assert_in_range(origin->since_usec, before - 1000000 / (uint64_t) sysconf(_SC_CLK_TCK),
                        between);
        close(lines[0]);
        close(lines[1]);
}

/* Under tmux or its like nobody knows who looks at the terminal, however new its connection is. */
static void test_keeper(void **state)
{
        g_autofree char *sshd = shell_called("sshd"), *tmux = shell_called("tmux: server");
        g_autofree char *inner = g_strdup_printf("'%s' -c '", tmux);
        g_autofree char *script = script_of(inner, "'"), *plain = script_of("", "");
        g_autoptr(PtOrigin) below = origin_of(sshd, script, true, 0);
        g_autoptr(PtOrigin) alone = origin_of(tmux, plain, true, 0);

        assert_true(below->is_remote && alone->is_remote);
        assert_false(below->console || alone->console);
        assert_int_equal(below->since_usec, 0);
        assert_int_equal(alone->since_usec, 0);
}

static void test_unknown(void **state)
{
        g_autoptr(PtOrigin) none = pt_origin_of(0);
        pid_t pid = fork();

        if (pid == 0)
                _exit(0);
        assert_int_equal(waitpid(pid, NULL, 0), pid);
        g_autoptr(PtOrigin) gone = pt_origin_of(pid);

        assert_true(none->is_remote && gone->is_remote);
        assert_false(none->console || gone->console);
        assert_int_equal(none->pid, 0);
        assert_int_equal(none->since_usec + gone->since_usec, 0);
}

static int setup(void **state)
{
        private_bus_init(&bus);
        private_bus_start(&bus);
        service = private_bus_connect(&bus);
        return sd_bus_add_object_vtable(service, NULL, "/t", "org.patronus.Test", test_vtable,
                                        NULL) < 0;
}

static int teardown(void **state)
{
        static const char *const names[] = {"sshd", "tmux: server"};

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *path = g_strdup_printf("%s/%s", bus.dir, names[i]);

                (void) unlink(path);
        }
        sd_bus_flush_close_unref(service);
        private_bus_done(&bus);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plain),           cmocka_unit_test(test_ssh),
                cmocka_unit_test(test_ssh_of_the_user), cmocka_unit_test(test_keeper),
                cmocka_unit_test(test_unknown),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
