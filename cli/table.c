/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "table.h"

#include "output.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#define GAP 2                   /* between columns */
#define ELLIPSIS "\xe2\x80\xa6" /* U+2026, one column */
#define WIDTH_DEFAULT 80        /* of a terminal that does not know */
#define WIDTH_MAX 10000

typedef struct Column {
        char *heading;
        unsigned flags;
        unsigned minimum, weight;
        unsigned natural; /* width of the widest cell and the heading */
        bool used;        /* a row has a value */
} Column;

struct CtlTable {
        GArray *columns; /* Column */
        GPtrArray *rows; /* char **, as many as columns */
};

static void column_clear(void *data)
{
        g_free(((Column *) data)->heading);
}

static Column *column_at(const CtlTable *table, unsigned i)
{
        return &g_array_index(table->columns, Column, i);
}

static void row_free(void *data)
{
        g_ptr_array_unref(data);
}

CtlTable *ctl_table_new(void)
{
        CtlTable *table = g_new0(CtlTable, 1);

        table->columns = g_array_new(FALSE, TRUE, sizeof(Column));
        g_array_set_clear_func(table->columns, column_clear);
        table->rows = g_ptr_array_new_with_free_func(row_free);
        return table;
}

void ctl_table_free(CtlTable *table)
{
        if (!table)
                return;
        g_array_unref(table->columns);
        g_ptr_array_unref(table->rows);
        g_free(table);
}

static unsigned character_width(gunichar c)
{
        if (g_unichar_iszerowidth(c))
                return 0;
        return g_unichar_iswide(c) ? 2 : 1;
}

unsigned ctl_text_width(const char *text)
{
        unsigned width = 0;

        for (const char *p = text; *p; p = g_utf8_next_char(p))
                width += character_width(g_utf8_get_char(p));
        return width;
}

void ctl_table_column(CtlTable *table, const CtlTableColumn *column)
{
        unsigned heading = ctl_text_width(column->heading);
        Column own = {
                .heading = g_strdup(column->heading),
                .flags = column->flags,
                .minimum = column->minimum ?: heading,
                .weight = column->weight,
                .natural = heading,
        };

        g_array_append_val(table->columns, own);
}

void ctl_table_add(CtlTable *table, const char *const *cells)
{
        GPtrArray *row = g_ptr_array_new_full(table->columns->len, g_free);

        for (unsigned i = 0; i < table->columns->len; i++) {
                Column *column = column_at(table, i);

                if (cells[i]) {
                        column->natural = MAX(column->natural, ctl_text_width(cells[i]));
                        column->used = true;
                }
                g_ptr_array_add(row, g_strdup(cells[i]));
        }
        g_ptr_array_add(table->rows, row);
}

size_t ctl_table_rows(const CtlTable *table)
{
        return table->rows->len;
}

