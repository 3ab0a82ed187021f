/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "nat.h"

#include "layout-delta.h"

#include <string.h>

static const char *const side_names[] = {
        [FW_NAT_IN] = "in", [FW_NAT_OUT] = "out", [FW_NAT_BACK] = "back"};

/* Scopes. */

static char *scope_of(FwNatSide side, const char *zone)
{
        return g_strdup_printf("%s/%s", side_names[side], zone ?: FW_ZONE_ANY);
}

static void parse_scope(const char *scope, FwNatSide *ret_side, const char **ret_zone)
{
        const char *slash = strchr(scope, '/');

        for (FwNatSide side = FW_NAT_IN; side < FW_NAT_SIDE_MAX; side++)
                if (strncmp(scope, side_names[side], (size_t) (slash - scope)) == 0)
                        *ret_side = side;
        *ret_zone = slash + 1;
}

char *fw_nat_chain(GHashTable *scopes, FwNatSide side, const char *zone)
{
        g_autofree char *own = scope_of(side, zone), *any = scope_of(side, FW_ZONE_ANY);

        if (g_hash_table_contains(scopes, own))
                return fw_class_chain(FW_CLASS_NAT, own);
        if (strcmp(zone, FW_ZONE_ROUTER) == 0)
                return NULL; /* what is for any zone is not for it */
        return g_hash_table_contains(scopes, any) ? fw_class_chain(FW_CLASS_NAT, any) : NULL;
}

static void count_in(GHashTable *scopes, FwNatSide side, const char *zone, int by)
{
        g_autofree char *scope = scope_of(side, zone);
        unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(scopes, scope)) + (unsigned) by;

        if (n == 0)
                g_hash_table_remove(scopes, scope);
        else
                g_hash_table_replace(scopes, g_steal_pointer(&scope), GUINT_TO_POINTER(n));
}

/* Where a rule brings a list about: for its own zone, and where it is reflected. */
static void count(GHashTable *scopes, const FwNatPolicy *policy, const NatRule *nat, int by)
{
        const char *own = nat->zone ?: FW_ZONE_ANY;
        bool reflected;

        for (FwNatSide side = FW_NAT_IN; side < FW_NAT_BACK; side++)
                if (fw_nat_meets(policy, nat, side, own, &reflected))
                        count_in(scopes, side, own, by);
        if (!fw_nat_meets(policy, nat, FW_NAT_BACK, FW_ZONE_ANY, &reflected))
                return;
        count_in(scopes, FW_NAT_BACK, FW_ZONE_ANY, by);
        if (strcmp(own, FW_ZONE_ANY) != 0)
                count_in(scopes, FW_NAT_IN, FW_ZONE_ANY, by);
        if (fw_nat_meets(policy, nat, FW_NAT_IN, FW_ZONE_ROUTER, &reflected))
                count_in(scopes, FW_NAT_IN, FW_ZONE_ROUTER, by);
}

static GHashTable *scopes_new(void)
{
        return g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

typedef struct Scopes {
        GHashTable *scopes;
        const FwNatPolicy *policy;
} Scopes;

static int add_scope(const PtObject *object, void *userdata)
{
        const Scopes *add = userdata;

        count(add->scopes, add->policy, (const NatRule *) object, 1);
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
                if (strcmp(zone, FW_ZONE_ANY) != 0 && strcmp(zone, FW_ZONE_ROUTER) != 0)
                        n += scope_count(scopes, side, FW_ZONE_ANY);
        }
        if (n <= FW_NAT_ENTRIES_MAX)
                return 0;
        return too_much(diag, "too-many-nat-rules",
                        "entries in the lists of all zones, where rules for any zone stand in each",
                        n, FW_NAT_ENTRIES_MAX, "name the zones that rules are for");
}

/* Classes. */

typedef struct Collect {
        const FwNatPolicy *policy;
        GPtrArray *rules; /* NatRule */
        FwNatSide side;
        const char *zone;
} Collect;

static int collect(const PtObject *object, void *userdata)
{
        Collect *collect = userdata;
        const NatRule *nat = (const NatRule *) object;
        bool reflected;

        if (fw_nat_meets(collect->policy, nat, collect->side, collect->zone, &reflected))
                g_ptr_array_add(collect->rules, (void *) (uintptr_t) nat);
        return 0;
}

static int compare_order(const void *a, const void *b)
{
        return fw_nat_compare_order(*(const NatRule *const *) a, *(const NatRule *const *) b);
}

/* The use of a rule in a list; NULL: it is not in it. The caller's. */
static FirewallRule *use_in(const FwNatPolicy *policy, const NatRule *nat, FwNatSide side,
                            const char *zone)
{
        bool reflected;

        return nat && fw_nat_meets(policy, nat, side, zone, &reflected)
                       ? fw_nat_use_new(policy, nat, side, reflected)
                       : NULL;
}

