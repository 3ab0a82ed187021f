/* SPDX-License-Identifier: GPL-3.0-or-later */

/* filter why: what the policy does with a packet, and with many. */

#include "filter.h"

#include "base/io.h"
#include "commit.h"
#include "message.h"
#include "output.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The slice that the file would make, into *ret; without --file nothing: the one in force. */
static int open_candidate(Ctl *ctl, sd_bus_message **ret)
{
        g_auto(CtlInput) input = {.fd = -EBADF};
        g_autofree char *path = NULL;
        CtlTarget session;
        int r;

        if (!ctl->values[CTL_FILE])
                return CTL_DONE;
        r = ctl_input_open(ctl, &input);
        if (r == CTL_DONE)
                r = ctl_open_session(ctl, &path, &session);
        if (r == CTL_DONE)
                r = ctl_session_load(ctl, &session, &input);
        if (r == CTL_DONE)
                r = ctl_ask(ctl, &session, "GetSlice", CTL_CALL_READS, ret, "s", "filterd");
        return r;
}

/* When: seconds since 1970; NULL: that is no time. */
static GDateTime *read_time(const char *text)
{
        static const char minute[] = "2026-12-24T18:00";
        g_autoptr(GTimeZone) zone = g_time_zone_new_local();
        g_autofree char *whole = NULL;
        size_t n = strlen(minute);

        /* People say no seconds; ISO 8601 lets them, GLib does not. */
        if (strlen(text) >= n && text[n - 3] == ':' && text[n] != ':')
                whole = g_strdup_printf("%.*s:00%s", (int) n, text, text + n);
        return g_date_time_new_from_iso8601(whole ?: text, zone);
}

static int check_time(const Ctl *ctl)
{
        const char *text = ctl->values[CTL_AT];
        g_autoptr(GDateTime) at = text ? read_time(text) : NULL;

        if (!text || at)
                return CTL_DONE;
        ctl_error("\"%s\" is no time; write 2026-12-24T18:00, and a zone behind it (Z, +01) if it "
                  "is not the machine's",
                  text);
        return CTL_USAGE;
}

/* The options of the call: the slice and the time, if there are any. */
static int append_options(const Ctl *ctl, sd_bus_message *slice, sd_bus_message *m)
{
        g_autoptr(GDateTime) at = ctl->values[CTL_AT] ? read_time(ctl->values[CTL_AT]) : NULL;
        int fd, r;

        r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0 && at)
                r = sd_bus_message_append(m, "{sv}", "at", "t",
                                          (uint64_t) MAX(g_date_time_to_unix(at), 0));
        if (r >= 0 && slice)
                r = sd_bus_message_read(slice, "h", &fd);
        if (r >= 0 && slice)
                r = sd_bus_message_append(m, "{sv}", "slice", "h", fd);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* One packet: options by their names; lists have commas. */
