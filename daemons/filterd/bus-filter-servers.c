/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: the servers that forwards lead to (docs/DBUS.md). */

#include "bus-filter.h"

typedef struct Reply {
        sd_bus_message *m;
        int result;
} Reply;

static int append_row(const FwServerRow *row, sd_bus_message *m)
{
        g_autoptr(GString) address = g_string_new(NULL);
        int r;

        pt_address_range_format(&row->address, address);
        r = sd_bus_message_append(
                m, "a{sv}", 11, "pool", "s", row->pool, "address", "s", address->str, "port", "q",
                row->port, "weight", "u", (uint32_t) row->weight, "fallback", "b",
                (int) row->fallback, "active", "b", (int) row->active, "state", "s",
                fw_server_state_to_string(row->state), "sinceUSec", "t", row->since_usec, "probes",
                "t", row->probes, "failures", "t", row->failures, "error", "s", row->error);
        return r;
}

static void append(const FwServerRow *row, void *userdata)
{
        Reply *reply = userdata;

        if (reply->result >= 0)
                reply->result = append_row(row, reply->m);
}

/* At most FW_POOLS_SERVERS_MAX, so all at once. */
int fw_method_list_servers(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        pt_auto_message *answer = NULL;
        Reply reply = {};
        int r = sd_bus_message_new_method_return(m, &answer);

        if (r >= 0)
                r = sd_bus_message_open_container(answer, 'a', "a{sv}");
        if (r < 0)
                return r;
        reply.m = answer;
        if (fw_manager_checker(manager))
                fw_checker_list(fw_manager_checker(manager), append, &reply);
        r = reply.result;
        if (r >= 0)
                r = sd_bus_message_close_container(answer);
        return r < 0 ? r : sd_bus_send(NULL, answer, NULL);
}
