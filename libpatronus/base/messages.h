/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * MESSAGE_ID of log entries that are worth an alarm, for `journalctl MESSAGE_ID=...` and for
 * programs. docs/ALARMS.md says of each what it means and what to do.
 *
 *         pt_log_fields(LOG_CRIT, (const char *[]){PT_MESSAGE_DEGRADED, NULL}, "...");
 */

#define PT_MESSAGE_DEGRADED "MESSAGE_ID=6c1f0d2b9a5e4b7f8e3d47a1c05b92e4"
#define PT_MESSAGE_SERVER_DOWN "MESSAGE_ID=5e2b9c41d7f34a0e86c1f09a3b7d2e58"
#define PT_MESSAGE_SERVER_UP "MESSAGE_ID=a94c07e3f1b84d62925d6ce8104f7b3a"
#define PT_MESSAGE_NAT64_DOWN "MESSAGE_ID=c3f84a1be07d4d3c9a5276e1d90b48f2"
#define PT_MESSAGE_NAT64_UP "MESSAGE_ID=8d21e6f5740b4ea6b3c97a02f1584de9"
#define PT_MESSAGE_RECOVERED "MESSAGE_ID=0b7e3a94d6c84f10a2f95be8137d4c6f"
#define PT_MESSAGE_PACKET "MESSAGE_ID=5d0f3c7e86b84f7d9a2c41e5b7f6a013"
#define PT_MESSAGE_LOG_HELD_BACK "MESSAGE_ID=e2a9b6d40c5743f1b8d7056f3a1c94ee"
#define PT_MESSAGE_ALIAS_REFRESHED "MESSAGE_ID=1b106af1d6fc61d0a62955c9858884a8"
