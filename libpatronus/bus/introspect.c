/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/introspect.h"

#include "base/macros.h"
#include "bus/bus.h"
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-id128.h>

#define XML_DOCTYPE                                                                                \
        "<!DOCTYPE node PUBLIC \"-//freedesktop//DTD D-BUS Object Introspection 1.0//EN\"\n"       \
        "\"https://www.freedesktop.org/standards/dbus/1.0/introspect.dtd\">\n"

typedef struct Introspection {
        const char *path;
        GString *out;
        int result; /* -EINPROGRESS until the answer is there */
} Introspection;

static void bus_closep(sd_bus **bus)
{
        sd_bus_close_unref(*bus);
}

/* Copies the interfaces of one answer, line by line as sd-bus wrote them. */
static void append_node(GString *out, const char *path, const char *xml)
{
        g_auto(GStrv) lines = g_strsplit(xml, "\n", -1);
        bool skip = false;

        g_string_append_printf(out, " <node name=\"%s\">\n", path + 1);
        for (char **line = lines; *line; line++) {
                if (!g_str_has_prefix(*line, " "))
                        continue; /* the document's own <node> */
                if (g_str_has_prefix(*line, " <node "))
                        continue; /* a child's name; its content is asked for by its own path */
                if (g_str_has_prefix(*line, " <interface name=\"org.freedesktop.DBus."))
                        skip = true;
                if (!skip)
                        g_string_append_printf(out, " %s\n", *line);
                if (g_str_has_prefix(*line, " </interface>"))
                        skip = false;
        }
        g_string_append(out, " </node>\n");
}

static int introspected(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        Introspection *i = userdata;
        const char *xml;
        int r;

        if (sd_bus_message_is_method_error(reply, NULL)) {
                i->result = -sd_bus_message_get_errno(reply);
                return 0;
        }
        r = sd_bus_message_read(reply, "s", &xml);
        if (r >= 0)
                append_node(i->out, i->path, xml);
        i->result = MIN(r, 0);
        return 0;
}

static int open_end(sd_event *event, int *fd, bool server, sd_bus **ret)
{
        pt_cleanup(bus_closep) sd_bus *bus = NULL;
        sd_id128_t id;
        int r;

        r = sd_bus_new(&bus);
        if (r < 0)
                return r;
        r = sd_bus_set_fd(bus, *fd, *fd);
        if (r < 0)
                return r;
        *fd = -EBADF;
        if (server) {
                r = sd_id128_randomize(&id);
                if (r < 0)
                        return r;
                r = sd_bus_set_server(bus, 1, id);
                if (r < 0)
                        return r;
        }
        r = sd_bus_start(bus);
        if (r < 0)
                return r;
        r = sd_bus_attach_event(bus, event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&bus);
        return 0;
}

int pt_introspect(sd_event *event, int (*attach)(sd_bus *bus, void *userdata), void *userdata,
                  const char *const *paths, GString *out)
{
        pt_cleanup(bus_closep) sd_bus *server = NULL, *client = NULL;
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
                return -errno;
        pt_auto_fd int near = pair[0], far = pair[1];

        r = open_end(event, &far, true, &server);
        if (r < 0)
                return r;
        r = attach(server, userdata);
        if (r < 0)
                return r;
        r = open_end(event, &near, false, &client);
        if (r < 0)
                return r;

        g_string_append(out, XML_DOCTYPE "<node>\n");
        for (const char *const *path = paths; *path; path++) {
                Introspection i = {.path = *path, .out = out, .result = -EINPROGRESS};

                r = sd_bus_call_method_async(client, NULL, NULL, *path,
                                             "org.freedesktop.DBus.Introspectable", "Introspect",
                                             introspected, &i, "");
                if (r < 0)
                        return r;
                while (i.result == -EINPROGRESS) {
                        r = sd_event_run(event, UINT64_MAX);
                        if (r < 0)
                                return r;
                }
                if (i.result < 0)
                        return i.result;
        }
        g_string_append(out, "</node>\n");
        return 0;
}
