/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A client that is connected already: for each path on standard input it applies that file by one
 * call of Config1.Apply and answers with a line: microseconds of wall clock, microseconds of its own
 * CPU, then the timings of the reply as NAME=USEC. It ends at the end of its input, or with exit code
 * 1 at the first file that changes nothing.
 */

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <systemd/sd-bus.h>
#include <time.h>
#include <unistd.h>

static uint64_t usec(clockid_t clock)
{
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* The file's content in a sealed memfd, or -1. */
static int sealed_copy(const char *path)
{
        int from = open(path, O_RDONLY | O_CLOEXEC);
        int fd = memfd_create("warm", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
        struct stat st;

        if (from >= 0 && fd >= 0 && fstat(from, &st) == 0 &&
            sendfile(fd, from, NULL, (size_t) st.st_size) == st.st_size &&
            fcntl(fd, F_ADD_SEALS, seals) == 0) {
                close(from);
                return fd;
        }
        perror(path);
        return -1;
}

static int print_timings(sd_bus_message *reply)
{
        const char *name;
        uint64_t value;
        int r;

        r = sd_bus_message_enter_container(reply, 'v', "a{st}");
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "{st}");
        while (r >= 0 && (r = sd_bus_message_read(reply, "{st}", &name, &value)) > 0)
                printf(" %s=%" PRIu64, name, value);
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        return r < 0 ? r : sd_bus_message_exit_container(reply);
}

/* Prints the timings; 1: the input was taken and was a change. */
static int read_reply(sd_bus_message *reply)
{
        int accepted = 0, changed = 0, r;

        r = sd_bus_message_enter_container(reply, 'a', "{sv}");
        while (r >= 0 && (r = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
                const char *key;

                r = sd_bus_message_read(reply, "s", &key);
                if (r < 0)
                        break;
                if (strcmp(key, "accepted") == 0)
                        r = sd_bus_message_read(reply, "v", "b", &accepted);
                else if (strcmp(key, "changed") == 0)
                        r = sd_bus_message_read(reply, "v", "b", &changed);
                else if (strcmp(key, "timings") == 0)
                        r = print_timings(reply);
                else
                        r = sd_bus_message_skip(reply, "v");
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
        }
        return r < 0 ? r : accepted && changed;
}

static int apply(sd_bus *bus, const char *path)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        uint64_t wall = usec(CLOCK_MONOTONIC), cpu = usec(CLOCK_PROCESS_CPUTIME_ID);
        int fd = sealed_copy(path);
        int r;

        if (fd < 0)
                return -1;
        r = sd_bus_call_method(bus, "org.patronus.Config1", "/org/patronus/Config1",
                               "org.patronus.Config1", "Apply", &error, &reply, "ha{sv}", fd, 0);
        printf("%" PRIu64 " %" PRIu64, usec(CLOCK_MONOTONIC) - wall,
               usec(CLOCK_PROCESS_CPUTIME_ID) - cpu);
        close(fd);
        if (r >= 0)
                r = read_reply(reply);
        else
                fprintf(stderr, "%s: %s\n", path, error.message);
        putchar('\n');
        fflush(stdout);
        sd_bus_error_free(&error);
        sd_bus_message_unref(reply);
        return r;
}

int main(void)
{
        char path[4096];
        sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r < 0)
                fprintf(stderr, "no bus: %s\n", strerror(-r));
        while (r >= 0 && fgets(path, sizeof(path), stdin)) {
                path[strcspn(path, "\n")] = '\0';
                r = apply(bus, path);
                if (r == 0) {
                        fprintf(stderr, "%s: not taken, or no change\n", path);
                        r = -1;
                }
        }
        sd_bus_unref(bus);
        return r < 0;
}
