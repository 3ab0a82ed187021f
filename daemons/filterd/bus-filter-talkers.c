/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: top talkers (docs/DBUS.md). */

#include "bus-filter.h"

#include "base/io.h"
#include "connections.h"
#include "kind/field.h"

#include <arpa/inet.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_DEFAULT 20
#define PAGE_BYTES (sizeof(FwTalkTotal) + FW_TALK_ROWS_MAX * sizeof(FwTalker))

static const PtChoice groups[] = {
        {"source", FW_TALK_SOURCE, NULL}, {"destination", FW_TALK_DESTINATION, NULL},
        {"pair", FW_TALK_PAIR, NULL},     {"service", FW_TALK_SERVICE, NULL},
        {"zone", FW_TALK_ZONE, NULL},     {},
};

static const PtChoice measures[] = {
        {"bytes", FW_TALK_BYTES, NULL},
        {"packets", FW_TALK_PACKETS, NULL},
        {"connections", FW_TALK_CONNECTIONS, NULL},
        {},
};

typedef struct Options {
        uint64_t present;
        uint32_t limit;
        int by, what;
} Options;

/* clang-format off */
static const PtField rows[] = {
        PT_FIELD(Options, u32, limit, "limit", 0, .min = 1, .max = FW_TALK_ROWS_MAX),
        PT_FIELD(Options, enum, by, "by", 0, .choices = groups),
        PT_FIELD(Options, enum, what, "what", 0, .choices = measures),
        {},
};
/* clang-format on */

typedef struct Call {
        FwManager *manager;
        sd_bus_message *message; /* referenced */
        FwTalkBy by;
} Call;

static void call_free(Call *call)
{
        sd_bus_message_unref(call->message);
        g_free(call);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Call, call_free)

static int append_address(sd_bus_message *m, const char *key, uint8_t family,
                          const uint8_t *address)
{
        char text[INET6_ADDRSTRLEN];

        if (!inet_ntop(family, address, text, sizeof(text)))
                return -errno;
        return sd_bus_message_append(m, "{sv}", key, "s", text);
}

static int append_service(sd_bus_message *m, const FwTalkKey *key)
{
        char buffer[PT_PROTOCOL_TEXT_MAX], text[PT_PROTOCOL_TEXT_MAX + 8];
        const char *protocol = pt_connection_protocol(key->protocol, buffer);

        if (key->has_port)
                (void) g_snprintf(text, sizeof(text), "%s/%u", protocol, key->port);
        else
                g_strlcpy(text, protocol, sizeof(text));
        return sd_bus_message_append(m, "{sv}", "service", "s", text);
}

static int append_zone(sd_bus_message *m, const char *key, const FwZone *zone)
{
        return zone ? sd_bus_message_append(m, "{sv}", key, "s", zone->name) : 0;
}

/* An end of the row's connections: its address, and its zone, if it is the same of all of them that are
 * marked. */
static int append_end(sd_bus_message *m, const FwTalker *row, unsigned side,
                      const FwZone *const *marked)
{
        const FwTalkKey *key = &row->key;
        int r = append_address(m, side ? "destination" : "source", key->family,
                               side ? key->destination : key->source);

        if (r < 0 || row->zones[side] != FW_TALK_ONE)
                return r;
        return append_zone(m, side ? "to" : "from", marked[row->marks[side]]);
}

static int append_key(sd_bus_message *m, FwTalkBy by, const FwTalker *row,
                      const FwZone *const *marked)
{
        const FwTalkKey *key = &row->key;
        int r;

        switch (by) {
        case FW_TALK_SOURCE:
                return append_end(m, row, 0, marked);
        case FW_TALK_DESTINATION:
                return append_end(m, row, 1, marked);
        case FW_TALK_PAIR:
                r = append_end(m, row, 0, marked);
                return r < 0 ? r : append_end(m, row, 1, marked);
        case FW_TALK_SERVICE:
                return append_service(m, key);
        case FW_TALK_ZONE:
                if (!key->has_zones)
                        return 0;
                r = append_zone(m, "from", marked[key->from]);
                return r < 0 ? r : append_zone(m, "to", marked[key->to]);
        case FW_TALK_BY_MAX:
                break;
        }
        return -EINVAL;
}

