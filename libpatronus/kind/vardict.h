/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* D-Bus a{sv} in and out, by the table: struct = a{sv}, list of T = array of T's signature (lists
 * of structs: aa{sv}). */

#include "kind/json.h"
#include <systemd/sd-bus.h>

/* Appends the object as a{sv} with apiVersion, kind, metadata (a{sv}) and spec (a{sv}). */
int pt_object_append(const PtObject *object, bool secrets, sd_bus_message *m);
/* Reads an a{sv} of fields of `fields` (a spec) into a JSON tree, checking names and D-Bus types;
 * numbers of any integer type are accepted where a number is wanted, strings where the type has a
 * text form. */
int pt_fields_read(const PtField *fields, sd_bus_message *m, PtDiagnostics *diag,
                   struct json_object **ret);
/* Appends a JSON tree of a spec (or a part of it) as a{sv} by the table. */
int pt_fields_append(const PtField *fields, struct json_object *json, sd_bus_message *m);
/* Any a{sv} of basic values, arrays and nested a{sv} into JSON, for metadata and options. */
int pt_vardict_read(sd_bus_message *m, unsigned depth, struct json_object **ret);
int pt_vardict_append(struct json_object *json, sd_bus_message *m);
