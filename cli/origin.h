/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The connection that one sits at, which a commit must not cut: from the ssh server above us, whose
 * socket root may look at (so it is known after sudo, too), else from $SSH_CONNECTION. Below tmux and
 * its like the latter may be of a login that is long gone: then it must be established still.
 */

/* "CLIENT-ADDRESS CLIENT-PORT SERVER-ADDRESS SERVER-PORT", as SSH_CONNECTION; NULL: not known, or
 * there is none. */
char *ctl_connection(void);