static int append_packet(const Ctl *ctl, sd_bus_message *m)
{
        int r = sd_bus_message_open_container(m, 'a', "{sv}");

        for (unsigned i = CTL_FROM; r >= 0 && i <= CTL_FRAGMENT; i++) {
                if (!ctl->values[i])
                        continue;
                if (i == CTL_FLAGS || i == CTL_TAG) {
                        g_auto(GStrv) words = g_strsplit(ctl->values[i], ",", -1);

                        r = ctl_append_strings(m, ctl_options[i].name, words);
                } else if (i == CTL_FRAGMENT) {
                        r = sd_bus_message_append(m, "{sv}", ctl_options[i].name, "b", true);
                } else {
                        r = ctl_append_string(m, ctl_options[i].name, ctl->values[i]);
                }
        }
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static void print_ends(struct json_object *answer)
{
        g_autofree char *from = ctl_safe(ctl_json_string(answer, "from")),
                        *to = ctl_safe(ctl_json_string(answer, "to")),
                        *in = ctl_safe(ctl_json_string(answer, "in")),
                        *out = ctl_safe(ctl_json_string(answer, "out"));

        printf("from %s%s%s%s to %s%s%s%s", from, in[0] ? " (" : "", in, in[0] ? ")" : "", to,
               out[0] ? " (" : "", out, out[0] ? ")" : "");
}

static void print_ports(struct json_object *answer)
{
        g_autofree char *bridge = ctl_safe(ctl_json_string(answer, "bridge")),
                        *in = ctl_safe(ctl_json_string(answer, "in")),
                        *out = ctl_safe(ctl_json_string(answer, "out"));

        printf("over bridge %s from %s to %s", bridge, in[0] ? in : "this machine",
               out[0] ? out : "this machine");
}

static void print_place(struct json_object *answer)
{
        uint64_t place = ctl_json_number(answer, "place");

        if (ctl_json_string(answer, "bridge")[0])
                print_ports(answer);
        else
                print_ends(answer);
        if (place > 0)
                printf("; rule %" PRIu64 " of %" PRIu64 " in their order", place,
                       ctl_json_number(answer, "places"));
        printf("\n");
}

static void print_foreign(struct json_object *answer)
{
        struct json_object *foreign = ctl_json_at(answer, "foreign");
        size_t n = foreign ? json_object_array_length(foreign) : 0;

        for (size_t i = 0; i < n; i++) {
                g_autofree char *text =
                        ctl_safe(json_object_get_string(json_object_array_get_idx(foreign, i)));

                printf("not asked: %s; what it drops is dropped\n", text);
        }
}

static int print_answer(const Ctl *ctl, struct json_object *answer)
{
        const char *verdict = ctl_json_string(answer, "verdict");
        g_autofree char *text = ctl_safe(ctl_json_string(answer, "text")),
                        *error = ctl_safe(ctl_json_string(answer, "error")),
                        *pointer = ctl_safe(ctl_json_string(answer, "pointer"));
        bool passes = strcmp(verdict, "allow") == 0;

        if (error[0]) {
                ctl_error("%s%s%s", pointer[0] ? pointer + 1 : "", pointer[0] ? ": " : "", error);
                return CTL_USAGE;
        }
        if (!ctl_format_is_table(ctl->format) && ctl->format != CTL_FORMAT_MAX) {
                ctl_print_json(answer, ctl->format);
        } else {
                printf("%s%s%s: %s\n", ctl_colour(stdout, passes ? CTL_GREEN : CTL_RED), verdict,
                       ctl_colour(stdout, CTL_PLAIN), text);
                print_place(answer);
                print_foreign(answer);
        }
        return passes ? CTL_DONE : strcmp(verdict, "drop") == 0 ? CTL_DROPPED : CTL_REJECTED;
}

/* `r`: how far the question has come to be written; CTL_DONE. */
static int ask(Ctl *ctl, sd_bus_message *slice, sd_bus_message *m, int r, sd_bus_message **ret)
{
        if (r >= 0)
                r = append_options(ctl, slice, m);
        return r < 0 ? r : ctl_call(ctl, m, CTL_CALL_READS, ret);
}

static int ask_one(Ctl *ctl, sd_bus_message *slice)
{
        pt_auto_message *m = NULL, *reply = NULL;
        pt_auto_json *answer = NULL;
        int r = ctl_method(ctl, &ctl_filter, "Explain", &m);

        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_open_container(m, 'a', "a{sv}");
        if (r >= 0)
                r = append_packet(ctl, m);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        r = ask(ctl, slice, m, r, &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_enter_container(reply, 'a', "a{sv}");
        if (r >= 0)
                r = ctl_message_to_json(reply, &answer);
        return r < 0 ? r : print_answer(ctl, answer);
}

/* Copies the answers; whether one is of a packet that is none. */
static int copy_answers(int fd, bool *ret_bad)
{
        g_autofree char *text = NULL;
        size_t size;
        int r = lseek(fd, 0, SEEK_SET) < 0 ? -errno : pt_read_all(fd, SIZE_MAX / 2, &text, &size);

        if (r < 0)
                return r;
        for (const char *line = text, *end = text + size; line < end;) {
                const char *next = memchr(line, '\n', (size_t) (end - line));

                *ret_bad = *ret_bad || g_str_has_prefix(line, "{\"error\"");
                line = next ? next + 1 : end;
        }
        return fwrite(text, 1, size, stdout) == size ? 0 : -EIO;
}

static int ask_batch(Ctl *ctl, sd_bus_message *slice)
{
        pt_auto_message *m = NULL, *reply = NULL;
        g_auto(CtlInput) input = {.fd = -EBADF};
        bool bad = false;
        int r, fd;

        for (unsigned i = CTL_FROM; i <= CTL_FRAGMENT; i++)
                if (ctl->values[i]) {
                        ctl_error("--batch has the packets; it does not go with --%s",
                                  ctl_options[i].name);
                        return CTL_USAGE;
                }
        r = ctl_input_open_file(ctl->values[CTL_BATCH], &input);
        if (r == CTL_DONE)
                r = ctl_method(ctl, &ctl_filter, "ExplainBatch", &m);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_append(m, "h", input.fd);
        r = ask(ctl, slice, m, r, &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "h", &fd);
        if (r >= 0)
                r = copy_answers(fd, &bad);
        return r < 0 ? r : bad ? CTL_REFUSED : CTL_DONE;
}

int ctl_run_filter_why(Ctl *ctl)
{
        pt_auto_message *slice = NULL;
        int r = check_time(ctl);

        if (r == CTL_DONE)
                r = open_candidate(ctl, &slice);

        if (r != CTL_DONE)
                return r;
        return ctl->values[CTL_BATCH] ? ask_batch(ctl, slice) : ask_one(ctl, slice);
}
