/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A program as a child of ours. */

#include "backend/runner.h"

#include "base/log.h"
#include "event/backoff.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define STOP_USEC (5 * PT_USEC_PER_SEC)
#define RETRY_MIN_USEC (200 * PT_USEC_PER_MSEC)
#define RETRY_MAX_USEC (30 * PT_USEC_PER_SEC)
/* Whoever ran so long had no trouble with its start: the next one is tried soon. */
#define SOUND_USEC (60 * PT_USEC_PER_SEC)
#define LINE_MAX_SIZE 256 /* of what it says; the rest of a line is dropped */
#define READ_SIZE 4096
/* Strangers may give it reason to say something. */
#define LOG_BURST 20U
#define LOG_WINDOW_USEC (10 * PT_USEC_PER_SEC)

struct PtRunner {
        sd_event *event;
        char *name;
        char **argv;
        PtRunnerSpec spec; /* its strings are those above */
        PtRunnerState state;
        bool wanted;
        pid_t pid;
        uint64_t since_usec; /* CLOCK_MONOTONIC: of its start */
        sd_event_source *child, *said, *settle, *killer;
        int output;
        PtBackoff *backoff;
        GString *line; /* not ended yet */
        char *last;    /* the last line of this run */
        uint64_t window_usec;
        unsigned logged; /* lines in the window */
        char *error;
        unsigned starts;
};

const char *pt_runner_state_to_string(PtRunnerState state)
{
        static const char *const names[] = {
                [PT_RUNNER_STOPPED] = "stopped",   [PT_RUNNER_STARTING] = "starting",
                [PT_RUNNER_RUNNING] = "running",   [PT_RUNNER_WAITING] = "waiting",
                [PT_RUNNER_STOPPING] = "stopping",
        };

        G_STATIC_ASSERT(G_N_ELEMENTS(names) == PT_RUNNER_STATE_MAX);
        return names[state];
}

static void set_state(PtRunner *runner, PtRunnerState state)
{
        if (runner->state == state)
                return;
        runner->state = state;
        if (runner->spec.changed)
                runner->spec.changed(runner, runner->spec.userdata);
}

static void set_error(PtRunner *runner, char *why)
{
        g_free(runner->error);
        runner->error = why;
}

/* What it says. */

static void log_line(PtRunner *runner)
{
        uint64_t now = (uint64_t) g_get_monotonic_time();

        if (now - runner->window_usec >= LOG_WINDOW_USEC) {
                if (runner->logged > LOG_BURST)
                        pt_log(LOG_INFO, "%s: %u more lines", runner->name,
                               runner->logged - LOG_BURST);
                runner->window_usec = now;
                runner->logged = 0;
        }
        if (runner->logged++ < LOG_BURST)
                pt_log(LOG_INFO, "%s: %s", runner->name, runner->line->str);
}

static void end_line(PtRunner *runner)
{
        if (runner->line->len == 0)
                return;
        log_line(runner);
        g_free(runner->last);
        runner->last = g_strdup(runner->line->str);
        g_string_truncate(runner->line, 0);
}

static void take_output(PtRunner *runner, const char *bytes, size_t size)
{
        for (size_t i = 0; i < size; i++) {
                if (bytes[i] == '\n')
                        end_line(runner);
                else if (runner->line->len < LINE_MAX_SIZE)
                        g_string_append_c(runner->line, g_ascii_isprint(bytes[i]) ? bytes[i] : '?');
        }
}

/* 1: there may be more. */
static int read_output(PtRunner *runner)
{
        char bytes[READ_SIZE];
        ssize_t n = read(runner->output, bytes, sizeof(bytes));

        if (n < 0)
                return errno == EINTR ? 1 : -errno;
        take_output(runner, bytes, (size_t) n);
        return n > 0;
}

static int said(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        PtRunner *runner = userdata;
        int r = read_output(runner);

        /* The end of the pipe is no end of the program, which is asked of the kernel. */
        if (r == 0 || (r < 0 && r != -EAGAIN))
                runner->said = sd_event_source_disable_unref(runner->said);
        return 0;
}

static void close_output(PtRunner *runner)
{
        /* A child of the program may have the other end still, and say more for ever. */
        for (unsigned i = 0; runner->output >= 0 && i < 16 && read_output(runner) > 0; i++)
                ;
        end_line(runner);
        runner->said = sd_event_source_disable_unref(runner->said);
        pt_closep(&runner->output);
        runner->output = -EBADF;
}

/* Its end. */

static char *describe_end(const PtRunner *runner, const siginfo_t *si)
{
        g_autofree char *how =
                si->si_code == CLD_EXITED
                        ? g_strdup_printf("it ended with exit code %d", si->si_status)
                        : g_strdup_printf("it was ended by signal %d (%s)", si->si_status,
                                          strsignal(si->si_status));

        return runner->last ? g_strdup_printf("%s: %s", how, runner->last) : g_steal_pointer(&how);
}

