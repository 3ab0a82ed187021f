/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Errors and shapes of our interfaces. Errors are org.patronus.Error.*: pt_bus_fail() gives a
 * negative errno its name, and once pt_bus_errors_register() has run, sd_bus_error_get_errno()
 * gives the name its errno.
 *
 *   -EINVAL Invalid         -ENOENT NotFound   -EEXIST Exists          -EBUSY Busy
 *   -ESTALE NeedFull        -EAGAIN Conflict   -ETIME Timeout          -EPERM NotAuthorized
 *   -EFBIG TooLarge         -EBADMSG Damaged   -ENOTCONN DaemonUnreachable
 *   -ECANCELED Cancelled   -EIO Failed, and all others
 */

#include "base/diag.h"
#include <systemd/sd-bus.h>

#define PT_ERROR_PREFIX "org.patronus.Error."
#define PT_REPLY_MAX (64U * 1024U) /* a larger reply is a memfd or a page */

extern const sd_bus_error_map pt_bus_errors[];

/* Teaches sd-bus our names, for sd_bus_error_get_errno(). Harmless when repeated. */
int pt_bus_errors_register(void);
/* "org.patronus.Error.Invalid" for -EINVAL. */
const char *pt_bus_error_name(int error);
/* Sets an error by its errno, and returns that, as a method handler does. The text is for people:
 *
 *         return pt_bus_fail(error, -ENOENT, "There is no rule %s", name);
 */
int pt_bus_fail(sd_bus_error *error, int code, const char *format, ...) G_GNUC_PRINTF(3, 4);
/*
 * Answers a method call with an error that carries diagnostics: behind the usual text its body has
 * an a(ssss). The text is the first error's, with its place. Returns a method handler's result.
 */
int pt_bus_refuse(sd_bus_message *call, int code, const PtDiagnostics *diag);
/* The other side: reads what pt_bus_refuse() put behind the text of an error reply. 0 too when it
 * has nothing there. */
int pt_bus_read_refusal(sd_bus_message *reply, PtDiagnostics *diag);

/* Diagnostics as data: a(ssss) = severity, subject and JSON pointer joined as "Kind/name#/spec/x"
 * (or "file:1:2", or ""), code, text. */
int pt_diag_append(const PtDiagnostics *diag, sd_bus_message *m);
int pt_diag_read(sd_bus_message *m, PtDiagnostics *diag);

/* Effective uid of a message's sender from the bus driver, which is asked: a round trip. */
int pt_bus_sender_uid(sd_bus_message *m, uid_t *ret);

/* pt_auto_message *m = NULL; pt_auto_error error = SD_BUS_ERROR_NULL; freed at the end of the
 * scope; and pt_auto_creds. */
static inline void pt_bus_message_unrefp(sd_bus_message **m)
{
        sd_bus_message_unref(*m);
}
static inline void pt_bus_creds_unrefp(sd_bus_creds **creds)
{
        sd_bus_creds_unref(*creds);
}
#define pt_auto_creds pt_cleanup(pt_bus_creds_unrefp) sd_bus_creds
#define pt_auto_message pt_cleanup(pt_bus_message_unrefp) sd_bus_message
#define pt_auto_error pt_cleanup(sd_bus_error_free) sd_bus_error
