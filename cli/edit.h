/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is being edited (cmd-edit.c), and an attempt to bring it into force (edit-commit.c). Each
 * attempt is a session of its own on what runs then; what others did meanwhile to the objects that
 * are edited is a conflict, and shown.
 */

#include "call.h"

typedef struct Edit {
        Ctl *ctl;
        const PtKind *kind;
        const char *name;  /* NULL: all objects of the kind */
        GPtrArray *before; /* JSON of the objects as they were when the user saw them last */
        char *path;
        char *text;           /* as the user left it, without our messages */
        PtDiagnostics *wrong; /* with it */
        char *note;           /* what others made of the objects, or NULL */
} Edit;

/* The objects as they are in a session (or, of configd, running), in their order. */
int ctl_edit_read(const Edit *edit, const CtlTarget *session, GPtrArray **ret);
/*
 * Tries to bring the text into force and prints what came of it. CTL_REFUSED with entries in
 * edit->wrong: the user can mend it; otherwise the exit code of the command.
 */
int ctl_edit_commit(Edit *edit);
