/* SPDX-License-Identifier: GPL-3.0-or-later */

/* filter servers: whom forwards lead to, and who is alive. */

#include "filter.h"

#include "message.h"
#include "output.h"
#include "rows.h"

int ctl_run_filter_servers(Ctl *ctl)
{
        g_autoptr(CtlRows) rows = ctl_rows_new(ctl->format);
        pt_auto_message *reply = NULL;
        int r = ctl_ask(ctl, &ctl_filter, "ListServers", CTL_CALL_READS, &reply, "");

        if (r != CTL_DONE)
                return r;
        ctl_rows_column(rows, "POOL", "pool", 0);
        ctl_rows_column(rows, "ADDRESS", "address", 0);
        ctl_rows_column(rows, "PORT", "port", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "STATE", "state", 0);
        ctl_rows_column(rows, "ACTIVE", "active", 0);
        ctl_rows_column(rows, "SINCE", "sinceUSec", CTL_COLUMN_TIME);
        ctl_rows_column(rows, "PROBES", "probes", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "FAILURES", "failures", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "WEIGHT", "weight", CTL_COLUMN_RIGHT | CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "FALLBACK", "fallback", CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "LAST FAILURE", "error", CTL_COLUMN_OPTIONAL);
        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(reply, false)) == 0) {
                pt_auto_json *row = NULL;

                r = ctl_message_to_json(reply, &row);
                if (r >= 0)
                        ctl_rows_add(rows, row);
        }
        if (r < 0)
                return r;
        ctl_rows_end(rows, "no rule leads to a pool of servers");
        return CTL_DONE;
}
