/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/log.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* The journal takes what the library gives it; callers name a handful. */
#define LOG_FIELDS_MAX 32

#define SD_JOURNAL_SUPPRESS_LOCATION /* file and line of this file would say nothing */
#include <systemd/sd-journal.h>

/* A log has one destination in a process, like standard error: the one state that is not passed
 * around. */
static struct {
        const char *program;
        int level;
        bool journal;
} logger = {.program = "patronus", .level = LOG_INFO};

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the socket, and stands for standard error
 * only if they match. */
static bool stderr_is_journal(void)
{
        const char *stream = g_getenv("JOURNAL_STREAM");
        g_autofree char *actual = NULL;
        struct stat st;

        if (!stream || fstat(STDERR_FILENO, &st) < 0)
                return false;
        actual = g_strdup_printf("%" G_GUINT64_FORMAT ":%" G_GUINT64_FORMAT, (guint64) st.st_dev,
                                 (guint64) st.st_ino);
        return strcmp(stream, actual) == 0;
}

void pt_log_open(const char *program)
{
        logger.program = g_intern_string(program);
        logger.journal = stderr_is_journal();
}

void pt_log_set_level(int level)
{
        logger.level = level;
}

int pt_log_level(void)
{
        return logger.level;
}

static int send_to_journal(int level, const char *const *fields, const char *text)
{
        g_autofree char *message = g_strconcat("MESSAGE=", text, NULL);
        g_autofree char *identifier = g_strconcat("SYSLOG_IDENTIFIER=", logger.program, NULL);
        g_autofree char *priority = g_strdup_printf("PRIORITY=%d", level);
        struct iovec iov[3 + LOG_FIELDS_MAX] = {
                {.iov_base = message, .iov_len = strlen(message)},
                {.iov_base = identifier, .iov_len = strlen(identifier)},
                {.iov_base = priority, .iov_len = strlen(priority)},
        };
        int n = 3;

        for (; fields && *fields && n < (int) G_N_ELEMENTS(iov); fields++)
                iov[n++] = (struct iovec){.iov_base = (void *) *fields, .iov_len = strlen(*fields)};
        return sd_journal_sendv(iov, n);
}

/* One line, whatever the text quotes. */
static void send_to_stderr(const char *text)
{
        g_autofree char *line = g_strdup(text);

        for (char *p = line; *p; p++)
                if (g_ascii_iscntrl(*p))
                        *p = ' ';
        fprintf(stderr, "%s: %s\n", logger.program, line);
}

static void log_text(int level, const char *const *fields, const char *text)
{
        int saved = errno;

        if (!logger.journal || send_to_journal(level, fields, text) < 0)
                send_to_stderr(text);
        errno = saved;
}

void pt_log(int level, const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list args;

        if (level > logger.level)
                return;
        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        log_text(level, NULL, text);
}

void pt_log_fields(int level, const char *const *fields, const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list args;

        if (level > logger.level)
                return;
        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        log_text(level, fields, text);
}
