/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The text that `edit` shows: objects as YAML, the skeleton of one that does not exist yet, and
 * messages as comments of our own ("#! error: …"), which are never part of what is read back.
 */

#include "ctl.h"

/* A document of an object. What only the machine needs to know, position and uid, is left out:
 * configd keeps both, and the order of the documents says where an object stands. */
void ctl_edit_append_object(struct json_object *object, GString *out);
/* The document of an object to be made, with all that it can say as comments. */
void ctl_edit_append_skeleton(const PtKind *kind, const char *name, GString *out);
/* The text without our messages. */
char *ctl_edit_strip(const char *text);
/*
 * The text with messages: all at the top, and each at its place, as far as it has one (a subject
 * "path:line:column…"). `note` is a text of several lines that follows the messages, or NULL.
 */
char *ctl_edit_annotate(const char *text, const char *path, const PtDiagnostics *diag,
                        const char *note);
