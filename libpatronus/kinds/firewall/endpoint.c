/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/endpoint.h"

#include <netinet/in.h>

const PtChoice fw_families[] = {
        {"ipv4", AF_INET, "IPv4 only"},
        {"ipv6", AF_INET6, "IPv6 only"},
        {},
};

/* clang-format off */
static const PtField except_fields[] = {
        [FW_EXCEPT_ADDRESSES] = PT_FIELD(FwExcept, address_range, addresses, "addresses",
                PT_F_LIST,
                .doc = "Addresses, prefixes and ranges that the packet's address must not be in.",
                .example = "[10.0.9.0/24]"),
        [FW_EXCEPT_ALIASES] = PT_FIELD(FwExcept, ref, aliases, "aliases", PT_F_LIST,
                .ref = "Alias",
                .doc = "Aliases of hosts and networks that the packet's address must not be in.",
                .example = "[printers]"),
        [FW_EXCEPT_PORTS] = PT_FIELD(FwExcept, port_range, ports, "ports", PT_F_LIST,
                .doc = "Ports and port ranges that the packet's port must not be in.",
                .example = "[22]"),
        [FW_EXCEPT_PORT_ALIASES] = PT_FIELD(FwExcept, ref, port_aliases, "portAliases", PT_F_LIST,
                .ref = "Alias",
                .doc = "Aliases of ports that the packet's port must not be in.",
                .example = "[admin-ports]"),
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(except_fields) == FW_EXCEPT_PORT_ALIASES + 2);

const PtField fw_endpoint_fields[] = {
        [FW_ENDPOINT_ADDRESSES] = PT_FIELD(FwEndpoint, address_range, addresses, "addresses",
                PT_F_LIST,
                .doc = "Addresses, prefixes and ranges, one of which the packet's address must be "
                       "in (or in one of the aliases); all of one family. Absent, without "
                       "aliases: any address.",
                .example = "[10.0.0.0/8, 192.0.2.10-192.0.2.20]"),
        [FW_ENDPOINT_PORTS] = PT_FIELD(FwEndpoint, port_range, ports, "ports", PT_F_LIST,
                .doc = "Ports and port ranges, one of which the packet's port must be in. Without "
                       "a protocol they mean TCP and UDP. Absent: any port.",
                .example = "[80, 443, 6000-6010]"),
        [FW_ENDPOINT_ALIASES] = PT_BOXED(FwEndpoint, FwEndpointBox, box, ref, aliases, "aliases",
                PT_F_LIST,
                .ref = "Alias",
                .doc = "Aliases of hosts and networks, one of which the packet's address must be "
                       "in (or in one of the addresses). A change of an alias takes effect "
                       "without touching the rule.",
                .example = "[web-servers]"),
        [FW_ENDPOINT_PORT_ALIASES] = PT_BOXED(FwEndpoint, FwEndpointBox, box, ref, port_aliases,
                "portAliases", PT_F_LIST,
                .ref = "Alias",
                .doc = "Aliases of ports, one of which the packet's port must be in (or in one of "
                       "the ports).",
                .example = "[web-ports]"),
        [FW_ENDPOINT_MACS] = PT_BOXED(FwEndpoint, FwEndpointBox, box, mac, macs, "macs", PT_F_LIST,
                .doc = "Hardware addresses, one of which the packet must come from: of the sender "
                       "or, behind another router, of that router. Of a source only.",
                .example = "[\"02:00:5e:10:00:01\"]"),
        [FW_ENDPOINT_MAC_ALIASES] = PT_BOXED(FwEndpoint, FwEndpointBox, box, ref, mac_aliases,
                "macAliases", PT_F_LIST,
                .ref = "Alias",
                .doc = "Aliases of hardware addresses, one of which the packet must come from. Of "
                       "a source only.",
                .example = "[phones]"),
        [FW_ENDPOINT_EXCEPT] = PT_STRUCT_BOXED(FwEndpoint, FwEndpointBox, box, FwExcept, except,
                "except", except_fields,
                .doc = "What the packet must not have; each field excludes for itself.",
                .example = "{ addresses: [10.0.9.0/24] }"),
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(fw_endpoint_fields) == FW_ENDPOINT_EXCEPT + 2);
/* clang-format on */

const FwEndpointBox *fw_endpoint_box(const FwEndpoint *endpoint)
{
        static const FwEndpointBox empty;

        return endpoint->box ? endpoint->box : &empty;
}

/* ICMP is IPv4's (RFC 792), ICMPv6 is IPv6's (RFC 4443). */
int fw_protocol_family(int protocol)
{
        if (protocol == IPPROTO_ICMP)
                return AF_INET;
        return protocol == IPPROTO_ICMPV6 ? AF_INET6 : AF_UNSPEC;
}

