/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A program of others as a service: started, watched until its end by a pidfd, started again later
 * and later when it ends by itself, and stopped, at first kindly. What it says is logged, and the last
 * line of it is why it ended.
 *
 *         PtRunnerSpec spec = {.name = "tayga", .argv = argv, .changed = changed, .userdata = me};
 *         pt_runner_new(event, &spec, &runner);
 *         pt_runner_start(runner);       changed(): starting; running, once pt_runner_ready() or
 *                                        settle_usec says so; or waiting, with the error
 *         pt_runner_stop(runner);        stopping; stopped
 *
 * The program has no right that its starter got by capabilities, no descriptor of it, and ends with
 * it. Nothing blocks.
 */

#include "base/macros.h"
#include <systemd/sd-event.h>

typedef enum PtRunnerState {
        PT_RUNNER_STOPPED,
        PT_RUNNER_STARTING, /* it runs; whether it works is not known */
        PT_RUNNER_RUNNING,
        PT_RUNNER_WAITING, /* it ended, or could not be started, and will be started again */
        PT_RUNNER_STOPPING,
        PT_RUNNER_STATE_MAX,
        PT_RUNNER_STATE_INVALID = -EINVAL,
} PtRunnerState;
const char *pt_runner_state_to_string(PtRunnerState state); /* "stopped", "starting" ... */

typedef struct PtRunner PtRunner;

typedef struct PtRunnerSpec {
        const char *name;        /* for the log */
        const char *const *argv; /* the program's absolute path first; NULL at the end */
        /* Called before each start: makes what the program needs. A negative errno, with a text for
         * people: it is not started now, but again later. May be NULL. */
        int (*prepare)(void *userdata, char **ret_why);
        /* The state is another one. The runner must not be freed in it. */
        void (*changed)(PtRunner *runner, void *userdata);
        void *userdata;
        uint64_t settle_usec;    /* so long alive: it works; 0: pt_runner_ready() alone says so */
        uint64_t stop_usec;      /* from SIGTERM to SIGKILL; 0: 5 s */
        uint64_t retry_min_usec; /* until it is started again, doubled each time; 0: 0.2 s */
        uint64_t retry_max_usec; /* 0: 30 s */
} PtRunnerSpec;

/* The spec is copied, argv too. It does not run yet. */
int pt_runner_new(sd_event *event, const PtRunnerSpec *spec, PtRunner **ret);
/* Kills it at once if it runs still, and waits for that. */
void pt_runner_free(PtRunner *runner);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtRunner, pt_runner_free)

/* It is to run: what is there already stays. After a stop that is not through, it is started then.
 * What goes wrong is told by the state. */
void pt_runner_start(PtRunner *runner);
/* It is not to run. */
void pt_runner_stop(PtRunner *runner);
/* It is to run anew, since its configuration is another one. */
void pt_runner_restart(PtRunner *runner);
/* Whoever starts it sees that it works. */
void pt_runner_ready(PtRunner *runner);

PtRunnerState pt_runner_state(const PtRunner *runner);
pid_t pt_runner_pid(const PtRunner *runner);         /* 0: it does not run */
const char *pt_runner_error(const PtRunner *runner); /* of its last end that nobody asked for; "" */
unsigned pt_runner_restarts(const PtRunner *runner); /* how often it was started again */
