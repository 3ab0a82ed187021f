/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Addresses with times, as filterd takes and lists them: bans, and entries of external aliases. */

#include "ctl.h"

/* The value of --for in microseconds, 0 when it is not given; CTL_USAGE after a message. */
int ctl_read_for(const Ctl *ctl, uint64_t *ret);
/* The arguments from one on as `as`. */
int ctl_append_arguments(const Ctl *ctl, unsigned from, sd_bus_message *m);
/* Reads a(us), and says what was refused by the text of the argument, the first of which is `from`. */
int ctl_say_refused(const Ctl *ctl, unsigned from, sd_bus_message *reply, bool *ret_any);
/* Prints all pages of a method of filterd that lists a(st), of the alias if there is one. */
typedef struct CtlAddressList {
        const char *method, *alias;
        const char *stays; /* what an address without an end of its time has in its place */
        const char *empty;
} CtlAddressList;
int ctl_list_addresses(Ctl *ctl, const CtlAddressList *list);
