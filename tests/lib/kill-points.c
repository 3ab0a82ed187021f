/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Loaded into a daemon (LD_PRELOAD): what it does in a transaction is a row of named steps, and it
 * can be told to die by SIGKILL before or after one of them. The file that KILL_POINT_FILE names
 * says what is to happen; while there is none, nothing does:
 *
 *   trace FILE          write each step's name into FILE, a line each
 *   before STEP         die before it
 *   after STEP          die after it
 *   amid STEP           die in a write, when half of it is done
 *
 *   STEP:  write TYPE | sync TYPE     the journal's record of this type
 *          rename NAME | remove NAME  of a file that a commit makes
 *          call MEMBER                of Transaction1, sent
 *          receive MEMBER             of Transaction1 or Config1
 *          answer MEMBER              the reply to it
 *          signal MEMBER              of Config1
 *          batch                      a transaction for nf_tables, of a commit the one that decides
 *          batch before, batch after  those of a commit around it (daemons/filterd/stages.h)
 */

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define TEXT_MAX 256
#define HEADER_MAX 4096 /* of a message: our names are in its first bytes */
#define CALLS_MAX 32
#define ALIGN(n, to) (((n) + (to) -1) / (to) * (to))

typedef struct Call {
        uint32_t serial;
        char member[64];
} Call;

/* The daemons have one thread. */
static struct {
        char synced[64];       /* the type of the record that the journal waits to sync */
        Call calls[CALLS_MAX]; /* received, and not answered yet */
        unsigned next;
        uint8_t message[HEADER_MAX]; /* the beginning of the one that is being received */
        size_t size, got;            /* bytes of it here, and in all */
        bool known;                  /* its header was complete */
} self;

/* What is to happen, by a word and its argument. */
static bool told(const char *word, char argument[static TEXT_MAX])
{
        const char *path = getenv("KILL_POINT_FILE");
        char text[TEXT_MAX];
        long fd, n;

        if (!path)
                return false;
        fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        n = syscall(SYS_read, fd, text, sizeof(text) - 1);
        syscall(SYS_close, fd);
        if (n <= 0)
                return false;
        text[n] = '\0';
        text[strcspn(text, "\n")] = '\0';
        if (strncmp(text, word, strlen(word)) != 0 || text[strlen(word)] != ' ')
                return false;
        snprintf(argument, TEXT_MAX, "%s", text + strlen(word) + 1);
        return true;
}

static void die(void)
{
        kill(getpid(), SIGKILL);
        for (;;)
                pause();
}

static void before(const char *step)
{
        char argument[TEXT_MAX];

        if (told("before", argument) && strcmp(argument, step) == 0)
                die();
}

static void after(const char *step)
{
        char argument[TEXT_MAX], line[TEXT_MAX];
        long fd;

        if (told("after", argument) && strcmp(argument, step) == 0)
                die();
        if (!told("trace", argument))
                return;
        fd = syscall(SYS_openat, AT_FDCWD, argument, O_WRONLY | O_APPEND | O_CLOEXEC);
        if (fd < 0)
                return;
        snprintf(line, sizeof(line), "%s\n", step);
        syscall(SYS_write, fd, line, strlen(line));
        syscall(SYS_close, fd);
}

#define REAL(name) ((typeof(&name)) dlsym(RTLD_NEXT, #name))

/* ---- the disk ---------------------------------------------------------------------------- */

static bool is_journal(int fd)
{
        char proc[64], path[512];
        ssize_t n;

        snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
        n = readlink(proc, path, sizeof(path) - 1);
        if (n < 0)
                return false;
        path[n] = '\0';
        return n > 14 && strcmp(path + n - 14, "/state/journal") == 0;
}

/* The type in a line of the journal: texts in it have their quotes escaped. */
static bool record_type(const char *data, size_t size, char ret[static 64])
{
        static const char key[] = "\"type\":\"";
        const char *at = memmem(data, size, key, strlen(key));
        size_t length;

        if (!at)
                return false;
        at += strlen(key);
        length = strcspn(at, "\"");
        snprintf(ret, 64, "%.*s", (int) length, at);
        return true;
}

