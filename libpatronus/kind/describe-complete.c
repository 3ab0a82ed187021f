/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/describe.h"

#include "kind/field.h"
#include <string.h>

bool pt_value_has_item(const char *list, size_t size, const char *item)
{
        const char *end = list + size;
        size_t length = strlen(item);

        while (list < end) {
                const char *comma = memchr(list, ',', (size_t) (end - list)) ?: end;

                if ((size_t) (comma - list) == length && memcmp(list, item, length) == 0)
                        return true;
                list = comma + 1;
        }
        return false;
}

size_t pt_value_head(const PtField *field, const char *value)
{
        const char *comma = field->flags & PT_F_LIST ? strrchr(value, ',') : NULL;

        return comma ? (size_t) (comma + 1 - value) : 0;
}

/* What `value` could become: each candidate with all that stands before it. */
static void complete_value(const PtField *field, const char *path, const char *value, GString *out)
{
        g_autoptr(GString) candidates = g_string_new(NULL);
        size_t head = pt_value_head(field, value);
        g_auto(GStrv) lines = NULL;

        if (pt_field_nested(field) || !field->type->complete)
                return;
        field->type->complete(field, candidates);
        lines = g_strsplit(candidates->str, "\n", -1);
        for (char **line = lines; *line; line++)
                if (**line && g_str_has_prefix(*line, value + head) &&
                    !pt_value_has_item(value, head, *line))
                        g_string_append_printf(out, "%s=%.*s%s\n", path, (int) head, value, *line);
}

void pt_kind_complete(const PtKind *kind, const char *word, GString *out)
{
        const char *equals = strchr(word, '=');
        const char *dot = strrchr(word, '.');
        const PtField *fields = kind->fields;
        g_autofree char *before = NULL;

        if (equals) {
                g_autofree char *path = g_strndup(word, (size_t) (equals - word));
                const PtField *field = pt_kind_find_field(kind, path);

                if (field)
                        complete_value(field, path, equals + 1, out);
                return;
        }
        before = g_strndup(word, dot ? (size_t) (dot - word) : 0);
        if (dot) {
                const PtField *field = pt_kind_find_field(kind, before);

                fields = field ? pt_field_nested(field) : NULL;
        }
        for (const PtField *field = fields; field && field->name; field++)
                if (g_str_has_prefix(field->name, dot ? dot + 1 : word))
                        g_string_append_printf(out, "%s%s%s%s\n", before, dot ? "." : "",
                                               field->name, pt_field_nested(field) ? "." : "=");
}
