/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "emit.h"

#include "base/marks.h"
#include "emit-internal.h"
#include "kept-counts.h"
#include "marks.h"
#include "nat.h"
#include "netlink/nft-expr.h"
#include "objects.h"
#include "pools.h"
#include "resync.h"
#include "sequence.h"
#include "sets-emit.h"
#include "touched.h"

#include <linux/netfilter.h>
#include <string.h>

#define TABLE PT_MARK_NFT_TABLE
/* Above this many elements that leave a map, reading the whole map is cheaper than asking for each.
 */
#define SINGLE_READS_MAX 512

bool fw_emit_take(Emit *emit, const char *owner, const FirewallRule *rule, FwCount *ret)
{
        uint8_t uid[16];

        *ret = (FwCount){0};
        pt_object_uid(&rule->object, uid);
        return fw_carry_take(emit->carry, owner, uid, ret);
}

bool fw_emit_rule_moves(const Emit *emit, const FirewallRule *rule)
{
        return emit->moves && fw_sets_moves_rule(emit->moves, rule);
}

/* Elements. */

static struct nftnl_set_elem *element_new(const FwElement *element)
{
        struct nftnl_set_elem *e = nftnl_set_elem_alloc();

        g_assert(e);
        nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, element->key, (uint32_t) element->len);
        if (element->key_end)
                nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY_END, element->key_end,
                                   (uint32_t) element->len);
        return e;
}

void fw_emit_element(Emit *emit, PtNftBatch *batch, const FwElement *element, const FwCount *count,
                     bool carried)
{
        struct nftnl_set_elem *e = element_new(element);
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        const char *target;
        uint32_t verdict = (uint32_t) fw_rule_verdict(element->rule, &target);
        size_t size = fw_rule_userdata(element->rule, 0, carried, userdata);

        nftnl_set_elem_set(e, NFTNL_SET_ELEM_VERDICT, &verdict, sizeof(verdict));
        if (target)
                nftnl_set_elem_set_str(e, NFTNL_SET_ELEM_CHAIN, target);
        nftnl_set_elem_set(e, NFTNL_SET_ELEM_USERDATA, userdata, (uint32_t) size);
        if (count)
                nftnl_set_elem_add_expr(e, pt_nft_counter_new(count->packets, count->bytes));
        fw_touched_element(emit->touched, element->map, element->key, element->len, element->rule);
        pt_nft_batch_element(batch, e);
}

void fw_emit_element_gone(Emit *emit, const FwElement *element)
{
        fw_touched_gone(emit->touched, element->map, element->key, element->len,
                        element->key_end != NULL);
        pt_nft_batch_element(emit->batch, element_new(element));
}

/* Runs. */

static FwElement element_of(const FwClass *klass, const FwUnit *unit, const FirewallRule *rule,
                            const FwKey *key)
{
        return (FwElement){.owner = klass->chain,
                           .map = unit->name,
                           .rule = rule,
                           .key = key->bytes,
                           .len = fw_shape_key_len(unit->shape)};
}

/* Between elements_begin and _end, for the keys of several rules. */
static void put_keys(Emit *emit, PtNftBatch *batch, const FwClass *klass, const FwUnit *unit,
                     const FirewallRule *rule, bool remove)
{
        FwKey keys[FW_KEYS_MAX];
        FwCount count;
        bool carried = !remove && fw_emit_take(emit, klass->chain, rule, &count);
        unsigned n = fw_match_keys(rule, unit->shape, keys);

        for (unsigned i = 0; i < n; i++) {
                FwElement element = element_of(klass, unit, rule, &keys[i]);

                /* The rule's count is the sum over its elements: the first carries it. */
                if (remove)
                        fw_emit_element_gone(emit, &element);
                else
                        fw_emit_element(emit, batch, &element, i == 0 && carried ? &count : NULL,
                                        carried);
        }
}

