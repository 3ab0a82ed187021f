/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Errors and shapes of our interfaces. Errors are org.patronus.Error.*, mapped both ways with sd_bus_error_add_map, so
 * that a negative errno becomes the name and back:
 *
 *   -EINVAL Invalid   -ENOENT NotFound   -EEXIST Exists   -EBUSY Busy   -ESTALE NeedFull   -EAGAIN Conflict   -ETIME Timeout
 *   -EPERM NotAuthorized   -EFBIG TooLarge   -EBADMSG Damaged   -ENOTCONN DaemonUnreachable   -EIO Failed
 */

#include "base/diag.h"
#include <systemd/sd-bus.h>

#define PT_ERROR_PREFIX "org.patronus.Error."
#define PT_REPLY_MAX (64U * 1024U) /* a larger reply is a memfd or a page */

extern const sd_bus_error_map pt_bus_errors[];

/* Diagnostics as data: a(ssss) = severity, subject and JSON pointer joined as "Kind/name#/spec/x" (or "file:1:2", or ""),
 * code, text. */
int pt_diag_append(const PtDiagnostics *diag, sd_bus_message *m);
int pt_diag_read(sd_bus_message *m, PtDiagnostics *diag);

/* Effective uid of a message's sender from the bus driver. */
int pt_bus_sender_uid(sd_bus_message *m, uid_t *ret);
