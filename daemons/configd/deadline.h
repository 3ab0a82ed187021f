/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* How long a participant gets for a step. The least time, step_usec, is an option of configd for
 * slow machines. */

#include "event/backoff.h"

#define DEADLINE_STEP_USEC (10 * PT_USEC_PER_SEC)
#define DEADLINE_STEP_MAX_USEC (120 * PT_USEC_PER_SEC)

/* Planning has no estimate; it may have to read a slice of a million objects. */
static inline uint64_t deadline_plan(uint64_t step_usec)
{
        return 6 * step_usec;
}

static inline uint64_t deadline_step(uint64_t step_usec, uint64_t estimate_usec)
{
        return CLAMP(estimate_usec > DEADLINE_STEP_MAX_USEC ? DEADLINE_STEP_MAX_USEC
                                                            : 3 * estimate_usec,
                     step_usec, MAX(step_usec, DEADLINE_STEP_MAX_USEC));
}
