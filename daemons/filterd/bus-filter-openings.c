/* SPDX-License-Identifier: GPL-3.0-or-later */

/* org.patronus.Filter1: ports of the router that are opened at run time (docs/RUNTIME.md). */

#include "bus-addresses.h"

#include "base/text.h"
#include "kind/field.h"

#include <string.h>

typedef struct Options {
        uint64_t present;
        char *zone;
        uint64_t time; /* microseconds */
        PtAddressRange source;
} Options;

enum { OPTION_ZONE, OPTION_FOR, OPTION_SOURCE };

static const PtField rows[] = {
        [OPTION_ZONE] = PT_FIELD(Options, name, zone, "zone", 0),
        [OPTION_FOR] = PT_FIELD(Options, duration, time, "for", 0, .min = G_USEC_PER_SEC),
        [OPTION_SOURCE] = PT_FIELD(Options, address_range, source, "source", 0),
        {},
};

static void options_done(Options *options)
{
        pt_fields_done(rows, options, options->present);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_done)

static bool has(const Options *options, unsigned row)
{
        return options->present >> row & 1;
}

static int fail(int r, const char *zone, sd_bus_error *error)
{
        if (r == -ENOENT)
                return pt_bus_fail(error, r, "There is no zone \"%s\" in force", zone);
        if (r == -EFBIG)
                return pt_bus_fail(error, r, "%u openings are there already", FW_OPENINGS_MAX);
        if (r == -EBUSY)
                return pt_bus_fail(error, r, "%u changes wait already", FW_BAN_QUEUE_MAX);
        return pt_bus_fail(error, r, "The openings cannot be changed: %s", g_strerror(-r));
}

/* "tcp/22 from lan (10.0.0.0/8)", "tcp/22" */
static char *describe(const FwOpening *opening)
{
        GString *out = g_string_new(NULL);

        fw_opening_format_port(opening, out);
        if (opening->zone[0])
                g_string_append_printf(out, " from %s", opening->zone);
        if (opening->source.family) {
                g_string_append(out, " (");
                fw_ban_format(&opening->source, out);
                g_string_append_c(out, ')');
        }
        return g_string_free(out, FALSE);
}

static int read_source(const Options *options, FwOpening *opening, sd_bus_error *error)
{
        if (!has(options, OPTION_SOURCE))
                return 0;
        if (options->source.plen == PT_PLEN_RANGE)
                return pt_bus_fail(error, -EINVAL, "source is an address or a prefix, no range");
        opening->source.family = options->source.family;
        opening->source.plen = options->source.plen;
        memcpy(opening->source.address, options->source.lo,
               options->source.family == AF_INET ? 4 : 16);
        return 0;
}

typedef struct Call {
        FwAct *act;
        char *zone;
} Call;

static void call_free(Call *call)
{
        fw_act_free(call->act);
        g_free(call->zone);
        g_free(call);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Call, call_free)

static Call *call_new(FwManager *manager, sd_bus_message *m, const char *zone, char *subject)
{
        Call *call = g_new0(Call, 1);

        call->act = fw_act_new(manager, m, subject);
        call->zone = g_strdup(zone);
        return call;
}

static void answer_failure(const Call *call, int r)
{
        pt_auto_error error = SD_BUS_ERROR_NULL;

        (void) fail(r, call->zone, &error);
        (void) sd_bus_reply_method_error(call->act->message, &error);
}

static void opened(int result, uint32_t id, void *userdata)
{
        g_autoptr(Call) call = userdata;
        g_autofree char *text = g_strdup_printf(FW_OPENING_ID "%u", id);

        if (result < 0)
                answer_failure(call, result);
        else
                (void) sd_bus_reply_method_return(call->act->message, "s", text);
        fw_act_end(g_steal_pointer(&call->act), result,
                   g_strdup(result < 0 ? g_strerror(-result) : text));
}

int fw_method_open_port(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        FwOpening opening = {.source.until = FW_BAN_FOREVER};
        g_auto(Options) options = {0};
        g_autofree char *reason = NULL;
        g_autoptr(Call) call = NULL;
        const char *port;
        int r = sd_bus_message_read(m, "s", &port);

        if (r >= 0 && fw_opening_parse_port(port, &opening, &reason) < 0)
                return pt_bus_fail(error, -EINVAL, "%s", reason);
        if (r >= 0)
                r = fw_bus_begin(m, rows, &options, &options.present, error);
        if (r != FW_BUS_GOES_ON)
                return r;
        r = read_source(&options, &opening, error);
        if (r < 0)
                return r;
        if (has(&options, OPTION_ZONE))
                g_strlcpy(opening.zone, options.zone, sizeof(opening.zone));
        if (has(&options, OPTION_FOR))
                opening.source.until = fw_monotonic_usec() + options.time;
        call = call_new(manager, m, opening.zone, describe(&opening));
        r = fw_openings_open(fw_manager_openings(manager), &opening, opened, call);
        if (r < 0)
                return fail(r, opening.zone, error);
        (void) g_steal_pointer(&call); /* opened()'s */
        return 1;
}

