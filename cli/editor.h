/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The user's editor: $VISUAL, $EDITOR, "editor" or "vi", the first that there is. */

#include "ctl.h"

/*
 * Lets the user edit the file and waits. The words of the variable are split as a shell does, but no
 * shell runs. Ctrl-C is the editor's meanwhile; the terminal is afterwards as it was. CTL_DONE when
 * the editor ended well, else CTL_REFUSED after a message.
 */
int ctl_editor_run(const char *path);
