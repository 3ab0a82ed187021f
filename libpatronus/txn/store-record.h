/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What the store knows of a revision, and its record in the journal and in meta.json:
 *
 *   {"author":..,"comment":..,"number":5,"parent":4,"root":"<hex>","slices":{"filterd":{"gid":..,"root":"<hex>",
 *    "text":".."}},"datasets":["<hex>",..],"timeUSec":..,"type":"intent","uid":0,
 *    "parentDigest":"<hex>","confirmUSec":..,"bootId":"..","bootUSec":..}
 *
 * `text` is a slice or a delta, in the journal only, and absent when it is in a file that was made
 * durable before. `datasets` are those that the configuration refers to; absent: none. `confirmUSec`, and
 * when in which boot the intent was made, are there if the revision has to be confirmed. A
 * revision's digest is that of its record without texts.
 */

#include "base/boot.h"
#include "txn/store.h"
#include <json-c/json.h>

/* Bytes of all texts in one record; larger ones go to files first. With JSON's escapes it stays
 * below PT_DOCUMENT_MAX. */
#define PT_STORE_INLINE_MAX (128U * 1024U)
/* Daemons of one revision: the suite has a dozen. */
#define PT_STORE_DAEMONS_MAX 64
#define PT_STORE_NO_GROUP ((gid_t) -1)

typedef struct PtStoreSlice {
        char *daemon;
        gid_t gid; /* of the file; PT_STORE_NO_GROUP: as it comes */
        PtDigest root;
        char *text; /* until it is in its file, or NULL */
} PtStoreSlice;

typedef struct PtStoreRevision {
        PtRevision info;
        GPtrArray *slices;   /* PtStoreSlice, sorted by daemon */
        GPtrArray *datasets; /* char *, sorted */
        bool unwritten;      /* decided, and its files are not (all) there */
        bool synced;         /* its files are durable */
        /* If it has to be confirmed: when (CLOCK_BOOTTIME) and in which boot it was intended, and
         * until when it waits (0: that was not decided). */
        char boot_id[PT_BOOT_ID_MAX];
        uint64_t boot_usec, deadline_usec;
} PtStoreRevision;

PtStoreRevision *pt_store_revision_new(const PtRevision *info);
void pt_store_revision_free(PtStoreRevision *revision);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtStoreRevision, pt_store_revision_free)
/* The slice of a daemon, or NULL. */
PtStoreSlice *pt_store_revision_slice(const PtStoreRevision *revision, const char *daemon);
/* Adds one; `text` moves. */
void pt_store_revision_add(PtStoreRevision *revision, const char *daemon, gid_t gid,
                           const PtDigest *root, char *text);
PtRevision *pt_revision_copy(const PtRevision *revision);

/* Sets info.digest. */
void pt_store_record_digest(PtStoreRevision *revision);
/* The canonical record, with or without the texts. */
char *pt_store_record_format(const PtStoreRevision *revision, bool texts);
int pt_store_record_parse(struct json_object *record, PtStoreRevision **ret); /* -EBADMSG */
/* "intent", "decided", ... of any record, or "". */
const char *pt_store_record_type(struct json_object *record);
/* Of a revision that its child does not vouch for: it was said, and is not said again. */
#define PT_STORE_RECORD_DAMAGED "damaged"
/* A record {"number":N,"type":type}. */
char *pt_store_record_mark(const char *type, uint64_t number);
/* `decided`, with the deadline if there is one: "bootId", "deadlineUSec". */
char *pt_store_record_decided(const PtStoreRevision *revision);
/* `confirmed`, with "timeUSec". */
char *pt_store_record_confirmed(const PtStoreRevision *revision);

/* The file `unconfirmed`: {"bootId":..,"confirmed":4,"deadlineUSec":..,"revision":5}. */
typedef struct PtStoreUnconfirmed {
        uint64_t revision;
        uint64_t confirmed; /* what counts until then */
        uint64_t deadline_usec;
        char boot_id[PT_BOOT_ID_MAX];
} PtStoreUnconfirmed;
char *pt_store_unconfirmed_format(const PtStoreUnconfirmed *unconfirmed);
int pt_store_unconfirmed_parse(struct json_object *record, PtStoreUnconfirmed *ret); /* -EBADMSG */
/* An unsigned number of a record; false if there is none. */
bool pt_store_record_number(struct json_object *record, const char *key, uint64_t *ret);
