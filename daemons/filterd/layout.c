/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "layout.h"

#include "nat.h"
#include "objects.h"
#include "phases.h"
#include "pools.h"

#include <string.h>

static const char *any_if_absent(const char *zone)
{
        return zone ?: FW_ZONE_ANY;
}

/* From any zone, and from the router. */
#define ZONE_ALL "*"

char *fw_scope_of(const FirewallRule *rule)
{
        if (fw_rule_fragments(rule))
                return g_strdup_printf("%s/%s", any_if_absent(rule->from), FW_ZONE_FRAGMENTS);
        if (fw_scope_floats(rule))
                return g_strdup_printf("%s/%s", ZONE_ALL, any_if_absent(rule->to));
        return g_strdup_printf("%s/%s", any_if_absent(rule->from), any_if_absent(rule->to));
}

bool fw_scopes_same(GHashTable *a, GHashTable *b)
{
        GHashTableIter iter;
        gpointer scope;

        if (g_hash_table_size(a) != g_hash_table_size(b))
                return false;
        g_hash_table_iter_init(&iter, a);
        while (g_hash_table_iter_next(&iter, &scope, NULL))
                if (!g_hash_table_contains(b, scope))
                        return false;
        return true;
}

/* Slots of a fold, by key. */

static unsigned slot_hash(const void *p)
{
        const FwSlot *slot = p;
        uint32_t hash = 2166136261U; /* FNV-1a; our own rules cannot be chosen to attack us more
                                        than we let them */

        for (uint32_t i = 0; i < slot->len; i++)
                hash = (hash ^ slot->bytes[i]) * 16777619U;
        return hash;
}

static gboolean slot_equal(const void *a, const void *b)
{
        const FwSlot *x = a, *y = b;

        return x->len == y->len && memcmp(x->bytes, y->bytes, x->len) == 0;
}

static FwSlot *slot_new(const FirewallRule *rule, const FwKey *key, size_t len)
{
        FwSlot *slot = g_malloc(sizeof(*slot) + len);

        slot->rule = rule;
        slot->len = (uint32_t) len;
        memcpy(slot->bytes, key->bytes, len);
        return slot;
}

const FirewallRule *fw_unit_owner(const FwUnit *unit, const FwKey *key, size_t len)
{
        g_autofree FwSlot *wanted = slot_new(NULL, key, len);
        const FwSlot *slot = g_hash_table_lookup(unit->keys, wanted);

        return slot ? slot->rule : NULL;
}

void fw_unit_claim(FwUnit *unit, const FirewallRule *rule)
{
        size_t len = fw_shape_key_len(unit->shape);
        FwKey keys[FW_KEYS_MAX];
        unsigned n = fw_match_keys(rule, unit->shape, keys);

        for (unsigned i = 0; i < n; i++)
                g_hash_table_add(unit->keys, slot_new(rule, &keys[i], len));
}

void fw_unit_release(FwUnit *unit, const FirewallRule *rule)
{
        size_t len = fw_shape_key_len(unit->shape);
        FwKey keys[FW_KEYS_MAX];
        unsigned n = fw_match_keys(rule, unit->shape, keys);

        for (unsigned i = 0; i < n; i++) {
                g_autofree FwSlot *slot = slot_new(NULL, &keys[i], len);

                g_hash_table_remove(unit->keys, slot);
        }
}

static FwUnit *unit_new(uint32_t shape)
{
        FwUnit *unit = g_new0(FwUnit, 1);

        unit->refs = 1;
        unit->shape = shape;
        unit->mix = UINT64_MAX;
        if (shape)
                unit->keys = g_hash_table_new_full(slot_hash, slot_equal, g_free, NULL);
        return unit;
}

void fw_unit_unref(FwUnit *unit)
{
        if (!unit || --unit->refs > 0)
                return;
        g_free(unit->name);
        fw_plan_free(unit->plan);
        g_clear_pointer(&unit->keys, g_hash_table_unref);
        g_free(unit);
}

/* Entries. */

static void entry_clear(void *p)
{
        FwEntry *entry = p;

        pt_object_unref((PtObject *) (uintptr_t) &entry->rule->object);
}

GArray *fw_entries_new(void)
{
        GArray *entries = g_array_new(FALSE, FALSE, sizeof(FwEntry));

        g_array_set_clear_func(entries, entry_clear);
        return entries;
}

