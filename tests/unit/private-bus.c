/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "private-bus.h"

#include "base/io.h"
#include "unit.h"
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define AWAIT_USEC 10000000U
#define PRINT_FD 3 /* above 2: dbus-daemon closes it when it has printed */

static const char bus_config[] =
        "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\"\n"
        " \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
        "<busconfig>\n"
        " <listen>%s</listen>\n"
        " <auth>EXTERNAL</auth>\n"
        " <policy context=\"default\">\n"
        "  <allow user=\"*\"/>\n"
        "  <allow own=\"*\"/>\n"
        "  <allow send_type=\"*\"/>\n"
        "  <allow receive_type=\"*\"/>\n"
        " </policy>\n"
        "</busconfig>\n";

void private_bus_init(PrivateBus *bus)
{
        g_autofree char *config = NULL, *path = NULL;

        *bus = (PrivateBus){};
        bus->dir = g_dir_make_tmp("patronus-test-XXXXXX", NULL);
        assert_non_null(bus->dir);
        /* Clients of another uid must get at the socket. */
        assert_return_code(chmod(bus->dir, 0755), errno);
        bus->address = g_strdup_printf("unix:path=%s/bus", bus->dir);
        path = g_strdup_printf("%s/bus.conf", bus->dir);
        config = g_strdup_printf(bus_config, bus->address);
        assert_true(g_file_set_contents(path, config, -1, NULL));
}

void private_bus_start(PrivateBus *bus)
{
        g_autofree char *config = g_strdup_printf("--config-file=%s/bus.conf", bus->dir);
        g_autofree char *socket = g_strdup_printf("%s/bus", bus->dir);
        g_autofree char *answer = NULL;
        posix_spawn_file_actions_t actions;
        int pipe_fds[2];
        size_t size;

        (void) unlink(socket);
        assert_return_code(pipe2(pipe_fds, O_CLOEXEC), errno);
        pt_auto_fd int near = pipe_fds[0];
        assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
        assert_int_equal(posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], PRINT_FD), 0);

        char *const argv[] = {(char *) "dbus-daemon",
                              config,
                              (char *) "--nofork",
                              (char *) "--nopidfile",
                              (char *) "--print-address=" G_STRINGIFY(PRINT_FD),
                              NULL};

        assert_int_equal(posix_spawnp(&bus->pid, argv[0], &actions, NULL, argv, environ), 0);
        assert_int_equal(posix_spawn_file_actions_destroy(&actions), 0);
        close(pipe_fds[1]);
        /* It prints the address once it listens, and closes the pipe. */
        assert_return_code(pt_read_all(near, 4096, &answer, &size), 0);
        assert_true(size > 0);
}

void private_bus_stop(PrivateBus *bus)
{
        if (bus->pid <= 0)
                return;
        assert_return_code(kill(bus->pid, SIGTERM), errno);
        assert_int_equal(waitpid(bus->pid, NULL, 0), bus->pid);
        bus->pid = 0;
}

void private_bus_done(PrivateBus *bus)
{
        static const char *const files[] = {"bus.conf", "bus"};

        private_bus_stop(bus);
        for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *path = g_strdup_printf("%s/%s", bus->dir, files[i]);

                (void) unlink(path);
        }
        assert_return_code(g_rmdir(bus->dir), errno);
        g_free(bus->dir);
        g_free(bus->address);
}

sd_bus *private_bus_connect(const PrivateBus *bus)
{
        sd_bus *connection = NULL;

        assert_return_code(sd_bus_new(&connection), 0);
        assert_return_code(sd_bus_set_address(connection, bus->address), 0);
        assert_return_code(sd_bus_set_bus_client(connection, true), 0);
        assert_return_code(sd_bus_start(connection), 0);
        return connection;
}

static int owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        return 0; /* it woke private_bus_await() up */
}

void private_bus_await(sd_bus *connection, const char *name)
{
        g_autofree char *match = g_strdup_printf(
                "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'",
                name);
        gint64 deadline = g_get_monotonic_time() + AWAIT_USEC;

        assert_return_code(sd_bus_add_match(connection, NULL, match, owner_changed, NULL), 0);
        while (sd_bus_get_name_creds(connection, name, 0, NULL) < 0) {
                gint64 now = g_get_monotonic_time();

                assert_true(now < deadline);
                if (sd_bus_process(connection, NULL) == 0)
                        assert_return_code(sd_bus_wait(connection, (uint64_t) (deadline - now)), 0);
        }
}
