/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * MESSAGE_ID of log entries that are worth an alarm, for `journalctl MESSAGE_ID=...` and for
 * programs. docs/ALARMS.md says of each what it means and what to do.
 *
 *         pt_log_fields(LOG_CRIT, (const char *[]){PT_MESSAGE_DEGRADED, NULL}, "...");
 */

#define PT_MESSAGE_DEGRADED "MESSAGE_ID=6c1f0d2b9a5e4b7f8e3d47a1c05b92e4"
#define PT_MESSAGE_RECOVERED "MESSAGE_ID=0b7e3a94d6c84f10a2f95be8137d4c6f"
