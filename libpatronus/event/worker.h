/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Work that takes too long for the event loop, done by a child that has our memory as it was. The
 * child reads and writes files, sends its result through a pipe, and ends; it uses neither the bus
 * nor the loop. Its memory goes with it.
 */

#include "base/macros.h"
#include <systemd/sd-event.h>

#define PT_WORKER_OUTPUT_MAX (64U * 1024U) /* bytes of a result */

typedef struct PtWorker PtWorker;

/* Runs in the child. Returns >= 0 or a negative errno; what it appends to `out` is sent too. */
typedef int (*PtWorkerRun)(void *userdata, GString *out);
/* The child ended: with its return value, or -EIO if it did not come to that, or -ETIME. The worker
 * has been freed. */
typedef void (*PtWorkerDone)(int result, const GString *out, void *userdata);

/* `userdata` is for both, the caller's, and alive until `done`. */
int pt_worker_start(sd_event *event, uint64_t timeout_usec, PtWorkerRun run, PtWorkerDone done,
                    void *userdata, PtWorker **ret);
/* Kills the child if it runs still; `done` is not called. */
void pt_worker_free(PtWorker *worker);
