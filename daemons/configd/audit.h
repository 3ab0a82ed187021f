/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What configd puts into the audit (txn/audit.h): every commit, revert and confirmation with how it
 * ended, every put and deletion of a dataset, what other daemons report of theirs, and every attempt
 * that was refused. Trials and what only concerns a session's candidate are not in it. Each entry
 * goes to the system's log too, with the digest of its line.
 *
 * A commit pays no fdatasync for it: what was decided is durable in the store's journal, with who
 * and why, before its entry is written, and an entry that a crash took is written anew from there.
 * The entries of a moment become durable together, AUDIT_SYNC_USEC after the first.
 *
 * When entries cannot be written, changes of the configuration are refused (audit_allows()): an
 * auditor must not find less than there was. What filterd is told about the running system goes on,
 * since a ban may be what saves the day; entries wait in memory, and the daemon's condition "audit"
 * says so.
 */

#include "commit-options.h"
#include "reply.h"

#include "bus/access.h"
#include "bus/origin.h"
#include "txn/audit.h"

#define AUDIT_SYNC_USEC (100 * PT_USEC_PER_MSEC)
/* Entries that wait for the disk; of further ones only the number is kept. */
#define AUDIT_WAITING_MAX 256
#define AUDIT_RETRY_USEC (5 * PT_USEC_PER_SEC)
/* Refused attempts of one user that get an entry: some at once, and then one a minute. That is 1 MB
 * a day: months of them in the files that are kept. */
#define AUDIT_REFUSED_BURST 20
#define AUDIT_REFUSED_USEC (60 * PT_USEC_PER_SEC)
/* The same for acts on the running system, which scripts do: a ban for each of a row of attacks. */
#define AUDIT_ACTS_BURST 256
#define AUDIT_ACTS_USEC (10 * PT_USEC_PER_SEC)

struct Manager;
typedef struct Audit Audit;

/* Files that cannot be opened are tried again; until then nothing can be changed. */
Audit *audit_new(struct Manager *manager);
void audit_free(Audit *audit);

/*
 * The start of an entry about a method call: who, from where, which method. `origin` may be NULL:
 * then it is looked up; `connection` is what the client says of itself (SSH_CONNECTION), or NULL.
 * The caller's.
 */
PtAuditEntry *audit_entry_of(sd_bus_message *call, const PtCaller *caller, const char *action,
                             const PtOrigin *origin, const char *connection);
/* Of Commit, Apply and Revert. */
PtAuditEntry *audit_entry_of_commit(sd_bus_message *call, const PtCaller *caller,
                                    const PtOrigin *origin, const CommitOptions *options);
/* Of what configd does by itself. */
PtAuditEntry *audit_entry_of_configd(const char *method, const char *reason);
/* Writes what is always written; takes the entry. */
void audit_put(Audit *audit, PtAuditEntry *entry);
/* The same for refused attempts and for acts, which are limited by user. */
void audit_put_limited(Audit *audit, PtAuditEntry *entry);
/* Completes the entry of a commit by its reply, and puts it; takes it. `failed`: it was begun, and
 * revision `number` was taken back. */
void audit_commit(Audit *audit, PtAuditEntry *entry, const Reply *reply, bool failed,
                  uint64_t number);

/* 0 if a change may be made; else negative with a diagnostic `audit-failed`. */
int audit_allows(Audit *audit, PtDiagnostics *diag);
/* What keeps entries from being written, for people; or NULL. */
const char *audit_trouble(const Audit *audit);
/* Writes entries of revisions that have none; when the store knows what became of them all. */
void audit_recover(Audit *audit);
/* PtAccess.refused; `userdata` is the Audit. */
void audit_on_refused(void *userdata, sd_bus_message *m, const PtCaller *caller, const char *action,
                      const char *why);
/* PtAccess.allowed: what has no entry of its own, with how it ended (pt_audit_by_action()). */
void audit_on_allowed(void *userdata, sd_bus_message *m, const PtCaller *caller,
                      const char *action);

/* The files, for bus-audit.c, or NULL. While it is held, no file begins or goes. */
PtAudit *audit_files(Audit *audit);
void audit_hold(Audit *audit, bool hold);
