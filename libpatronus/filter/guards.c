/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/guards.h"

#include "filter/interval.h"

#include <arpa/inet.h>
#include <string.h>

/* Sources that no host of the internet has: RFC 6890 and what joined its registries since, without
 * the private addresses, which are another choice, and without those of the link, which NDP needs. */
static const char *const bogons4[] = {
        "0.0.0.0/8",     "127.0.0.0/8",     "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/3",  NULL,
};
static const char *const bogons6[] = {
        "::/96",     "::ffff:0:0/96", "100::/64",  "2001::/32", "2001:2::/48", "2001:db8::/32",
        "3fff::/20", "5f00::/16",     "fec0::/10", "ff00::/8",  NULL,
};
/* RFC 1918, RFC 6598; RFC 4193. */
static const char *const private4[] = {
        "10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", NULL,
};
static const char *const private6[] = {"fc00::/7", NULL};

static const struct {
        FwZoneGuards guard;
        int family;
        const char *const *prefixes;
        FwReason reason;
} refused[] = {
        {FW_GUARD_BOGONS, AF_INET, bogons4, FW_REASON_BOGONS},
        {FW_GUARD_BOGONS, AF_INET6, bogons6, FW_REASON_BOGONS},
        {FW_GUARD_PRIVATE, AF_INET, private4, FW_REASON_PRIVATE},
        {FW_GUARD_PRIVATE, AF_INET6, private6, FW_REASON_PRIVATE},
};

/* What is administered by, unless the settings say so. */
static const uint16_t administration[] = {22, 80, 443};

static GArray *bounds_new(void)
{
        return g_array_new(FALSE, TRUE, sizeof(FwBounds));
}

static void add_addresses(const PtList *list, int family, GArray *out)
{
        const PtAddressRange *ranges = list->items;

        for (unsigned i = 0; i < list->n; i++) {
                FwBounds bounds;

                if (ranges[i].family != family)
                        continue;
                memcpy(bounds.lo, ranges[i].lo, sizeof(bounds.lo));
                memcpy(bounds.hi, ranges[i].hi, sizeof(bounds.hi));
                g_array_append_val(out, bounds);
        }
}

static void add_prefix(const char *text, int family, GArray *out)
{
        const char *slash = strchr(text, '/');
        g_autofree char *address = g_strndup(text, (size_t) (slash - text));
        unsigned plen = (unsigned) g_ascii_strtoull(slash + 1, NULL, 10);
        FwBounds bounds = {};

        if (inet_pton(family, address, bounds.lo) != 1)
                g_error("%s is no prefix", text); /* compiled in */
        memcpy(bounds.hi, bounds.lo, sizeof(bounds.hi));
        for (unsigned bit = plen; bit < (family == AF_INET ? 32 : 128); bit++)
                bounds.hi[bit / 8] |= (uint8_t) (0x80 >> bit % 8);
        g_array_append_val(out, bounds);
}

static void add_port(uint16_t lo, uint16_t hi, GArray *out)
{
        FwBounds bounds = {};

        bounds.lo[0] = (uint8_t) (lo >> 8);
        bounds.lo[1] = (uint8_t) lo;
        bounds.hi[0] = (uint8_t) (hi >> 8);
        bounds.hi[1] = (uint8_t) hi;
        g_array_append_val(out, bounds);
}

static void add_interface(const char *pattern, GArray *out)
{
        FwInterval interval;
        FwBounds bounds;

        fw_interval_from_ifname(pattern, &interval);
        memcpy(bounds.lo, interval.lo, sizeof(bounds.lo));
        memcpy(bounds.hi, interval.hi, sizeof(bounds.hi));
        g_array_append_val(out, bounds);
}

GArray *fw_guard_sources(FwZoneGuards guard, int family)
{
        GArray *bounds = bounds_new();

        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++)
                if (refused[i].guard == guard && refused[i].family == family)
                        for (const char *const *prefix = refused[i].prefixes; *prefix; prefix++)
                                add_prefix(*prefix, family, bounds);
        return bounds;
}

const FwLockout *fw_lockout_of(const FwZones *zones)
{
        return zones->settings && pt_object_has(&zones->settings->object, SETTINGS_ANTI_LOCKOUT)
                       ? &zones->settings->anti_lockout
                       : NULL;
}

GArray *fw_lockout_ports(const FwLockout *lockout)
{
        const PtPortRange *ports = lockout->ports.items;
        GArray *bounds = bounds_new();

        for (unsigned i = 0; i < lockout->ports.n; i++)
                add_port(ports[i].lo, ports[i].hi, bounds);
        for (unsigned i = 0; lockout->ports.n == 0 && i < G_N_ELEMENTS(administration); i++)
                add_port(administration[i], administration[i], bounds);
        return bounds;
}

GArray *fw_lockout_interfaces(const FwLockout *lockout)
{
        char *const *interfaces = lockout->interfaces.items;
        GArray *bounds = bounds_new();

        for (unsigned i = 0; i < lockout->interfaces.n; i++)
                add_interface(interfaces[i], bounds);
        return bounds;
}

GArray *fw_lockout_sources(const FwLockout *lockout, int family)
{
        GArray *bounds = bounds_new();

        add_addresses(&lockout->sources, family, bounds);
        return bounds;
}

/* Questions of a packet in user space. */

static bool is_within(const GArray *bounds, const uint8_t *key, size_t len)
{
        for (unsigned i = 0; i < bounds->len; i++) {
                const FwBounds *at = &g_array_index(bounds, FwBounds, i);

                if (memcmp(key, at->lo, len) >= 0 && memcmp(key, at->hi, len) <= 0)
                        return true;
        }
        return false;
}

static size_t address_size(int family)
{
        return family == AF_INET ? 4 : 16;
}

FwReason fw_guard_refuses(const FwZone *zone, int family, const uint8_t *source)
{
        for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++) {
                g_autoptr(GArray) bounds = NULL;

                if (!(zone->guards & refused[i].guard) || refused[i].family != family)
                        continue;
                bounds = fw_guard_sources(refused[i].guard, family);
                if (is_within(bounds, source, address_size(family)))
                        return refused[i].reason;
        }
        return FW_REASON_INVALID_NAME;
}

static bool is_administered_port(const FwLockout *lockout, uint16_t port)
{
        const PtPortRange *ports = lockout->ports.items;

        for (unsigned i = 0; i < lockout->ports.n; i++)
                if (ports[i].lo <= port && port <= ports[i].hi)
                        return true;
        for (unsigned i = 0; lockout->ports.n == 0 && i < G_N_ELEMENTS(administration); i++)
                if (administration[i] == port)
                        return true;
        return false;
}

static bool is_administered_interface(const FwLockout *lockout, const char *interface)
{
        g_autoptr(GArray) bounds = fw_lockout_interfaces(lockout);
        uint8_t name[FW_INTERVAL_KEY_MAX] = {0};

        g_strlcpy((char *) name, interface, sizeof(name));
        return lockout->interfaces.n == 0 || is_within(bounds, name, sizeof(name));
}

bool fw_lockout_admits(const FwZones *zones, const char *interface, int family,
                       const uint8_t *source, uint16_t port)
{
        const FwLockout *lockout = fw_lockout_of(zones);
        g_autoptr(GArray) sources = NULL;

        if (!lockout || !is_administered_port(lockout, port) ||
            !is_administered_interface(lockout, interface))
                return false;
        sources = fw_lockout_sources(lockout, family);
        return lockout->sources.n == 0 || is_within(sources, source, address_size(family));
}
