/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * patronusctl: a thin client of configd. This header holds what its files share: the one table of
 * commands and options (commands.c), from which parsing, usage, --help, the man page and completion
 * derive, and the context of one run.
 *
 * Nothing here knows a kind by name: kinds come from the tables that libpatronus links in.
 */

#include "base/diag.h"
#include "kind/json.h"
#include <systemd/sd-bus.h>

/* What the shell sees. Functions that talk to people return one of these, or a negative errno when
 * something that cannot be the user's fault failed (main() then says so and leaves with
 * CTL_REFUSED). */
typedef enum CtlExit {
        CTL_DONE = 0,
        CTL_REFUSED = 1,     /* nothing was changed, diagnostics say why */
        CTL_USAGE = 2,       /* the command line is wrong */
        CTL_UNREACHABLE = 3, /* a service or the bus does not answer */
        CTL_UNCONFIRMED = 4, /* in force, and taken back unless it is confirmed */
        CTL_TAKEN_BACK = 5,  /* it was in force, and no confirmation came */
        CTL_DROPPED = 6,     /* filter why: the packet is dropped */
        CTL_REJECTED = 7,    /* filter why: it is rejected */
} CtlExit;

/* What a word on the command line is; the names of the words and their completion follow from it.
 */
typedef enum CtlWord {
        CTL_WORD_NONE,
        CTL_WORD_TEXT,
        CTL_WORD_NAME,
        CTL_WORD_NUMBER,
        CTL_WORD_FORMAT,
        CTL_WORD_COLOUR,
        CTL_WORD_INPUT,
        CTL_WORD_ADDRESS,
        CTL_WORD_REVISION,
        CTL_WORD_COMMAND,
        CTL_WORD_KIND,
        CTL_WORD_KINDS,
        CTL_WORD_FIELD,
        CTL_WORD_OBJECT,
        CTL_WORD_OBJECT_OR_KIND,
        CTL_WORD_ASSIGNMENT,
        CTL_WORD_SIBLING, /* the name of another object of the kind that the line names first */
        CTL_WORD_CONDITION,
        CTL_WORD_LOG_CONDITION,
        CTL_WORD_LIST,
        CTL_WORD_CONTENT,
        CTL_WORD_DATASET,
        CTL_WORD_DURATION,
        CTL_WORD_SWITCH,
        CTL_WORD_EXTERNAL, /* an alias whose entries come and go at run time */
        CTL_WORD_PREFIX,
        CTL_WORD_CONFIRM,
        CTL_WORD_GROUP,
        CTL_WORD_MEASURE,
        CTL_WORD_MAX,
} CtlWord;

typedef enum CtlOptionId {
        CTL_OUTPUT,
        CTL_COLOUR,
        CTL_BUS,
        CTL_HELP,
        CTL_VERSION,
        CTL_FILE,
        CTL_SET,
        CTL_REPLACE,
        CTL_DRY_RUN,
        CTL_MESSAGE,
        CTL_KIND,
        CTL_REVISION,
        CTL_LIMIT,
        CTL_BUILTIN,
        CTL_DELETE,
        CTL_BEFORE,
        CTL_AFTER,
        CTL_FIRST,
        CTL_LAST,
        CTL_KILL,
        CTL_CONTENT,
        CTL_FOR,
        CTL_FORCE,
        CTL_ALL,
        CTL_WATCH,
        CTL_NAME,
        CTL_WAIT,
        CTL_CONFIRM,
        CTL_SEALED,
        CTL_VERIFY,
        CTL_USER,
        CTL_ALLOW_OFFLINE,
        CTL_FROM, /* these are the keys of a packet or frame (Filter1.Explain), to CTL_FRAGMENT */
        CTL_TO,
        CTL_IN,
        CTL_OUT,
        CTL_SRC,
        CTL_DST,
        CTL_PROTO,
        CTL_SPORT,
        CTL_DPORT,
        CTL_ICMP_TYPE,
        CTL_STATE,
        CTL_MARK,
        CTL_DSCP,
        CTL_FLAGS,
        CTL_LENGTH,
        CTL_MAC,
        CTL_HOP_LIMIT,
        CTL_TAG,
        CTL_BRIDGE,
        CTL_SMAC,
        CTL_DMAC,
        CTL_ETHER_TYPE,
        CTL_VLAN,
        CTL_ARP_OP,
        CTL_ARP_MAC,
        CTL_FRAGMENT,
        CTL_BATCH,
        CTL_FOLLOW,
        CTL_SEMANTIC,
        CTL_AT,
        CTL_ZONE,
        CTL_SOURCE,
        CTL_BY,
        CTL_WHAT,
        CTL_OPTION_MAX,
} CtlOptionId;