unsigned ctl_terminal_width(FILE *stream)
{
        const char *columns = getenv("COLUMNS");
        struct winsize size = {};
        guint64 width;

        if (!isatty(fileno(stream)))
                return 0;
        if (columns && g_ascii_string_to_unsigned(columns, 10, 1, WIDTH_MAX, &width, NULL))
                return (unsigned) width;
        if (ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                return size.ws_col;
        return WIDTH_DEFAULT;
}

/* The width of a column at a level; 0 of one that is not shown stays 0. */
static unsigned width_at(const Column *column, unsigned shown, unsigned level)
{
        unsigned low = MIN(column->minimum, column->natural);

        if (shown == 0 || column->weight == 0)
                return shown ? column->natural : 0;
        return CLAMP(level * column->weight, low, column->natural);
}

/* The line's width with all shown columns at a level. */
static unsigned line_width(const CtlTable *table, const unsigned *shown, unsigned level)
{
        unsigned width = 0, n = 0;

        for (unsigned i = 0; i < table->columns->len; i++)
                if (shown[i]) {
                        width += width_at(column_at(table, i), shown[i], level);
                        n++;
                }
        return n > 0 ? width + (n - 1) * GAP : 0;
}

/* Leaves out optional columns from the right until the minima fit; returns how many. */
static unsigned leave_out(const CtlTable *table, unsigned width, unsigned *shown)
{
        unsigned n = 0;

        for (unsigned i = table->columns->len; i-- > 0 && line_width(table, shown, 0) > width;)
                if (shown[i] && column_at(table, i)->flags & CTL_TABLE_OPTIONAL) {
                        shown[i] = 0;
                        n++;
                }
        return n;
}

/* Fills `widths`, 0 for columns that are not shown; returns how many of those had no room. */
static unsigned lay_out(const CtlTable *table, unsigned width, unsigned *widths)
{
        unsigned low = 0, high = width, left_out = 0;

        for (unsigned i = 0; i < table->columns->len; i++) {
                const Column *column = column_at(table, i);

                widths[i] =
                        column->used || !(column->flags & CTL_TABLE_OPTIONAL) ? column->natural : 0;
        }
        if (width == 0 || line_width(table, widths, width) <= width)
                return 0;
        left_out = leave_out(table, width, widths);
        while (low < high) { /* the highest level that fits */
                unsigned middle = (low + high + 1) / 2;

                if (line_width(table, widths, middle) <= width)
                        low = middle;
                else
                        high = middle - 1;
        }
        for (unsigned i = 0; i < table->columns->len; i++)
                widths[i] = width_at(column_at(table, i), widths[i], low);
        return left_out;
}

/* Appends as much of the text as fits, and an ellipsis where it does not. Returns its width. */
static unsigned append_cut(const char *text, unsigned width, GString *line)
{
        unsigned used = 0;

        if (ctl_text_width(text) <= width) {
                g_string_append(line, text);
                return ctl_text_width(text);
        }
        if (width == 0)
                return 0;
        for (const char *p = text; *p; p = g_utf8_next_char(p)) {
                unsigned next = character_width(g_utf8_get_char(p));

                if (used + next > width - 1)
                        break;
                g_string_append_len(line, p, g_utf8_next_char(p) - p);
                used += next;
        }
        g_string_append(line, ELLIPSIS);
        return used + 1;
}

/* Of a heading the end says more: "…N.PORTS" of "DESTINATION.PORTS". */
static unsigned append_cut_heading(const char *text, unsigned width, GString *line)
{
        if (width < 2 || ctl_text_width(text) <= width)
                return append_cut(text, width, line);
        while (ctl_text_width(text) > width - 1)
                text = g_utf8_next_char(text);
        g_string_append_printf(line, ELLIPSIS "%s", text);
        return ctl_text_width(text) + 1;
}

static void append_cell(const Column *column, const char *text, unsigned width, GString *line)
{
        g_autoptr(GString) cell = g_string_new(NULL);
        unsigned used = text == column->heading ? append_cut_heading(text, width, cell)
                                                : append_cut(text, width, cell);
        int pad = width > used ? (int) (width - used) : 0;

        if (column->flags & CTL_TABLE_RIGHT)
                g_string_append_printf(line, "%*s%s", pad, "", cell->str);
        else
                g_string_append_printf(line, "%s%*s", cell->str, pad, "");
}

/* One line without white space at its end; `row` NULL: the headings. */
static char *format_line(const CtlTable *table, const GPtrArray *row, const unsigned *widths)
{
        GString *line = g_string_new(NULL);

        for (unsigned i = 0; i < table->columns->len; i++) {
                const Column *column = column_at(table, i);
                const char *text = row ? g_ptr_array_index(row, i) : column->heading;

                if (widths[i] == 0)
                        continue;
                if (line->len > 0)
                        g_string_append_printf(line, "%*s", GAP, "");
                append_cell(column, text ?: "-", widths[i], line);
        }
        return g_strchomp(g_string_free(line, FALSE));
}

static void print_line(const CtlTable *table, const GPtrArray *row, const unsigned *widths,
                       unsigned width, FILE *stream)
{
        g_autofree char *line = format_line(table, row, widths);
        g_autoptr(GString) fitted = g_string_new(NULL);

        /* Columns that may not be cut can be wider than all there is. */
        (void) append_cut(line, width ?: UINT_MAX, fitted);
        fprintf(stream, "%s%s%s\n", row ? "" : ctl_colour(stream, CTL_BOLD), fitted->str,
                row ? "" : ctl_colour(stream, CTL_PLAIN));
}

unsigned ctl_table_print(const CtlTable *table, unsigned width, FILE *stream)
{
        g_autofree unsigned *widths = g_new0(unsigned, table->columns->len);
        unsigned left_out = lay_out(table, width, widths);

        print_line(table, NULL, widths, width, stream);
        for (unsigned i = 0; i < table->rows->len; i++)
                print_line(table, g_ptr_array_index(table->rows, i), widths, width, stream);
        return left_out;
}
