/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/lists.h"

#include <string.h>

/* Lists that are kept at a time: 250 zones have 62,500 pairs. */
#define LISTS_MAX 1024
/* An index pays once a list this long was walked this often. */
#define INDEX_RULES_MIN 16
#define INDEX_WALKS_MIN 8

struct FwRuleList {
        GPtrArray *rules;   /* FirewallRule, in order; references */
        FwRuleIndex *index; /* NULL: not made yet */
        unsigned walks;
};

struct FwLists {
        FwSource source;
        FwZones *zones;
        FwEffective *effective;
        bool owns_effective;
        GHashTable *table; /* number of the list -> FwRuleList */
        FwAliasCache *aliases;
        FwTags *tags;
};

static void unref_object(void *object)
{
        pt_object_unref(object);
}

static void rule_list_free(void *p)
{
        FwRuleList *list = p;

        g_ptr_array_unref(list->rules);
        fw_rule_index_free(list->index);
        g_free(list);
}

int fw_lists_new(const FwSource *source, FwEffective *effective, PtDiagnostics *diag, FwLists **ret)
{
        g_autoptr(FwLists) lists = g_new0(FwLists, 1);
        int r;

        lists->source = *source;
        lists->source.slice = pt_slice_ref((PtSlice *) (uintptr_t) source->slice);
        lists->source.live = fw_live_ref(source->live);
        lists->table = g_hash_table_new_full(NULL, NULL, NULL, rule_list_free);
        lists->aliases = fw_alias_cache_new(&lists->source);
        r = fw_zones_new(source->slice, diag, &lists->zones);
        if (r < 0)
                return r;
        r = fw_tags_new(source->slice, NULL, diag, &lists->tags);
        if (r < 0)
                return r;
        lists->owns_effective = !effective;
        lists->effective = effective ?: fw_effective_new();
        *ret = g_steal_pointer(&lists);
        return 0;
}

void fw_lists_free(FwLists *lists)
{
        if (!lists)
                return;
        g_hash_table_unref(lists->table);
        fw_alias_cache_free(lists->aliases);
        fw_tags_unref(lists->tags);
        if (lists->owns_effective)
                fw_effective_free(lists->effective);
        fw_zones_free(lists->zones);
        fw_live_unref(lists->source.live);
        pt_slice_unref((PtSlice *) (uintptr_t) lists->source.slice);
        g_free(lists);
}

const FwZones *fw_lists_zones(const FwLists *lists)
{
        return lists->zones;
}

const FwSource *fw_lists_source(const FwLists *lists)
{
        return &lists->source;
}

FwAliasCache *fw_lists_aliases(FwLists *lists)
{
        return lists->aliases;
}

const FwTags *fw_lists_tags(const FwLists *lists)
{
        return lists->tags;
}

/* Lists. */

/* A list under construction. */
typedef struct Collect {
        const FwLists *lists;
        FwRuleList *list;
        const FwZone *from, *to; /* of rules */
        FwNatPolicy nat;         /* of NAT rules, with their side and zone */
        FwNatSide side;
        const FwZone *zone;
} Collect;

static void collect_rule(const FirewallRule *rule, void *userdata)
{
        const Collect *collect = userdata;

        if (fw_scope_matches(collect->from->name, collect->to->name, rule))
                g_ptr_array_add(collect->list->rules,
                                pt_object_ref((PtObject *) (uintptr_t) &rule->object));
}

static int collect_nat(const PtObject *object, void *userdata)
{
        const Collect *collect = userdata;
        const NatRule *nat = (const NatRule *) object;

        bool reflected;

        if (fw_nat_meets(&collect->nat, nat, collect->side, collect->zone->name, &reflected))
                g_ptr_array_add(collect->list->rules,
                                fw_nat_use_new(&collect->nat, nat, collect->side, reflected));
        return 0;
}

static int compare_rules(const void *a, const void *b)
{
        return fw_effective_compare(*(const FirewallRule *const *) a,
                                    *(const FirewallRule *const *) b);
}

/* NULL, and an empty one under the number, if there is none yet. */
static FwRuleList *get_list(FwLists *lists, unsigned number, FwRuleList **ret_new)
{
        FwRuleList *list = g_hash_table_lookup(lists->table, GUINT_TO_POINTER(number));

        if (list)
                return list;
        if (g_hash_table_size(lists->table) >= LISTS_MAX)
                g_hash_table_remove_all(lists->table);
        list = g_new0(FwRuleList, 1);
        list->rules = g_ptr_array_new_with_free_func(unref_object);
        g_hash_table_insert(lists->table, GUINT_TO_POINTER(number), list);
        *ret_new = list;
        return NULL;
}

/* Of a zone of the lists, the router, or fragments. */
static unsigned zone_number(const FwLists *lists, const FwZone *zone)
{
        if (zone == &lists->zones->fragments)
                return lists->zones->n + 1;
        return zone->zone ? (unsigned) (zone - lists->zones->zones) : lists->zones->n;
}

#define NUMBERS_MAX (FW_ZONES_MAX + 2)

/* Each list has a number: pairs first, then both sides of NAT. */
static unsigned pair_number(const FwLists *lists, const FwZone *from, const FwZone *to)
{
        return zone_number(lists, from) * NUMBERS_MAX + zone_number(lists, to);
}

static unsigned nat_number(const FwLists *lists, FwNatSide side, const FwZone *zone)
{
        return (NUMBERS_MAX + (unsigned) side) * NUMBERS_MAX + zone_number(lists, zone);
}

FwRuleList *fw_lists_rules(FwLists *lists, const FwZone *from, const FwZone *to)
{
        Collect collect = {.lists = lists, .from = from, .to = to};
        FwRuleList *known = get_list(lists, pair_number(lists, from, to), &collect.list);

        if (known)
                return known;
        fw_effective_foreach(lists->effective, lists->source.slice, collect_rule, &collect);
        g_ptr_array_sort(collect.list->rules, compare_rules);
        return collect.list;
}

FwRuleList *fw_lists_nat(FwLists *lists, FwNatSide side, const FwZone *zone)
{
        Collect collect = {.lists = lists, .side = side, .zone = zone};
        FwRuleList *known = get_list(lists, nat_number(lists, side, zone), &collect.list);

        if (known)
                return known;
        collect.nat = fw_nat_policy(lists->effective, lists->source.slice);
        (void) pt_slice_foreach(lists->source.slice, &pt_kind_nat_rule, collect_nat, &collect);
        g_ptr_array_sort(collect.list->rules, compare_rules);
        return collect.list;
}

unsigned fw_rule_list_length(const FwRuleList *list)
{
        return list->rules->len;
}

const FirewallRule *fw_rule_list_get(const FwRuleList *list, unsigned index)
{
        return g_ptr_array_index(list->rules, index);
}

void fw_rule_list_walk(FwRuleList *list, const FwPacket *packet, FwRuleWalk *walk)
{
        walk->list = list;
        walk->next = 0;
        if (!list->index && list->rules->len >= INDEX_RULES_MIN && ++list->walks >= INDEX_WALKS_MIN)
                list->index = fw_rule_index_new(list->rules);
        if (list->index)
                fw_rule_index_walk(list->index, packet, &walk->index);
}

const FirewallRule *fw_rule_walk_next(FwRuleWalk *walk, unsigned *ret_place)
{
        unsigned at = walk->next++;

        if (walk->list->index ? !fw_rule_index_next(&walk->index, &at)
                              : at >= walk->list->rules->len)
                return NULL;
        *ret_place = at + 1;
        return g_ptr_array_index(walk->list->rules, at);
}
