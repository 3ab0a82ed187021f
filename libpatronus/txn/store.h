/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The revision store below a state directory. configd writes it; daemons read their own slice from
 * it, without the bus.
 *
 *   journal                       one record a line (txn/journal.h): intent N, decided N, aborted N,
 *                                 confirmed N; append and fdatasync is the point of no return
 *   revisions/N/meta.json         number, parent, root, uid and name of the author, comment, time;
 *                                 and, a line more, when it was confirmed
 *   revisions/N/<daemon>.ndjson   a slice, or a delta on the revision before (txn/slice.h); 0640
 *   revisions/decided             symbolic link to the number
 *   revisions/confirmed           the same, of the newest revision that is confirmed
 *   revisions/unconfirmed         while the decided one waits to be confirmed: which one it is, until
 *                                 when, and in which boot of the machine; one line as in the journal
 *   datasets/<digest>             lists that objects refer to (txn/dataset.h)
 *   lock                          held by the one configd that writes
 *
 * A small delta is written inside its intent record, so that a commit costs two fdatasyncs; the
 * files follow without one, and opening the store writes again whatever the journal has and the
 * folder lacks. A large one is written to its file first, and synced. The journal is the truth: a
 * link that still names the revision before is right until the next start of configd, and nothing
 * leaves the journal before its files are synced.
 *
 * A revision that has to be confirmed (confirm_usec) is not what the machine boots with:
 * `unconfirmed` is durable before such a revision is decided, and a daemon that finds another boot
 * in it takes the confirmed revision instead. Its deadline is one of CLOCK_BOOTTIME, so that neither
 * the end of configd nor a new clock setting moves it. That the time is over is the caller's
 * business: the store only remembers.
 */

#include "txn/dataset.h"
#include "txn/slice.h"

#define PT_STORE_DELTAS_MAX 64
#define PT_STORE_JOURNAL_MAX (8U * 1024U * 1024U)
/* The last ones stay, and so do those from the first on that was confirmed within the last day, but
 * never more than so many: each is two files, and the start of configd reads one of them (2,000 in
 * a tenth of a second). Whoever commits more often than every 43 s all day long loses the oldest
 * first. */
#define PT_STORE_REVISIONS_KEPT 100
#define PT_STORE_REVISIONS_DAY_USEC (UINT64_C(24) * 3600 * 1000000)
#define PT_STORE_REVISIONS_MAX 2000
/* Files of datasets, and their bytes: they are put before anything refers to them. */
#define PT_STORE_DATASETS_MAX 1024
#define PT_STORE_DATASETS_SIZE_MAX (UINT64_C(4) << 30)

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
        uint64_t confirm_usec; /* how long it waits to be confirmed; 0: its decision confirms it */
        uint64_t confirmed_usec; /* CLOCK_REALTIME, when it was confirmed (time_usec when by its
                                  * decision); 0: it is not */
        /*
         * The chain: the digest covers all of the above but what becomes of the revision, and the
         * parent's digest, so that no revision can be changed without changing all that follow.
         * Zeros for the parent: there is none, or it is from before there was a chain.
         */
        PtDigest digest, parent_digest;
        bool damaged; /* the next one says that it was another: it cannot be loaded */
} PtRevision;
void pt_revision_free(PtRevision *revision);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtRevision, pt_revision_free)

typedef struct PtStore PtStore;

/*
 * For configd. Creates what is missing, replays the journal and brings the files up to it. What was
 * tampered with is named in errors in `diag`, the newest good state is used, and 0 is returned;
 * -EBADMSG: there is none. -EBUSY: another process has the store open.
 */
int pt_store_open(const char *state_dir, PtDiagnostics *diag, PtStore **ret);
void pt_store_close(PtStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtStore, pt_store_close)

/*
 * Which daemon gets which kinds (NULL-terminated, kept by reference): the store projects. Every
 * kind must go to one daemon at least. `group`: the file's group by name, or NULL.
 */
void pt_store_add_daemon(PtStore *store, const char *daemon, const PtKind *const *kinds,
                         const char *group);

uint64_t pt_store_decided(const PtStore *store);   /* 0: none yet */
uint64_t pt_store_confirmed(const PtStore *store); /* the newest that is; 0: the empty one */
/* The highest number ever used, so that none is used twice. */
uint64_t pt_store_last(const PtStore *store);
/* An intent without decision that the last run left, or 0. */
uint64_t pt_store_pending(const PtStore *store);

typedef struct PtConfirm {
        uint64_t revision;
        uint64_t deadline_usec; /* CLOCK_BOOTTIME */
        bool other_boot; /* of an earlier boot: the deadline is over, whatever the clock says */
} PtConfirm;
/* Whether the decided revision waits to be confirmed. */
bool pt_store_unconfirmed(const PtStore *store, PtConfirm *ret);

/*
 * Writes `intent`, durable on return: number, uid, author, comment, time and confirm_usec are the
 * caller's; the parent is the decided revision. With confirm_usec, all that the confirmed revision
 * needs is durable too: it may be what the machine boots with. What differs from `before` is written, or all of `after` when
 * `before` is not what was decided (because that cannot be loaded any more). -EBUSY: there is an
 * undecided intent, or confirm_usec is given while a revision waits to be confirmed; -EINVAL: a number used before, text that is not UTF-8, or a kind without
 * daemon; -EFBIG: a comment of a megabyte, or more than PT_STORE_DATASETS_MAX datasets.
 */
