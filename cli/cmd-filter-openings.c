/* SPDX-License-Identifier: GPL-3.0-or-later */

/* filter open, close, openings: ports of the router that are open for a while. */

#include "filter.h"

#include "addresses.h"
#include "base/text.h"
#include "message.h"
#include "output.h"
#include "rows.h"
#include <stdio.h>

/* The call with the port, and those of the options that are given, by their names. */
static int ask(Ctl *ctl, const char *method, sd_bus_message **ret)
{
        static const CtlOptionId options[] = {CTL_ZONE, CTL_SOURCE, CTL_FOR};
        pt_auto_message *m = NULL;
        int r = ctl_method(ctl, &ctl_filter, method, &m);

        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_append(m, "s", ctl_argument(ctl, 0));
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        for (unsigned i = 0; r >= 0 && i < G_N_ELEMENTS(options); i++)
                if (ctl->values[options[i]])
                        r = ctl_append_string(m, ctl_options[options[i]].name,
                                              ctl->values[options[i]]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : ctl_call(ctl, m, CTL_CALL_READS, ret);
}

int ctl_run_filter_open(Ctl *ctl)
{
        pt_auto_message *reply = NULL;
        uint64_t time;
        const char *id;
        int r = ctl_read_for(ctl, &time);

        if (r == CTL_DONE)
                r = ask(ctl, "OpenPort", &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "s", &id);
        if (r < 0)
                return r;
        printf("%s: %s is open%s%s\n", id, ctl_argument(ctl, 0),
               ctl->values[CTL_FOR] ? " for " : "", ctl->values[CTL_FOR] ?: "");
        return CTL_DONE;
}

int ctl_run_filter_close(Ctl *ctl)
{
        pt_auto_message *reply = NULL;
        uint32_t closed;
        int r = ask(ctl, "ClosePort", &reply);

        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "u", &closed);
        if (r < 0)
                return r;
        if (closed == 0) {
                ctl_error("there is no such opening; \"patronusctl filter openings\" lists what "
                          "is open, and what rules let in is configuration");
                return CTL_REFUSED;
        }
        printf("%u closed\n", closed);
        return CTL_DONE;
}

static void add_row(CtlRows *rows, struct json_object *row, bool table)
{
        char text[PT_DURATION_TEXT_MAX];
        uint64_t left = ctl_json_number(row, "remainingUSec");

        if (table)
                json_object_object_add(
                        row, "left",
                        json_object_new_string(left == 0 ? "until closed"
                                                         : pt_duration_format(left, text)));
        ctl_rows_add(rows, row);
}

int ctl_run_filter_openings(Ctl *ctl)
{
        bool table = ctl->format == CTL_FORMAT_MAX || ctl_format_is_table(ctl->format);
        g_autoptr(CtlRows) rows = ctl_rows_new(ctl->format);
        pt_auto_message *reply = NULL;
        int r = ctl_ask(ctl, &ctl_filter, "ListOpenPorts", CTL_CALL_READS, &reply, "");

        if (r != CTL_DONE)
                return r;
        ctl_rows_column(rows, "ID", "id", 0);
        ctl_rows_column(rows, "PORT", "port", 0);
        ctl_rows_column(rows, "ZONE", "zone", CTL_COLUMN_OPTIONAL);
        ctl_rows_column(rows, "SOURCE", "source", CTL_COLUMN_OPTIONAL);
        ctl_rows_column(rows, "LEFT", "left", CTL_COLUMN_RIGHT);
        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(reply, false)) == 0) {
                pt_auto_json *row = NULL;

                r = ctl_message_to_json(reply, &row);
                if (r >= 0)
                        add_row(rows, row, table);
        }
        if (r < 0)
                return r;
        ctl_rows_end(rows, "no port is open beside what rules let in");
        return CTL_DONE;
}
