/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * patronus-probe: looks at servers for filterd (prober.h). Its standard input is the socket; it has
 * no privilege, no files, and ends with filterd.
 */

#include "prober.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* As many as filterd may ask for (FW_POOLS_SERVERS_MAX): each has a socket. */
#define PROBES_MAX 512
#define TIMEOUT_MAX_USEC (3600 * G_GUINT64_CONSTANT(1000000))

typedef struct Helper {
        sd_event *event;
        unsigned n; /* probes under way */
} Helper;

typedef struct Question {
        Helper *helper;
        FwProberAsk asked;
        FwServer server;
        FwCheckSpec check;
        FwProbe *probe;
} Question;

/* filterd takes no answer: it is gone, or will ask anew. */
static void answer(uint64_t id, const char *error)
{
        FwProberTell told = {.version = FW_PROBER_VERSION, .id = id, .good = !error};

        g_strlcpy(told.error, error ?: "", sizeof(told.error));
        (void) send(STDIN_FILENO, &told, sizeof(told), MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void question_free(Question *question)
{
        question->helper->n--;
        fw_probe_free(question->probe);
        g_free(question);
}

static void done(const char *error, void *userdata)
{
        Question *question = userdata;

        answer(question->asked.id, error);
        question_free(question);
}

static bool is_valid(const FwProberAsk *asked, size_t size)
{
        return size == sizeof(*asked) && asked->version == FW_PROBER_VERSION &&
               (asked->family == AF_INET || asked->family == AF_INET6) &&
               (asked->type == FW_CHECK_TCP || asked->type == FW_CHECK_HTTP) && asked->port > 0 &&
               asked->timeout_usec <= TIMEOUT_MAX_USEC && asked->path[0] == '/' &&
               memchr(asked->path, '\0', sizeof(asked->path));
}

static void begin(Helper *helper, const FwProberAsk *asked)
{
        Question *question;
        int r;

        if (helper->n >= PROBES_MAX) {
                answer(asked->id, "too many servers are looked at");
                return;
        }
        question = g_new0(Question, 1);
        question->helper = helper;
        question->asked = *asked;
        question->server.address.family = asked->family;
        memcpy(question->server.address.lo, asked->address, sizeof(asked->address));
        question->check = (FwCheckSpec){.type = (FwCheckType) asked->type,
                                        .port = asked->port,
                                        .expect = asked->expect,
                                        .timeout_usec = asked->timeout_usec,
                                        .path = question->asked.path};
        helper->n++;
        r = fw_probe_new(helper->event, &question->server, &question->check, done, question,
                         &question->probe);
        if (r < 0) {
                answer(asked->id, strerror(-r));
                question_free(question);
        }
}

static int asked(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        Helper *helper = userdata;
        FwProberAsk question;
        ssize_t n = recv(fd, &question, sizeof(question), MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0)
                return sd_event_exit(helper->event, n < 0 ? 1 : 0);
        if (!is_valid(&question, (size_t) n))
                return sd_event_exit(helper->event,
                                     1); /* another version: filterd asks the next one */
        begin(helper, &question);
        return 0;
}

int main(void)
{
        Helper helper = {};
        int r = sd_event_default(&helper.event);

        if (r >= 0)
                r = sd_event_add_io(helper.event, NULL, STDIN_FILENO, EPOLLIN, asked, &helper);
        return r < 0 ? 1 : sd_event_loop(helper.event);
}
