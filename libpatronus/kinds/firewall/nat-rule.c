/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/endpoint.h"

#include <string.h>

static const PtChoice types[] = {
        {"masquerade", FW_NAT_MASQUERADE,
         "connections that leave by the zone get the address of the interface they leave by"},
        {"source", FW_NAT_SOURCE,
         "connections that leave by the zone get an address of the translation: a pool when it "
         "has several"},
        {"forward", FW_NAT_FORWARD,
         "connections that arrive from the zone go to another host: a port forward"},
        {"one-to-one", FW_NAT_ONE_TO_ONE,
         "each outside address stands for one inside address, both ways; prefixes of one length "
         "translate address by address"},
        {"prefix", FW_NAT_PREFIX,
         "an IPv6 prefix outside stands for one of the same length inside, both ways, as NPTv6 "
         "does (RFC 6296), by connection"},
        {"redirect", FW_NAT_REDIRECT,
         "connections that come from the zone, also those for the router, go to a port of the "
         "router itself; what must not is excluded by the destination"},
        {},
};

static const PtChoice filters[] = {
        {"auto", FW_NAT_FILTER_AUTO, "a rule of its own allows exactly what was translated"},
        {"none", FW_NAT_FILTER_NONE, "the rules decide about it like about any packet"},
        {},
};

/* clang-format off */
static const PtField translation_fields[] = {
        [FW_TRANSLATION_ADDRESSES] = PT_FIELD(FwTranslation, address_range, addresses, "addresses",
                PT_F_LIST,
                .doc = "The addresses that connections get. Of a forward, one address; of a "
                       "source translation one or more, prefixes and ranges: a pool; of "
                       "one-to-one and prefix, what is inside.",
                .example = "[192.0.2.10-192.0.2.20]"),
        [FW_TRANSLATION_PORTS] = PT_FIELD(FwTranslation, port_range, ports, "ports", PT_F_LIST,
                .max_items = 1,
                .doc = "The port that connections get, or a range of ports: of a forward, as many "
                       "as the destination has, port by port. Absent: the port stays.",
                .example = "[8080]"),
        [FW_TRANSLATION_PERSISTENT] = PT_FIELD(FwTranslation, bool, persistent, "persistent", 0,
                .def = "true",
                .doc = "Whether a client keeps its address of a pool for all its connections.",
                .example = "false"),
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(translation_fields) == FW_TRANSLATION_PERSISTENT + 2);

