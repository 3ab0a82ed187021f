/* SPDX-License-Identifier: GPL-3.0-or-later */

/* audit: who did what, and whether what is written of it was changed. */

#include "call.h"
#include "message.h"
#include "output.h"
#include <inttypes.h>
#include <string.h>

#define PAGE 200       /* a page ends at 64 KiB anyway */
#define AUDIT_LIMIT 20 /* a screen */

/* Whether an entry is of the user, who is named, or is a number. */
static bool is_of(struct json_object *entry, const char *user)
{
        g_autofree char *uid = g_strdup_printf("%" PRIu64, ctl_json_number(entry, "uid"));

        return !user || strcmp(ctl_json_string(entry, "user"), user) == 0 || strcmp(uid, user) == 0;
}

/* Entries before `*before` (0: from the newest), at most `*limit`; both count down. */
static int audit_page(Ctl *ctl, uint64_t *before, uint64_t *limit, CtlRows *rows)
{
        pt_auto_message *reply = NULL;
        bool any = false;
        int r;

        r = ctl_ask_before(ctl, "ListAudit", *before,
                           ctl->values[CTL_USER] ? PAGE : MIN(*limit, PAGE), &reply);
        if (r != CTL_DONE)
                return r;
        while (*limit > 0 && (r = sd_bus_message_at_end(reply, false)) == 0) {
                pt_auto_json *entry = NULL;

                r = ctl_message_to_json(reply, &entry);
                if (r < 0)
                        return r;
                *before = ctl_json_number(entry, "number");
                any = true;
                if (is_of(entry, ctl->values[CTL_USER])) {
                        ctl_rows_add(rows, entry);
                        --*limit;
                }
        }
        if (!any)
                *limit = 0;
        return r < 0 ? r : CTL_DONE;
}

static int list(Ctl *ctl)
{
        g_autoptr(CtlRows) rows = NULL;
        uint64_t before = 0, limit = AUDIT_LIMIT;
        int r;

        r = ctl_parse_limit(ctl, &limit);
        if (r != CTL_DONE)
                return r;
        rows = ctl_rows_new(ctl->format);
        ctl_rows_column(rows, "ENTRY", "number", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "TIME", "timeUSec", CTL_COLUMN_TIME);
        ctl_rows_column(rows, "USER", "user", 0);
        ctl_rows_column(rows, "UID", "uid", CTL_COLUMN_RIGHT | CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "METHOD", "method", 0);
        ctl_rows_column(rows, "RESULT", "result", 0);
        ctl_rows_column(rows, "REVISION", "revision", CTL_COLUMN_RIGHT | CTL_COLUMN_OPTIONAL);
        ctl_rows_column(rows, "SUBJECT", "subject", CTL_COLUMN_OPTIONAL);
        ctl_rows_column(rows, "REASON", "reason", CTL_COLUMN_OPTIONAL);
        ctl_rows_column(rows, "CLIENT", "client", CTL_COLUMN_OPTIONAL);
        ctl_rows_column(rows, "DETAILS", "text", CTL_COLUMN_OPTIONAL);
        ctl_rows_column(rows, "LEFT OUT", "leftOut", CTL_COLUMN_RIGHT | CTL_COLUMN_OPTIONAL);
        ctl_rows_column(rows, "DAEMON", "daemon", CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "ACTION", "action", CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "PID", "pid", CTL_COLUMN_RIGHT | CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "UNIT", "unit", CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "SESSION", "session", CTL_COLUMN_WIDE);
        ctl_rows_column(rows, "DIGEST", "digest", CTL_COLUMN_DIGEST | CTL_COLUMN_WIDE);
        while (limit > 0) {
                r = audit_page(ctl, &before, &limit, rows);
                if (r != CTL_DONE)
                        return r;
        }
        ctl_rows_end(rows, "there is no such entry");
        return CTL_DONE;
}

/* [["error", "journal.3:17", "audit-damaged", "this line ..."], ...] */
static void say_places(struct json_object *places)
{
        for (size_t i = 0; places && i < json_object_array_length(places); i++) {
                struct json_object *row = json_object_array_get_idx(places, i);

                ctl_error("%s: %s", json_object_get_string(json_object_array_get_idx(row, 1)),
                          json_object_get_string(json_object_array_get_idx(row, 3)));
        }
}

static int verify(Ctl *ctl)
{
        pt_auto_message *reply = NULL;
        pt_auto_json *json = NULL;
        bool good;
        int r;

        if (ctl->values[CTL_LIMIT] || ctl->values[CTL_USER]) {
                ctl_error("--verify looks at all entries: leave --limit and --user out");
                return CTL_USAGE;
        }
        r = ctl_ask(ctl, &ctl_config, "VerifyAudit", CTL_CALL_READS, &reply, "");
        if (r != CTL_DONE)
                return r;
        r = ctl_message_to_json(reply, &json);
        if (r < 0)
                return r;
        good = json_object_get_boolean(ctl_json_at(json, "good"));
        if (!ctl_format_is_table(ctl->format) && ctl->format != CTL_FORMAT_MAX) {
                ctl_print_json(json, ctl->format);
                return good ? CTL_DONE : CTL_REFUSED;
        }
        printf("%" PRIu64 " entries, %" PRIu64 " to %" PRIu64 ", in %" PRIu64 " file%s\n",
               ctl_json_number(json, "entries"), ctl_json_number(json, "first"),
               ctl_json_number(json, "last"), ctl_json_number(json, "files"),
               ctl_json_number(json, "files") == 1 ? "" : "s");
        printf("digest of the last: %s\n", ctl_json_string(json, "digest"));
        fflush(stdout);
        say_places(ctl_json_at(json, "diagnostics"));
        if (good)
                printf("%snothing was changed%s\n", ctl_colour(stdout, CTL_BOLD),
                       ctl_colour(stdout, CTL_PLAIN));
        else
                fprintf(stderr, "%" PRIu64 " places do not fit: entries were changed or lost\n",
                        ctl_json_number(json, "damaged"));
        return good ? CTL_DONE : CTL_REFUSED;
}

int ctl_run_audit(Ctl *ctl)
{
        return ctl->values[CTL_VERIFY] ? verify(ctl) : list(ctl);
}
