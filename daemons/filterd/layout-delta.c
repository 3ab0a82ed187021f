/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "layout-delta.h"

#include "nat.h"
#include "objects.h"
#include "pools.h"

#include <string.h>

typedef struct Compare {
        FwLayoutDelta *delta;
        FwNatPolicy before, after; /* what NAT rules are read with */
        GHashTable *services;      /* names of those that differ; NULL: none */
        GHashTable *groups;        /* the same */
        bool times;                /* schedules say something else than before */
        GArray *nat;               /* FwNatChange */
        GHashTable *again; /* NAT rules of it that are the same objects: a set; NULL: none */
        bool zones, nat_settings, pools, tags;
} Compare;

static void note(FwLayoutDelta *delta, bool before, bool after)
{
        *(!before ? &delta->created : after ? &delta->updated : &delta->deleted) += 1;
}

static void add_rule_change(FwLayoutDelta *delta, const FirewallRule *before,
                            const FirewallRule *after)
{
        FwRuleChange change = {.before = before, .after = after};

        if (change.before == change.after)
                return;
        if (change.before)
                (void) pt_object_ref(&change.before->object);
        if (change.after)
                (void) pt_object_ref(&change.after->object);
        g_array_append_val(delta->rules, change);
        note(delta, change.before, change.after);
}

static void clear_rule_change(void *p)
{
        FwRuleChange *change = p;

        pt_object_unref((PtObject *) (uintptr_t) change->before);
        pt_object_unref((PtObject *) (uintptr_t) change->after);
}

/* NULL: it is not there, or not in force. */
static const FirewallRule *rule_of(const FwNatPolicy *policy, const PtObject *object)
{
        const FirewallRule *rule = (const FirewallRule *) object;

        if (object && object->kind == &pt_kind_nat_rule) {
                rule = fw_effective_linked(policy, (const NatRule *) object);
                return rule && fw_rule_enabled(rule) ? rule : NULL;
        }
        return object && fw_rule_in_force(policy->slice, policy->times, rule)
                       ? fw_effective_rule(policy->effective, policy->slice, rule)
                       : NULL;
}

/* Rules that are not in force count as absent. */
static const NatRule *in_force(const FwNatPolicy *policy, const PtObject *object)
{
        const NatRule *nat = (const NatRule *) object;

        return nat && fw_nat_in_force(policy, nat) ? nat : NULL;
}

static void compare_nat(Compare *compare, const PtObject *before, const PtObject *after)
{
        FwNatChange change = {.before = in_force(&compare->before, before),
                              .after = in_force(&compare->after, after)};

        if (change.before || change.after) {
                g_array_append_val(compare->nat, change);
                note(compare->delta, change.before, change.after);
        }
}

static void add_name(GHashTable **names, const PtObject *object)
{
        if (!*names)
                *names = g_hash_table_new(g_str_hash, g_str_equal);
        g_hash_table_add(*names, object->name);
}

static bool names_tags(const PtObject *rule)
{
        return rule &&
               (pt_object_has(rule, FW_RULE_SET_TAG) || pt_object_has(rule, FW_RULE_TAGGED));
}

static bool proxies(const PtObject *rule)
{
        return rule && fw_rule_proxies((const FirewallRule *) rule);
}

static int compare_object(const PtObject *before, const PtObject *after, void *userdata)
{
        Compare *compare = userdata;
        FwLayoutDelta *delta = compare->delta;
        const PtKind *kind = (before ?: after)->kind;

        if (kind == &pt_kind_zone || kind == &pt_kind_filter_settings ||
            kind == &pt_kind_nat_settings)
                compare->zones = true;
        if (kind == &pt_kind_nat_settings)
                compare->nat_settings = true;
        if (kind == &pt_kind_server_pool)
                compare->pools = true;
        if (kind == &pt_kind_service)
                add_name(&compare->services, before ?: after);
        if (kind == &pt_kind_rule_group)
                add_name(&compare->groups, before ?: after);
        if (kind == &pt_kind_nat_rule)
                compare_nat(compare, before, after);
        if (kind == &pt_kind_firewall_rule && (names_tags(before) || names_tags(after)))
                compare->tags = true;
        if (kind == &pt_kind_firewall_rule && (proxies(before) || proxies(after)))
                compare->zones = true;
        if (kind == &pt_kind_firewall_rule || kind == &pt_kind_nat_rule)
                add_rule_change(delta, rule_of(&compare->before, before),
                                rule_of(&compare->after, after));
        return 0;
}

