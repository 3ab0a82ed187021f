/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "nat.h"

#include "layout-delta.h"

#include <string.h>

static const char *const side_names[] = {[FW_NAT_IN] = "in", [FW_NAT_OUT] = "out"};

/* Scopes. */

static char *scope_of(FwNatSide side, const char *zone)
{
        return g_strdup_printf("%s/%s", side_names[side], zone ?: FW_ZONE_ANY);
}

static void parse_scope(const char *scope, FwNatSide *ret_side, const char **ret_zone)
{
        *ret_side = scope[0] == 'i' ? FW_NAT_IN : FW_NAT_OUT;
        *ret_zone = strchr(scope, '/') + 1;
}

char *fw_nat_chain(GHashTable *scopes, FwNatSide side, const char *zone)
{
        g_autofree char *own = scope_of(side, zone), *any = scope_of(side, FW_ZONE_ANY);

        if (g_hash_table_contains(scopes, own))
                return fw_class_chain(FW_CLASS_NAT, own);
        return g_hash_table_contains(scopes, any) ? fw_class_chain(FW_CLASS_NAT, any) : NULL;
}

static void count(GHashTable *scopes, const NatRule *nat, int by)
{
        for (FwNatSide side = FW_NAT_IN; side < FW_NAT_SIDE_MAX; side++) {
                g_autofree char *scope = scope_of(side, nat->zone);
                unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(scopes, scope));

                if (!fw_nat_has_side(nat, side))
                        continue;
                n += (unsigned) by;
                if (n == 0)
                        g_hash_table_remove(scopes, scope);
                else
                        g_hash_table_replace(scopes, g_steal_pointer(&scope), GUINT_TO_POINTER(n));
        }
}

static GHashTable *scopes_new(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static int add_scope(const PtObject *object, void *userdata)
{
        if (fw_nat_enabled((const NatRule *) object))
                count(userdata, (const NatRule *) object, 1);
        return 0;
}

typedef struct Maps {
        unsigned maps, ports;
} Maps;

static int count_maps(const PtObject *object, void *userdata)
{
        Maps *count = userdata;
        const NatRule *nat = (const NatRule *) object;
        const PtPortRange *to = nat->translation.ports.items;

        if (!fw_nat_enabled(nat))
                return 0;
        if (fw_nat_maps_ports(nat)) {
                count->maps++;
                count->ports += to->hi - to->lo + 1U;
        }
        if (nat->type == FW_NAT_SOURCE && nat->translation.addresses.n > 1)
                count->maps++;
        return 0;
}

static int too_much(PtDiagnostics *diag, const char *code, const char *what, uint64_t n,
                    unsigned max, const char *hint)
{
        pt_diag_error(diag, code, "", "%" PRIu64 " %s are more than %u; %s", n, what, max, hint);
        return -E2BIG;
}

static int check_limits(const PtSlice *slice, PtDiagnostics *diag)
{
        size_t rules = pt_slice_count(slice, &pt_kind_nat_rule);
        Maps count = {0};

        if (rules > FW_NAT_RULES_MAX)
                return too_much(diag, "too-many-nat-rules", "NAT rules", rules, FW_NAT_RULES_MAX,
                                "a rule may hold many addresses, or an alias");
        (void) pt_slice_foreach(slice, &pt_kind_nat_rule, count_maps, &count);
        if (count.maps > FW_NAT_MAPS_MAX)
                return too_much(diag, "too-many-maps",
                                "NAT rules with several ranges of addresses, or a range of ports "
                                "that becomes another",
                                count.maps, FW_NAT_MAPS_MAX,
                                "make each pool one range, and forward to the same ports");
        if (count.ports > FW_NAT_PORTS_MAX)
                return too_much(diag, "too-many-ports", "ports that NAT rules change one by one",
                                count.ports, FW_NAT_PORTS_MAX,
                                "forward ranges to the same ports, which needs no map");
        return 0;
}

static unsigned scope_count(GHashTable *scopes, FwNatSide side, const char *zone)
{
        g_autofree char *scope = scope_of(side, zone);

        return GPOINTER_TO_UINT(g_hash_table_lookup(scopes, scope));
}

static int check_entries(GHashTable *scopes, PtDiagnostics *diag)
{
        GHashTableIter iter;
        const char *scope;
        gpointer own;
        uint64_t n = 0;

        g_hash_table_iter_init(&iter, scopes);
        while (g_hash_table_iter_next(&iter, (void **) &scope, &own)) {
                FwNatSide side;
                const char *zone;

                parse_scope(scope, &side, &zone);
                n += GPOINTER_TO_UINT(own);
                if (strcmp(zone, FW_ZONE_ANY) != 0)
                        n += scope_count(scopes, side, FW_ZONE_ANY);
        }
        if (n <= FW_NAT_ENTRIES_MAX)
                return 0;
        return too_much(diag, "too-many-nat-rules",
                        "entries in the lists of all zones, where rules for any zone stand in each",
                        n, FW_NAT_ENTRIES_MAX, "name the zones that rules are for");
}

/* Classes. */

static bool class_has(FwNatSide side, const char *zone, const NatRule *nat)
{
        const char *own = nat->zone ?: FW_ZONE_ANY;

        return fw_nat_has_side(nat, side) &&
               (strcmp(own, FW_ZONE_ANY) == 0 || strcmp(own, zone) == 0);
}

typedef struct Collect {
        GPtrArray *rules; /* NatRule */
        FwNatSide side;
        const char *zone;
} Collect;

static int collect(const PtObject *object, void *userdata)
{
        Collect *collect = userdata;
        const NatRule *nat = (const NatRule *) object;

        if (fw_nat_enabled(nat) && class_has(collect->side, collect->zone, nat))
                g_ptr_array_add(collect->rules, (void *) (uintptr_t) nat);
        return 0;
}

static int compare_order(const void *a, const void *b)
{
        return fw_nat_compare_order(*(const NatRule *const *) a, *(const NatRule *const *) b);
}

static void insert(GArray *entries, const NatRule *nat, FwNatSide side)
{
        FirewallRule *use = fw_nat_use_new(nat, side);

        fw_entries_insert(entries, fw_entries_find(entries, use), use);
        pt_object_unref(&use->object);
}

static void drop(GArray *entries, const NatRule *nat, FwNatSide side)
{
        FirewallRule *use = fw_nat_use_new(nat, side);

        g_array_remove_index(entries, fw_entries_find(entries, use));
        pt_object_unref(&use->object);
}

static FwClass *class_from_slice(const char *scope, const PtSlice *slice)
{
        g_autoptr(GPtrArray) rules = g_ptr_array_new();
        Collect wanted = {.rules = rules};
        GArray *entries = fw_entries_new();

        parse_scope(scope, &wanted.side, &wanted.zone);
        (void) pt_slice_foreach(slice, &pt_kind_nat_rule, collect, &wanted);
        g_ptr_array_sort(rules, compare_order);
        for (unsigned i = 0; i < rules->len; i++)
                insert(entries, g_ptr_array_index(rules, i), wanted.side);
        return fw_class_new(FW_CLASS_NAT, scope, entries, NULL);
}

int fw_nat_new(const PtSlice *slice, PtDiagnostics *diag, FwNat **ret)
{
        g_autoptr(FwNat) nat = g_new0(FwNat, 1);
        GHashTableIter iter;
        const char *scope;
        int r = check_limits(slice, diag);

        if (r < 0)
                return r;
        nat->scopes = scopes_new();
        nat->classes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                             (GDestroyNotify) fw_class_free);
        (void) pt_slice_foreach(slice, &pt_kind_nat_rule, add_scope, nat->scopes);
        r = check_entries(nat->scopes, diag);
        if (r < 0)
                return r;
        g_hash_table_iter_init(&iter, nat->scopes);
        while (g_hash_table_iter_next(&iter, (void **) &scope, NULL)) {
                FwClass *klass = class_from_slice(scope, slice);

                g_hash_table_insert(nat->classes, klass->name, klass);
        }
        *ret = g_steal_pointer(&nat);
        return 0;
}

