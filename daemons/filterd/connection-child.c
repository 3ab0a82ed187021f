/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "connection-child.h"

#include "base/io.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#define BUFFER_SIZE (256U * 1024U)

static int send_page(int socket, const FwPage *page, int fd)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr header;
        } control = {0};
        struct iovec part = {.iov_base = (void *) (uintptr_t) page, .iov_len = sizeof(*page)};
        struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

        if (fd >= 0) {
                message.msg_control = control.bytes;
                message.msg_controllen = sizeof(control.bytes);
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        }
        return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int fw_page_receive(int socket, FwPage *ret, int *ret_fd)
{
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr header;
        } control = {0};
        struct iovec part = {.iov_base = ret, .iov_len = sizeof(*ret)};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        ssize_t n = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        const struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        if (n < 0)
                return -errno;
        if (n != sizeof(*ret))
                return -EPIPE;
        *ret_fd = -EBADF;
        if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
                memcpy(ret_fd, CMSG_DATA(header), sizeof(*ret_fd));
        return 0;
}

/* A page being made. */
typedef struct Writer {
        int socket;
        FwRowFormat format;
        uint32_t limit;
        int fd;
        uint32_t rows;
        char *buffer;
        size_t size;
        bool sent; /* a page, so that the next one has to be asked for */
} Writer;

static int flush(Writer *writer)
{
        int r = pt_write_all(writer->fd, writer->buffer, writer->size);

        writer->size = 0;
        return r;
}

