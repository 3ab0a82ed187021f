/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The input of apply, plan and diff: one descriptor that configd reads. A regular file is passed as
 * it is; standard input and pipes are copied into a sealed memfd; a directory becomes one stream of
 * its files in a sealed memfd, and places in that stream are turned back into those of the files.
 */

#include "ctl.h"

typedef struct CtlInput {
        int fd;
        char *source;  /* its name in diagnostics */
        GArray *parts; /* of a directory, else NULL */
} CtlInput;

void ctl_input_clear(CtlInput *input);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CtlInput, ctl_input_clear)

/* Opens one file, or standard input for "-"; no directory. CTL_REFUSED after a message. */
int ctl_input_open_file(const char *path, CtlInput *ret);
/* Opens what --file names and checks what goes with it; CTL_USAGE or CTL_REFUSED after a message.
 */
int ctl_input_open(const Ctl *ctl, CtlInput *ret);
/* "policy.d:57:3" as "policy.d/10-web.yaml:12:3"; other texts as they are. */
char *ctl_input_place(const CtlInput *input, const char *place);
