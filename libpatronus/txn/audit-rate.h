/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * How many entries one user may cause: a stranger who is refused a thousand times a second must not
 * push out of the audit what others did. A bucket of tokens for each uid, and the count of what got
 * none, which goes with the next entry.
 */

#include "base/macros.h"
#include <sys/types.h>

/* Users with a bucket of their own; further ones share one. */
#define PT_AUDIT_RATE_USERS_MAX 64

typedef struct PtAuditRate PtAuditRate;

/* So many at once, and then one in each period. */
PtAuditRate *pt_audit_rate_new(unsigned burst, uint64_t period_usec);
void pt_audit_rate_free(PtAuditRate *rate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtAuditRate, pt_audit_rate_free)

/* Whether there may be an entry; `now_usec` of a clock that does not go back. *ret_left_out is the
 * number of those that were left out since the last. */
bool pt_audit_rate_take(PtAuditRate *rate, uid_t uid, uint64_t now_usec, uint64_t *ret_left_out);
/* The next user of whom entries were left out, and who may have one now: takes it. */
bool pt_audit_rate_flush(PtAuditRate *rate, uint64_t now_usec, uid_t *ret_uid,
                         uint64_t *ret_left_out);
/* Whether something was left out and not told yet. */
bool pt_audit_rate_pending(const PtAuditRate *rate);