static void start(PtRunner *runner);

static void fail(PtRunner *runner, char *why)
{
        set_error(runner, why);
        if (pt_backoff_arm(runner->backoff) < 0)
                pt_log(LOG_ERR, "%s: no timer: it is not started again", runner->name);
        pt_log(LOG_ERR, "%s: %s; it is started again", runner->name, runner->error);
        set_state(runner, PT_RUNNER_WAITING);
}

static void forget_child(PtRunner *runner)
{
        runner->child = sd_event_source_disable_unref(runner->child);
        runner->settle = sd_event_source_disable_unref(runner->settle);
        runner->killer = sd_event_source_disable_unref(runner->killer);
        close_output(runner);
        runner->pid = 0;
}

static int ended(sd_event_source *source, const siginfo_t *si, void *userdata)
{
        PtRunner *runner = userdata;
        uint64_t now = (uint64_t) g_get_monotonic_time();
        bool asked = runner->state == PT_RUNNER_STOPPING;
        siginfo_t end = *si;

        if (runner->state == PT_RUNNER_RUNNING && now - runner->since_usec >= SOUND_USEC)
                pt_backoff_reset(runner->backoff);
        forget_child(runner);
        if (!asked) {
                fail(runner, describe_end(runner, &end));
                return 0;
        }
        if (runner->wanted)
                start(runner);
        else
                set_state(runner, PT_RUNNER_STOPPED);
        return 0;
}

/* Its start. */

static void drop_descriptors(int error)
{
        /* 3 is what says that it could not be started; all above goes. */
        if (dup2(error, 3) < 0 || fcntl(3, F_SETFD, FD_CLOEXEC) < 0 ||
            syscall(SYS_close_range, 4U, ~0U, 0U) < 0)
                _exit(126);
}

