/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: counters (docs/DBUS.md). */

#include "bus-filter.h"

#include "kind/field.h"
#include "listing.h"

/* "ZONE/ZONE#number" */
#define CURSOR_MAX (2 * 64 + 16)

typedef struct Options {
        uint64_t present;
        char *after;
        uint32_t limit;
} Options;

enum { OPTION_AFTER, OPTION_LIMIT };

static const PtField rows[] = {
        [OPTION_AFTER] = PT_FIELD(Options, string, after, "after", 0, .max = CURSOR_MAX),
        [OPTION_LIMIT] = PT_FIELD(Options, u32, limit, "limit", 0, .min = 1, .max = FW_LIST_MAX),
        {},
};

static void options_done(Options *options)
{
        pt_fields_done(rows, options, options->present);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_done)

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

static int append_counters(FwManager *manager, const Options *options, sd_bus_message *answer,
                           sd_bus_error *error)
{
        const char *after = options->after ?: "";
        Reply reply = {.m = answer};
        g_autofree char *next = NULL;
        int r;

        r = sd_bus_message_open_container(answer, 'a', "(sssttbs)");
        if (r < 0)
                return r;
        r = fw_list_counters(fw_manager_engine(manager), after, options->limit, append_row, &reply,
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
        g_auto(Options) options = {.limit = FW_LIST_MAX};
        pt_auto_message *answer = NULL;
        int r;

        r = fw_bus_begin(m, rows, &options, &options.present, error);
        if (r <= 0)
                return r;
        r = sd_bus_message_new_method_return(m, &answer);
        if (r >= 0)
                r = append_counters(manager, &options, answer, error);
        return r < 0 ? r : sd_bus_send(NULL, answer, NULL);
}
