/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The open store, shared by store.c (the commit path), store-confirm.c (confirmation),
 * store-open.c (start) and store-tidy.c (upkeep). */

#include "txn/journal.h"
#include "txn/store-files.h"

#define PT_STORE_JOURNAL "journal"
#define PT_STORE_JOURNAL_DAMAGED "journal.damaged"

typedef struct PtStoreDaemon {
        char *name;
        const PtKind *const *kinds;
        gid_t gid;
        /* Its part of the configuration with the root `whole`, kept so that it is not picked out
         * anew each time. */
        PtSlice *slice; /* or NULL */
        PtDigest whole;
        PtSlice *next; /* the same of the intent, or NULL */
        /* Its chain at revision `measured` (0: not known). */
        uint64_t measured;
        uint64_t deltas, delta_size, snapshot_size;
} PtStoreDaemon;

struct PtStore {
        int dirfd, lock_fd, revisions_fd, datasets_fd;
        PtJournal *journal;
        GPtrArray *daemons;   /* PtStoreDaemon */
        GPtrArray *revisions; /* PtStoreRevision, decided and aborted, ascending */
        PtStoreRevision *pending;
        bool pending_replayed; /* the intent is of a run before this one */
        uint64_t decided, confirmed, last;
        uint64_t oldest; /* revisions below were deleted on purpose */
        bool warned;     /* that a group could not be set */
        GArray *told;    /* uint64_t: revisions of which it was said that the chain breaks there */

        /* Datasets that the configuration with the root `references_root` refers to (NULL: not
         * known), and those of the intent. */
        GHashTable *references, *references_next;
        PtDigest references_root;
        gid_t datasets_gid;
        bool datasets_shared; /* by daemons of different groups */
};

/* Decided, aborted or pending; NULL. */
PtStoreRevision *pt_store_find(const PtStore *store, uint64_t number);
/* Takes a decided or aborted one; of the aborted the last PT_STORE_REVISIONS_KEPT stay. */
void pt_store_add_revision(PtStore *store, PtStoreRevision *revision);
/* For reading chains; `numbers` is the caller's to free. */
void pt_store_reader(const PtStore *store, PtStoreReader *ret, GArray **ret_numbers);
/* Writes the files of decided revisions that have none yet, then the links. `check` (or NULL):
 * leaves what is right, and says what was changed. */
int pt_store_write_out(PtStore *store, PtDiagnostics *check);
/* At the start: says where the chain of revisions breaks. */
void pt_store_check_chain(PtStore *store, PtDiagnostics *diag);
void pt_store_chain_told(PtStore *store, uint64_t number);
/* Makes the files of all decided revisions durable, which must have been written. */
int pt_store_sync(PtStore *store);

bool pt_store_is_confirmed(const PtStoreRevision *revision);
/* What an intent that has to be confirmed needs before it is written, and its decision. */
int pt_store_confirm_intend(PtStore *store, PtStoreRevision *intent);
int pt_store_confirm_decide(PtStore *store, PtStoreRevision *revision);
/* The links; `unconfirmed` goes when nothing waits. */
int pt_store_write_links(PtStore *store, PtDiagnostics *check);
/* At the start: `unconfirmed` becomes what the journal says. */
int pt_store_check_unconfirmed(PtStore *store, PtDiagnostics *diag);

/* Whether pt_store_tidy() has been due for `factor` times as long as it should be. */
bool pt_store_overdue(const PtStore *store, unsigned factor);
/* Replaces the journal by a short one; the files of all decided revisions must have been written.
 */
int pt_store_restart_journal(PtStore *store, const char *keep);
