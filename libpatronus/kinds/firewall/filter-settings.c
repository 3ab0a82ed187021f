/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/endpoint.h"

#include <string.h>

static const PtChoice invalid_choices[] = {
        {"allow", FW_ALLOW, "rules decide about it, as about any packet"},
        {"drop", FW_DROP, "discards it before any rule"},
        {},
};

/* clang-format off */
static const PtField lockout_fields[] = {
        [FW_LOCKOUT_INTERFACES] = PT_FIELD(FwLockout, ifname, interfaces, "interfaces", PT_F_LIST,
                .doc = "Interfaces from which the router can always be administered, by name or "
                       "by a glob that ends in *. Absent: all interfaces.",
                .example = "[eth0]"),
        [FW_LOCKOUT_SOURCES] = PT_FIELD(FwLockout, address_range, sources, "sources", PT_F_LIST,
                .doc = "Addresses, prefixes and ranges from which the router can always be "
                       "administered. Absent: all addresses.",
                .example = "[192.0.2.0/24, \"2001:db8::/64\"]"),
        [FW_LOCKOUT_PORTS] = PT_FIELD(FwLockout, port_range, ports, "ports", PT_F_LIST,
                .def = "[22, 80, 443]",
                .doc = "TCP ports of the router that stay reachable.",
                .example = "[22]"),
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(lockout_fields) == FW_LOCKOUT_PORTS + 2);

