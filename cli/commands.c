/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "ctl.h"

/* The words as usage shows them. */
const char *const ctl_words[CTL_WORD_MAX] = {
        [CTL_WORD_NONE] = "",
        [CTL_WORD_TEXT] = "TEXT",
        [CTL_WORD_NAME] = "NAME",
        [CTL_WORD_NUMBER] = "N",
        [CTL_WORD_FORMAT] = "table|wide|yaml|json",
        [CTL_WORD_COLOUR] = "auto|always|never",
        [CTL_WORD_INPUT] = "FILE|DIR|-",
        [CTL_WORD_ADDRESS] = "ADDRESS",
        [CTL_WORD_REVISION] = "REVISION",
        [CTL_WORD_COMMAND] = "COMMAND",
        [CTL_WORD_KIND] = "KIND",
        [CTL_WORD_KINDS] = "KIND[,KIND]",
        [CTL_WORD_FIELD] = "KIND[.FIELD]",
        [CTL_WORD_OBJECT] = "KIND/NAME",
        [CTL_WORD_OBJECT_OR_KIND] = "KIND[/NAME]",
        [CTL_WORD_ASSIGNMENT] = "FIELD=VALUE",
        [CTL_WORD_SIBLING] = "NAME",
        [CTL_WORD_CONDITION] = "FIELD=VALUE",
        [CTL_WORD_LOG_CONDITION] = "FIELD=VALUE",
        [CTL_WORD_LIST] = "FILE|-",
        [CTL_WORD_CONTENT] = "addresses|macs",
        [CTL_WORD_DATASET] = "DIGEST",
        [CTL_WORD_DURATION] = "TIME",
        [CTL_WORD_EXTERNAL] = "ALIAS",
        [CTL_WORD_SWITCH] = "on|off|status",
        [CTL_WORD_PREFIX] = "ADDRESS[/LENGTH]",
        [CTL_WORD_GROUP] = "source|destination|pair|service|zone",
        [CTL_WORD_MEASURE] = "bytes|packets|connections",
        [CTL_WORD_CONFIRM] = "auto|never|SECONDS",
};

const char *const ctl_formats[] = {"table", "wide", "yaml", "json", NULL};
const char *const ctl_contents[] = {"addresses", "macs", NULL};
const char *const ctl_confirm_words[] = {"auto", "never", NULL};
const char *const ctl_colours[] = {"auto", "always", "never", NULL};

