/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus/log-control.h"

#include "base/log.h"
#include "bus/bus.h"

/* Names as in syslog.conf(5) and systemd. */
static const char *const log_levels[] = {
        [LOG_EMERG] = "emerg", [LOG_ALERT] = "alert",     [LOG_CRIT] = "crit",
        [LOG_ERR] = "err",     [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
        [LOG_INFO] = "info",   [LOG_DEBUG] = "debug",
};

int pt_log_level_from_string(const char *text)
{
        if (text[0] >= '0' && text[0] <= '7' && !text[1])
                return text[0] - '0';
        for (int i = 0; i < (int) G_N_ELEMENTS(log_levels); i++)
                if (g_str_equal(text, log_levels[i]))
                        return i;
        return -EINVAL;
}

const char *pt_log_level_to_string(int level)
{
        return level >= 0 && level < (int) G_N_ELEMENTS(log_levels) ? log_levels[level] : NULL;
}

static int get_level(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", pt_log_level_to_string(pt_log_level()));
}

static int set_level(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *value, void *userdata, sd_bus_error *error)
{
        const char *text;
        int level, r;

        r = sd_bus_message_read(value, "s", &text);
        if (r < 0)
                return r;
        level = pt_log_level_from_string(text);
        if (level < 0)
                return pt_bus_fail(error, level,
                                   "The log level is one of emerg, alert, crit, err, "
                                   "warning, notice, info, debug");
        pt_log_set_level(level);
        return 0;
}

static int get_target(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", "auto");
}

static int set_target(sd_bus *bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *value, void *userdata, sd_bus_error *error)
{
        const char *text;
        int r;

        r = sd_bus_message_read(value, "s", &text);
        if (r < 0)
                return r;
        if (!g_str_equal(text, "auto"))
                return pt_bus_fail(error, -EINVAL,
                                   "The log target is always auto: the journal, or "
                                   "standard error when that is not the journal");
        return 0;
}

static int get_identifier(sd_bus *bus, const char *path, const char *interface,
                          const char *property, sd_bus_message *reply, void *userdata,
                          sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", userdata);
}

/* As in org.freedesktop.LogControl1(5). UNPRIVILEGED: the guard decides (bus/access.h). */
static const sd_bus_vtable log_control_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_WRITABLE_PROPERTY("LogLevel", "s", get_level, set_level, 0,
                                 SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_WRITABLE_PROPERTY("LogTarget", "s", get_target, set_target, 0,
                                 SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("SyslogIdentifier", "s", get_identifier, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};

int pt_log_control_attach(sd_bus *bus, const char *identifier)
{
        return sd_bus_add_object_vtable(bus, NULL, PT_LOG_CONTROL_PATH,
                                        "org.freedesktop.LogControl1", log_control_vtable,
                                        (void *) identifier);
}
