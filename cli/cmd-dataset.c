/* SPDX-License-Identifier: GPL-3.0-or-later */

/* dataset put, list, show, delete: lists of many addresses that objects refer to. */

#include "call.h"
#include "dataset.h"
#include "input.h"
#include "message.h"
#include "output.h"
#include <inttypes.h>
#include <string.h>

#define PAGE 1000           /* the most configd gives in one reply */
#define ABBREVIATION_MIN 4U /* digits of a digest; lists show twelve */

int ctl_datasets_each(Ctl *ctl, CtlCallFlags flags,
                      int (*each)(struct json_object *dataset, void *userdata), void *userdata)
{
        g_autofree char *after = g_strdup("");

        do {
                pt_auto_message *reply = NULL;
                const char *next;
                int r = ctl_ask(ctl, &ctl_config, "ListDatasets", flags, &reply, "a{sv}", 2,
                                "after", "s", after, "limit", "u", (uint32_t) PAGE);

                if (r != CTL_DONE)
                        return r;
                r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "a{sv}");
                while (r >= 0 && (r = sd_bus_message_at_end(reply, false)) == 0) {
                        pt_auto_json *dataset = NULL;

                        r = ctl_message_to_json(reply, &dataset);
                        if (r >= 0)
                                r = each(dataset, userdata);
                }
                if (r >= 0)
                        r = sd_bus_message_exit_container(reply);
                if (r >= 0)
                        r = sd_bus_message_read(reply, "s", &next);
                if (r < 0)
                        return r;
                g_free(after);
                after = g_strdup(next);
        } while (*after);
        return CTL_DONE;
}

typedef struct Abbreviation {
        const char *text;
        char *digest; /* the first that begins so */
        bool several;
} Abbreviation;

static int match_digest(struct json_object *dataset, void *userdata)
{
        const char *digest = ctl_json_string(dataset, "digest");
        Abbreviation *abbreviation = userdata;

        if (!g_str_has_prefix(digest, abbreviation->text))
                return 0;
        abbreviation->several = abbreviation->digest != NULL;
        if (!abbreviation->digest)
                abbreviation->digest = g_strdup(digest);
        return 0;
}

/* The whole digest of what may be its first digits. */
static int find_digest(Ctl *ctl, const char *text, char **ret)
{
        Abbreviation abbreviation = {.text = text};
        g_autofree char *digest = NULL;
        int r;

        if (strlen(text) < ABBREVIATION_MIN || strspn(text, "0123456789abcdef") != strlen(text)) {
                ctl_error("\"%s\" is no digest of a dataset: hex digits, at least the first %u, as "
                          "\"patronusctl dataset list\" shows them",
                          text, ABBREVIATION_MIN);
                return CTL_USAGE;
        }
        if (strlen(text) == PT_DIGEST_HEX) {
                *ret = g_strdup(text);
                return CTL_DONE;
        }
        r = ctl_datasets_each(ctl, CTL_CALL_READS, match_digest, &abbreviation);
        digest = abbreviation.digest;
        if (r != CTL_DONE)
                return r;
        if (!digest || abbreviation.several) {
                ctl_error(digest ? "several datasets begin with %s; write more digits"
                                 : "there is no dataset %s",
                          text);
                return CTL_REFUSED;
        }
        *ret = g_steal_pointer(&digest);
        return CTL_DONE;
}