const CtlOption ctl_options[CTL_OPTION_MAX] = {
        [CTL_OUTPUT] =
                {'o', "output", CTL_WORD_FORMAT,
                 "Print a table for people (as wide as the terminal, or with wide all columns and "
                 "nothing cut), or YAML or JSON (one text a line) for programs."},
        [CTL_COLOUR] = {0, "color", CTL_WORD_COLOUR,
                        "Use colours; auto: on a terminal, unless NO_COLOR is set."},
        [CTL_BUS] =
                {0, "bus", CTL_WORD_ADDRESS,
                 "D-Bus address to use, instead of $DBUS_SYSTEM_BUS_ADDRESS or the system bus."},
        [CTL_HELP] = {'h', "help", CTL_WORD_NONE, "Show help for the command and leave."},
        [CTL_VERSION] = {0, "version", CTL_WORD_NONE, "Show the version and leave."},
        [CTL_FILE] = {'f', "file", CTL_WORD_INPUT,
                      "The input: a file, a directory (its *.yaml, *.yml and *.json, sorted by "
                      "bytes), or - for standard input."},
        [CTL_SET] = {0, "set", CTL_WORD_NAME,
                     "Label the input as this set, and delete what carries that label and is no "
                     "longer in the input."},
        [CTL_REPLACE] = {0, "replace", CTL_WORD_NONE,
                         "Make the configuration equal to the input: delete everything else."},
        [CTL_DRY_RUN] = {'n', "dry-run", CTL_WORD_NONE,
                         "Check and show what would happen; change nothing."},
        [CTL_MESSAGE] = {'m', "message", CTL_WORD_TEXT, "Comment to keep with the revision."},
        [CTL_KIND] = {'k', "kind", CTL_WORD_KINDS, "Only objects of these kinds."},
        [CTL_REVISION] = {'r', "revision", CTL_WORD_REVISION,
                          "Take this revision instead of the running one."},
        [CTL_BUILTIN] = {0, "builtin", CTL_WORD_NONE,
                         "Show what is built in; works without any daemon."},
        [CTL_DELETE] =
                {0, "delete", CTL_WORD_NONE,
                 "Delete objects whose documents are removed from the text, without asking."},
        [CTL_BEFORE] = {0, "before", CTL_WORD_SIBLING, "Put it just before this one."},
        [CTL_AFTER] = {0, "after", CTL_WORD_SIBLING, "Put it just after this one."},
        [CTL_FIRST] = {0, "first", CTL_WORD_NONE, "Put it before all others."},
        [CTL_LAST] = {0, "last", CTL_WORD_NONE, "Put it after all others."},
        [CTL_LIMIT] = {'l', "limit", CTL_WORD_NUMBER,
                       "Show at most this many (history, audit and top: 20 unless given)."},
        [CTL_CONTENT] = {0, "content", CTL_WORD_CONTENT,
                         "What the list must hold; otherwise its first entry decides."},
        [CTL_KILL] = {0, "kill", CTL_WORD_NONE, "End the connections instead of listing them."},
        [CTL_FOR] = {0, "for", CTL_WORD_DURATION,
                     "Only for this time: 30s, 10m, 1h30m, 2d. Without it, a ban lasts until it is "
                     "lifted, a port is open until it is closed, an "
                     "entry stays as long as its alias says."},
        [CTL_FORCE] =
                {0, "force", CTL_WORD_NONE,
                 "Of a change: although tests of the policy fail (PolicyTest), which are warnings "
                 "then. Of a ban: even the router's own addresses, and who must not be locked "
                 "out. Of panic: although everybody is locked out."},
        [CTL_ALL] = {0, "all", CTL_WORD_NONE, "All that there are."},
        [CTL_WAIT] =
                {0, "wait", CTL_WORD_DURATION,
                 "Wait until every daemon has the revision in force; leave with 1 when that is "
                 "not so after this time."},
        [CTL_WATCH] = {'w', "watch", CTL_WORD_DURATION,
                       "Show rates instead of totals, anew each time this much has passed."},
        [CTL_NAME] = {0, "name", CTL_WORD_NAME,
                      "Only with this name; * is any text, ? any character."},
        [CTL_CONFIRM] =
                {0, "confirm", CTL_WORD_CONFIRM,
                 "Take the change back unless it is confirmed within this time (5 to 3600 "
                 "seconds). auto, which is the default: within 60 seconds, and only if new "
                 "connections like your own would be cut, or that cannot be told. never: not at "
                 "all, whatever is cut."},
        [CTL_SEALED] =
                {0, "sealed", CTL_WORD_NONE,
                 "With the secrets, as they are stored: only the daemons of this machine can "
                 "open them."},
        [CTL_VERIFY] = {0, "verify", CTL_WORD_NONE,
                        "Look whether any entry was changed, removed or put in."},
        [CTL_USER] = {'u', "user", CTL_WORD_NAME, "Only entries of this user, by name or uid."},
        [CTL_ALLOW_OFFLINE] =
                {0, "allow-offline", CTL_WORD_NONE,
                 "Even if a daemon does not run whose part changes: it takes its part "
                 "when it starts."},
        [CTL_FROM] = {0, "from", CTL_WORD_NAME, "Zone that the packet comes from, or router."},
        [CTL_TO] = {0, "to", CTL_WORD_NAME, "Zone that it goes to, or router; else routes say it."},
        [CTL_IN] = {0, "in", CTL_WORD_NAME,
                    "Interface that it comes by; else the one that leads to its source."},
        [CTL_OUT] = {0, "out", CTL_WORD_NAME, "Interface that it leaves by; else routes say it."},
        [CTL_SRC] = {0, "src", CTL_WORD_PREFIX, "Address of the packet's source."},
        [CTL_DST] = {0, "dst", CTL_WORD_PREFIX,
                     "Address of its destination, before any translation."},
        [CTL_PROTO] = {0, "proto", CTL_WORD_TEXT, "Protocol, by name or number."},
        [CTL_SPORT] = {0, "sport", CTL_WORD_TEXT, "Port of its source; else one of 1024-65535."},
        [CTL_DPORT] = {0, "dport", CTL_WORD_TEXT, "Port of its destination."},
        [CTL_ICMP_TYPE] = {0, "icmp-type", CTL_WORD_TEXT,
                           "Type of ICMP, and perhaps code; else echo-request."},
        [CTL_STATE] = {0, "state", CTL_WORD_TEXT,
                       "What it is of a connection: new (the default), established, related, "
                       "invalid, untracked."},
        [CTL_MARK] = {0, "mark", CTL_WORD_TEXT, "Its mark; else 0."},
        [CTL_DSCP] = {0, "dscp", CTL_WORD_TEXT, "Its code point (DSCP); else 0."},
        [CTL_FLAGS] = {0, "flags", CTL_WORD_TEXT, "Flags of TCP, with commas between; else syn."},
        [CTL_LENGTH] = {0, "length", CTL_WORD_TEXT, "Bytes from the IP header on."},
        [CTL_MAC] = {0, "mac", CTL_WORD_TEXT, "Hardware address of who sends it."},
        [CTL_HOP_LIMIT] = {0, "hop-limit", CTL_WORD_NUMBER, "Its hop limit."},
        [CTL_TAG] = {0, "tag", CTL_WORD_TEXT,
                     "Tags that its connection has already, with commas between."},
        [CTL_BRIDGE] =
                {0, "bridge", CTL_WORD_NAME,
                 "Asks about a frame of this bridge: --in and --out are ports of it; without "
                 "--out it is for this machine, without --in from it."},
        [CTL_SMAC] = {0, "smac", CTL_WORD_TEXT, "The frame's source, a hardware address."},
        [CTL_DMAC] = {0, "dmac", CTL_WORD_TEXT, "The frame's destination."},
        [CTL_ETHER_TYPE] = {0, "ether-type", CTL_WORD_TEXT,
                            "What the frame carries: ipv4, ipv6, arp, or a number (0x88cc); else "
                            "what the rest says."},
        [CTL_VLAN] = {0, "vlan", CTL_WORD_TEXT, "The frame's VLAN, or untagged."},
        [CTL_ARP_OP] = {0, "arp-op", CTL_WORD_TEXT,
                        "The frame is ARP: request, reply, or a number; --src and --dst are its "
                        "sender and target."},
        [CTL_ARP_MAC] = {0, "arp-mac", CTL_WORD_TEXT,
                         "The hardware address that the ARP packet tells of its sender."},
        [CTL_FRAGMENT] = {0, "fragment", CTL_WORD_NONE, "It is a fragment, as it came."},
        [CTL_BATCH] = {0, "batch", CTL_WORD_LIST,
                       "Packets as JSON lines, with the names of these options as keys; answers "
                       "are lines too."},
        [CTL_FOLLOW] = {0, "follow", CTL_WORD_NONE, "Go on with what comes, until interrupted."},
        [CTL_SEMANTIC] = {0, "semantic", CTL_WORD_NONE,
                          "Say which packets are treated otherwise, and not which fields differ."},
        [CTL_AT] = {0, "at", CTL_WORD_TEXT,
                    "What schedules say at this time: 2026-12-24T18:00:00, perhaps with a zone."},
        [CTL_ZONE] = {0, "zone", CTL_WORD_NAME, "Only from this zone; else from all."},
        [CTL_SOURCE] = {0, "source", CTL_WORD_PREFIX,
                        "Only from this address or prefix; else from everywhere."},
        [CTL_BY] = {0, "by", CTL_WORD_GROUP, "What is added up; source unless given."},
        [CTL_WHAT] = {0, "what", CTL_WORD_MEASURE,
                      "Who has most of what comes first; bytes unless given."},
};

