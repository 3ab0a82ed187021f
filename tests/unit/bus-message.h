/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Messages without a bus: sd-bus makes them only for a connection, and half a socket pair is one.
 */

#include "unit.h"

#include <stdbool.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

typedef struct UnitBus {
        sd_bus *bus;
        int peer;
} UnitBus;

static inline void unit_bus_open(UnitBus *unit)
{
        int fds[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        assert_true(sd_bus_new(&unit->bus) >= 0);
        assert_true(sd_bus_set_fd(unit->bus, fds[0], fds[0]) >= 0);
        assert_true(sd_bus_start(unit->bus) >= 0);
        unit->peer = fds[1];
}

static inline void unit_bus_close(UnitBus *unit)
{
        sd_bus_close_unref(unit->bus);
        close(unit->peer);
}

static inline sd_bus_message *unit_bus_message(UnitBus *unit)
{
        sd_bus_message *m = NULL;

        assert_true(sd_bus_message_new_method_call(unit->bus, &m, "a.b", "/", "a.b", "C") >= 0);
        return m;
}

/* Ends the writing of a message and begins its reading. */
static inline void unit_bus_turn(sd_bus_message *m)
{
        assert_true(sd_bus_message_seal(m, 1, 0) >= 0);
        assert_true(sd_bus_message_rewind(m, true) >= 0);
}
