/* SPDX-License-Identifier: GPL-3.0-or-later */

/* filter top: who has most of the connections, or of their traffic. */

#include "filter.h"

#include "message.h"
#include "output.h"
#include "rows.h"
#include <stdio.h>

const char *const ctl_groups[] = {"source", "destination", "pair", "service", "zone", NULL};
const char *const ctl_measures[] = {"bytes", "packets", "connections", NULL};

#define LIMIT_DEFAULT 20

static int ask(Ctl *ctl, sd_bus_message **ret)
{
        static const CtlOptionId options[] = {CTL_BY, CTL_WHAT};
        pt_auto_message *m = NULL;
        uint64_t limit = LIMIT_DEFAULT;
        int r = ctl_parse_limit(ctl, &limit);

        if (r == CTL_DONE)
                r = ctl_method(ctl, &ctl_filter, "TopTalkers", &m);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = ctl_append_number(m, "limit", 'u', limit);
        for (unsigned i = 0; r >= 0 && i < G_N_ELEMENTS(options); i++)
                if (ctl->values[options[i]])
                        r = ctl_append_string(m, ctl_options[options[i]].name,
                                              ctl->values[options[i]]);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : ctl_call(ctl, m, CTL_CALL_READS, ret);
}

static void add_columns(CtlRows *rows)
{
        ctl_rows_column(rows, "FROM", "from", CTL_COLUMN_OPTIONAL);
        ctl_rows_column_sized(rows, "SOURCE", "source", CTL_COLUMN_OPTIONAL, 15, 2);
        ctl_rows_column(rows, "TO", "to", CTL_COLUMN_OPTIONAL);
        ctl_rows_column_sized(rows, "DESTINATION", "destination", CTL_COLUMN_OPTIONAL, 15, 2);
        ctl_rows_column(rows, "SERVICE", "service", CTL_COLUMN_OPTIONAL);
        ctl_rows_column(rows, "CONNECTIONS", "connections", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "BYTES", "bytes", CTL_COLUMN_OPTIONAL | CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "THERE", "bytesThere", CTL_COLUMN_OPTIONAL | CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "BACK", "bytesBack", CTL_COLUMN_OPTIONAL | CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "PACKETS", "packets", CTL_COLUMN_OPTIONAL | CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "PACKETS THERE", "packetsThere",
                        CTL_COLUMN_OPTIONAL | CTL_COLUMN_RIGHT | CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "PACKETS BACK", "packetsBack",
                        CTL_COLUMN_OPTIONAL | CTL_COLUMN_RIGHT | CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "UNCOUNTED", "uncounted", CTL_COLUMN_RIGHT | CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "MISSED", "missed", CTL_COLUMN_OPTIONAL | CTL_COLUMN_RIGHT);
}

/* What the rows do not say, on standard error. */
static void say_what_is_missing(const char *asked, struct json_object *total)
{
        uint64_t all = ctl_json_number(total, "connections"),
                 uncounted = ctl_json_number(total, "uncounted"),
                 thrown = ctl_json_number(total, "thrown");
        const char *what = ctl_json_string(total, "what");

        if (all > 0 && uncounted == all)
                fprintf(stderr,
                        "bytes and packets are not known: the kernel does not count them (sysctl "
                        "net.netfilter.nf_conntrack_acct)%s\n",
                        g_strcmp0(asked, what) == 0 ? "" : "; ordered by connections");
        else if (uncounted > 0)
                fprintf(stderr,
                        "of %" PRIu64 " of %" PRIu64 " connections bytes and packets are not "
                        "known: they began before the kernel counted them (sysctl "
                        "net.netfilter.nf_conntrack_acct)\n",
                        uncounted, all);
        if (thrown > 0)
                fprintf(stderr,
                        "there are too many to count all: %" PRIu64 " times the one with least "
                        "gave way to another; a row has missed at most as many %s as it says\n",
                        thrown, what);
}

static int print(Ctl *ctl, CtlRows *rows, sd_bus_message *reply)
{
        pt_auto_json *total = NULL;
        int r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "a{sv}");

        while (r >= 0 && (r = sd_bus_message_at_end(reply, false)) == 0) {
                pt_auto_json *row = NULL;

                r = ctl_message_to_json(reply, &row);
                if (r >= 0)
                        ctl_rows_add(rows, row);
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r >= 0)
                r = ctl_message_to_json(reply, &total);
        if (r < 0)
                return r;
        ctl_rows_end(rows, "there is no connection");
        say_what_is_missing(ctl->values[CTL_WHAT] ?: ctl_measures[0], total);
        return CTL_DONE;
}

int ctl_run_filter_top(Ctl *ctl)
{
        g_autoptr(CtlRows) rows = ctl_rows_new(ctl->format);
        pt_auto_message *reply = NULL;
        int r = ask(ctl, &reply);

        if (r != CTL_DONE)
                return r;
        add_columns(rows);
        return print(ctl, rows, reply);
}