static FwEntry entry_of(const FirewallRule *rule)
{
        FwEntry entry = {.rule = (const FirewallRule *) pt_object_ref(&rule->object)};
        unsigned keys = 0;
        uint8_t uid[16];

        pt_object_uid(&rule->object, uid);
        for (unsigned i = 0; i < sizeof(entry.mix); i++)
                entry.mix = entry.mix << 8 | uid[i];
        if (fw_nat_of(rule, NULL))
                return entry; /* a translation is no verdict: it cannot stand in a verdict map */
        entry.alone = fw_match_alone(rule);
        entry.shape = fw_match_shape(rule, &keys);
        entry.keys = (uint16_t) keys; /* FW_KEYS_MAX at most */
        entry.standing = fw_rule_foldable(rule) ? FW_STANDS_FOLDS
                         : fw_rule_copies(rule) ? FW_STANDS_COPIES
                                                : FW_STANDS_ALONE;
        return entry;
}

GArray *fw_entries_copy(const GArray *entries)
{
        GArray *copy = fw_entries_new();

        g_array_append_vals(copy, entries->data, entries->len);
        for (unsigned i = 0; i < copy->len; i++)
                (void) pt_object_ref(&g_array_index(copy, FwEntry, i).rule->object);
        return copy;
}

void fw_entries_insert(GArray *entries, unsigned index, const FirewallRule *rule)
{
        FwEntry entry = entry_of(rule);

        g_array_insert_val(entries, index, entry);
}

unsigned fw_entries_find(const GArray *entries, const FirewallRule *rule)
{
        unsigned lo = 0, hi = entries->len;

        while (lo < hi) {
                unsigned middle = lo + (hi - lo) / 2;

                if (fw_effective_compare(g_array_index(entries, FwEntry, middle).rule, rule) < 0)
                        lo = middle + 1;
                else
                        hi = middle;
        }
        return lo;
}

/* Cutting a class into units. */

typedef struct Cutter {
        const FwClass *klass;
        unsigned copies;
        const FwClass *old;
        GHashTable *old_folds; /* first rule -> position (unit index + 1), of the old class */
        GHashTable *old_plans; /* name -> position (unit index + 1) of stretches */
        unsigned *old_starts;  /* first entry of each old unit */
} Cutter;

static const FwEntry *at(const FwClass *klass, unsigned i)
{
        return &g_array_index(klass->entries, FwEntry, i);
}

static void cutter_init(Cutter *cutter)
{
        unsigned start = 0;

        if (!cutter->old)
                return;
        cutter->old_folds = g_hash_table_new(NULL, NULL);
        cutter->old_plans = g_hash_table_new(g_str_hash, g_str_equal);
        cutter->old_starts = g_new(unsigned, cutter->old->units->len);
        for (unsigned i = 0; i < cutter->old->units->len; i++) {
                const FwUnit *unit = g_ptr_array_index(cutter->old->units, i);

                cutter->old_starts[i] = start;
                if (unit->shape)
                        g_hash_table_insert(cutter->old_folds,
                                            (void *) (uintptr_t) at(cutter->old, start)->rule,
                                            GUINT_TO_POINTER(i + 1));
                if (unit->plan)
                        g_hash_table_insert(cutter->old_plans, unit->name, GUINT_TO_POINTER(i + 1));
                start += unit->n;
        }
}

/* The fold that begins at `i` in the old class too, with the same rules and for the same reason to
 * end. */
static FwUnit *reuse(const Cutter *cutter, unsigned i)
{
        unsigned index, start, len = cutter->klass->entries->len;
        FwUnit *unit;

        index = cutter->old ? GPOINTER_TO_UINT(g_hash_table_lookup(cutter->old_folds,
                                                                   at(cutter->klass, i)->rule))
                            : 0;
        if (index == 0)
                return NULL;
        unit = g_ptr_array_index(cutter->old->units, index - 1);
        start = cutter->old_starts[index - 1];
        if (unit->n > len - i)
                return NULL;
        for (unsigned k = 0; k < unit->n; k++)
                if (at(cutter->klass, i + k)->rule != at(cutter->old, start + k)->rule)
                        return NULL;
        if (unit->collided) {
                if (i + unit->n == len ||
                    at(cutter->klass, i + unit->n)->rule != at(cutter->old, start + unit->n)->rule)
                        return NULL;
        } else if (i + unit->n < len && at(cutter->klass, i + unit->n)->shape == unit->shape) {
                return NULL;
        }
        unit->refs++;
        return unit;
}

