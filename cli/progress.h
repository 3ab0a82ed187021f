/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Waiting for an answer. After a second a line on the terminal says what is going on and since when,
 * and goes when the answer comes. Ctrl-C while something is being brought into force asks configd to
 * give it up, which it does until the change is decided; a second Ctrl-C leaves.
 */

#include "call.h"

/* Goes back to the beginning of the terminal's line and clears it. */
#define CTL_ERASE "\r\033[K"
/* Whether standard error is a terminal that a line can be drawn on again and again. */
bool ctl_may_show(void);
/* Waits until the callback of a call under way has set *reply. 0, or a negative errno. */
int ctl_wait(Ctl *ctl, CtlCallFlags flags, sd_bus_message *const *reply);
