/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The command line, by the tables in commands.c. Options may stand anywhere; which of them a
 * command takes is checked once the command is known. (getopt_long() would need a table a command,
 * and knows no nearest word.)
 */

#include "confirm.h"
#include "output.h"

#include "base/text.h"
#include <string.h>

#define COMMAND_WORDS_MAX 2 /* "filter counters" */

const char *ctl_argument(const Ctl *ctl, unsigned i)
{
        return i < ctl->arguments->len ? g_ptr_array_index(ctl->arguments, i) : NULL;
}

int ctl_parse_number(const char *text, uint64_t max, uint64_t *ret)
{
        guint64 value;

        if (!g_ascii_string_to_unsigned(text, 10, 0, max, &value, NULL))
                return -EINVAL;
        *ret = value;
        return 0;
}

int ctl_parse_limit(const Ctl *ctl, uint64_t *limit)
{
        const char *text = ctl->values[CTL_LIMIT];

        if (text && (ctl_parse_number(text, INT32_MAX, limit) < 0 || *limit == 0)) {
                ctl_error("--limit is a number from 1, not \"%s\"", text);
                return CTL_USAGE;
        }
        return CTL_DONE;
}

int ctl_parse_revision(const char *text, uint64_t *ret)
{
        uint64_t value;

        if (ctl_parse_number(text, INT64_MAX, &value) < 0 || value == 0) {
                ctl_error("\"%s\" is not a revision; \"patronusctl history\" lists their numbers",
                          text);
                return CTL_USAGE;
        }
        *ret = value;
        return CTL_DONE;
}

const PtKind *ctl_parse_kind(const char *text)
{
        const PtKind *kind = pt_kind_find(text);
        g_autoptr(GPtrArray) names = NULL;
        const char *nearest;

        if (kind)
                return kind;
        names = g_ptr_array_new();
        for (const PtKind *const *k = pt_kinds(); *k; k++) {
                g_ptr_array_add(names, (char *) (*k)->name);
                g_ptr_array_add(names, (char *) (*k)->plural);
        }
        g_ptr_array_add(names, NULL);
        nearest = pt_nearest_word(text, (const char *const *) names->pdata);
        if (nearest)
                ctl_error("unknown kind \"%s\"; did you mean %s?", text, nearest);
        else
                ctl_error("unknown kind \"%s\"; \"patronusctl explain\" lists the kinds", text);
        return NULL;
}

int ctl_parse_object(const char *text, const PtKind **ret_kind, const char **ret_name)
{
        const char *slash = strchr(text, '/');
        g_autofree char *kind_name =
                g_strndup(text, slash ? (size_t) (slash - text) : strlen(text));
        const PtKind *kind = ctl_parse_kind(kind_name);

        if (!kind)
                return CTL_USAGE;
        if (!slash && kind->singleton) {
                *ret_kind = kind;
                *ret_name = CTL_SINGLETON;
                return CTL_DONE;
        }
        if (!slash || !pt_name_is_valid(slash + 1)) {
                ctl_error("\"%s\" is not KIND/NAME; a name has 1 to %d of the characters a-z 0-9 . "
                          "_ -, and begins and ends with a letter or digit: %s/example",
                          text, PT_NAME_MAX, kind->name);
                return CTL_USAGE;
        }
        *ret_kind = kind;
        *ret_name = slash + 1;
        return CTL_DONE;
}

bool ctl_takes_option(const CtlCommand *command, const CtlOption *option)
{
        return (CTL_GLOBAL_OPTIONS | command->options) >> (option - ctl_options) & 1;
}

const CtlOption *ctl_find_option(const char *word, const char **ret_value)
{
        size_t length = strcspn(word, "=");

        for (unsigned i = 0; i < CTL_OPTION_MAX; i++) {
                const CtlOption *option = &ctl_options[i];

                if (word[1] != '-' && word[1] == option->letter) {
                        *ret_value = word[2] ? word + 2 : NULL;
                        return option;
                }
                if (word[1] == '-' && length - 2 == strlen(option->name) &&
                    memcmp(word + 2, option->name, length - 2) == 0) {
                        *ret_value = word[length] ? word + length + 1 : NULL;
                        return option;
                }
        }
        return NULL;
}

const CtlCommand *ctl_find_command(const char *const *words, unsigned n, unsigned *ret_n)
{
        for (unsigned take = MIN(n, COMMAND_WORDS_MAX); take > 0; take--) {
                g_autofree char *name =
                        take == 1 ? g_strdup(words[0]) : g_strjoin(" ", words[0], words[1], NULL);

                for (const CtlCommand *command = ctl_commands; command->name; command++)
                        if (strcmp(command->name, name) == 0) {
                                *ret_n = take;
                                return command;
                        }
        }
        return NULL;
}

