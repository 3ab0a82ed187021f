/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * org.freedesktop.LogControl1, as every daemon has it:
 *
 *         systemctl service-log-level patronus-filterd debug
 *
 * Who has org.patronus.system.admin may change the level; the target is always "auto" (base/log.h).
 */

#include <systemd/sd-bus.h>

#define PT_LOG_CONTROL_PATH "/org/freedesktop/LogControl1" /* given by systemd */

/* `identifier` is the program's name in the log; it outlives the bus. */
int pt_log_control_attach(sd_bus *bus, const char *identifier);
/* LOG_* of "err", "debug" (or "0" ... "7"); -EINVAL. */
int pt_log_level_from_string(const char *text);
const char *pt_log_level_to_string(int level);