static bool names_changed(const Compare *compare, const PtList *services)
{
        char *const *names = services->items;

        for (unsigned i = 0; compare->services && i < services->n; i++)
                if (g_hash_table_contains(compare->services, names[i]))
                        return true;
        return false;
}

/* A NAT rule that is the same in both slices, but not what NatSettings, services and its pool make of
 * it. */
static int compare_same_nat(const PtObject *object, void *userdata)
{
        Compare *compare = userdata;
        const NatRule *nat = (const NatRule *) object;

        if (pt_slice_get(compare->delta->slice, &pt_kind_nat_rule, object->name) != object ||
            (fw_nat_in_force(&compare->before, nat) == fw_nat_in_force(&compare->after, nat) &&
             fw_nat_reflects(&compare->before, nat) == fw_nat_reflects(&compare->after, nat) &&
             fw_nat_pool(&compare->before, nat) == fw_nat_pool(&compare->after, nat) &&
             !names_changed(compare, &nat->services)))
                return 0;
        if (!compare->again)
                compare->again = g_hash_table_new(NULL, NULL);
        g_hash_table_add(compare->again, (void *) (uintptr_t) object);
        compare_nat(compare, object, object);
        add_rule_change(compare->delta, rule_of(&compare->before, object),
                        rule_of(&compare->after, object));
        return 0;
}

/* A rule that is the same in both slices, but not what its services say, or whether its group is
 * enabled. */
static int compare_same_rule(const PtObject *object, void *userdata)
{
        Compare *compare = userdata;
        const FwRuleBox *box = fw_rule_box((const FirewallRule *) object);
        bool group =
                compare->groups && box->group && g_hash_table_contains(compare->groups, box->group);
        bool times = compare->times && box->schedule;

        if ((group || times || names_changed(compare, &box->services)) &&
            pt_slice_get(compare->delta->slice, &pt_kind_firewall_rule, object->name) == object)
                add_rule_change(compare->delta, rule_of(&compare->before, object),
                                rule_of(&compare->after, object));
        return 0;
}

static void count(GHashTable *scopes, const FirewallRule *rule, int by)
{
        g_autofree char *scope = fw_scope_of(rule);
        unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(scopes, scope)) + (unsigned) by;

        if (n == 0)
                g_hash_table_remove(scopes, scope);
        else
                g_hash_table_replace(scopes, g_steal_pointer(&scope), GUINT_TO_POINTER(n));
}

static GHashTable *copy_scopes(GHashTable *scopes)
{
        GHashTable *copy = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        GHashTableIter iter;
        gpointer scope, n;

        g_hash_table_iter_init(&iter, scopes);
        while (g_hash_table_iter_next(&iter, &scope, &n))
                g_hash_table_insert(copy, g_strdup(scope), n);
        return copy;
}

/* Objects that rules need, when one that changed needs any. */
static void change_objects(FwLayoutDelta *delta)
{
        for (unsigned i = 0; i < delta->rules->len; i++) {
                const FwRuleChange *change = &g_array_index(delta->rules, FwRuleChange, i);
                bool before = change->before && fw_objects_needed(change->before),
                     after = change->after && fw_objects_needed(change->after);

                if ((before || after) && !delta->objects)
                        delta->objects = fw_objects_copy(delta->layout->objects);
                /* The new ones first: what both need stays the same object. */
                if (after)
                        fw_objects_count(delta->objects, change->after,
                                         delta->sets ?: delta->layout->sets, 1);
                if (before)
                        fw_objects_count(delta->objects, change->before, delta->layout->sets, -1);
        }
}

static FwUnit *unit_at(const FwClass *klass, unsigned index)
{
        unsigned start;

        return fw_class_unit_at(klass, index, &start);
}

/* Whether the unit of the entry begins with it, after one of its shape: because they have a key in
 * common, which may be gone. */