static void closed(int result, uint32_t n, void *userdata)
{
        g_autoptr(Call) call = userdata;

        if (result < 0)
                answer_failure(call, result);
        else
                (void) sd_bus_reply_method_return(call->act->message, "u", n);
        fw_act_end(g_steal_pointer(&call->act), result,
                   result < 0 ? g_strdup(g_strerror(-result)) : g_strdup_printf("%u closed", n));
}

/* What is not said may be whatever it is. */
static bool is_meant(const FwOpening *opening, const FwOpening *meant, const Options *options)
{
        if (meant->id)
                return opening->id == meant->id;
        return opening->protocol == meant->protocol && opening->ports.lo == meant->ports.lo &&
               opening->ports.hi == meant->ports.hi &&
               (!has(options, OPTION_ZONE) || strcmp(opening->zone, options->zone) == 0) &&
               (!has(options, OPTION_SOURCE) ||
                fw_ban_compare(&opening->source, &meant->source) == 0);
}

int fw_method_close_port(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        FwOpenings *openings = fw_manager_openings(manager);
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(uint32_t));
        g_auto(Options) options = {0};
        FwOpening meant = {0};
        g_autofree char *reason = NULL, *subject = NULL;
        g_autoptr(Call) call = NULL;
        const char *port;
        int r = sd_bus_message_read(m, "s", &port);

        if (r < 0)
                return r;
        meant.id = fw_opening_parse_id(port);
        if (!meant.id && fw_opening_parse_port(port, &meant, &reason) < 0)
                return pt_bus_fail(error, -EINVAL, "%s; or the id of an opening", reason);
        subject = g_strdup(port);
        r = fw_bus_begin(m, rows, &options, &options.present, error);
        if (r != FW_BUS_GOES_ON)
                return r;
        if (has(&options, OPTION_FOR))
                return pt_bus_fail(error, -EINVAL, "Nothing is closed for a time");
        r = read_source(&options, &meant, error);
        if (r < 0)
                return r;
        for (unsigned i = 0; i < fw_openings_count(openings); i++) {
                const FwOpening *opening = fw_openings_get(openings, i);

                if (is_meant(opening, &meant, &options))
                        g_array_append_val(ids, opening->id);
        }
        if (ids->len == 0)
                return sd_bus_reply_method_return(m, "u", 0);
        call = call_new(manager, m, options.zone, g_steal_pointer(&subject));
        r = fw_openings_close(openings, ids, closed, call);
        if (r < 0)
                return fail(r, "", error);
        (void) g_steal_pointer(&call); /* closed()'s */
        return 1;
}

static int append_opening(sd_bus_message *reply, const FwOpening *opening, uint64_t now)
{
        g_autofree char *id = g_strdup_printf(FW_OPENING_ID "%u", opening->id);
        g_autoptr(GString) port = g_string_new(NULL), source = g_string_new(NULL);
        uint64_t until = opening->source.until;
        uint64_t left = until == FW_BAN_FOREVER ? 0 : until > now ? until - now : 1;
        int r = sd_bus_message_open_container(reply, 'a', "{sv}");

        fw_opening_format_port(opening, port);
        if (r >= 0)
                r = sd_bus_message_append(reply, "{sv}{sv}{sv}", "id", "s", id, "port", "s",
                                          port->str, "remainingUSec", "t", left);
        if (r >= 0 && opening->zone[0])
                r = sd_bus_message_append(reply, "{sv}", "zone", "s", opening->zone);
        if (opening->source.family)
                fw_ban_format(&opening->source, source);
        if (r >= 0 && source->len > 0)
                r = sd_bus_message_append(reply, "{sv}", "source", "s", source->str);
        return r < 0 ? r : sd_bus_message_close_container(reply);
}

int fw_method_list_open_ports(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        FwManager *manager = userdata;
        const FwOpenings *openings = fw_manager_openings(manager);
        pt_auto_message *reply = NULL;
        uint64_t now = fw_monotonic_usec();
        int r = sd_bus_message_new_method_return(m, &reply);

        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "a{sv}");
        for (unsigned i = 0; r >= 0 && i < fw_openings_count(openings); i++)
                r = append_opening(reply, fw_openings_get(openings, i), now);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        return r < 0 ? r : sd_bus_send(NULL, reply, NULL);
}
