/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: the log (docs/DBUS.md, docs/LOGS.md). */

#include "bus-filter.h"

#include "kind/field.h"
#include "log-follow.h"

#define HISTORY_DEFAULT 0

typedef struct Options {
        uint64_t present;
        FwLogFilter filter;
        uint32_t history;
        bool follow;
} Options;

enum { OPTION_FILTER, OPTION_HISTORY, OPTION_FOLLOW };

/* clang-format off */
static const PtField rows[] = {
        [OPTION_FILTER] = PT_STRUCT(Options, FwLogFilter, filter, "filter", fw_log_filter_fields),
        [OPTION_HISTORY] = PT_FIELD(Options, u32, history, "history", 0, .max = FW_LOG_KEPT),
        [OPTION_FOLLOW] = PT_FIELD(Options, bool, follow, "follow", 0),
        {},
};
/* clang-format on */

static void options_done(Options *options)
{
        pt_fields_done(rows, options, options->present);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_done)

int fw_method_follow(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        g_auto(Options) options = {.history = HISTORY_DEFAULT, .follow = true};
        pt_auto_fd int fd = -EBADF;
        uid_t uid;
        int r;

        r = fw_bus_begin(m, rows, &options, &options.present, error);
        if (r != FW_BUS_GOES_ON)
                return r;
        r = pt_bus_sender_uid(m, &uid);
        if (r < 0)
                return pt_bus_fail(error, r, "The bus does not say who calls: %s", g_strerror(-r));
        r = fw_followers_add(fw_manager_followers(manager), uid, &options.filter, options.history,
                             options.follow, &fd);
        if (r == -EUSERS || r == -EBUSY)
                return pt_bus_fail(error, -EBUSY,
                                   "%u of %s follow the log already; close one of them",
                                   r == -EUSERS ? FW_FOLLOWERS_PER_USER_MAX : FW_FOLLOWERS_MAX,
                                   r == -EUSERS ? "your programs" : "all programs");
        if (r < 0)
                return pt_bus_fail(error, r, "The log cannot be followed: %s", g_strerror(-r));
        return sd_bus_reply_method_return(m, "h", fd);
}

int fw_property_log(sd_bus *bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        const FwLog *log = fw_manager_log(userdata);
        uint64_t value = g_str_equal(property, "LogPackets") ? fw_log_packets(log)
                         : g_str_equal(property, "LogLost")  ? fw_log_lost(log)
                                                             : fw_log_unwritten(log);

        return sd_bus_message_append(reply, "t", value);
}