/* Whole before anything looks it up, as all that is named by its content. */
static void put_fold(Emit *emit, const FwClass *klass, const FwUnit *unit, unsigned start)
{
        PtNftBatch *batch = emit->batch;
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = unit->name,
                .id = ++emit->set_id,
                .flags = NFT_SET_MAP,
                .key_type = fw_shape_key_type(unit->shape),
                .key_len = (uint32_t) fw_shape_key_len(unit->shape),
                .data_type = NFT_DATA_VERDICT,
                .counter = true,
        };

        if (fw_unit_is_fixed(unit) && fw_stages_has(emit->stages, unit->name))
                return;
        if (fw_unit_is_fixed(unit)) {
                fw_stages_part(emit->stages);
                batch = emit->stages->before;
        }
        pt_nft_batch_add_set(batch, &spec);
        pt_nft_batch_elements_begin(batch, TABLE, unit->name, spec.id, false);
        for (unsigned i = 0; i < unit->n; i++)
                put_keys(emit, batch, klass, unit,
                         g_array_index(klass->entries, FwEntry, start + i).rule, false);
        pt_nft_batch_elements_end(batch);
}

/* The caller frees the rules. */
static FwShard shard_of(const FwClass *klass, const FwUnit *unit, unsigned start)
{
        const FirewallRule **rules = g_new(const FirewallRule *, unit->n + 1);

        for (unsigned i = 0; i < unit->n; i++)
                rules[i] = g_array_index(klass->entries, FwEntry, start + i).rule;
        return (FwShard){klass->chain, unit->name, rules, unit->n};
}

static void shard_clear(FwShard *shard)
{
        g_free((void *) (uintptr_t) shard->rules);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FwShard, shard_clear)

static void put_unit(Emit *emit, const FwClass *klass, const FwUnit *unit, unsigned start)
{
        g_auto(FwShard) shard = {0};

        if (unit->shape) {
                put_fold(emit, klass, unit, start);
        } else if (unit->plan) {
                fw_emit_plan(emit, klass->chain, unit->plan);
        } else {
                shard = shard_of(klass, unit, start);
                fw_emit_shard(emit, &shard, false);
        }
}

static FwUnit *unit_at(const FwClass *klass, unsigned i)
{
        return g_ptr_array_index(klass->units, i);
}

static const char *unit_name(unsigned i, const void *userdata)
{
        return unit_at(userdata, i)->name;
}

/* The rule of the class's chain that leads to a unit. */
static struct nftnl_rule *unit_rule(unsigned i, const void *userdata)
{
        const FwClass *klass = userdata;
        const FwUnit *unit = unit_at(klass, i);
        struct nftnl_rule *rule = fw_emit_lead(klass->chain, unit->name);

        if (unit->shape)
                fw_shape_put(unit->shape, unit->name, 0, rule);
        else
                pt_nft_verdict(rule, NFT_JUMP, unit->name);
        return rule;
}

static void put_class(const FwClass *klass, void *userdata)
{
        Emit *emit = userdata;
        unsigned start = 0;

        pt_nft_batch_add_chain(emit->batch, TABLE, klass->chain, NULL);
        for (unsigned i = 0; i < klass->units->len; i++) {
                const FwUnit *unit = g_ptr_array_index(klass->units, i);

                put_unit(emit, klass, unit, start);
                pt_nft_batch_append_rule(emit->batch, unit_rule(i, klass));
                start += unit->n;
        }
}

void fw_emit_all(const FwLayout *layout, const FwMarker *marker, bool replace, FwCarry *carry,
                 GHashTable *counts, PtNftBatch *batch, FwTouched *touched)
{
        g_autoptr(FwStages) stages = fw_stages_of_batch(batch);
        Emit emit = {.stages = stages,
                     .batch = batch,
                     .touched = touched,
                     .carry = carry,
                     .sets = layout->sets,
                     .tags = layout->tags};
        FwDispatchTo to = {layout->zones, layout->pairs, layout->nat->scopes};

        fw_touched_expect(touched, layout);
        if (replace) {
                /* Adding what may exist makes deleting it always right. */
                pt_nft_batch_add_table(batch, TABLE);
                pt_nft_batch_delete_table(batch, TABLE);
        }
        fw_ruleset_put_base(batch);
        fw_sets_put(layout->sets, stages, touched);
        fw_objects_put(layout->objects, NULL, counts, stages);
        fw_pools_put(layout->pools, NULL, layout->health, batch);
        fw_marks_put_tags(layout->tags, batch);
        fw_layout_foreach_class(layout, put_class, &emit);
        if (carry) {
                g_autoptr(FwKeptCounts) kept = fw_kept_counts_new(layout->effective, layout->slice);

                fw_kept_counts_put(kept, NULL, carry, batch);
        }
        fw_ruleset_put_dispatch(&to, NULL, counts, stages);
        fw_ruleset_put_marker(marker, false, batch);
}

