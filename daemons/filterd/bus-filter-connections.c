/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: connections (docs/DBUS.md). */

#include "bus-filter.h"

#include "connections.h"
#include "kind/field.h"

#define LIMIT_DEFAULT 1000
#define CURSOR_MAX 64

static const PtChoice formats[] = {
        {"json", FW_ROWS_JSON, NULL},
        {"packed", FW_ROWS_PACKED, NULL},
        {},
};

typedef struct Options {
        uint64_t present;
        char *after;
        uint32_t limit;
        int format;
        PtConnectionFilter filter;
} Options;

enum { OPTION_AFTER, OPTION_LIMIT, OPTION_FORMAT, OPTION_FILTER };

/* clang-format off */
static const PtField rows[] = {
        [OPTION_AFTER] = PT_FIELD(Options, string, after, "after", 0, .max = CURSOR_MAX),
        [OPTION_LIMIT] = PT_FIELD(Options, u32, limit, "limit", 0,
                .min = 1, .max = FW_CONNECTIONS_PAGE_MAX),
        [OPTION_FORMAT] = PT_FIELD(Options, enum, format, "format", 0, .choices = formats),
        [OPTION_FILTER] = PT_STRUCT(Options, PtConnectionFilter, filter, "filter",
                pt_connection_filter_fields),
        {},
};
/* clang-format on */

static void options_done(Options *options)
{
        pt_fields_done(rows, options, options->present);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_done)

static void page_done(int result, int fd, uint32_t n, const char *next, void *userdata)
{
        pt_auto_message *call = userdata;
        pt_auto_fd int page = fd;

        if (result < 0)
                (void) sd_bus_reply_method_errnof(call, result,
                                                  "The connections cannot be read: %m");
        else
                (void) sd_bus_reply_method_return(call, "hus", page, n, next);
}

static int refuse_page(int r, const char *after, sd_bus_error *error)
{
        if (r == -ENOENT)
                return pt_bus_fail(error, -ENOENT,
                                   "There is no listing %s; one is given up when its next page is "
                                   "not asked for within %u s: begin again without \"after\"",
                                   after, (unsigned) (FW_LISTING_IDLE_USEC / G_USEC_PER_SEC));
        if (r == -EBUSY)
                return pt_bus_fail(error, -EBUSY,
                                   "%u listings are open, or this page is being made: read one to "
                                   "its end, or try again in %u s",
                                   FW_LISTINGS_MAX,
                                   (unsigned) (FW_LISTING_IDLE_USEC / G_USEC_PER_SEC));
        return pt_bus_fail(error, r, "The connections cannot be read: %s", g_strerror(-r));
}

int fw_method_list_connections(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        g_auto(Options) options = {.limit = LIMIT_DEFAULT, .format = FW_ROWS_JSON};
        FwConnections *connections = fw_manager_connections(manager);
        int r;

        r = fw_bus_begin(m, rows, &options, &options.present, error);
        if (r != FW_BUS_GOES_ON)
                return r;
        /* `done` drops the reference; nothing of a page is made before we return. */
        if (options.after && options.after[0])
                r = fw_connections_continue(connections, options.after, page_done,
                                            sd_bus_message_ref(m));
        else
                r = fw_connections_list(connections, &options.filter, options.format, options.limit,
                                        page_done, sd_bus_message_ref(m));
        if (r >= 0)
                return 1;
        sd_bus_message_unref(m);
        return refuse_page(r, options.after, error);
}

static void kill_done(int result, uint64_t killed, void *userdata)
{
        FwAct *act = userdata;

        if (result < 0)
                (void) sd_bus_reply_method_errnof(
                        act->message, result,
                        "Not all connections could be ended, but %" PRIu64 ": %m", killed);
        else
                (void) sd_bus_reply_method_return(act->message, "t", killed);
        fw_act_end(act, result, g_strdup_printf("%" PRIu64 " connections ended", killed));
}

/* The conditions, as they came. */
static char *subject_of(const PtConnectionFilter *filter)
{
        pt_auto_json *json =
                pt_fields_to_json(pt_connection_filter_fields, filter, filter->present, false);
        GString *out = g_string_new(NULL);

        pt_json_to_canonical(json, out);
        return g_string_free(out, FALSE);
}

int fw_method_kill_connections(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        g_auto(PtConnectionFilter) filter = {0};
        FwAct *act;
        int r;

        r = fw_bus_begin(m, pt_connection_filter_fields, &filter, &filter.present, error);
        if (r != FW_BUS_GOES_ON)
                return r;
        if (!filter.present)
                return pt_bus_fail(error, -EINVAL,
                                   "Without a condition all connections would end; if that is "
                                   "meant, end those of each family");
        act = fw_act_new(manager, m, subject_of(&filter));
        r = fw_connections_kill(fw_manager_connections(manager), &filter, kill_done, act);
        if (r >= 0)
                return 1; /* it is kill_done()'s */
        fw_act_free(act);
        return pt_bus_fail(error, r, "Connections cannot be ended: %s", g_strerror(-r));
}

int fw_method_count_connections(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        uint32_t count;
        int r;

        r = fw_connections_count(fw_manager_connections(manager), &count);
        if (r < 0)
                return pt_bus_fail(error, r, "The connections cannot be counted: %s",
                                   g_strerror(-r));
        return sd_bus_reply_method_return(m, "u", count);
}
