/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A commit, from candidate to published revision:
 *
 *         validate -> Plan -> Prepare -> intent -> Commit -> Verify -> decided -> publish
 *
 * Every participant whose part changes plans, in parallel. All prepare but the last ATOMIC one: its
 * commit is its preparation. They commit one after the other, then all verify. A failure before the
 * intent aborts; one after it writes `aborted` and brings everybody who was told to commit back to
 * the running configuration. Nobody's silence counts as success. What is decided may have to be
 * confirmed (confirm.h).
 */

#include "confirm.h"
#include "reply.h"
#include "txn/audit.h"
#include <sys/types.h>

typedef struct Commit Commit;
struct Manager;
typedef struct Member Member;

typedef struct CommitRequest {
        PtSlice *base; /* the running configuration that the candidate began with */
        uint64_t base_revision;
        PtSlice *candidate;
        bool merge;   /* with the running configuration, when the base is an older one */
        bool dry_run; /* stop after Plan */
        uid_t uid;
        const char *author;
        const char *comment;
        const PtDiagnostics *notices; /* of the input, for the reply; or NULL */
        PtAuditEntry *audit; /* who does it, for the audit; the commit takes it. NULL: a trial */
        const char *client;  /* its unique name on the bus: who may give the commit up */
        ConfirmWish confirm;
        bool force;         /* also if what the configuration expects of itself is not so */
        bool allow_offline; /* a daemon that is down takes its part when it starts */
} CommitRequest;

/* `reply` is the commit's own; NULL: the process ends before the commit does. */
typedef void (*CommitDone)(const Reply *reply, void *userdata);

/* Only while the manager is not busy. `done` is called exactly once, perhaps before this returns.
 */
void commit_start(struct Manager *manager, const CommitRequest *request, CommitDone done,
                  void *userdata);
/* Gives up a commit of this client while nothing is written in the journal yet: it ends refused, its
 * `done` is called before this returns. false: it is another's, or it is too late. */
bool commit_cancel(Commit *commit, const char *client);
/* A dry run. */
bool commit_is_trial(const Commit *commit);
/* Ends a trial, which is told so, when something that cannot wait is to be done; others go on. */
void commit_yield(Commit *commit);
/* A participant left the bus, or is there again. */
void commit_owner_changed(Commit *commit, const Member *member);
/* Names of the daemons that it waits for: const char *; the array is the caller's. */
GPtrArray *commit_waits_for(const Commit *commit);
uint64_t commit_elapsed_usec(const Commit *commit); /* since it started */
/* "plan", "prepare", "commit", "verify" or "revert". */
const char *commit_phase(const Commit *commit);
/* Drops a commit under way without a word to anybody else than `done`: for the end of the process.
 */
void commit_free(Commit *commit);