static int unknown_option(const char *word)
{
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        g_autofree char *name = g_strndup(word, strcspn(word, "="));
        const char *nearest = NULL;

        for (unsigned i = 0; i < CTL_OPTION_MAX; i++)
                g_ptr_array_add(names, (char *) ctl_options[i].name);
        g_ptr_array_add(names, NULL);
        if (g_str_has_prefix(name, "--"))
                nearest = pt_nearest_word(name + 2, (const char *const *) names->pdata);
        if (nearest)
                ctl_error("unknown option %s; did you mean --%s?", name, nearest);
        else
                ctl_error("unknown option %s; \"patronusctl --help\" lists them", name);
        return CTL_USAGE;
}

/* The words that may follow "filter"; NULL-terminated. */
static GPtrArray *words_below(const char *word)
{
        g_autofree char *start = g_strconcat(word, " ", NULL);
        GPtrArray *words = g_ptr_array_new();

        for (const CtlCommand *command = ctl_commands; command->doc; command++)
                if (g_str_has_prefix(command->name, start))
                        g_ptr_array_add(words, (char *) command->name + strlen(start));
        g_ptr_array_add(words, NULL);
        return words;
}

/* The first word is right, as far as it goes. */
static void say_half_command(const char *word, const char *second, const GPtrArray *below)
{
        const char *const *words = (const char *const *) below->pdata;
        const char *nearest = *second ? pt_nearest_word(second, words) : NULL;
        g_autofree char *all = g_strjoinv(", ", (char **) below->pdata);

        if (nearest)
                ctl_error("unknown command \"%s %s\"; did you mean \"%s %s\"?", word, second, word,
                          nearest);
        else
                ctl_error("unknown command \"%s%s%s\"; after \"%s\" comes one of %s", word,
                          *second ? " " : "", second, word, all);
}

int ctl_unknown_command(const GPtrArray *words)
{
        const char *word = g_ptr_array_index(words, 0), *nearest;
        g_autoptr(GPtrArray) below = words_below(word), names = g_ptr_array_new();
        g_autofree char *both = NULL;

        if (below->len > 1) {
                say_half_command(word, words->len > 1 ? g_ptr_array_index(words, 1) : "", below);
                return CTL_USAGE;
        }
        for (const CtlCommand *command = ctl_commands; command->doc; command++)
                g_ptr_array_add(names, (char *) command->name);
        g_ptr_array_add(names, NULL);
        both = g_strjoin(" ", word, words->len > 1 ? g_ptr_array_index(words, 1) : "", NULL);
        nearest = pt_nearest_word(word, (const char *const *) names->pdata)
                          ?: pt_nearest_word(both, (const char *const *) names->pdata);
        if (nearest)
                ctl_error("unknown command \"%s\"; did you mean \"%s\"?", word, nearest);
        else
                ctl_error("unknown command \"%s\"; \"patronusctl help\" lists the commands", word);
        return CTL_USAGE;
}

static void say_usage(const CtlCommand *command)
{
        g_autoptr(GString) usage = g_string_new(NULL);

        ctl_usage(command, usage);
        fprintf(stderr, "usage: %s", usage->str);
}

static int check_arguments(const Ctl *ctl)
{
        unsigned min = 0, max = 0;

        for (unsigned i = 0; i < CTL_ARGUMENTS_MAX; i++) {
                const CtlArgument *argument = &ctl->command->arguments[i];

                min += argument->min;
                max = argument->max == CTL_MANY ? CTL_MANY : max + argument->max;
        }
        if (ctl->arguments->len < min)
                ctl_error("\"%s\" needs %s", ctl->command->name,
                          ctl->arguments->len == 0 ? "an argument" : "more arguments");
        else if (ctl->arguments->len > max)
                ctl_error("\"%s\" does not take the argument \"%s\"", ctl->command->name,
                          ctl_argument(ctl, max));
        else
                return CTL_DONE;
        say_usage(ctl->command);
        return CTL_USAGE;
}

static int check_options(const Ctl *ctl)
{
        const CtlCommand *command = ctl->command;

        for (unsigned i = 0; i < CTL_OPTION_MAX; i++) {
                const CtlOption *option = &ctl_options[i];

                if (ctl->values[i] && !ctl_takes_option(command, option))
                        ctl_error("\"%s\" does not take --%s", command->name, option->name);
                else if (!ctl->values[i] && command->required >> i & 1)
                        ctl_error("\"%s\" needs --%s %s", command->name, option->name,
                                  ctl_words[option->argument]);
                else
                        continue;
                say_usage(command);
                return CTL_USAGE;
        }
        return CTL_DONE;
}

