/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/firewall.h"

#include <linux/ipv6.h>
#include <string.h>

#define DEFAULT_INTERFACE "nat64"
#define DEFAULT_MTU 1500
/* The network's own address, the translator's, and two for hosts. */
#define POOL_PLEN_MAX 30
#define POOL_PLEN_MIN 8

/* 64:ff9b::/96, RFC 6052 2.1. */
static const uint8_t well_known[16] = {0x00, 0x64, 0xff, 0x9b};

/* clang-format off */
static const PtField host_fields[] = {
        [FW_NAT64_HOST_IPV4] = PT_FIELD(FwNat64Host, address_range, ipv4, "ipv4", PT_F_REQUIRED,
                .doc = "The host's IPv4 address: one of the pool, but not its first two.",
                .example = "192.168.255.10"),
        [FW_NAT64_HOST_IPV6] = PT_FIELD(FwNat64Host, address_range, ipv6, "ipv6", PT_F_REQUIRED,
                .doc = "The host's IPv6 address, outside of the prefix.",
                .example = "2001:db8:2::10"),
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(host_fields) == FW_NAT64_HOST_IPV6 + 2);

static const PtField nat64_fields[] = {
        [NAT64_ENABLED] = PT_FIELD(Nat64, bool, enabled, "enabled", 0,
                .def = "true",
                .doc = "Whether it translates. Without it the interface is not there.",
                .example = "false"),
        [NAT64_PREFIX] = PT_FIELD(Nat64, prefix, prefix, "prefix", 0,
                .def = "64:ff9b::/96", .impact = PT_IMPACT_DISRUPTIVE,
                .doc = "The IPv6 network that stands for all of IPv4 (RFC 6052): an IPv4 address is "
                       "written behind it. Of 32, 40, 48, 56, 64 or 96 bits. By the well-known "
                       "prefix 64:ff9b::/96 no private IPv4 address is reached; whoever has IPv4 "
                       "servers with such addresses takes a /96 of his own network.",
                .example = "fd00:64::/96"),
        [NAT64_POOL] = PT_FIELD(Nat64, prefix, pool, "pool", PT_F_REQUIRED,
                .impact = PT_IMPACT_DISRUPTIVE,
                .doc = "An IPv4 network that nobody else uses, from which each IPv6 host gets an "
                       "address of its own when it is heard of first, and keeps it for two hours "
                       "after its last packet. The first address is nobody's, the second the "
                       "translator's own. When all are given away, further hosts are refused. What "
                       "leaves from it is IPv4 like any other, to be masqueraded where needed.",
                .example = "192.168.255.0/24"),
        [NAT64_INTERFACE] = PT_FIELD(Nat64, ifname, interface, "interface", 0,
                .def = "nat64", .impact = PT_IMPACT_DISRUPTIVE,
                .doc = "The interface between the router and the translator, which is made for it. "
                       "IPv6 goes into it and comes out as IPv4, and back: name it in a zone.",
                .example = "nat64"),
        [NAT64_MTU] = PT_FIELD(Nat64, u16, mtu, "mtu", 0,
                .min = IPV6_MIN_MTU, .max = UINT16_MAX, .def = "1500",
                .doc = "The largest packet that the interface takes. IPv4 packets that would be "
                       "larger as IPv6, by 20 bytes, are cut up, or refused with the size that "
                       "fits.",
                .example = "9000"),
        [NAT64_HOSTS] = PT_STRUCTS(Nat64, FwNat64Host, hosts, "hosts", host_fields, 0,
                .max_items = FW_NAT64_HOSTS_MAX,
                .doc = "IPv6 hosts that always have the same IPv4 address, so that IPv4 hosts can "
                       "reach them by it.",
                .example = "[{ ipv4: 192.168.255.10, ipv6: \"2001:db8:2::10\" }]"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(nat64_fields) == NAT64_HOSTS + 2);

bool fw_nat64_enabled(const Nat64 *nat64)
{
        return !pt_object_has(&nat64->object, NAT64_ENABLED) || nat64->enabled;
}

PtAddressRange fw_nat64_prefix(const Nat64 *nat64)
{
        PtAddressRange prefix = {.family = AF_INET6, .plen = 96};

        if (pt_object_has(&nat64->object, NAT64_PREFIX))
                return nat64->prefix;
        memcpy(prefix.lo, well_known, sizeof(well_known));
        memcpy(prefix.hi, well_known, sizeof(well_known));
        memset(prefix.hi + 12, 0xff, 4);
        return prefix;
}

const char *fw_nat64_interface(const Nat64 *nat64)
{
        return nat64->interface ?: DEFAULT_INTERFACE;
}

unsigned fw_nat64_mtu(const Nat64 *nat64)
{
        return pt_object_has(&nat64->object, NAT64_MTU) ? nat64->mtu : DEFAULT_MTU;
}

static int refuse(PtDiagnostics *diag, const char *code, const char *pointer, const char *text)
{
        pt_diag_error(diag, code, pointer, "%s", text);
        return -EINVAL;
}

static int check_prefix(const PtAddressRange *prefix, PtDiagnostics *diag)
{
        if (prefix->family != AF_INET6)
                return refuse(diag, "needs-ipv6", "/spec/prefix",
                              "the prefix is an IPv6 network: fd00:64::/96");
        if (prefix->plen != 96 &&
            (prefix->plen < 32 || prefix->plen > 64 || prefix->plen % 8 != 0)) {
                pt_diag_error(diag, "prefix-length", "/spec/prefix",
                              "a prefix for IPv4 addresses has 32, 40, 48, 56, 64 or 96 bits (RFC "
                              "6052), not %u",
                              prefix->plen);
                return -EINVAL;
        }
        if (prefix->plen == 96 && prefix->lo[8] != 0)
                return refuse(diag, "prefix-bits", "/spec/prefix",
                              "bits 64 to 71 of the prefix must be 0 (RFC 6052)");
        return 0;
}

static int check_pool(const PtAddressRange *pool, PtDiagnostics *diag)
{
        if (pool->family != AF_INET)
                return refuse(diag, "needs-ipv4", "/spec/pool",
                              "the pool is an IPv4 network: 192.168.255.0/24");
        if (pool->plen < POOL_PLEN_MIN || pool->plen > POOL_PLEN_MAX) {
                pt_diag_error(diag, "pool-size", "/spec/pool",
                              "a pool has %d to %d bits, not %u; with 24 it has addresses for 254 "
                              "hosts",
                              POOL_PLEN_MIN, POOL_PLEN_MAX, pool->plen);
                return -EINVAL;
        }
        if (pool->lo[0] == 0 || pool->lo[0] == 127 || pool->lo[0] >= 224)
                return refuse(diag, "no-host", "/spec/pool",
                              "no host has addresses of this network; take a private one: "
                              "192.168.255.0/24");
        return 0;
}

static bool is_one(const PtAddressRange *range)
{
        return memcmp(range->lo, range->hi, sizeof(range->lo)) == 0;
}

/* `inner` begins in `outer`; both are prefixes. */
static bool holds(const PtAddressRange *outer, const PtAddressRange *inner)
{
        return outer->family == inner->family &&
               memcmp(outer->lo, inner->lo, sizeof(inner->lo)) <= 0 &&
               memcmp(inner->lo, outer->hi, sizeof(inner->lo)) <= 0;
}

static uint32_t number(const PtAddressRange *range)
{
        return (uint32_t) range->lo[0] << 24 | (uint32_t) range->lo[1] << 16 |
               (uint32_t) range->lo[2] << 8 | range->lo[3];
}

static int check_host(const Nat64 *nat64, unsigned i, PtDiagnostics *diag)
{
        const FwNat64Host *hosts = nat64->hosts.items, *host = &hosts[i];
        PtAddressRange prefix = fw_nat64_prefix(nat64);
        g_autofree char *four = g_strdup_printf("/spec/hosts/%u/ipv4", i),
                        *six = g_strdup_printf("/spec/hosts/%u/ipv6", i);
        int r = 0;

        if (host->ipv4.family != AF_INET || !is_one(&host->ipv4))
                return refuse(diag, "one-address", four,
                              "a host has one IPv4 address: 192.168.255.10");
        if (host->ipv6.family != AF_INET6 || !is_one(&host->ipv6))
                return refuse(diag, "one-address", six,
                              "a host has one IPv6 address: 2001:db8:2::10");
        if (!holds(&nat64->pool, &host->ipv4))
                r = refuse(diag, "not-in-pool", four, "the address is not one of the pool");
        else if (number(&host->ipv4) - number(&nat64->pool) < 2)
                r = refuse(diag, "reserved", four,
                           "the first address of the pool is nobody's, and the second the "
                           "translator's own; take another one");
        if (holds(&prefix, &host->ipv6))
                r = refuse(
                        diag, "in-prefix", six,
                        "addresses of the prefix stand for IPv4 hosts; name the IPv6 host's own");
        for (unsigned k = 0; k < i; k++) {
                if (memcmp(hosts[k].ipv4.lo, host->ipv4.lo, sizeof(host->ipv4.lo)) == 0)
                        r = refuse(diag, "twice", four, "another host has this address");
                if (memcmp(hosts[k].ipv6.lo, host->ipv6.lo, sizeof(host->ipv6.lo)) == 0)
                        r = refuse(diag, "twice", six, "this host has an IPv4 address already");
        }
        return r;
}

static int nat64_check(const PtObject *object, PtDiagnostics *diag)
{
        const Nat64 *nat64 = (const Nat64 *) object;
        PtAddressRange prefix = fw_nat64_prefix(nat64);
        int r = check_prefix(&prefix, diag);

        if (check_pool(&nat64->pool, diag) < 0)
                return -EINVAL;
        if (strchr(fw_nat64_interface(nat64), '*'))
                r = refuse(diag, "one-interface", "/spec/interface",
                           "the interface is made, so it has one name, without *: nat64");
        for (unsigned i = 0; i < nat64->hosts.n; i++)
                if (check_host(nat64, i, diag) < 0)
                        r = -EINVAL;
        return r;
}

typedef struct CheckContext {
        const Nat64 *nat64;
        PtDiagnostics *diag;
        unsigned n; /* of all */
        int result;
} CheckContext;

static void check_pair(CheckContext *context, const Nat64 *other)
{
        const Nat64 *nat64 = context->nat64;
        PtAddressRange mine = fw_nat64_prefix(nat64), theirs = fw_nat64_prefix(other);
        const char *name = other->object.name;

        if (holds(&mine, &theirs) || holds(&theirs, &mine)) {
                pt_diag_error(context->diag, "overlaps", "/spec/prefix",
                              "the prefix overlaps that of %s; give each one of its own", name);
                context->result = -EINVAL;
        }
        if (holds(&nat64->pool, &other->pool) || holds(&other->pool, &nat64->pool)) {
                pt_diag_error(context->diag, "overlaps", "/spec/pool",
                              "the pool overlaps that of %s; give each one of its own", name);
                context->result = -EINVAL;
        }
        if (strcmp(fw_nat64_interface(nat64), fw_nat64_interface(other)) == 0) {
                pt_diag_error(context->diag, "twice", "/spec/interface",
                              "%s has the interface %s; name another one", name,
                              fw_nat64_interface(other));
                context->result = -EINVAL;
        }
}

static int check_against(const PtObject *object, void *userdata)
{
        CheckContext *context = userdata;

        context->n++;
        if (strcmp(object->name, context->nat64->object.name) != 0)
                check_pair(context, (const Nat64 *) object);
        return 0;
}

static int nat64_check_set(const PtObject *object, const PtLookup *lookup, PtDiagnostics *diag)
{
        CheckContext context = {(const Nat64 *) object, diag, 0, 0};

        lookup->foreach (lookup->ctx, &pt_kind_nat64, check_against, &context);
        if (context.n > FW_NAT64_MAX) {
                pt_diag_error(diag, "too-many", "",
                              "there are %u objects of the kind Nat64, more than %d; each is a "
                              "program that runs",
                              context.n, FW_NAT64_MAX);
                return -EINVAL;
        }
        return context.result;
}

const PtKind pt_kind_nat64 = {
        .name = "Nat64",
        .api_version = "patronus.firewall/v1",
        .plural = "nat64s",
        .doc = "Lets hosts that have IPv6 only reach IPv4 hosts: a program (tayga) behind an "
               "interface of its own makes IPv4 packets of those that are sent to the prefix, and "
               "IPv6 packets of the answers. Rules see both: from the hosts' zone to that of the "
               "interface as IPv6, and from that of the interface outwards as IPv4.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: Nat64\n"
                   "metadata:\n"
                   "  name: internet\n"
                   "spec:\n"
                   "  prefix: 64:ff9b::/96\n"
                   "  pool: 192.168.255.0/24\n"
                   "  interface: nat64\n",
        .size = sizeof(Nat64),
        .fields = nat64_fields,
        .check = nat64_check,
        .check_set = nat64_check_set,
};
