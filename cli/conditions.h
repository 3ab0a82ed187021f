/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* FIELD=VALUE words that narrow a list. */

#include "ctl.h"

/* The arguments as JSON by the rows of a filter; `what` one of them is about, for messages: "a
 * connection". What the values must be is the filter's own matter. */
int ctl_read_conditions(const Ctl *ctl, const PtField *rows, const char *what,
                        struct json_object **ret);