static bool begins_at_collision(const FwClass *klass, unsigned index)
{
        unsigned start = 0;
        const FwUnit *unit = fw_class_unit_at(klass, index, &start);

        return unit && start == index && start > 0 &&
               g_array_index(klass->entries, FwEntry, start - 1).shape == unit->shape;
}

/*
 * The fold that a rule would join that stands at `index`. Cutting goes from left to right, so the
 * left neighbour takes it first; the right one only if the entry before is of another shape.
 */
static FwUnit *joins(const FwClass *klass, unsigned index, uint32_t shape)
{
        FwUnit *left = index > 0 ? unit_at(klass, index - 1) : NULL, *right = unit_at(klass, index);

        if (left && left->shape == shape)
                return left;
        if (right && right->shape == shape && right != left &&
            (index == 0 || g_array_index(klass->entries, FwEntry, index - 1).shape != shape))
                return right;
        return NULL;
}

static bool keys_free(const FwUnit *unit, const FirewallRule *rule, const FirewallRule *but)
{
        FwKey keys[FW_KEYS_MAX];
        unsigned n;

        if (fw_match_shape(rule, &n) != unit->shape)
                return false;
        n = fw_match_keys(rule, unit->shape, keys);
        for (unsigned i = 0; i < n; i++) {
                const FirewallRule *owner =
                        fw_unit_owner(unit, &keys[i], fw_shape_key_len(unit->shape));

                if (owner && owner != but)
                        return false;
        }
        return true;
}

static unsigned key_count(const FirewallRule *rule)
{
        unsigned n = 0;

        (void) fw_match_shape(rule, &n);
        return n;
}

static uint64_t mix_of(const FirewallRule *rule)
{
        uint8_t uid[16];
        uint64_t mix = 0;

        pt_object_uid(&rule->object, uid);
        for (unsigned i = 0; i < sizeof(mix); i++)
                mix = mix << 8 | uid[i];
        return mix;
}

/*
 * The unit that takes the change as a patch, or NULL: when the shape differs, a key is another
 * rule's, the order changes, the rule names the unit, the fold is small or becomes so
 * (FW_RUN_FRESH_MAX), or the next run began at a collision that may be gone.
 */
static FwUnit *patchable(const FwClass *klass, const FwRuleChange *change)
{
        const FirewallRule *before = change->before, *after = change->after;
        unsigned index = fw_entries_find(klass->entries, before ?: after), keys;
        FwUnit *unit;

        if (before && after && fw_effective_compare(before, after) != 0)
                return NULL;
        if (before) {
                unit = unit_at(klass, index);
        } else {
                unit = joins(klass, index, fw_match_shape(after, &keys));
        }
        if (!unit || !unit->shape || fw_unit_is_fixed(unit) || unit->collided ||
            (before && begins_at_collision(klass, index)))
                return NULL;
        if (after && !keys_free(unit, after, before))
                return NULL;
        if (before && !after && mix_of(before) == unit->mix)
                return NULL;
        if (!before && mix_of(after) < unit->mix)
                return NULL;
        keys = g_hash_table_size(unit->keys) + (after ? key_count(after) : 0) -
               (before ? key_count(before) : 0);
        return keys > FW_RUN_FRESH_MAX ? unit : NULL;
}

/* Two changes of one unit could each be a patch and yet together not (they may swap keys); so one
 * patch a unit. */
static bool unit_is_patched(const FwLayoutDelta *delta, const FwUnit *unit)
{
        for (unsigned i = 0; i < delta->patches->len; i++)
                if (g_array_index(delta->patches, FwPatch, i).unit == unit)
                        return true;
        return false;
}

static bool is_planned(const FwClass *klass)
{
        for (unsigned i = 0; i < klass->units->len; i++)
                if (((FwUnit *) g_ptr_array_index(klass->units, i))->plan)
                        return true;
        return false;
}