/* Deltas. */

/* Reading what is about to leave. */

typedef struct ElementReader {
        Emit *emit;
        const FwElement *element;
        bool other;
} ElementReader;

static int read_leaving(struct nftnl_set_elem *element, void *userdata)
{
        ElementReader *reader = userdata;
        uint64_t packets, bytes;
        FwTag tag, wanted;

        fw_tag_of(reader->element->rule, 0, false, &wanted);
        if (!fw_tag_read_element(element, &tag) || !fw_tag_same(&tag, &wanted)) {
                reader->other = true;
                return 0;
        }
        if (pt_nft_element_counter(element, &packets, &bytes))
                fw_carry_add(reader->emit->carry, reader->element->owner, tag.uid, packets, bytes);
        return 0;
}

int fw_emit_carry_element(Emit *emit, const FwElement *element)
{
        ElementReader reader = {.emit = emit, .element = element};
        int r = pt_nft_get_element(emit->nft, TABLE, element->map, element->key,
                                   (uint32_t) element->len, read_leaving, &reader);

        return r < 0 ? r : reader.other ? -EUCLEAN : 0;
}

static int carry_keys(Emit *emit, const FwClass *klass, const FwUnit *unit,
                      const FirewallRule *rule)
{
        FwKey keys[FW_KEYS_MAX];
        unsigned n = fw_match_keys(rule, unit->shape, keys);
        int r = 0;

        for (unsigned i = 0; r == 0 && i < n; i++) {
                FwElement element = element_of(klass, unit, rule, &keys[i]);

                r = fw_emit_carry_element(emit, &element);
        }
        return r;
}

/* A class that changes: its units by name, before and after. */

typedef struct UnitChange {
        const FwUnit *before, *after; /* either may be NULL */
        unsigned start_before, start_after;
        GArray *kernel;     /* of a shard that changes or goes: what is there */
        GPtrArray *leaving; /* of a fold that changes: rules whose keys go, and come */
        GPtrArray *coming;
        FwPlanChange *plan; /* of a stretch that changes, comes or goes */
} UnitChange;

static void unit_change_clear(void *p)
{
        UnitChange *change = p;

        g_clear_pointer(&change->kernel, g_array_unref);
        g_clear_pointer(&change->leaving, g_ptr_array_unref);
        g_clear_pointer(&change->coming, g_ptr_array_unref);
        g_clear_pointer(&change->plan, fw_plan_change_free);
}

static const FirewallRule *rule_at(const FwClass *klass, unsigned i)
{
        return g_array_index(klass->entries, FwEntry, i).rule;
}

static bool same_rules(const Emit *emit, const FwClassChange *change, const UnitChange *unit)
{
        if (unit->before->n != unit->after->n || unit->before->shape != unit->after->shape)
                return false;
        for (unsigned i = 0; i < unit->after->n; i++)
                if (rule_at(change->before, unit->start_before + i) !=
                            rule_at(change->after, unit->start_after + i) ||
                    fw_emit_rule_moves(emit, rule_at(change->after, unit->start_after + i)))
                        return false;
        return true;
}