/* Whether the run of one shape from `i` on has FW_RUN_MIN keys, collisions not counted: asked
 * before a fold is made. */
static bool worth_folding(const FwClass *klass, unsigned i)
{
        uint32_t shape = at(klass, i)->shape;
        unsigned keys = 0;

        for (; i < klass->entries->len && keys < FW_RUN_MIN && at(klass, i)->shape == shape; i++)
                keys += at(klass, i)->keys;
        return keys >= FW_RUN_MIN;
}

bool fw_unit_is_fixed(const FwUnit *unit)
{
        return unit->keys && g_hash_table_size(unit->keys) <= FW_RUN_FRESH_MAX;
}

static void name_content(const FwClass *klass, FwUnit *unit, unsigned start)
{
        PtHasher *hasher = pt_hasher_new();

        for (unsigned i = start; i < start + unit->n; i++) {
                FwKey keys[FW_KEYS_MAX];
                unsigned n = fw_match_keys(at(klass, i)->rule, unit->shape, keys);

                for (unsigned k = 0; k < n; k++)
                        fw_content_add(hasher, at(klass, i)->rule, keys[k].bytes,
                                       fw_shape_key_len(unit->shape));
        }
        fw_content_name(hasher, &unit->name);
}

/* The run of one shape from `i` on, until a key comes twice. Its keys may be fewer than
 * FW_RUN_MIN. */
static FwUnit *fold(const Cutter *cutter, unsigned i)
{
        const FwClass *klass = cutter->klass;
        FwUnit *unit = unit_new(at(klass, i)->shape);
        unsigned start = i;

        for (; i < klass->entries->len && at(klass, i)->shape == unit->shape; i++) {
                const FwEntry *entry = at(klass, i);
                FwKey keys[FW_KEYS_MAX];
                unsigned n = fw_match_keys(entry->rule, unit->shape, keys);

                for (unsigned k = 0; k < n && !unit->collided; k++)
                        unit->collided = fw_unit_owner(unit, &keys[k],
                                                       fw_shape_key_len(unit->shape)) != NULL;
                if (unit->collided)
                        break;
                fw_unit_claim(unit, entry->rule);
                unit->mix = MIN(unit->mix, entry->mix);
                unit->n++;
        }
        unit->name = g_strdup_printf("m_%s/%016" PRIx64, klass->name, unit->mix);
        if (fw_unit_is_fixed(unit))
                name_content(klass, unit, start);
        return unit;
}

static void add_shards(const Cutter *cutter, unsigned from, unsigned to)
{
        const FwClass *klass = cutter->klass;

        while (from < to) {
                FwUnit *unit = unit_new(0);

                unit->mix = at(klass, from)->mix;
                unit->name = g_strdup_printf("%s/%016" PRIx64, klass->chain, unit->mix);
                do
                        unit->n++;
                while (from + unit->n < to && unit->n < FW_SHARD_MAX && !at(klass, from)->alone &&
                       !at(klass, from + unit->n)->alone &&
                       at(klass, from + unit->n)->mix % FW_SHARD_MEAN != 0);
                g_ptr_array_add(klass->units, unit);
                from += unit->n;
        }
}

/* What was there under the stretch's name, if it is of the same rules. */
static FwUnit *reuse_stretch(const Cutter *cutter, const char *name, unsigned from, unsigned to,
                             const FwPlan **ret_old)
{
        unsigned index =
                cutter->old ? GPOINTER_TO_UINT(g_hash_table_lookup(cutter->old_plans, name)) : 0;
        unsigned start;
        FwUnit *unit;

        *ret_old = NULL;
        if (index == 0)
                return NULL;
        unit = g_ptr_array_index(cutter->old->units, index - 1);
        start = cutter->old_starts[index - 1];
        *ret_old = unit->plan;
        if (unit->n != to - from || unit->plan->copies != cutter->copies)
                return NULL;
        for (unsigned i = 0; i < unit->n; i++)
                if (at(cutter->klass, from + i)->rule != at(cutter->old, start + i)->rule)
                        return NULL;
        unit->refs++;
        return unit;
}

