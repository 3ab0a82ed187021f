/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/zones.h"

#include "filter/interval.h"

#include <string.h>
#include <sys/socket.h>

static int collect(const PtObject *object, void *userdata)
{
        GArray *zones = userdata;
        FwZone zone = {.zone = (const Zone *) pt_object_ref(object), .name = object->name};

        g_array_append_val(zones, zone);
        return 0;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(((const FwZone *) a)->name, ((const FwZone *) b)->name);
}

static void add_sources(const FwZone *zone, uint32_t number, int family, GArray *out)
{
        for (unsigned i = 0; i < zone->zone->sources.n; i++) {
                const PtAddressRange *range =
                        (const PtAddressRange *) zone->zone->sources.items + i;
                FwInterval interval = {.specificity = range->plen, .number = number};

                if (range->family != family)
                        continue;
                memcpy(interval.lo, range->lo, sizeof(interval.lo));
                memcpy(interval.hi, range->hi, sizeof(interval.hi));
                g_array_append_val(out, interval);
        }
}

static void hash_intervals(PtHasher *hasher, const GArray *intervals)
{
        unsigned n = intervals ? intervals->len : 0;

        pt_hasher_add(hasher, &n, sizeof(n));
        for (unsigned i = 0; i < n; i++) {
                const FwInterval *interval = &g_array_index(intervals, FwInterval, i);

                pt_hasher_add(hasher, interval->lo, sizeof(interval->lo));
                pt_hasher_add(hasher, interval->hi, sizeof(interval->hi));
                pt_hasher_add(hasher, &interval->number, sizeof(interval->number));
        }
}

static GArray *flatten(GArray *intervals, size_t len)
{
        return fw_interval_flatten((FwInterval *) (void *) intervals->data, intervals->len, len);
}

/* The zone's field, or what the settings say when it is absent. */
static FwAction default_of(const FwZones *zones, const FwZone *zone, unsigned field)
{
        bool has = pt_object_has(&zone->zone->object, field);

        switch (field) {
        case ZONE_INPUT:
                return has ? (FwAction) zone->zone->input : fw_settings_input(zones->settings);
        case ZONE_FORWARD:
                return has ? (FwAction) zone->zone->forward : fw_settings_forward(zones->settings);
        default:
                return has ? (FwAction) zone->zone->output : fw_settings_output(zones->settings);
        }
}

static bool names_zone(const PtList *list, const char *name)
{
        char *const *names = list->items;

        for (unsigned i = 0; i < list->n; i++)
                if (strcmp(names[i], name) == 0 || strcmp(names[i], FW_ZONE_ANY) == 0)
                        return true;
        return false;
}

static unsigned guards_of(const FilterSettings *settings, const char *zone)
{
        if (!settings)
                return 0;
        return (names_zone(&settings->antispoof, zone) ? FW_GUARD_ANTISPOOF : 0U) |
               (names_zone(&settings->block_bogons, zone) ? FW_GUARD_BOGONS : 0U) |
               (names_zone(&settings->block_private, zone) ? FW_GUARD_PRIVATE : 0U);
}

static bool masquerade_in_force(const PtSlice *slice)
{
        FwOutbound outbound = fw_nat_settings_outbound(
                (const NatSettings *) pt_slice_get(slice, &pt_kind_nat_settings, "default"));

        return outbound == FW_OUTBOUND_AUTOMATIC || outbound == FW_OUTBOUND_HYBRID;
}

static void digest(FwZones *zones)
{
        PtHasher *hasher = pt_hasher_new();

        if (zones->settings)
                pt_hasher_add(hasher, zones->settings->object.digest.bytes,
                              sizeof(zones->settings->object.digest.bytes));
        pt_hasher_add(hasher, &zones->proxies, sizeof(zones->proxies));
        hash_intervals(hasher, zones->interfaces);
        hash_intervals(hasher, zones->sources4);
        hash_intervals(hasher, zones->sources6);
        for (unsigned i = 0; i < zones->n; i++) {
                const FwZone *zone = &zones->zones[i];
                int facts[] = {default_of(zones, zone, ZONE_INPUT),
                               default_of(zones, zone, ZONE_FORWARD),
                               default_of(zones, zone, ZONE_OUTPUT), zone->masquerades};

                pt_hasher_add(hasher, zone->name, strlen(zone->name) + 1);
                pt_hasher_add(hasher, facts, sizeof(facts));
        }
        pt_hasher_end(hasher, &zones->digest);
}

static int proxies(const PtObject *object, void *userdata)
{
        return fw_rule_proxies((const FirewallRule *) object);
}

