/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A connected client of org.patronus.Filter1. Each line on standard input is one act, and is answered
 * with one line: microseconds of wall clock, microseconds of its own CPU, and a number.
 *
 *         ban COUNT FIRST          one call of Ban with so many IPv4 addresses from FIRST on, for ten
 *                                  minutes; the number is how many were added
 *         flush                    FlushBans
 *         list json|packed LIMIT   all connections in pages; how many there are
 *         kill SOURCE SPORT DESTINATION DPORT     one TCP connection; how many were ended
 */

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <time.h>

#define SERVICE "org.patronus.Filter1"
#define PATH "/org/patronus/Filter1"
#define BAN_USEC (600 * UINT64_C(1000000))

static uint64_t usec(clockid_t clock)
{
        struct timespec ts;

        clock_gettime(clock, &ts);
        return (uint64_t) ts.tv_sec * 1000000 + (uint64_t) ts.tv_nsec / 1000;
}

/* Sends a message, and takes the reference to it. */
static int call(sd_bus *bus, sd_bus_message *m, sd_bus_message **ret)
{
        sd_bus_error error = SD_BUS_ERROR_NULL;
        int r = sd_bus_call(bus, m, 0, &error, ret);

        if (r < 0)
                fprintf(stderr, "%s: %s\n", sd_bus_message_get_member(m), error.message);
        sd_bus_error_free(&error);
        sd_bus_message_unref(m);
        return r;
}

static int ban(sd_bus *bus, unsigned count, const char *first, uint64_t *ret)
{
        sd_bus_message *m = NULL, *reply = NULL;
        struct in_addr address;
        uint32_t number, added = 0;
        int r = sd_bus_message_new_method_call(bus, &m, SERVICE, PATH, SERVICE, "Ban");

        if (r < 0 || inet_pton(AF_INET, first, &address) != 1)
                return -1;
        number = ntohl(address.s_addr);
        r = sd_bus_message_open_container(m, 'a', "(st)");
        for (unsigned i = 0; r >= 0 && i < count; i++) {
                char text[INET_ADDRSTRLEN];

                address.s_addr = htonl(number + i);
                inet_ntop(AF_INET, &address, text, sizeof(text));
                r = sd_bus_message_append(m, "(st)", text, BAN_USEC);
        }
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "a{sv}", 0);
        if (r >= 0)
                r = call(bus, m, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "u", &added);
        sd_bus_message_unref(reply);
        *ret = added;
        return r;
}

static int flush(sd_bus *bus, uint64_t *ret)
{
        sd_bus_message *m = NULL, *reply = NULL;
        uint32_t removed = 0;
        int r = sd_bus_message_new_method_call(bus, &m, SERVICE, PATH, SERVICE, "FlushBans");

        if (r >= 0)
                r = call(bus, m, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "u", &removed);
        sd_bus_message_unref(reply);
        *ret = removed;
        return r;
}

static int list(sd_bus *bus, const char *format, uint32_t limit, uint64_t *ret)
{
        char cursor[128] = "";
        int r;

        *ret = 0;
        do {
                sd_bus_message *m = NULL, *reply = NULL;
                const char *next;
                uint32_t rows;
                int fd;

                r = sd_bus_message_new_method_call(bus, &m, SERVICE, PATH, SERVICE,
                                                   "ListConnections");
                if (r >= 0)
                        r = *cursor ? sd_bus_message_append(m, "a{sv}", 1, "after", "s", cursor)
                                    : sd_bus_message_append(m, "a{sv}", 2, "limit", "u", limit,
                                                            "format", "s", format);
                if (r >= 0)
                        r = call(bus, m, &reply);
                if (r >= 0)
                        r = sd_bus_message_read(reply, "hus", &fd, &rows, &next);
                if (r >= 0) {
                        *ret += rows;
                        snprintf(cursor, sizeof(cursor), "%s", next);
                }
                sd_bus_message_unref(reply);
        } while (r >= 0 && *cursor);
        return r;
}

static int kill_one(sd_bus *bus, const char *source, uint16_t source_port, const char *destination,
                    uint16_t destination_port, uint64_t *ret)
{
        sd_bus_message *m = NULL, *reply = NULL;
        int r = sd_bus_message_new_method_call(bus, &m, SERVICE, PATH, SERVICE, "KillConnections");

        if (r >= 0)
                r = sd_bus_message_append(m, "a{sv}", 5, "protocol", "s", "tcp", "source", "s",
                                          source, "sourcePort", "q", source_port, "destination",
                                          "s", destination, "destinationPort", "q",
                                          destination_port);
        if (r >= 0)
                r = call(bus, m, &reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "t", ret);
        sd_bus_message_unref(reply);
        return r;
}

static int act(sd_bus *bus, const char *line, uint64_t *ret)
{
        char first[64], second[64];
        unsigned a, b;

        if (sscanf(line, "ban %u %63s", &a, first) == 2)
                return ban(bus, a, first, ret);
        if (sscanf(line, "list %63s %u", first, &a) == 2)
                return list(bus, first, a, ret);
        if (sscanf(line, "kill %63s %u %63s %u", first, &a, second, &b) == 4)
                return kill_one(bus, first, (uint16_t) a, second, (uint16_t) b, ret);
        if (strncmp(line, "flush", 5) == 0)
                return flush(bus, ret);
        fprintf(stderr, "no such act: %s", line);
        return -1;
}

int main(void)
{
        char line[256];
        sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r < 0)
                fprintf(stderr, "no bus: %s\n", strerror(-r));
        while (r >= 0 && fgets(line, sizeof(line), stdin)) {
                uint64_t wall = usec(CLOCK_MONOTONIC), cpu = usec(CLOCK_PROCESS_CPUTIME_ID), n = 0;

                r = act(bus, line, &n);
                printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", usec(CLOCK_MONOTONIC) - wall,
                       usec(CLOCK_PROCESS_CPUTIME_ID) - cpu, n);
                fflush(stdout);
        }
        sd_bus_unref(bus);
        return r < 0;
}