static GArray *pair_units(const FwClassChange *change)
{
        GArray *units = g_array_new(FALSE, TRUE, sizeof(UnitChange));
        g_autoptr(GHashTable) by_name = g_hash_table_new(g_str_hash, g_str_equal);
        unsigned start = 0;

        g_array_set_clear_func(units, unit_change_clear);
        for (unsigned i = 0; change->before && i < change->before->units->len; i++) {
                UnitChange unit = {.before = g_ptr_array_index(change->before->units, i),
                                   .start_before = start};

                g_array_append_val(units, unit);
                g_hash_table_insert(by_name, unit.before->name, GUINT_TO_POINTER(units->len));
                start += unit.before->n;
        }
        start = 0;
        for (unsigned i = 0; change->after && i < change->after->units->len; i++) {
                const FwUnit *after = g_ptr_array_index(change->after->units, i);
                unsigned index = GPOINTER_TO_UINT(g_hash_table_lookup(by_name, after->name));
                UnitChange fresh = {.after = after, .start_after = start};

                if (index > 0) {
                        UnitChange *unit = &g_array_index(units, UnitChange, index - 1);

                        unit->after = after;
                        unit->start_after = start;
                } else {
                        g_array_append_val(units, fresh);
                }
                start += after->n;
        }
        return units;
}

/* Rules of one list of a fold that are not in the other, by object. */
static GPtrArray *only_in(const FwClass *a, const FwUnit *unit_a, unsigned start_a,
                          const FwClass *b, const FwUnit *unit_b, unsigned start_b)
{
        g_autoptr(GHashTable) others = g_hash_table_new(NULL, NULL);
        GPtrArray *only = g_ptr_array_new();

        for (unsigned i = 0; i < unit_b->n; i++)
                g_hash_table_add(others, (void *) (uintptr_t) rule_at(b, start_b + i));
        for (unsigned i = 0; i < unit_a->n; i++)
                if (!g_hash_table_contains(others, rule_at(a, start_a + i)))
                        g_ptr_array_add(only, (void *) (uintptr_t) rule_at(a, start_a + i));
        return only;
}

/* Whose counts are read: of a class that goes, any other's that has the rule. */
static const char *owner_of(const FwClassChange *change)
{
        return change->after ? change->before->chain : fw_carry_gone(change->before->chain);
}

static int read_shard(Emit *emit, const FwClassChange *change, UnitChange *unit)
{
        g_auto(FwShard) before = shard_of(change->before, unit->before, unit->start_before);
        g_auto(FwShard) after = {0};
        int r;

        before.owner = owner_of(change);
        if (unit->after)
                after = shard_of(change->after, unit->after, unit->start_after);
        r = fw_kernel_read(emit->nft, TABLE, before.chain, &unit->kernel);
        if (r == 0)
                fw_emit_carry_chain(emit, &before, unit->after ? &after : NULL, unit->kernel);
        return r;
}

static int read_unit(Emit *emit, const FwClassChange *change, UnitChange *unit)
{
        int r = 0;

        if (!unit->before || (unit->after && same_rules(emit, change, unit)))
                return 0;
        if (unit->before->plan) {
                unit->plan = fw_plan_change_new(owner_of(change), unit->before->plan,
                                                unit->after ? unit->after->plan : NULL);
                return fw_plan_change_read(emit, unit->plan);
        }
        if (!unit->before->shape)
                return read_shard(emit, change, unit);
        if (!unit->after)
                return fw_carry_read_map(emit->nft, owner_of(change), unit->before->name,
                                         emit->carry);

        unit->leaving = only_in(change->before, unit->before, unit->start_before, change->after,
                                unit->after, unit->start_after);
        unit->coming = only_in(change->after, unit->after, unit->start_after, change->before,
                               unit->before, unit->start_before);
        if (unit->leaving->len > SINGLE_READS_MAX)
                return fw_carry_read_map(emit->nft, change->before->chain, unit->before->name,
                                         emit->carry);
        for (unsigned i = 0; r == 0 && i < unit->leaving->len; i++)
                r = carry_keys(emit, change->before, unit->before,
                               g_ptr_array_index(unit->leaving, i));
        return r;
}

static void sync_shard(Emit *emit, const FwClassChange *change, const UnitChange *unit)
{
        g_auto(FwShard) shard = shard_of(change->after, unit->after, unit->start_after);

        fw_emit_shard_sync(emit, &shard, unit->kernel);
}

