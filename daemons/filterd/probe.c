/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct FwProbe {
        FwCheckSpec check;
        int fd;
        sd_event_source *io, *timer;
        FwProbeDone done;
        void *userdata;
        char *request; /* of http; NULL: it was sent */
        size_t sent;
        char answer[FW_PROBE_ANSWER_MAX];
        size_t size;
        bool connected;
};

void fw_probe_free(FwProbe *probe)
{
        if (!probe)
                return;
        sd_event_source_disable_unref(probe->io);
        sd_event_source_disable_unref(probe->timer);
        if (probe->fd >= 0)
                close(probe->fd);
        g_free(probe->request);
        g_free(probe);
}

static int finish(FwProbe *probe, const char *error)
{
        probe->io = sd_event_source_disable_unref(probe->io);
        probe->timer = sd_event_source_disable_unref(probe->timer);
        probe->done(error, probe->userdata);
        return 0;
}

static int too_late(sd_event_source *source, uint64_t usec, void *userdata)
{
        FwProbe *probe = userdata;
        g_autofree char *text = g_strdup_printf("no answer within %" PRIu64 " ms",
                                                probe->check.timeout_usec / 1000);

        return finish(probe, text);
}

/* "HTTP/1.1 200 OK" */
int fw_probe_parse_status(const char *answer, size_t size)
{
        static const char version[] = "HTTP/1.";
        const char *end = memchr(answer, '\n', size);
        size_t known = MIN(size, sizeof(version) - 1);

        if (memcmp(answer, version, known) != 0)
                return -EBADMSG;
        if (!end)
                return size < FW_PROBE_ANSWER_MAX ? -EAGAIN : -EBADMSG;
        if (end - answer < 12 || !g_ascii_isdigit(answer[7]) || answer[8] != ' ' ||
            !g_ascii_isdigit(answer[9]) || !g_ascii_isdigit(answer[10]) ||
            !g_ascii_isdigit(answer[11]) ||
            (answer[12] != ' ' && answer[12] != '\r' && answer[12] != '\n'))
                return -EBADMSG;
        return (answer[9] - '0') * 100 + (answer[10] - '0') * 10 + (answer[11] - '0');
}

static int judge(FwProbe *probe, int status)
{
        g_autofree char *text = NULL;

        if (status == probe->check.expect)
                return finish(probe, NULL);
        text = status < 0 ? g_strdup("the answer is no HTTP")
                          : g_strdup_printf("the status is %d instead of %d", status,
                                            probe->check.expect);
        return finish(probe, text);
}

static int receive(FwProbe *probe)
{
        ssize_t n = recv(probe->fd, probe->answer + probe->size,
                         sizeof(probe->answer) - probe->size, 0);
        int status;

        if (n < 0)
                return errno == EAGAIN ? 0 : finish(probe, strerror(errno));
        probe->size += (size_t) n;
        status = fw_probe_parse_status(probe->answer, probe->size);
        if (status == -EAGAIN && n == 0)
                return finish(probe, "the connection was closed without an answer");
        return status == -EAGAIN ? 0 : judge(probe, status);
}

static int send_request(FwProbe *probe)
{
        size_t size = strlen(probe->request);
        ssize_t n = send(probe->fd, probe->request + probe->sent, size - probe->sent, MSG_NOSIGNAL);

        if (n < 0)
                return errno == EAGAIN ? 0 : finish(probe, strerror(errno));
        probe->sent += (size_t) n;
        if (probe->sent < size)
                return 0;
        g_clear_pointer(&probe->request, g_free);
        return sd_event_source_set_io_events(probe->io, EPOLLIN) < 0
                       ? finish(probe, "the socket cannot be watched")
                       : 0;
}

static int ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        FwProbe *probe = userdata;
        socklen_t size = sizeof(int);
        int error = 0;

        if (!probe->connected) {
                if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                        error = errno;
                if (error != 0 || probe->check.type != FW_CHECK_HTTP)
                        return finish(probe, error != 0 ? strerror(error) : NULL);
                probe->connected = true;
        }
        return probe->request ? send_request(probe) : receive(probe);
}

static void fill_address(const FwServer *server, uint16_t port, struct sockaddr_storage *ret,
                         socklen_t *ret_size)
{
        struct sockaddr_in *four = (struct sockaddr_in *) ret;
        struct sockaddr_in6 *six = (struct sockaddr_in6 *) ret;

        memset(ret, 0, sizeof(*ret));
        if (server->address.family == AF_INET) {
                four->sin_family = AF_INET;
                four->sin_port = htons(port);
                memcpy(&four->sin_addr, server->address.lo, sizeof(four->sin_addr));
                *ret_size = sizeof(*four);
        } else {
                six->sin6_family = AF_INET6;
                six->sin6_port = htons(port);
                memcpy(&six->sin6_addr, server->address.lo, sizeof(six->sin6_addr));
                *ret_size = sizeof(*six);
        }
}

/* RFC 9112 3.2: the host is in brackets when it is an IPv6 address. */
static char *make_request(const FwServer *server, uint16_t port, const char *path)
{
        char address[INET6_ADDRSTRLEN] = "";
        bool six = server->address.family == AF_INET6;

        (void) inet_ntop(server->address.family, server->address.lo, address, sizeof(address));
        return g_strdup_printf("GET %s HTTP/1.1\r\nHost: %s%s%s:%u\r\nUser-Agent: patronus\r\n"
                               "Connection: close\r\n\r\n",
                               path, six ? "[" : "", address, six ? "]" : "", port);
}

int fw_probe_new(sd_event *event, const FwServer *server, const FwCheckSpec *check,
                 FwProbeDone done, void *userdata, FwProbe **ret)
{
        g_autoptr(FwProbe) probe = g_new0(FwProbe, 1);
        uint16_t port = check->port ?: server->port;
        struct sockaddr_storage address;
        socklen_t size;
        int r;

        probe->check = *check;
        probe->done = done;
        probe->userdata = userdata;
        fill_address(server, port, &address, &size);
        probe->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (probe->fd < 0)
                return -errno;
        if (check->type == FW_CHECK_HTTP)
                probe->request = make_request(server, port, check->path);
        if (connect(probe->fd, (struct sockaddr *) &address, size) < 0 && errno != EINPROGRESS)
                return -errno;
        r = sd_event_add_io(event, &probe->io, probe->fd, EPOLLOUT, ready, probe);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &probe->timer, CLOCK_MONOTONIC,
                                               check->timeout_usec, 1000, too_late, probe);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&probe);
        return 0;
}