static void add_stretch(const Cutter *cutter, unsigned from, unsigned to)
{
        const FwClass *klass = cutter->klass;
        const FwUnit *before =
                klass->units->len ? g_ptr_array_index(klass->units, klass->units->len - 1) : NULL;
        uint64_t mix = before ? before->mix : 0;
        g_autofree char *name = g_strdup_printf("%s/t%016" PRIx64, klass->chain, mix);
        g_autofree FwPlanRule *rules = NULL;
        const FwPlan *old;
        FwUnit *unit = reuse_stretch(cutter, name, from, to, &old);

        if (!unit) {
                unit = unit_new(0);
                unit->n = to - from;
                unit->mix = mix;
                rules = g_new(FwPlanRule, unit->n);
                for (unsigned i = 0; i < unit->n; i++)
                        rules[i] =
                                (FwPlanRule){at(klass, from + i)->rule, at(klass, from + i)->mix};
                unit->plan = fw_plan_new(name, rules, unit->n, cutter->copies, old);
                unit->name = g_steal_pointer(&name);
        }
        g_ptr_array_add(klass->units, unit);
}

/* What is in no run: stretches where they are worth it, and shards between them. */
static void add_linear(const Cutter *cutter, unsigned from, unsigned to)
{
        const FwClass *klass = cutter->klass;
        unsigned pending = from; /* first entry that is in no unit yet */

        while (from < to) {
                unsigned end = from, folds = 0;

                for (; end < to && at(klass, end)->standing != FW_STANDS_ALONE; end++)
                        folds += at(klass, end)->standing == FW_STANDS_FOLDS;
                if (end - from >= FW_PLAN_MIN && folds >= FW_MAP_MIN) {
                        add_shards(cutter, pending, from);
                        add_stretch(cutter, from, end);
                        pending = end;
                }
                from = MAX(end, from + 1);
        }
        add_shards(cutter, pending, to);
}

static void cut(const Cutter *cutter)
{
        const FwClass *klass = cutter->klass;
        unsigned linear = 0; /* first entry that is in no unit yet */

        for (unsigned i = 0; i < klass->entries->len;) {
                FwUnit *unit = NULL;

                if (at(klass, i)->shape)
                        unit = reuse(cutter, i);
                if (!unit && at(klass, i)->shape && worth_folding(klass, i))
                        unit = fold(cutter, i);
                if (unit && g_hash_table_size(unit->keys) >= FW_RUN_MIN) {
                        add_linear(cutter, linear, i);
                        g_ptr_array_add(klass->units, unit);
                        i += unit->n;
                        linear = i;
                        continue;
                }
                /* A short run stands among the others. */
                i += unit ? unit->n : 1;
                fw_unit_unref(unit);
        }
        add_linear(cutter, linear, klass->entries->len);
}

FwUnit *fw_class_unit_at(const FwClass *klass, unsigned index, unsigned *ret_start)
{
        unsigned start = 0;

        for (unsigned i = 0; i < klass->units->len; i++) {
                FwUnit *unit = g_ptr_array_index(klass->units, i);

                if (index < start + unit->n) {
                        *ret_start = start;
                        return unit;
                }
                start += unit->n;
        }
        return NULL;
}

char *fw_class_chain(FwClassSort sort, const char *name)
{
        return g_strdup_printf("%c_%s", sort == FW_CLASS_NAT ? 'n' : 'z', name);
}

FwClass *fw_class_new(FwClassSort sort, const char *name, GArray *entries, unsigned copies,
                      const FwClass *old)
{
        g_autofree unsigned *starts = NULL;
        g_autoptr(GHashTable) folds = NULL, plans = NULL;
        FwClass *klass = g_new0(FwClass, 1);
        const char *slash = strchr(name, '/');
        Cutter cutter = {.klass = klass, .copies = copies, .old = old};

        klass->sort = sort;
        klass->name = g_strdup(name);
        klass->from = g_strndup(name, (size_t) (slash - name));
        klass->to = g_strdup(slash + 1);
        klass->chain = fw_class_chain(sort, name);
        klass->entries = entries;
        klass->units = g_ptr_array_new_with_free_func((GDestroyNotify) fw_unit_unref);

        cutter_init(&cutter);
        folds = cutter.old_folds;
        plans = cutter.old_plans;
        starts = cutter.old_starts;
        cut(&cutter);
        return klass;
}

