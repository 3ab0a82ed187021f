/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Config1.Export, and ExportSealed, which is the same with secrets as they are stored. Lists of a million addresses take their time as text, so an export with datasets
 * is written by a child. */

#include <glib.h>
#include <systemd/sd-bus.h>

#define EXPORTS_MAX 4 /* of those at once */

int bus_export(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_export_sealed(sd_bus_message *call, void *userdata, sd_bus_error *error);
/* Those under way, for Manager.exports; freeing it kills them. */
GPtrArray *bus_export_table_new(void);
