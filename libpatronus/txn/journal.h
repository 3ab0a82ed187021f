/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A file of records that only grows, one a line, each bound to the one before it:
 *
 *   {"digest":"<hex>","prev":"<hex>","record":{...}}
 *
 * digest = SHA-256 of what follows `{"digest":"<hex>",` in the line, without the newline;
 * prev   = the digest of the line before (of the first line: of the last line of the file that this
 * one replaced, or 64 zeros).
 *
 * A last line that a crash cut (no newline, or NULs where data never reached the disk) is no
 * damage: nobody was told that it was durable. Any other line that does not fit is reported, and
 * what fits is still delivered: one flipped bit must not take a firewall back by fifty revisions.
 * Used by the store (txn/store.h) and the audit (txn/audit.h).
 */

#include "base/diag.h"
#include "base/digest.h"
#include <json-c/json.h>

/* Larger than this it was not we who wrote it. */
#define PT_JOURNAL_FILE_MAX (64U * 1024U * 1024U)

typedef struct PtJournal PtJournal;

/* What pt_journal_parse() found besides records. */
typedef struct PtJournalState {
        PtDigest head;  /* what the first good line says was before it */
        PtDigest tail;  /* digest of the last good line */
        size_t good;    /* bytes up to the end of the last whole line */
        size_t damaged; /* lines that were changed, or do not follow the line before them */
        bool torn;      /* the last line was cut, and counts for nothing */
} PtJournalState;

/* Gets each good record, in order; borrowed. */
typedef void (*PtJournalEach)(struct json_object *record, void *userdata);

/* One line: `record` is canonical JSON. */
void pt_journal_format(const char *record, const PtDigest *prev, GString *out, PtDigest *ret);
/* Verifies one line (without its newline); -EBADMSG. */
int pt_journal_verify(const char *line, size_t size, PtDigest *ret_digest, PtDigest *ret_prev,
                      struct json_object **ret);
void pt_journal_parse(const char *text, size_t size, PtJournalEach each, void *userdata,
                      PtDiagnostics *diag, PtJournalState *ret);

/* Opens or creates `name` below `dirfd` (which outlives the journal), replays it and cuts a torn
 * end off. */
int pt_journal_open(int dirfd, const char *name, PtJournalEach each, void *userdata,
                    PtDiagnostics *diag, PtJournal **ret);
void pt_journal_close(PtJournal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtJournal, pt_journal_close)

size_t pt_journal_size(const PtJournal *journal);
/* What the first line says was before it, when it was opened: zeros unless the file replaced one. */
const PtDigest *pt_journal_head(const PtJournal *journal);
size_t pt_journal_damaged(const PtJournal *journal); /* lines, when it was opened */
/* Durable on return; after an error the file ends where it ended before. -EIO for good when not
 * even that is sure. */
int pt_journal_append(PtJournal *journal, const char *record);
/* The two halves of that, for records that may become durable together, later. What was appended is
 * found by readers at once. */
int pt_journal_append_unsynced(PtJournal *journal, const char *record);
int pt_journal_sync(PtJournal *journal);
/* Room on the disk for so many bytes more, so that they can be appended when it is full; sizes are
 * as before. -ENOSPC and the like; 0 too where the file system cannot promise anything. */
int pt_journal_reserve(PtJournal *journal, size_t size);
/* The digest of the last line; zeros: there is none, and none before. */
void pt_journal_tail(const PtJournal *journal, PtDigest *ret);
/*
 * Replaces the file by one with these records only (NULL-terminated), which is durable when the old
 * one goes. The old one stays as `keep` if that is not NULL.
 */
int pt_journal_restart(PtJournal *journal, const char *const *records, const char *keep);