typedef struct CtlOption {
        char letter; /* or 0 */
        const char *name;
        CtlWord argument; /* CTL_WORD_NONE: a flag */
        const char *doc;
} CtlOption;

typedef struct CtlArgument {
        CtlWord word;
        unsigned min, max; /* how often; CTL_MANY: without end; only the last row may be open */
} CtlArgument;
#define CTL_MANY UINT32_MAX
#define CTL_ARGUMENTS_MAX 2

typedef struct Ctl Ctl;

__extension__ typedef unsigned __int128 CtlOptions; /* a set of them: CTL_BIT() of each */

typedef struct CtlCommand {
        const char *name; /* "apply", "filter counters" */
        CtlArgument arguments[CTL_ARGUMENTS_MAX];
        CtlOptions options;  /* CTL_BIT() of each, besides the global ones */
        CtlOptions required; /* those of them that must be given */
        bool common;         /* in the short list */
        const char *doc;     /* one line */
        const char *help;    /* paragraphs for --help and the man page */
        const char *example; /* lines, or NULL */
        int (*run)(Ctl *ctl);
} CtlCommand;

#define CTL_BIT(option) ((CtlOptions) 1 << (option))
G_STATIC_ASSERT(CTL_OPTION_MAX <= 128); /* bits of CtlOptions */

#define CTL_GLOBAL_OPTIONS                                                                         \
        (CTL_BIT(CTL_OUTPUT) | CTL_BIT(CTL_COLOUR) | CTL_BIT(CTL_BUS) | CTL_BIT(CTL_HELP) |        \
         CTL_BIT(CTL_VERSION))

extern const CtlOption ctl_options[CTL_OPTION_MAX];
extern const CtlCommand ctl_commands[];           /* the last has name NULL */
extern const char *const ctl_words[CTL_WORD_MAX]; /* "KIND/NAME" */
extern const char *const ctl_formats[];           /* "table", "wide", "yaml", "json", NULL */
extern const char *const ctl_contents[];          /* "addresses", "macs", NULL */
extern const char *const ctl_confirm_words[];     /* "auto", "never", NULL */
extern const char *const ctl_switches[];          /* "on", "off", "status", NULL */
extern const char *const ctl_groups[];            /* "source", ..., "zone", NULL */
extern const char *const ctl_measures[];          /* "bytes", "packets", "connections", NULL */
extern const char *const ctl_colours[];           /* "auto", "always", "never", NULL */

typedef enum CtlFormat {
        CTL_TABLE, /* for people, as wide as the terminal */
        CTL_WIDE,  /* for people, all columns and nothing cut */
        CTL_YAML,
        CTL_JSON,
        CTL_FORMAT_MAX,
} CtlFormat;

/* For people. CTL_FORMAT_MAX, which is "not given", is no table by itself. */
static inline bool ctl_format_is_table(CtlFormat format)
{
        return format == CTL_TABLE || format == CTL_WIDE;
}

/* One run. */
struct Ctl {
        const CtlCommand *command;
        const char *values[CTL_OPTION_MAX]; /* NULL: not given; "" for a flag */
        GPtrArray *arguments;               /* const char *, after the command's own words */
        CtlFormat format; /* CTL_FORMAT_MAX: not given, the command's own choice */
        sd_bus *bus;      /* NULL until the first call */
        char *address;    /* of that bus, for messages */
};

/* The i-th argument or NULL. */
const char *ctl_argument(const Ctl *ctl, unsigned i);

