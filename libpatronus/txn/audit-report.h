/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a daemon is told to do to the running system, for the audit, which configd keeps: a message
 * without an answer to its RecordAudit, which starts nobody. Where configd does not run, the
 * daemon's own log has it, and the act goes on all the same.
 *
 *         entry = pt_audit_report_begin(reporter, call, PT_ACTION_RUNTIME_OPERATE);
 *         ... the act; then, when it is done, at whatever time ...
 *         entry->subject = g_strdup("192.0.2.1");
 *         pt_audit_report_end(reporter, entry);
 *
 * Calls that the guard refuses are reported by the reporter itself, as many as PT_AUDIT_REPORT_*
 * allow of one user.
 */

#include "bus/access.h"
#include "txn/audit.h"
#include <systemd/sd-event.h>

#define PT_AUDIT_REPORT_BURST 20
#define PT_AUDIT_REPORT_USEC (60U * 1000U * 1000U)

typedef struct PtAuditReporter PtAuditReporter;

/* Result and texts of an entry, but for the daemon, as members of an a{sv} that is open. */
int pt_audit_append_texts(sd_bus_message *m, const PtAuditEntry *entry);

/* Whether calls of an action have an entry because they were allowed: to see secrets, to capture,
 * and to set what all daemons have, the log among it. Of others, what came of them has one. */
bool pt_audit_by_action(const char *action);

/* Hears of what `access` refuses from now on; both outlive it. `daemon` is its name in logs. */
PtAuditReporter *pt_audit_reporter_new(sd_event *event, PtAccess *access);
void pt_audit_reporter_free(PtAuditReporter *reporter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtAuditReporter, pt_audit_reporter_free)

/* Who calls, from where, and what: while he is there. The caller's; result is PT_AUDIT_OK. */
PtAuditEntry *pt_audit_report_begin(PtAuditReporter *reporter, sd_bus_message *call,
                                    PtAction action);
/* Sends and logs it; takes it. */
void pt_audit_report_end(PtAuditReporter *reporter, PtAuditEntry *entry);
