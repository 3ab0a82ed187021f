/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A revision that is in force and waits for a confirmation. On a terminal its time is counted down,
 * in one line, until it is confirmed elsewhere, was taken back, or Ctrl-C, which leaves it to
 * itself; at the machine's own console Enter confirms it. Without a terminal it is said once.
 */

#include "call.h"

/* What --confirm is, or $PATRONUS_CONFIRM; NULL: it is left to configd. */
const char *ctl_confirm_wish(const Ctl *ctl);
/* Whether that may be; CTL_USAGE after a message. */
int ctl_confirm_check(const Ctl *ctl);
/* The revision is in force, as the reply of its commit says. CTL_DONE: it is confirmed, or needs no
 * confirmation; CTL_UNCONFIRMED: it waits; CTL_TAKEN_BACK. */
int ctl_confirm_follow(Ctl *ctl, struct json_object *reply);
/* Calls Confirm. */
int ctl_confirm_call(Ctl *ctl, uint64_t revision);
