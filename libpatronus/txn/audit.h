/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The audit: who did what, and who was refused what. Entries are numbered from 1 without gaps, and
 * never changed. Files below the state directory, each a journal (txn/journal.h) of at most about
 * PT_AUDIT_FILE_MAX bytes:
 *
 *   audit/journal          the newest entries
 *   audit/journal.N        older ones; N counts files from 1
 *
 * The first record of a file says which file it is, the number of its first entry, and the oldest
 * file that was kept then; its line is chained to the last one of the file before. So a line that was
 * changed, removed or put in is found, as is a missing file. What cannot be found from the files
 * alone is that the newest lines, or all of them, were cut off: who holds the digest of the last
 * one can tell, and so each goes to the system's log with its entry.
 *
 * configd alone writes. An entry is readable at once and durable after pt_audit_sync(); what a power
 * cut may take in between are the entries since the last one.
 *
 *         r = pt_audit_open(state_dir, diag, &audit);
 *         r = pt_audit_append(audit, &(PtAuditEntry){.uid = 0, .method = "Commit", ...});
 */

#include "base/diag.h"
#include "base/digest.h"
#include <sys/types.h>

/* About 8,000 entries: small enough to be read whole when the daemon starts. */
#define PT_AUDIT_FILE_MAX (4U * 1024U * 1024U)
/* 128 MiB in all, a quarter of a million entries. */
#define PT_AUDIT_FILES_MAX 32
/* A year and a month: what a yearly audit looks at. */
#define PT_AUDIT_AGE_MAX_USEC (395ULL * 24U * 3600U * 1000000U)
/* Bytes of one text: comments and names of a stranger can be long. */
#define PT_AUDIT_TEXT_MAX 1024
/* Room that is kept on the disk for entries: some of the largest (each byte of a text may take six). */
#define PT_AUDIT_RESERVE (128U * 1024U)

typedef enum PtAuditResult {
        PT_AUDIT_OK,
        PT_AUDIT_REFUSED, /* nothing was begun */
        PT_AUDIT_FAILED,  /* begun, and taken back or left undone */
        PT_AUDIT_RESULT_MAX,
        PT_AUDIT_RESULT_INVALID = -EINVAL,
} PtAuditResult;

/* Texts may be NULL for "". */
typedef struct PtAuditEntry {
        uint64_t number;    /* given by pt_audit_append() */
        uint64_t time_usec; /* CLOCK_REALTIME; 0: given by it too */
        uid_t uid;
        char *user;
        pid_t pid; /* 0: not known */
        char *unit, *session;
        char *client;  /* address that he came from */
        bool claimed;  /* it is only what the client says of itself */
        char *daemon;  /* that it happened in: "configd" */
        char *action;  /* "org.patronus.config.commit" */
        char *method;  /* "Commit"; of what no call caused: "AutoRevert" and the like */
        char *subject; /* "FirewallRule/web" */
        char *reason;  /* what he said why */
        PtAuditResult result;
        char *text;        /* details, for people */
        uint64_t revision; /* 0: none */
        uint64_t left_out; /* attempts of this kind before it that have no entry of their own */
        PtDigest digest;   /* of its line; set by appending and listing */
} PtAuditEntry;
/* The texts of an entry, by their key; NULL: there are no more. */
const char *pt_audit_entry_text(const PtAuditEntry *entry, unsigned i, const char **ret_key);
void pt_audit_entry_free(PtAuditEntry *entry);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtAuditEntry, pt_audit_entry_free)

const char *pt_audit_result_to_string(PtAuditResult result); /* "ok", "refused", "failed" */
PtAuditResult pt_audit_result_from_string(const char *text);

typedef struct PtAudit PtAudit;

/* Opens or creates it. Damage in the newest file is a diagnostic and no failure: the chain goes on
 * from the last good line, and pt_audit_verify() tells of it for as long as the file is kept. */
int pt_audit_open(const char *state_dir, PtDiagnostics *diag, PtAudit **ret);
void pt_audit_close(PtAudit *audit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtAudit, pt_audit_close)
/* The same with other limits, for tests. */
void pt_audit_set_limits(PtAudit *audit, size_t file_max, unsigned files_max, uint64_t age_usec);

uint64_t pt_audit_last(const PtAudit *audit); /* number of the newest entry; 0: none */
/* The newest revision that any entry ever named; 0: none. */
uint64_t pt_audit_last_revision(const PtAudit *audit);
/* 0 if a few entries can be written even when the disk becomes full now. */
int pt_audit_ready(PtAudit *audit);
/* Appends it, numbered, with texts cut to PT_AUDIT_TEXT_MAX. After an error nothing was written. */
int pt_audit_append(PtAudit *audit, PtAuditEntry *entry);
/* Makes all entries durable, begins a new file if this one is large enough, and drops the oldest.
 * Takes some milliseconds. */
int pt_audit_sync(PtAudit *audit);
bool pt_audit_is_synced(const PtAudit *audit);
size_t pt_audit_size(const PtAudit *audit); /* bytes of the newest file */

/* PtAuditEntry, newest first: at most `limit` with a number below `before` (0: all). Damaged lines
 * are left out. */
int pt_audit_list(const PtAudit *audit, uint64_t before, unsigned limit, GPtrArray **ret);

typedef struct PtAuditCheck {
        uint64_t entries, files;
        uint64_t first, last; /* numbers; 0: none */
        uint64_t damaged;     /* places that do not fit */
        PtDigest tail;        /* of the last line */
} PtAuditCheck;
/* Reads all files: each place that does not fit is an error "audit-damaged" with subject
 * "journal.3:17" (file and line). Of the newest file only `newest_size` bytes count: more may be
 * written meanwhile (SIZE_MAX: all); no sync may be. Neither writes nor needs the audit open; takes a second for the
 * largest. */
int pt_audit_verify(const char *state_dir, size_t newest_size, PtDiagnostics *diag,
                    PtAuditCheck *ret);
/* What pt_audit_verify() must find if nobody cut the end off. */
void pt_audit_tail(const PtAudit *audit, PtDigest *ret);
