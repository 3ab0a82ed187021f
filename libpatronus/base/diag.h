/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Texts for people travel in a PtDiagnostics: one entry says what is wrong, where (a JSON
 * pointer, RFC 6901, below the object, or "file.yaml:12:3" for text that never became an object)
 * and what would be right. Functions that take one return a negative errno as well; the code
 * decides, the text explains, and nobody parses the text.
 *
 *         pt_diag_error(diag, "out-of-range", "/spec/priority", "%d is out of range 0-65535", n);
 *
 * At most PT_DIAG_MAX entries are kept; the rest is counted.
 */

#include "base/macros.h"

typedef enum PtSeverity {
        PT_SEVERITY_ERROR,
        PT_SEVERITY_WARNING,
        PT_SEVERITY_NOTICE,
        PT_SEVERITY_MAX,
        PT_SEVERITY_INVALID = -EINVAL,
} PtSeverity;

typedef struct PtDiagnostic {
        PtSeverity severity;
        char *subject; /* "FirewallRule/web", "policy.yaml:12:3: FirewallRule/web", or "" */
        char *pointer; /* "/spec/destination/ports/1", or "" for the whole */
        char *code;    /* stable, kebab-case: "unknown-field" */
        char *text;    /* one sentence without a full stop, with the remedy */
} PtDiagnostic;

typedef struct PtDiagnostics PtDiagnostics;

/* A reader can act on a hundred; a stranger can produce millions. */
#define PT_DIAG_MAX 100

PtDiagnostics *pt_diag_new(void);
void pt_diag_free(PtDiagnostics *diag);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtDiagnostics, pt_diag_free)

/* Sets the subject that later entries get ("Kind/name" or "file:line:col"); NULL clears it. */
void pt_diag_set_subject(PtDiagnostics *diag, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* `diag` may be NULL: then nothing is recorded. `pointer` may be NULL for "". */
void pt_diag_add(PtDiagnostics *diag, PtSeverity severity, const char *code, const char *pointer,
                 const char *format, ...) G_GNUC_PRINTF(5, 6);
#define pt_diag_error(diag, code, pointer, ...)                                                    \
        pt_diag_add(diag, PT_SEVERITY_ERROR, code, pointer, __VA_ARGS__)
#define pt_diag_warning(diag, code, pointer, ...)                                                  \
        pt_diag_add(diag, PT_SEVERITY_WARNING, code, pointer, __VA_ARGS__)
#define pt_diag_notice(diag, code, pointer, ...)                                                   \
        pt_diag_add(diag, PT_SEVERITY_NOTICE, code, pointer, __VA_ARGS__)

/* Adds an entry with a subject of its own (one that came over the bus). */
void pt_diag_add_full(PtDiagnostics *diag, PtSeverity severity, const char *subject,
                      const char *pointer, const char *code, const char *text);

/* Adds all entries of `from`. */
void pt_diag_merge(PtDiagnostics *diag, const PtDiagnostics *from);
size_t pt_diag_count(const PtDiagnostics *diag);   /* entries kept */
size_t pt_diag_dropped(const PtDiagnostics *diag); /* entries beyond PT_DIAG_MAX */
size_t pt_diag_errors(const PtDiagnostics *diag);  /* errors, kept or not */
const PtDiagnostic *pt_diag_get(const PtDiagnostics *diag, size_t i);

const char *pt_severity_to_string(PtSeverity severity); /* "error", "warning", "notice" */
PtSeverity pt_severity_from_string(const char *text);   /* or PT_SEVERITY_INVALID */
