/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/firewall.h"

#include <string.h>

const PtChoice fw_alias_types[] = {
        [FW_ALIAS_HOST] = {"host", FW_ALIAS_HOST, "single addresses"},
        [FW_ALIAS_NETWORK] = {"network", FW_ALIAS_NETWORK, "addresses, prefixes and ranges"},
        [FW_ALIAS_PORT] = {"port", FW_ALIAS_PORT, "ports and port ranges"},
        [FW_ALIAS_MAC] = {"mac", FW_ALIAS_MAC, "hardware addresses"},
        {},
};

const PtChoice fw_list_formats[] = {
        {"lines", FW_LIST_LINES, "one entry a line; comments begin with # or ;"},
        {"csv", FW_LIST_CSV, "a table: a row a line, fields perhaps in double quotes"},
        {"json", FW_LIST_JSON, "a JSON document"},
        {},
};

const PtChoice fw_separators[] = {
        {"comma", FW_SEPARATOR_COMMA, ","},
        {"semicolon", FW_SEPARATOR_SEMICOLON, ";"},
        {"tab", FW_SEPARATOR_TAB, "a tabulator"},
        {},
};

const PtChoice fw_continents[] = {
        {"AF", FW_CONTINENT_AF, "Africa"},        {"AN", FW_CONTINENT_AN, "Antarctica"},
        {"AS", FW_CONTINENT_AS, "Asia"},          {"EU", FW_CONTINENT_EU, "Europe"},
        {"NA", FW_CONTINENT_NA, "North America"}, {"OC", FW_CONTINENT_OC, "Oceania"},
        {"SA", FW_CONTINENT_SA, "South America"}, {},
};

/* clang-format off */
static const PtField url_fields[] = {
        [FW_URL_URL] = PT_FIELD(FwAliasUrl, url, url, "url", PT_F_REQUIRED,
                .doc = "Where the list is. It is fetched without any user's rights; redirects are "
                       "followed, from https to https only. What is compressed with gzip is "
                       "unpacked.",
                .example = "https://lists.example.net/drop.txt"),
        [FW_URL_FORMAT] = PT_FIELD(FwAliasUrl, enum, format, "format", 0,
                .choices = fw_list_formats, .def = "lines",
                .doc = "What the list is written as.",
                .example = "csv"),
        [FW_URL_PATH] = PT_FIELD(FwAliasUrl, string, path, "path", 0, .max = FW_URL_PATH_MAX,
                .doc = "Of a JSON document, where the entries are: members one inside the other "
                       "with dots between, \"*\" for all of a list or an object.",
                .example = "prefixes.*.ip_prefix"),
        [FW_URL_COLUMN] = PT_FIELD(FwAliasUrl, u16, column, "column", 0, .min = 1, .max = 1000,
                .def = "1", .doc = "Of a CSV table, the column that the entries are in, from 1.",
                .example = "2"),
        [FW_URL_SEPARATOR] = PT_FIELD(FwAliasUrl, enum, separator, "separator", 0,
                .choices = fw_separators, .def = "comma",
                .doc = "Of a CSV table, what is between its columns.",
                .example = "semicolon"),
        [FW_URL_REFRESH] = PT_FIELD(FwAliasUrl, duration, refresh, "refresh", 0,
                .min = 60 * G_USEC_PER_SEC, .max = 30 * INT64_C(86400) * G_USEC_PER_SEC,
                .def = "1h",
                .doc = "How long after it was fetched the list is asked for again. What has not "
                       "changed (ETag, Last-Modified) is not sent again by most servers.",
                .example = "15m"),
        {},
};

static const PtField host6_fields[] = {
        [FW_HOST6_INTERFACE] = PT_FIELD(FwHost6, ifname, interface, "interface", PT_F_REQUIRED,
                .doc = "The interface whose IPv6 networks the host is in.", .example = "lan0"),
        [FW_HOST6_SUFFIX] = PT_FIELD(FwHost6, address_range, suffix, "suffix", PT_F_REQUIRED,
                .doc = "What follows the prefix in its address: the lower 64 bits, written as an "
                       "address.",
                .example = "\"::211:22ff:fe33:4455\""),
        {},
};

