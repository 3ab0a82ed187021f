/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "origin.h"

#include "base/io.h"
#include "base/process.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

/* A table of 100,000 connections; in a larger one nobody looks. */
#define TABLE_MAX (16U * 1024U * 1024U)

typedef struct End {
        int family;
        char address[INET6_ADDRSTRLEN];
        uint16_t port;
} End;

/* An IPv4 client of an IPv6 socket is an IPv4 client. */
static int read_end(const struct sockaddr_storage *storage, End *end)
{
        const struct sockaddr_in *in = (const void *) storage;
        const struct sockaddr_in6 *in6 = (const void *) storage;
        const void *address;

        if (storage->ss_family == AF_INET) {
                end->family = AF_INET;
                end->port = ntohs(in->sin_port);
                address = &in->sin_addr;
        } else if (storage->ss_family == AF_INET6) {
                bool mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);

                end->family = mapped ? AF_INET : AF_INET6;
                end->port = ntohs(in6->sin6_port);
                address = in6->sin6_addr.s6_addr + (mapped ? 12 : 0);
        } else
                return -EAFNOSUPPORT;
        return inet_ntop(end->family, address, end->address, sizeof(end->address)) ? 0 : -errno;
}

/* The two ends of a connected TCP socket. */
static char *ends_of(int fd)
{
        struct sockaddr_storage near, far;
        socklen_t near_size = sizeof(near), far_size = sizeof(far), size = sizeof(int);
        End server, client;
        int protocol;

        if (getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size) < 0 ||
            protocol != IPPROTO_TCP || getsockname(fd, (struct sockaddr *) &near, &near_size) < 0 ||
            getpeername(fd, (struct sockaddr *) &far, &far_size) < 0 ||
            read_end(&near, &server) < 0 || read_end(&far, &client) < 0)
                return NULL;
        return g_strdup_printf("%s %u %s %u", client.address, client.port, server.address,
                               server.port);
}

/* The lowest is the one that it was started for: those of forwarded ports come later. */
static char *connection_of(pid_t pid)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int) pid);
        pt_auto_fd int process = (int) syscall(SYS_pidfd_open, pid, 0);
        uint64_t lowest = UINT64_MAX;
        char *found = NULL;
        DIR *dir = process < 0 ? NULL : opendir(path);

        for (const struct dirent *entry; dir && (entry = readdir(dir));) {
                guint64 number;
                char *ends;

                if (!g_ascii_string_to_unsigned(entry->d_name, 10, 0, INT32_MAX, &number, NULL) ||
                    number >= lowest)
                        continue;
                /* A descriptor of the same socket: it can be asked without a look at its name. */
                pt_auto_fd int fd = (int) syscall(SYS_pidfd_getfd, process, (int) number, 0);

                ends = fd < 0 ? NULL : ends_of(fd);
                if (!ends)
                        continue;
                g_free(found);
                found = ends;
                lowest = number;
        }
        if (dir)
                closedir(dir);
        return found;
}

/* What the environment says, when it says that; the zone of a link-local address is left out. */
static char *connection_of_environment(void)
{
        const char *text = getenv("SSH_CONNECTION");
        g_auto(GStrv) words = NULL;

        if (!text)
                return NULL;
        words = g_strsplit(text, " ", 5);
        if (g_strv_length(words) != 4)
                return NULL;
        for (unsigned i = 0; i < 4; i += 2) {
                uint8_t address[sizeof(struct in6_addr)];
                guint64 port;

                words[i][strcspn(words[i], "%")] = '\0';
                if ((inet_pton(AF_INET, words[i], address) != 1 &&
                     inet_pton(AF_INET6, words[i], address) != 1) ||
                    !g_ascii_string_to_unsigned(words[i + 1], 10, 1, UINT16_MAX, &port, NULL))
                        return NULL;
        }
        return g_strjoinv(" ", words);
}

/* An address and port as /proc/net/tcp and tcp6 have them: words of 32 bits as the machine reads
 * them (kernel net/ipv4/tcp_ipv4.c, get_tcp4_sock()). */
static void append_end(const char *address, const char *port, bool six, GString *out)
{
        uint32_t words[4] = {0, 0, htonl(0xffff), 0};

        if (inet_pton(AF_INET, address, words + 3) != 1)
                (void) inet_pton(AF_INET6, address, words);
        for (unsigned i = six ? 0 : 3; i < 4; i++)
                g_string_append_printf(out, "%08X", words[i]);
        g_string_append_printf(out, ":%04X ", (unsigned) g_ascii_strtoull(port, NULL, 10));
}

/* Whether this machine has the connection, of which `text` was checked before. */
static bool is_established(const char *text)
{
        static const char *const tables[] = {"/proc/net/tcp", "/proc/net/tcp6"};
        g_auto(GStrv) words = g_strsplit(text, " ", 4);
        bool found = false;

        for (unsigned six = 0; six < G_N_ELEMENTS(tables) && !found; six++) {
                g_autoptr(GString) line = g_string_new(NULL);
                g_autofree char *table = NULL;
                size_t size;

                append_end(words[2], words[3], six, line);
                append_end(words[0], words[1], six, line);
                g_string_append(line, "01 "); /* TCP_ESTABLISHED */
                if (pt_read_file(AT_FDCWD, tables[six], TABLE_MAX, &table, &size) == 0)
                        found = strstr(table, line->str) != NULL;
        }
        return found;
}

char *ctl_connection(void)
{
        PtProcess chain[PT_ANCESTORS_MAX];
        int n = pt_process_ancestors(getpid(), chain);
        const PtProcess *carrier, *keeper;
        char *found = NULL;

        if (n < 0)
                return NULL;
        keeper = pt_process_keeper(chain, (unsigned) n);
        carrier = keeper ? NULL : pt_process_carrier(chain, (unsigned) n);
        if (carrier)
                found = connection_of(carrier->pid);
        if (!found)
                found = connection_of_environment();
        if (found && keeper && !is_established(found))
                g_clear_pointer(&found, g_free);
        return found;
}