static int begin_page(Writer *writer)
{
        writer->rows = 0;
        writer->fd = memfd_create("connections", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        return writer->fd < 0 ? -errno : 0;
}

/* A page is made while its reader is still busy with the one before, and sent when it is asked for:
 * one page ahead, no more. */
static int await_reader(const Writer *writer)
{
        char asked;

        return !writer->sent || recv(writer->socket, &asked, 1, 0) == 1 ? 0 : -ECANCELED;
}

static int end_page(Writer *writer, bool last)
{
        FwPage page = {.rows = writer->rows, .last = last};
        int r = flush(writer);

        if (r == 0)
                r = pt_memfd_seal(writer->fd);
        if (r == 0)
                r = await_reader(writer);
        if (r == 0)
                r = send_page(writer->socket, &page, writer->fd);
        writer->sent = true;
        close(pt_steal_fd(&writer->fd));
        return r;
}

static int write_row(const PtConnection *connection, void *userdata)
{
        Writer *writer = userdata;
        int r;

        /* Only the row after a full page tells that the page is not the last. */
        if (writer->rows == writer->limit) {
                r = end_page(writer, false);
                if (r < 0)
                        return r;
                r = begin_page(writer);
                if (r < 0)
                        return r;
        }
        if (BUFFER_SIZE - writer->size < PT_CONNECTION_JSON_MAX + 1) {
                r = flush(writer);
                if (r < 0)
                        return r;
        }
        if (writer->format == FW_ROWS_PACKED) {
                memcpy(writer->buffer + writer->size, connection, sizeof(*connection));
                writer->size += sizeof(*connection);
        } else {
                writer->size += pt_connection_write_json(connection, writer->buffer + writer->size);
                writer->buffer[writer->size++] = '\n';
        }
        writer->rows++;
        return 0;
}
G_STATIC_ASSERT(sizeof(PtConnection) <= PT_CONNECTION_JSON_MAX);

int fw_child_list(int socket, int netns_fd, const PtConnectionFilter *filter, FwRowFormat format,
                  uint32_t limit)
{
        g_autofree char *buffer = g_malloc(BUFFER_SIZE);
        g_autoptr(PtConntrack) conntrack = NULL;
        Writer writer = {
                .socket = socket, .format = format, .limit = limit, .fd = -EBADF, .buffer = buffer};
        FwPage failed = {0};
        int r;

        r = pt_conntrack_open(netns_fd, &conntrack);
        if (r == 0)
                r = begin_page(&writer);
        if (r == 0)
                r = pt_conntrack_dump(conntrack, filter, write_row, &writer);
        if (r == 0)
                r = end_page(&writer, true);
        if (r == 0)
                return 0;
        failed.result = r;
        if (r != -ECANCELED && await_reader(&writer) == 0)
                (void) send_page(socket, &failed, -EBADF);
        return 1;
}

static int add_talk(const PtConnection *connection, void *userdata)
{
        fw_talk_add(userdata, connection);
        return 0;
}

static int talk(int netns_fd, FwTalk *talk, uint32_t limit, int *ret_fd)
{
        static const PtConnectionFilter every = {};
        g_autoptr(PtConntrack) conntrack = NULL;
        g_autoptr(GByteArray) page = NULL;
        g_autoptr(GArray) rows = NULL;
        FwTalkTotal total;
        int r = pt_conntrack_open(netns_fd, &conntrack);

        if (r == 0)
                r = pt_conntrack_dump(conntrack, &every, add_talk, talk);
        if (r < 0)
                return r;
        rows = fw_talk_top(talk, limit, &total);
        page = g_byte_array_new();
        g_byte_array_append(page, (const void *) &total, sizeof(total));
        if (rows->len > 0)
                g_byte_array_append(page, (const void *) rows->data,
                                    rows->len * (unsigned) sizeof(FwTalker));
        r = pt_memfd_new_sealed("talkers", page->data, page->len);
        if (r < 0)
                return r;
        *ret_fd = r;
        return 0;
}

int fw_child_talk(int socket, int netns_fd, FwTalkBy by, FwTalkWhat what, uint32_t limit)
{
        g_autoptr(FwTalk) sums = fw_talk_new(by, what, FW_TALK_KEYS_MAX);
        pt_auto_fd int fd = -EBADF;
        FwPage page = {.last = true};

        page.result = talk(netns_fd, sums, limit, &fd);
        return send_page(socket, &page, fd) < 0 || page.result < 0;
}

typedef struct Killer {
        int socket;
        PtConntrack *conntrack; /* beside the one that dumps */
        PtConnection *found;
        size_t n;
        uint64_t killed;
        FwRevoke *revoke; /* only those that it ends; NULL: all */
        bool full;        /* nothing more can be remembered */
} Killer;

static int remember_found(Killer *killer)
{
        FwPage page = {.rows = (uint32_t) killer->n};
        pt_auto_fd int fd = pt_memfd_new_sealed("connections", killer->found,
                                                killer->n * sizeof(killer->found[0]));
        char answer;
        int r;

        if (fd < 0)
                return fd;
        r = send_page(killer->socket, &page, fd);
        if (r < 0)
                return r;
        if (recv(killer->socket, &answer, 1, 0) != 1)
                return -ECANCELED;
        killer->full = answer == FW_REMEMBERED_FULL;
        return 0;
}

/* What was found goes to filterd first, which remembers it, and then ends. Transactions that the kernel
 * refuses one after the other would take most of the time. */
static int kill_found(Killer *killer)
{
        size_t killed = 0;
        int r = killer->full ? 0 : remember_found(killer);

        if (r < 0)
                return r;
        r = pt_conntrack_delete(killer->conntrack, killer->found, killer->n, &killed);
        killer->killed += killed;
        killer->n = 0;
        return r;
}

static int collect(const PtConnection *connection, void *userdata)
{
        Killer *killer = userdata;

        if (killer->revoke && !fw_revoke_ends(killer->revoke, connection))
                return 0;
        killer->found[killer->n++] = *connection;
        return killer->n == FW_KILLS_AT_ONCE ? kill_found(killer) : 0;
}

static int kill_all(Killer *killer, int netns_fd, const PtConnectionFilter *filter)
{
        g_autofree PtConnection *found = g_new(PtConnection, FW_KILLS_AT_ONCE);
        g_autoptr(PtConntrack) reader = NULL, writer = NULL;
        int r = pt_conntrack_open(netns_fd, &reader);

        if (r == 0)
                r = pt_conntrack_open(netns_fd, &writer);
        if (r < 0)
                return r;
        killer->found = found;
        killer->conntrack = writer;
        r = pt_conntrack_dump(reader, filter, collect, killer);
        return r == 0 && killer->n > 0 ? kill_found(killer) : r;
}

static int end(const Killer *killer, int result)
{
        FwPage page = {.last = true, .result = result, .killed = killer->killed};

        return send_page(killer->socket, &page, -EBADF) < 0 || result < 0;
}

int fw_child_kill(int socket, int netns_fd, const PtConnectionFilter *filter)
{
        Killer killer = {.socket = socket};

        return end(&killer, kill_all(&killer, netns_fd, filter));
}

int fw_child_revoke(int socket, int netns_fd, const GPtrArray *before, const FwSource *after,
                    FwTimes *times, const FwOpenings *openings)
{
        static const PtConnectionFilter every = {};
        g_autoptr(FwRevoke) revoke = NULL;
        Killer killer = {.socket = socket};
        int r = fw_revoke_new(before, after, times, netns_fd, &revoke);

        killer.revoke = revoke;
        if (r == 0)
                fw_revoke_set_openings(revoke, openings);
        if (r == 0)
                r = kill_all(&killer, netns_fd, &every);
        return end(&killer, r);
}
