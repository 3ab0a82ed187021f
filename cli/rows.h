/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Rows of JSON for people or programs: a table fitted to the terminal (table.h), the same with all
 * columns and nothing cut (-o wide), YAML documents, or JSON texts, one a line.
 *
 *         g_autoptr(CtlRows) rows = ctl_rows_new(CTL_TABLE);
 *         ctl_rows_column(rows, "NAME", "name", 0);
 *         ctl_rows_column(rows, "PACKETS", "packets", CTL_COLUMN_RIGHT);
 *         ctl_rows_add(rows, json);
 *         ctl_rows_end(rows, "there is no counter");
 */

#include "ctl.h"

typedef enum CtlColumnFlags {
        CTL_COLUMN_RIGHT = 1 << 0,    /* numbers */
        CTL_COLUMN_OPTIONAL = 1 << 1, /* left out when no row has a value, or there is no room */
        CTL_COLUMN_TIME = 1 << 2,     /* microseconds since 1970, shown as local time */
        CTL_COLUMN_DIGEST = 1 << 3,   /* the first 12 digits */
        CTL_COLUMN_WIDE = 1 << 4,     /* only with -o wide */
} CtlColumnFlags;

typedef struct CtlRows CtlRows;

/* A format of tables, YAML or JSON; CTL_FORMAT_MAX, none was asked for: a table. */
CtlRows *ctl_rows_new(CtlFormat format);
void ctl_rows_free(CtlRows *rows);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CtlRows, ctl_rows_free)
/*
 * A column for the member at `path` ("a.b.c"). Texts are cut when the terminal is too narrow,
 * numbers, times and digests never.
 */
void ctl_rows_column(CtlRows *rows, const char *heading, const char *path, unsigned flags);
/* The same with a minimum and a weight of one's own (CtlTableColumn). */
void ctl_rows_column_sized(CtlRows *rows, const char *heading, const char *path, unsigned flags,
                           unsigned minimum, unsigned weight);
/* YAML and JSON are printed at once; of a table's row only the cells are kept. `json` stays the
 * caller's. */
void ctl_rows_add(CtlRows *rows, struct json_object *json);
/* Prints the table; `empty` is said on standard error when there was no row. */
void ctl_rows_end(CtlRows *rows, const char *empty);