/* `again`: what it is made of is divided otherwise now. */
static void change_class(FwLayoutDelta *delta, FwClass *klass, const GArray *rules, bool again)
{
        unsigned first_patch = delta->patches->len;
        bool patched = !again || !is_planned(klass);
        bool touched = !patched;
        FwClassChange change = {.before = klass};
        GArray *entries;

        for (unsigned i = 0; i < rules->len && patched; i++) {
                FwRuleChange here = g_array_index(rules, FwRuleChange, i);
                FwUnit *unit;

                if (here.before && !fw_class_has(klass, here.before))
                        here.before = NULL;
                if (here.after && !fw_class_has(klass, here.after))
                        here.after = NULL;
                if (!here.before && !here.after)
                        continue;
                touched = true;
                unit = patchable(klass, &here);
                patched = unit && !unit_is_patched(delta, unit);
                if (patched) {
                        FwPatch patch = {.klass = klass,
                                         .unit = unit,
                                         .before = here.before,
                                         .after = here.after};

                        g_array_append_val(delta->patches, patch);
                }
        }
        if (patched || !touched)
                return;

        g_array_set_size(delta->patches, first_patch);
        entries = fw_entries_copy(klass->entries);
        /* All that leaves first: what enters may stand where something left. */
        for (unsigned i = 0; i < rules->len; i++) {
                const FirewallRule *before = g_array_index(rules, FwRuleChange, i).before;

                if (before && fw_class_has(klass, before))
                        g_array_remove_index(entries, fw_entries_find(entries, before));
        }
        for (unsigned i = 0; i < rules->len; i++) {
                const FirewallRule *after = g_array_index(rules, FwRuleChange, i).after;

                if (after && fw_class_has(klass, after))
                        fw_entries_insert(entries, fw_entries_find(entries, after), after);
        }
        change.after = fw_class_new(FW_CLASS_FILTER, klass->name, entries,
                                    fw_layout_copies(delta->slice), klass);
        g_array_append_val(delta->changes, change);
}

typedef struct PairBuilder {
        FwLayoutDelta *delta;
        GHashTable *classes; /* name -> FwClass of the new layout, borrowed */
} PairBuilder;

static void add_pair(const FwZone *from, const FwZone *to, const char *name, void *userdata)
{
        PairBuilder *builder = userdata;
        FwLayoutDelta *delta = builder->delta;
        FwPair pair = {.from = from, .to = to};

        if (name) {
                pair.klass = g_hash_table_lookup(builder->classes, name);
                if (!pair.klass)
                        pair.klass = g_hash_table_lookup(delta->layout->classes, name);
                if (!pair.klass) {
                        FwClassChange change = {
                                .after = fw_class_from_slice(name, delta->layout->effective,
                                                             delta->slice)};

                        g_array_append_val(delta->changes, change);
                        pair.klass = change.after;
                }
                g_hash_table_insert(builder->classes, pair.klass->name, pair.klass);
        }
        g_array_append_val(delta->pairs, pair);
}

static void clear_change(void *p)
{
        FwClassChange *change = p;

        fw_class_free(change->after);
}

/* Pairs and classes anew, when zones or the set of scopes changed: classes that no pair uses any
 * more go. */
static void change_pairs(FwLayoutDelta *delta)
{
        g_autoptr(GHashTable) classes = g_hash_table_new(g_str_hash, g_str_equal);
        PairBuilder builder = {.delta = delta, .classes = classes};
        GHashTableIter iter;
        FwClass *klass;

        delta->pairs = g_array_new(FALSE, FALSE, sizeof(FwPair));
        fw_pairs_foreach(delta->zones ?: delta->layout->zones,
                         delta->scopes ?: delta->layout->scopes, add_pair, &builder);
        g_hash_table_iter_init(&iter, delta->layout->classes);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &klass))
                if (!g_hash_table_contains(classes, klass->name)) {
                        FwClassChange change = {.before = klass};

                        g_array_append_val(delta->changes, change);
                }
        delta->dispatch = true;
}

typedef struct Moved {
        FwLayoutDelta *delta;
        GHashTable *changed; /* rules that differ anyway: a set */
} Moved;

static void add_moved(const FirewallRule *rule, void *userdata)
{
        Moved *moved = userdata;
        FwRuleChange change = {.before = rule, .after = rule};

        if (g_hash_table_contains(moved->changed, rule) ||
            !fw_sets_moves_rule(moved->delta->sets, rule))
                return;
        (void) pt_object_ref(&rule->object);
        (void) pt_object_ref(&rule->object);
        g_array_append_val(moved->delta->rules, change);
}

