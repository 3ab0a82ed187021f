/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Config1.Confirm and the properties and the signal that go with it. */

#include "manager.h"

int bus_confirm(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_confirm_property(sd_bus *bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *error);
/* What waits to be confirmed, or what is, changed. */
void bus_confirm_changed(Manager *manager);
/* Reads the option `connection`. A method handler's result. */
int bus_confirm_tuple(const char *text, PtTuple *ret, sd_bus_error *error);
