/* SPDX-License-Identifier: GPL-3.0-or-later */

/* diff: configd compares fields, and filterd what becomes of packets; this shows their JSON lines. */

#include "call.h"
#include "filter.h"
#include "input.h"
#include "message.h"
#include "output.h"
#include <fcntl.h>
#include "commit.h"
#include <stdlib.h>
#include <string.h>

static int say_no_such_history(void)
{
        ctl_error("there are no two revisions yet to compare");
        return CTL_REFUSED;
}

/* Number of the running revision, and in ret_parent of the one before it (0: none). */
static int running_revision(Ctl *ctl, uint64_t *ret, uint64_t *ret_parent)
{
        pt_auto_message *reply = NULL;
        pt_auto_json *revisions = NULL;
        struct json_object *newest;
        int r;

        r = ctl_ask(ctl, &ctl_config, "ListRevisions", CTL_CALL_READS, &reply, "a{sv}", 1, "limit",
                    "u", 1U);
        if (r != CTL_DONE)
                return r;
        r = ctl_message_to_json(reply, &revisions);
        if (r < 0)
                return r;
        newest = json_object_array_get_idx(revisions, 0);
        if (!newest)
                return say_no_such_history();
        *ret = ctl_json_number(newest, "number");
        *ret_parent = ctl_json_number(newest, "parent");
        return CTL_DONE;
}

/* A field's change, on one line where it fits: "    /spec/ports: [80] → [80, 443]". */
static void print_field(struct json_object *field)
{
        g_autofree char *pointer = ctl_safe(ctl_json_string(field, "pointer"));
        struct json_object *before = ctl_json_at(field, "before"),
                           *after = ctl_json_at(field, "after");
        g_autofree char *from = before ? ctl_safe(json_object_get_string(before)) : NULL;
        g_autofree char *to = after ? ctl_safe(json_object_get_string(after)) : NULL;
        const char *impact = ctl_json_string(field, "impact");

        printf("    %s: ", pointer);
        if (from)
                printf("%s%s%s", ctl_colour(stdout, CTL_RED), from, ctl_colour(stdout, CTL_PLAIN));
        if (from && to)
                printf(" -> ");
        if (to)
                printf("%s%s%s", ctl_colour(stdout, CTL_GREEN), to, ctl_colour(stdout, CTL_PLAIN));
        if (from && !to)
                printf(" (unset)");
        if (from && *impact && strcmp(impact, pt_impact_to_string(PT_IMPACT_LIVE)) != 0)
                printf(" [%s]", impact);
        putchar('\n');
}

static void print_object(struct json_object *change)
{
        struct json_object *fields = ctl_json_at(change, "fields");

        ctl_print_change(ctl_json_string(change, "op"), ctl_json_string(change, "kind"),
                         ctl_json_string(change, "name"));
        for (size_t i = 0; fields && i < json_object_array_length(fields); i++)
                print_field(json_object_array_get_idx(fields, i));
}

/* A line of Filter1.Compare. */
static void print_semantic(struct json_object *line)
{
        g_autofree char *text = ctl_safe(ctl_json_string(line, "text"));
        bool allowed = g_str_has_prefix(ctl_json_string(line, "change"), "newly-allowed"),
             denied = g_str_has_prefix(ctl_json_string(line, "change"), "newly-denied");

        if (json_object_get_boolean(ctl_json_at(line, "partial"))) {
                fprintf(stderr, "and more: it is too complex to be shown whole\n");
                return;
        }
        printf("%s%s%s\n",
               allowed  ? ctl_colour(stdout, CTL_GREEN)
               : denied ? ctl_colour(stdout, CTL_RED)
                        : "",
               text, allowed || denied ? ctl_colour(stdout, CTL_PLAIN) : "");
}

/* The lines can be many: one at a time. */
static int print_lines(int fd, CtlFormat format, void (*print)(struct json_object *line))
{
        g_autofree char *line =
                NULL; /* getline() grows it with malloc(), which GLib's allocator is */
        size_t allocated = 0, n = 0;
        int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        FILE *stream = own >= 0 ? fdopen(own, "re") : NULL;
        int r = CTL_DONE;

        if (!stream) {
                r = -errno;
                pt_closep(&own);
                return r;
        }
        rewind(stream);
        for (ssize_t length; r == CTL_DONE && (length = getline(&line, &allocated, stream)) > 0;
             n++) {
                pt_auto_json *change = json_tokener_parse(line);

                if (!change)
                        r = -EBADMSG;
                else if (ctl_format_is_table(format) || format == CTL_FORMAT_MAX)
                        print(change);
                else
                        ctl_print_json(change, format);
        }
        fclose(stream);
        if (r == CTL_DONE && n == 0)
                fprintf(stderr, "no difference\n");
        return r;
}

