/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is said of a merge (merge.h): its conflicts, as a three-way diff for programs and field by
 * field for people, or what it was merged with. Secrets are redacted.
 */

#include "merge.h"
#include <systemd/sd-bus.h>

/* Bytes of all objects together in one reply: it has much else to say, and PT_REPLY_MAX. */
#define CONFLICT_TEXT_MAX (32U * 1024U)
#define CONFLICTS_MAX 256 /* named in one reply */

/* Which revisions a merge is between, for texts. */
typedef struct ConflictSides {
        uint64_t base, running;
        const char *author; /* of the running one; NULL: not known */
} ConflictSides;

/* One object that both changed, as the reply has it: canonical JSON, "" where there is none. */
typedef struct ConflictEntry {
        char *kind, *name;
        char *base, *mine, *theirs;
} ConflictEntry;
/* A new array for conflict_report(). */
GPtrArray *conflict_entries_new(void);
/* Appends them as aa{sv}. */
int conflict_append(const GPtrArray *entries, sd_bus_message *m);

/* That the base is not the running configuration, and which of the merge's conflicts there are. */
void conflict_report(const Merge *merge, const ConflictSides *sides, GPtrArray *entries,
                     PtDiagnostics *diag);
/* A notice of what was merged. */
void conflict_tell_merged(const Merge *merge, const ConflictSides *sides, PtDiagnostics *diag);
/* That what was merged does not validate: names what each side changed. */
void conflict_tell_misfit(const Merge *merge, const ConflictSides *sides, PtDiagnostics *diag);
