/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "emit.h"

#include "base/marks.h"
#include "emit-rule.h"
#include "nat.h"
#include "netlink/nft-expr.h"
#include "objects.h"
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

typedef struct Emit {
        FwStages *stages;
        PtNftBatch *batch; /* of the stages: the commit itself */
        FwTouched *touched;
        FwCarry *carry;      /* may be NULL */
        PtNft *nft;          /* of a delta */
        const FwSets *sets;  /* what rules look up */
        const FwSets *moves; /* of a delta: some are under another name; NULL: none */
        uint32_t set_id;
} Emit;

static bool take(Emit *emit, const FwClass *klass, const FirewallRule *rule, FwCount *ret)
{
        uint8_t uid[16];

        *ret = (FwCount){0};
        pt_object_uid(&rule->object, uid);
        return fw_carry_take(emit->carry, klass->chain, uid, ret);
}

static struct nftnl_rule *rule_new(Emit *emit, const FwRulePart *part)
{
        return fw_rule_new(part, emit->sets, emit->batch, &emit->set_id);
}

/* Folds. */

/* Opens and closes elements_begin/end around the keys of several rules. */
static void put_keys(Emit *emit, const FwClass *klass, const FwUnit *unit, const FirewallRule *rule,
                     bool remove)
{
        size_t len = fw_shape_key_len(unit->shape);
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        FwKey keys[FW_KEYS_MAX];
        FwCount count = {0};
        const char *target;
        uint32_t verdict = (uint32_t) fw_rule_verdict(rule, &target);
        bool carried = !remove && take(emit, klass, rule, &count);
        size_t size = fw_rule_userdata(rule, 0, carried, userdata);
        unsigned n = fw_match_keys(rule, unit->shape, keys);

        for (unsigned i = 0; i < n; i++) {
                struct nftnl_set_elem *element = nftnl_set_elem_alloc();

                g_assert(element);
                nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, keys[i].bytes, (uint32_t) len);
                if (!remove) {
                        nftnl_set_elem_set(element, NFTNL_SET_ELEM_VERDICT, &verdict,
                                           sizeof(verdict));
                        if (target)
                                nftnl_set_elem_set_str(element, NFTNL_SET_ELEM_CHAIN, target);
                        nftnl_set_elem_set(element, NFTNL_SET_ELEM_USERDATA, userdata,
                                           (uint32_t) size);
                        /* The rule's count is the sum over its elements: the first carries it. */
                        if (i == 0 && carried)
                                nftnl_set_elem_add_expr(
                                        element, pt_nft_counter_new(count.packets, count.bytes));
                        fw_touched_element(emit->touched, unit->name, &keys[i], len, rule);
                } else {
                        fw_touched_gone(emit->touched, unit->name, &keys[i], len);
                }
                pt_nft_batch_element(emit->batch, element);
        }
}

static void put_fold(Emit *emit, const FwClass *klass, const FwUnit *unit, unsigned start)
{
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

        pt_nft_batch_add_set(emit->batch, &spec);
        pt_nft_batch_elements_begin(emit->batch, TABLE, unit->name, spec.id, false);
        for (unsigned i = 0; i < unit->n; i++)
                put_keys(emit, klass, unit, g_array_index(klass->entries, FwEntry, start + i).rule,
                         false);
        pt_nft_batch_elements_end(emit->batch);
}

/* The rules of a shard as its chain has them: an entry may be several. */
typedef struct ShardItem {
        const FirewallRule *rule;
        unsigned part; /* perhaps with FW_PART_LOG */
} ShardItem;

