/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The introspection XML of what a daemon puts on the bus, without a bus: the objects are added to
 * one end of a connection of the process with itself, and asked from the other. One document: a
 * nested <node> for each path, in the order given, with all interfaces but org.freedesktop.DBus.*,
 * which are sd-bus's own and vary with its version.
 */

#include <glib.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

/* `attach` adds the objects; `paths` is NULL-terminated. */
int pt_introspect(sd_event *event, int (*attach)(sd_bus *bus, void *userdata), void *userdata,
                  const char *const *paths, GString *out);
