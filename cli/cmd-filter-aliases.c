/* SPDX-License-Identifier: GPL-3.0-or-later */

/* filter aliases, alias, refresh: what aliases hold at run time, and from where. */

#include "filter.h"

#include "kind/vardict.h"
#include "output.h"
#include "rows.h"
#include <stdio.h>

/* A source's row, and the list of lines in it. */
#define ROW_DEPTH 3

static int read_sources(sd_bus_message *reply, CtlRows *rows)
{
        int r = sd_bus_message_enter_container(reply, 'a', "a{sv}");

        while (r >= 0 && (r = sd_bus_message_at_end(reply, false)) == 0) {
                pt_auto_json *row = NULL;

                r = pt_vardict_read(reply, ROW_DEPTH, &row);
                if (r >= 0)
                        ctl_rows_add(rows, row);
        }
        return r < 0 ? r : sd_bus_message_exit_container(reply);
}

static CtlRows *new_rows(const Ctl *ctl)
{
        CtlRows *rows = ctl_rows_new(ctl->format);

        ctl_rows_column(rows, "ALIAS", "alias", 0);
        ctl_rows_column(rows, "SOURCE", "source", 0);
        ctl_rows_column(rows, "STATE", "state", 0);
        ctl_rows_column(rows, "ENTRIES", "entries", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "CHANGED", "changedUSec", CTL_COLUMN_TIME);
        ctl_rows_column(rows, "CHECKED", "checkedUSec", CTL_COLUMN_TIME | CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "NEXT", "nextUSec", CTL_COLUMN_TIME | CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "WRONG", "problems", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "ERROR", "error", CTL_COLUMN_OPTIONAL);
        ctl_rows_column(rows, "DIGEST", "digest", CTL_COLUMN_DIGEST | CTL_COLUMN_WIDE);
        return rows;
}

int ctl_run_filter_aliases(Ctl *ctl)
{
        g_autoptr(CtlRows) rows = new_rows(ctl);
        g_autofree char *next = g_strdup("");

        do {
                pt_auto_message *reply = NULL;
                const char *after;
                int r = ctl_ask(ctl, &ctl_filter, "ListAliases", CTL_CALL_READS, &reply, "a{sv}", 1,
                                "after", "s", next);

                if (r != CTL_DONE)
                        return r;
                r = read_sources(reply, rows);
                if (r >= 0)
                        r = sd_bus_message_read(reply, "s", &after);
                if (r < 0)
                        return r;
                g_free(next);
                next = g_strdup(after);
        } while (*next);
        ctl_rows_end(rows, "no alias in force has a source of run time");
        return CTL_DONE;
}

int ctl_run_filter_alias(Ctl *ctl)
{
        g_autoptr(CtlRows) rows = NULL;
        pt_auto_message *reply = NULL;
        int r;

        /* Lines that are wrong have no place in a table. */
        if (ctl->format == CTL_FORMAT_MAX)
                ctl->format = CTL_YAML;
        rows = new_rows(ctl);
        r = ctl_ask(ctl, &ctl_filter, "AliasState", CTL_CALL_READS, &reply, "s",
                    ctl_argument(ctl, 0));
        if (r != CTL_DONE)
                return r;
        r = read_sources(reply, rows);
        if (r < 0)
                return r;
        ctl_rows_end(rows, "it has no source of run time");
        return CTL_DONE;
}

int ctl_run_filter_refresh(Ctl *ctl)
{
        pt_auto_message *reply = NULL;

        return ctl_ask(ctl, &ctl_filter, "RefreshAlias", CTL_CALL_READS, &reply, "s",
                       ctl_argument(ctl, 0));
}