static GArray *shard_items(const FwClass *klass, const FwUnit *unit, unsigned start)
{
        GArray *items = g_array_sized_new(FALSE, FALSE, sizeof(ShardItem), unit->n);

        for (unsigned i = 0; i < unit->n; i++) {
                ShardItem item = {.rule = g_array_index(klass->entries, FwEntry, start + i).rule};
                unsigned parts = fw_match_parts(item.rule);

                for (unsigned part = 0; part < parts; part++) {
                        item.part = part | FW_PART_LOG;
                        if (fw_rule_logs(item.rule))
                                g_array_append_val(items, item);
                        item.part = part;
                        g_array_append_val(items, item);
                }
        }
        return items;
}

static void put_shard(Emit *emit, const FwClass *klass, const FwUnit *unit, unsigned start)
{
        g_autoptr(GArray) items = shard_items(klass, unit, start);

        pt_nft_batch_add_chain(emit->batch, TABLE, unit->name, NULL);
        for (unsigned i = 0; i < items->len; i++) {
                const ShardItem *item = &g_array_index(items, ShardItem, i);
                FwRulePart part = {.chain = unit->name, .rule = item->rule, .part = item->part};

                part.carried = item->part == 0 && take(emit, klass, item->rule, &part.count);
                pt_nft_batch_append_rule(emit->batch, rule_new(emit, &part));
        }
        fw_touched_chain(emit->touched, klass, unit, start);
}

static void put_unit(Emit *emit, const FwClass *klass, const FwUnit *unit, unsigned start)
{
        if (unit->shape)
                put_fold(emit, klass, unit, start);
        else
                put_shard(emit, klass, unit, start);
}

/* The rule of the class's chain that leads to a unit; its comment is the unit's name. */
static struct nftnl_rule *unit_rule(const FwClass *klass, const FwUnit *unit)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, klass->chain);
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        size_t size = pt_nft_userdata(unit->name, NULL, 0, userdata);

        if (unit->shape)
                fw_shape_put(unit->shape, unit->name, 0, rule);
        else
                pt_nft_verdict(rule, NFT_JUMP, unit->name);
        nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, userdata, (uint32_t) size);
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
                pt_nft_batch_append_rule(emit->batch, unit_rule(klass, unit));
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
                     .sets = layout->sets};
        FwDispatchTo to = {layout->zones, layout->pairs, layout->nat->scopes};

        fw_touched_expect(touched, layout);
        if (replace) {
                /* Adding what may exist makes deleting it always right. */
                pt_nft_batch_add_table(batch, TABLE);
                pt_nft_batch_delete_table(batch, TABLE);
        }
        fw_ruleset_put_base(batch);
        fw_sets_put(layout->sets, stages, touched);
        fw_objects_put(layout->objects, NULL, batch);
        fw_layout_foreach_class(layout, put_class, &emit);
        fw_ruleset_put_dispatch(&to, NULL, counts, stages);
        fw_ruleset_put_marker(marker, false, batch);
}

/* Deltas. */

typedef struct ShardSync {
        Emit *emit;
        const FwSets *moves;
        const FwClass *klass;
        const FwUnit *unit;
        GArray *items;
        GArray *kernel;
        const int *match;
} ShardSync;

/* Whether it looks up a set that gets another name: its tag does not say so. */
static bool rule_moves(const FwSets *moves, const FirewallRule *rule)
{
        return moves && fw_sets_moves(moves, &rule->source, &rule->destination);
}

static bool shard_rule_stale(const FwKernelRule *kernel, unsigned i, void *userdata)
{
        const ShardSync *shard = userdata;
        const ShardItem *item = &g_array_index(shard->items, ShardItem, i);
        FwTag tag;

        fw_tag_of(item->rule, item->part, false, &tag);
        return !fw_tag_same(&kernel->tag, &tag) || rule_moves(shard->moves, item->rule);
}

/*
 * What a rule begins at. One that only moves within the shard takes its own count along. Of one
 * that was edited, the first part takes the sum of all, since their number may be another one now.
 * One that was elsewhere in the class takes what was carried from there.
 */