void fw_class_free(FwClass *klass)
{
        if (!klass)
                return;
        g_ptr_array_unref(klass->units);
        g_array_unref(klass->entries);
        g_free(klass->chain);
        g_free(klass->to);
        g_free(klass->from);
        g_free(klass->name);
        g_free(klass);
}

bool fw_class_has(const FwClass *klass, const FirewallRule *rule)
{
        return fw_scope_matches(klass->from, klass->to, rule);
}

typedef struct Collect {
        GArray *entries;
        const char *from, *to;
} Collect;

static void collect_rule(const FirewallRule *rule, void *userdata)
{
        Collect *collect = userdata;

        if (fw_scope_matches(collect->from, collect->to, rule)) {
                FwEntry entry = entry_of(rule);

                g_array_append_val(collect->entries, entry);
        }
}

static int compare_entries(const void *a, const void *b)
{
        return fw_effective_compare(((const FwEntry *) a)->rule, ((const FwEntry *) b)->rule);
}

unsigned fw_layout_copies(const PtSlice *slice)
{
        return fw_tree_copies(pt_slice_count(slice, &pt_kind_firewall_rule));
}

FwClass *fw_class_from_slice(const char *name, FwEffective *effective, const PtSlice *slice)
{
        const char *slash = strchr(name, '/');
        g_autofree char *from = g_strndup(name, (size_t) (slash - name));
        Collect collect = {.entries = fw_entries_new(), .from = from, .to = slash + 1};

        fw_effective_foreach(effective, slice, collect_rule, &collect);
        g_array_sort(collect.entries, compare_entries);
        return fw_class_new(FW_CLASS_FILTER, name, collect.entries, fw_layout_copies(slice), NULL);
}

/* Pairs. */

static bool has(GHashTable *scopes, const char *from, const char *to)
{
        g_autofree char *scope = g_strdup_printf("%s/%s", from, to);

        return g_hash_table_contains(scopes, scope);
}

static void pair(const FwZone *from, const FwZone *to, GHashTable *scopes, FwPairFunc each,
                 void *userdata)
{
        bool router = !from->zone;
        bool all_to = has(scopes, ZONE_ALL, to->name), all = has(scopes, ZONE_ALL, FW_ZONE_ANY);
        bool exact = has(scopes, from->name, to->name) || (router && all_to),
             by_from = has(scopes, from->name, FW_ZONE_ANY) || (router && all);
        bool by_to = !router && (all_to || has(scopes, FW_ZONE_ANY, to->name)),
             by_any = !router && (all || has(scopes, FW_ZONE_ANY, FW_ZONE_ANY));
        g_autofree char *name = NULL;

        if (exact || (by_from && by_to))
                name = g_strdup_printf("%s/%s", from->name, to->name);
        else if (by_from)
                name = g_strdup_printf("%s/%s", from->name, FW_ZONE_ANY);
        else if (by_to)
                name = g_strdup_printf("%s/%s", FW_ZONE_ANY, to->name);
        else if (by_any)
                name = g_strdup_printf("%s/%s", FW_ZONE_ANY, FW_ZONE_ANY);
        each(from, to, name, userdata);
}

static void pair_fragments(const FwZones *zones, const FwZone *from, GHashTable *scopes,
                           FwPairFunc each, void *userdata)
{
        const char *of = has(scopes, from->name, FW_ZONE_FRAGMENTS) ? from->name : FW_ZONE_ANY;
        g_autofree char *name = NULL;

        if (has(scopes, of, FW_ZONE_FRAGMENTS))
                name = g_strdup_printf("%s/%s", of, FW_ZONE_FRAGMENTS);
        each(from, &zones->fragments, name, userdata);
}

void fw_pairs_foreach(const FwZones *zones, GHashTable *scopes, FwPairFunc each, void *userdata)
{
        for (unsigned i = 0; i < zones->n; i++) {
                for (unsigned k = 0; k < zones->n; k++)
                        pair(&zones->zones[i], &zones->zones[k], scopes, each, userdata);
                pair(&zones->zones[i], &zones->router, scopes, each, userdata);
                pair(&zones->router, &zones->zones[i], scopes, each, userdata);
                pair_fragments(zones, &zones->zones[i], scopes, each, userdata);
        }
}

