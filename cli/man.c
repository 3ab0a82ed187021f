/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The man pages, from the tables: patronusctl(8) from that of the commands, and for kinds
 * patronus-kinds(5) and a page each, patronus-zone(5).
 */

#include "help.h"
#include "kind/describe.h"
#include "output.h"

#include "config.h"
#include <string.h>

#define PAGE_PREFIX "patronus-"

/* Appends text for man(7): no line begins a request, hyphens stay ASCII, backslashes are
 * characters. */
static void append_roff(const char *text, GString *out)
{
        bool start = true;

        for (const char *p = text; *p; p++) {
                if (start && (*p == '.' || *p == '\''))
                        g_string_append(out, "\\&");
                if (*p == '\\')
                        g_string_append(out, "\\e");
                else if (*p == '-')
                        g_string_append(out, "\\-");
                else
                        g_string_append_c(out, *p);
                start = *p == '\n';
        }
}

/* A tagged paragraph: title and text. */
static void append_roff_item(const char *title, const char *text, GString *out)
{
        g_string_append(out, ".TP\n.B ");
        append_roff(title, out);
        g_string_append_c(out, '\n');
        append_roff(text, out);
        g_string_append_c(out, '\n');
}

static void append_roff_options(CtlOptions options, GString *out)
{
        for (unsigned i = 0; i < CTL_OPTION_MAX; i++) {
                g_autofree char *title = NULL;

                if (!(options >> i & 1))
                        continue;
                title = ctl_option_title(&ctl_options[i]);
                append_roff_item(title, ctl_options[i].doc, out);
        }
}

static void append_roff_command(const CtlCommand *command, GString *out)
{
        g_autoptr(GString) usage = g_string_new(NULL), examples = g_string_new(NULL);

        ctl_usage(command, usage);
        g_string_append_printf(out, ".SS %s\n.B ", command->name);
        append_roff(usage->str, out);
        g_string_append(out, ".PP\n");
        append_roff(command->doc, out);
        g_string_append(out, ".\n");
        append_roff(command->help, out);
        g_string_append_c(out, '\n');
        append_roff_options(command->options, out);
        if (command->example) {
                g_string_append_printf(examples, "%s\n", command->example);
                g_string_append(out, ".PP\n.RS 4\n.nf\n");
                append_roff(examples->str, out);
                g_string_append(out, ".fi\n.RE\n");
        }
}

/* ".TH NAME SECTION", lines that are not stretched (words of ours are long), and "name \\- summary", as lexgrog(1) wants it. */
static void append_roff_head(const char *name, int section, const char *summary, GString *out)
{
        g_autofree char *upper = g_ascii_strup(name, -1);

        g_string_append_printf(out,
                               ".TH %s %d \"\" \"Patronus " PT_VERSION "\"\n.ad l\n.nh\n.SH NAME\n",
                               upper, section);
        append_roff(name, out);
        g_string_append(out, " \\- ");
        append_roff(summary, out);
        g_string_append_c(out, '\n');
}

static void append_roff_docs(const CtlDoc *docs, GString *out)
{
        for (; docs->name; docs++)
                append_roff_item(docs->name, docs->doc, out);
}

static void append_program_page(GString *out)
{
        append_roff_head("patronusctl", 8, "control the Patronus firewall", out);
        g_string_append(out, ".SH SYNOPSIS\n.B patronusctl\n"
                             "\\fICOMMAND\\fR [\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n"
                             ".SH DESCRIPTION\n");
        append_roff(ctl_introduction, out);
        g_string_append(out, "\nThe kinds are described in\n.BR patronus\\-kinds (5).\n"
                             ".SH OPTIONS\nOptions may stand before or after the command.\n");
        append_roff_options(CTL_GLOBAL_OPTIONS, out);
        g_string_append(out, ".SH COMMANDS\n");
        for (const CtlCommand *command = ctl_commands; command->doc; command++)
                append_roff_command(command, out);
        g_string_append(out, ".SH \"EXIT STATUS\"\n");
        append_roff_docs(ctl_exits, out);
        g_string_append(out, ".SH ENVIRONMENT\n");
        append_roff_docs(ctl_variables, out);
        g_string_append(out, ".SH \"SEE ALSO\"\n.BR patronus\\-kinds (5)\n");
}

/* "patronus-firewallrule" */
static char *page_of(const PtKind *kind)
{
        g_autofree char *lower = g_ascii_strdown(kind->name, -1);

        return g_strconcat(PAGE_PREFIX, lower, NULL);
}

/* The first sentence without its full stop, which is what one says about a kind. */
static char *summary_of(const PtKind *kind)
{
        const char *end = strstr(kind->doc, ". ") ?: strrchr(kind->doc, '.');
        char *summary = g_strndup(kind->doc, end ? (size_t) (end - kind->doc) : strlen(kind->doc));

        *summary = g_ascii_tolower(*summary);
        return summary;
}

static void append_roff_property(const char *label, const char *text, void *userdata)
{
        GString *out = userdata;

        g_string_append(out, ".br\n");
        append_roff(*label ? label : "or", out);
        g_string_append(out, *label ? ": " : " ");
        append_roff(text, out);
        g_string_append_c(out, '\n');
}

