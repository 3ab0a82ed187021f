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

static void append_property(GString *out, const char *label, const char *format, ...)
        G_GNUC_PRINTF(3, 4);

static void append_property(GString *out, const char *label, const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list args;

        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
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

/* "NatRule.filterRule", …: rows of the tables that refer to the kind. */
static void append_referrers(GString *out, const char *before, const PtField *fields,
                             const PtKind *kind)
{
        for (const PtField *field = fields; field->name; field++) {
                g_autofree char *path = g_strconcat(before, ".", field->name, NULL);

                if (field->ref && strcmp(field->ref, kind->name) == 0)
                        g_string_append_printf(out, "%s%s", out->len ? ", " : "", path);
                if (pt_field_nested(field))
                        append_referrers(out, path, field->fields, kind);
        }
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
        g_autoptr(GString) referrers = g_string_new(NULL), builtins = g_string_new(NULL);

        if (kind->singleton)
                append_paragraph(out, "Name",
                                 "there is one object, called \"default\"; where a command wants "
                                 "KIND/NAME, the kind is enough");
        if (kind->ordered)
                append_paragraph(out, "Order",
                                 "\"move\" changes it; new objects come after those that are "
                                 "there, objects of a file in its order");
        for (const PtKind *const *other = pt_kinds(); *other; other++)
                append_referrers(referrers, (*other)->name, (*other)->fields, kind);
        append_paragraph(out, "Referred to by", referrers->str);
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

static const char *impact_words(PtImpact impact)
{
        switch (impact) {
        case PT_IMPACT_LIVE:
                return "live: a change interrupts nothing";
        case PT_IMPACT_RELOAD:
                return "reload: the service reads its configuration again";
        case PT_IMPACT_RECREATE:
                return "recreate: what it describes is removed and made again";
        case PT_IMPACT_DISRUPTIVE:
                return "disruptive: connections break";
        case PT_IMPACT_MAX:
        case PT_IMPACT_INVALID:
                break;
        }
        return "unknown";
}

static void append_type(GString *out, const PtField *field)
{
        if (!(field->flags & PT_F_LIST))
                append_property(out, "type", "%s", field->type->name);
        else if (field->flags & PT_F_ORDERED)
                append_property(out, "type", "list of %s, in order", field->type->name);
        else
                append_property(out, "type", "list of %s; the order has no meaning",
                                field->type->name);
        append_property(out, "syntax", "%s%s", field->type->syntax,
                        field->flags & PT_F_LIST ? ", each" : "");
}

static void append_limits(GString *out, const PtField *field)
{
        if (field->min || field->max)
                append_property(out, "limits", "%" PRId64 "-%" PRId64 "%s%s", field->min,
                                field->max, field->unit ? " " : "", field->unit ? field->unit : "");
        else if (field->unit)
                append_property(out, "unit", "%s", field->unit);
        if (field->flags & PT_F_LIST)
                append_property(out, "limits", "1-%u entries",
                                field->max_items ? field->max_items : PT_LIST_MAX);
}

static void append_flags(GString *out, const PtField *field)
{
        static const struct {
                PtFieldFlags flag;
                const char *words;
        } flags[] = {
                {PT_F_REQUIRED, "every object has it"},
                {PT_F_IMMUTABLE, "cannot be changed later"},
                {PT_F_READONLY, "is set by the system"},
                {PT_F_SECRET, "is secret: it is sealed and never shown"},
                {PT_F_DEPRECATED, "will go away: do not use it in new configurations"},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(flags); i++)
                if (field->flags & flags[i].flag)
                        append_property(out, "note", "%s", flags[i].words);
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
        unsigned n = g_strv_length(words);
        g_autofree char *assignment = NULL, *quoted = NULL;

        g_string_append(out, "\nExample:\n  spec:\n");
        for (unsigned i = 0; i < n; i++)
                g_string_append_printf(out, "  %*s%s:%s%s\n", (int) (2 * i + 2), "", words[i],
                                       i + 1 == n ? " " : "", i + 1 == n ? field->example : "");
        if (pt_field_nested(field))
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
        append_type(out, field);
        for (const PtChoice *choice = field->choices; choice && choice->name; choice++)
                append_property(out, choice == field->choices ? "words" : "", "%s%s%s",
                                choice->name, choice->doc ? ": " : "",
                                choice->doc ? choice->doc : "");
        append_property(out, "default", "%s", field->def ? field->def : "none");
        append_limits(out, field);
        if (field->ref)
                append_property(out, "refers to", "%s", field->ref);
        append_flags(out, field);
        append_property(out, "impact", "%s", impact_words(field->impact));
        if (field->since)
                append_property(out, "since", "version %s", field->since);
        if (pt_field_nested(field)) {
                g_string_append(out, "\nFields:\n");
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
                        fields = pt_field_nested(field);
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
        field = pt_kind_find_field(kind, dot + 1);
        if (!field)
                return unknown_field(kind, dot + 1, diag);
        explain_field(kind, dot + 1, field, out);
        return 0;
}
