/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* D-Bus a{sv} in and out, by the table: struct = a{sv}, list of T = array of T's signature. */

#include "kind/json.h"
#include <systemd/sd-bus.h>

/* Appends the object as a{sv} with apiVersion, kind, metadata (a{sv}) and spec (a{sv}). */
int pt_object_append(const PtObject *object, bool secrets, sd_bus_message *m);
/*
 * Reads an a{sv} of fields of `fields` (a spec) into a JSON tree, checking names and D-Bus types:
 * any integer type is taken, strings mean what they mean on a command line, and a list may be an
 * array of variants. Values are checked when the object is made. -EINVAL with diagnostics at
 * "/spec/..."; the whole a{sv} is consumed then too.
 */
int pt_fields_read(const PtField *fields, sd_bus_message *m, PtDiagnostics *diag,
                   struct json_object **ret);
/* Appends a JSON tree of a spec (or a part of it) as a{sv} by the table; -EINVAL for what the table
 * does not have. */
int pt_fields_append(const PtField *fields, struct json_object *json, sd_bus_message *m);
/* The same as the entry `name` of an a{sv} that is being written. */
int pt_fields_append_entry(const char *name, const PtField *fields, struct json_object *json,
                           sd_bus_message *m);
/* Any a{sv} of basic values, arrays and nested a{sv} or a{ss} into JSON, for metadata and options:
 * at most `depth` arrays and variants deep. */
int pt_vardict_read(sd_bus_message *m, unsigned depth, struct json_object **ret);
int pt_vardict_append(struct json_object *json, sd_bus_message *m);