/* arguments.c: fills `ctl` from the command line; CTL_USAGE after a message. */
int ctl_parse(Ctl *ctl, int argc, char **argv);
/* The command that the first words name, and in ret_n how many words that took; NULL if none. */
const CtlCommand *ctl_find_command(const char *const *words, unsigned n, unsigned *ret_n);
/* Says that the words name no command, and which one is near; CTL_USAGE. */
int ctl_unknown_command(const GPtrArray *words);
/* The option that "-o", "--output", "--output=x" or "-ox" names, and its attached value or NULL. */
const CtlOption *ctl_find_option(const char *word, const char **ret_value);
/* Whether the command takes the option, with the global ones. */
bool ctl_takes_option(const CtlCommand *command, const CtlOption *option);
/* A whole number in decimal within limits; -EINVAL otherwise. */
int ctl_parse_number(const char *text, uint64_t max, uint64_t *ret);
/* The value of --limit, if it is given; CTL_USAGE after a message. */
int ctl_parse_limit(const Ctl *ctl, uint64_t *limit);
/* The kind, or NULL after "unknown kind …; did you mean …?". */
const PtKind *ctl_parse_kind(const char *text);
/* A revision number from 1; CTL_USAGE after a message. */
int ctl_parse_revision(const char *text, uint64_t *ret);
/* The name of the one object of a kind that is a singleton. */
#define CTL_SINGLETON "default"
/* Splits KIND/NAME; a singleton needs no name. CTL_USAGE after a message. */
int ctl_parse_object(const char *text, const PtKind **ret_kind, const char **ret_name);

/* help.c */
void ctl_usage(const CtlCommand *command, GString *out); /* "patronusctl get KIND[/NAME]\n" */
void ctl_help(const CtlCommand *command, GString *out);  /* NULL: of the whole program */
/* The commands of two words that begin with this one; false: there are none. */
bool ctl_help_below(const char *word, GString *out);
void ctl_short_help(GString *out); /* for one who typed the program's name alone */

/* Commands, by file. */
int ctl_run_apply(Ctl *ctl);
int ctl_run_plan(Ctl *ctl);
int ctl_run_set(Ctl *ctl);
int ctl_run_edit(Ctl *ctl);
int ctl_run_delete(Ctl *ctl);
int ctl_run_rename(Ctl *ctl);
int ctl_run_move(Ctl *ctl);
int ctl_run_revert(Ctl *ctl);
int ctl_run_confirm(Ctl *ctl);
int ctl_run_get(Ctl *ctl);
int ctl_run_export(Ctl *ctl);
int ctl_run_diff(Ctl *ctl);
int ctl_run_history(Ctl *ctl);
int ctl_run_audit(Ctl *ctl);
int ctl_run_status(Ctl *ctl);
int ctl_run_dataset_put(Ctl *ctl);
int ctl_run_dataset_list(Ctl *ctl);
int ctl_run_dataset_show(Ctl *ctl);
int ctl_run_dataset_delete(Ctl *ctl);
int ctl_run_filter_add(Ctl *ctl);
int ctl_run_filter_alias(Ctl *ctl);
int ctl_run_filter_aliases(Ctl *ctl);
int ctl_run_filter_ban(Ctl *ctl);
int ctl_run_filter_close(Ctl *ctl);
int ctl_run_filter_bans(Ctl *ctl);
int ctl_run_filter_connections(Ctl *ctl);
int ctl_run_filter_log(Ctl *ctl);
int ctl_run_filter_counters(Ctl *ctl);
int ctl_run_filter_drift(Ctl *ctl);
int ctl_run_filter_entries(Ctl *ctl);
int ctl_run_filter_open(Ctl *ctl);
int ctl_run_filter_openings(Ctl *ctl);
int ctl_run_filter_panic(Ctl *ctl);
int ctl_run_filter_refresh(Ctl *ctl);
int ctl_run_filter_remove(Ctl *ctl);
int ctl_run_filter_nat64(Ctl *ctl);
int ctl_run_filter_servers(Ctl *ctl);
int ctl_run_filter_top(Ctl *ctl);
int ctl_run_filter_unban(Ctl *ctl);
int ctl_run_filter_why(Ctl *ctl);
int ctl_run_explain(Ctl *ctl);
int ctl_run_schema(Ctl *ctl);
int ctl_run_help(Ctl *ctl);
int ctl_run_man(Ctl *ctl);
int ctl_run_complete(Ctl *ctl);
