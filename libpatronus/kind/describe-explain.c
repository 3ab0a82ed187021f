/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind/describe.h"

#include "kind/field.h"
#include <string.h>

#define WIDTH 80       /* columns of a terminal that nobody made wider */
#define LABEL_WIDTH 12 /* of "refers to" and its like */

/* Breaks `text` at spaces; every line but the first is indented. `column` is where the first one
 * starts. */
static void append_wrapped(GString *out, const char *text, size_t indent, size_t column)
{
        const char *word = text;

        while (*word) {
                size_t size = strcspn(word, " ");

                if (word != text) {
                        if (column + 1 + size > WIDTH) {
                                g_string_append_printf(out, "\n%*s", (int) indent, "");
                                column = indent;
                        } else {
                                g_string_append_c(out, ' ');
                                column++;
                        }
                }
                g_string_append_len(out, word, (gssize) size);
                column += size;
                word += size;
                word += strspn(word, " ");
        }
        g_string_append_c(out, '\n');
}

static void append_property(const char *label, const char *text, void *userdata)
{
        GString *out = userdata;

        g_string_append_printf(out, "  %-*s", LABEL_WIDTH, label);
        append_wrapped(out, text, LABEL_WIDTH + 2, LABEL_WIDTH + 2);
}

static char *first_sentence(const char *doc)
{
        const char *end = strstr(doc, ". ");

        return end ? g_strndup(doc, (size_t) (end + 1 - doc)) : g_strdup(doc);
}

static void append_fields(GString *out, const PtField *fields)
{
        size_t width = 0;

        for (const PtField *field = fields; field->name; field++)
                width = MAX(width, strlen(field->name));
        for (const PtField *field = fields; field->name; field++) {
                g_autofree char *sentence = first_sentence(field->doc);
                const char *mark = field->flags & PT_F_REQUIRED ? "*" : " ";

                g_string_append_printf(out, "  %s%s%*s", field->name, mark,
                                       (int) (width - strlen(field->name) + 2), "");
                append_wrapped(out, sentence, width + 5, width + 5);
        }
}

static bool has_required(const PtField *fields)
{
        for (const PtField *field = fields; field->name; field++)
                if (field->flags & PT_F_REQUIRED)
                        return true;
        return false;
}

static void append_indented(GString *out, const char *text)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++)
                if (**line)
                        g_string_append_printf(out, "  %s\n", *line);
}

static void append_paragraph(GString *out, const char *title, const char *text)
{
        if (!*text)
                return;
        g_string_append_printf(out, "\n%s: ", title);
        append_wrapped(out, text, 2, strlen(title) + 2);
}

/* What else there is to know about its objects. */
static void append_kind_notes(GString *out, const PtKind *kind)
{
        g_autoptr(GString) builtins = g_string_new(NULL);
        g_autofree char *referrers = pt_kind_referrers(kind);

        if (kind->singleton)
                append_paragraph(out, "Name",
                                 "there is one object, called \"default\"; where a command wants "
                                 "KIND/NAME, the kind is enough");
        if (kind->ordered)
                append_paragraph(out, "Order",
                                 "\"move\" changes it; new objects come after those that are "
                                 "there, objects of a file in its order");
        append_paragraph(out, "Referred to by", referrers);
        for (const PtBuiltin *builtin = kind->builtins; builtin && builtin->name; builtin++)
                g_string_append_printf(builtins, "%s%s", builtins->len ? ", " : "", builtin->name);
        append_paragraph(out, "Built in", builtins->str);
}

static void explain_kind(const PtKind *kind, GString *out)
{
        g_string_append_printf(out, "%s (%s)\n\n", kind->name, kind->api_version);
        append_wrapped(out, kind->doc, 0, 0);
        g_string_append(out, "\nFields");
        if (has_required(kind->fields))
                g_string_append(out, " (* is required)");
        g_string_append(out, ":\n");
        append_fields(out, kind->fields);
        append_kind_notes(out, kind);
        g_string_append(out, "\nExample:\n");
        append_indented(out, kind->example);
        g_string_append_printf(out, "\n\"explain %s.FIELD\" says more about one.\n", kind->name);
}

/* The example as `set` takes it: "[80, \"x\"]" is 80,x there. */
static char *example_assignment(const char *path, const PtField *field)
{
        GString *out = g_string_new(path);

        g_string_append_c(out, '=');
        for (const char *p = field->example; *p; p++)
                if (!strchr(field->flags & PT_F_LIST ? "[]\" " : "\"", *p))
                        g_string_append_c(out, *p);
        return g_string_free(out, FALSE);
}