static FwClass *class_from_slice(const char *scope, const FwNatPolicy *policy)
{
        g_autoptr(GPtrArray) rules = g_ptr_array_new();
        Collect wanted = {.policy = policy, .rules = rules};
        GArray *entries = fw_entries_new();

        parse_scope(scope, &wanted.side, &wanted.zone);
        (void) pt_slice_foreach(policy->slice, &pt_kind_nat_rule, collect, &wanted);
        g_ptr_array_sort(rules, compare_order);
        for (unsigned i = 0; i < rules->len; i++) {
                FirewallRule *use =
                        use_in(policy, g_ptr_array_index(rules, i), wanted.side, wanted.zone);

                fw_entries_insert(entries, entries->len, use);
                pt_object_unref(&use->object);
        }
        return fw_class_new(FW_CLASS_NAT, scope, entries, 0, NULL);
}

int fw_nat_new(const FwNatPolicy *policy, PtDiagnostics *diag, FwNat **ret)
{
        g_autoptr(FwNat) nat = g_new0(FwNat, 1);
        Scopes add = {.policy = policy};
        GHashTableIter iter;
        const char *scope;
        int r = check_limits(policy->slice, diag);

        if (r < 0)
                return r;
        nat->scopes = add.scopes = scopes_new();
        nat->classes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                             (GDestroyNotify) fw_class_free);
        (void) pt_slice_foreach(policy->slice, &pt_kind_nat_rule, add_scope, &add);
        r = check_entries(nat->scopes, diag);
        if (r < 0)
                return r;
        g_hash_table_iter_init(&iter, nat->scopes);
        while (g_hash_table_iter_next(&iter, (void **) &scope, NULL)) {
                FwClass *klass = class_from_slice(scope, policy);

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

typedef struct Delta {
        const FwNatPolicy *before, *after;
        const GArray *rules; /* FwNatChange */
} Delta;

static GHashTable *changed_scopes(const FwNat *nat, const Delta *delta, bool *ret_dispatch)
{
        GHashTable *scopes = scopes_new();
        GHashTableIter iter;
        gpointer scope, n;

        g_hash_table_iter_init(&iter, nat->scopes);
        while (g_hash_table_iter_next(&iter, &scope, &n))
                g_hash_table_insert(scopes, g_strdup(scope), n);
        for (unsigned i = 0; i < delta->rules->len; i++) {
                const FwNatChange *change = &g_array_index(delta->rules, FwNatChange, i);

                if (change->before)
                        count(scopes, delta->before, change->before, -1);
                if (change->after)
                        count(scopes, delta->after, change->after, 1);
        }
        if (!fw_scopes_same(nat->scopes, scopes))
                *ret_dispatch = true;
        return scopes;
}

/* The class with the changes made, or NULL: none is of it. */
static FwClass *changed_class(const FwClass *klass, const Delta *delta)
{
        GArray *entries = NULL;
        const char *zone;
        FwNatSide side;

        parse_scope(klass->name, &side, &zone);
        /* All that leaves first: what enters may stand where something left. */
        for (unsigned pass = 0; pass < 2; pass++)
                for (unsigned i = 0; i < delta->rules->len; i++) {
                        const FwNatChange *change = &g_array_index(delta->rules, FwNatChange, i);
                        FirewallRule *use =
                                pass == 0 ? use_in(delta->before, change->before, side, zone)
                                          : use_in(delta->after, change->after, side, zone);

                        if (!use)
                                continue;
                        if (!entries)
                                entries = fw_entries_copy(klass->entries);
                        if (pass == 0)
                                g_array_remove_index(entries, fw_entries_find(entries, use));
                        else
                                fw_entries_insert(entries, fw_entries_find(entries, use), use);
                        pt_object_unref(&use->object);
                }
        return entries ? fw_class_new(FW_CLASS_NAT, klass->name, entries, 0, klass) : NULL;
}

int fw_nat_delta(const FwNat *nat, const FwNatPolicy *before, const FwNatPolicy *after,
                 const GArray *rules, GArray *changes, PtDiagnostics *diag, GHashTable **ret_scopes,
                 bool *ret_dispatch)
{
        const Delta delta = {before, after, rules};
        g_autoptr(GHashTable) scopes = NULL;
        GHashTableIter iter;
        const char *scope;
        FwClass *klass;
        int r = check_limits(after->slice, diag);

        if (r < 0)
                return r;
        scopes = changed_scopes(nat, &delta, ret_dispatch);
        r = check_entries(scopes, diag);
        if (r < 0)
                return r;
        g_hash_table_iter_init(&iter, nat->classes);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &klass)) {
                FwClassChange change = {.before = klass};

                if (g_hash_table_contains(scopes, klass->name)) {
                        change.after = changed_class(klass, &delta);
                        if (!change.after)
                                continue;
                }
                g_array_append_val(changes, change);
        }
        g_hash_table_iter_init(&iter, scopes);
        while (g_hash_table_iter_next(&iter, (void **) &scope, NULL))
                if (!g_hash_table_contains(nat->classes, scope)) {
                        FwClassChange change = {.after = class_from_slice(scope, after)};

                        g_array_append_val(changes, change);
                }
        *ret_scopes = g_steal_pointer(&scopes);
        return 0;
}
