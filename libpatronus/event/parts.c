/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/parts.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Of errors that are numbers of Linux (at most 133), which is what an exit status can say. */
#define STATUS_MAX 255

/* Ends with whoever waits for it, so that nobody works for a call that is over. */
static pid_t start(unsigned part, PtPartRun run, void *userdata)
{
        pid_t parent = getpid(), pid = fork();
        int r;

        if (pid != 0)
                return pid;
        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
                _exit(1);
        r = run(part, userdata);
        _exit(r < 0 ? MIN(-r, STATUS_MAX) : 0); /* nothing of our parent's is run or flushed */
}

static int end(pid_t pid)
{
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) ? -WEXITSTATUS(status) : -EIO;
}

int pt_parts_run(unsigned n, PtPartRun run, void *userdata)
{
        pid_t pids[PT_PARTS_MAX];
        int result = 0, r;

        g_assert(n <= PT_PARTS_MAX);
        for (unsigned i = 1; i < n; i++)
                pids[i] = start(i, run, userdata);
        for (unsigned i = 0; i < n; i++) {
                r = i == 0 || pids[i] < 0 ? run(i, userdata) : end(pids[i]);
                if (result == 0 && r < 0)
                        result = r;
        }
        return result;
}
