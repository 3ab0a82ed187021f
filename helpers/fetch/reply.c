/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "reply.h"

#include "base/io.h"

#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>

int work_receive(int socket, Work *ret)
{
        union {
                char bytes[CMSG_SPACE(2 * sizeof(int))];
                struct cmsghdr header;
        } control = {0};
        char byte;
        struct iovec part = {.iov_base = &byte, .iov_len = sizeof(byte)};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        const struct cmsghdr *header;
        pt_auto_fd int request = -EBADF;
        int fds[2], r;

        if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1)
                return -EPROTO;
        header = CMSG_FIRSTHDR(&message);
        if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS ||
            header->cmsg_len != CMSG_LEN(sizeof(fds)))
                return -EPROTO;
        memcpy(fds, CMSG_DATA(header), sizeof(fds));
        request = fds[0];
        *ret = (Work){.socket = socket, .output = fds[1]};
        r = fw_fetch_request_read(request, &ret->request, &ret->alias, NULL);
        return r < 0 ? -EPROTO : 0;
}

void work_done(Work *work)
{
        fw_fetch_request_done(&work->request);
        if (work->alias)
                pt_object_unref(&work->alias->object);
        if (work->output > 0)
                close(work->output);
}

int work_say(const Work *work, const FwFetchLine *line)
{
        g_autoptr(GString) text = g_string_new(NULL);

        fw_fetch_line_write(line, text);
        return pt_write_all(work->socket, text->str, text->len);
}

/* What a stranger wrote, as it can be shown: printable ASCII, short. In place. */
static char *tame(char *text)
{
        for (char *c = text; *c; c++)
                if (*c < 0x20 || *c >= 0x7f)
                        *c = '?';
        if (strlen(text) > FW_FETCH_TEXT_MAX)
                text[FW_FETCH_TEXT_MAX] = '\0';
        return text;
}

int work_fail(const Work *work, const char *format, ...)
{
        g_autofree char *text = NULL;
        FwFetchLine line = {.present = UINT64_C(1) << FW_LINE_STATE | UINT64_C(1) << FW_LINE_TEXT,
                            .state = FW_FETCH_FAILED};
        va_list args;

        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        line.text = tame(text);
        return work_say(work, &line);
}

static int say_problems(const Work *work, const PtDiagnostics *problems)
{
        size_t n = MIN(pt_diag_count(problems), FW_FETCH_PROBLEMS_MAX);
        int r = 0;

        for (size_t i = 0; r >= 0 && i < n; i++) {
                const PtDiagnostic *d = pt_diag_get(problems, i);
                g_autofree char *text = tame(g_strdup_printf("%s: %s", d->subject, d->text));
                FwFetchLine line = {.present = UINT64_C(1) << FW_LINE_PROBLEM, .problem = text};

                r = work_say(work, &line);
        }
        return r;
}

int work_finish(const Work *work, PtDatasetBuilder *builder, const PtDiagnostics *problems,
                FwFetchLine *end)
{
        PtDatasetHeader header;
        PtDigest digest;
        int r = pt_dataset_write(builder, work->output, &header, &digest);

        if (r == -EFBIG)
                return work_fail(work,
                                 "more than %u entries; divide the list among several "
                                 "aliases",
                                 PT_DATASET_ENTRIES_MAX);
        if (r < 0)
                return work_fail(work, "the entries cannot be written: %s", strerror(-r));
        if (problems)
                r = say_problems(work, problems);
        end->present |= UINT64_C(1) << FW_LINE_STATE;
        end->state = FW_FETCH_DONE;
        return r < 0 ? r : work_say(work, end);
}

void work_host(int family, const void *address, PtAddressRange *ret)
{
        size_t size = family == AF_INET ? 4 : 16;

        *ret = (PtAddressRange){.family = (uint8_t) family,
                                .plen = (uint8_t) (family == AF_INET ? 32 : 128)};
        memcpy(ret->lo, address, size);
        memcpy(ret->hi, address, size);
}