/* Rules that stay as they are, but look up a set that gets another name. */
static void add_moved_rules(FwLayoutDelta *delta)
{
        g_autoptr(GHashTable) changed = g_hash_table_new(NULL, NULL);
        Moved moved = {delta, changed};

        if (!delta->sets || !fw_sets_any_moves(delta->sets))
                return;
        for (unsigned i = 0; i < delta->rules->len; i++)
                g_hash_table_add(
                        changed,
                        (void *) (uintptr_t) g_array_index(delta->rules, FwRuleChange, i).after);
        fw_effective_foreach(delta->layout->effective, delta->slice, add_moved, &moved);
}

/* The same of NAT rules. */
static int add_moved_nat(const PtObject *object, void *userdata)
{
        Compare *compare = userdata;
        const NatRule *nat = (const NatRule *) object;
        const PtObject *before =
                pt_slice_get(compare->delta->layout->slice, &pt_kind_nat_rule, object->name);
        FwNatChange change = {.before = (const NatRule *) before, .after = nat};

        if (compare->again && g_hash_table_contains(compare->again, object))
                return 0; /* it is made anew anyway */
        if (before && pt_digest_equal(&before->digest, &object->digest) &&
            fw_nat_in_force(&compare->after, nat) && fw_nat_in_force(&compare->before, nat) &&
            fw_sets_moves(compare->delta->sets, &nat->source, &nat->destination))
                g_array_append_val(compare->nat, change);
        return 0;
}

static int change_nat(Compare *compare, PtDiagnostics *diag)
{
        FwLayoutDelta *delta = compare->delta;

        if (delta->sets && fw_sets_any_moves(delta->sets))
                (void) pt_slice_foreach(delta->slice, &pt_kind_nat_rule, add_moved_nat, compare);
        if (compare->nat->len == 0)
                return 0;
        return fw_nat_delta(delta->layout->nat, &compare->before, &compare->after, compare->nat,
                            delta->changes, diag, &delta->nat_scopes, &delta->dispatch);
}

static int change_pools(const Compare *compare, PtDiagnostics *diag)
{
        FwLayoutDelta *delta = compare->delta;
        g_autoptr(GHashTable) pools = NULL;
        int r;

        if (compare->nat->len == 0)
                return 0; /* whatever changed, no rule in force names it */
        r = fw_pools_new(&compare->after, delta->layout->pools, diag, &pools);
        if (r == 0 && !fw_pools_same(pools, delta->layout->pools))
                delta->pools = g_steal_pointer(&pools);
        return r;
}

static int change_tags(FwLayoutDelta *delta, PtDiagnostics *diag)
{
        g_autoptr(FwTags) tags = NULL;
        int r = fw_tags_new(delta->slice, delta->layout->tags, diag, &tags);

        if (r == 0 && !fw_tags_same(tags, delta->layout->tags))
                delta->tags = g_steal_pointer(&tags);
        return r;
}

static bool goes(const FwLayoutDelta *delta, const FwClass *klass)
{
        for (unsigned i = 0; i < delta->changes->len; i++)
                if (g_array_index(delta->changes, FwClassChange, i).before == klass)
                        return true;
        return false;
}

/* The numbers of rules as they will be; true when a scope came into being or ceased: not when its
 * only rule is another one now. */
static bool change_scopes(FwLayoutDelta *delta)
{
        if (delta->rules->len == 0)
                return false;
        delta->scopes = copy_scopes(delta->layout->scopes);
        for (unsigned i = 0; i < delta->rules->len; i++) {
                const FwRuleChange *change = &g_array_index(delta->rules, FwRuleChange, i);

                if (change->before)
                        count(delta->scopes, change->before, -1);
                if (change->after)
                        count(delta->scopes, change->after, 1);
        }
        return !fw_scopes_same(delta->layout->scopes, delta->scopes);
}

/* What the slices hold needs no second holder while the change waits for the kernel: of a whole load
 * that is nearly all. */
