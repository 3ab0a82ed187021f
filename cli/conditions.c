/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "conditions.h"

#include "kind/field.h"
#include "output.h"
#include <string.h>

int ctl_read_conditions(const Ctl *ctl, const PtField *rows, const char *what,
                        struct json_object **ret)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = json_object_new_object();

        for (unsigned i = 0; i < ctl->arguments->len; i++) {
                const char *text = ctl_argument(ctl, i), *equals = strchr(text, '=');
                g_autofree char *name = g_strndup(text, equals ? (size_t) (equals - text) : 0);
                const PtField *row = pt_fields_find(rows, name);
                struct json_object *value = NULL;

                if (!row) {
                        g_autofree const char **names = pt_fields_names(rows);
                        g_autofree char *hint = pt_suggestion(diag, *name ? name : text, names);

                        ctl_error("\"%s\" is not FIELD=VALUE of %s; %s", text, what, hint);
                        return CTL_USAGE;
                }
                if (row->type->from_text(row, equals + 1, &value) < 0)
                        value = json_object_new_string(equals + 1);
                json_object_object_add(json, name, value);
        }
        *ret = g_steal_pointer(&json);
        return CTL_DONE;
}