void fw_nat_free(FwNat *nat)
{
        if (!nat)
                return;
        g_clear_pointer(&nat->classes, g_hash_table_unref);
        g_clear_pointer(&nat->scopes, g_hash_table_unref);
        g_free(nat);
}

/* Deltas. */

static GHashTable *changed_scopes(const FwNat *nat, const GArray *rules, bool *ret_dispatch)
{
        GHashTable *scopes = scopes_new();
        GHashTableIter iter;
        gpointer scope, n;

        g_hash_table_iter_init(&iter, nat->scopes);
        while (g_hash_table_iter_next(&iter, &scope, &n))
                g_hash_table_insert(scopes, g_strdup(scope), n);
        for (unsigned i = 0; i < rules->len; i++) {
                const FwNatChange *change = &g_array_index(rules, FwNatChange, i);

                if (change->before)
                        count(scopes, change->before, -1);
                if (change->after)
                        count(scopes, change->after, 1);
        }
        if (!fw_scopes_same(nat->scopes, scopes))
                *ret_dispatch = true;
        return scopes;
}

/* The class with the changes made, or NULL: none is of it. */
static FwClass *changed_class(const FwClass *klass, const GArray *rules)
{
        GArray *entries = NULL;
        const char *zone;
        FwNatSide side;

        parse_scope(klass->name, &side, &zone);
        /* All that leaves first: what enters may stand where something left. */
        for (unsigned pass = 0; pass < 2; pass++)
                for (unsigned i = 0; i < rules->len; i++) {
                        const FwNatChange *change = &g_array_index(rules, FwNatChange, i);
                        const NatRule *nat = pass == 0 ? change->before : change->after;

                        if (!nat || !class_has(side, zone, nat))
                                continue;
                        if (!entries)
                                entries = fw_entries_copy(klass->entries);
                        if (pass == 0)
                                drop(entries, nat, side);
                        else
                                insert(entries, nat, side);
                }
        return entries ? fw_class_new(FW_CLASS_NAT, klass->name, entries, klass) : NULL;
}

int fw_nat_delta(const FwNat *nat, const PtSlice *slice, const GArray *rules, GArray *changes,
                 PtDiagnostics *diag, GHashTable **ret_scopes, bool *ret_dispatch)
{
        g_autoptr(GHashTable) scopes = NULL;
        GHashTableIter iter;
        const char *scope;
        FwClass *klass;
        int r = check_limits(slice, diag);

        if (r < 0)
                return r;
        scopes = changed_scopes(nat, rules, ret_dispatch);
        r = check_entries(scopes, diag);
        if (r < 0)
                return r;
        g_hash_table_iter_init(&iter, nat->classes);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &klass)) {
                FwClassChange change = {.before = klass};

                if (g_hash_table_contains(scopes, klass->name)) {
                        change.after = changed_class(klass, rules);
                        if (!change.after)
                                continue;
                }
                g_array_append_val(changes, change);
        }
        g_hash_table_iter_init(&iter, scopes);
        while (g_hash_table_iter_next(&iter, (void **) &scope, NULL))
                if (!g_hash_table_contains(nat->classes, scope)) {
                        FwClassChange change = {.after = class_from_slice(scope, slice)};

                        g_array_append_val(changes, change);
                }
        *ret_scopes = g_steal_pointer(&scopes);
        return 0;
}