ssize_t write(int fd, const void *data, size_t size)
{
        char type[64], step[TEXT_MAX], argument[TEXT_MAX];
        ssize_t n;

        if (size < 16 || memcmp(data, "{\"digest\":", 10) != 0 || !is_journal(fd) ||
            !record_type(data, size, type))
                return syscall(SYS_write, fd, data, size);
        snprintf(step, sizeof(step), "write %s", type);
        before(step);
        if (told("amid", argument) && strcmp(argument, step) == 0) {
                syscall(SYS_write, fd, data, size / 2);
                die();
        }
        n = syscall(SYS_write, fd, data, size);
        memcpy(self.synced, type, sizeof(type));
        after(step);
        return n;
}

int fdatasync(int fd)
{
        char step[TEXT_MAX];
        int r;

        if (!self.synced[0] || !is_journal(fd))
                return (int) syscall(SYS_fdatasync, fd);
        snprintf(step, sizeof(step), "sync %s", self.synced);
        self.synced[0] = '\0';
        before(step);
        r = (int) syscall(SYS_fdatasync, fd);
        after(step);
        return r;
}

/* In the folder of revisions, or one of a revision. */
static bool is_ours(int dirfd)
{
        char proc[64], path[512];
        ssize_t n;

        snprintf(proc, sizeof(proc), "/proc/self/fd/%d", dirfd);
        n = readlink(proc, path, sizeof(path) - 1);
        if (n < 0)
                return false;
        path[n] = '\0';
        return strstr(path, "/state/revisions");
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
        char step[TEXT_MAX];
        int r;

        if (!is_ours(to_fd))
                return REAL(renameat)(from_fd, from, to_fd, to);
        snprintf(step, sizeof(step), "rename %s", to);
        before(step);
        r = REAL(renameat)(from_fd, from, to_fd, to);
        after(step);
        return r;
}

int unlinkat(int dirfd, const char *name, int flags)
{
        char step[TEXT_MAX];
        int r;

        if (strcmp(name, "unconfirmed") != 0 || !is_ours(dirfd))
                return REAL(unlinkat)(dirfd, name, flags);
        snprintf(step, sizeof(step), "remove %s", name);
        before(step);
        r = REAL(unlinkat)(dirfd, name, flags);
        after(step);
        return r;
}

/* ---- the bus ----------------------------------------------------------------------------- */

/* D-Bus specification, "Message Format", little endian. */
typedef struct Message {
        uint8_t type; /* 1 call, 2 return, 3 error, 4 signal */
        uint32_t serial, reply_serial;
        const char *interface, *member; /* or "" */
} Message;

static uint32_t number_at(const uint8_t *data)
{
        uint32_t value;

        memcpy(&value, data, sizeof(value));
        return value;
}

static bool parse(const uint8_t *data, size_t size, Message *ret)
{
        Message message = {.interface = "", .member = ""};
        size_t at = 16, end;

        if (size < 16 || data[0] != 'l' || data[3] != 1)
                return false;
        message.type = data[1];
        message.serial = number_at(data + 8);
        end = 16 + number_at(data + 12);
        if (end > size)
                return false;
        while (at + 8 <= end) {
                uint8_t code = data[at], type = data[at + 2];
                size_t length;

                at += 4;
                if (type == 'u') {
                        if (code == 5)
                                message.reply_serial = number_at(data + at);
                        at += 4;
                } else if (type == 'g') {
                        at += 1U + data[at] + 1;
                } else {
                        length = number_at(data + at);
                        if (at + 4 + length + 1 > end)
                                return false;
                        if (code == 2)
                                message.interface = (const char *) data + at + 4;
                        if (code == 3)
                                message.member = (const char *) data + at + 4;
                        at += 4 + length + 1;
                }
                at = ALIGN(at, 8);
        }
        *ret = message;
        return true;
}

static bool sent_step(const Message *message, char step[static TEXT_MAX])
{
        bool transaction = strcmp(message->interface, "org.patronus.Transaction1") == 0,
             config = strcmp(message->interface, "org.patronus.Config1") == 0;

        if (message->type == 1 && transaction) {
                snprintf(step, TEXT_MAX, "call %s", message->member);
                return true;
        }
        if (message->type == 4 && config) {
                snprintf(step, TEXT_MAX, "signal %s", message->member);
                return true;
        }
        for (unsigned i = 0; (message->type == 2 || message->type == 3) && i < CALLS_MAX; i++)
                if (self.calls[i].member[0] && self.calls[i].serial == message->reply_serial) {
                        snprintf(step, TEXT_MAX, "answer %s", self.calls[i].member);
                        self.calls[i].member[0] = '\0';
                        return true;
                }
        return false;
}

