/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/worker.h"

#include "base/io.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

struct PtWorker {
        pid_t pid;
        int pipe;
        sd_event_source *input, *timeout;
        GString *received; /* the result, then what was appended */
        PtWorkerDone done;
        void *userdata;
};

static void end_child(PtWorker *worker)
{
        while (worker->pid > 0 && waitpid(worker->pid, NULL, 0) < 0 && errno == EINTR)
                ;
        worker->pid = 0;
}

void pt_worker_free(PtWorker *worker)
{
        if (!worker)
                return;
        if (worker->pid > 0)
                (void) kill(worker->pid, SIGKILL);
        end_child(worker);
        sd_event_source_disable_unref(worker->input);
        sd_event_source_disable_unref(worker->timeout);
        pt_closep(&worker->pipe);
        g_string_free(worker->received, TRUE);
        g_free(worker);
}

static void finish(PtWorker *worker, int result)
{
        g_autoptr(GString) received = g_steal_pointer(&worker->received);
        PtWorkerDone done = worker->done;
        void *userdata = worker->userdata;

        worker->received = g_string_new(NULL);
        pt_worker_free(worker);
        done(result, received, userdata);
}

/* The child has closed its end, by its end. */
static void take_result(PtWorker *worker)
{
        int result;

        if (worker->received->len < sizeof(result)) { /* killed, or out of memory */
                finish(worker, -EIO);
                return;
        }
        memcpy(&result, worker->received->str, sizeof(result));
        g_string_erase(worker->received, 0, sizeof(result));
        finish(worker, result);
}

static int on_input(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        PtWorker *worker = userdata;
        char buffer[4096];
        ssize_t n = read(fd, buffer, sizeof(buffer));

        if (n < 0 && (errno == EINTR || errno == EAGAIN))
                return 0;
        if (n < 0 ||
            worker->received->len + (size_t) MAX(n, 0) > PT_WORKER_OUTPUT_MAX + sizeof(int))
                finish(worker, -EIO);
        else if (n == 0)
                take_result(worker);
        else
                g_string_append_len(worker->received, buffer, n);
        return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
        finish(userdata, -ETIME);
        return 0;
}

G_GNUC_NORETURN static void child(int fd, pid_t parent, PtWorkerRun run, void *userdata)
{
        g_autoptr(GString) out = g_string_new(NULL);
        sigset_t none;
        int result;

        sigemptyset(&none);
        (void) sigprocmask(SIG_SETMASK, &none, NULL);
        (void) signal(SIGTERM, SIG_DFL);
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent) /* it was gone before that */
                _exit(1);
        result = run(userdata, out);
        if (out->len > PT_WORKER_OUTPUT_MAX)
                result = -EFBIG;
        if (pt_write_all(fd, &result, sizeof(result)) < 0 ||
            pt_write_all(fd, out->str, MIN(out->len, PT_WORKER_OUTPUT_MAX)) < 0)
                _exit(1);
        _exit(0); /* nothing of our parent's is run or flushed */
}

int pt_worker_start(sd_event *event, uint64_t timeout_usec, PtWorkerRun run, PtWorkerDone done,
                    void *userdata, PtWorker **ret)
{
        pt_auto_fd int in = -EBADF, out = -EBADF;
        pid_t parent = getpid();
        int fds[2], r;
        PtWorker *worker;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        in = fds[0];
        out = fds[1];
        if (fcntl(in, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        worker = g_new0(PtWorker, 1);
        worker->received = g_string_new(NULL);
        worker->done = done;
        worker->userdata = userdata;
        worker->pid = fork();
        if (worker->pid == 0)
                child(out, parent, run, userdata);
        r = worker->pid < 0 ? -errno : 0;
        worker->pipe = pt_steal_fd(&in);
        if (r >= 0)
                r = sd_event_add_io(event, &worker->input, worker->pipe, EPOLLIN, on_input, worker);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &worker->timeout, CLOCK_MONOTONIC,
                                               timeout_usec, 0, on_timeout, worker);
        if (r < 0) {
                pt_worker_free(worker);
                return r;
        }
        *ret = worker;
        return 0;
}
