/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Usage, --help and the man page, all from the tables in commands.c. */

#include "output.h"

#include "config.h"
#include <string.h>

#define INTRODUCTION                                                                               \
        "patronusctl talks to configd, the keeper of Patronus's configuration. Objects have a "    \
        "kind and a name; every change makes a numbered revision that can be compared and "        \
        "brought back."

static const struct {
        CtlExit code;
        const char *doc;
} exits[] = {
        {CTL_DONE, "Done."},
        {CTL_REFUSED, "Refused; standard error says why, and nothing was changed."},
        {CTL_USAGE, "The command line is wrong."},
        {CTL_UNREACHABLE, "A service or the bus does not answer."},
};

static const struct {
        const char *name, *doc;
} variables[] = {
        {"DBUS_SYSTEM_BUS_ADDRESS", "Address of the bus when --bus is not given."},
        {"NO_COLOR", "No colours, even on a terminal."},
};

static void append_option(const CtlOption *option, bool required, GString *out)
{
        const char *word = ctl_words[option->argument];

        g_string_append(out, required ? " " : " [");
        if (option->argument == CTL_WORD_NONE)
                g_string_append_printf(out, "--%s", option->name);
        else if (option->letter)
                g_string_append_printf(out, "-%c %s", option->letter, word);
        else
                g_string_append_printf(out, "--%s %s", option->name, word);
        g_string_append(out, required ? "" : "]");
}

void ctl_usage(const CtlCommand *command, GString *out)
{
        g_string_append_printf(out, "patronusctl %s", command->name);
        for (unsigned i = 0; i < CTL_OPTION_MAX; i++)
                if (command->options >> i & 1)
                        append_option(&ctl_options[i], command->required >> i & 1, out);
        for (unsigned i = 0; i < CTL_ARGUMENTS_MAX; i++) {
                const CtlArgument *argument = &command->arguments[i];
                const char *word = ctl_words[argument->word];

                if (argument->max == CTL_MANY)
                        g_string_append_printf(out, argument->min ? " %s..." : " [%s...]", word);
                else
                        for (unsigned n = 0; n < argument->max; n++)
                                g_string_append_printf(out, n < argument->min ? " %s" : " [%s]",
                                                       word);
        }
        g_string_append_c(out, '\n');
}

/* Appends `text` wrapped to 80 columns with an indent on the lines after the first. */
static void append_wrapped(const char *text, unsigned column, unsigned indent, GString *out)
{
        g_auto(GStrv) words = g_strsplit(text, " ", -1);

        for (char **word = words; *word; word++) {
                size_t length = strlen(*word);

                if (word != words && column + 1 + length > 79) {
                        g_string_append_printf(out, "\n%*s", (int) indent, "");
                        column = indent;
                } else if (word != words) {
                        g_string_append_c(out, ' ');
                        column++;
                }
                g_string_append(out, *word);
                column += (unsigned) length;
        }
        g_string_append_c(out, '\n');
}

/* "  -o, --output table|yaml|json" */
static char *option_title(const CtlOption *option)
{
        g_autoptr(GString) out = g_string_new(NULL);

        if (option->letter)
                g_string_append_printf(out, "-%c, ", option->letter);
        g_string_append_printf(out, "--%s", option->name);
        if (option->argument != CTL_WORD_NONE)
                g_string_append_printf(out, " %s", ctl_words[option->argument]);
        return g_strdup(out->str);
}

static void append_options(unsigned options, GString *out)
{
        for (unsigned i = 0; i < CTL_OPTION_MAX; i++) {
                g_autofree char *title = NULL;

                if (!(options >> i & 1))
                        continue;
                title = option_title(&ctl_options[i]);
                g_string_append_printf(out, "  %s\n        ", title);
                append_wrapped(ctl_options[i].doc, 8, 8, out);
        }
}

static void append_examples(const CtlCommand *command, const char *before, GString *out)
{
        g_auto(GStrv) lines = g_strsplit(command->example, "\n", -1);

        for (char **line = lines; *line; line++)
                g_string_append_printf(out, "%s%s\n", before, *line);
}

/* The usage on lines of 80 columns; what is in brackets stays together. */
static void append_usage(const CtlCommand *command, GString *out)
{
        g_autoptr(GString) usage = g_string_new("usage: ");
        size_t start = 0, space = 0;
        unsigned depth = 0;

        ctl_usage(command, usage);
        for (size_t i = 0; i < usage->len; i++) {
                depth += usage->str[i] == '[';
                depth -= usage->str[i] == ']';
                if (i - start > 79 && space > start) {
                        usage->str[space] = '\n';
                        g_string_insert(usage, (gssize) space + 1, "        ");
                        start = space + 1;
                        i += 8;
                }
                if (usage->str[i] == ' ' && depth == 0)
                        space = i;
        }
        g_string_append(out, usage->str);
}

