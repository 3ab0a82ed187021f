/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The revision store below a state directory. configd writes it; daemons read their own slice from it, without the bus.
 *
 *   journal                       one record a line, each with the digest of the line before it and of itself:
 *                                 intent N, decided N, aborted N; append and fdatasync is the point of no return
 *   revisions/N/meta.json         number, parent, root, uid and name of the author, comment, time
 *   revisions/N/<daemon>.ndjson   a slice or a delta on an earlier revision (txn/slice.h); 0640
 *   revisions/decided, confirmed  symbolic links to the numbers
 *
 * A small delta is written inside its intent record, so that a commit costs two fdatasyncs; the files follow without
 * one, and opening the store writes again whatever the journal has and the folder lacks. A snapshot is written when
 * the deltas since the last exceed half of it or number PT_STORE_DELTAS_MAX. Old journal records are dropped when the
 * journal is larger than PT_STORE_JOURNAL_MAX and all its revisions are on disk.
 */

#include "txn/slice.h"

#define PT_STORE_DELTAS_MAX 64
#define PT_STORE_JOURNAL_MAX (8U * 1024U * 1024U)
#define PT_STORE_REVISIONS_KEPT 100

typedef enum PtRevisionState {
        PT_REVISION_INTENT,  /* may or may not be in force: the daemon's marker tells */
        PT_REVISION_DECIDED, /* in force */
        PT_REVISION_ABORTED, /* never was */
        PT_REVISION_STATE_MAX,
        PT_REVISION_STATE_INVALID = -EINVAL,
} PtRevisionState;

typedef struct PtRevision {
        uint64_t number; /* 1 and up; 0 is the empty configuration before the first */
        uint64_t parent;
        PtDigest root; /* of the whole configuration */
        uint32_t uid;
        char *author;
        char *comment;
        uint64_t time_usec; /* CLOCK_REALTIME */
        PtRevisionState state;
} PtRevision;
void pt_revision_free(PtRevision *revision);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtRevision, pt_revision_free)

typedef struct PtStore PtStore;

/* For configd. Creates what is missing, replays the journal; -EBADMSG with diagnostics if it was tampered with (the newest good state is used when there is one, and said). */
int pt_store_open(const char *state_dir, PtDiagnostics *diag, PtStore **ret);
void pt_store_close(PtStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtStore, pt_store_close)

/* Which daemon gets which kinds; the store projects. `group`: the file's group by name, or NULL. */
void pt_store_add_daemon(PtStore *store, const char *daemon, const PtKind *const *kinds, const char *group);

uint64_t pt_store_decided(const PtStore *store);  /* 0: none yet */
uint64_t pt_store_last(const PtStore *store);     /* highest number ever used, so that none is used twice */
/* An intent without decision that the last run left, or 0. */
uint64_t pt_store_pending(const PtStore *store);

/* Writes `intent`: number, author, comment and time are the caller's; durable on return. */
int pt_store_intend(PtStore *store, const PtRevision *revision, const PtSlice *before, const PtSlice *after);
/* Writes `decided`: durable on return; the files and links follow before it returns, without a sync. */
int pt_store_decide(PtStore *store, uint64_t number);
int pt_store_abort(PtStore *store, uint64_t number);

/* The whole configuration at a revision (0: empty). */
int pt_store_load(PtStore *store, uint64_t number, PtDiagnostics *diag, PtSlice **ret);
/* Newest first, revisions with a number below `before` (0: all), at most `limit`. Array of PtRevision, owned. */
int pt_store_list(PtStore *store, uint64_t before, unsigned limit, GPtrArray **ret);
int pt_store_get(PtStore *store, uint64_t number, PtRevision **ret); /* -ENOENT */

/*
 * For daemons, read-only: the decided slice of `daemon`, its revision and its root. -ENOENT: nothing was ever decided.
 * -EBADMSG with diagnostics: damaged, and the newest older good one is returned with `ret_damaged` true, if any.
 */
int pt_store_read_slice(const char *state_dir, const char *daemon, PtDiagnostics *diag, PtSlice **ret,
                        uint64_t *ret_revision, bool *ret_damaged);
