/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Objects as JSON, as apply takes them: from configd, page by page, and the built-in ones. */

#include "call.h"

/* The object of configd or of a session. CTL_CALL_PROBES: CTL_REFUSED without a message when there
 * is none; otherwise as ctl_call(). */
int ctl_get_object(Ctl *ctl, const CtlTarget *target, const PtKind *kind, const char *name,
                   CtlCallFlags flags, struct json_object **ret);

/* Calls `each` for all objects of a kind in the order of their names; `object` is the caller's. */
int ctl_foreach_object(Ctl *ctl, const CtlTarget *target, const PtKind *kind,
                       void (*each)(struct json_object *object, void *userdata), void *userdata);

/* The built-in object of that name, or NULL; the caller puts it. */
struct json_object *ctl_builtin(const PtKind *kind, const char *name);
