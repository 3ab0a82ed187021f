/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Structured logging: to journald when standard error is connected to it (JOURNAL_STREAM), else as
 * "<name>: text" lines on standard error. Extra fields are "KEY=value" strings, last NULL.
 *
 *         pt_log(LOG_NOTICE, "revision %" PRIu64 " is in force", n);
 *         pt_log_fields(LOG_WARNING, (const char *[]){ "PATRONUS_KIND=Zone", NULL }, "...");
 */

#include "base/macros.h"
#include <syslog.h>

void pt_log_open(const char *program);
void pt_log_set_level(int level); /* LOG_ERR ... LOG_DEBUG; LOG_INFO at the start */
int pt_log_level(void);
void pt_log(int level, const char *format, ...) G_GNUC_PRINTF(2, 3);
void pt_log_fields(int level, const char *const *fields, const char *format, ...)
        G_GNUC_PRINTF(3, 4);