static void forget_plain(FwLayoutDelta *delta)
{
        GArray *kept = g_array_new(FALSE, FALSE, sizeof(FwRuleChange));

        g_array_set_clear_func(kept, clear_rule_change);
        for (unsigned i = 0; i < delta->rules->len; i++) {
                FwRuleChange *change = &g_array_index(delta->rules, FwRuleChange, i);

                if ((change->before && fw_effective_of(change->before)) ||
                    (change->after && fw_effective_of(change->after))) {
                        g_array_append_val(kept, *change);
                        *change = (FwRuleChange){0};
                }
        }
        g_array_unref(delta->rules);
        delta->rules = kept;
}

static bool same_times(const FwTimes *a, const FwTimes *b)
{
        static const FwTimes none;

        return memcmp((a ?: &none)->digest, (b ?: &none)->digest, sizeof(none.digest)) == 0;
}

int fw_delta_new(FwLayout *layout, PtSlice *slice, FwLive *live, PtDiagnostics *diag,
                 FwLayoutDelta **ret)
{
        g_autoptr(FwLayoutDelta) delta = g_new0(FwLayoutDelta, 1);
        g_autoptr(GHashTable) services = NULL, groups = NULL, again = NULL;
        g_autoptr(GArray) nat = g_array_new(FALSE, FALSE, sizeof(FwNatChange));
        Compare compare = {.delta = delta, .nat = nat};
        GArray *rules;
        GHashTableIter iter;
        FwClass *klass;
        bool edge, divided = fw_layout_copies(layout->slice) != fw_layout_copies(slice);
        int r;

        fw_effective_sweep(layout->effective);
        delta->layout = layout;
        delta->slice = pt_slice_ref(slice);
        rules = delta->rules = g_array_new(FALSE, FALSE, sizeof(FwRuleChange));
        g_array_set_clear_func(rules, clear_rule_change);
        delta->patches = g_array_new(FALSE, FALSE, sizeof(FwPatch));
        delta->changes = g_array_new(FALSE, FALSE, sizeof(FwClassChange));
        g_array_set_clear_func(delta->changes, clear_change);

        compare.before = fw_nat_policy(layout->effective, layout->slice);
        compare.after = fw_nat_policy(layout->effective, slice);
        compare.before.times = layout->times;
        compare.times = !same_times(compare.before.times, compare.after.times);
        delta->times = fw_times_ref(fw_effective_times(layout->effective));
        (void) pt_slice_compare(layout->slice, slice, compare_object, &compare);
        services = compare.services;
        groups = compare.groups;
        if (compare.nat_settings || compare.pools || services)
                (void) pt_slice_foreach(layout->slice, &pt_kind_nat_rule, compare_same_nat,
                                        &compare);
        again = compare.again;
        if (services || groups || compare.times)
                (void) pt_slice_foreach(layout->slice, &pt_kind_firewall_rule, compare_same_rule,
                                        &compare);
        if (compare.zones) {
                r = fw_zones_new(slice, diag, &delta->zones);
                if (r < 0)
                        return r;
        }
        if (compare.tags) {
                r = change_tags(delta, diag);
                if (r < 0)
                        return r;
        }
        edge = change_scopes(delta);
        r = fw_sets_change(layout->sets, layout->slice, slice,
                           rules->len == 0 && nat->len == 0 && !compare.zones, live, diag,
                           &delta->sets);
        if (r < 0)
                return r;
        if (compare.zones || edge)
                change_pairs(delta);
        add_moved_rules(delta);
        change_objects(delta);

        g_hash_table_iter_init(&iter, layout->classes);
        while ((rules->len > 0 || divided) && g_hash_table_iter_next(&iter, NULL, (void **) &klass))
                if (!goes(delta, klass))
                        change_class(delta, klass, rules, divided);
        r = change_nat(&compare, diag);
        if (r >= 0)
                r = change_pools(&compare, diag);
        if (r < 0)
                return r;
        forget_plain(delta);
        *ret = g_steal_pointer(&delta);
        return 0;
}

bool fw_delta_is_empty(const FwLayoutDelta *delta)
{
        if (delta->sets && fw_sets_changes(delta->sets)->len > 0)
                return false;
        return !delta->dispatch && !delta->pools && !delta->tags && delta->patches->len == 0 &&
               delta->changes->len == 0;
}

