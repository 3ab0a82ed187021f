/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The methods of org.patronus.Config1 that are about datasets; the vtable is bus-config.c's. */

#include <systemd/sd-bus.h>

int bus_dataset_put(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_dataset_list(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_dataset_read(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_dataset_delete(sd_bus_message *call, void *userdata, sd_bus_error *error);