static void sync_fold(Emit *emit, const FwClassChange *change, const UnitChange *unit)
{
        pt_nft_batch_elements_begin(emit->batch, TABLE, unit->before->name, 0, true);
        for (unsigned i = 0; i < unit->leaving->len; i++)
                put_keys(emit, emit->batch, change->before, unit->before,
                         g_ptr_array_index(unit->leaving, i), true);
        pt_nft_batch_elements_end(emit->batch);
        pt_nft_batch_elements_begin(emit->batch, TABLE, unit->after->name, 0, false);
        for (unsigned i = 0; i < unit->coming->len; i++)
                put_keys(emit, emit->batch, change->after, unit->after,
                         g_ptr_array_index(unit->coming, i), false);
        pt_nft_batch_elements_end(emit->batch);
}

static bool list_of_units_differs(const FwClassChange *change)
{
        if (change->before->units->len != change->after->units->len)
                return true;
        for (unsigned i = 0; i < change->after->units->len; i++)
                if (strcmp(((FwUnit *) g_ptr_array_index(change->before->units, i))->name,
                           ((FwUnit *) g_ptr_array_index(change->after->units, i))->name) != 0)
                        return true;
        return false;
}

static void delete_unit(Emit *emit, const UnitChange *unit)
{
        if (unit->before->shape)
                pt_nft_batch_delete_set(emit->stages->after, TABLE, unit->before->name);
        else if (!unit->before->plan)
                fw_emit_chain_drop(emit, unit->before->name);
}

/* Everything but what goes: that waits until nothing leads there. */
static int change_class(Emit *emit, const FwClassChange *change, GArray *units)
{
        FwLeads leads = {.chain = change->after->chain,
                         .n = change->after->units->len,
                         .name = unit_name,
                         .make = unit_rule,
                         .userdata = change->after};
        int r = 0;

        for (unsigned i = 0; r == 0 && i < units->len; i++) {
                const UnitChange *unit = &g_array_index(units, UnitChange, i);

                if (!unit->before)
                        put_unit(emit, change->after, unit->after, unit->start_after);
                else if (unit->after && unit->kernel)
                        sync_shard(emit, change, unit);
                else if (unit->after && unit->leaving)
                        sync_fold(emit, change, unit);
                else if (unit->after && unit->plan)
                        r = fw_plan_change_put(emit, unit->plan);
        }
        return r == 0 && list_of_units_differs(change) ? fw_emit_leads_sync(emit, &leads) : r;
}

static int emit_patch(Emit *emit, const FwPatch *patch)
{
        int r;

        if (patch->before) {
                r = carry_keys(emit, patch->klass, patch->unit, patch->before);
                if (r < 0)
                        return r;
                pt_nft_batch_elements_begin(emit->batch, TABLE, patch->unit->name, 0, true);
                put_keys(emit, emit->batch, patch->klass, patch->unit, patch->before, true);
                pt_nft_batch_elements_end(emit->batch);
        }
        if (patch->after) {
                pt_nft_batch_elements_begin(emit->batch, TABLE, patch->unit->name, 0, false);
                put_keys(emit, emit->batch, patch->klass, patch->unit, patch->after, false);
                pt_nft_batch_elements_end(emit->batch);
        }
        return 0;
}

/* What nothing leads to any more. */
static void delete_gone(Emit *emit, const FwLayoutDelta *delta, const GPtrArray *units)
{
        for (unsigned i = 0; i < delta->changes->len; i++) {
                const FwClassChange *change = &g_array_index(delta->changes, FwClassChange, i);
                GArray *list = g_ptr_array_index(units, i);

                if (!change->after)
                        pt_nft_batch_flush_chain(emit->stages->after, TABLE, change->before->chain);
                for (unsigned k = 0; k < list->len; k++) {
                        const UnitChange *unit = &g_array_index(list, UnitChange, k);

                        if (unit->plan)
                                fw_plan_change_drop(emit, unit->plan);
                        if (unit->before && !unit->after)
                                delete_unit(emit, unit);
                }
                if (!change->after)
                        pt_nft_batch_delete_chain(emit->stages->after, TABLE,
                                                  change->before->chain);
        }
}

