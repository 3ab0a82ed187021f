/* SPDX-License-Identifier: GPL-3.0-or-later */

/* filter log: the last lines of the firewall's log, and those that come. */

#include "filter.h"

#include "conditions.h"
#include "filter/log-record.h"
#include "kind/field.h"
#include "kind/vardict.h"
#include "output.h"
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LINES_DEFAULT 20
#define READ_SIZE 65536

/* Conditions that the filter takes. */
static int check_conditions(struct json_object *conditions)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        FwLogFilter filter = {0};
        int r = pt_fields_from_json(fw_log_filter_fields, conditions, "", diag, &filter,
                                    &filter.present);

        pt_fields_done(fw_log_filter_fields, &filter, filter.present);
        if (r == 0)
                return CTL_DONE;
        ctl_say_diagnostics(diag);
        return CTL_USAGE;
}

static int append_options(sd_bus_message *m, struct json_object *conditions, uint32_t history,
                          bool follow)
{
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        if (r >= 0)
                r = sd_bus_message_append(m, "{sv}{sv}", "history", "u", history, "follow", "b",
                                          follow);
        if (r >= 0)
                r = pt_fields_append_entry("filter", fw_log_filter_fields, conditions, m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static void append_time(uint64_t usec, GString *out)
{
        time_t seconds = (time_t) (usec / G_USEC_PER_SEC);
        char text[sizeof("2026-12-24 23:59:59")];
        struct tm local;

        if (!localtime_r(&seconds, &local) ||
            strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &local) == 0)
                return;
        g_string_append_printf(out, "%s.%03u", text, (unsigned) (usec / 1000 % 1000));
}

/* " name value" where there is one; `before` and `after` stand around it. */
static void word(struct json_object *json, const char *path, const char *before, const char *after,
                 GString *out)
{
        struct json_object *value = ctl_json_at(json, path);
        g_autofree char *safe = NULL;

        if (!value)
                return;
        safe = ctl_safe(json_object_get_string(value));
        g_string_append_printf(out, "%s%s%s", before, safe, after);
}

static void append_end(struct json_object *json, const char *address, const char *port,
                       GString *out)
{
        bool brackets = ctl_json_at(json, port) && strchr(ctl_json_string(json, address), ':');

        word(json, address, brackets ? "[" : "", brackets ? "]" : "", out);
        word(json, port, ":", "", out);
}

static void append_packet(struct json_object *json, GString *out)
{
        word(json, ctl_json_at(json, "protocol") ? "protocol" : "family", " ", "", out);
        word(json, "icmpType", " ", "", out);
        word(json, "icmpCode", "/", "", out);
        g_string_append_c(out, ' ');
        append_end(json, "source", "sourcePort", out);
        g_string_append(out, " > ");
        append_end(json, "destination", "destinationPort", out);
        word(json, "flags", " ", "", out);
        if (ctl_json_at(json, "fragment"))
                g_string_append(out, " fragment");
        word(json, "length", " ", " bytes", out);
}

static CtlColour colour_of(const char *verdict)
{
        return g_str_has_prefix(verdict, "audit:") ? CTL_YELLOW
               : g_str_equal(verdict, "allow")     ? CTL_GREEN
                                                   : CTL_RED;
}

static void print_text(struct json_object *json)
{
        g_autoptr(GString) out = g_string_new(NULL);
        const char *verdict = ctl_json_string(json, "verdict");

        append_time(ctl_json_number(json, "time"), out);
        if (ctl_json_at(json, "lost")) {
                printf("%s -- %" PRIu64 " lines are missing here\n", out->str,
                       ctl_json_number(json, "lost"));
                return;
        }
        printf("%s %s%-6s%s", out->str, ctl_colour(stdout, colour_of(verdict)),
               *verdict ? verdict : "logged", ctl_colour(stdout, CTL_PLAIN));
        g_string_truncate(out, 0);
        if (ctl_json_at(json, "rule.name")) {
                word(json, "rule.kind", " ", "/", out);
                word(json, "rule.name", "", "", out);
        } else {
                word(json, "reason", " (", ")", out);
        }
        word(json, "from", " from ", "", out);
        word(json, "to", " to ", "", out);
        word(json, "in", " in ", "", out);
        word(json, "out", " out ", "", out);
        if (ctl_json_at(json, "source"))
                append_packet(json, out);
        puts(out->str);
}

static int print_line(CtlFormat format, const char *line, size_t size)
{
        pt_auto_json *json = NULL;

        if (format == CTL_JSON)
                return fwrite(line, 1, size + 1, stdout) == size + 1 ? CTL_DONE : -EIO;
        if (pt_json_parse(line, size, NULL, &json) < 0)
                return -EBADMSG;
        if (format == CTL_YAML)
                ctl_print_json(json, format);
        else
                print_text(json);
        return CTL_DONE;
}

/* Until the other end closes; lines are shown as soon as they are there. */
static int print_all(int fd, CtlFormat format, uint64_t *printed)
{
        g_autoptr(GString) text = g_string_new(NULL);
        g_autofree char *buffer = g_malloc(READ_SIZE);

        for (;;) {
                ssize_t n = read(fd, buffer, READ_SIZE);
                size_t begin = 0;
                const char *end;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0)
                        return CTL_DONE;
                g_string_append_len(text, buffer, n);
                while ((end = memchr(text->str + begin, '\n', text->len - begin))) {
                        int r = print_line(format, text->str + begin,
                                           (size_t) (end - text->str) - begin);

                        if (r != CTL_DONE)
                                return r;
                        begin = (size_t) (end - text->str) + 1;
                        ++*printed;
                }
                g_string_erase(text, 0, (gssize) begin);
                if (fflush(stdout) != 0) /* who read us has left: main() says nothing of it */
                        return -errno;
        }
}

int ctl_run_filter_log(Ctl *ctl)
{
        CtlFormat format = ctl->format == CTL_FORMAT_MAX ? CTL_TABLE : ctl->format;
        pt_auto_json *conditions = NULL;
        pt_auto_message *m = NULL, *reply = NULL;
        uint64_t lines = LINES_DEFAULT, printed = 0;
        bool follow = ctl->values[CTL_FOLLOW];
        int fd, r = ctl_read_conditions(ctl, fw_log_filter_fields, "a line of the log",
                                        &conditions);

        if (r == CTL_DONE)
                r = check_conditions(conditions);
        if (r == CTL_DONE && ctl->values[CTL_LIMIT])
                r = ctl_parse_limit(ctl, &lines);
        if (r == CTL_DONE)
                r = ctl_method(ctl, &ctl_filter, "Follow", &m);
        if (r != CTL_DONE)
                return r;
        r = append_options(m, conditions, (uint32_t) MIN(lines, FW_LOG_KEPT), follow);
        if (r >= 0)
                r = ctl_call(ctl, m, CTL_CALL_READS, &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "h", &fd);
        if (r < 0)
                return r;
        r = print_all(fd, format, &printed);
        if (r == CTL_DONE && follow)
                ctl_error("filterd has ended the log: it was stopped, or starts anew");
        else if (r == CTL_DONE && printed == 0)
                fprintf(stderr, "nothing was logged%s\n",
                        json_object_object_length(conditions) > 0 ? " of that" : "");
        return r == CTL_DONE && follow ? CTL_UNREACHABLE : r;
}