bool fw_protocol_has_ports(int protocol)
{
        return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
               protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

int fw_list_family(const PtList *addresses)
{
        const PtAddressRange *ranges = addresses->items;

        return addresses->n > 0 ? ranges[0].family : AF_UNSPEC;
}

int fw_endpoint_family(const FwEndpoint *endpoint)
{
        int family = fw_list_family(&endpoint->addresses);

        return family != AF_UNSPEC ? family
                                   : fw_list_family(&fw_endpoint_box(endpoint)->except.addresses);
}

bool fw_endpoint_has_ports(const FwEndpoint *endpoint)
{
        const FwEndpointBox *box = fw_endpoint_box(endpoint);

        return endpoint->ports.n > 0 || box->port_aliases.n > 0 || box->except.ports.n > 0 ||
               box->except.port_aliases.n > 0;
}

static const char *family_words(int family)
{
        return family == AF_INET ? "IPv4" : "IPv6";
}

void fw_family_says(FwFamilyCheck *check, int family, const char *pointer)
{
        if (family == AF_UNSPEC || family == check->family)
                return;
        if (check->family == AF_UNSPEC) {
                check->family = family;
                check->from = g_strdup(pointer);
                return;
        }
        pt_diag_error(check->diag, "mixed-families", pointer,
                      "this is %s, but %s is %s, so no packet matches both; write two rules",
                      family_words(family), check->from, family_words(check->family));
        check->result = -EINVAL;
}

/* Sets are sorted with IPv4 first: the ends say whether a list has both. */
void fw_family_says_list(FwFamilyCheck *check, const PtList *addresses, const char *pointer)
{
        const PtAddressRange *ranges = addresses->items;
        unsigned n = addresses->n;

        if (n > 0 && ranges[0].family != ranges[n - 1].family) {
                pt_diag_error(check->diag, "mixed-families", pointer,
                              "the list has IPv4 and IPv6 addresses; write a rule for each family, "
                              "or an alias, which may have both");
                check->result = -EINVAL;
                return;
        }
        fw_family_says(check, fw_list_family(addresses), pointer);
}

void fw_family_says_endpoint(FwFamilyCheck *check, const FwEndpoint *endpoint, const char *pointer)
{
        g_autofree char *addresses = g_strconcat(pointer, "/addresses", NULL);
        g_autofree char *except = g_strconcat(pointer, "/except/addresses", NULL);

        fw_family_says_list(check, &endpoint->addresses, addresses);
        fw_family_says_list(check, &fw_endpoint_box(endpoint)->except.addresses, except);
}

int fw_family_finish(FwFamilyCheck *check)
{
        g_clear_pointer(&check->from, g_free);
        return check->result;
}

static int refuse(PtDiagnostics *diag, const char *code, const char *pointer, const char *member,
                  const char *text)
{
        g_autofree char *at = g_strconcat(pointer, member, NULL);

        pt_diag_error(diag, code, at, "%s", text);
        return -EINVAL;
}

int fw_endpoint_check(const FwEndpoint *endpoint, int protocol, bool source, const char *pointer,
                      PtDiagnostics *diag)
{
        const FwEndpointBox *box = fw_endpoint_box(endpoint);
        const struct {
                const PtList *list;
                const char *member;
        } ports[] = {{&endpoint->ports, "/ports"},
                     {&box->port_aliases, "/portAliases"},
                     {&box->except.ports, "/except/ports"},
                     {&box->except.port_aliases, "/except/portAliases"}};
        int r = 0;

        if (protocol != PT_PROTOCOL_ANY && !fw_protocol_has_ports(protocol))
                for (unsigned i = 0; i < G_N_ELEMENTS(ports); i++)
                        if (ports[i].list->n > 0)
                                r = refuse(diag, "no-ports", pointer, ports[i].member,
                                           "the rule's protocol has no ports; use tcp, udp, sctp, "
                                           "dccp or udplite, or leave out the protocol (TCP and "
                                           "UDP)");
        if (!source && box->macs.n > 0)
                r = refuse(diag, "source-only", pointer, "/macs",
                           "a packet's own hardware address says where it comes from, not where it "
                           "goes; match it in \"source\"");
        if (!source && box->mac_aliases.n > 0)
                r = refuse(diag, "source-only", pointer, "/macAliases",
                           "a packet's own hardware address says where it comes from, not where it "
                           "goes; match it in \"source\"");
        return r;
}

static bool is_address_type(int type)
{
        return type == FW_ALIAS_HOST || type == FW_ALIAS_NETWORK;
}

int fw_check_alias_types(const PtList *list, FwAliasType wanted, const PtLookup *lookup,
                         const char *pointer, PtDiagnostics *diag)
{
        char *const *names = list->items;
        int r = 0;

        for (unsigned i = 0; i < list->n; i++) {
                const Alias *alias =
                        (const Alias *) lookup->get(lookup->ctx, &pt_kind_alias, names[i]);
                g_autofree char *at = NULL;

                /* That there is none is said by who checks references. */
                if (!alias || alias->type == (int) wanted ||
                    (wanted == FW_ALIAS_NETWORK && is_address_type(alias->type)))
                        continue;
                at = g_strdup_printf("%s/%u", pointer, i);
                pt_diag_error(diag, "wrong-alias-type", at,
                              "Alias \"%s\" is of type %s; name one of %s here", names[i],
                              fw_alias_types[alias->type].name,
                              wanted == FW_ALIAS_NETWORK ? "type host or network"
                              : wanted == FW_ALIAS_PORT  ? "type port"
                                                         : "type mac");
                r = -EINVAL;
        }
        return r;
}

int fw_endpoint_check_set(const FwEndpoint *endpoint, const PtLookup *lookup, const char *pointer,
                          PtDiagnostics *diag)
{
        const FwEndpointBox *box = fw_endpoint_box(endpoint);
        const struct {
                const PtList *list;
                FwAliasType type;
                const char *member;
        } rows[] = {
                {&box->aliases, FW_ALIAS_NETWORK, "/aliases"},
                {&box->port_aliases, FW_ALIAS_PORT, "/portAliases"},
                {&box->mac_aliases, FW_ALIAS_MAC, "/macAliases"},
                {&box->except.aliases, FW_ALIAS_NETWORK, "/except/aliases"},
                {&box->except.port_aliases, FW_ALIAS_PORT, "/except/portAliases"},
        };
        int r = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *at = g_strconcat(pointer, rows[i].member, NULL);

                if (fw_check_alias_types(rows[i].list, rows[i].type, lookup, at, diag) < 0)
                        r = -EINVAL;
        }
        return r;
}
