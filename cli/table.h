/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A table of text for people, fitted to the terminal. A line never wraps: when the widest cells do
 * not fit side by side, columns are cut by a fair rule, and each cut cell ends in an ellipsis.
 *
 *         g_autoptr(CtlTable) table = ctl_table_new();
 *         ctl_table_column(table, &(CtlTableColumn){.heading = "NAME", .minimum = 12, .weight = 2});
 *         ctl_table_column(table, &(CtlTableColumn){.heading = "BYTES", .flags = CTL_TABLE_RIGHT});
 *         ctl_table_add(table, (const char *const[]){"web", "1024"});
 *         ctl_table_print(table, ctl_terminal_width(stdout), stdout);
 *
 * The rule: there is a level L such that each column is as wide as its content, but not wider than
 * L * weight, and not narrower than its minimum; L is the highest with which the line fits. So
 * narrow columns keep all they have, and the wide ones share what is left. When not even the
 * minima fit, optional columns are left out, the rightmost first.
 *
 * Widths are columns of the terminal: East Asian wide characters are two, combining ones none
 * (Unicode TR 11, as GLib has it). Cells are printed as they are: what comes from outside goes
 * through ctl_safe() first.
 */

#include "base/macros.h"
#include <stdio.h>

typedef enum CtlTableFlags {
        CTL_TABLE_RIGHT = 1 << 0, /* numbers */
        CTL_TABLE_OPTIONAL =
                1 << 1, /* left out when no row has a value, or when there is no room */
} CtlTableFlags;

typedef struct CtlTableColumn {
        const char *heading;
        unsigned flags;
        unsigned minimum; /* not cut below this; 0: the heading's width */
        unsigned weight;  /* of its share when columns must be cut; 0: never cut */
} CtlTableColumn;

typedef struct CtlTable CtlTable;

CtlTable *ctl_table_new(void);
void ctl_table_free(CtlTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CtlTable, ctl_table_free)
/* Before the first row. The heading is copied. */
void ctl_table_column(CtlTable *table, const CtlTableColumn *column);
/* One cell a column, copied; NULL: absent, shown as "-". */
void ctl_table_add(CtlTable *table, const char *const *cells);
size_t ctl_table_rows(const CtlTable *table);
/* At most `width` wide; 0: whatever it takes. Returns how many columns had no room. */
unsigned ctl_table_print(const CtlTable *table, unsigned width, FILE *stream);

/* Columns of the terminal behind `stream` ($COLUMNS if set); 0 when it is none: nothing is cut. */
unsigned ctl_terminal_width(FILE *stream);
/* Columns that a text takes on a terminal. */
unsigned ctl_text_width(const char *text);
