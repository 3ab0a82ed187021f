/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: the translators between IPv6 and IPv4 (docs/DBUS.md). */

#include "bus-filter.h"

typedef struct Reply {
        sd_bus_message *m;
        int result;
} Reply;

static void append(const FwNat64Row *row, void *userdata)
{
        g_autoptr(GString) prefix = g_string_new(NULL), pool = g_string_new(NULL);
        PtAddressRange network = fw_nat64_prefix(row->object);
        Reply *reply = userdata;

        if (reply->result < 0)
                return;
        pt_address_range_format(&network, prefix);
        pt_address_range_format(&row->object->pool, pool);
        reply->result = sd_bus_message_append(
                reply->m, "a{sv}", 9, "name", "s", row->object->object.name, "interface", "s",
                fw_nat64_interface(row->object), "prefix", "s", prefix->str, "pool", "s", pool->str,
                "state", "s", fw_nat64_row_state(row), "sinceUSec", "t", row->since_usec, "pid",
                "u", (uint32_t) row->pid, "restarts", "u", (uint32_t) row->restarts, "error", "s",
                row->error);
}

/* At most FW_NAT64_MAX, so all at once. */
int fw_method_list_nat64(sd_bus_message *m, void *userdata, sd_bus_error *error)
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
        if (fw_manager_nat64(manager))
                fw_nat64_list(fw_manager_nat64(manager), append, &reply);
        r = reply.result;
        if (r >= 0)
                r = sd_bus_message_close_container(answer);
        return r < 0 ? r : sd_bus_send(NULL, answer, NULL);
}
