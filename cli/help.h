/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What help.c and the man pages (man.c) share. */

#include "ctl.h"

typedef struct CtlDoc {
        const char *name, *doc;
} CtlDoc;

extern const char *const ctl_introduction;
extern const CtlDoc ctl_exits[];     /* exit codes; the last has name NULL */
extern const CtlDoc ctl_variables[]; /* of the environment; likewise */

/* "-o, --output table|wide|yaml|json" */
char *ctl_option_title(const CtlOption *option);