/* As deep as the tables. */
static void append_roff_fields(const PtField *fields, const char *before, GString *out)
{
        for (const PtField *field = fields; field->name; field++) {
                g_autofree char *path = g_strconcat(before, field->name, NULL);
                g_autofree char *inner = g_strconcat(path, ".", NULL);

                append_roff_item(path, field->doc, out);
                g_string_append(out, ".RS\n.PP\n");
                pt_field_foreach_property(field, append_roff_property, out);
                if (field->example)
                        append_roff_property("example", field->example, out);
                g_string_append(out, ".RE\n");
                if (field->fields)
                        append_roff_fields(field->fields, inner, out);
        }
}

static void append_roff_literal(const char *text, GString *out)
{
        g_string_append(out, ".RS 4\n.nf\n");
        append_roff(text, out);
        g_string_append(out, ".fi\n.RE\n");
}

static void append_roff_builtins(const PtKind *kind, GString *out)
{
        if (!kind->builtins)
                return;
        g_string_append(out, ".SH \"BUILT IN\"\n");
        for (const PtBuiltin *builtin = kind->builtins; builtin->name; builtin++)
                append_roff_item(builtin->name, builtin->doc, out);
}

static void append_kind_page(const PtKind *kind, GString *out)
{
        g_autofree char *page = page_of(kind), *summary = summary_of(kind);
        g_autofree char *referrers = pt_kind_referrers(kind);

        append_roff_head(page, 5, summary, out);
        g_string_append(out, ".SH DESCRIPTION\n");
        append_roff(kind->doc, out);
        g_string_append_printf(out, "\n.PP\napiVersion: %s, kind: %s.\n", kind->api_version,
                               kind->name);
        if (kind->singleton)
                g_string_append(out, "There is one object, called \"default\".\n");
        if (*referrers) {
                g_string_append(out, "Referred to by ");
                append_roff(referrers, out);
                g_string_append(out, ".\n");
        }
        g_string_append(out, ".SH FIELDS\nOf the object's spec; every object has a\n.B metadata\n"
                             "too, see\n.BR patronus\\-kinds (5).\n");
        append_roff_fields(kind->fields, "", out);
        g_string_append(out, ".SH EXAMPLE\n");
        append_roff_literal(kind->example, out);
        append_roff_builtins(kind, out);
        g_string_append(out, ".SH \"SEE ALSO\"\n.BR patronusctl (8),\n.BR patronus\\-kinds (5)\n");
}

static void append_kinds_page(GString *out)
{
        static const CtlDoc members[] = {
                {"apiVersion", "The group of kinds and its version; each kind's page has it."},
                {"kind", "What sort of object it is."},
                {"metadata.name", "Up to 63 of a-z, 0-9, \".\", \"_\" and \"-\", with a letter or "
                                  "digit at both ends. "
                                  "An object is known by kind and name."},
                {"metadata.description", "What it is for, in your words."},
                {"metadata.labels", "Keys and values of your own, to find objects by."},
                {"metadata.position",
                 "Of kinds whose order has a meaning: where it stands. Given by the order of the "
                 "file; \"patronusctl move\" changes it."},
                {"metadata.uid",
                 "Whose state it is in the kernel. Given when the object is made; renaming keeps "
                 "it."},
                {"spec", "The fields of the kind. What is left out has its default."},
                {},
        };

        append_roff_head(PAGE_PREFIX "kinds", 5, "what Patronus can be told", out);
        g_string_append(out,
                        ".SH DESCRIPTION\nA configuration is a set of objects, written as YAML "
                        "documents or as JSON.\n");
        append_roff_docs(members, out);
        g_string_append(out, ".SH KINDS\n");
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++) {
                g_autofree char *page = page_of(*kind), *summary = summary_of(*kind);
                g_autofree char *title = g_strconcat((*kind)->name, ", ", page, "(5)", NULL);

                append_roff_item(title, summary, out);
        }
        g_string_append(out, ".SH \"SEE ALSO\"\n.BR patronusctl (8)\n");
}

/* One page into a file of the directory. */
static int write_page(const char *directory, const char *name, const GString *page)
{
        g_autofree char *file = g_strconcat(name, ".5", NULL);
        g_autofree char *path = g_build_filename(directory, file, NULL);
        g_autoptr(GError) error = NULL;

        if (g_file_set_contents(path, page->str, (gssize) page->len, &error))
                return CTL_DONE;
        ctl_error("%s", error->message);
        return CTL_REFUSED;
}

static int write_pages(const char *directory)
{
        g_autoptr(GString) kinds = g_string_new(NULL);
        int r;

        if (g_mkdir_with_parents(directory, 0755) < 0) {
                ctl_error("%s: %s", directory, g_strerror(errno));
                return CTL_REFUSED;
        }
        append_kinds_page(kinds);
        r = write_page(directory, PAGE_PREFIX "kinds", kinds);
        for (const PtKind *const *kind = pt_kinds(); *kind && r == CTL_DONE; kind++) {
                g_autofree char *name = page_of(*kind);
                g_autoptr(GString) page = g_string_new(NULL);

                append_kind_page(*kind, page);
                r = write_page(directory, name, page);
        }
        return r;
}

/* Without an argument prints patronusctl(8); with one writes the pages of section 5 there. */
int ctl_run_man(Ctl *ctl)
{
        g_autoptr(GString) out = g_string_new(NULL);

        if (ctl->arguments->len > 0)
                return write_pages(ctl_argument(ctl, 0));
        append_program_page(out);
        fputs(out->str, stdout);
        return CTL_DONE;
}