int fw_zones_new(const PtSlice *slice, PtDiagnostics *diag, FwZones **ret)
{
        g_autoptr(FwZones) zones = g_new0(FwZones, 1);
        const PtObject *settings;
        GArray *list;
        g_autoptr(GArray) interfaces = g_array_new(FALSE, FALSE, sizeof(FwInterval));
        g_autoptr(GArray) sources4 = g_array_new(FALSE, FALSE, sizeof(FwInterval));
        g_autoptr(GArray) sources6 = g_array_new(FALSE, FALSE, sizeof(FwInterval));

        if (pt_slice_count(slice, &pt_kind_zone) > FW_ZONES_MAX) {
                pt_diag_error(diag, "too-many-zones", "",
                              "%zu zones are more than the %d that can be paired",
                              pt_slice_count(slice, &pt_kind_zone), FW_ZONES_MAX);
                return -E2BIG;
        }
        list = g_array_new(FALSE, FALSE, sizeof(FwZone));
        (void) pt_slice_foreach(slice, &pt_kind_zone, collect, list);
        g_array_sort(list, compare_names);
        zones->n = list->len;
        zones->zones = (FwZone *) (void *) g_array_free(list, FALSE);
        zones->router = (FwZone){.name = FW_ZONE_ROUTER};
        zones->fragments = (FwZone){.name = FW_ZONE_FRAGMENTS};
        settings = pt_slice_get(slice, &pt_kind_filter_settings, "default");
        if (settings)
                zones->settings = (const FilterSettings *) pt_object_ref(settings);
        for (unsigned i = 0; i < zones->n; i++) {
                zones->zones[i].guards = guards_of(zones->settings, zones->zones[i].name);
                zones->zones[i].masquerades =
                        zones->zones[i].zone->masquerade && masquerade_in_force(slice);
        }

        for (unsigned i = 0; i < zones->n; i++) {
                const FwZone *zone = &zones->zones[i];

                for (unsigned k = 0; k < zone->zone->interfaces.n; k++) {
                        FwInterval interval;

                        fw_interval_from_ifname(((char *const *) zone->zone->interfaces.items)[k],
                                                &interval);
                        interval.number = i + 1;
                        g_array_append_val(interfaces, interval);
                }
                add_sources(zone, i + 1, AF_INET, sources4);
                add_sources(zone, i + 1, AF_INET6, sources6);
        }

        zones->proxies = pt_slice_foreach(slice, &pt_kind_firewall_rule, proxies, NULL) != 0;
        zones->interfaces = flatten(interfaces, FW_INTERVAL_KEY_MAX);
        zones->sources4 = sources4->len > 0 ? flatten(sources4, 4) : NULL;
        zones->sources6 = sources6->len > 0 ? flatten(sources6, 16) : NULL;
        digest(zones);
        *ret = g_steal_pointer(&zones);
        return 0;
}

void fw_zones_free(FwZones *zones)
{
        if (!zones)
                return;
        for (unsigned i = 0; i < zones->n; i++)
                pt_object_unref((PtObject *) zones->zones[i].zone);
        g_free(zones->zones);
        pt_object_unref((PtObject *) zones->settings);
        g_clear_pointer(&zones->interfaces, g_array_unref);
        g_clear_pointer(&zones->sources4, g_array_unref);
        g_clear_pointer(&zones->sources6, g_array_unref);
        g_free(zones);
}

/* What flattened intervals say of a key; 0: nothing. */
static uint32_t find_number(const GArray *intervals, const uint8_t *key, size_t len)
{
        unsigned lo = 0, hi = intervals ? intervals->len : 0;

        while (lo < hi) {
                unsigned middle = (lo + hi) / 2;
                const FwInterval *interval = &g_array_index(intervals, FwInterval, middle);

                if (memcmp(key, interval->lo, len) < 0)
                        hi = middle;
                else if (memcmp(key, interval->hi, len) > 0)
                        lo = middle + 1;
                else
                        return interval->number;
        }
        return 0;
}

const FwZone *fw_zones_find(const FwZones *zones, int family, const uint8_t *address,
                            const char *interface)
{
        uint8_t name[FW_INTERVAL_KEY_MAX] = {0};
        uint32_t number = 0;

        if (address)
                number = family == AF_INET ? find_number(zones->sources4, address, 4)
                                           : find_number(zones->sources6, address, 16);
        if (number == 0) {
                g_strlcpy((char *) name, interface, sizeof(name));
                number = find_number(zones->interfaces, name, sizeof(name));
        }
        return number > 0 ? &zones->zones[number - 1] : NULL;
}

FwAction fw_zones_default(const FwZones *zones, const FwZone *from, const FwZone *to)
{
        if (!from->zone)
                return default_of(zones, to, ZONE_OUTPUT);
        return default_of(zones, from, to->zone ? ZONE_FORWARD : ZONE_INPUT);
}

bool fw_scope_floats(const FirewallRule *rule)
{
        return fw_rule_floating(rule) && fw_rule_looks_out(rule) &&
               (!rule->from || strcmp(rule->from, FW_ZONE_ANY) == 0);
}

/* Zones see the rules that name them and those that name none; the router only what names it, and
 * what floats. */
bool fw_scope_matches(const char *from, const char *to, const FirewallRule *rule)
{
        const char *rule_from = rule->from ?: FW_ZONE_ANY, *rule_to = rule->to ?: FW_ZONE_ANY;
        bool same = strcmp(rule_from, from) == 0;

        if (!same && (strcmp(rule_from, FW_ZONE_ANY) != 0 ||
                      (strcmp(from, FW_ZONE_ROUTER) == 0 && !fw_scope_floats(rule))))
                return false;
        if (fw_rule_fragments(rule) != (strcmp(to, FW_ZONE_FRAGMENTS) == 0))
                return false;
        return strcmp(rule_to, FW_ZONE_ANY) == 0 || strcmp(rule_to, to) == 0;
}

uint8_t fw_zone_mark(const FwZone *zone)
{
        uint8_t uid[16];
        unsigned sum = 0;

        if (!zone->zone)
                return 0;
        pt_object_uid(&zone->zone->object, uid);
        for (unsigned i = 0; i < sizeof(uid); i++)
                sum = (sum * 256 + uid[i]) % 255;
        return (uint8_t) (sum + 1);
}

void fw_zones_by_mark(const FwZones *zones, const FwZone *ret[static FW_ZONE_MARKS])
{
        bool taken[FW_ZONE_MARKS] = {false};

        for (unsigned i = 0; i < FW_ZONE_MARKS; i++)
                ret[i] = NULL;
        ret[0] = &zones->router;
        for (unsigned i = 0; i < zones->n; i++) {
                uint8_t mark = fw_zone_mark(&zones->zones[i]);

                ret[mark] = taken[mark] ? NULL : &zones->zones[i];
                taken[mark] = true;
        }
}
