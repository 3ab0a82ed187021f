/* SPDX-License-Identifier: GPL-3.0-or-later */

/* One piece of work of patronus-fetch: begun, waited for, and what it says. */

#include "feeds-internal.h"

#include "base/io.h"
#include "base/log.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define READ_SIZE 65536U

struct FwFeedJob {
        FwFeed *feed;
        int socket, dataset;
        pid_t pid; /* of a child; 0: the system started it */
        GString *text;
        sd_event_source *readable, *deadline;
        void (*done)(FwFeed *feed, FwFeedAnswer *answer);
};

void fw_feed_name_line_free(void *p)
{
        fw_fetch_line_done(p);
        g_free(p);
}

static FwFeedAnswer *answer_new(void)
{
        FwFeedAnswer *answer = g_new0(FwFeedAnswer, 1);

        answer->state = FW_FETCH_FAILED;
        answer->dataset = -EBADF;
        answer->problems = g_ptr_array_new_with_free_func(g_free);
        answer->names = g_ptr_array_new_with_free_func(fw_feed_name_line_free);
        return answer;
}

void fw_feed_answer_free(FwFeedAnswer *answer)
{
        if (!answer)
                return;
        g_free(answer->error);
        g_free(answer->etag);
        g_free(answer->modified);
        g_ptr_array_unref(answer->problems);
        g_ptr_array_unref(answer->names);
        if (answer->dataset >= 0)
                close(answer->dataset);
        g_free(answer);
}

/* Moves what a line says into the answer. */
static void take_line(FwFeedAnswer *answer, FwFetchLine *line, bool *last)
{
        if (line->name && answer->names->len < FW_ALIAS_NAMES_MAX) {
                FwFetchLine *kept = g_new(FwFetchLine, 1);

                *kept = *line;
                *line = (FwFetchLine){0};
                g_ptr_array_add(answer->names, kept);
                return;
        }
        if (line->problem && answer->problems->len < FW_FETCH_PROBLEMS_MAX)
                g_ptr_array_add(answer->problems, g_strdup(line->problem));
        if (!(line->present & UINT64_C(1) << FW_LINE_STATE))
                return;
        *last = true;
        answer->state = (FwFetchState) line->state;
        answer->n_problems = line->problems;
        answer->error = g_strdup(line->text);
        answer->etag = g_strdup(line->etag);
        answer->modified = g_strdup(line->modified);
}

int fw_feed_answer_parse(const char *text, size_t size, FwFeedAnswer *answer)
{
        bool last = false;

        while (size > 0) {
                const char *end = memchr(text, '\n', size);
                g_auto(FwFetchLine) line = {0};
                size_t n;

                if (!end || last)
                        return -EBADMSG;
                n = (size_t) (end - text);
                if (n > 0 && fw_fetch_line_read(text, n, &line) < 0)
                        return -EBADMSG;
                take_line(answer, &line, &last);
                text += n + 1;
                size -= n + 1;
        }
        return last ? 0 : -EBADMSG;
}

/* Whoever wrote it may be in a stranger's hands: it must be a dataset, whole, and cannot change. */
static int take_dataset(FwFeedJob *job, FwFeedAnswer *answer)
{
        g_autofree char *bytes = NULL;
        struct stat st;
        g_autoptr(PtDataset) dataset = NULL;
        PtHasher *hasher;
        uint64_t at = 0;
        ssize_t n;
        int r;

        r = pt_memfd_seal(job->dataset);
        if (r < 0)
                return r;
        if (fstat(job->dataset, &st) < 0)
                return -errno;
        bytes = g_malloc(READ_SIZE);
        hasher = pt_hasher_new();
        while ((n = pread(job->dataset, bytes, READ_SIZE, (off_t) at)) > 0) {
                pt_hasher_add(hasher, bytes, (size_t) n);
                at += (uint64_t) n;
        }
        pt_hasher_end(hasher, &answer->digest);
        if (n < 0 || at != (uint64_t) st.st_size)
                return -EIO;
        r = pt_dataset_open_fd(fcntl(job->dataset, F_DUPFD_CLOEXEC, 3), &answer->digest, &dataset);
        if (r == 0)
                r = pt_dataset_verify(dataset);
        if (r < 0)
                return r;
        answer->header = *pt_dataset_header(dataset);
        answer->dataset = pt_steal_fd(&job->dataset);
        return 0;
}

static void fail(FwFeedAnswer *answer, const char *why)
{
        answer->state = FW_FETCH_FAILED;
        g_free(answer->error);
        answer->error = g_strdup(why);
}

static void finish(FwFeedJob *job, const char *why)
{
        FwFeedAnswer *answer = answer_new();
        FwFeed *feed = job->feed;
        void (*done)(FwFeed *, FwFeedAnswer *) = job->done;

        if (why) {
                fail(answer, why);
        } else if (fw_feed_answer_parse(job->text->str, job->text->len, answer) < 0) {
                fail(answer, "patronus-fetch ended without a whole answer");
        } else if (answer->state == FW_FETCH_DONE && feed->sort != FW_LIVE_NAMES &&
                   take_dataset(job, answer) < 0) {
                fail(answer, "what patronus-fetch wrote is no dataset");
        }
        done(feed, answer); /* which frees the job */
}