static const PtField alias_fields[] = {
        [ALIAS_TYPE] = PT_FIELD(Alias, enum, type, "type", PT_F_REQUIRED,
                .choices = fw_alias_types, .impact = PT_IMPACT_RECREATE,
                .doc = "What its entries are. Single addresses are found faster than networks.",
                .example = "network"),
        [ALIAS_ADDRESSES] = PT_FIELD(Alias, address_range, addresses, "addresses", PT_F_LIST,
                .dataset = "dataset", .dataset_content = PT_DATASET_ADDRESSES,
                .doc = "Entries of an alias of type host or network, IPv4 and IPv6. More than "
                       "4096 become a dataset when they are loaded.",
                .example = "[10.3.0.0/24, 192.0.2.7, \"2001:db8::/32\"]"),
        [ALIAS_PORTS] = PT_FIELD(Alias, port_range, ports, "ports", PT_F_LIST,
                .doc = "Entries of an alias of type port.",
                .example = "[80, 443, 8000-8099]"),
        [ALIAS_MACS] = PT_FIELD(Alias, mac, macs, "macs", PT_F_LIST,
                .dataset = "dataset", .dataset_content = PT_DATASET_MACS,
                .doc = "Entries of an alias of type mac. More than 4096 become a dataset when "
                       "they are loaded.",
                .example = "[\"02:00:5e:10:00:01\"]"),
        [ALIAS_ALIASES] = PT_FIELD(Alias, ref, aliases, "aliases", PT_F_LIST,
                .ref = "Alias",
                .doc = "Other aliases, all of whose entries belong to this one too. A network "
                       "alias may include host aliases.",
                .example = "[offices]"),
        [ALIAS_DATASET] = PT_FIELD(Alias, dataset, dataset, "dataset", 0,
                .doc = "Entries beside those of the lists: a dataset, by its digest, with up to "
                       "1000000 addresses, prefixes and ranges, or hardware addresses.",
                .example = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        [ALIAS_URL] = PT_STRUCT_BOXED(Alias, FwAliasBox, box, FwAliasUrl, url, "url", url_fields,
                .doc = "A list that is fetched again and again; its entries stand beside the "
                       "configured ones. When it cannot be fetched, or is no list, those of the "
                       "last time stay, also across restarts. Lines that are wrong are left out "
                       "and told.",
                .example = "{url: \"https://lists.example.net/drop.txt\", refresh: 15m}"),
        [ALIAS_NAMES] = PT_BOXED(Alias, FwAliasBox, box, fqdn, names, "names", PT_F_LIST,
                .max_items = FW_ALIAS_NAMES_MAX,
                .doc = "Host names whose addresses (A and AAAA) belong to the alias. Each is asked "
                       "for anew when its time to live is over, at the earliest after 30 s and at "
                       "the latest after an hour. Addresses that are gone from the answer leave "
                       "at once; when there is no answer, the last ones stay.",
                .example = "[www.example.com]"),
        [ALIAS_INTERFACES] = PT_BOXED(Alias, FwAliasBox, box, ifname, interfaces, "interfaces",
                PT_F_LIST,
                .doc = "Interfaces whose networks belong to the alias, as their addresses are at "
                       "any time; those of the link (fe80::/10) do not. For an alias of type "
                       "host their addresses themselves.",
                .example = "[lan0, \"vlan*\"]"),
        [ALIAS_COUNTRIES] = PT_BOXED(Alias, FwAliasBox, box, string, countries, "countries",
                PT_F_LIST, .min = 2, .max = 2,
                .doc = "Countries (ISO 3166-1) whose networks belong to the alias, by the database "
                       "that FilterSettings name.",
                .example = "[DE, AT, CH]"),
        [ALIAS_CONTINENTS] = PT_BOXED(Alias, FwAliasBox, box, enum, continents, "continents",
                PT_F_LIST, .choices = fw_continents,
                .doc = "Continents whose networks belong to the alias, by the same database.",
                .example = "[EU]"),
        [ALIAS_ASNS] = PT_BOXED(Alias, FwAliasBox, box, u32, asns, "asns", PT_F_LIST, .min = 1,
                .max = UINT32_MAX,
                .doc = "Autonomous systems whose networks belong to the alias, by the database of "
                       "them that FilterSettings name.",
                .example = "[64496]"),
        [ALIAS_INVERT] = PT_BOXED(Alias, FwAliasBox, box, bool, invert, "invert", 0,
                .def = "false",
                .doc = "The networks of all other countries and continents instead. What the "
                       "database knows no country of (private addresses, too) is in neither.",
                .example = "true"),
        [ALIAS_EXTERNAL] = PT_FIELD(Alias, bool, external, "external", 0,
                .def = "false",
                .doc = "Whether its entries come and go at run time: put there by rules "
                       "(addSource, limits.overload) and by calls (\"filter add\"). It is of type host and has no entries of its own here; at most 65536 of each "
                       "family. They stay when other things are committed and when filterd starts "
                       "anew, and are gone when the machine restarts.",
                .example = "true"),
        [ALIAS_TIMEOUT] = PT_FIELD(Alias, duration, timeout, "timeout", 0,
                .min = G_USEC_PER_SEC, .max = FW_ADD_TIMEOUT_MAX,
                .doc = "How long an entry of an external alias stays, unless who puts it there "
                       "says so. Absent: as long as the alias is there.",
                .example = "1h"),
        [ALIAS_HOSTS6] = PT_STRUCTS(Alias, FwHost6, hosts6, "hosts6", host6_fields, 0,
                .max_items = FW_HOSTS6_MAX,
                .doc = "Hosts behind interfaces whose IPv6 prefix the provider changes: for each "
                       "network of the interface (but that of the link), its prefix and the "
                       "host's own suffix.",
                .example = "[{interface: lan0, suffix: \"::10\"}]"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(alias_fields) == ALIAS_HOSTS6 + 2);

const FwAliasBox *fw_alias_box(const Alias *alias)
{
        static const FwAliasBox none;

        return alias->box ?: &none;
}

unsigned fw_url_column(const FwAliasUrl *url)
{
        return url->present & UINT64_C(1) << FW_URL_COLUMN ? url->column : 1;
}

uint64_t fw_url_refresh(const FwAliasUrl *url)
{
        return url->present & UINT64_C(1) << FW_URL_REFRESH ? url->refresh
                                                            : FW_URL_REFRESH_DEFAULT_USEC;
}

static int wrong_entries(const Alias *alias, const char *member, PtDiagnostics *diag)
{
        static const char *const right[FW_ALIAS_TYPE_MAX] = {"addresses", "addresses", "ports",
                                                             "macs"};
        g_autofree char *pointer = g_strconcat("/spec/", member, NULL);

        pt_diag_error(diag, "wrong-entries", pointer,
                      "an alias of type %s has its entries in \"%s\"; move these, or change the "
                      "type",
                      fw_alias_types[alias->type].name, right[alias->type]);
        return -EINVAL;
}

static int check_hosts(const Alias *alias, PtDiagnostics *diag)
{
        const PtAddressRange *ranges = alias->addresses.items;
        int r = 0;

        for (unsigned i = 0; i < alias->addresses.n; i++) {
                g_autofree char *pointer = NULL;

                if (memcmp(ranges[i].lo, ranges[i].hi, sizeof(ranges[i].lo)) == 0)
                        continue;
                pointer = g_strdup_printf("/spec/addresses/%u", i);
                pt_diag_error(diag, "not-a-host", pointer,
                              "an alias of type host has single addresses only; make its type "
                              "network");
                r = -EINVAL;
        }
        return r;
}

/* Sources of addresses in an alias that cannot hold what they give. */
static int check_sources(const Alias *alias, PtDiagnostics *diag)
{
        const FwAliasBox *box = fw_alias_box(alias);
        bool host = alias->type == FW_ALIAS_HOST, network = alias->type == FW_ALIAS_NETWORK;
        const struct {
                const char *member, *right;
                bool any, fits;
        } sources[] = {
                {"url", "host, network or mac", box->url.url != NULL, alias->type != FW_ALIAS_PORT},
                {"names", "host or network", box->names.n > 0, host || network},
                {"interfaces", "network or host", box->interfaces.n > 0, host || network},
                {"hosts6", "host or network", alias->hosts6.n > 0, host || network},
                {"countries", "network", box->countries.n > 0, network},
                {"continents", "network", box->continents.n > 0, network},
                {"asns", "network", box->asns.n > 0, network},
        };
        int r = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(sources); i++) {
                g_autofree char *pointer = NULL;

                if (!sources[i].any || sources[i].fits)
                        continue;
                pointer = g_strconcat("/spec/", sources[i].member, NULL);
                pt_diag_error(diag, "wrong-entries", pointer,
                              "an alias of type %s has no \"%s\"; make its type %s",
                              fw_alias_types[alias->type].name, sources[i].member,
                              sources[i].right);
                r = -EINVAL;
        }
        return r;
}

static int check_countries(const Alias *alias, PtDiagnostics *diag)
{
        const FwAliasBox *box = fw_alias_box(alias);
        char *const *codes = box->countries.items;
        int r = 0;

        for (unsigned i = 0; i < box->countries.n; i++) {
                g_autofree char *pointer = NULL;

                if (g_ascii_isupper(codes[i][0]) && g_ascii_isupper(codes[i][1]))
                        continue;
                pointer = g_strdup_printf("/spec/countries/%u", i);
                pt_diag_error(diag, "invalid-country", pointer,
                              "\"%s\" is no country's code: two capital letters, such as DE",
                              codes[i]);
                r = -EINVAL;
        }
        if (box->invert && box->countries.n == 0 && box->continents.n == 0) {
                pt_diag_error(diag, "needs-countries", "/spec/invert",
                              "there are no countries or continents to invert; add some, or "
                              "leave it out");
                r = -EINVAL;
        }
        return r;
}

static int check_hosts6(const Alias *alias, PtDiagnostics *diag)
{
        static const uint8_t zero[8];
        const FwHost6 *hosts = alias->hosts6.items;
        int r = 0;

        for (unsigned i = 0; i < alias->hosts6.n; i++) {
                const PtAddressRange *suffix = &hosts[i].suffix;
                g_autofree char *pointer = NULL;

                if (suffix->family == AF_INET6 && memcmp(suffix->lo, zero, sizeof(zero)) == 0 &&
                    memcmp(suffix->lo, suffix->hi, sizeof(suffix->lo)) == 0)
                        continue;
                pointer = g_strdup_printf("/spec/hosts6/%u/suffix", i);
                pt_diag_error(diag, "invalid-suffix", pointer,
                              "a suffix is the lower 64 bits of one IPv6 address; write it like "
                              "::211:22ff:fe33:4455");
                r = -EINVAL;
        }
        return r;
}

/* "a.*.b": no member is empty. */
static bool is_path(const char *path)
{
        return path[0] && path[0] != '.' && path[strlen(path) - 1] != '.' && !strstr(path, "..");
}

static int check_url(const Alias *alias, PtDiagnostics *diag)
{
        const FwAliasUrl *url = &fw_alias_box(alias)->url;
        bool json = url->format == FW_LIST_JSON, csv = url->format == FW_LIST_CSV;
        bool of_csv = (url->present &
                       (UINT64_C(1) << FW_URL_COLUMN | UINT64_C(1) << FW_URL_SEPARATOR)) != 0;
        int r = 0;

        if (json && !url->path) {
                pt_diag_error(diag, "needs-path", "/spec/url",
                              "a JSON document needs \"path\": where the entries are in it, such "
                              "as prefixes.*.ip_prefix");
                r = -EINVAL;
        }
        if (!json && url->path) {
                pt_diag_error(diag, "not-json", "/spec/url/path",
                              "\"path\" is of JSON documents; leave it out, or make the format "
                              "json");
                r = -EINVAL;
        }
        if (url->path && !is_path(url->path)) {
                pt_diag_error(diag, "invalid-path", "/spec/url/path",
                              "\"%s\" has an empty member; write names with one dot between, "
                              "such as prefixes.*.ip_prefix",
                              url->path);
                r = -EINVAL;
        }
        if (!csv && of_csv) {
                pt_diag_error(diag, "not-csv", "/spec/url",
                              "\"column\" and \"separator\" are of CSV tables; leave them out, "
                              "or make the format csv");
                r = -EINVAL;
        }
        return r;
}

static int check_external(const Alias *alias, PtDiagnostics *diag)
{
        static const unsigned sources[] = {ALIAS_URL,       ALIAS_NAMES,      ALIAS_INTERFACES,
                                           ALIAS_COUNTRIES, ALIAS_CONTINENTS, ALIAS_ASNS};
        const char *own = alias->addresses.n > 0 ? "/spec/addresses"
                          : alias->aliases.n > 0 ? "/spec/aliases"
                          : alias->dataset       ? "/spec/dataset"
                                                 : NULL;

        if (!alias->external) {
                if (!pt_object_has(&alias->object, ALIAS_TIMEOUT))
                        return 0;
                pt_diag_error(diag, "needs-external", "/spec/timeout",
                              "only entries of an external alias have a time; remove this, or "
                              "write \"external: true\"");
                return -EINVAL;
        }
        if (alias->type != FW_ALIAS_HOST) {
                pt_diag_error(diag, "wrong-alias-type", "/spec/external",
                              "what comes at run time is single addresses; make its type host");
                return -EINVAL;
        }
        for (unsigned i = 0; !own && i < G_N_ELEMENTS(sources); i++)
                if (pt_object_has(&alias->object, sources[i]))
                        own = "/spec/external";
        if (!own)
                return 0;
        pt_diag_error(diag, "external-entries", own,
                      "an external alias has only what is put there at run time; make another "
                      "alias of these, and name both in the rule");
        return -EINVAL;
}

static int alias_check(const PtObject *object, PtDiagnostics *diag)
{
        const Alias *alias = (const Alias *) object;
        bool addresses = alias->type == FW_ALIAS_HOST || alias->type == FW_ALIAS_NETWORK;
        int r = 0;

        if (alias->addresses.n > 0 && !addresses)
                r = wrong_entries(alias, "addresses", diag);
        if (alias->ports.n > 0 && alias->type != FW_ALIAS_PORT)
                r = wrong_entries(alias, "ports", diag);
        if (alias->macs.n > 0 && alias->type != FW_ALIAS_MAC)
                r = wrong_entries(alias, "macs", diag);
        if (alias->dataset && alias->type == FW_ALIAS_PORT)
                r = wrong_entries(alias, "dataset", diag);
        if (alias->type == FW_ALIAS_HOST && check_hosts(alias, diag) < 0)
                r = -EINVAL;
        if (check_sources(alias, diag) < 0 || check_countries(alias, diag) < 0 ||
            check_url(alias, diag) < 0 || check_external(alias, diag) < 0 ||
            check_hosts6(alias, diag) < 0)
                r = -EINVAL;
        return r;
}

/* Rules between aliases. */

typedef struct Walk {
        const PtLookup *lookup;
        PtDiagnostics *diag;
        const Alias *root;
        GHashTable *seen; /* Alias: each is walked once, however many ways lead to it */
        uint64_t entries;
        int result;
} Walk;

static void refuse(Walk *walk, const char *code, const char *pointer, const char *format, ...)
        G_GNUC_PRINTF(4, 5);
static void refuse(Walk *walk, const char *code, const char *pointer, const char *format, ...)
{
        g_autofree char *text = NULL;
        va_list args;

        va_start(args, format);
        text = g_strdup_vprintf(format, args);
        va_end(args);
        pt_diag_error(walk->diag, code, pointer, "%s", text);
        walk->result = -EINVAL;
}

static bool may_include(int type, int other)
{
        return type == other || (type == FW_ALIAS_NETWORK && other == FW_ALIAS_HOST);
}

static void count_dataset(Walk *walk, const Alias *alias)
{
        bool macs = alias->type == FW_ALIAS_MAC;
        PtDatasetInfo info;

        if (!alias->dataset || !walk->lookup->dataset ||
            walk->lookup->dataset(walk->lookup->ctx, alias->dataset, &info) < 0)
                return; /* that there is none is said by who checks references */
        walk->entries +=
                (uint64_t) info.hosts4 + info.hosts6 + info.ranges4 + info.ranges6 + info.macs;
        if (alias != walk->root)
                return;
        if (macs != (info.content == PT_DATASET_MACS))
                refuse(walk, "wrong-entries", "/spec/dataset",
                       "the dataset holds %s, the alias is of type %s",
                       info.content == PT_DATASET_MACS ? "hardware addresses" : "addresses",
                       fw_alias_types[alias->type].name);
        else if (alias->type == FW_ALIAS_HOST && info.ranges4 + info.ranges6 > 0)
                refuse(walk, "not-a-host", "/spec/dataset",
                       "the dataset has %u prefixes and ranges, an alias of type host single "
                       "addresses only; make its type network",
                       info.ranges4 + info.ranges6);
}

/* What a level of aliases includes. */
static GPtrArray *next_level(Walk *walk, GPtrArray *level)
{
        GPtrArray *next = g_ptr_array_new();

        for (unsigned i = 0; i < level->len; i++) {
                const Alias *alias = g_ptr_array_index(level, i);
                char *const *names = alias->aliases.items;

                for (unsigned k = 0; k < alias->aliases.n; k++) {
                        const Alias *other = (const Alias *) walk->lookup->get(
                                walk->lookup->ctx, &pt_kind_alias, names[k]);

                        if (other == walk->root)
                                refuse(walk, "cycle", "/spec/aliases",
                                       "through %s the alias includes itself; break the circle",
                                       alias == walk->root ? names[k] : alias->object.name);
                        if (other && g_hash_table_add(walk->seen, (void *) (uintptr_t) other))
                                g_ptr_array_add(next, (void *) (uintptr_t) other);
                }
        }
        return next;
}

static void check_included(Walk *walk)
{
        char *const *names = walk->root->aliases.items;

        for (unsigned i = 0; i < walk->root->aliases.n; i++) {
                const Alias *other = (const Alias *) walk->lookup->get(walk->lookup->ctx,
                                                                       &pt_kind_alias, names[i]);
                g_autofree char *pointer = NULL;

                if (!other || (may_include(walk->root->type, other->type) && !other->external))
                        continue;
                pointer = g_strdup_printf("/spec/aliases/%u", i);
                if (other->external) {
                        refuse(walk, "external-entries", pointer,
                               "what \"%s\" holds is known at run time only; name both aliases in "
                               "the rule",
                               names[i]);
                        continue;
                }
                refuse(walk, "wrong-alias-type", pointer,
                       "an alias of type %s cannot include \"%s\", which is of type %s",
                       fw_alias_types[walk->root->type].name, names[i],
                       fw_alias_types[other->type].name);
        }
}

static int alias_check_set(const PtObject *object, const PtLookup *lookup, PtDiagnostics *diag)
{
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
        Walk walk = {lookup, diag, (const Alias *) object, seen, 0, 0};
        g_autoptr(GPtrArray) level = g_ptr_array_new();
        unsigned depth = 0;

        check_included(&walk);
        g_ptr_array_add(level, (void *) (uintptr_t) object);
        g_hash_table_add(seen, (void *) (uintptr_t) object);
        while (level->len > 0) {
                GPtrArray *next;

                if (++depth > FW_ALIAS_DEPTH_MAX) {
                        refuse(&walk, "too-deep", "/spec/aliases",
                               "aliases include each other more than %d deep; include the "
                               "innermost directly",
                               FW_ALIAS_DEPTH_MAX);
                        break;
                }
                for (unsigned i = 0; i < level->len; i++) {
                        const Alias *alias = g_ptr_array_index(level, i);

                        walk.entries += alias->addresses.n + alias->ports.n + alias->macs.n;
                        count_dataset(&walk, alias);
                }
                next = next_level(&walk, level);
                g_ptr_array_unref(level);
                level = next;
        }
        if (walk.entries > FW_ALIAS_ENTRIES_MAX)
                refuse(&walk, "too-long", "/spec",
                       "with what it includes the alias has %" PRIu64 " entries, at most %d",
                       walk.entries, FW_ALIAS_ENTRIES_MAX);
        return walk.result;
}

const PtKind pt_kind_alias = {
        .name = "Alias",
        .api_version = "patronus.firewall/v1",
        .plural = "aliases",
        .doc = "A list with a name: of addresses, networks, ports or hardware addresses. Rules "
               "name it; when its entries change, the rules stay as they are, and their counters "
               "run on.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: Alias\n"
                   "metadata:\n"
                   "  name: web-servers\n"
                   "spec:\n"
                   "  type: host\n"
                   "  addresses: [10.3.0.10, \"2001:db8:3::10\"]\n",
        .size = sizeof(Alias),
        .fields = alias_fields,
        .passive = true,
        .check = alias_check,
        .check_set = alias_check_set,
};
