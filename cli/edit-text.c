/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "edit-text.h"

#include "kind/yaml.h"
#include "output.h"
#include <string.h>

#define MESSAGE "#!"
#define WIDTH 96 /* of comments; lines of a window that nobody made wider are at least readable */

void ctl_edit_append_object(struct json_object *object, GString *out)
{
        pt_auto_json *copy = NULL;
        struct json_object *metadata;

        if (json_object_deep_copy(object, &copy, NULL) < 0)
                g_assert_not_reached(); /* it copies every tree of ours */
        metadata = ctl_json_at(copy, "metadata");
        json_object_object_del(metadata, "position");
        json_object_object_del(metadata, "uid");
        g_string_append(out, "---\n");
        pt_json_to_yaml(copy, out);
}

static void append_commented(const char *text, const char *before, GString *out)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++)
                if (**line || line[1])
                        g_string_append_printf(out, "%s%s\n", before, *line);
}

/* Words on lines of WIDTH columns that begin with `before`. */
static void append_wrapped(const char *text, const char *before, GString *out)
{
        g_auto(GStrv) words = g_strsplit(text, " ", -1);
        size_t column = 0;

        for (char **word = words; *word; word++) {
                size_t size = strlen(*word);

                if (column > 0 && column + 1 + size > WIDTH)
                        column = 0;
                if (column == 0)
                        g_string_append_printf(out, "%s%s", word == words ? "" : "\n", before);
                g_string_append_printf(out, " %s", *word);
                column = (column ?: strlen(before)) + 1 + size;
        }
        g_string_append_c(out, '\n');
}

/* What the field is for, and what can be said. */
static void append_field_doc(const PtField *field, GString *out)
{
        const char *end = strstr(field->doc, ". ");
        g_autoptr(GString) doc = g_string_new(field->flags & PT_F_REQUIRED ? "Needed. " : "");

        g_string_append_len(doc, field->doc, end ? end + 1 - field->doc : -1);
        for (const PtChoice *choice = field->choices; choice && choice->name; choice++)
                g_string_append_printf(doc, "%s%s", choice == field->choices ? " One of " : ", ",
                                       choice->name);
        if (field->choices)
                g_string_append_c(doc, '.');
        if (field->def)
                g_string_append_printf(doc, " Otherwise %s.", field->def);
        append_wrapped(doc->str, "  ##", out);
}

void ctl_edit_append_skeleton(const PtKind *kind, const char *name, GString *out)
{
        g_string_append_printf(
                out,
                "## There is no %s \"%s\" yet. Below is all that it can say: take away the \"# \" "
                "of what you need.\n"
                "## When nothing is changed, nothing is made. \"patronusctl explain %s.FIELD\" "
                "says more.\n"
                "##\n## An example:\n##\n",
                kind->name, name, kind->name);
        append_commented(kind->example, "##   ", out);
        g_string_append_printf(out,
                               "---\napiVersion: %s\nkind: %s\nmetadata:\n  name: %s\n"
                               "  # description: \"what it is for\"\nspec:\n",
                               kind->api_version, kind->name, name);
        for (const PtField *field = kind->fields; field->name; field++) {
                if (field->flags & (PT_F_READONLY | PT_F_DEPRECATED))
                        continue;
                append_field_doc(field, out);
                g_string_append_printf(out, "  # %s: %s\n", field->name, field->example ?: "");
        }
}

char *ctl_edit_strip(const char *text)
{
        GString *out = g_string_sized_new(strlen(text));

        while (*text) {
                const char *end = strchrnul(text, '\n');

                end += *end == '\n';
                if (!g_str_has_prefix(text + strspn(text, " \t"), MESSAGE))
                        g_string_append_len(out, text, end - text);
                text = end;
        }
        return g_string_free(out, FALSE);
}

/* The line of "path:line:column", 0: none. */
static guint64 line_of(const PtDiagnostic *entry, const char *path)
{
        size_t size = strlen(path);

        if (strncmp(entry->subject, path, size) != 0 || entry->subject[size] != ':')
                return 0;
        return g_ascii_strtoull(entry->subject + size + 1, NULL, 10);
}

/* The rest of "path:line:column: Kind/name". */
static const char *object_of(const PtDiagnostic *entry, const char *path)
{
        const char *rest = line_of(entry, path) > 0 ? strstr(entry->subject, ": ") : NULL;

        if (rest)
                return rest + 2;
        return line_of(entry, path) > 0 ? "" : entry->subject;
}

static void append_message(const PtDiagnostic *entry, const char *path, GString *out)
{
        g_autofree char *safe = ctl_safe(entry->text);
        const char *object = object_of(entry, path);
        guint64 line = line_of(entry, path);

        g_string_append_printf(
                out, MESSAGE " %s: %s%s%s%s%s%s\n", pt_severity_to_string(entry->severity), object,
                *object && *entry->pointer ? " " : "", entry->pointer,
                *object || *entry->pointer ? ": " : "", safe, line > 0 ? " (marked below)" : "");
}

/* The messages for one line, indented as it is. */
static void append_marks(const PtDiagnostics *diag, const char *path, guint64 number,
                         const char *line, GString *out)
{
        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *entry = pt_diag_get(diag, i);
                g_autofree char *safe = ctl_safe(entry->text);

                if (line_of(entry, path) == number)
                        g_string_append_printf(out, "%.*s" MESSAGE " %s\n", (int) strspn(line, " "),
                                               line, safe);
        }
}

char *ctl_edit_annotate(const char *text, const char *path, const PtDiagnostics *diag,
                        const char *note)
{
        GString *out = g_string_new(NULL);
        guint64 number = 1;

        g_string_append(out, MESSAGE " Nothing was changed. Mend what is wrong and save, or leave "
                                     "the text as it is to give up.\n");
        for (size_t i = 0; i < pt_diag_count(diag); i++)
                append_message(pt_diag_get(diag, i), path, out);
        if (note)
                append_commented(note, MESSAGE "   ", out);
        while (*text) {
                const char *end = strchrnul(text, '\n');

                end += *end == '\n';
                append_marks(diag, path, number++, text, out);
                g_string_append_len(out, text, end - text);
                text = end;
        }
        return g_string_free(out, FALSE);
}
