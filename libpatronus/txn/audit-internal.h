/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the files of the audit share: its records, and the names of its files. */

#include "txn/audit.h"
#include <json-c/json.h>

#define PT_AUDIT_DIR "audit"
#define PT_AUDIT_NAME "journal"
/* A file is this much larger than its limit at most: what is appended before the next sync. */
#define PT_AUDIT_READ_MAX (64U * 1024U * 1024U)

/* The first record of a file. */
typedef struct PtAuditHead {
        uint64_t file, first, oldest;
        uint64_t time_usec;
        uint64_t revision; /* the newest one that an entry before it names */
} PtAuditHead;

char *pt_audit_head_format(const PtAuditHead *head);
/* -ENOENT: it is no head. */
int pt_audit_head_parse(struct json_object *record, PtAuditHead *ret);
/* Canonical JSON; the caller's. Texts are cut. */
char *pt_audit_entry_format(const PtAuditEntry *entry);
/* -EBADMSG: it is no entry. */
int pt_audit_entry_parse(struct json_object *record, PtAuditEntry **ret);

/* "journal.3"; the newest file has no number. */
char *pt_audit_file_name(uint64_t number);
/* Numbers of the older files that are there, ascending, as uint64_t. */
GArray *pt_audit_files(int dirfd);
