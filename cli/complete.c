/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * `patronusctl complete -- WORD...` prints what the last word could become, one candidate a line;
 * ":files" alone asks the shell for file names. The words are those of a command line without its
 * first; the tables say what each is. Nothing is said about errors: the shell's line is not the
 * place.
 */

#include "call.h"
#include "kind/describe.h"
#include "message.h"
#include "output.h"
#include <string.h>

#define CANDIDATES_MAX 1000 /* a page of List */

/* The words before the last one, as far as they can be understood. */
typedef struct Line {
        const CtlCommand *command; /* NULL: not yet */
        const CtlOption *open;     /* the last word is its value, or NULL */
        GPtrArray *arguments; /* const char *, after the command, or the words of half a command */
} Line;

static void offer(const char *word, const char *before, const char *candidate, const char *after)
{
        g_autofree char *whole = g_strconcat(before, candidate, after, NULL);

        if (g_str_has_prefix(whole, word))
                puts(whole);
}

static void offer_kinds(const char *word, const char *before, const char *after)
{
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++)
                offer(word, before, (*kind)->name, after);
}

static void offer_each_line(const char *word, const char *before, const GString *lines)
{
        g_auto(GStrv) words = g_strsplit(lines->str, "\n", -1);

        for (char **w = words; *w; w++)
                if (**w)
                        offer(word, before, *w, "");
}

/* The place in a list just before all names that begin so: "Zone/wea~" for "web", as no character
 * of a name is behind "~". */
static char *before_names(const PtKind *kind, const char *beginning)
{
        g_autofree char *name = g_strdup(beginning);

        if (!*name)
                return g_strdup("");
        name[strlen(name) - 1]--;
        return g_strdup_printf("%s/%s~", kind->name, name);
}

/* Names of the kind's objects that begin with `name`, as candidates for a word that has `before` in
 * front of them. */
static int offer_names(Ctl *ctl, const PtKind *kind, const char *name, const char *word,
                       const char *before)
{
        g_autofree char *after = NULL;
        pt_auto_message *reply = NULL;
        int r;

        if (ctl_connect(ctl, CTL_CALL_QUIET) != CTL_DONE)
                return CTL_DONE;
        after = before_names(kind, name);
        r = ctl_ask(ctl, &ctl_config, "List", CTL_CALL_QUIET, &reply, "sa{sv}", kind->name, 2,
                    "after", "s", after, "limit", "u", (uint32_t) CANDIDATES_MAX);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(reply, false)) == 0) {
                pt_auto_json *object = NULL;

                r = ctl_message_to_json(reply, &object);
                if (r >= 0)
                        offer(word, before, ctl_json_string(object, "metadata.name"), "");
        }
        return r < 0 ? r : CTL_DONE;
}

/* The kind of "KIND/name" or "KIND", or NULL. */
static const PtKind *kind_of(const char *object)
{
        g_autofree char *name = g_strndup(object, strcspn(object, "/"));

        return pt_kind_find(name);
}

/* "KIND/name" */
static int offer_objects(Ctl *ctl, const char *word)
{
        const char *name = strchr(word, '/') + 1;
        g_autofree char *before = g_strndup(word, (size_t) (name - word));
        const PtKind *kind = kind_of(word);

        return kind ? offer_names(ctl, kind, name, word, before) : CTL_DONE;
}

/* Names of the kind of the object that the line names first. */
static int offer_siblings(Ctl *ctl, const Line *line, const char *before, const char *word)
{
        const char *object = line->arguments->len > 0 ? g_ptr_array_index(line->arguments, 0) : "";
        const PtKind *kind = kind_of(object);

        return kind ? offer_names(ctl, kind, word + strlen(before), word, before) : CTL_DONE;
}

/* "KIND.field.path" */
static void offer_fields(const char *word)
{
        const char *dot = strchr(word, '.');
        g_autofree char *kind_name = g_strndup(word, dot ? (size_t) (dot - word) : 0);
        g_autofree char *before = g_strndup(word, dot ? (size_t) (dot + 1 - word) : 0);
        g_autoptr(GString) lines = g_string_new(NULL);
        const PtKind *kind = dot ? pt_kind_find(kind_name) : NULL;

        if (!dot) {
                offer_kinds(word, "", "");
                offer_kinds(word, "", ".");
        } else if (kind) {
                pt_kind_complete(kind, dot + 1, lines);
                for (char *p = lines->str; *p; p++) /* no values here */
                        if (*p == '=')
                                *p = '\n';
                offer_each_line(word, before, lines);
        }
}

/* "field=value" of the object that the line names first. */
static void offer_assignments(const Line *line, const char *word)
{
        const char *object = g_ptr_array_index(line->arguments, 0);
        g_autofree char *kind_name = g_strndup(object, strcspn(object, "/"));
        g_autoptr(GString) lines = g_string_new(NULL);
        const PtKind *kind = pt_kind_find(kind_name);

        if (!kind)
                return;
        pt_kind_complete(kind, word, lines);
        offer_each_line(word, "", lines);
        offer(word, "metadata.", "description=", "");
        offer(word, "metadata.", "labels.", "");
}