/* In the child: nothing of ours goes with it. */
G_GNUC_NORETURN static void become(const PtRunner *runner, int output, int error, pid_t parent)
{
        static char *const environment[] = {
                (char *) (uintptr_t) "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                (char *) (uintptr_t) "LANG=C", NULL};
        int null = open("/dev/null", O_RDWR), code;
        sigset_t none;

        sigemptyset(&none);
        for (int number = 1; number < NSIG; number++)
                (void) signal(number, SIG_DFL);
        /* Two descriptors that must not be in the way of those that they become. */
        output = fcntl(output, F_DUPFD_CLOEXEC, 10);
        error = fcntl(error, F_DUPFD_CLOEXEC, 10);
        if (null < 0 || output < 0 || error < 0 || dup2(null, STDIN_FILENO) < 0 ||
            dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0)
                _exit(126);
        drop_descriptors(error);
        if (sigprocmask(SIG_SETMASK, &none, NULL) < 0 ||
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
            prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 ||
            getppid() != parent)
                _exit(126);
        execve(runner->argv[0], runner->argv, environment);
        code = errno;
        (void) !write(3, &code, sizeof(code));
        _exit(127);
}

/* Waits until the child is the program, which takes no time, or says why it cannot be. */
static int await_program(int error)
{
        int code;
        ssize_t n;

        do
                n = read(error, &code, sizeof(code));
        while (n < 0 && errno == EINTR);
        return n == sizeof(code) ? -code : 0;
}

static int spawn(PtRunner *runner)
{
        pt_auto_fd int in = -EBADF, out = -EBADF, error_in = -EBADF, error_out = -EBADF;
        pid_t parent = getpid();
        int fds[2], r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        in = fds[0];
        out = fds[1];
        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        error_in = fds[0];
        error_out = fds[1];
        if (fcntl(in, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        runner->pid = fork();
        if (runner->pid == 0)
                become(runner, out, error_out, parent);
        if (runner->pid < 0) {
                r = -errno;
                runner->pid = 0;
                return r;
        }
        pt_closep(&error_out);
        error_out = -EBADF;
        r = await_program(error_in);
        if (r >= 0)
                r = sd_event_add_child(runner->event, &runner->child, runner->pid, WEXITED, ended,
                                       runner);
        if (r < 0) {
                (void) kill(runner->pid, SIGKILL);
                while (waitpid(runner->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
                runner->pid = 0;
                return r;
        }
        runner->output = pt_steal_fd(&in);
        return sd_event_add_io(runner->event, &runner->said, runner->output, EPOLLIN, said, runner);
}

static int settled(sd_event_source *source, uint64_t usec, void *userdata)
{
        pt_runner_ready(userdata);
        return 0;
}

static void start(PtRunner *runner)
{
        g_autofree char *why = NULL;
        int r = 0;

        g_clear_pointer(&runner->last, g_free);
        runner->starts++;
        if (runner->spec.prepare)
                r = runner->spec.prepare(runner->spec.userdata, &why);
        if (r < 0) {
                fail(runner, why ? g_steal_pointer(&why) : g_strdup(strerror(-r)));
                return;
        }
        r = spawn(runner);
        if (r < 0 && runner->pid == 0) {
                fail(runner,
                     g_strdup_printf("%s cannot be started: %s", runner->argv[0], strerror(-r)));
                return;
        }
        if (r < 0)
                pt_log(LOG_WARNING, "%s: what it says is not heard: %s", runner->name,
                       strerror(-r));
        runner->since_usec = (uint64_t) g_get_monotonic_time();
        if (runner->spec.settle_usec > 0 &&
            sd_event_add_time_relative(runner->event, &runner->settle, CLOCK_MONOTONIC,
                                       runner->spec.settle_usec, 0, settled, runner) < 0)
                pt_log(LOG_ERR, "%s: no timer: it is not seen to work", runner->name);
        set_state(runner, PT_RUNNER_STARTING);
}

static void again(void *userdata)
{
        PtRunner *runner = userdata;

        if (runner->wanted && runner->state == PT_RUNNER_WAITING)
                start(runner);
}

static int kill_now(sd_event_source *source, uint64_t usec, void *userdata)
{
        PtRunner *runner = userdata;

        runner->killer = sd_event_source_disable_unref(runner->killer);
        pt_log(LOG_WARNING, "%s does not end when it is asked to: it is killed", runner->name);
        (void) kill(runner->pid, SIGKILL);
        return 0;
}

/* It is our child and not waited for: the number is nobody else's. */
static void ask_to_end(PtRunner *runner)
{
        runner->settle = sd_event_source_disable_unref(runner->settle);
        (void) kill(runner->pid, SIGTERM);
        if (sd_event_add_time_relative(runner->event, &runner->killer, CLOCK_MONOTONIC,
                                       runner->spec.stop_usec, 0, kill_now, runner) < 0)
                (void) kill(runner->pid, SIGKILL);
        set_state(runner, PT_RUNNER_STOPPING);
}

void pt_runner_start(PtRunner *runner)
{
        runner->wanted = true;
        if (runner->state == PT_RUNNER_STOPPED)
                start(runner);
}

void pt_runner_stop(PtRunner *runner)
{
        runner->wanted = false;
        pt_backoff_reset(runner->backoff);
        switch (runner->state) {
        case PT_RUNNER_STARTING:
        case PT_RUNNER_RUNNING:
                ask_to_end(runner);
                break;
        case PT_RUNNER_WAITING:
                set_state(runner, PT_RUNNER_STOPPED);
                break;
        case PT_RUNNER_STOPPED:
        case PT_RUNNER_STOPPING:
        case PT_RUNNER_STATE_MAX:
        case PT_RUNNER_STATE_INVALID:
                break;
        }
}

void pt_runner_restart(PtRunner *runner)
{
        pt_runner_stop(runner);
        pt_runner_start(runner);
}

void pt_runner_ready(PtRunner *runner)
{
        if (runner->state != PT_RUNNER_STARTING)
                return;
        runner->settle = sd_event_source_disable_unref(runner->settle);
        set_state(runner, PT_RUNNER_RUNNING);
}

PtRunnerState pt_runner_state(const PtRunner *runner)
{
        return runner->state;
}

pid_t pt_runner_pid(const PtRunner *runner)
{
        return runner->pid;
}

const char *pt_runner_error(const PtRunner *runner)
{
        return runner->error ?: "";
}

unsigned pt_runner_restarts(const PtRunner *runner)
{
        return runner->starts > 0 ? runner->starts - 1 : 0;
}

int pt_runner_new(sd_event *event, const PtRunnerSpec *spec, PtRunner **ret)
{
        g_autoptr(PtRunner) runner = g_new0(PtRunner, 1);
        int r;

        runner->event = sd_event_ref(event);
        runner->output = -EBADF;
        runner->line = g_string_new(NULL);
        runner->name = g_strdup(spec->name);
        runner->argv = g_strdupv((char **) (uintptr_t) spec->argv);
        runner->spec = *spec;
        runner->spec.argv = NULL;
        runner->spec.name = NULL;
        runner->spec.stop_usec = spec->stop_usec ?: STOP_USEC;
        r = pt_backoff_new(event, spec->retry_min_usec ?: RETRY_MIN_USEC,
                           spec->retry_max_usec ?: RETRY_MAX_USEC, again, runner, &runner->backoff);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&runner);
        return 0;
}

void pt_runner_free(PtRunner *runner)
{
        if (!runner)
                return;
        if (runner->pid > 0) {
                (void) kill(runner->pid, SIGKILL);
                runner->child = sd_event_source_disable_unref(runner->child);
                while (waitpid(runner->pid, NULL, 0) < 0 && errno == EINTR)
                        ;
        }
        forget_child(runner);
        pt_backoff_free(runner->backoff);
        g_string_free(runner->line, TRUE);
        g_free(runner->last);
        g_free(runner->error);
        g_strfreev(runner->argv);
        g_free(runner->name);
        sd_event_unref(runner->event);
        g_free(runner);
}
