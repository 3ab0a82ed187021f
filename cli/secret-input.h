/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Secrets that people type: never an argument, which others see and the shell remembers. */

#include "ctl.h"

/*
 * "FIELD=-" of a secret: asks for the value at a terminal, without an echo, or reads all of standard
 * input but a last newline. `ret`: "FIELD=VALUE", which the caller wipes; NULL: the assignment is
 * none of a secret, or unsets one, and is taken as it is. CTL_USAGE after a message when the value
 * is on the command line.
 */
int ctl_secret_assignment(const PtKind *kind, const char *assignment, char **ret);