int pt_store_intend(PtStore *store, const PtRevision *revision, const PtSlice *before,
                    const PtSlice *after);
/*
 * Writes `decided`, durable on return; the files and the links follow before it returns, without a
 * sync. Files that cannot be written are logged and tried again later: the revision is decided. If
 * it has to be confirmed, its time runs from here on; or from its intent, if that is of a run
 * before.
 */
int pt_store_decide(PtStore *store, uint64_t number);
int pt_store_abort(PtStore *store, uint64_t number);
/* Writes `confirmed`, durable on return; the link and the end of `unconfirmed` follow as files do
 * in pt_store_decide(). -EINVAL: it is not this revision that waits. */
int pt_store_confirm(PtStore *store, uint64_t number);
/*
 * Upkeep, which may write and sync the whole configuration; for when the caller is idle, after a
 * commit. A daemon's delta becomes a snapshot when the deltas since the last exceed half of it (and
 * 64 KiB) or number PT_STORE_DELTAS_MAX; revisions beyond those that are to be kept go, oldest
 * first, when no kept one needs them, in batches; the journal is shortened above PT_STORE_JOURNAL_MAX. Without
 * it pt_store_decide() does the same, when all this is twice as late.
 */
int pt_store_tidy(PtStore *store);

/* The whole configuration at a revision (0: empty), every root verified; -ENOENT, -EBADMSG;
 * -EPROTONOSUPPORT: a newer version of ours wrote it. */
int pt_store_load(PtStore *store, uint64_t number, PtDiagnostics *diag, PtSlice **ret);
/*
 * The newest decided revision up to `number` that can be loaded; which one, in ret_number, is 0 for
 * the empty configuration only if `number` is 0. -EBADMSG: none; -EPROTONOSUPPORT: it is of a newer
 * version of ours, and whole.
 */
int pt_store_load_newest(PtStore *store, uint64_t number, PtDiagnostics *diag, PtSlice **ret,
                         uint64_t *ret_number);
/* Newest first, revisions with a number below `before` (0: all), at most `limit`. Array of
 * PtRevision, owned. */
int pt_store_list(PtStore *store, uint64_t before, unsigned limit, GPtrArray **ret);
int pt_store_get(PtStore *store, uint64_t number, PtRevision **ret); /* -ENOENT */

/*
 * Datasets. A revision notes which ones its configuration refers to, and they stay as long as it
 * is kept. Others can be deleted.
 */
typedef struct PtStoreDataset {
        char digest[PT_DIGEST_HEX + 1];
        bool damaged;           /* the file cannot be used, or is lost; header is zeroed */
        PtDatasetHeader header; /* its contents were not looked at */
        uint64_t size;          /* bytes of the file */
        uint64_t time_usec;     /* CLOCK_REALTIME: when it was put last */
        unsigned revisions;     /* kept ones that need it, the running one among them */
} PtStoreDataset;
/* The folder, for pt_dataset_store(); the store's. */
int pt_store_datasets_fd(const PtStore *store);
/* The group that files get: of the daemon whose kinds refer to datasets; PT_DATASET_NO_GROUP when
 * there are several. */
gid_t pt_store_datasets_gid(const PtStore *store);
/* As pt_dataset_open(). */
int pt_store_open_dataset(const PtStore *store, const char *digest, PtDataset **ret);
/* 0 if another one may be put; -ENOSPC at a limit. */
int pt_store_datasets_room(const PtStore *store);
/* Array of PtStoreDataset, owned, by digest; what kept revisions need and is not there too. */
int pt_store_list_datasets(const PtStore *store, GPtrArray **ret);
/* The digests that a configuration refers to: char * to the number of rows (GUINT_TO_POINTER). */
GHashTable *pt_store_dataset_references(const PtSlice *slice);
/* -ENOENT; -EBUSY: a kept revision needs it. What else may need it the caller knows. */
int pt_store_delete_dataset(PtStore *store, const char *digest);
/*
 * Deletes the datasets that no kept revision needs, that were put before `before_usec`
 * (CLOCK_REALTIME), and that `used` (or NULL) denies; and what writing ones left unfinished.
 * ret_waiting: how many will be due later. Returns the number deleted. No dataset may be written
 * meanwhile.
 */
int pt_store_collect_datasets(PtStore *store, uint64_t before_usec,
                              bool (*used)(const char *digest, void *userdata), void *userdata,
                              unsigned *ret_waiting);

/*
 * For daemons, read-only: the decided slice of `daemon` and its revision; the confirmed one, when
 * the machine booted before the decided one was confirmed. When that is damaged, the newest older one that is whole is returned, with `ret_damaged` true and diagnostics. -ENOENT:
 * nothing was ever decided for the daemon. -EBADMSG: nothing is whole. -EPROTONOSUPPORT: it is whole,
 * and of a newer version of ours.
 */
int pt_store_read_slice(const char *state_dir, const char *daemon, PtDiagnostics *diag,
                        PtSlice **ret, uint64_t *ret_revision, bool *ret_damaged);