/* The example where it belongs in a document, and on a command line. */
static void append_example(GString *out, const PtKind *kind, const char *path, const PtField *field)
{
        g_auto(GStrv) words = g_strsplit(path, ".", -1);
        unsigned n = g_strv_length(words), indent = 4;
        const PtField *rows = kind->fields, *at;
        g_autofree char *assignment = NULL, *quoted = NULL;
        bool settable = !field->fields;

        g_string_append(out, "\nExample:\n  spec:\n");
        for (unsigned i = 0; i < n; i++, rows = at->fields) {
                bool item = i > 0 && pt_field_items(at);

                at = pt_fields_find(rows, words[i]);
                g_string_append_printf(out, "%*s%s%s:%s%s\n", (int) indent, "", item ? "- " : "",
                                       words[i], i + 1 == n ? " " : "",
                                       i + 1 == n ? field->example : "");
                indent += item ? 4 : 2;
                settable = settable && !item;
        }
        if (!settable)
                return;
        assignment = example_assignment(path, field);
        quoted = strpbrk(assignment, " ") ? g_strdup_printf("'%s'", assignment)
                                          : g_strdup(assignment);
        g_string_append_printf(out, "\n  patronusctl set %s%s %s\n", kind->name,
                               kind->singleton ? "" : "/NAME", quoted);
}

static void explain_field(const PtKind *kind, const char *path, const PtField *field, GString *out)
{
        g_string_append_printf(out, "%s.%s\n\n", kind->name, path);
        append_wrapped(out, field->doc, 0, 0);
        g_string_append_c(out, '\n');
        pt_field_foreach_property(field, append_property, out);
        if (field->fields) {
                g_string_append(out, pt_field_items(field) ? "\nFields of each:\n" : "\nFields:\n");
                append_fields(out, field->fields);
        }
        if (field->example)
                append_example(out, kind, path, field);
}

static int unknown_kind(const char *word, PtDiagnostics *diag)
{
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        g_autofree char *hint = NULL;

        for (const PtKind *const *kind = pt_kinds(); *kind; kind++)
                g_ptr_array_add(names, (gpointer) (*kind)->name);
        g_ptr_array_add(names, NULL);
        hint = pt_suggestion(diag, word, (const char *const *) names->pdata);
        pt_diag_error(diag, "unknown-kind", NULL, "unknown kind \"%s\"; %s", word, hint);
        return -ENOENT;
}

static int unknown_field(const PtKind *kind, const char *path, PtDiagnostics *diag)
{
        g_auto(GStrv) words = g_strsplit(path, ".", PT_JSON_DEPTH_MAX);
        const PtField *fields = kind->fields;

        for (char **word = words; *word; word++) {
                const PtField *field = fields ? pt_fields_find(fields, *word) : NULL;
                g_autofree const char **names = NULL;
                g_autofree char *hint = NULL;

                if (field) {
                        fields = field->fields;
                        continue;
                }
                if (fields) {
                        names = pt_fields_names(fields);
                        hint = pt_suggestion(diag, *word, names);
                } else {
                        hint = g_strdup_printf("\"%s\" has no fields of its own",
                                               word > words ? word[-1] : kind->name);
                }
                pt_diag_error(diag, "unknown-field", NULL, "unknown field \"%s\" in %s.%s; %s",
                              *word, kind->name, path, hint);
                break;
        }
        return -ENOENT;
}

/* As pt_kind_find_field(), and into the structs of lists. */
static const PtField *find_described(const PtKind *kind, const char *path)
{
        g_auto(GStrv) words = g_strsplit(path, ".", PT_JSON_DEPTH_MAX);
        const PtField *fields = kind->fields, *field = NULL;

        for (char **word = words; *word; word++) {
                field = fields ? pt_fields_find(fields, *word) : NULL;
                if (!field)
                        return NULL;
                fields = field->fields;
        }
        return field;
}

int pt_kind_explain(const char *path, PtDiagnostics *diag, GString *out)
{
        const char *dot = strchr(path, '.');
        g_autofree char *word = g_strndup(path, dot ? (size_t) (dot - path) : strlen(path));
        const PtKind *kind = pt_kind_find(word);
        const PtField *field;

        if (!kind)
                return unknown_kind(word, diag);
        if (!dot || !dot[1]) {
                explain_kind(kind, out);
                return 0;
        }
        field = find_described(kind, dot + 1);
        if (!field)
                return unknown_field(kind, dot + 1, diag);
        explain_field(kind, dot + 1, field, out);
        return 0;
}