static void received(const Message *message)
{
        char step[TEXT_MAX];
        Call *call = &self.calls[self.next % CALLS_MAX];

        if (message->type != 1 || (strcmp(message->interface, "org.patronus.Transaction1") != 0 &&
                                   strcmp(message->interface, "org.patronus.Config1") != 0))
                return;
        self.next++;
        call->serial = message->serial;
        snprintf(call->member, sizeof(call->member), "%s", message->member);
        snprintf(step, sizeof(step), "receive %s", message->member);
        after(step);
}

static size_t gather(const struct msghdr *header, uint8_t *data, size_t limit)
{
        size_t size = 0;

        for (size_t i = 0; i < header->msg_iovlen && size < limit; i++) {
                size_t part = header->msg_iov[i].iov_len;

                part = part < limit - size ? part : limit - size;
                memcpy(data + size, header->msg_iov[i].iov_base, part);
                size += part;
        }
        return size;
}

static int family(int fd)
{
        int domain = -1;
        socklen_t size = sizeof(domain);

        return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) < 0 ? -1 : domain;
}

static bool is_batch(const uint8_t *data, size_t size)
{
        struct nlmsghdr header;

        if (!data || size < sizeof(header))
                return false;
        memcpy(&header, data, sizeof(header));
        return header.nlmsg_type == NFNL_MSG_BATCH_BEGIN;
}

/* What the marker's comment says (daemons/filterd/ruleset.c). */
static const char *batch_step(const uint8_t *data, size_t size)
{
        struct nlmsghdr header;

        memcpy(&header, data, sizeof(header));
        if (memmem(data, size, "about to change", strlen("about to change")))
                return "batch before";
        /* What comes after the one that decides is of any generation. */
        return memmem(data, size, "_rev", strlen("_rev")) &&
                               header.nlmsg_len == NLMSG_LENGTH(sizeof(struct nfgenmsg))
                       ? "batch after"
                       : "batch";
}

static bool send_step(int fd, const uint8_t *data, size_t size, char step[static TEXT_MAX])
{
        Message message;

        switch (family(fd)) {
        case AF_NETLINK:
                if (!is_batch(data, size))
                        return false;
                snprintf(step, TEXT_MAX, "%s", batch_step(data, size));
                return true;
        case AF_UNIX:
                return parse(data, size, &message) && sent_step(&message, step);
        default:
                return false;
        }
}

ssize_t sendmsg(int fd, const struct msghdr *header, int flags)
{
        uint8_t data[HEADER_MAX];
        size_t size = gather(header, data, sizeof(data));
        char step[TEXT_MAX];
        bool named = send_step(fd, data, size, step);
        ssize_t n;

        if (named)
                before(step);
        n = REAL(sendmsg)(fd, header, flags);
        if (named)
                after(step);
        return n;
}

ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *address,
               socklen_t length)
{
        char step[TEXT_MAX];
        bool named = send_step(fd, data, size, step);
        ssize_t n;

        if (named)
                before(step);
        n = REAL(sendto)(fd, data, size, flags, address, length);
        if (named)
                after(step);
        return n;
}

ssize_t recvmsg(int fd, struct msghdr *header, int flags)
{
        ssize_t n = REAL(recvmsg)(fd, header, flags);
        size_t room = sizeof(self.message) - self.size;
        Message message;

        if (n <= 0 || (flags & MSG_PEEK) || family(fd) != AF_UNIX)
                return n;
        /* libsystemd reads the beginning of a message, and then exactly the rest of it. */
        self.size +=
                gather(header, self.message + self.size, (size_t) n < room ? (size_t) n : room);
        self.got += (size_t) n;
        if (!self.known && parse(self.message, self.size, &message)) {
                self.known = true;
                received(&message);
        }
        if (self.size < 16 || self.message[0] != 'l' ||
            self.got >= ALIGN(16 + number_at(self.message + 12), 8) + number_at(self.message + 4)) {
                self.size = self.got = 0;
                self.known = false;
        }
        return n;
}
