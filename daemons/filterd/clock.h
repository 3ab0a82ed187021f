/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The machine's clock, for schedules: says when a time has come, when the clock was set (also by
 * what follows a suspend), and when it is synchronised first.
 */

#include "base/macros.h"
#include <systemd/sd-event.h>

/* How often a clock that is not synchronised is asked. */
#define FW_CLOCK_SYNC_USEC (5 * G_USEC_PER_SEC)

typedef struct FwClock FwClock;
/* `changed`: what schedules say is to be asked again. */
int fw_clock_new(sd_event *event, void (*changed)(void *userdata), void *userdata, FwClock **ret);
void fw_clock_free(FwClock *clock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwClock, fw_clock_free)

/* The next time to call: seconds since 1970; INT64_MAX: none. `synchronise`: also once the clock is. */
int fw_clock_arm(FwClock *clock, int64_t time_sec, bool synchronise);
/* adjtimex(2): somebody keeps the clock right. */
bool fw_clock_is_synchronised(void);