static int readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        FwFeedJob *job = userdata;
        char bytes[READ_SIZE / 4];
        ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return 0;
        if (n <= 0)
                finish(job, NULL);
        else if (job->text->len + (size_t) n > FW_FETCH_REPLY_MAX)
                finish(job, "patronus-fetch says too much");
        else
                g_string_append_len(job->text, bytes, n);
        return 0;
}

static int too_late(sd_event_source *source, uint64_t usec, void *userdata)
{
        finish(userdata, "patronus-fetch took too long");
        return 0;
}

static int child_ended(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        return 0; /* its end is that of its socket; here it is only buried */
}

void fw_feed_job_free(FwFeedJob *job)
{
        if (!job)
                return;
        if (job->pid > 0)
                (void) kill(job->pid, SIGKILL);
        sd_event_source_disable_unref(job->readable);
        sd_event_source_disable_unref(job->deadline);
        if (job->socket >= 0)
                close(job->socket);
        if (job->dataset >= 0)
                close(job->dataset);
        g_string_free(job->text, TRUE);
        g_free(job);
}

static int reach(const char *path)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        pt_auto_fd int fd = -EBADF;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        strcpy(address.sun_path, path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || connect(fd, (const struct sockaddr *) &address, sizeof(address)) < 0)
                return -errno;
        return pt_steal_fd(&fd);
}

/* Nothing of ours goes with it: no capability, no variable, no descriptor but the socket. */
static void become(const char *path, int socket, pid_t parent)
{
        char *const arguments[] = {(char *) (uintptr_t) "patronus-fetch", NULL};
        char *const environment[] = {NULL};
        sigset_t none;

        sigemptyset(&none);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent ||
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || dup2(socket, STDIN_FILENO) < 0 ||
            sigprocmask(SIG_SETMASK, &none, NULL) < 0)
                _exit(126);
        execve(path, arguments, environment);
        _exit(127);
}

static int start(FwFeedJob *job, const char *path)
{
        pid_t parent = getpid();
        int sockets[2], r;

        if (access(path, X_OK) < 0)
                return -errno;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0)
                return -errno;
        job->socket = sockets[0];
        job->pid = fork();
        if (job->pid == 0)
                become(path, sockets[1], parent);
        r = job->pid < 0 ? -errno : 0;
        close(sockets[1]);
        return r < 0 ? r
                     : sd_event_add_child(job->feed->feeds->config.event, NULL, job->pid, WEXITED,
                                          child_ended, NULL);
}

static int send_request(FwFeedJob *job, int request)
{
        union {
                char bytes[CMSG_SPACE(2 * sizeof(int))];
                struct cmsghdr header;
        } control = {0};
        char byte = 0;
        struct iovec part = {.iov_base = &byte, .iov_len = sizeof(byte)};
        struct msghdr message = {.msg_iov = &part,
                                 .msg_iovlen = 1,
                                 .msg_control = control.bytes,
                                 .msg_controllen = sizeof(control.bytes)};
        int fds[2] = {request, job->dataset};

        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(fds));
        memcpy(CMSG_DATA(&control.header), fds, sizeof(fds));
        return sendmsg(job->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int begin(FwFeedJob *job, const FwFetchRequest *request, const Alias *alias)
{
        FwFeeds *feeds = job->feed->feeds;
        pt_auto_fd int memfd = fw_fetch_request_write(request, alias);
        struct stat st;
        int r;

        if (memfd < 0)
                return memfd;
        job->dataset = memfd_create("dataset", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (job->dataset < 0 || stat(feeds->helper, &st) < 0)
                return -errno;
        if (S_ISSOCK(st.st_mode)) {
                r = job->socket = reach(feeds->helper);
        } else {
                r = start(job, feeds->helper);
        }
        if (r >= 0)
                r = send_request(job, memfd);
        if (r >= 0)
                r = sd_event_add_io(feeds->config.event, &job->readable, job->socket, EPOLLIN,
                                    readable, job);
        if (r >= 0)
                r = sd_event_add_time_relative(feeds->config.event, &job->deadline, CLOCK_MONOTONIC,
                                               FW_FEED_SEC * G_USEC_PER_SEC, 0, too_late, job);
        return r;
}

int fw_feed_job_start(FwFeed *feed, const FwFetchRequest *request, const Alias *alias,
                      void (*done)(FwFeed *feed, FwFeedAnswer *answer), FwFeedJob **ret)
{
        FwFeedJob *job = g_new0(FwFeedJob, 1);
        int r;

        job->feed = feed;
        job->socket = job->dataset = -EBADF;
        job->text = g_string_new(NULL);
        job->done = done;
        r = begin(job, request, alias);
        if (r < 0) {
                fw_feed_job_free(job);
                return r;
        }
        *ret = job;
        return 0;
}
