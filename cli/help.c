/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Usage and --help, from the tables in commands.c. */

#include "help.h"

#include "output.h"
#include <string.h>

const char *const ctl_introduction =
        "patronusctl talks to configd, the keeper of Patronus's configuration. Objects have a "
        "kind and a name; every change makes a numbered revision that can be compared and "
        "brought back.";

const CtlDoc ctl_exits[] = {
        {"0", "Done."},
        {"1", "Refused; standard error says why, and nothing was changed."},
        {"2", "The command line is wrong."},
        {"3", "A service or the bus does not answer. When that was in the middle of a change, "
              "standard error says that its outcome is not known."},
        {"4", "In force, but waiting for a confirmation, and taken back without one: the command "
              "has no terminal to wait at, or was left with Ctrl-C."},
        {"5", "It was in force, and was taken back because no confirmation came."},
        {"6", "Of filter why: the packet is dropped."},
        {"7", "Of filter why: the packet is rejected."},
        {"130", "Left by a second Ctrl-C, as a shell shows it; the outcome is not known."},
        {},
};

const CtlDoc ctl_variables[] = {
        {"DBUS_SYSTEM_BUS_ADDRESS", "Address of the bus when --bus is not given."},
        {"PATRONUS_CONFIRM", "What --confirm is when it is not given."},
        {"VISUAL, EDITOR", "The editor of edit; otherwise the system's \"editor\", or vi."},
        {"TMPDIR", "Where edit keeps its text."},
        {"NO_COLOR", "No colours, even on a terminal."},
        {"CLICOLOR_FORCE", "Colours everywhere, as with --color=always."},
        {"COLUMNS", "Width of tables on a terminal, instead of the terminal's own."},
        {},
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

char *ctl_option_title(const CtlOption *option)
{
        g_autoptr(GString) out = g_string_new(NULL);

        if (option->letter)
                g_string_append_printf(out, "-%c, ", option->letter);
        g_string_append_printf(out, "--%s", option->name);
        if (option->argument != CTL_WORD_NONE)
                g_string_append_printf(out, " %s", ctl_words[option->argument]);
        return g_strdup(out->str);
}

static void append_options(CtlOptions options, GString *out)
{
        for (unsigned i = 0; i < CTL_OPTION_MAX; i++) {
                g_autofree char *title = NULL;

                if (!(options >> i & 1))
                        continue;
                title = ctl_option_title(&ctl_options[i]);
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

void ctl_short_help(GString *out)
{
        g_string_append(out, "usage: patronusctl COMMAND [OPTION...] [ARGUMENT...]\n\n");
        for (const CtlCommand *command = ctl_commands; command->doc; command++)
                if (command->common)
                        g_string_append_printf(out, "  %-10s %s\n", command->name, command->doc);
        g_string_append(out,
                        "\n\"patronusctl help\" lists all commands, \"patronusctl help COMMAND\" "
                        "explains one with\nexamples, \"patronusctl explain\" what can be "
                        "configured.\n");
}

static void append_command(const CtlCommand *command, GString *out)
{
        g_string_append_printf(out, "  %-18s ", command->name);
        append_wrapped(command->doc, 21, 21, out);
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
        append_wrapped(ctl_introduction, 0, 0, out);
        g_string_append(out, "\nCommands:\n");
        for (const CtlCommand *c = ctl_commands; c->doc; c++)
                append_command(c, out);
        g_string_append(out, "\nOptions of all commands:\n");
        append_options(CTL_GLOBAL_OPTIONS, out);
        g_string_append(out, "\nExit codes:\n");
        for (const CtlDoc *code = ctl_exits; code->name; code++) {
                g_string_append_printf(out, "  %-4s ", code->name);
                append_wrapped(code->doc, 7, 7, out);
        }
        g_string_append(out, "\n\"patronusctl help COMMAND\" says more.\n");
}

bool ctl_help_below(const char *word, GString *out)
{
        g_autofree char *start = g_strconcat(word, " ", NULL);
        bool any = false;

        for (const CtlCommand *c = ctl_commands; c->doc; c++) {
                if (!g_str_has_prefix(c->name, start))
                        continue;
                if (!any)
                        g_string_append_printf(out, "usage: patronusctl %s COMMAND\n\nCommands:\n",
                                               word);
                any = true;
                append_command(c, out);
        }
        if (any)
                g_string_append_printf(out, "\n\"patronusctl help %s COMMAND\" says more.\n", word);
        return any;
}

int ctl_run_help(Ctl *ctl)
{
        g_autoptr(GString) out = g_string_new(NULL);
        const CtlCommand *command = NULL;
        unsigned taken = 0;

        if (ctl->arguments->len > 0) {
                command = ctl_find_command((const char *const *) ctl->arguments->pdata,
                                           ctl->arguments->len, &taken);
                if (ctl->arguments->len == 1 && !command &&
                    ctl_help_below(ctl_argument(ctl, 0), out)) {
                        fputs(out->str, stdout);
                        return CTL_DONE;
                }
                if (!command || taken != ctl->arguments->len)
                        return ctl_unknown_command(ctl->arguments);
        }
        ctl_help(command, out);
        fputs(out->str, stdout);
        return CTL_DONE;
}