static int print_reply(const Ctl *ctl, sd_bus_message *reply)
{
        int fd, r;

        r = sd_bus_message_read(reply, "h", &fd);
        return r < 0 ? r
                     : print_lines(fd, ctl->format,
                                   ctl->values[CTL_SEMANTIC] ? print_semantic : print_object);
}

/* What filterd makes of two slices, each the answer to a GetSlice. */
static int compare(Ctl *ctl, sd_bus_message *before, sd_bus_message *after)
{
        pt_auto_message *m = NULL, *reply = NULL;
        int old, new, r;

        r = sd_bus_message_read(before, "h", &old);
        if (r >= 0)
                r = sd_bus_message_read(after, "h", &new);
        if (r >= 0)
                r = ctl_method(ctl, &ctl_filter, "Compare", &m);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_append(m, "hha{sv}", old, new, 0);
        if (r >= 0)
                r = ctl_call(ctl, m, CTL_CALL_READS, &reply);
        return r != CTL_DONE ? r : print_reply(ctl, reply);
}

static int compare_revisions(Ctl *ctl, uint64_t from, uint64_t to)
{
        pt_auto_message *before = NULL, *after = NULL;
        int r;

        r = ctl_ask(ctl, &ctl_config, "GetSlice", CTL_CALL_READS, &before, "st", "filterd", from);
        if (r == CTL_DONE)
                r = ctl_ask(ctl, &ctl_config, "GetSlice", CTL_CALL_READS, &after, "st", "filterd",
                            to);
        return r != CTL_DONE ? r : compare(ctl, before, after);
}

static int compare_session(Ctl *ctl, const CtlTarget *session)
{
        pt_auto_message *before = NULL, *after = NULL;
        uint64_t running, parent;
        int r = running_revision(ctl, &running, &parent);

        if (r == CTL_DONE)
                r = ctl_ask(ctl, &ctl_config, "GetSlice", CTL_CALL_READS, &before, "st", "filterd",
                            running);
        if (r == CTL_DONE)
                r = ctl_ask(ctl, session, "GetSlice", CTL_CALL_READS, &after, "s", "filterd");
        return r != CTL_DONE ? r : compare(ctl, before, after);
}

static int diff_revisions(Ctl *ctl)
{
        pt_auto_message *reply = NULL;
        uint64_t from, to;
        int r = CTL_DONE;

        if (ctl->arguments->len < 2) {
                r = running_revision(ctl, &to, &from);
                if (r == CTL_DONE && ctl->arguments->len == 0 && from == 0)
                        r = say_no_such_history();
        }
        if (r == CTL_DONE && ctl->arguments->len > 0)
                r = ctl_parse_revision(ctl_argument(ctl, 0), &from);
        if (r == CTL_DONE && ctl->arguments->len > 1)
                r = ctl_parse_revision(ctl_argument(ctl, 1), &to);
        if (r != CTL_DONE)
                return r;

        if (ctl->values[CTL_SEMANTIC])
                return compare_revisions(ctl, from, to);
        r = ctl_ask(ctl, &ctl_config, "Diff", CTL_CALL_READS, &reply, "tt", from, to);
        return r != CTL_DONE ? r : print_reply(ctl, reply);
}

static int diff_file(Ctl *ctl)
{
        pt_auto_message *reply = NULL;
        g_auto(CtlInput) input = {.fd = -EBADF};
        g_autofree char *path = NULL;
        CtlTarget session;
        int r;

        if (ctl->arguments->len > 0) {
                ctl_error("diff takes revisions or --file, not both");
                return CTL_USAGE;
        }
        r = ctl_input_open(ctl, &input);
        if (r == CTL_DONE)
                r = ctl_open_session(ctl, &path, &session);
        if (r == CTL_DONE)
                r = ctl_session_load(ctl, &session, &input);
        if (r == CTL_DONE && ctl->values[CTL_SEMANTIC])
                return compare_session(ctl, &session);
        if (r == CTL_DONE)
                r = ctl_ask(ctl, &session, "Diff", CTL_CALL_READS, &reply, "");
        return r != CTL_DONE ? r : print_reply(ctl, reply);
}

int ctl_run_diff(Ctl *ctl)
{
        return ctl->values[CTL_FILE] ? diff_file(ctl) : diff_revisions(ctl);
}
