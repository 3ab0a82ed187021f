/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the commands of filterd's own interface share. */

#include "call.h"

extern const CtlTarget ctl_filter;
extern const CtlTarget ctl_filter_properties; /* of the same object */