static void count_rule(const FirewallRule *rule, void *userdata)
{
        FwLayout *layout = userdata;
        GHashTable *scopes = layout->scopes;
        char *scope = fw_scope_of(rule);
        unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(scopes, scope));

        g_hash_table_replace(scopes, scope, GUINT_TO_POINTER(n + 1));
        fw_objects_count(layout->objects, rule, layout->sets, 1);
}

static void add_pair(const FwZone *from, const FwZone *to, const char *name, void *userdata)
{
        FwLayout *layout = userdata;
        FwPair pair_ = {.from = from, .to = to};

        if (name) {
                pair_.klass = g_hash_table_lookup(layout->classes, name);
                if (!pair_.klass) {
                        pair_.klass = fw_class_from_slice(name, layout->effective, layout->slice);
                        g_hash_table_insert(layout->classes, pair_.klass->name, pair_.klass);
                }
        }
        g_array_append_val(layout->pairs, pair_);
}

int fw_layout_new(PtSlice *slice, PtDiagnostics *diag, FwLayout **ret)
{
        return fw_layout_new_at(slice, NULL, diag, ret);
}

int fw_layout_new_at(PtSlice *slice, FwTimes *times, PtDiagnostics *diag, FwLayout **ret)
{
        g_autoptr(FwLayout) layout = g_new0(FwLayout, 1);
        FwNatPolicy policy;
        int r;

        layout->slice = pt_slice_ref(slice);
        layout->effective = fw_effective_new();
        layout->times = fw_times_ref(times);
        fw_effective_set_times(layout->effective, times);
        layout->objects = fw_objects_new();
        layout->scopes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        layout->classes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL,
                                                (GDestroyNotify) fw_class_free);
        layout->pairs = g_array_new(FALSE, FALSE, sizeof(FwPair));
        r = fw_zones_new(slice, diag, &layout->zones);
        if (r == 0)
                r = fw_tags_new(slice, NULL, diag, &layout->tags);
        if (r < 0)
                return r;
        layout->sets = fw_sets_new(slice);
        fw_effective_foreach(layout->effective, slice, count_rule, layout);
        fw_pairs_foreach(layout->zones, layout->scopes, add_pair, layout);
        policy = fw_nat_policy(layout->effective, slice);
        r = fw_nat_new(&policy, diag, &layout->nat);
        if (r >= 0)
                r = fw_pools_new(&policy, NULL, diag, &layout->pools);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&layout);
        return 0;
}

void fw_layout_foreach_class(const FwLayout *layout,
                             void (*each)(const FwClass *klass, void *userdata), void *userdata)
{
        GHashTable *const tables[] = {layout->classes, layout->nat->classes};

        for (unsigned i = 0; i < G_N_ELEMENTS(tables); i++) {
                GHashTableIter iter;
                FwClass *klass;

                g_hash_table_iter_init(&iter, tables[i]);
                while (g_hash_table_iter_next(&iter, NULL, (void **) &klass))
                        each(klass, userdata);
        }
}

void fw_layout_keep_tags(FwLayout *layout, const FwTags *before)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        FwTags *tags;

        if (!before || fw_tags_new(layout->slice, before, diag, &tags) < 0)
                return; /* that there are not too many is known: the layout was made */
        fw_tags_unref(layout->tags);
        layout->tags = tags;
}

void fw_layout_free(FwLayout *layout)
{
        if (!layout)
                return;
        fw_nat_free(layout->nat);
        g_clear_pointer(&layout->pools, g_hash_table_unref);
        fw_times_unref(layout->times);
        fw_tags_unref(layout->tags);
        g_clear_pointer(&layout->pairs, g_array_unref);
        g_clear_pointer(&layout->classes, g_hash_table_unref);
        g_clear_pointer(&layout->scopes, g_hash_table_unref);
        g_clear_pointer(&layout->objects, g_hash_table_unref);
        fw_sets_unref(layout->sets);
        fw_zones_free(layout->zones);
        fw_effective_free(layout->effective);
        pt_slice_unref(layout->slice);
        g_free(layout);
}
