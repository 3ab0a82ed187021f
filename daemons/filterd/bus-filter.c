/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: what filterd tells about the running firewall (docs/DBUS.md). */

#include "bus/bus.h"
#include "kind/vardict.h"
#include "listing.h"
#include "manager.h"

#include <string.h>

#define INTERFACE "org.patronus.Filter1"

typedef struct Options {
        const char *after;
        uint32_t limit;
} Options;

static int read_options(sd_bus_message *m, Options *ret)
{
        int r = sd_bus_message_enter_container(m, 'a', "{sv}");

        if (r < 0)
                return r;
        while ((r = sd_bus_message_enter_container(m, 'e', "sv")) > 0) {
                const char *key;

                r = sd_bus_message_read(m, "s", &key);
                if (r < 0)
                        return r;
                if (strcmp(key, "after") == 0)
                        r = sd_bus_message_read(m, "v", "s", &ret->after);
                else if (strcmp(key, "limit") == 0)
                        r = sd_bus_message_read(m, "v", "u", &ret->limit);
                else
                        return -EINVAL;
                if (r < 0)
                        return r;
                r = sd_bus_message_exit_container(m);
                if (r < 0)
                        return r;
        }
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

typedef struct Reply {
        sd_bus_message *m;
        int result;
} Reply;

static void append_row(const FwCounterRow *row, void *userdata)
{
        Reply *reply = userdata;

        if (reply->result >= 0)
                reply->result = sd_bus_message_append(reply->m, "(sssttb)", row->kind, row->name,
                                                      row->klass, row->packets, row->bytes,
                                                      (int) row->carried);
}

static int method_list_counters(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        Options options = {.after = "", .limit = FW_LIST_MAX};
        g_autofree char *next = NULL;
        sd_bus_message *answer = NULL;
        Reply reply = {0};
        int r;

        r = read_options(m, &options);
        if (r < 0)
                return sd_bus_error_set(error, PT_ERROR_PREFIX "Invalid",
                                        "The options are after (s) and limit (u)");
        r = sd_bus_message_new_method_return(m, &answer);
        if (r >= 0)
                r = sd_bus_message_open_container(answer, 'a', "(sssttb)");
        if (r >= 0) {
                reply.m = answer;
                r = fw_list_counters(fw_manager_engine(manager), options.after,
                                     CLAMP(options.limit, 1, FW_LIST_MAX), append_row, &reply,
                                     &next);
                if (r == -EINVAL)
                        (void) sd_bus_error_setf(error, PT_ERROR_PREFIX "Invalid",
                                                 "%s is no cursor of ListCounters", options.after);
                if (r == -ENODATA)
                        (void) sd_bus_error_set(error, PT_ERROR_PREFIX "NotFound",
                                                "No ruleset is in force yet");
        }
        if (r >= 0)
                r = reply.result;
        if (r >= 0)
                r = sd_bus_message_close_container(answer);
        if (r >= 0)
                r = sd_bus_message_append(answer, "s", next);
        if (r >= 0)
                r = sd_bus_message_send(answer);
        sd_bus_message_unref(answer);
        return r < 0 ? r : 1;
}

static int property_drifts(sd_bus *bus, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *userdata,
                           sd_bus_error *error)
{
        return sd_bus_message_append(reply, "t", fw_manager_drifts(userdata));
}

static const sd_bus_vtable filter_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("ListCounters", SD_BUS_ARGS("a{sv}", options),
                                SD_BUS_RESULT("a(sssttb)", counters, "s", next),
                                method_list_counters, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Drifts", "t", property_drifts, 0, 0),
        SD_BUS_SIGNAL_WITH_ARGS("DriftRepaired", SD_BUS_ARGS("s", what, "t", repairUSec), 0),
        SD_BUS_VTABLE_END,
};

int fw_bus_attach(FwManager *manager, sd_bus *bus, const char *path)
{
        return sd_bus_add_object_vtable(bus, NULL, path, INTERFACE, filter_vtable, manager);
}

void fw_bus_drift_repaired(sd_bus *bus, const char *path, const char *what, uint64_t usec)
{
        (void) sd_bus_emit_signal(bus, path, INTERFACE, "DriftRepaired", "st", what, usec);
}