#define PACKET_OPTIONS (CTL_BIT(CTL_FRAGMENT + 1) - CTL_BIT(CTL_FROM))

#define COMMIT_OPTIONS                                                                             \
        (CTL_BIT(CTL_DRY_RUN) | CTL_BIT(CTL_MESSAGE) | CTL_BIT(CTL_CONFIRM) |                      \
         CTL_BIT(CTL_ALLOW_OFFLINE) | CTL_BIT(CTL_FORCE))

const CtlCommand ctl_commands[] = {
        {.name = "apply",
         .common = true,
         .options = CTL_BIT(CTL_FILE) | CTL_BIT(CTL_SET) | CTL_BIT(CTL_REPLACE) | COMMIT_OPTIONS,
         .required = CTL_BIT(CTL_FILE),
         .doc = "Bring a file's objects into force",
         .help = "Creates and updates the objects in the input, checks the whole, and brings it "
                 "into force as a new revision; what the input does not name stays, unless --set "
                 "or --replace say otherwise. Creates (+), updates (~) and deletes (-) are listed. "
                 "It is all or nothing: when anything is refused, the running configuration is "
                 "untouched. A change that could lock you out waits for a confirmation, and is "
                 "taken back without one: on a terminal the time is counted down, else apply "
                 "leaves with exit code 4 at once; see confirm.",
         .example = "patronusctl apply -f policy.yaml -m \"open the web server\"\n"
                    "patronusctl apply -f /etc/patronus/policy.d --set policy\n"
                    "patronusctl apply -f policy.yaml --confirm 120",
         .run = ctl_run_apply},
        {.name = "plan",
         .common = true,
         .options = CTL_BIT(CTL_FILE) | CTL_BIT(CTL_SET) | CTL_BIT(CTL_REPLACE) |
                    CTL_BIT(CTL_ALLOW_OFFLINE) | CTL_BIT(CTL_FORCE),
         .required = CTL_BIT(CTL_FILE),
         .doc = "Show what apply would do",
         .help = "Checks the input as apply does and shows changes and steps, and for every daemon "
                 "concerned the stage in which it commits, its guarantee (atomic: all or nothing "
                 "at "
                 "one instant; compensated: in steps, which are taken back when one fails; "
                 "eventual: "
                 "a program that comes to it), the impact, and how long it expects to prepare and "
                 "to "
                 "commit. It says which packets are newly allowed or denied, warns of rules that "
                 "are never reached, not needed or contradict each other, and of objects that "
                 "nothing refers to. Nothing is changed.",
         .example = "patronusctl plan -f policy.yaml",
         .run = ctl_run_plan},
        {.name = "get",
         .common = true,
         .arguments = {{CTL_WORD_OBJECT_OR_KIND, 1, 1}},
         .options = CTL_BIT(CTL_BUILTIN),
         .doc = "Show running objects",
         .help = "With a kind, a table of its objects, in the order that counts if there is one; "
                 "with a name, that object as YAML, which apply takes back. Of a kind that has one "
                 "object only, the name can be left out. "
                 "A built-in object is shown unless one of your own has its name.",
         .example = "patronusctl get zones\n"
                    "patronusctl get FirewallRule/web -o json\n"
                    "patronusctl get services --builtin",
         .run = ctl_run_get},
        {.name = "set",
         .common = true,
         .arguments = {{CTL_WORD_OBJECT, 1, 1}, {CTL_WORD_ASSIGNMENT, 1, CTL_MANY}},
         .options = COMMIT_OPTIONS,
         .doc = "Change fields of one object, or create it",
         .help = "Fields are written with dots (destination.ports), lists with commas. An empty "
                 "value unsets the field. Fields that are not named stay as they are. "
                 "metadata.description and metadata.labels.KEY can be set too. Of a kind that has "
                 "one object only, the name can be left out. A secret does not belong on the "
                 "command "
                 "line, where other users see it: FIELD=- asks for it, or reads it from standard "
                 "input.",
         .example = "patronusctl set FirewallRule/web action=allow destination.ports=80,443\n"
                    "patronusctl set FirewallRule/web priority=\n"
                    "patronusctl set FilterSettings logDefault=true",
         .run = ctl_run_set},
        {.name = "edit",
         .common = true,
         .arguments = {{CTL_WORD_OBJECT_OR_KIND, 1, 1}},
         .options = CTL_BIT(CTL_DELETE) | COMMIT_OPTIONS,
         .doc = "Change objects in an editor, or make a new one",
         .help = "Opens the object as YAML in $VISUAL, $EDITOR or the system's editor; with a "
                 "kind, "
                 "all its objects, whose order in the text is their order in force. An object that "
                 "does not exist yet begins as a text of all that it can say. What is saved is "
                 "brought into force; what is wrong with it comes back into the editor, marked "
                 "where it is, until it is mended or given up: then the text is kept. A text that "
                 "was not changed changes nothing. When somebody else changed the object "
                 "meanwhile, that is shown before anything is replaced: on a terminal you are "
                 "asked whether to edit it again on top of that, to put yours over theirs, or to "
                 "leave theirs.",
         .example = "patronusctl edit FirewallRule/web\n"
                    "patronusctl edit Zone -m \"zones of the new building\"",
         .run = ctl_run_edit},
        {.name = "delete",
         .common = true,
         .arguments = {{CTL_WORD_OBJECT, 1, CTL_MANY}},
         .options = COMMIT_OPTIONS,
         .doc = "Delete objects",
         .help = "All of them in one revision. An object that another one refers to is not "
                 "deleted.",
         .example = "patronusctl delete FirewallRule/web FirewallRule/ssh",
         .run = ctl_run_delete},
        {.name = "rename",
         .arguments = {{CTL_WORD_OBJECT, 1, 1}, {CTL_WORD_NAME, 1, 1}},
         .options = COMMIT_OPTIONS,
         .doc = "Give an object another name",
         .help = "It stays the same object: its counters go on, it keeps its place, and whatever "
                 "refers to it follows, all in one revision.",
         .example = "patronusctl rename FirewallRule/web web-shop",
         .run = ctl_run_rename},
        {.name = "move",
         .arguments = {{CTL_WORD_OBJECT, 1, 1}},
         .options = CTL_BIT(CTL_BEFORE) | CTL_BIT(CTL_AFTER) | CTL_BIT(CTL_FIRST) |
                    CTL_BIT(CTL_LAST) | COMMIT_OPTIONS,
         .doc = "Change an object's place in the order",
         .help = "For kinds whose order has a meaning. Only positions change, of as few objects as "
                 "possible. A position orders what has the same priority; where the priorities of "
                 "two objects differ, they decide, and a move that could have no effect is "
                 "refused.",
         .example = "patronusctl move FirewallRule/web --before ssh\n"
                    "patronusctl move FirewallRule/web --last",
         .run = ctl_run_move},
        {.name = "diff",
         .common = true,
         .arguments = {{CTL_WORD_REVISION, 0, 2}},
         .options = CTL_BIT(CTL_FILE) | CTL_BIT(CTL_SET) | CTL_BIT(CTL_REPLACE) |
                    CTL_BIT(CTL_SEMANTIC),
         .doc = "Compare revisions, or a file with what is running",
         .help = "Without arguments, what the running revision changed; with one revision, what "
                 "changed from it to the running one; with two, from the first to the second; with "
                 "-f, what applying the input would change, field by field. With --semantic, what "
                 "the change does to packets: which are newly allowed or denied, from which zone "
                 "and "
                 "address to which, and who decided before and decides after.",
         .example = "patronusctl diff 3 7\n"
                    "patronusctl diff --semantic 3 7\n"
                    "patronusctl diff -f policy.yaml",
         .run = ctl_run_diff},
        {.name = "history",
         .common = true,
         .options = CTL_BIT(CTL_LIMIT),
         .doc = "List the revisions, newest first",
         .help = "Number, time, author, state and comment. Revisions are never rewritten. One that "
                 "was not confirmed in time is \"taken back\".",
         .run = ctl_run_history},
        {.name = "audit",
         .options = CTL_BIT(CTL_LIMIT) | CTL_BIT(CTL_USER) | CTL_BIT(CTL_VERIFY),
         .doc = "List who did what, and who was refused what, newest first",
         .help = "Every commit, revert and confirmation with how it ended, every dataset that was "
                 "put or deleted, every ban, entry of an alias and connection that was ended by "
                 "hand, and every "
                 "attempt that was refused: by whom, from where and, as far as he said it, why. "
                 "Entries are numbered and chained: with --verify all of them are read, and a "
                 "place that does not fit is named by file and line, with exit code 1. The digest "
                 "of each entry is in the system's log too (journalctl "
                 "PATRONUS_AUDIT_NUMBER=N), and with -o wide.",
         .example = "patronusctl audit --user alice --limit 100\n"
                    "patronusctl audit --verify",
         .run = ctl_run_audit},
        {.name = "revert",
         .common = true,
         .arguments = {{CTL_WORD_REVISION, 1, 1}},
         .options = COMMIT_OPTIONS,
         .doc = "Bring back the content of an earlier revision",
         .help = "Makes a new revision with the old content.",
         .example = "patronusctl revert 6 -m \"the new rule cut the printers off\"",
         .run = ctl_run_revert},
        {.name = "confirm",
         .common = true,
         .arguments = {{CTL_WORD_REVISION, 0, 1}},
         .doc = "Keep a revision that would be taken back otherwise",
         .help = "Without an argument, the one that waits for a confirmation. It must come from a "
                 "connection that began after the change, which proves that new connections still "
                 "come in, or from the machine's own console: log in anew, outside of tmux and its "
                 "like. An earlier connection proves nothing, since what is established mostly "
                 "goes on. \"patronusctl revert\" to the confirmed revision ends the waiting "
                 "early.",
         .example = "patronusctl confirm",
         .run = ctl_run_confirm},
        {.name = "export",
         .options = CTL_BIT(CTL_KIND) | CTL_BIT(CTL_REVISION) | CTL_BIT(CTL_SEALED),
         .doc = "Print the whole configuration",
         .help = "As YAML, or as JSON with -o json; apply --replace takes it back. Secrets are "
                 "redacted, which means \"as it is\" when it is applied; a backup that is to bring "
                 "back what was deleted needs --sealed. Datasets that objects refer to come first, "
                 "as documents of their own.",
         .example = "patronusctl export --sealed > backup.yaml\n"
                    "patronusctl export --kind Zone --revision 3",
         .run = ctl_run_export},
        {.name = "status",
         .common = true,
         .options = CTL_BIT(CTL_WAIT),
         .doc = "Show the revision in force and the daemons",
         .help = "Revision, Merkle root, and each daemon's state, revision, version, conditions "
                 "and drift. Leaves with 3 when configd does not answer.",
         .example = "patronusctl status --wait 30s",
         .run = ctl_run_status},
        {.name = "dataset put",
         .arguments = {{CTL_WORD_LIST, 1, 1}},
         .options = CTL_BIT(CTL_CONTENT),
         .doc = "Put a list of many addresses, for objects to refer to",
         .help = "The list has one entry a line: an address, a prefix or FIRST-LAST, or a MAC; "
                 "\"#\" and \";\" begin comments. Up to 1000000 entries. Prints the digest of the "
                 "dataset, which an object of a kind that takes lists refers to; the same entries, "
                 "in any order, have the same digest. What nothing refers to goes by itself after "
                 "an hour.",
         .example = "patronusctl dataset put blocklist.txt\n"
                    "patronusctl set Alias/blocked type=network "
                    "dataset=$(patronusctl dataset put blocklist.txt)",
         .run = ctl_run_dataset_put},
        {.name = "dataset list",
         .doc = "List the datasets",
         .help = "How many fields of the running configuration refer to each, and how many "
                 "revisions that are kept need it. With -o wide, digests in full.",
         .run = ctl_run_dataset_list},
        {.name = "dataset show",
         .arguments = {{CTL_WORD_DATASET, 1, 1}},
         .options = CTL_BIT(CTL_LIMIT),
         .doc = "Print the entries of a dataset",
         .help = "One a line, sorted: single addresses, then prefixes and ranges, merged where "
                 "they "
                 "touch. The first digits of the digest are enough.",
         .example = "patronusctl dataset show 3f0a12 --limit 20",
         .run = ctl_run_dataset_show},
        {.name = "dataset delete",
         .arguments = {{CTL_WORD_DATASET, 1, CTL_MANY}},
         .doc = "Delete datasets that nothing needs",
         .help = "One that the running configuration, an open session or a revision that is kept "
                 "refers to is not deleted. The first digits of the digest are enough.",
         .run = ctl_run_dataset_delete},
        {.name = "filter connections",
         .arguments = {{CTL_WORD_CONDITION, 0, CTL_MANY}},
         .options = CTL_BIT(CTL_LIMIT) | CTL_BIT(CTL_KILL),
         .doc = "List the connections through and to the firewall, or end some",
         .help = "All conditions must hold. Conditions are id, family, protocol, state, address "
                 "(either end, before or after translation), source, destination, replySource, "
                 "replyDestination, port, sourcePort, destinationPort, mark, zone, helper, "
                 "replied, assured and nat; addresses may be prefixes or ranges, ports ranges. "
                 "SOURCE AS and DESTINATION AS are what translation makes of them. Bytes and "
                 "packets are known when the kernel counts them (sysctl "
                 "net.netfilter.nf_conntrack_acct).",
         .example = "patronusctl filter connections source=10.0.0.0/24 protocol=tcp\n"
                    "patronusctl filter connections address=10.0.0.7 --kill",
         .run = ctl_run_filter_connections},
        {.name = "filter top",
         .options = CTL_BIT(CTL_BY) | CTL_BIT(CTL_WHAT) | CTL_BIT(CTL_LIMIT),
         .doc = "Show who has most of the connections that exist, or of their traffic",
         .help = "Adds up all connections, by who began them (source), who answers "
                 "(destination), both (pair), protocol and port (service), or the zones between "
                 "which they are (zone): bytes, packets and connections. Sources are as they "
                 "were before translation, destinations and ports as they are after it; THERE is "
                 "what who began has sent, BACK what the other has. FROM and TO are zones. "
                 "Connections that are over are not counted. Bytes and packets are known when the "
                 "kernel counts them (sysctl net.netfilter.nf_conntrack_acct), of connections "
                 "that begin after that; when none are known, the order is by connections, and "
                 "that is said.",
         .example = "patronusctl filter top\n"
                    "patronusctl filter top --by service --what connections --limit 5",
         .run = ctl_run_filter_top},
        {.name = "filter log",
         .arguments = {{CTL_WORD_LOG_CONDITION, 0, CTL_MANY}},
         .options = CTL_BIT(CTL_LIMIT) | CTL_BIT(CTL_FOLLOW),
         .doc = "Show the packets that rules log, and why packets were dropped",
         .help = "The last 20 lines, or as many as --limit says, of those that filterd has in "
                 "memory (8192), and with --follow those that come. Rules log that say so (log); "
                 "what no rule decides is logged as FilterSettings say (logDefault, logInvalid). "
                 "All conditions must hold: rule (name, kind and name, or uid), zone (either "
                 "side), from, to, interface, protocol, address (either end), source, "
                 "destination, port (either end), reason and verdict; addresses may be prefixes "
                 "or ranges, ports ranges. -o json gives all that is known of a packet, a line "
                 "each. What was before is in the journal: journalctl -u patronus-filterd "
                 "PATRONUS_VERDICT=drop.",
         .example = "patronusctl filter log --follow zone=wan verdict=drop\n"
                    "patronusctl filter log --limit 100 rule=web -o json",
         .run = ctl_run_filter_log},
        {.name = "filter ban",
         .arguments = {{CTL_WORD_PREFIX, 1, CTL_MANY}},
         .options = CTL_BIT(CTL_FOR) | CTL_BIT(CTL_FORCE),
         .doc = "Drop all packets from and to addresses",
         .help = "At once and whatever the rules say, connections that exist included. A ban is no "
                 "configuration: it survives commits and restarts of the daemons, and ends after "
                 "its time, by unban, or when the machine restarts. The loopback cannot be "
                 "banned; what contains an address of the router itself, or a source of the "
                 "anti-lockout of FilterSettings, only with --force.",
         .example = "patronusctl filter ban 203.0.113.7 --for 1h\n"
                    "patronusctl filter ban 198.51.100.0/24 2001:db8:bad::/48",
         .run = ctl_run_filter_ban},
        {.name = "filter unban",
         .arguments = {{CTL_WORD_PREFIX, 0, CTL_MANY}},
         .options = CTL_BIT(CTL_ALL),
         .doc = "Lift bans",
         .help = "Of exactly these addresses and prefixes, as \"filter bans\" lists them, or all "
                 "with --all.",
         .example = "patronusctl filter unban 203.0.113.7",
         .run = ctl_run_filter_unban},
        {.name = "filter bans",
         .doc = "List who is banned, and for how long",
         .help = "In order of family, prefix length and address. How many packets bans have "
                 "dropped is among the counters, as bans/from and bans/to.",
         .run = ctl_run_filter_bans},
        {.name = "filter why",
         .options = CTL_BIT(CTL_FILE) | CTL_BIT(CTL_BATCH) | CTL_BIT(CTL_AT) | PACKET_OPTIONS,
         .doc = "Say what happens to a packet, and why",
         .help = "Asks the policy in force, or with --file the one that applying the file would "
                 "make; no packet is sent. The answer names the rule that decides and its "
                 "place in the order, how NAT translates the packet, and where it comes from and "
                 "goes to. The interfaces are found by the machine's routes where they are not "
                 "given. Of what is not given and not known (the source port, say) the answer "
                 "tells when it could be otherwise. Chains of other programs that may still drop "
                 "what passes here are named. Leaves with 0 when the packet passes, 6 when it is "
                 "dropped, 7 when it is rejected; with --batch, with 0 when all lines were "
                 "answered.\n\n"
                 "With --bridge it is about a frame and the rules of bridges.",
         .example = "patronusctl filter why --from lan --src 10.1.0.7 --dst 192.0.2.1 --proto tcp "
                    "--dport 443\n"
                    "patronusctl filter why --in eth0 --src fd00::9 --dst fd00:1::1 "
                    "--proto icmpv6 -f policy.yaml\n"
                    "patronusctl filter why --bridge br0 --in eth1 --out eth2 --ether-type 0x8863\n"
                    "patronusctl filter why --batch packets.jsonl",
         .run = ctl_run_filter_why},
        {.name = "filter alias",
         .arguments = {{CTL_WORD_NAME, 1, 1}},
         .doc = "Show the sources of one alias, and what was wrong with them",
         .help = "With the lines of a list that were left out, and why: the first twelve, and how "
                 "many there are.",
         .example = "patronusctl filter alias bad-hosts",
         .run = ctl_run_filter_alias},
        {.name = "filter aliases",
         .doc = "List what aliases hold at run time, and from where",
         .help = "A row for each source of each alias: a list that is fetched (url), names, "
                 "interfaces (local), countries and autonomous systems (places). What failed keeps "
                 "what it had. Aliases without such a source are not listed: \"get Alias\" shows "
                 "what is configured.",
         .run = ctl_run_filter_aliases},
        {.name = "filter refresh",
         .arguments = {{CTL_WORD_NAME, 1, 1}},
         .doc = "Ask all sources of an alias now",
         .help = "Whole, also what has not changed since. It is only begun: \"filter alias\" shows "
                 "how it ended. What comes is in force at once, and is no revision.",
         .example = "patronusctl filter refresh bad-hosts",
         .run = ctl_run_filter_refresh},
        {.name = "filter add",
         .arguments = {{CTL_WORD_EXTERNAL, 1, 1}, {CTL_WORD_PREFIX, 1, CTL_MANY}},
         .options = CTL_BIT(CTL_FOR),
         .doc = "Put addresses into an external alias",
         .help = "Into an alias with \"external: true\", beside those that rules put there; rules "
                 "see them at once. Those that are there already get the new time. Entries survive "
                 "commits and a restart of filterd, and are gone when the machine restarts.",
         .example = "patronusctl filter add guests 10.4.0.17 2001:db8::17 --for 8h",
         .run = ctl_run_filter_add},
        {.name = "filter remove",
         .arguments = {{CTL_WORD_EXTERNAL, 1, 1}, {CTL_WORD_PREFIX, 0, CTL_MANY}},
         .options = CTL_BIT(CTL_ALL),
         .doc = "Take addresses out of an external alias",
         .help = "Of exactly these addresses, or of all with --all. Connections that exist are not "
                 "ended by it: \"filter connections --kill\" does that.",
         .example = "patronusctl filter remove guests 10.4.0.17",
         .run = ctl_run_filter_remove},
        {.name = "filter entries",
         .arguments = {{CTL_WORD_EXTERNAL, 1, 1}},
         .doc = "List what an external alias holds, and for how long",
         .help = "What rules and \"filter add\" have put there, IPv4 first, by address.",
         .example = "patronusctl filter entries guests",
         .run = ctl_run_filter_entries},
        {.name = "filter open",
         .arguments = {{CTL_WORD_TEXT, 1, 1}},
         .options = CTL_BIT(CTL_ZONE) | CTL_BIT(CTL_SOURCE) | CTL_BIT(CTL_FOR),
         .doc = "Let connections to a port of the router in, without a rule",
         .help = "The port is written tcp/22, udp/6000-6010, or 22 for TCP and UDP. New "
                 "connections "
                 "to it are let in, and logged, before any rule is asked; bans and the guards of "
                 "zones still hold. It is no configuration: it survives commits and a restart of "
                 "filterd, and ends with its time, its zone or the machine. Opening the same again "
                 "gives it the new time.",
         .example = "patronusctl filter open tcp/8443 --zone lan --for 1h\n"
                    "patronusctl filter open udp/6000-6010 --source 10.2.0.0/24",
         .run = ctl_run_filter_open},
        {.name = "filter close",
         .arguments = {{CTL_WORD_TEXT, 1, 1}},
         .options = CTL_BIT(CTL_ZONE) | CTL_BIT(CTL_SOURCE),
         .doc = "Close a port that was opened so",
         .help = "By the port as it was opened, perhaps only that of a zone or source, or by the "
                 "id "
                 "that \"filter openings\" shows. Connections that exist go on: \"filter "
                 "connections --kill\" ends them.",
         .example = "patronusctl filter close tcp/8443",
         .run = ctl_run_filter_close},
        {.name = "filter openings",
         .doc = "List the ports that were opened so, and for how long",
         .help = "How many packets each has let in is among the counters, as opening/ID.",
         .run = ctl_run_filter_openings},
        {.name = "filter panic",
         .arguments = {{CTL_WORD_SWITCH, 1, 1}},
         .options = CTL_BIT(CTL_FORCE),
         .doc = "Drop everything, or say whether that is so",
         .help = "While panic is on, nothing passes, connections that exist included, but who "
                 "administers by the anti-lockout of FilterSettings, and what does not leave the "
                 "machine. Without an anti-lockout it is refused, since you would be locked out; "
                 "--force does it all the same. It survives commits and a restart of filterd, and "
                 "ends with the machine.",
         .example = "patronusctl filter panic status",
         .run = ctl_run_filter_panic},
        {.name = "filter drift",
         .doc = "List what other programs changed in the firewall's table",
         .help = "The last 64 since filterd started, newest first, each repaired after the time "
                 "shown.",
         .run = ctl_run_filter_drift},
        {.name = "filter servers",
         .doc = "List the servers that forwards lead to, and which of them are alive",
         .help = "Those of ServerPools that rules in force name. New connections are led to those "
                 "that are active: servers that are alive, or the fallback when none is. The last "
                 "failure is shown even when it is long ago.",
         .run = ctl_run_filter_servers},
        {.name = "filter nat64",
         .doc = "List the translators between IPv6 and IPv4, and whether they run",
         .help = "Those of Nat64 objects that are enabled. One that ended, or cannot be started, "
                 "is "
                 "tried again after a while; the last failure is shown even when it is long ago.",
         .run = ctl_run_filter_nat64},
        {.name = "filter counters",
         .options = CTL_BIT(CTL_KIND) | CTL_BIT(CTL_NAME) | CTL_BIT(CTL_WATCH),
         .doc = "Show the packet filter's counters",
         .help = "Packets and bytes of each rule since it was made, for every pair of zones it "
                 "applies to, and of the "
                 "built-in rules. A counter marked \"carried\" began at the value that an earlier "
                 "form of the rule had. With --watch, what passes a second, the busiest first, "
                 "until "
                 "interrupted: as a screen on a terminal, else as lines.",
         .example = "patronusctl filter counters --kind FirewallRule --name \"guest-*\"\n"
                    "patronusctl filter counters --watch 2s",
         .run = ctl_run_filter_counters},
        {.name = "explain",
         .common = true,
         .arguments = {{CTL_WORD_FIELD, 0, 1}},
         .doc = "Explain a kind or one of its fields",
         .help = "Without arguments, lists the kinds. Works without any daemon.",
         .example = "patronusctl explain FirewallRule.destination.ports",
         .run = ctl_run_explain},
        {.name = "schema",
         .arguments = {{CTL_WORD_KIND, 0, 1}},
         .doc = "Print the JSON Schema of a kind, or of all",
         .help = "JSON Schema draft 2020-12, for editors and other programs. Works without any "
                 "daemon.",
         .example = "patronusctl schema FirewallRule > rule.schema.json",
         .run = ctl_run_schema},
        {.name = "help",
         .arguments = {{CTL_WORD_COMMAND, 0, 2}},
         .doc = "Show help for a command",
         .help = "Without arguments, lists the commands.",
         .run = ctl_run_help},
        /* Without doc: not in any list. */
        {.name = "complete", .arguments = {{CTL_WORD_TEXT, 0, CTL_MANY}}, .run = ctl_run_complete},
        {.name = "man", .arguments = {{CTL_WORD_TEXT, 0, 1}}, .run = ctl_run_man},
        {},
};
