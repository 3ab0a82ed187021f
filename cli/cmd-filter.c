/* SPDX-License-Identifier: GPL-3.0-or-later */

/* filter counters: runtime state of filterd. */

#include "filter.h"
#include "output.h"

#define PAGE 1000

const CtlTarget ctl_filter = {
        "org.patronus.Filter1",
        "/org/patronus/Filter1",
        "org.patronus.Filter1",
};

static int read_counter(sd_bus_message *m, CtlRows *rows)
{
        pt_auto_json *row = NULL;
        const char *kind, *name, *klass;
        uint64_t packets, bytes;
        int carried, r;

        r = sd_bus_message_read(m, "(sssttb)", &kind, &name, &klass, &packets, &bytes, &carried);
        if (r <= 0)
                return r;
        row = json_object_new_object();
        json_object_object_add(row, "kind", json_object_new_string(kind));
        json_object_object_add(row, "name", json_object_new_string(name));
        json_object_object_add(row, "class", json_object_new_string(klass));
        json_object_object_add(row, "packets", json_object_new_uint64(packets));
        json_object_object_add(row, "bytes", json_object_new_uint64(bytes));
        json_object_object_add(row, "carried", json_object_new_boolean(carried));
        ctl_rows_add(rows, row);
        return 1;
}

/* One page; *next is where the following begins, "" at the end. */
static int read_page(Ctl *ctl, char **next, CtlRows *rows)
{
        pt_auto_message *reply = NULL;
        const char *after;
        int r;

        r = ctl_ask(ctl, &ctl_filter, "ListCounters", CTL_CALL_READS, &reply, "a{sv}", 2, "after",
                    "s", *next, "limit", "u", (uint32_t) PAGE);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "(sssttb)");
        while (r >= 0 && (r = read_counter(reply, rows)) > 0)
                ;
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &after);
        if (r < 0)
                return r;
        g_free(*next);
        *next = g_strdup(after);
        return CTL_DONE;
}

int ctl_run_filter_counters(Ctl *ctl)
{
        g_autoptr(CtlRows) rows =
                ctl_rows_new(ctl->format == CTL_FORMAT_MAX ? CTL_TABLE : ctl->format);
        g_autofree char *next = g_strdup("");
        int r;

        ctl_rows_column(rows, "KIND", "kind", 0);
        ctl_rows_column(rows, "NAME", "name", 0);
        ctl_rows_column(rows, "BETWEEN", "class", 0);
        ctl_rows_column(rows, "PACKETS", "packets", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "BYTES", "bytes", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "CARRIED", "carried", 0);
        do {
                r = read_page(ctl, &next, rows);
                if (r != CTL_DONE)
                        return r;
        } while (*next);
        ctl_rows_end(rows, "there is no counter");
        return CTL_DONE;
}
