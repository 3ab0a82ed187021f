/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Messages for a program that knows no kind: any value as JSON, and the a{sv} of options. */

#include "kind/json.h"
#include <systemd/sd-bus.h>

/* Reads any value at the cursor into JSON: dictionaries as objects, structs and arrays as arrays,
 * variants as their content. */
int ctl_message_to_json(sd_bus_message *m, struct json_object **ret);
/* Appends {"key": <value>} to an open a{sv}. */
int ctl_append_string(sd_bus_message *m, const char *key, const char *value);
int ctl_append_number(sd_bus_message *m, const char *key, char type, uint64_t value);
int ctl_append_strings(sd_bus_message *m, const char *key, char **values);
int ctl_append_true(sd_bus_message *m, const char *key);