static const PtField nat_fields[] = {
        [NAT_RULE_TYPE] = PT_FIELD(NatRule, enum, type, "type", PT_F_REQUIRED,
                .choices = types,
                .doc = "What is translated, and when.",
                .example = "forward"),
        [NAT_RULE_ENABLED] = PT_FIELD(NatRule, bool, enabled, "enabled", 0,
                .def = "true",
                .doc = "Whether the rule is in force. A rule that is not stays in the "
                       "configuration. Connections that exist keep their translation.",
                .example = "false"),
        [NAT_RULE_PRIORITY] = PT_FIELD(NatRule, u16, priority, "priority", 0,
                .def = "32768",
                .doc = "Rules are tried in the order of their priority, the lowest number first, "
                       "then of their position in the file, then by name; the first that matches "
                       "translates. A rule of the filter that comes with it has its priority.",
                .example = "100"),
        [NAT_RULE_ZONE] = PT_FIELD(NatRule, ref, zone, "zone", PT_F_REQUIRED,
                .ref = "Zone",
                .doc = "The outside: the zone that connections leave by (masquerade, source), "
                       "arrive from (forward, redirect), or both (one-to-one, prefix).",
                .example = "wan"),
        [NAT_RULE_FAMILY] = PT_FIELD(NatRule, enum, family, "family", 0,
                .choices = fw_families,
                .doc = "IPv4 or IPv6 only. Absent: what the addresses say; IPv4 for a masquerade "
                       "that has none.",
                .example = "ipv4"),
        [NAT_RULE_PROTOCOL] = PT_FIELD(NatRule, protocol, protocol, "protocol", 0,
                .def = "any",
                .doc = "The protocol inside IP, by name or number. Absent or \"any\": any, or TCP "
                       "and UDP when the rule has ports.",
                .example = "tcp"),
        [NAT_RULE_SOURCE] = PT_STRUCT(NatRule, FwEndpoint, source, "source", fw_endpoint_fields,
                .doc = "What the packet's source must be, before translation. Of one-to-one and "
                       "prefix it is the other side, whoever begins.",
                .example = "{ addresses: [10.0.0.0/8] }"),
        [NAT_RULE_DESTINATION] = PT_STRUCT(NatRule, FwEndpoint, destination, "destination",
                fw_endpoint_fields,
                .doc = "What the packet's destination must be, before translation. Without "
                       "addresses a forward is for all addresses of the router. Of one-to-one "
                       "and prefix, what is outside.",
                .example = "{ ports: [443] }"),
        [NAT_RULE_TRANSLATION] = PT_STRUCT(NatRule, FwTranslation, translation, "translation",
                translation_fields,
                .doc = "What comes in its place.",
                .example = "{ addresses: [10.3.0.10], ports: [8443] }"),
        [NAT_RULE_FILTER] = PT_FIELD(NatRule, enum, filter, "filter", 0,
                .choices = filters,
                .doc = "Whether a rule of the filter comes with this one. Absent: auto for a "
                       "forward and a redirect, none for all others and beside filterRule.",
                .example = "none"),
        [NAT_RULE_FILTER_RULE] = PT_FIELD(NatRule, ref, filter_rule, "filterRule", 0,
                .ref = "FirewallRule",
                .doc = "The rule of the filter that decides about what was translated; it cannot "
                       "be deleted while this names it.",
                .example = "allow-web"),
        [NAT_RULE_REFLECTION] = PT_FIELD(NatRule, bool, reflection, "reflection", 0,
                .doc = "Whether a forward is also for those inside who ask for the outside address: "
                       "connections that arrive from other zones are led to the target too, and so "
                       "are those of the router's own programs. Where client and target are in one "
                       "zone, the router stands between them: the target sees its address, so that "
                       "answers come back. Without addresses of the destination it is for "
                       "addresses of the router but those of the interface that the connection "
                       "came by, and not for the router's own programs. Absent: what NatSettings "
                       "say, else false.",
                .example = "true"),
        [NAT_RULE_SERVICES] = PT_FIELD(NatRule, ref, services, "services", PT_F_LIST,
                .ref = "Service",
                .doc = "What the connection is for, in place of a protocol and the destination's "
                       "ports: services by name, of the built-in ones or your own. A rule of the "
                       "filter that comes with this one brings their helpers.",
                .example = "[http, https]"),
        [NAT_RULE_POOL] = PT_FIELD(NatRule, ref, pool, "pool", 0,
                .ref = "ServerPool",
                .doc = "The servers that a forward leads to, in place of a translation: new "
                       "connections are spread among those that are alive.",
                .example = "web"),
        [NAT_RULE_SOURCE_LIMIT] = PT_FIELD(NatRule, u32, source_limit, "sourceLimit", 0,
                .min = 1, .max = FW_LIMIT_CONNECTIONS_MAX,
                .doc = "How many translated connections of one source address may exist at one "
                       "time, as connectionsPerSource of a rule's limits: what is beyond is dropped "
                       "by the rule of the filter that comes with this one, and counted apart.",
                .example = "20"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(nat_fields) == NAT_RULE_SOURCE_LIMIT + 2);

bool fw_nat_enabled(const NatRule *rule)
{
        return !pt_object_has(&rule->object, NAT_RULE_ENABLED) || rule->enabled;
}

unsigned fw_nat_priority(const NatRule *rule)
{
        return pt_object_has(&rule->object, NAT_RULE_PRIORITY) ? rule->priority
                                                               : FW_PRIORITY_DEFAULT;
}

int fw_nat_protocol(const NatRule *rule)
{
        return pt_object_has(&rule->object, NAT_RULE_PROTOCOL) ? rule->protocol : PT_PROTOCOL_ANY;
}

int fw_nat_family(const NatRule *rule)
{
        int family = fw_protocol_family(fw_nat_protocol(rule));

        if (family == AF_UNSPEC && pt_object_has(&rule->object, NAT_RULE_FAMILY))
                family = rule->family;
        if (family == AF_UNSPEC)
                family = fw_list_family(&rule->translation.addresses);
        if (family == AF_UNSPEC)
                family = fw_endpoint_family(&rule->source);
        if (family == AF_UNSPEC)
                family = fw_endpoint_family(&rule->destination);
        /* Translating IPv6 is for those who say so. */
        return family == AF_UNSPEC && rule->type == FW_NAT_MASQUERADE ? AF_INET : family;
}

FwNatFilter fw_nat_filter(const NatRule *rule)
{
        if (pt_object_has(&rule->object, NAT_RULE_FILTER))
                return (FwNatFilter) rule->filter;
        if (rule->filter_rule)
                return FW_NAT_FILTER_NONE;
        return rule->type == FW_NAT_FORWARD || rule->type == FW_NAT_REDIRECT ? FW_NAT_FILTER_AUTO
                                                                             : FW_NAT_FILTER_NONE;
}

int fw_nat_compare_order(const NatRule *a, const NatRule *b)
{
        return fw_order_compare(fw_nat_priority(a), &a->object, fw_nat_priority(b), &b->object);
}

static int refuse(PtDiagnostics *diag, const char *code, const char *pointer, const char *text)
{
        pt_diag_error(diag, code, pointer, "%s", text);
        return -EINVAL;
}

static int check_families(const NatRule *rule, PtDiagnostics *diag)
{
        FwFamilyCheck check = {.diag = diag};

        if (pt_object_has(&rule->object, NAT_RULE_FAMILY))
                fw_family_says(&check, rule->family, "/spec/family");
        fw_family_says(&check, fw_protocol_family(fw_nat_protocol(rule)), "/spec/protocol");
        fw_family_says_endpoint(&check, &rule->source, "/spec/source");
        fw_family_says_endpoint(&check, &rule->destination, "/spec/destination");
        fw_family_says_list(&check, &rule->translation.addresses, "/spec/translation/addresses");
        if (rule->type == FW_NAT_PREFIX)
                fw_family_says(&check, AF_INET6, "/spec/type");
        return fw_family_finish(&check);
}

static const PtAddressRange *only_range(const PtList *list)
{
        return list->n == 1 ? list->items : NULL;
}

static bool is_one_address(const PtAddressRange *range)
{
        return range && memcmp(range->lo, range->hi, sizeof(range->lo)) == 0;
}

static int check_forward(const NatRule *rule, PtDiagnostics *diag)
{
        const PtPortRange *to = rule->translation.ports.items, *at = rule->destination.ports.items;
        unsigned wanted;
        int r = 0;

        if (rule->pool)
                return 0;
        if (!is_one_address(only_range(&rule->translation.addresses)))
                r = refuse(diag, "one-target", "/spec/translation/addresses",
                           "a forward goes to one address: addresses: [10.3.0.10]");
        if (rule->translation.ports.n == 0)
                return r;
        if (!fw_endpoint_has_ports(&rule->destination) && rule->services.n == 0)
                return refuse(diag, "needs-ports", "/spec/destination/ports",
                              "the translation has a port, so the destination needs one: "
                              "ports: [443]");
        wanted = to->hi - to->lo + 1U;
        /* What an alias or a service adds has no port to become. */
        if (wanted > 1 &&
            (rule->destination.ports.n != 1 || at->hi - at->lo + 1U != wanted ||
             fw_endpoint_box(&rule->destination)->port_aliases.n > 0 || rule->services.n > 0))
                r = refuse(diag, "unequal-ranges", "/spec/translation/ports",
                           "a range of ports translates port by port, so the destination needs one "
                           "range of as many");
        return r;
}

static int check_redirect(const NatRule *rule, PtDiagnostics *diag)
{
        int r = 0;

        if (rule->translation.addresses.n > 0)
                r = refuse(diag, "no-target", "/spec/translation/addresses",
                           "a redirect goes to the router itself; remove the addresses, or make it "
                           "a forward");
        if (rule->translation.ports.n == 0 ||
            ((const PtPortRange *) rule->translation.ports.items)->lo !=
                    ((const PtPortRange *) rule->translation.ports.items)->hi)
                r = refuse(diag, "needs-ports", "/spec/translation/ports",
                           "a redirect goes to one port of the router: ports: [3128]");
        return r;
}

static bool same_size(const PtAddressRange *a, const PtAddressRange *b)
{
        return a->plen == b->plen && a->plen != PT_PLEN_RANGE;
}

static int check_mapping(const NatRule *rule, PtDiagnostics *diag)
{
        const PtAddressRange *outside = only_range(&rule->destination.addresses),
                             *inside = only_range(&rule->translation.addresses);
        const FwEndpointBox *box = fw_endpoint_box(&rule->destination);
        int r = 0;

        if (!outside)
                r = refuse(diag, "needs-outside", "/spec/destination/addresses",
                           "name the one address or prefix that is outside");
        if (!inside)
                r = refuse(diag, "needs-inside", "/spec/translation/addresses",
                           "name the one address or prefix that is inside");
        if (r == 0 && !same_size(outside, inside))
                r = refuse(diag, "unequal-prefixes", "/spec/translation/addresses",
                           "outside and inside must be prefixes of one length, since each address "
                           "stands for one");
        if (box->aliases.n > 0 || box->except.present)
                r = refuse(diag, "needs-outside", "/spec/destination",
                           "outside is one address or prefix; no aliases, no exceptions");
        if (rule->translation.ports.n > 0 || fw_endpoint_has_ports(&rule->destination))
                r = refuse(diag, "no-ports", "/spec/translation/ports",
                           "addresses stand for addresses whatever the ports; a forward is for "
                           "ports");
        return r;
}

static int check_outbound(const NatRule *rule, PtDiagnostics *diag)
{
        bool pool = rule->translation.addresses.n > 0;

        if (rule->type == FW_NAT_MASQUERADE && pool)
                return refuse(diag, "no-target", "/spec/translation/addresses",
                              "a masquerade takes the interface's address; remove the addresses, "
                              "or make the type \"source\"");
        if (rule->type == FW_NAT_SOURCE && !pool)
                return refuse(diag, "needs-addresses", "/spec/translation/addresses",
                              "name the addresses that connections get, or make the type "
                              "\"masquerade\"");
        return 0;
}

static int check_translation(const NatRule *rule, PtDiagnostics *diag)
{
        switch ((FwNatType) rule->type) {
        case FW_NAT_MASQUERADE:
        case FW_NAT_SOURCE:
                return check_outbound(rule, diag);
        case FW_NAT_FORWARD:
                return check_forward(rule, diag);
        case FW_NAT_REDIRECT:
                return check_redirect(rule, diag);
        case FW_NAT_ONE_TO_ONE:
        case FW_NAT_PREFIX:
                return check_mapping(rule, diag);
        case FW_NAT_TYPE_MAX:
        case FW_NAT_TYPE_INVALID:
                break;
        }
        g_assert_not_reached();
}

static int check_pool(const NatRule *rule, PtDiagnostics *diag)
{
        if (!rule->pool)
                return 0;
        if (rule->type != FW_NAT_FORWARD)
                return refuse(diag, "needs-forward", "/spec/pool",
                              "only a forward leads to servers; remove the pool, or make the type "
                              "\"forward\"");
        if (pt_object_has(&rule->object, NAT_RULE_TRANSLATION))
                return refuse(diag, "two-ways", "/spec/translation",
                              "the pool says where connections go; remove the translation, or the "
                              "pool");
        return 0;
}

static int check_source_limit(const NatRule *rule, PtDiagnostics *diag)
{
        if (!pt_object_has(&rule->object, NAT_RULE_SOURCE_LIMIT) ||
            fw_nat_filter(rule) == FW_NAT_FILTER_AUTO)
                return 0;
        return refuse(diag, "needs-filter", "/spec/sourceLimit",
                      "no rule of the filter comes with this one that could count; add "
                      "\"filter: auto\", or put limits into the rule that lets it pass");
}

static int check_services(const NatRule *rule, PtDiagnostics *diag)
{
        const char *also = NULL;

        if (rule->services.n == 0)
                return 0;
        if (rule->type == FW_NAT_ONE_TO_ONE || rule->type == FW_NAT_PREFIX)
                return refuse(diag, "no-ports", "/spec/services",
                              "addresses stand for addresses whatever the ports; a forward is for "
                              "services");
        if (pt_object_has(&rule->object, NAT_RULE_PROTOCOL))
                also = "/spec/protocol";
        else if (rule->destination.ports.n > 0)
                also = "/spec/destination/ports";
        else if (fw_endpoint_box(&rule->destination)->port_aliases.n > 0)
                also = "/spec/destination/portAliases";
        return also ? refuse(diag, "two-ways", also,
                             "services say the protocol and the ports already; remove this, or the "
                             "services")
                    : 0;
}

static int nat_check(const PtObject *object, PtDiagnostics *diag)
{
        const NatRule *rule = (const NatRule *) object;
        int protocol = fw_nat_protocol(rule), r = check_families(rule, diag);
        bool ports = rule->translation.ports.n > 0;

        if (fw_endpoint_check(&rule->source, protocol, true, "/spec/source", diag) < 0 ||
            fw_endpoint_check(&rule->destination, protocol, false, "/spec/destination", diag) < 0 ||
            check_services(rule, diag) < 0 || check_pool(rule, diag) < 0 ||
            check_source_limit(rule, diag) < 0 || check_translation(rule, diag) < 0)
                r = -EINVAL;
        if (ports && protocol != PT_PROTOCOL_ANY && !fw_protocol_has_ports(protocol))
                r = refuse(diag, "no-ports", "/spec/translation/ports",
                           "the rule's protocol has no ports");
        if (rule->type != FW_NAT_FORWARD && rule->type != FW_NAT_REDIRECT &&
            (fw_endpoint_box(&rule->source)->macs.n > 0 ||
             fw_endpoint_box(&rule->source)->mac_aliases.n > 0))
                r = refuse(diag, "too-late", "/spec/source",
                           "what leaves has the router's own hardware address; match the address");
        if (rule->zone && strcmp(rule->zone, FW_ZONE_ROUTER) == 0)
                r = refuse(diag, "no-zone", "/spec/zone",
                           "the router itself is no outside; name a zone, or any");
        if (pt_object_has(object, NAT_RULE_REFLECTION) && rule->reflection &&
            rule->type != FW_NAT_FORWARD)
                r = refuse(diag, "needs-forward", "/spec/reflection",
                           "only a forward is reflected; remove the reflection, or make the type "
                           "\"forward\"");
        if (rule->filter_rule && pt_object_has(object, NAT_RULE_FILTER) &&
            rule->filter == FW_NAT_FILTER_AUTO)
                r = refuse(diag, "two-ways", "/spec/filterRule",
                           "the rule decides, or one that is made automatically; remove one");
        return r;
}

/* A service that has protocols without ports, where ports are translated; and helpers that are not
 * allowed, of built-in services: those of one's own are checked themselves. */
static int check_service(const NatRule *rule, unsigned i, const PtLookup *lookup,
                         PtDiagnostics *diag)
{
        const char *name = ((char *const *) rule->services.items)[i];
        g_autoptr(PtObject) builtin = pt_kind_builtin(&pt_kind_service, name);
        const PtObject *own = lookup->get(lookup->ctx, &pt_kind_service, name);
        const Service *service = (const Service *) (own ?: builtin);
        const FilterSettings *settings = (const FilterSettings *) lookup->get(
                lookup->ctx, &pt_kind_filter_settings, "default");
        FwHelper helper = fw_builtin_helper(name, lookup);
        g_autofree char *pointer = g_strdup_printf("/spec/services/%u", i);

        if (service && service->protocols.n > 0 && rule->translation.ports.n > 0) {
                pt_diag_error(diag, "no-ports", pointer,
                              "the service %s has protocols without ports, which no port can be "
                              "translated of; name a service that has ports only",
                              name);
                return -EINVAL;
        }
        if (helper == FW_HELPER_INVALID || fw_settings_helper(settings, helper) ||
            fw_nat_filter(rule) != FW_NAT_FILTER_AUTO)
                return 0;
        pt_diag_error(diag, "helper-not-allowed", pointer,
                      "FilterSettings do not list the helper %s; add it to their \"helpers\"",
                      fw_helpers[helper].name);
        return -EINVAL;
}

/* What the servers of the pool are like must go with what the rule asks. */
static int check_pool_set(const NatRule *rule, const PtLookup *lookup, PtDiagnostics *diag)
{
        const ServerPool *pool = rule->pool ? (const ServerPool *) lookup->get(
                                                      lookup->ctx, &pt_kind_server_pool, rule->pool)
                                            : NULL;
        int family = fw_nat_family(rule);

        if (!pool)
                return 0; /* absence is said of every reference */
        if (family != AF_UNSPEC && family != fw_pool_family(pool)) {
                pt_diag_error(diag, "mixed-families", "/spec/pool",
                              "the servers of %s are of IPv%d, and the rule is not", rule->pool,
                              fw_pool_family(pool) == AF_INET ? 4 : 6);
                return -EINVAL;
        }
        if (fw_pool_has_ports(pool) && rule->services.n == 0 &&
            !fw_endpoint_has_ports(&rule->destination))
                return refuse(diag, "needs-ports", "/spec/destination/ports",
                              "the servers of the pool have ports, so the destination needs one: "
                              "ports: [443]");
        return 0;
}

static int nat_check_set(const PtObject *object, const PtLookup *lookup, PtDiagnostics *diag)
{
        const NatRule *rule = (const NatRule *) object;
        int r = fw_endpoint_check_set(&rule->source, lookup, "/spec/source", diag);

        if (fw_endpoint_check_set(&rule->destination, lookup, "/spec/destination", diag) < 0)
                r = -EINVAL;
        if (check_pool_set(rule, lookup, diag) < 0)
                r = -EINVAL;
        for (unsigned i = 0; i < rule->services.n; i++)
                if (check_service(rule, i, lookup, diag) < 0)
                        r = -EINVAL;
        return r;
}

const PtKind pt_kind_nat_rule = {
        .name = "NatRule",
        .api_version = "patronus.firewall/v1",
        .plural = "natrules",
        .doc = "Which connections get other addresses or ports. Rules are tried in order, and the "
               "first one that matches translates; sources are translated when a connection "
               "leaves, destinations when it arrives. Rules of the filter see destinations as "
               "they are afterwards and sources as they were before.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: NatRule\n"
                   "metadata:\n"
                   "  name: web-to-dmz\n"
                   "spec:\n"
                   "  type: forward\n"
                   "  zone: wan\n"
                   "  protocol: tcp\n"
                   "  destination:\n"
                   "    ports: [443]\n"
                   "  translation:\n"
                   "    addresses: [10.3.0.10]\n"
                   "    ports: [8443]\n",
        .size = sizeof(NatRule),
        .fields = nat_fields,
        .ordered = true,
        .order_field = "priority",
        .check = nat_check,
        .check_set = nat_check_set,
};
