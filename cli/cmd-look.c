/* SPDX-License-Identifier: GPL-3.0-or-later */

/* export, history: what there is, and what was. */

#include "call.h"
#include "message.h"
#include "output.h"
#include <errno.h>
#include <string.h>

#define PAGE 1000        /* the most configd gives in one reply */
#define HISTORY_LIMIT 20 /* a screen */
#define COPY_SIZE (64 * 1024)

/* The kinds' names by the table, or NULL after a message. */
static char **parse_kinds(const char *text)
{
        g_auto(GStrv) kinds = g_strsplit(text, ",", -1);

        for (char **name = kinds; *name; name++) {
                const PtKind *kind = ctl_parse_kind(*name);

                if (!kind)
                        return NULL;
                g_free(*name);
                *name = g_strdup(kind->name);
        }
        return g_steal_pointer(&kinds);
}

static int append_export(const Ctl *ctl, uint64_t revision, char **kinds, sd_bus_message *m)
{
        int r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");

        if (r >= 0)
                r = ctl_append_string(m, "format", ctl->format == CTL_JSON ? "json" : "yaml");
        if (r >= 0 && revision > 0)
                r = ctl_append_number(m, "revision", SD_BUS_TYPE_UINT64, revision);
        if (r >= 0 && kinds)
                r = ctl_append_strings(m, "kinds", kinds);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int copy_to_stdout(int fd)
{
        g_autofree char *buffer = g_malloc(COPY_SIZE);
        ssize_t n;

        if (lseek(fd, 0, SEEK_SET) < 0)
                return -errno;
        while ((n = read(fd, buffer, COPY_SIZE)) != 0) {
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                fwrite(buffer, 1, (size_t) n, stdout); /* main() looks at ferror() */
        }
        return CTL_DONE;
}

int ctl_run_export(Ctl *ctl)
{
        pt_auto_message *m = NULL, *reply = NULL;
        g_auto(GStrv) kinds = NULL;
        uint64_t revision = 0;
        int fd, r;

        if (ctl_format_is_table(ctl->format)) {
                ctl_error("export prints yaml or json; \"patronusctl get KIND\" prints tables");
                return CTL_USAGE;
        }
        if (ctl->values[CTL_KIND] && !(kinds = parse_kinds(ctl->values[CTL_KIND])))
                return CTL_USAGE;
        if (ctl->values[CTL_REVISION]) {
                r = ctl_parse_revision(ctl->values[CTL_REVISION], &revision);
                if (r != CTL_DONE)
                        return r;
        }
        r = ctl_method(ctl, &ctl_config, ctl->values[CTL_SEALED] ? "ExportSealed" : "Export", &m);
        if (r != CTL_DONE)
                return r;
        r = append_export(ctl, revision, kinds, m);
        if (r < 0)
                return r;
        r = ctl_call(ctl, m, CTL_CALL_READS, &reply);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_read(reply, "h", &fd);
        return r < 0 ? r : copy_to_stdout(fd);
}

/* In words for people, what came of its confirmation too. */
static void tell_confirmation(struct json_object *revision)
{
        const char *state = ctl_json_string(revision, "state"), *words = NULL;

        if (ctl_json_number(revision, "confirmedUSec") > 0)
                return;
        if (strcmp(state, "running") == 0)
                words = "not confirmed";
        else if (strcmp(state, "decided") == 0)
                words = "taken back";
        if (words)
                json_object_object_add(revision, "state", json_object_new_string(words));
}

/* Revisions before `*before` (0: from the newest), at most `limit`; both count down. */
static int history_page(Ctl *ctl, uint64_t *before, uint64_t *limit, CtlRows *rows)
{
        pt_auto_message *reply = NULL;
        uint64_t page = MIN(*limit, PAGE), n = 0;
        int r;

        r = ctl_ask_before(ctl, "ListRevisions", *before, page, &reply);
        if (r != CTL_DONE)
                return r;
        while ((r = sd_bus_message_at_end(reply, false)) == 0) {
                pt_auto_json *revision = NULL;

                r = ctl_message_to_json(reply, &revision);
                if (r < 0)
                        return r;
                *before = ctl_json_number(revision, "number");
                if (ctl->format != CTL_YAML && ctl->format != CTL_JSON)
                        tell_confirmation(revision);
                ctl_rows_add(rows, revision);
                n++;
        }
        *limit = n < page ? 0 : *limit - n;
        return r < 0 ? r : CTL_DONE;
}

int ctl_run_history(Ctl *ctl)
{
        g_autoptr(CtlRows) rows = NULL;
        uint64_t before = 0, limit = HISTORY_LIMIT;
        int r;

        r = ctl_parse_limit(ctl, &limit);
        if (r != CTL_DONE)
                return r;
        rows = ctl_rows_new(ctl->format);
        ctl_rows_column(rows, "REVISION", "number", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "TIME", "timeUSec", CTL_COLUMN_TIME);
        ctl_rows_column(rows, "AUTHOR", "author", 0);
        ctl_rows_column(rows, "STATE", "state", 0);
        ctl_rows_column(rows, "ROOT", "root", CTL_COLUMN_DIGEST);
        ctl_rows_column(rows, "COMMENT", "comment", CTL_COLUMN_OPTIONAL);
        while (limit > 0) {
                r = history_page(ctl, &before, &limit, rows);
                if (r != CTL_DONE)
                        return r;
        }
        ctl_rows_end(rows, "there is no revision yet");
        return CTL_DONE;
}