static bool begin_count(Emit *emit, const ShardSync *shard, unsigned i, FwCount *ret)
{
        const ShardItem *item = &g_array_index(shard->items, ShardItem, i);
        int match = shard->match[i];
        bool found = false;
        FwTag tag;

        *ret = (FwCount){0};
        if (match >= 0 && !shard_rule_stale(fw_kernel_rule(shard->kernel, match), i,
                                            (void *) (uintptr_t) shard)) {
                *ret = fw_kernel_rule(shard->kernel, match)->count;
                return true;
        }
        if (item->part > 0)
                return false;
        fw_tag_of(item->rule, 0, false, &tag);
        for (unsigned k = 0; k < shard->kernel->len; k++) {
                const FwKernelRule *kernel = fw_kernel_rule(shard->kernel, (int) k);

                if (!fw_kernel_rule_is(kernel, &tag))
                        continue;
                found = true;
                ret->packets += kernel->count.packets;
                ret->bytes += kernel->count.bytes;
        }
        return found || take(emit, shard->klass, item->rule, ret);
}

static struct nftnl_rule *make_shard_rule(unsigned i, void *userdata)
{
        const ShardSync *shard = userdata;
        Emit *emit = shard->emit;
        const ShardItem *item = &g_array_index(shard->items, ShardItem, i);
        FwRulePart part = {.chain = shard->unit->name, .rule = item->rule, .part = item->part};

        part.carried = begin_count(emit, shard, i, &part.count);
        return rule_new(emit, &part);
}

static void sync_shard(Emit *emit, const FwClass *klass, const FwUnit *unit, unsigned start,
                       GArray *kernel)
{
        g_autoptr(GArray) items = shard_items(klass, unit, start);
        g_autofree int *match = g_new(int, items->len + 1);
        g_autofree bool *keep = g_new(bool, items->len + 1);
        ShardSync shard = {.emit = emit,
                           .moves = emit->moves,
                           .klass = klass,
                           .unit = unit,
                           .items = items,
                           .kernel = kernel,
                           .match = match};
        FwResync sync = {.table = TABLE,
                         .kernel = kernel,
                         .match = match,
                         .keep = keep,
                         .n = items->len,
                         .chain = unit->name};

        for (unsigned i = 0; i < items->len; i++) {
                const ShardItem *item = &g_array_index(items, ShardItem, i);
                FwTag tag;

                fw_tag_of(item->rule, item->part, false, &tag);
                match[i] = -1;
                for (unsigned k = 0; k < kernel->len && match[i] < 0; k++)
                        if (fw_kernel_rule_is(fw_kernel_rule(kernel, (int) k), &tag) &&
                            memcmp(fw_kernel_rule(kernel, (int) k)->tag.part, tag.part,
                                   sizeof(tag.part)) == 0)
                                match[i] = (int) k;
        }
        fw_sequence_keep(match, items->len, keep);
        fw_resync(emit->batch, &sync, make_shard_rule, shard_rule_stale, &shard);
        fw_touched_chain(emit->touched, klass, unit, start);
}

static struct nftnl_rule *make_unit_rule(unsigned i, void *userdata)
{
        const FwClass *klass = userdata;

        return unit_rule(klass, g_ptr_array_index(klass->units, i));
}

static bool unit_rule_stale(const FwKernelRule *kernel, unsigned i, void *userdata)
{
        return false; /* a unit's name says all that its rule does */
}

