/* SPDX-License-Identifier: GPL-3.0-or-later */

/* filter ban, unban, bans, drift: what filterd does and has seen besides the configuration. */

#include "filter.h"

#include "addresses.h"
#include "output.h"
#include "rows.h"
#include <stdio.h>

static int append_entries(const Ctl *ctl, uint64_t timeout, sd_bus_message *m)
{
        int r = sd_bus_message_open_container(m, 'a', "(st)");

        for (unsigned i = 0; r >= 0 && i < ctl->arguments->len; i++)
                r = sd_bus_message_append(m, "(st)", ctl_argument(ctl, i), timeout);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = ctl->values[CTL_FORCE] ? sd_bus_message_append(m, "a{sv}", 1, "force", "b", 1)
                                           : sd_bus_message_append(m, "a{sv}", 0);
        return r;
}

int ctl_run_filter_ban(Ctl *ctl)
{
        pt_auto_message *m = NULL, *reply = NULL;
        bool refused = false;
        uint64_t timeout;
        uint32_t added;
        int r = ctl_read_for(ctl, &timeout);

        if (r == CTL_DONE)
                r = ctl_method(ctl, &ctl_filter, "Ban", &m);
        if (r != CTL_DONE)
                return r;
        r = append_entries(ctl, timeout, m);
        if (r >= 0)
                r = ctl_call(ctl, m, CTL_CALL_READS, &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "u", &added);
        if (r >= 0)
                r = ctl_say_refused(ctl, 0, reply, &refused);
        if (r < 0)
                return r;
        printf("%u banned%s%s\n", added, ctl->values[CTL_FOR] ? " for " : "",
               ctl->values[CTL_FOR] ?: "");
        return refused ? CTL_REFUSED : CTL_DONE;
}

static int unban_some(Ctl *ctl, sd_bus_message **ret)
{
        pt_auto_message *m = NULL;
        int r = ctl_method(ctl, &ctl_filter, "Unban", &m);

        if (r != CTL_DONE)
                return r;
        r = ctl_append_arguments(ctl, 0, m);
        return r < 0 ? r : ctl_call(ctl, m, CTL_CALL_READS, ret);
}

int ctl_run_filter_unban(Ctl *ctl)
{
        pt_auto_message *reply = NULL;
        bool all = ctl->values[CTL_ALL];
        uint32_t removed;
        int r;

        if (all == (ctl->arguments->len > 0)) {
                ctl_error("\"filter unban\" takes either addresses or --all");
                return CTL_USAGE;
        }
        r = all ? ctl_ask(ctl, &ctl_filter, "FlushBans", CTL_CALL_READS, &reply, "")
                : unban_some(ctl, &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "u", &removed);
        if (r < 0)
                return r;
        printf("%u unbanned\n", removed);
        if (all || removed == ctl->arguments->len)
                return CTL_DONE;
        ctl_error("the others were not banned; \"patronusctl filter bans\" lists what is, and a "
                  "prefix is unbanned as a whole");
        return CTL_REFUSED;
}

int ctl_run_filter_bans(Ctl *ctl)
{
        static const CtlAddressList list = {
                .method = "ListBans",
                .stays = "until unbanned",
                .empty = "nobody is banned",
        };

        return ctl_list_addresses(ctl, &list);
}

int ctl_run_filter_drift(Ctl *ctl)
{
        g_autoptr(CtlRows) rows = ctl_rows_new(ctl->format);
        pt_auto_message *reply = NULL;
        uint64_t time, usec;
        const char *what;
        int r = ctl_ask(ctl, &ctl_filter, "ListDrift", CTL_CALL_READS, &reply, "");

        if (r != CTL_DONE)
                return r;
        ctl_rows_column(rows, "TIME", "timeUSec", CTL_COLUMN_TIME);
        ctl_rows_column(rows, "WHAT", "what", 0);
        ctl_rows_column(rows, "REPAIRED AFTER USEC", "repairUSec", CTL_COLUMN_RIGHT);
        r = sd_bus_message_enter_container(reply, 'a', "(tst)");
        while (r >= 0 && (r = sd_bus_message_read(reply, "(tst)", &time, &what, &usec)) > 0) {
                pt_auto_json *row = json_object_new_object();

                json_object_object_add(row, "timeUSec", json_object_new_uint64(time));
                json_object_object_add(row, "what", json_object_new_string(what));
                json_object_object_add(row, "repairUSec", json_object_new_uint64(usec));
                ctl_rows_add(rows, row);
        }
        if (r < 0)
                return r;
        ctl_rows_end(rows, "no other program has changed the table since filterd started");
        return CTL_DONE;
}
