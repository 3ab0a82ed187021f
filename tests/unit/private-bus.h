/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A dbus-daemon of the test's own, in a new directory below /tmp, that lets everybody do
 * everything. It can be stopped and started again at the same address.
 */

#include "base/macros.h"
#include <sys/types.h>
#include <systemd/sd-bus.h>

typedef struct PrivateBus {
        char *dir;
        char *address;
        pid_t pid; /* 0: stopped */
} PrivateBus;

void private_bus_init(PrivateBus *bus);  /* makes the directory; does not start */
void private_bus_start(PrivateBus *bus); /* returns when it listens */
void private_bus_stop(PrivateBus *bus);
void private_bus_done(PrivateBus *bus); /* stops, and removes the directory */
/* A new connection. */
sd_bus *private_bus_connect(const PrivateBus *bus);
/* Waits until `name` has an owner; fails the test after ten seconds. */
void private_bus_await(sd_bus *connection, const char *name);
