/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* ListAudit, VerifyAudit and RecordAudit of org.patronus.Config1 (docs/DBUS.md). */

#include <systemd/sd-bus.h>

struct Verification;
void bus_audit_verification_free(struct Verification *verification); /* gives it up */

int bus_audit_list(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_audit_verify(sd_bus_message *call, void *userdata, sd_bus_error *error);
int bus_audit_record(sd_bus_message *call, void *userdata, sd_bus_error *error);
