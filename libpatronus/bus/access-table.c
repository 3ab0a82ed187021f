/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/access-internal.h"

#include "base/text.h"
#include <string.h>

#define PROPERTIES "org.freedesktop.DBus.Properties"

const PtAccessRow pt_access_common[] = {
        PT_MAY_CALL("org.freedesktop.DBus.Peer", "Ping", ANYBODY),
        PT_MAY_CALL("org.freedesktop.DBus.Peer", "GetMachineId", ANYBODY),
        PT_MAY_CALL("org.freedesktop.DBus.Introspectable", "Introspect", ANYBODY),
        PT_MAY_READ("org.freedesktop.LogControl1", RUNTIME_READ),
        PT_MAY_WRITE("org.freedesktop.LogControl1", SYSTEM_ADMIN),
        PT_MAY_READ("org.patronus.Daemon1", RUNTIME_READ),
        PT_MAY_CALL("org.patronus.Daemon1", "GetSchema", RUNTIME_READ),
        PT_MAY_CALL("org.patronus.Daemon1", "Describe", RUNTIME_READ),
        PT_MAY_CALL("org.patronus.Transaction1", "Plan", INTERNAL),
        PT_MAY_CALL("org.patronus.Transaction1", "Prepare", INTERNAL),
        PT_MAY_CALL("org.patronus.Transaction1", "Commit", INTERNAL),
        PT_MAY_CALL("org.patronus.Transaction1", "Verify", INTERNAL),
        PT_MAY_CALL("org.patronus.Transaction1", "Abort", INTERNAL),
        PT_MAY_CALL("org.patronus.Transaction1", "GetState", INTERNAL),
        {},
};

static const PtAccessRow *find_row(const PtAccessRow *rows, const char *interface,
                                   const char *member, PtAccessWhat what)
{
        for (const PtAccessRow *row = rows; row && row->interface; row++)
                if (row->what == what && g_str_equal(row->member, member) &&
                    g_str_equal(row->interface, interface))
                        return row;
        return NULL;
}

const PtAccessRow *pt_access_find(const PtAccess *access, sd_bus_message *m)
{
        const char *interface = sd_bus_message_get_interface(m);
        const char *member = sd_bus_message_get_member(m);
        PtAccessWhat what = PT_ACCESS_CALL;
        const PtAccessRow *row;

        if (!interface || !member)
                return NULL; /* D-Bus would have it guessed; nobody needs that */
        if (g_str_equal(interface, PROPERTIES)) {
                if (g_str_equal(member, "Set"))
                        what = PT_ACCESS_WRITE;
                else if (g_str_equal(member, "Get") || g_str_equal(member, "GetAll"))
                        what = PT_ACCESS_READ;
                else
                        return NULL;
                if (sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &interface) <= 0)
                        return NULL;
                member = "*";
        }
        row = find_row(access->table->rows, interface, member, what);
        return row ?: find_row(pt_access_common, interface, member, what);
}

void pt_access_about(const PtAccess *access, const PtAccessRow *row, sd_bus_message *m,
                     const char **ret_kind, const char **ret_name)
{
        const char *kind, *name;

        *ret_kind = *ret_name = "";
        if (row->about == PT_ABOUT_NOTHING || !access->table->kind ||
            sd_bus_message_rewind(m, true) < 0 ||
            sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &kind) <= 0)
                return;
        *ret_kind = access->table->kind(kind) ?: "";
        /* Nobody is shown, in a dialog for a password, what is no name. */
        if (row->about == PT_ABOUT_OBJECT &&
            sd_bus_message_read_basic(m, SD_BUS_TYPE_STRING, &name) > 0 && pt_name_is_valid(name))
                *ret_name = name;
}

/* Adds what one value that holds no others takes; 0: no such type. */
static size_t basic_size(sd_bus_message *m, char type)
{
        union {
                uint64_t number;
                const char *text;
        } value;

        if (sd_bus_message_read_basic(m, type, &value) <= 0)
                return 0;
        switch (type) {
        case SD_BUS_TYPE_STRING:
        case SD_BUS_TYPE_OBJECT_PATH:
        case SD_BUS_TYPE_SIGNATURE:
                return sizeof(uint32_t) + strlen(value.text) + 1;
        default: /* numbers */
                return sizeof(uint64_t);
        }
}

/* One step through a message: a value, or into or out of a container. 1: done, 0: go on, negative:
 * it cannot be read. */
static int measure(sd_bus_message *m, unsigned *depth, size_t *size)
{
        const char *contents;
        const void *data;
        size_t n;
        char type;
        int r;

        r = sd_bus_message_peek_type(m, &type, &contents);
        if (r < 0)
                return r;
        if (r == 0) {
                if (*depth == 0)
                        return 1;
                (*depth)--;
                return MIN(sd_bus_message_exit_container(m), 0);
        }
        if (!contents) {
                n = basic_size(m, type);
                *size += n;
                return n > 0 ? 0 : -EBADMSG;
        }
        /* Numbers stand side by side. */
        if (type == SD_BUS_TYPE_ARRAY && strlen(contents) == 1 && strchr("ybnqiuxtd", *contents) &&
            *contents != SD_BUS_TYPE_BOOLEAN) {
                r = sd_bus_message_read_array(m, *contents, &data, &n);
                *size += sizeof(uint32_t) + n;
                return MIN(r, 0);
        }
        (*depth)++;
        *size += sizeof(uint64_t);
        return MIN(sd_bus_message_enter_container(m, type, contents), 0);
}

bool pt_access_fits(sd_bus_message *m, size_t max)
{
        unsigned depth = 0;
        size_t size = 0;
        int r;

        if (sd_bus_message_rewind(m, true) < 0)
                return false;
        do {
                r = measure(m, &depth, &size);
        } while (r == 0 && size <= max);
        return r > 0;
}

static void print_rows(const PtAccessRow *rows, GString *out)
{
        static const char *const members[] = {
                [PT_ACCESS_READ] = "<read>", [PT_ACCESS_WRITE] = "<write>"};
        static const char *const abouts[] = {
                [PT_ABOUT_NOTHING] = "-", [PT_ABOUT_KIND] = "kind", [PT_ABOUT_OBJECT] = "object"};

        for (const PtAccessRow *row = rows; row && row->interface; row++)
                g_string_append_printf(
                        out, "%s %s %s %s\n", row->interface[0] ? row->interface : "*",
                        row->what == PT_ACCESS_CALL ? row->member : members[row->what],
                        pt_action_to_string(row->action), abouts[row->about]);
}

void pt_access_print(const PtAccessTable *table, GString *out)
{
        print_rows(table->rows, out);
        print_rows(pt_access_common, out);
}