int fw_emit_delta(const FwLayoutDelta *delta, const FwMarker *marker, const FwMarker *old,
                  PtNft *nft, FwStages *stages, FwTouched *touched)
{
        g_autoptr(FwCarry) carry = fw_carry_new();
        g_autoptr(FwKeptCounts) kept = fw_kept_counts_new(delta->layout->effective, delta->slice);
        g_autoptr(GPtrArray) units =
                g_ptr_array_new_with_free_func((GDestroyNotify) g_array_unref); /* per change */
        g_autoptr(GHashTable) counts = NULL;
        const FwLayout *layout = delta->layout;
        FwMarker begun = *marker, about = *old;
        FwDispatchTo to = {delta->zones ?: layout->zones, delta->pairs ?: layout->pairs,
                           delta->nat_scopes ?: layout->nat->scopes};
        FwDispatchTo from = {layout->zones, layout->pairs, layout->nat->scopes};
        Emit emit = {.stages = stages,
                     .batch = stages->batch,
                     .touched = touched,
                     .carry = carry,
                     .nft = nft,
                     .sets = delta->sets ?: layout->sets,
                     .tags = delta->tags ?: layout->tags};
        int r = 0;

        if (delta->sets && fw_sets_any_moves(delta->sets))
                emit.moves = delta->sets;
        if (delta->sets)
                fw_sets_put(delta->sets, stages, touched);
        if (delta->objects) {
                g_autoptr(GHashTable) dropped =
                        g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

                r = fw_objects_read_counts(delta->layout->objects, nft, dropped);
                fw_objects_put(delta->objects, delta->layout->objects, dropped, stages);
        }
        /* The first time before all else, so that connections which begin now have labels. */
        if (delta->tags)
                fw_marks_put_tags(delta->tags,
                                  fw_tags_is_unused(layout->tags) ? stages->before : stages->batch);
        if (delta->pools)
                fw_pools_put(delta->pools, layout->pools, layout->health, stages->batch);
        if (r == 0)
                r = fw_kept_counts_read(kept, nft, carry);
        for (unsigned i = 0; i < delta->changes->len; i++) {
                const FwClassChange *change = &g_array_index(delta->changes, FwClassChange, i);
                GArray *list = pair_units(change);

                g_ptr_array_add(units, list);
                for (unsigned k = 0; r == 0 && k < list->len; k++)
                        r = read_unit(&emit, change, &g_array_index(list, UnitChange, k));
        }
        for (unsigned i = 0; r == 0 && i < delta->patches->len; i++)
                r = emit_patch(&emit, &g_array_index(delta->patches, FwPatch, i));
        for (unsigned i = 0; r == 0 && i < delta->changes->len; i++) {
                const FwClassChange *change = &g_array_index(delta->changes, FwClassChange, i);

                if (change->before && change->after)
                        r = change_class(&emit, change, g_ptr_array_index(units, i));
                else if (change->after)
                        put_class(change->after, &emit);
        }
        if (r == 0)
                fw_kept_counts_put(kept, layout->slice, carry, stages->batch);
        if (r == 0 && delta->dispatch) {
                r = fw_ruleset_read_fixed(nft, layout->zones, false, &counts);
                if (r == 0)
                        fw_ruleset_put_dispatch(&to, &from, counts, stages);
        }
        if (r < 0)
                return r;

        delete_gone(&emit, delta, units);
        if (delta->objects)
                fw_objects_put_drops(delta->layout->objects, delta->objects, stages->after);
        if (delta->pools)
                fw_pools_put_drops(layout->pools, delta->pools, stages->after);
        if (delta->sets)
                fw_sets_put_drops(delta->sets, stages->after);
        begun.unswept = !pt_nft_batch_is_empty(stages->after);
        fw_ruleset_put_marker(&begun, true, stages->batch);
        about.about_to_change = true;
        if (!pt_nft_batch_is_empty(fw_stages_first(stages)))
                fw_ruleset_put_marker(&about, true, fw_stages_first(stages));
        if (begun.unswept)
                fw_ruleset_put_marker(marker, true, stages->after);
        return 0;
}
