/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * patronus-fetch: asks strangers for what filterd wants to know, with no rights at all. Its standard
 * input is the socket that libpatronus/filter/fetch.h describes; it does one piece of work and ends.
 */

#include "reply.h"
#include "sandbox.h"

#include <signal.h>
#include <string.h>

static int work(const Work *work)
{
        switch ((FwLiveSort) work->request.sort) {
        case FW_LIVE_URL:
                return work_fetch_url(work);
        case FW_LIVE_NAMES:
                return work_resolve_names(work);
        case FW_LIVE_PLACES:
                return work_find_places(work);
        case FW_LIVE_LOCAL:
        case FW_LIVE_SORT_MAX:
        case FW_LIVE_SORT_INVALID:
                break;
        }
        return -EPROTO;
}

int main(int argc, char **argv)
{
        g_auto(Work) task = {.output = -EBADF};
        const char *readable[3] = {0};
        int r;

        if (argc > 1) {
                (void) !write(STDERR_FILENO,
                              "patronus-fetch is started by patronus-filterd alone\n", 52);
                return 2;
        }
        (void) signal(SIGPIPE, SIG_IGN);
        r = work_receive(STDIN_FILENO, &task);
        if (r < 0)
                return 2;
        /* The request is filterd's; only from here on strangers are asked. */
        readable[0] = task.request.database;
        readable[1] = task.request.asn_database ?: "";
        if (!readable[0])
                readable[0] = "";
        r = sandbox_enter(readable);
        if (r < 0)
                return work_fail(&task, "the sandbox cannot be entered: %s", strerror(-r)) < 0;
        return work(&task) < 0;
}
