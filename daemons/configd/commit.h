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
 * the running configuration. Nobody's silence counts as success.
 */

#include "reply.h"
#include <sys/types.h>

typedef struct Commit Commit;
struct Manager;

typedef struct CommitRequest {
        PtSlice *base; /* the running configuration that the candidate began with */
        uint64_t base_revision;
        PtSlice *candidate;
        bool merge;   /* with the running configuration, when the base is an older one */
        bool dry_run; /* stop after Plan */
        uid_t uid;
        const char *author;
        const char *comment;
        const char *client; /* its unique name on the bus: who may give the commit up */
        /* The connection that the administrator came by, which must not be cut; or none is known. */
        PtTuple administrator;
        bool has_administrator;
        const char *confirm; /* "auto", "never", or seconds as text; NULL: as "auto" */
        bool allow_offline;  /* a daemon that is down takes its part when it starts */
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
/* "plan", "prepare", "commit", "verify" or "revert". */
const char *commit_phase(const Commit *commit);
/* Drops a commit under way without a word to anybody else than `done`: for the end of the process.
 */
void commit_free(Commit *commit);
