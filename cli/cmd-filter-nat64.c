/* SPDX-License-Identifier: GPL-3.0-or-later */

/* filter nat64: the translators between IPv6 and IPv4, and how they are. */

#include "filter.h"

#include "message.h"
#include "output.h"
#include "rows.h"

int ctl_run_filter_nat64(Ctl *ctl)
{
        g_autoptr(CtlRows) rows = ctl_rows_new(ctl->format);
        pt_auto_message *reply = NULL;
        int r = ctl_ask(ctl, &ctl_filter, "ListNat64", CTL_CALL_READS, &reply, "");

        if (r != CTL_DONE)
                return r;
        ctl_rows_column(rows, "NAME", "name", 0);
        ctl_rows_column(rows, "PREFIX", "prefix", 0);
        ctl_rows_column(rows, "POOL", "pool", 0);
        ctl_rows_column(rows, "INTERFACE", "interface", 0);
        ctl_rows_column(rows, "STATE", "state", 0);
        ctl_rows_column(rows, "SINCE", "sinceUSec", CTL_COLUMN_TIME);
        ctl_rows_column(rows, "RESTARTS", "restarts", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "PID", "pid", CTL_COLUMN_RIGHT | CTL_COLUMN_WIDE);
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
        ctl_rows_end(rows, "there is no Nat64 that is enabled");
        return CTL_DONE;
}
