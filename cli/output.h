/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What people and programs get to see: messages on standard error, and rows as an aligned table,
 * YAML documents or JSON texts, one a line. Text from outside goes to a terminal without its
 * control characters.
 *
 *         g_autoptr(CtlRows) rows = ctl_rows_new(CTL_TABLE);
 *         ctl_rows_column(rows, "PACKETS", "packets", CTL_COLUMN_RIGHT);
 *         ctl_rows_add(rows, json);
 *         ctl_rows_end(rows);
 */

#include "ctl.h"
#include <stdio.h>

/* "error: …", "warning: …", "notice: …", coloured on a terminal without NO_COLOR. */
void ctl_say(PtSeverity severity, const char *format, ...) G_GNUC_PRINTF(2, 3);
#define ctl_error(...) ctl_say(PT_SEVERITY_ERROR, __VA_ARGS__)
/* All entries: "error: FirewallRule/web /spec/x: text". */
void ctl_say_diagnostics(const PtDiagnostics *diag);

typedef enum CtlColour {
        CTL_PLAIN,
        CTL_BOLD,
        CTL_RED,
        CTL_GREEN,
        CTL_YELLOW,
        CTL_COLOUR_MAX,
} CtlColour;

/* Escape sequence that switches to the colour, or "" where `stream` is no terminal for colours. */
const char *ctl_colour(FILE *stream, CtlColour colour);

/* The text with control characters replaced by "?"; newlines too. */
char *ctl_safe(const char *text);

/* Prints one value as YAML or as one line of JSON. */
void ctl_print_json(struct json_object *json, CtlFormat format);
/* The member at "a.b.c", or NULL. */
struct json_object *ctl_json_at(struct json_object *json, const char *path);
/* A string member, or "". */
const char *ctl_json_string(struct json_object *json, const char *path);
uint64_t ctl_json_number(struct json_object *json, const char *path);

typedef enum CtlColumnFlags {
        CTL_COLUMN_RIGHT = 1 << 0,    /* numbers */
        CTL_COLUMN_OPTIONAL = 1 << 1, /* left out when no row has a value */
        CTL_COLUMN_TIME = 1 << 2,     /* microseconds since 1970, shown as local time */
        CTL_COLUMN_DIGEST = 1 << 3,   /* the first 12 digits */
} CtlColumnFlags;

typedef struct CtlRows CtlRows;

CtlRows *ctl_rows_new(CtlFormat format);
void ctl_rows_free(CtlRows *rows);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CtlRows, ctl_rows_free)
void ctl_rows_column(CtlRows *rows, const char *heading, const char *path, unsigned flags);
/* YAML and JSON are printed at once; of a table's row only the cells are kept. `json` stays the
 * caller's. */
void ctl_rows_add(CtlRows *rows, struct json_object *json);
/* Prints the table; `empty` is said on standard error when there was no row. */
void ctl_rows_end(CtlRows *rows, const char *empty);
