/* SPDX-License-Identifier: GPL-3.0-or-later */

/* explain, schema: what the kind tables say, without any daemon. */

#include "kind/describe.h"
#include "kind/yaml.h"
#include "output.h"
#include <string.h>

/* The first sentence; tables are for a look. */
static char *first_sentence(const char *doc)
{
        const char *end = strstr(doc, ". ");

        return end ? g_strndup(doc, (size_t) (end + 1 - doc)) : g_strdup(doc);
}

static int list_kinds(CtlFormat format)
{
        g_autoptr(CtlRows) rows = ctl_rows_new(format);

        ctl_rows_column(rows, "KIND", "kind", 0);
        ctl_rows_column(rows, "ALSO", "plural", 0);
        ctl_rows_column(rows, "SUMMARY", "summary", 0);
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++) {
                pt_auto_json *row = json_object_new_object();
                g_autofree char *summary = first_sentence((*kind)->doc);

                json_object_object_add(row, "kind", json_object_new_string((*kind)->name));
                json_object_object_add(row, "plural", json_object_new_string((*kind)->plural));
                json_object_object_add(row, "apiVersion",
                                       json_object_new_string((*kind)->api_version));
                json_object_object_add(row, "summary", json_object_new_string(summary));
                json_object_object_add(row, "description", json_object_new_string((*kind)->doc));
                ctl_rows_add(rows, row);
        }
        ctl_rows_end(rows, NULL);
        return CTL_DONE;
}

int ctl_run_explain(Ctl *ctl)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GString) out = g_string_new(NULL);
        int r;

        if (ctl->arguments->len == 0)
                return list_kinds(ctl->format);
        r = pt_kind_explain(ctl_argument(ctl, 0), diag, out);
        ctl_say_diagnostics(diag);
        if (r == -ENOENT)
                return CTL_USAGE;
        if (r < 0)
                return r;
        fputs(out->str, stdout);
        return CTL_DONE;
}

int ctl_run_schema(Ctl *ctl)
{
        const PtKind *kind = NULL;
        pt_auto_json *schema = NULL;

        if (ctl->arguments->len > 0) {
                kind = ctl_parse_kind(ctl_argument(ctl, 0));
                if (!kind)
                        return CTL_USAGE;
        }
        schema = pt_kind_schema(kind);
        if (ctl->format == CTL_YAML || ctl->format == CTL_JSON)
                ctl_print_json(schema, ctl->format);
        else
                puts(json_object_to_json_string_ext(
                        schema, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                        JSON_C_TO_STRING_NOSLASHESCAPE));
        return CTL_DONE;
}
