/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * `patronusctl complete -- WORD...` prints what the last word could become, one candidate a line;
 * ":files" alone asks the shell for file names. The words are those of a command line without its
 * first; the tables say what each is. Nothing is said about errors: the shell's line is not the
 * place.
 */

#include "call.h"
#include "dataset.h"
#include "filter.h"
#include "kind/describe.h"
#include "kind/type.h"
#include "message.h"
#include "filter/log-record.h"
#include "netlink/connection-filter.h"
#include "output.h"
#include <inttypes.h>
#include <net/if.h>
#include <string.h>

#define CANDIDATES_MAX 1000 /* a page of List */
#define REVISIONS_MAX 20

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

/* The next of "Zone,FirewallRule". */
static void offer_more_kinds(const char *word, const char *before)
{
        const char *comma = strrchr(word, ',');
        g_autofree char *head = comma ? g_strndup(word, (size_t) (comma + 1 - word)) : NULL;

        offer_kinds(word, head ?: before, "");
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
 * front of them; not those in the list that precedes `name`, which `taken` begins. */
static int offer_names(Ctl *ctl, const PtKind *kind, const char *taken, const char *name,
                       const char *word, const char *before)
{
        g_autofree char *after = NULL;
        pt_auto_message *reply = NULL;
        int r;

        if (ctl_connect(ctl, CTL_CALL_QUIET) != CTL_DONE)
                return CTL_DONE;
        after = before_names(kind, name);
        r = ctl_ask(ctl, &ctl_config, "List", CTL_CALL_QUIET, &reply, "sa{sv}", kind->name, 3,
                    "after", "s", after, "limit", "u", (uint32_t) CANDIDATES_MAX, "brief", "b",
                    true);
        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, "a{sv}");
        while (r >= 0 && (r = sd_bus_message_at_end(reply, false)) == 0) {
                pt_auto_json *object = NULL;

                r = ctl_message_to_json(reply, &object);
                if (r >= 0 && !pt_value_has_item(taken, (size_t) (name - taken),
                                                 ctl_json_string(object, "metadata.name")))
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
static int offer_objects(Ctl *ctl, const char *word, bool builtins)
{
        const char *name = strchr(word, '/') + 1;
        g_autofree char *before = g_strndup(word, (size_t) (name - word));
        const PtKind *kind = kind_of(word);

        if (!kind)
                return CTL_DONE;
        if (builtins)
                for (const PtBuiltin *builtin = kind->builtins; builtin && builtin->name; builtin++)
                        offer(word, before, builtin->name, "");
        return offer_names(ctl, kind, name, name, word, before);
}

/* "KIND/" of kinds with names, "KIND" of singletons and where kinds are fine themselves. */
static void offer_objects_of_kinds(const char *word, bool kinds)
{
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++) {
                if (kinds || (*kind)->singleton)
                        offer(word, "", (*kind)->name, "");
                if (!(*kind)->singleton)
                        offer(word, "", (*kind)->name, "/");
        }
}

/* Names of the kind of the object that the line names first. */
static int offer_siblings(Ctl *ctl, const Line *line, const char *before, const char *word)
{
        const char *object = line->arguments->len > 0 ? g_ptr_array_index(line->arguments, 0) : "";
        const PtKind *kind = kind_of(object);
        const char *name = word + strlen(before);

        return kind ? offer_names(ctl, kind, name, name, word, before) : CTL_DONE;
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

/* Names that a reference may hold: of objects, and of what is built in. */
static int offer_references(Ctl *ctl, const PtField *field, const char *value, const char *word)
{
        const PtKind *kind = pt_kind_find(field->ref);
        const char *name = value + pt_value_head(field, value);
        g_autofree char *before = g_strndup(word, (size_t) (name - word));

        for (const PtBuiltin *builtin = kind->builtins; builtin && builtin->name; builtin++)
                if (!pt_value_has_item(value, (size_t) (name - value), builtin->name))
                        offer(word, before, builtin->name, "");
        return offer_names(ctl, kind, value, name, word, before);
}

/* The machine's own interfaces. */
static void offer_interfaces(const PtField *field, const char *value, const char *word)
{
        const char *name = value + pt_value_head(field, value);
        g_autofree char *before = g_strndup(word, (size_t) (name - word));
        struct if_nameindex *all = if_nameindex();

        for (struct if_nameindex *one = all; one && one->if_name; one++)
                offer(word, before, one->if_name, "");
        if (all)
                if_freenameindex(all);
}

/* "field=value" of the object that the line names first. */
static int offer_assignments(Ctl *ctl, const Line *line, const char *word)
{
        const PtKind *kind = kind_of(g_ptr_array_index(line->arguments, 0));
        g_autoptr(GString) lines = g_string_new(NULL);
        const char *equals = strchr(word, '=');
        g_autofree char *path = g_strndup(word, strcspn(word, "="));
        const PtField *field;

        if (!kind)
                return CTL_DONE;
        pt_kind_complete(kind, word, lines);
        offer_each_line(word, "", lines);
        if (!equals) {
                offer(word, "metadata.", "description=", "");
                offer(word, "metadata.", "labels.", "");
                return CTL_DONE;
        }
        field = pt_kind_find_field(kind, path);
        if (field && field->type == &pt_type_ref)
                return offer_references(ctl, field, equals + 1, word);
        if (field && field->type == &pt_type_ifname)
                offer_interfaces(field, equals + 1, word);
        return CTL_DONE;
}

/* The newest revisions, for those who remember the number roughly. */
static int offer_revisions(Ctl *ctl, const char *before, const char *word)
{
        pt_auto_message *reply = NULL;
        pt_auto_json *revisions = NULL;
        int r;

        if (ctl_connect(ctl, CTL_CALL_QUIET) != CTL_DONE)
                return CTL_DONE;
        r = ctl_ask(ctl, &ctl_config, "ListRevisions", CTL_CALL_QUIET, &reply, "a{sv}", 1, "limit",
                    "u", (uint32_t) REVISIONS_MAX);
        if (r != CTL_DONE)
                return r;
        r = ctl_message_to_json(reply, &revisions);
        if (r < 0)
                return r;
        for (size_t i = 0; i < json_object_array_length(revisions); i++) {
                struct json_object *revision = json_object_array_get_idx(revisions, i);
                g_autofree char *number =
                        g_strdup_printf("%" PRIu64, ctl_json_number(revision, "number"));

                offer(word, before, number, "");
        }
        return CTL_DONE;
}

static int offer_external(Ctl *ctl, const char *before, const char *word)
{
        pt_auto_message *reply = NULL;
        const char *name;
        int r = ctl_ask(ctl, &ctl_filter_properties, "Get", CTL_CALL_QUIET, &reply, "ss",
                        ctl_filter.interface, "ExternalAliases");

        if (r != CTL_DONE)
                return r;
        r = sd_bus_message_enter_container(reply, 'v', "as");
        if (r >= 0)
                r = sd_bus_message_enter_container(reply, 'a', "s");
        while (r >= 0 && (r = sd_bus_message_read(reply, "s", &name)) > 0)
                offer(word, before, name, "");
        return r < 0 ? r : CTL_DONE;
}

static int offer_dataset(struct json_object *dataset, void *word)
{
        offer(word, "", ctl_json_string(dataset, "digest"), "");
        return 0;
}

static int offer_datasets(Ctl *ctl, const char *word)
{
        if (ctl_connect(ctl, CTL_CALL_QUIET) != CTL_DONE)
                return CTL_DONE;
        return ctl_datasets_each(ctl, CTL_CALL_QUIET, offer_dataset, (void *) word);
}

/* "field=value" of a connection. */
static void offer_conditions(const PtField *rows, const char *word)
{
        size_t length = strcspn(word, "=");

        for (const PtField *row = rows; row->name; row++) {
                g_autofree char *before = g_strconcat(row->name, "=", NULL);
                g_autoptr(GString) values = g_string_new(NULL);

                if (!word[length]) {
                        offer(word, "", before, "");
                } else if (g_str_has_prefix(word, before) && row->type->complete) {
                        row->type->complete(row, values);
                        offer_each_line(word, before, values);
                }
        }
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
        case CTL_WORD_LIST:
                puts(":files");
                break;
        case CTL_WORD_CONFIRM:
                for (unsigned i = 0; ctl_confirm_words[i]; i++)
                        offer(word, before, ctl_confirm_words[i], "");
                break;
        case CTL_WORD_CONTENT:
                for (unsigned i = 0; ctl_contents[i]; i++)
                        offer(word, before, ctl_contents[i], "");
                break;
        case CTL_WORD_DATASET:
                return offer_datasets(ctl, word);
        case CTL_WORD_COMMAND:
                offer_commands(line->arguments, word);
                break;
        case CTL_WORD_KIND:
                offer_kinds(word, before, "");
                break;
        case CTL_WORD_KINDS:
                offer_more_kinds(word, before);
                break;
        case CTL_WORD_FIELD:
                offer_fields(word);
                break;
        case CTL_WORD_OBJECT_OR_KIND:
        case CTL_WORD_OBJECT:
                if (strchr(word, '/'))
                        return offer_objects(ctl, word, type == CTL_WORD_OBJECT_OR_KIND);
                offer_objects_of_kinds(word, type == CTL_WORD_OBJECT_OR_KIND);
                break;
        case CTL_WORD_ASSIGNMENT:
                return offer_assignments(ctl, line, word);
        case CTL_WORD_SIBLING:
                return offer_siblings(ctl, line, before, word);
        case CTL_WORD_CONDITION:
                offer_conditions(pt_connection_filter_fields, word);
                break;
        case CTL_WORD_LOG_CONDITION:
                offer_conditions(fw_log_filter_fields, word);
                break;
        case CTL_WORD_SWITCH:
                for (unsigned i = 0; ctl_switches[i]; i++)
                        offer(word, before, ctl_switches[i], "");
                break;
        case CTL_WORD_GROUP:
                for (unsigned i = 0; ctl_groups[i]; i++)
                        offer(word, before, ctl_groups[i], "");
                break;
        case CTL_WORD_MEASURE:
                for (unsigned i = 0; ctl_measures[i]; i++)
                        offer(word, before, ctl_measures[i], "");
                break;
        case CTL_WORD_EXTERNAL:
                return offer_external(ctl, before, word);
        case CTL_WORD_REVISION:
                return offer_revisions(ctl, before, word);
        case CTL_WORD_DURATION:
        case CTL_WORD_PREFIX:
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