/* Commands that begin with the words before; only their next word. */
static void offer_commands(const GPtrArray *before, const char *word)
{
        g_autoptr(GString) start = g_string_new(NULL);
        const char *last = NULL;

        for (unsigned i = 0; i < before->len; i++)
                g_string_append_printf(start, "%s ", (const char *) g_ptr_array_index(before, i));
        for (const CtlCommand *command = ctl_commands; command->doc; command++) {
                const char *rest = command->name + start->len;
                g_autofree char *next = NULL;

                if (!g_str_has_prefix(command->name, start->str))
                        continue;
                next = g_strndup(rest, strcspn(rest, " "));
                if (!last || !g_str_has_prefix(last, next)) /* "filter" of several */
                        offer(word, "", next, "");
                last = rest;
        }
}

static void offer_options(const Line *line, const char *word)
{
        for (unsigned i = 0; i < CTL_OPTION_MAX; i++)
                if (!line->command || ctl_takes_option(line->command, &ctl_options[i]))
                        offer(word, "--", ctl_options[i].name, "");
}

static int offer_word(Ctl *ctl, const Line *line, CtlWord type, const char *before,
                      const char *word)
{
        switch (type) {
        case CTL_WORD_FORMAT:
                for (unsigned i = 0; ctl_formats[i]; i++)
                        offer(word, before, ctl_formats[i], "");
                break;
        case CTL_WORD_COLOUR:
                for (unsigned i = 0; ctl_colours[i]; i++)
                        offer(word, before, ctl_colours[i], "");
                break;
        case CTL_WORD_INPUT:
                puts(":files");
                break;
        case CTL_WORD_COMMAND:
                offer_commands(line->arguments, word);
                break;
        case CTL_WORD_KIND:
        case CTL_WORD_KINDS:
                offer_kinds(word, before, "");
                break;
        case CTL_WORD_FIELD:
                offer_fields(word);
                break;
        case CTL_WORD_OBJECT_OR_KIND:
        case CTL_WORD_OBJECT:
                if (strchr(word, '/'))
                        return offer_objects(ctl, word);
                if (type == CTL_WORD_OBJECT_OR_KIND)
                        offer_kinds(word, "", "");
                offer_kinds(word, "", "/");
                break;
        case CTL_WORD_ASSIGNMENT:
                offer_assignments(line, word);
                break;
        case CTL_WORD_SIBLING:
                return offer_siblings(ctl, line, before, word);
        case CTL_WORD_REVISION:
        case CTL_WORD_NONE:
        case CTL_WORD_TEXT:
        case CTL_WORD_NAME:
        case CTL_WORD_NUMBER:
        case CTL_WORD_ADDRESS:
        case CTL_WORD_MAX:
                break;
        }
        return CTL_DONE;
}

static void read_line(Ctl *ctl, Line *line)
{
        unsigned taken = 0;

        for (unsigned i = 0; i + 1 < ctl->arguments->len; i++) {
                const char *word = ctl_argument(ctl, i), *value = NULL;
                const CtlOption *option;

                if (line->open) {
                        ctl->values[line->open - ctl_options] = word;
                        line->open = NULL;
                } else if (word[0] != '-' || !word[1])
                        g_ptr_array_add(line->arguments, (char *) word);
                else if ((option = ctl_find_option(word, &value))) {
                        if (value)
                                ctl->values[option - ctl_options] = value;
                        else if (option->argument != CTL_WORD_NONE)
                                line->open = option;
                }
        }
        line->command = ctl_find_command((const char *const *) line->arguments->pdata,
                                         line->arguments->len, &taken);
        if (line->command)
                g_ptr_array_remove_range(line->arguments, 0, taken);
}

/* What the n-th argument of the command is. */
static CtlWord argument_word(const CtlCommand *command, unsigned n)
{
        for (unsigned i = 0; i < CTL_ARGUMENTS_MAX; i++) {
                const CtlArgument *argument = &command->arguments[i];

                if (n < argument->max)
                        return argument->word;
                n -= argument->max;
        }
        return CTL_WORD_NONE;
}

int ctl_run_complete(Ctl *ctl)
{
        g_autoptr(GPtrArray) arguments = g_ptr_array_new();
        Line line = {.arguments = arguments};
        const char *word =
                ctl->arguments->len > 0 ? ctl_argument(ctl, ctl->arguments->len - 1) : "";
        const char *value = NULL;
        const CtlOption *option;

        read_line(ctl, &line);
        if (line.open)
                return offer_word(ctl, &line, line.open->argument, "", word);
        if (g_str_has_prefix(word, "--") && strchr(word, '=')) {
                g_autofree char *before = g_strndup(word, strcspn(word, "=") + 1);

                option = ctl_find_option(word, &value);
                return option ? offer_word(ctl, &line, option->argument, before, word) : CTL_DONE;
        }
        if (word[0] == '-')
                offer_options(&line, word);
        else if (!line.command)
                offer_commands(line.arguments, word);
        else
                return offer_word(ctl, &line, argument_word(line.command, line.arguments->len), "",
                                  word);
        return CTL_DONE;
}