static int sync_class_chain(Emit *emit, const FwClass *klass)
{
        unsigned n = klass->units->len;
        g_autofree int *match = g_new(int, n + 1);
        g_autofree bool *keep = g_new(bool, n + 1);
        g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(GArray) kernel = NULL;
        FwResync sync = {
                .table = TABLE, .match = match, .keep = keep, .n = n, .chain = klass->chain};
        int r;

        r = fw_kernel_read(emit->nft, TABLE, klass->chain, &kernel);
        if (r < 0)
                return r;
        for (unsigned k = 0; k < kernel->len; k++)
                if (fw_kernel_rule(kernel, (int) k)->comment)
                        g_hash_table_insert(names, fw_kernel_rule(kernel, (int) k)->comment,
                                            GUINT_TO_POINTER(k + 1));
        for (unsigned i = 0; i < n; i++) {
                const FwUnit *unit = g_ptr_array_index(klass->units, i);

                match[i] = (int) GPOINTER_TO_UINT(g_hash_table_lookup(names, unit->name)) - 1;
        }
        fw_sequence_keep(match, n, keep);
        sync.kernel = kernel;
        fw_resync(emit->batch, &sync, make_unit_rule, unit_rule_stale, (void *) (uintptr_t) klass);
        return 0;
}

/* Reading what is about to leave. */

typedef struct ElementReader {
        FwCarry *carry;
        const char *klass;
        const FirewallRule *rule;
        bool other;
} ElementReader;

static int read_leaving(struct nftnl_set_elem *element, void *userdata)
{
        ElementReader *reader = userdata;
        uint32_t size = 0;
        const void *data = nftnl_set_elem_get(element, NFTNL_SET_ELEM_USERDATA, &size);
        uint64_t packets, bytes;
        FwTag tag, wanted;

        fw_tag_of(reader->rule, 0, false, &wanted);
        if (!fw_tag_read(data, size, &tag) || !fw_tag_same(&tag, &wanted)) {
                reader->other = true;
                return 0;
        }
        if (pt_nft_element_counter(element, &packets, &bytes))
                fw_carry_add(reader->carry, reader->klass, tag.uid, packets, bytes);
        return 0;
}

static int carry_keys(Emit *emit, const FwClass *klass, const FwUnit *unit,
                      const FirewallRule *rule)
{
        ElementReader reader = {.carry = emit->carry, .klass = klass->chain, .rule = rule};
        FwKey keys[FW_KEYS_MAX];
        unsigned n = fw_match_keys(rule, unit->shape, keys);
        int r = 0;

        for (unsigned i = 0; r == 0 && i < n; i++)
                r = pt_nft_get_element(emit->nft, TABLE, unit->name, keys[i].bytes,
                                       (uint32_t) fw_shape_key_len(unit->shape), read_leaving,
                                       &reader);
        return r < 0 ? r : reader.other ? -EUCLEAN : 0;
}

static void carry_chain(Emit *emit, const FwClass *klass, GArray *kernel)
{
        for (unsigned i = 0; i < kernel->len; i++) {
                const FwKernelRule *rule = fw_kernel_rule(kernel, (int) i);

                fw_carry_add(emit->carry, klass->chain, rule->tag.uid, rule->count.packets,
                             rule->count.bytes);
        }
}

/* A class that changes: its units by name, before and after. */

typedef struct UnitChange {
        const FwUnit *before, *after; /* either may be NULL */
        unsigned start_before, start_after;
        GArray *kernel;     /* of a shard that changes or goes: what is there */
        GPtrArray *leaving; /* of a fold that changes: rules whose keys go, and come */
        GPtrArray *coming;
} UnitChange;

static void unit_change_clear(void *p)
{
        UnitChange *change = p;

        g_clear_pointer(&change->kernel, g_array_unref);
        g_clear_pointer(&change->leaving, g_ptr_array_unref);
        g_clear_pointer(&change->coming, g_ptr_array_unref);
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
                    rule_moves(emit->moves, rule_at(change->after, unit->start_after + i)))
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