static void apply_patch(const FwPatch *patch)
{
        GArray *entries = patch->klass->entries;

        if (patch->before) {
                fw_unit_release(patch->unit, patch->before);
                g_array_remove_index(entries, fw_entries_find(entries, patch->before));
                patch->unit->n--;
        }
        if (patch->after) {
                fw_unit_claim(patch->unit, patch->after);
                fw_entries_insert(entries, fw_entries_find(entries, patch->after), patch->after);
                patch->unit->n++;
        }
}

static void repoint(GArray *pairs, const FwClassChange *change)
{
        for (unsigned i = 0; pairs && i < pairs->len; i++) {
                FwPair *pair = &g_array_index(pairs, FwPair, i);

                if (pair->klass == change->before)
                        pair->klass = change->after;
        }
}

static void apply_change(const FwLayoutDelta *delta, FwClassChange *change)
{
        FwLayout *layout = delta->layout;
        bool nat = (change->before ?: change->after)->sort == FW_CLASS_NAT;
        GHashTable *table = nat ? layout->nat->classes : layout->classes;

        if (!nat && change->before && change->after) {
                repoint(layout->pairs, change);
                repoint(delta->pairs, change);
        }
        if (change->before)
                g_hash_table_remove(table, change->before->name);
        if (change->after) {
                FwClass *after = g_steal_pointer(&change->after);

                g_hash_table_insert(table, after->name, after);
        }
}

void fw_delta_apply(FwLayoutDelta *delta)
{
        FwLayout *layout = delta->layout;
        PtSlice *slice = layout->slice;

        for (unsigned i = 0; i < delta->patches->len; i++)
                apply_patch(&g_array_index(delta->patches, FwPatch, i));
        for (unsigned i = 0; i < delta->changes->len; i++)
                apply_change(delta, &g_array_index(delta->changes, FwClassChange, i));
        if (delta->zones) {
                fw_zones_free(layout->zones);
                layout->zones = g_steal_pointer(&delta->zones);
        }
        if (delta->scopes) {
                g_hash_table_unref(layout->scopes);
                layout->scopes = g_steal_pointer(&delta->scopes);
        }
        if (delta->pairs) {
                g_array_unref(layout->pairs);
                layout->pairs = g_steal_pointer(&delta->pairs);
        }
        if (delta->objects) {
                g_hash_table_unref(layout->objects);
                layout->objects = g_steal_pointer(&delta->objects);
        }
        if (delta->sets) {
                fw_sets_unref(layout->sets);
                layout->sets = g_steal_pointer(&delta->sets);
                fw_sets_settle(layout->sets);
        }
        if (delta->pools) {
                g_hash_table_unref(layout->pools);
                layout->pools = g_steal_pointer(&delta->pools);
        }
        if (delta->tags) {
                fw_tags_unref(layout->tags);
                layout->tags = g_steal_pointer(&delta->tags);
        }
        if (delta->nat_scopes) {
                g_hash_table_unref(layout->nat->scopes);
                layout->nat->scopes = g_steal_pointer(&delta->nat_scopes);
        }
        fw_times_unref(layout->times);
        layout->times = fw_times_ref(delta->times);
        layout->slice = pt_slice_ref(delta->slice);
        pt_slice_unref(slice);
}

void fw_delta_free(FwLayoutDelta *delta)
{
        if (!delta)
                return;
        g_clear_pointer(&delta->changes, g_array_unref);
        g_clear_pointer(&delta->patches, g_array_unref);
        g_clear_pointer(&delta->rules, g_array_unref);
        g_clear_pointer(&delta->pairs, g_array_unref);
        g_clear_pointer(&delta->pools, g_hash_table_unref);
        g_clear_pointer(&delta->nat_scopes, g_hash_table_unref);
        g_clear_pointer(&delta->scopes, g_hash_table_unref);
        g_clear_pointer(&delta->objects, g_hash_table_unref);
        fw_sets_unref(delta->sets);
        fw_zones_free(delta->zones);
        fw_times_unref(delta->times);
        fw_tags_unref(delta->tags);
        pt_slice_unref(delta->slice);
        g_free(delta);
}
