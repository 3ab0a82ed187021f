/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/diag.h"

#include <string.h>

/* Bytes of one string of an entry: a text quotes input, and input can be a megabyte long. */
#define DIAG_STRING_MAX 1024

struct PtDiagnostics {
        GPtrArray *entries; /* PtDiagnostic, owned */
        char *subject;      /* or NULL */
        size_t dropped;
        size_t errors;
};

static void diagnostic_free(gpointer data)
{
        PtDiagnostic *entry = data;

        g_free(entry->subject);
        g_free(entry->pointer);
        g_free(entry->code);
        g_free(entry->text);
        g_free(entry);
}

PtDiagnostics *pt_diag_new(void)
{
        PtDiagnostics *diag = g_new0(PtDiagnostics, 1);

        diag->entries = g_ptr_array_new_with_free_func(diagnostic_free);
        return diag;
}

void pt_diag_free(PtDiagnostics *diag)
{
        if (!diag)
                return;
        g_ptr_array_unref(diag->entries);
        g_free(diag->subject);
        g_free(diag);
}

/* A copy that is UTF-8 (the bus carries nothing else) and hardly longer than DIAG_STRING_MAX. */
static char *bounded_copy(const char *text)
{
        size_t size = text ? strnlen(text, DIAG_STRING_MAX + 1) : 0;
        g_autofree char *valid = NULL;

        if (size <= DIAG_STRING_MAX)
                return g_utf8_make_valid(text ? text : "", (gssize) size);
        while (size > 0 && ((unsigned char) text[size] & 0xc0) == 0x80) /* not inside a character */
                size--;
        valid = g_utf8_make_valid(text, (gssize) size);
        return g_strconcat(valid, "…", NULL);
}

void pt_diag_set_subject(PtDiagnostics *diag, const char *format, ...)
{
        va_list args;

        if (!diag)
                return;
        g_clear_pointer(&diag->subject, g_free);
        if (!format)
                return;
        va_start(args, format);
        diag->subject = g_strdup_vprintf(format, args);
        va_end(args);
}

/* When the list is full, an error takes the place of the last entry that is none: it explains a
 * refusal. */
static bool make_room(PtDiagnostics *diag, PtSeverity severity)
{
        if (diag->entries->len < PT_DIAG_MAX)
                return true;
        diag->dropped++;
        if (severity != PT_SEVERITY_ERROR)
                return false;
        for (unsigned i = diag->entries->len; i > 0; i--) {
                const PtDiagnostic *entry = g_ptr_array_index(diag->entries, i - 1);

                if (entry->severity != PT_SEVERITY_ERROR) {
                        g_ptr_array_remove_index(diag->entries, i - 1);
                        return true;
                }
        }
        return false;
}

void pt_diag_add_full(PtDiagnostics *diag, PtSeverity severity, const char *subject,
                      const char *pointer, const char *code, const char *text)
{
        PtDiagnostic *entry;

        if (!diag)
                return;
        if (severity == PT_SEVERITY_ERROR)
                diag->errors++;
        if (!make_room(diag, severity))
                return;
        entry = g_new0(PtDiagnostic, 1);
        entry->severity = severity;
        entry->subject = bounded_copy(subject);
        entry->pointer = bounded_copy(pointer);
        entry->code = bounded_copy(code);
        entry->text = bounded_copy(text);
        g_ptr_array_add(diag->entries, entry);
}

void pt_diag_add(PtDiagnostics *diag, PtSeverity severity, const char *code, const char *pointer,
                 const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list args;

        if (!diag)
                return;
        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        pt_diag_add_full(diag, severity, diag->subject, pointer, code, text);
}

void pt_diag_merge(PtDiagnostics *diag, const PtDiagnostics *from)
{
        for (size_t i = 0; i < pt_diag_count(from); i++) {
                const PtDiagnostic *entry = pt_diag_get(from, i);

                pt_diag_add_full(diag, entry->severity, entry->subject, entry->pointer, entry->code,
                                 entry->text);
        }
}

size_t pt_diag_count(const PtDiagnostics *diag)
{
        return diag ? diag->entries->len : 0;
}

size_t pt_diag_dropped(const PtDiagnostics *diag)
{
        return diag ? diag->dropped : 0;
}

size_t pt_diag_errors(const PtDiagnostics *diag)
{
        return diag ? diag->errors : 0;
}

const PtDiagnostic *pt_diag_get(const PtDiagnostics *diag, size_t i)
{
        return i < pt_diag_count(diag) ? g_ptr_array_index(diag->entries, i) : NULL;
}

static const char *const severities[PT_SEVERITY_MAX] = {
        [PT_SEVERITY_ERROR] = "error",
        [PT_SEVERITY_WARNING] = "warning",
        [PT_SEVERITY_NOTICE] = "notice",
};

const char *pt_severity_to_string(PtSeverity severity)
{
        return (unsigned) severity < PT_SEVERITY_MAX ? severities[severity] : NULL;
}

PtSeverity pt_severity_from_string(const char *text)
{
        for (int i = 0; i < PT_SEVERITY_MAX; i++)
                if (g_strcmp0(text, severities[i]) == 0)
                        return (PtSeverity) i;
        return PT_SEVERITY_INVALID;
}