static int read_unit(Emit *emit, const FwClassChange *change, UnitChange *unit)
{
        int r = 0;

        if (!unit->before || (unit->after && same_rules(emit, change, unit)))
                return 0;
        if (!unit->before->shape) {
                r = fw_kernel_read(emit->nft, TABLE, unit->before->name, &unit->kernel);
                if (r == 0)
                        carry_chain(emit, change->before, unit->kernel);
                return r;
        }
        if (!unit->after)
                return fw_carry_read_map(emit->nft, change->before->chain, unit->before->name,
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

static void sync_fold(Emit *emit, const FwClassChange *change, const UnitChange *unit)
{
        pt_nft_batch_elements_begin(emit->batch, TABLE, unit->before->name, 0, true);
        for (unsigned i = 0; i < unit->leaving->len; i++)
                put_keys(emit, change->before, unit->before, g_ptr_array_index(unit->leaving, i),
                         true);
        pt_nft_batch_elements_end(emit->batch);
        pt_nft_batch_elements_begin(emit->batch, TABLE, unit->after->name, 0, false);
        for (unsigned i = 0; i < unit->coming->len; i++)
                put_keys(emit, change->after, unit->after, g_ptr_array_index(unit->coming, i),
                         false);
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

static void delete_unit(Emit *emit, const FwUnit *unit)
{
        if (unit->shape) {
                pt_nft_batch_delete_set(emit->stages->after, TABLE, unit->name);
        } else {
                pt_nft_batch_flush_chain(emit->stages->after, TABLE, unit->name);
                pt_nft_batch_delete_chain(emit->stages->after, TABLE, unit->name);
        }
}

/* Everything but what goes: that waits until nothing leads there. */
static int change_class(Emit *emit, const FwClassChange *change, GArray *units)
{
        for (unsigned i = 0; i < units->len; i++) {
                const UnitChange *unit = &g_array_index(units, UnitChange, i);

                if (!unit->before)
                        put_unit(emit, change->after, unit->after, unit->start_after);
                else if (unit->after && unit->kernel)
                        sync_shard(emit, change->after, unit->after, unit->start_after,
                                   unit->kernel);
                else if (unit->after && unit->leaving)
                        sync_fold(emit, change, unit);
        }
        return list_of_units_differs(change) ? sync_class_chain(emit, change->after) : 0;
}

static int emit_patch(Emit *emit, const FwPatch *patch)
{
        int r;

        if (patch->before) {
                r = carry_keys(emit, patch->klass, patch->unit, patch->before);
                if (r < 0)
                        return r;
                pt_nft_batch_elements_begin(emit->batch, TABLE, patch->unit->name, 0, true);
                put_keys(emit, patch->klass, patch->unit, patch->before, true);
                pt_nft_batch_elements_end(emit->batch);
        }
        if (patch->after) {
                pt_nft_batch_elements_begin(emit->batch, TABLE, patch->unit->name, 0, false);
                put_keys(emit, patch->klass, patch->unit, patch->after, false);
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

                        if (unit->before && !unit->after)
                                delete_unit(emit, unit->before);
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
                     .sets = delta->sets ?: layout->sets};
        int r = 0;

        if (delta->sets && fw_sets_any_moves(delta->sets))
                emit.moves = delta->sets;
        if (delta->sets)
                fw_sets_put(delta->sets, stages, touched);
        if (delta->objects)
                fw_objects_put(delta->objects, delta->layout->objects, stages->batch);
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
        if (r == 0 && delta->dispatch) {
                r = fw_ruleset_read_fixed(nft, layout->zones, false, &counts);
                if (r == 0)
                        fw_ruleset_put_dispatch(&to, &from, counts, stages);
        }
        if (r < 0)
                return r;

        delete_gone(&emit, delta, units);
        if (delta->sets)
                fw_sets_put_drops(delta->sets, stages->after);
        if (delta->objects)
                fw_objects_put_drops(delta->layout->objects, delta->objects, stages->after);
        begun.unswept = !pt_nft_batch_is_empty(stages->after);
        fw_ruleset_put_marker(&begun, true, stages->batch);
        about.about_to_change = true;
        if (!pt_nft_batch_is_empty(stages->before))
                fw_ruleset_put_marker(&about, true, stages->before);
        if (begun.unswept)
                fw_ruleset_put_marker(marker, true, stages->after);
        return 0;
}
