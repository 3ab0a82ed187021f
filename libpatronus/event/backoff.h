/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Trying again, later and later: a one-shot timer whose delay doubles from `min` to `max` each time
 * it is armed, and goes back to `min` after a success. CLOCK_MONOTONIC.
 *
 *         pt_backoff_new(event, 100 * PT_USEC_PER_MSEC, 5 * PT_USEC_PER_SEC, again, d, &backoff);
 *         pt_backoff_arm(backoff);     again(d) runs after 0.1 s; armed again: after 0.2 s ... 5 s
 *         pt_backoff_reset(backoff);   it worked: disarms, and starts over at 0.1 s
 */

#include "base/macros.h"
#include <systemd/sd-event.h>

#define PT_USEC_PER_MSEC 1000ULL
#define PT_USEC_PER_SEC 1000000ULL

typedef struct PtBackoff PtBackoff;

int pt_backoff_new(sd_event *event, uint64_t min_usec, uint64_t max_usec,
                   void (*again)(void *userdata), void *userdata, PtBackoff **ret);
void pt_backoff_free(PtBackoff *backoff);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtBackoff, pt_backoff_free)

/* Calls `again` once after the present delay, and doubles the delay for the next time. */
int pt_backoff_arm(PtBackoff *backoff);
void pt_backoff_reset(PtBackoff *backoff);
/* The delay that the next pt_backoff_arm() uses. */
uint64_t pt_backoff_delay(const PtBackoff *backoff);