void ctl_help(const CtlCommand *command, GString *out)
{
        if (command) {
                append_usage(command, out);
                g_string_append_printf(out, "\n%s.\n\n", command->doc ?: "Internal");
                if (command->help)
                        append_wrapped(command->help, 0, 0, out);
                if (command->options) {
                        g_string_append(out, "\nOptions:\n");
                        append_options(command->options, out);
                }
                if (command->example) {
                        g_string_append(out, "\nExamples:\n");
                        append_examples(command, "  ", out);
                }
                g_string_append(out,
                                "\n\"patronusctl --help\" lists the options of all commands.\n");
                return;
        }

        g_string_append(out, "usage: patronusctl COMMAND [OPTION...] [ARGUMENT...]\n\n");
        append_wrapped(INTRODUCTION, 0, 0, out);
        g_string_append(out, "\nCommands:\n");
        for (const CtlCommand *c = ctl_commands; c->doc; c++)
                g_string_append_printf(out, "  %-16s %s\n", c->name, c->doc);
        g_string_append(out, "\nOptions of all commands:\n");
        append_options(CTL_GLOBAL_OPTIONS, out);
        g_string_append(out, "\nExit codes:\n");
        for (unsigned i = 0; i < G_N_ELEMENTS(exits); i++)
                g_string_append_printf(out, "  %d  %s\n", (int) exits[i].code, exits[i].doc);
        g_string_append(out, "\n\"patronusctl help COMMAND\" says more.\n");
}

int ctl_run_help(Ctl *ctl)
{
        g_autoptr(GString) out = g_string_new(NULL);
        const CtlCommand *command = NULL;
        unsigned taken = 0;

        if (ctl->arguments->len > 0) {
                command = ctl_find_command((const char *const *) ctl->arguments->pdata,
                                           ctl->arguments->len, &taken);
                if (!command || taken != ctl->arguments->len) {
                        ctl_error("there is no command \"%s\"; \"patronusctl help\" lists them",
                                  ctl_argument(ctl, 0));
                        return CTL_USAGE;
                }
        }
        ctl_help(command, out);
        fputs(out->str, stdout);
        return CTL_DONE;
}

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

static void append_roff_options(unsigned options, GString *out)
{
        for (unsigned i = 0; i < CTL_OPTION_MAX; i++) {
                g_autofree char *title = NULL;

                if (!(options >> i & 1))
                        continue;
                title = option_title(&ctl_options[i]);
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
                append_examples(command, "", examples);
                g_string_append(out, ".PP\n.RS 4\n.nf\n");
                append_roff(examples->str, out);
                g_string_append(out, ".fi\n.RE\n");
        }
}

int ctl_run_man(Ctl *ctl)
{
        g_autoptr(GString) out = g_string_new(NULL);

        (void) ctl;
        g_string_append(out, ".TH PATRONUSCTL 8 \"\" \"Patronus " PT_VERSION "\"\n"
                             ".SH NAME\npatronusctl \\- control the Patronus firewall\n"
                             ".SH SYNOPSIS\n.B patronusctl\n"
                             "\\fICOMMAND\\fR [\\fIOPTION\\fR...] [\\fIARGUMENT\\fR...]\n"
                             ".SH DESCRIPTION\n");
        append_roff(INTRODUCTION, out);
        g_string_append(out, "\n.SH OPTIONS\nOptions may stand before or after the command.\n");
        append_roff_options(CTL_GLOBAL_OPTIONS, out);
        g_string_append(out, ".SH COMMANDS\n");
        for (const CtlCommand *command = ctl_commands; command->doc; command++)
                append_roff_command(command, out);
        g_string_append(out, ".SH \"EXIT STATUS\"\n");
        for (unsigned i = 0; i < G_N_ELEMENTS(exits); i++) {
                char code[] = {(char) ('0' + exits[i].code), '\0'};

                append_roff_item(code, exits[i].doc, out);
        }
        g_string_append(out, ".SH ENVIRONMENT\n");
        for (unsigned i = 0; i < G_N_ELEMENTS(variables); i++)
                append_roff_item(variables[i].name, variables[i].doc, out);
        fputs(out->str, stdout);
        return CTL_DONE;
}