static int append_row(sd_bus_message *m, FwTalkBy by, const FwTalker *row,
                      const FwZone *const *marked)
{
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r >= 0)
                r = append_key(m, by, row, marked);
        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}", "connections", "t", row->connections,
                                          "uncounted", "t", row->uncounted);
        if (r >= 0 && row->uncounted < row->connections)
                r = sd_bus_message_append(
                        m, "{sv}{sv}{sv}{sv}{sv}{sv}", "bytes", "t", row->bytes[0] + row->bytes[1],
                        "bytesThere", "t", row->bytes[0], "bytesBack", "t", row->bytes[1],
                        "packets", "t", row->packets[0] + row->packets[1], "packetsThere", "t",
                        row->packets[0], "packetsBack", "t", row->packets[1]);
        if (r >= 0 && row->missed > 0)
                r = sd_bus_message_append(m, "{sv}", "missed", "t", row->missed);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_total(sd_bus_message *m, const FwTalkTotal *total)
{
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}{sv}{sv}", "what", "s",
                                          measures[total->what].name, "connections", "t",
                                          total->connections, "uncounted", "t", total->uncounted,
                                          "thrown", "t", total->thrown);
        if (r >= 0 && total->uncounted < total->connections)
                r = sd_bus_message_append(m, "{sv}{sv}", "bytes", "t", total->bytes, "packets", "t",
                                          total->packets);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int reply_with(const Call *call, const FwTalkTotal *total, const FwTalker *list)
{
        const FwLayout *layout = fw_engine_layout(fw_manager_engine(call->manager));
        const FwZone *marked[FW_ZONE_MARKS] = {NULL};
        pt_auto_message *reply = NULL;
        int r = sd_bus_message_new_method_return(call->message, &reply);

        if (layout)
                fw_zones_by_mark(layout->zones, marked);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (unsigned i = 0; r >= 0 && i < total->rows; i++)
                r = append_row(reply, call->by, &list[i], marked);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = append_total(reply, total);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}

static int answer(const Call *call, int fd)
{
        g_autofree char *page = NULL;
        FwTalkTotal total;
        size_t size;
        int r = pt_read_all(fd, PAGE_BYTES, &page, &size);

        if (r < 0)
                return r;
        if (size < sizeof(total))
                return -EBADMSG;
        memcpy(&total, page, sizeof(total));
        if (total.what >= FW_TALK_WHAT_MAX || total.rows > FW_TALK_ROWS_MAX ||
            size != sizeof(total) + total.rows * sizeof(FwTalker))
                return -EBADMSG;
        return reply_with(call, &total, (const void *) (page + sizeof(total)));
}
G_STATIC_ASSERT(sizeof(FwTalkTotal) % sizeof(uint64_t) == 0);

static void talked(int result, int fd, uint32_t n, const char *next, void *userdata)
{
        g_autoptr(Call) call = userdata;
        pt_auto_fd int page = fd;
        int r = result < 0 ? result : answer(call, page);

        if (r < 0)
                (void) sd_bus_reply_method_errnof(call->message, r,
                                                  "The connections cannot be read: %m");
}

int fw_method_top_talkers(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        Options options = {.limit = LIMIT_DEFAULT, .by = FW_TALK_SOURCE, .what = FW_TALK_BYTES};
        Call *call;
        int r = fw_bus_begin(m, rows, &options, &options.present, error);

        if (r != FW_BUS_GOES_ON)
                return r;
        call = g_new0(Call, 1);
        *call = (Call){manager, sd_bus_message_ref(m), (FwTalkBy) options.by};
        r = fw_connections_talk(fw_manager_connections(manager), (FwTalkBy) options.by,
                                (FwTalkWhat) options.what, options.limit, talked, call);
        if (r >= 0)
                return 1; /* it is talked()'s */
        call_free(call);
        if (r == -EBUSY)
                return pt_bus_fail(error, r,
                                   "%u listings of connections are open: read one to its end, or "
                                   "try again in %u s",
                                   FW_LISTINGS_MAX,
                                   (unsigned) (FW_LISTING_IDLE_USEC / G_USEC_PER_SEC));
        return pt_bus_fail(error, r, "The connections cannot be read: %s", g_strerror(-r));
}