static int append_put(const Ctl *ctl, const CtlInput *input, sd_bus_message *m)
{
        int r = sd_bus_message_append(m, "h", input->fd);

        if (r >= 0)
                r = sd_bus_message_open_container(m, SD_BUS_TYPE_ARRAY, "{sv}");
        if (r >= 0)
                r = ctl_append_string(m, "source", input->source);
        if (r >= 0 && ctl->values[CTL_CONTENT])
                r = ctl_append_string(m, "content", ctl->values[CTL_CONTENT]);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static void say_refusal(struct json_object *reply)
{
        struct json_object *list = ctl_json_at(reply, "diagnostics");
        g_autoptr(PtDiagnostics) diag = pt_diag_new();

        for (size_t i = 0; list && i < json_object_array_length(list); i++) {
                struct json_object *entry = json_object_array_get_idx(list, i);
                const char *texts[4];

                for (size_t j = 0; j < G_N_ELEMENTS(texts); j++)
                        texts[j] = json_object_get_string(json_object_array_get_idx(entry, j));
                pt_diag_add_full(diag, pt_severity_from_string(texts[0]), texts[1], "", texts[2],
                                 texts[3]);
        }
        ctl_say_diagnostics(diag);
}

int ctl_run_dataset_put(Ctl *ctl)
{
        pt_auto_message *m = NULL, *reply = NULL;
        g_auto(CtlInput) input = {.fd = -EBADF};
        pt_auto_json *json = NULL;
        int r;

        r = ctl_input_open_file(ctl_argument(ctl, 0), &input);
        if (r != CTL_DONE)
                return r;
        r = ctl_method(ctl, &ctl_config, "PutDataset", &m);
        if (r != CTL_DONE)
                return r;
        r = append_put(ctl, &input, m);
        if (r < 0)
                return r;
        r = ctl_call(ctl, m, CTL_CALL_READS, &reply);
        if (r != CTL_DONE)
                return r;
        r = ctl_message_to_json(reply, &json);
        if (r < 0)
                return r;
        if (!json_object_get_boolean(ctl_json_at(json, "accepted"))) {
                say_refusal(json);
                return CTL_REFUSED;
        }
        if (ctl->format == CTL_FORMAT_MAX || ctl_format_is_table(ctl->format))
                printf("%s\n", ctl_json_string(json, "digest"));
        else
                ctl_print_json(json, ctl->format);
        return CTL_DONE;
}

static int add_row(struct json_object *dataset, void *userdata)
{
        ctl_rows_add(userdata, dataset);
        return 0;
}

int ctl_run_dataset_list(Ctl *ctl)
{
        g_autoptr(CtlRows) rows = ctl_rows_new(ctl->format);
        int r;

        ctl_rows_column(rows, "DIGEST", "digest", ctl->format == CTL_WIDE ? 0 : CTL_COLUMN_DIGEST);
        ctl_rows_column(rows, "CONTENT", "content", 0);
        ctl_rows_column(rows, "ENTRIES", "entries", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "BYTES", "size", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "REFERENCES", "references", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "REVISIONS", "revisions", CTL_COLUMN_RIGHT);
        ctl_rows_column(rows, "PUT", "timeUSec", CTL_COLUMN_TIME | CTL_COLUMN_OPTIONAL);
        ctl_rows_column(rows, "DAMAGED", "damaged", CTL_COLUMN_WIDE);
        r = ctl_datasets_each(ctl, CTL_CALL_READS, add_row, rows);
        if (r != CTL_DONE)
                return r;
        ctl_rows_end(rows, "there is no dataset");
        return CTL_DONE;
}

static void print_entry(const Ctl *ctl, const char *entry)
{
        pt_auto_json *json = NULL;

        if (ctl->format == CTL_FORMAT_MAX || ctl_format_is_table(ctl->format)) {
                printf("%s\n", entry);
                return;
        }
        json = json_object_new_string(entry);
        ctl_print_json(json, ctl->format);
}

/* One page of at most *limit entries; both count on. */
static int show_page(Ctl *ctl, const char *digest, char **after, uint64_t *limit)
{
        pt_auto_message *reply = NULL;
        const char *text;
        int r;

        r = ctl_ask(ctl, &ctl_config, "ReadDataset", CTL_CALL_READS, &reply, "sa{sv}", digest, 2,
                    "after", "s", *after, "limit", "u", (uint32_t) MIN(*limit, PAGE));
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "s");
        while (r >= 0 && (r = sd_bus_message_read(reply, "s", &text)) > 0) {
                print_entry(ctl, text);
                (*limit)--;
        }
        if (r >= 0)
                r = sd_bus_message_exit_container(reply);
        if (r >= 0)
                r = sd_bus_message_read(reply, "s", &text);
        if (r < 0)
                return r;
        g_free(*after);
        *after = g_strdup(text);
        return CTL_DONE;
}

int ctl_run_dataset_show(Ctl *ctl)
{
        g_autofree char *digest = NULL, *after = g_strdup("");
        uint64_t limit = UINT64_MAX;
        int r;

        r = ctl_parse_limit(ctl, &limit);
        if (r != CTL_DONE)
                return r;
        r = find_digest(ctl, ctl_argument(ctl, 0), &digest);
        if (r != CTL_DONE)
                return r;
        do {
                r = show_page(ctl, digest, &after, &limit);
                if (r != CTL_DONE)
                        return r;
        } while (*after && limit > 0);
        return CTL_DONE;
}

int ctl_run_dataset_delete(Ctl *ctl)
{
        for (unsigned i = 0; ctl_argument(ctl, i); i++) {
                g_autofree char *digest = NULL;
                int r = find_digest(ctl, ctl_argument(ctl, i), &digest);

                if (r == CTL_DONE)
                        r = ctl_ask(ctl, &ctl_config, "DeleteDataset", CTL_CALL_READS, NULL, "s",
                                    digest);
                if (r != CTL_DONE)
                        return r;
        }
        return CTL_DONE;
}
