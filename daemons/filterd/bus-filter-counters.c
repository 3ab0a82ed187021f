/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: counters (docs/DBUS.md). */

#include "bus-filter.h"

#include "kind/field.h"
#include "listing.h"

/* "ZONE/ZONE#number" */
#define CURSOR_MAX (2 * 64 + 16)

typedef struct Reply {
        sd_bus_message *m;
        int result;
} Reply;

static void append_row(const FwCounterRow *row, void *userdata)
{
        Reply *reply = userdata;
        g_autofree char *notes = row->rule ? fw_rule_notes(row->rule) : NULL;

        if (reply->result >= 0)
                reply->result = sd_bus_message_append(reply->m, "(sssttbs)", row->kind, row->name,
                                                      row->klass, row->packets, row->bytes,
                                                      (int) row->carried, notes ?: "");
}

static int append_counters(FwManager *manager, const FwPage *page, sd_bus_message *answer,
                           sd_bus_error *error)
{
        const char *after = page->after;
        Reply reply = {.m = answer};
        g_autofree char *next = NULL;
        int r;

        r = sd_bus_message_open_container(answer, 'a', "(sssttbs)");
        if (r < 0)
                return r;
        r = fw_list_counters(fw_manager_engine(manager), after, page->limit, append_row, &reply,
                             &next);
        if (r == -EINVAL)
                return pt_bus_fail(error, r, "%s is no cursor of ListCounters", after);
        if (r == -ENODATA)
                return pt_bus_fail(error, -ENOENT, "No ruleset is in force yet");
        if (r >= 0)
                r = reply.result;
        if (r >= 0)
                r = sd_bus_message_close_container(answer);
        return r < 0 ? r : sd_bus_message_append(answer, "s", next);
}

int fw_method_list_counters(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        g_auto(FwPage) page = {0};
        pt_auto_message *answer = NULL;
        int r;

        r = fw_bus_begin_page(m, FW_LIST_MAX, CURSOR_MAX, &page, error);
        if (r != FW_BUS_GOES_ON)
                return r;
        r = sd_bus_message_new_method_return(m, &answer);
        if (r >= 0)
                r = append_counters(manager, &page, answer, error);
        return r < 0 ? r : sd_bus_send(NULL, answer, NULL);
}
