/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The folder `revisions` below the state directory: reading the chain of a daemon's files
 * (store-read.c) and writing them (store-files.c). A folder with a meta.json is a decided revision;
 * that file is the last to be written.
 */

#include "txn/store-record.h"
#include <dirent.h>

#define PT_STORE_META "meta.json"
#define PT_STORE_DECIDED "decided"
#define PT_STORE_CONFIRMED "confirmed"
#define PT_STORE_UNCONFIRMED "unconfirmed"

static inline void pt_closedirp(DIR **dir)
{
        if (*dir)
                closedir(*dir);
}

typedef struct PtStoreReader {
        int revisions_fd;
        const GArray
                *numbers; /* uint64_t, ascending: the revisions that a chain may lead through */
        /* The text that is not in its file yet, or NULL; the callback may be NULL too. */
        const char *(*text)(const void *ctx, uint64_t number, const char *daemon);
        const void *ctx;
} PtStoreReader;

/* How a slice is made up: a snapshot, and deltas on it. */
typedef struct PtStoreChain {
        GArray *numbers; /* uint64_t, newest first; the last one has the snapshot */
        PtDigest root;
        uint64_t snapshot_size, delta_size; /* bytes; of all deltas together */
} PtStoreChain;
void pt_store_chain_clear(PtStoreChain *chain);

/* The numbers of the folders, ascending: of decided revisions, or (`all`) of every one. */
int pt_store_scan(int revisions_fd, bool all, GArray **ret);
/* The number that a link names; -ENOENT, or -EBADMSG when it names none. */
int pt_store_read_link(int revisions_fd, const char *name, uint64_t *ret);
/* -ENOENT, -EBADMSG. */
int pt_store_read_unconfirmed(int revisions_fd, PtStoreUnconfirmed *ret);
/* Follows the headers down to the snapshot. On failure ret_bad is the revision whose file is
 * missing or wrong. */
int pt_store_walk(const PtStoreReader *reader, uint64_t number, const char *daemon,
                  PtDiagnostics *diag, PtStoreChain *ret, uint64_t *ret_bad);
/* The slice of a daemon at a revision, every root on the way verified. */
int pt_store_read(const PtStoreReader *reader, uint64_t number, const char *daemon,
                  PtDiagnostics *diag, PtSlice **ret, uint64_t *ret_bad);

/*
 * Writes a slice of a revision in a new file and renames it into place. Either `text` or `slice` is
 * given. Durable on return if `sync`.
 */
int pt_store_write_slice(int revisions_fd, uint64_t number, const char *daemon, gid_t gid,
                         bool *warned, const char *text, const PtSlice *slice, bool sync);
/* Writes what the revision has as text, and meta.json, without a sync. `check` (or NULL): leaves
 * what is right already, and says what a crash cannot have made of it. */
int pt_store_write_revision(int revisions_fd, PtStoreRevision *revision, bool *warned,
                            PtDiagnostics *check);
/* Makes the files of a revision durable, and its folder; not the folder's own name. */
int pt_store_sync_revision(int revisions_fd, const PtStoreRevision *revision);
int pt_store_write_link(int revisions_fd, const char *name, uint64_t number);
/* Durable on return. */
int pt_store_write_unconfirmed(int revisions_fd, const PtStoreUnconfirmed *unconfirmed);
/* Reads meta.json; -ENOENT, -EBADMSG. A revision that nobody waits for to be confirmed is. */
int pt_store_read_meta(int revisions_fd, uint64_t number, PtStoreRevision **ret);
/* Deletes a revision's folder, meta.json first. */
int pt_store_delete(int revisions_fd, uint64_t number);