static const PtField settings_fields[] = {
        [SETTINGS_INPUT] = PT_FIELD(FilterSettings, enum, input, "input", 0,
                .choices = fw_actions, .def = "drop",
                .doc = "What happens to packets from a zone to the router itself that no rule "
                       "matched, where the zone does not say.",
                .example = "reject"),
        [SETTINGS_FORWARD] = PT_FIELD(FilterSettings, enum, forward, "forward", 0,
                .choices = fw_actions, .def = "drop",
                .doc = "What happens to packets from one zone to another that no rule matched, "
                       "where the zone they come from does not say.",
                .example = "reject"),
        [SETTINGS_OUTPUT] = PT_FIELD(FilterSettings, enum, output, "output", 0,
                .choices = fw_actions, .def = "allow",
                .doc = "What happens to packets of the router itself to a zone that no rule "
                       "matched, where the zone does not say.",
                .example = "allow"),
        [SETTINGS_LOG_DEFAULT] = PT_FIELD(FilterSettings, bool, log_default, "logDefault", 0,
                .def = "false",
                .doc = "Whether packets are logged that no rule lets pass and no rule refuses: what no "
                       "rule matched, what is of no zone, what guards refuse, what is banned, "
                       "what is of a connection that was ended.",
                .example = "true"),
        [SETTINGS_LOG_INVALID] = PT_FIELD(FilterSettings, bool, log_invalid, "logInvalid", 0,
                .def = "false",
                .doc = "Whether packets are logged that are dropped because they belong to no "
                       "connection and can begin none.",
                .example = "true"),
        [SETTINGS_LOG_RATE] = PT_FIELD(FilterSettings, rate, log_rate, "logRate", 0,
                .def = "10/second",
                .doc = "How many packets logDefault and logInvalid log at most, each.",
                .example = "100/minute"),
        [SETTINGS_INVALID] = PT_FIELD(FilterSettings, enum, invalid, "invalid", 0,
                .choices = invalid_choices, .def = "drop",
                .doc = "What happens to packets that belong to no connection and can begin none. "
                       "Allow them where replies take another way than requests.",
                .example = "allow"),
        [SETTINGS_ANTI_LOCKOUT] = PT_STRUCT(FilterSettings, FwLockout, anti_lockout,
                "antiLockout", lockout_fields,
                .doc = "From where the router can be administered whatever the rules say. Absent: "
                       "from nowhere but by rules.",
                .example = "{ interfaces: [eth0], ports: [22] }"),
        [SETTINGS_ANTISPOOF] = PT_FIELD(FilterSettings, ref, antispoof, "antispoof", PT_F_LIST,
                .ref = "Zone",
                .doc = "Zones from which a packet passes only if its source is reached by the "
                       "interface it came in by (RFC 3704, strict). Link-local and unspecified "
                       "addresses are exempt, as DHCP and NDP need them.",
                .example = "[lan, dmz]"),
        [SETTINGS_BLOCK_BOGONS] = PT_FIELD(FilterSettings, ref, block_bogons, "blockBogons",
                PT_F_LIST,
                .ref = "Zone",
                .doc = "Zones from which packets are dropped whose source no host of the "
                       "internet has: reserved, documentation, loopback, multicast (RFC 6890). "
                       "Private addresses are another field.",
                .example = "[wan]"),
        [SETTINGS_BLOCK_PRIVATE] = PT_FIELD(FilterSettings, ref, block_private, "blockPrivate",
                PT_F_LIST,
                .ref = "Zone",
                .doc = "Zones from which packets are dropped whose source is a private address "
                       "(RFC 1918, RFC 4193) or one of a provider's own network (RFC 6598).",
                .example = "[wan]"),
        [SETTINGS_HELPERS] = PT_FIELD(FilterSettings, enum, helpers, "helpers", PT_F_LIST,
                .choices = fw_helpers,
                .doc = "Connection helpers that rules and services may name. Absent: all.",
                .example = "[ftp, tftp]"),
        [SETTINGS_GEOIP_DATABASE] = PT_FIELD(FilterSettings, string, geoip_database,
                "geoipDatabase", 0, .def = FW_GEOIP_DATABASE, .min = 1, .max = FW_PATH_MAX,
                .doc = "The file, of MaxMind's format, that says which country a network is of. "
                       "It is read by a process without rights, so everybody must be able to read "
                       "it; when another one takes its place, aliases of countries change.",
                .example = "/var/lib/GeoIP/dbip-country.mmdb"),
        [SETTINGS_ASN_DATABASE] = PT_FIELD(FilterSettings, string, asn_database, "asnDatabase", 0,
                .def = FW_ASN_DATABASE, .min = 1, .max = FW_PATH_MAX,
                .doc = "The same of autonomous systems.",
                .example = "/var/lib/GeoIP/dbip-asn.mmdb"),
        [SETTINGS_REVOKE] = PT_FIELD(FilterSettings, bool, revoke, "revoke", 0,
                .def = "true",
                .doc = "Whether a commit ends the connections that the policy allowed before it "
                       "and does not allow any more. All others go on.",
                .example = "false"),
        [SETTINGS_TRUST_CLOCK] = PT_FIELD(FilterSettings, bool, trust_clock, "trustClock", 0,
                .def = "false",
                .doc = "Whether schedules go by the machine's clock although nothing says that it is "
                       "right. Otherwise they begin once it is synchronised (NTP, PTP): until then "
                       "rules with a schedule that allow are not in force, and others are. For "
                       "machines whose clock is set by who runs them: containers, virtual machines.",
                .example = "true"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(settings_fields) == SETTINGS_TRUST_CLOCK + 2);

static bool has(const FilterSettings *settings, unsigned index)
{
        return settings && pt_object_has(&settings->object, index);
}

FwAction fw_settings_input(const FilterSettings *settings)
{
        return has(settings, SETTINGS_INPUT) ? (FwAction) settings->input : FW_DROP;
}

FwAction fw_settings_forward(const FilterSettings *settings)
{
        return has(settings, SETTINGS_FORWARD) ? (FwAction) settings->forward : FW_DROP;
}

FwAction fw_settings_output(const FilterSettings *settings)
{
        return has(settings, SETTINGS_OUTPUT) ? (FwAction) settings->output : FW_ALLOW;
}

FwAction fw_settings_invalid(const FilterSettings *settings)
{
        return has(settings, SETTINGS_INVALID) ? (FwAction) settings->invalid : FW_DROP;
}

const char *fw_settings_geoip_database(const FilterSettings *settings)
{
        return settings && settings->geoip_database ? settings->geoip_database : FW_GEOIP_DATABASE;
}

const char *fw_settings_asn_database(const FilterSettings *settings)
{
        return settings && settings->asn_database ? settings->asn_database : FW_ASN_DATABASE;
}

bool fw_settings_revoke(const FilterSettings *settings)
{
        return !has(settings, SETTINGS_REVOKE) || settings->revoke;
}

PtRate fw_settings_log_rate(const FilterSettings *settings)
{
        return has(settings, SETTINGS_LOG_RATE) ? settings->log_rate : FW_LOG_RATE_DEFAULT;
}

bool fw_settings_helper(const FilterSettings *settings, FwHelper helper)
{
        const int *helpers;

        if (!has(settings, SETTINGS_HELPERS))
                return true;
        helpers = settings->helpers.items;
        for (unsigned i = 0; i < settings->helpers.n; i++)
                if (helpers[i] == (int) helper)
                        return true;
        return false;
}

bool fw_settings_trust_clock(const FilterSettings *settings)
{
        return has(settings, SETTINGS_TRUST_CLOCK) && settings->trust_clock;
}

/* The guards stand before what comes from a zone; nothing comes from the router itself. */
static int check_zones(const PtList *list, const char *pointer, PtDiagnostics *diag)
{
        char *const *names = list->items;

        for (unsigned i = 0; i < list->n; i++)
                if (strcmp(names[i], FW_ZONE_ROUTER) == 0) {
                        pt_diag_error(diag, "no-zone", pointer,
                                      "the router itself is no zone that packets come from; name "
                                      "zones, or any");
                        return -EINVAL;
                }
        return 0;
}

static int check_path(const char *path, const char *pointer, PtDiagnostics *diag)
{
        if (!path || (path[0] == '/' && !strstr(path, "/../")))
                return 0;
        pt_diag_error(diag, "invalid-path", pointer,
                      "\"%s\" is no whole path; begin it with /, without ..", path);
        return -EINVAL;
}

static int settings_check(const PtObject *object, PtDiagnostics *diag)
{
        const FilterSettings *settings = (const FilterSettings *) object;
        int r = check_zones(&settings->antispoof, "/spec/antispoof", diag);

        if (check_zones(&settings->block_bogons, "/spec/blockBogons", diag) < 0)
                r = -EINVAL;
        if (check_zones(&settings->block_private, "/spec/blockPrivate", diag) < 0)
                r = -EINVAL;
        if (check_path(settings->geoip_database, "/spec/geoipDatabase", diag) < 0)
                r = -EINVAL;
        if (check_path(settings->asn_database, "/spec/asnDatabase", diag) < 0)
                r = -EINVAL;
        return r;
}

/* Helpers that rules and services name must stay allowed. */

typedef struct HelperCheck {
        const FilterSettings *settings;
        const PtLookup *lookup;
        PtDiagnostics *diag;
        int result;
} HelperCheck;

static void check_named(HelperCheck *check, const PtObject *object, FwHelper helper)
{
        if (fw_settings_helper(check->settings, helper))
                return;
        pt_diag_error(check->diag, "helper-in-use", "/spec/helpers",
                      "%s/%s names the helper %s; add it here, or remove it there",
                      object->kind->name, object->name, fw_helpers[helper].name);
        check->result = -EINVAL;
}

static int check_rule(const PtObject *object, void *userdata)
{
        const FirewallRule *rule = (const FirewallRule *) object;
        const FwRuleBox *box = fw_rule_box(rule);
        char *const *services = box->services.items;
        HelperCheck *check = userdata;

        if (rule->action != FW_ALLOW)
                return 0;
        if (pt_object_has(object, FW_RULE_HELPER))
                check_named(check, object, (FwHelper) box->helper);
        for (unsigned i = 0; i < box->services.n; i++) {
                FwHelper helper = fw_builtin_helper(services[i], check->lookup);

                if (helper != FW_HELPER_INVALID)
                        check_named(check, object, helper);
        }
        return 0;
}

static int check_nat(const PtObject *object, void *userdata)
{
        const NatRule *nat = (const NatRule *) object;
        char *const *services = nat->services.items;
        HelperCheck *check = userdata;

        for (unsigned i = 0; fw_nat_filter(nat) == FW_NAT_FILTER_AUTO && i < nat->services.n; i++) {
                FwHelper helper = fw_builtin_helper(services[i], check->lookup);

                if (helper != FW_HELPER_INVALID)
                        check_named(check, object, helper);
        }
        return 0;
}

static int check_service(const PtObject *object, void *userdata)
{
        if (pt_object_has(object, SERVICE_HELPER))
                check_named(userdata, object, (FwHelper) ((const Service *) object)->helper);
        return 0;
}

static int settings_check_set(const PtObject *object, const PtLookup *lookup, PtDiagnostics *diag)
{
        HelperCheck check = {
                .settings = (const FilterSettings *) object, .lookup = lookup, .diag = diag};

        if (!pt_object_has(object, SETTINGS_HELPERS))
                return 0;
        lookup->foreach (lookup->ctx, &pt_kind_firewall_rule, check_rule, &check);
        lookup->foreach (lookup->ctx, &pt_kind_nat_rule, check_nat, &check);
        lookup->foreach (lookup->ctx, &pt_kind_service, check_service, &check);
        return check.result;
}

const PtKind pt_kind_filter_settings = {
        .name = "FilterSettings",
        .api_version = "patronus.firewall/v1",
        .plural = "filtersettings",
        .doc = "What holds for the whole filter: what happens to packets that no rule matched, "
               "what is logged and dropped before any rule, and from where the router can always "
               "be administered.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: FilterSettings\n"
                   "metadata:\n"
                   "  name: default\n"
                   "spec:\n"
                   "  antiLockout:\n"
                   "    interfaces: [eth1]\n"
                   "    ports: [22]\n"
                   "  antispoof: [lan]\n"
                   "  blockBogons: [wan]\n"
                   "  logDefault: true\n",
        .size = sizeof(FilterSettings),
        .fields = settings_fields,
        .singleton = true,
        .check = settings_check,
        .check_set = settings_check_set,
};
