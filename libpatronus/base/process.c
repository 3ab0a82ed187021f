/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/process.h"

#include "base/io.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#define PROC_TEXT_MAX 16384 /* status lists groups: 65536 of them are nobody's */
/* Fields of stat behind the name, counted as proc(5) does. */
#define FIELD_PARENT 4
#define FIELD_TTY 7
#define FIELD_START 22
/* Majors of pseudo terminals (Linux Documentation/admin-guide/devices.txt): the BSD ones, and
 * eight each of masters and slaves of the others. */
#define MAJOR_BSD_MASTER 2
#define MAJOR_BSD_SLAVE 3
#define MAJOR_PTY_FIRST 128
#define MAJOR_PTY_LAST 143

/* Programs of which each connection has a process of its own, between the one that listens and the
 * user's shell. OpenSSH 9.8 made two programs of one. */
static const char *const carriers[] = {"sshd", "sshd-session", "dropbear", NULL};
static const char *const keepers[] = {"tmux: server", "screen", "mosh-server", "zellij",
                                      "dtach",        "abduco", NULL};

/* A number that a blank, a line's end or the text's end follows; moves *p behind it. */
static int take_number(const char **p, const char *end, uint64_t *ret)
{
        const char *at = *p;
        uint64_t value = 0;

        if (at == end || !g_ascii_isdigit(*at))
                return -EBADMSG;
        for (; at < end && g_ascii_isdigit(*at); at++) {
                if (value > (UINT64_MAX - 9) / 10)
                        return -EBADMSG;
                value = value * 10 + (uint64_t) (*at - '0');
        }
        if (at < end && *at != ' ' && *at != '\t' && *at != '\n')
                return -EBADMSG;
        *p = at;
        *ret = value;
        return 0;
}

/* The name stands in parentheses and may itself hold any: the last one ends it. */
static int parse_head(const char *text, size_t size, PtProcess *process, const char **ret_rest)
{
        const char *p = text, *end = text + size, *open, *close;
        uint64_t pid;
        int r;

        r = take_number(&p, end, &pid);
        if (r < 0)
                return r;
        open = p + 1;
        close = memrchr(text, ')', size);
        if (pid == 0 || pid > INT32_MAX || !close || open >= close || *open != '(')
                return -EBADMSG;
        process->pid = (pid_t) pid;
        size = MIN((size_t) (close - open) - 1, sizeof(process->comm) - 1);
        memcpy(process->comm, open + 1, size);
        process->comm[size] = '\0';
        *ret_rest = close + 1;
        return 0;
}

/* Ticks since the machine started, suspend included (kernel fs/proc/array.c, start_boottime). */
static int start_of(uint64_t ticks, uint64_t *ret_usec)
{
        long hz = sysconf(_SC_CLK_TCK);

        if (hz <= 0 || ticks > UINT64_MAX / 1000000)
                return -EBADMSG;
        *ret_usec = ticks * 1000000 / (uint64_t) hz;
        return 0;
}

int pt_process_parse_stat(const char *text, size_t size, PtProcess *ret)
{
        PtProcess process = {0};
        const char *p, *end;
        uint64_t value;
        int r;

        if (size == 0)
                return -EBADMSG;
        r = parse_head(text, size, &process, &p);
        if (r < 0)
                return r;
        end = text + size;
        /* Field 3 is a letter; all are apart by one blank. */
        for (unsigned field = 3; field <= FIELD_START; field++) {
                if (p == end || *p++ != ' ')
                        return -EBADMSG;
                if (field != FIELD_PARENT && field != FIELD_TTY && field != FIELD_START) {
                        while (p < end && *p != ' ')
                                p++;
                        continue;
                }
                r = take_number(&p, end, &value);
                if (r < 0)
                        return r;
                if (field == FIELD_PARENT) {
                        if (value > INT32_MAX)
                                return -EBADMSG;
                        process.parent = (pid_t) value;
                } else if (field == FIELD_TTY) {
                        process.tty_major = major((dev_t) value);
                        process.tty_minor = minor((dev_t) value);
                } else {
                        r = start_of(value, &process.start_usec);
                        if (r < 0)
                                return r;
                }
        }
        *ret = process;
        return 0;
}

int pt_process_parse_status(const char *text, size_t size, uid_t *ret)
{
        static const char key[] = "\nUid:\t";
        const char *end, *p = size > 0 ? memmem(text, size, key, sizeof(key) - 1) : NULL;
        uint64_t value;
        int r;

        if (!p)
                return -EBADMSG;
        end = text + size;
        p += sizeof(key) - 1;
        r = take_number(&p, end, &value);
        if (r < 0)
                return r;
        if (value > UINT32_MAX)
                return -EBADMSG;
        *ret = (uid_t) value;
        return 0;
}

static int read_text(pid_t pid, const char *name, char **ret, size_t *ret_size)
{
        char path[64];
        int r;

        (void) g_snprintf(path, sizeof(path), "/proc/%d/%s", (int) pid, name);
        r = pt_read_file(AT_FDCWD, path, PROC_TEXT_MAX, ret, ret_size);
        return r == -ENOENT || r == -EACCES ? -ESRCH : r;
}

int pt_process_read(pid_t pid, PtProcess *ret)
{
        g_autofree char *stat = NULL, *status = NULL;
        PtProcess process;
        size_t size;
        int r;

        r = read_text(pid, "stat", &stat, &size);
        if (r < 0)
                return r;
        r = pt_process_parse_stat(stat, size, &process);
        if (r < 0)
                return r;
        r = read_text(pid, "status", &status, &size);
        if (r < 0)
                return r;
        r = pt_process_parse_status(status, size, &process.uid);
        if (r < 0)
                return r;
        *ret = process;
        return 0;
}

int pt_process_ancestors(pid_t pid, PtProcess chain[static PT_ANCESTORS_MAX])
{
        int r;

        for (unsigned n = 0; n < PT_ANCESTORS_MAX; n++) {
                r = pt_process_read(pid, chain + n);
                if (r < 0)
                        return r;
                pid = chain[n].parent;
                if (pid == 0)
                        return (int) n + 1;
        }
        return -ELOOP;
}

const PtProcess *pt_process_carrier(const PtProcess *chain, unsigned n)
{
        const PtProcess *nearest = NULL;

        for (unsigned i = 0; i < n; i++) {
                if (!g_strv_contains(carriers, chain[i].comm))
                        continue;
                if (chain[i].uid == 0)
                        return chain + i;
                if (!nearest)
                        nearest = chain + i;
        }
        return nearest;
}

const PtProcess *pt_process_keeper(const PtProcess *chain, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                if (g_strv_contains(keepers, chain[i].comm))
                        return chain + i;
        return NULL;
}

bool pt_process_on_console(const PtProcess *process)
{
        unsigned m = process->tty_major;

        return m != 0 && m != MAJOR_BSD_MASTER && m != MAJOR_BSD_SLAVE &&
               (m < MAJOR_PTY_FIRST || m > MAJOR_PTY_LAST);
}