static int parse_format(Ctl *ctl)
{
        const char *text = ctl->values[CTL_OUTPUT];

        ctl->format = CTL_FORMAT_MAX;
        if (!text)
                return CTL_DONE;
        for (unsigned i = 0; i < CTL_FORMAT_MAX; i++)
                if (strcmp(text, ctl_formats[i]) == 0) {
                        ctl->format = i;
                        return CTL_DONE;
                }
        ctl_error("--output is one of %s, not \"%s\"", ctl_words[CTL_WORD_FORMAT], text);
        return CTL_USAGE;
}

static int parse_colour(const Ctl *ctl)
{
        const char *text = ctl->values[CTL_COLOUR];

        if (!text || strcmp(text, "auto") == 0)
                return CTL_DONE;
        if (!g_strv_contains(ctl_colours, text)) {
                ctl_error("--color is one of %s, not \"%s\"", ctl_words[CTL_WORD_COLOUR], text);
                return CTL_USAGE;
        }
        ctl_set_colours(strcmp(text, "always") == 0);
        return CTL_DONE;
}

/* Takes the option at argv[i]; returns how many words that took, or -EINVAL after a message. */
static int parse_option(Ctl *ctl, char **argv, int i, int argc)
{
        const char *value = NULL;
        const CtlOption *option = ctl_find_option(argv[i], &value);
        bool next = false;

        if (!option) {
                unknown_option(argv[i]);
                return -EINVAL;
        }
        if (option->argument == CTL_WORD_NONE && value) {
                ctl_error("--%s takes no value", option->name);
                return -EINVAL;
        }
        if (option->argument != CTL_WORD_NONE && !value) {
                next = true;
                value = i + 1 < argc ? argv[i + 1] : NULL;
                if (!value) {
                        ctl_error("--%s needs a value: %s", option->name,
                                  ctl_words[option->argument]);
                        return -EINVAL;
                }
        }
        if (ctl->values[option - ctl_options] && option->argument != CTL_WORD_NONE) {
                ctl_error("--%s is given twice", option->name);
                return -EINVAL;
        }
        ctl->values[option - ctl_options] = value ?: "";
        return next ? 2 : 1;
}

int ctl_parse(Ctl *ctl, int argc, char **argv)
{
        unsigned taken = 0;
        int r;

        for (int i = 1; i < argc; i += r) {
                r = 1;
                if (strcmp(argv[i], "--") == 0) {
                        while (++i < argc)
                                g_ptr_array_add(ctl->arguments, argv[i]);
                        break;
                }
                /* What is completed is another command line: not ours to read. */
                if (ctl->arguments->len > 0 && strcmp(ctl_argument(ctl, 0), "complete") == 0)
                        g_ptr_array_add(ctl->arguments, argv[i]);
                else if (argv[i][0] != '-' || !argv[i][1])
                        g_ptr_array_add(ctl->arguments, argv[i]);
                else if ((r = parse_option(ctl, argv, i, argc)) < 0)
                        return CTL_USAGE;
        }
        r = ctl_confirm_check(ctl);
        if (r == CTL_DONE)
                r = parse_format(ctl);
        if (r == CTL_DONE)
                r = parse_colour(ctl);
        if (r != CTL_DONE || ctl->values[CTL_VERSION])
                return r;

        if (ctl->arguments->len == 0) {
                g_autoptr(GString) help = g_string_new(NULL);

                if (ctl->values[CTL_HELP])
                        return CTL_DONE;
                ctl_short_help(help);
                fputs(help->str, stderr);
                return CTL_USAGE;
        }
        ctl->command = ctl_find_command((const char *const *) ctl->arguments->pdata,
                                        ctl->arguments->len, &taken);
        if (!ctl->command && ctl->values[CTL_HELP] && ctl->arguments->len == 1) {
                g_autoptr(GPtrArray) below = words_below(ctl_argument(ctl, 0));

                if (below->len > 1)
                        return CTL_DONE;
        }
        if (!ctl->command)
                return ctl_unknown_command(ctl->arguments);
        g_ptr_array_remove_range(ctl->arguments, 0, taken);
        if (ctl->values[CTL_HELP])
                return CTL_DONE;
        r = check_options(ctl);
        return r != CTL_DONE ? r : check_arguments(ctl);
}
