/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How long a participant gets. Giving up early on a Prepare is cheap: it is aborted. Giving up on a
 * Commit is not: it may be carried out still, and all that can be done is to wait for its end and
 * revert. The time for a step, step_usec, is an option of configd for slow machines.
 */

#include "event/backoff.h"

#define DEADLINE_STEP_USEC (60 * PT_USEC_PER_SEC)
#define DEADLINE_MAX_USEC (120 * PT_USEC_PER_SEC)

/* `estimate_usec` is the participant's own, which nobody vouches for. */
static inline uint64_t deadline_within(uint64_t least_usec, uint64_t estimate_usec)
{
        return MAX(least_usec, 3 * MIN(estimate_usec, DEADLINE_MAX_USEC / 3));
}

/* Plan, Commit, Verify, GetState. */
static inline uint64_t deadline_step(uint64_t step_usec, uint64_t estimate_usec)
{
        return deadline_within(step_usec, estimate_usec);
}

/* For a daemon that died in a commit to be there again: 10 seconds. A service manager waits a moment
 * before it starts one, and that reads its part of the configuration first. */
static inline uint64_t deadline_restart(uint64_t step_usec)
{
        return step_usec / 6;
}

/* 5 seconds when a step has its usual 60. */
static inline uint64_t deadline_prepare(uint64_t step_usec, uint64_t estimate_usec)
{
        return deadline_within(step_usec / 12, estimate_usec);
}
