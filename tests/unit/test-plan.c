/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Plans find the rule that a list finds first, for packets at and beside the edges of rules; what
 * stands in one map of ranges is disjoint; a plan that was changed is that of the last rules. */

#include "filter-unit.h"
#include "layout-delta.h"

#include <sys/socket.h>

static void put_zones(PtSlice *slice)
{
        fw_put_zone(slice, "lan", "{\"interfaces\":[\"lan\"]}");
        fw_put_zone(slice, "wan", "{\"interfaces\":[\"wan\"]}");
}

static const FwClass *class_of(const FwLayout *layout)
{
        return g_hash_table_lookup(layout->classes, "lan/wan");
}

/* The boxes of all rules of a class, once. */
typedef struct Boxes {
        GArray *all;         /* FwBox */
        GArray *first;       /* unsigned, of each entry and the end */
        GHashTable *by_rule; /* -> entry + 1 */
} Boxes;

static void boxes_init(const FwClass *klass, Boxes *ret)
{
        ret->all = g_array_new(FALSE, FALSE, sizeof(FwBox));
        ret->first = g_array_new(FALSE, FALSE, sizeof(unsigned));
        ret->by_rule = g_hash_table_new(NULL, NULL);
        for (unsigned i = 0; i < klass->entries->len; i++) {
                const FirewallRule *rule = g_array_index(klass->entries, FwEntry, i).rule;

                g_array_append_val(ret->first, ret->all->len);
                g_hash_table_insert(ret->by_rule, (void *) (uintptr_t) rule,
                                    GUINT_TO_POINTER(i + 1));
                /* What no box says is taken to match: the same in list and plan. */
                (void) fw_rule_boxes(rule, ret->all);
        }
        g_array_append_val(ret->first, ret->all->len);
}

static void boxes_done(Boxes *boxes)
{
        g_array_unref(boxes->all);
        g_array_unref(boxes->first);
        g_hash_table_unref(boxes->by_rule);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Boxes, boxes_done)

static bool entry_has(const Boxes *boxes, unsigned entry, const FwBox *at)
{
        for (unsigned i = g_array_index(boxes->first, unsigned, entry);
             i < g_array_index(boxes->first, unsigned, entry + 1); i++)
                if (fw_box_contains(&g_array_index(boxes->all, FwBox, i), at))
                        return true;
        return false;
}

static const FirewallRule *find_in_chain(const FwPlan *plan, const FwChain *chain,
                                         const Boxes *boxes, const FwBox *at);

/* Whether each register of a key is within its range; those of several registers are one number. */
static bool within(const FwPiece *piece, const uint8_t *key, const FwItem *item)
{
        uint8_t fields[FW_RANGES_FIELDS_MAX];
        unsigned n = fw_ranges_fields(piece->family, piece->ranges, fields);
        const uint8_t *lo = item->keys, *hi = item->keys + piece->key_len;

        for (unsigned i = 0; i < n; i++) {
                size_t len = (fields[i] + 3U) / 4 * 4;

                if (memcmp(key, lo, fields[i]) < 0 || memcmp(key, hi, fields[i]) > 0)
                        return false;
                key += len;
                lo += len;
                hi += len;
        }
        return true;
}

/* The key that a packet has for a map of single values: its prefixes cut. */
static bool hash_has(const FwPiece *piece, const FwItem *item, const FwBox *at)
{
        const unsigned plens[] = {piece->shape >> 2 & 0xff, piece->shape >> 10 & 0xff};
        FwBox masked = *at;
        FwKey key;

        for (unsigned i = 0; i < FW_BOX_ADDRESS_MAX; i++) {
                unsigned width = at->family == AF_INET ? 32 : 128;
                FwNumber size = plens[i] == width ? 0
                                : plens[i] == 0   ? fw_number_max(width / 8)
                                                  : ((FwNumber) 1 << (width - plens[i])) - 1;

                masked.address[i].lo = at->address[i].lo & ~size;
                masked.address[i].hi = masked.address[i].lo | size;
        }
        for (unsigned i = 0; i < 3; i++)
                if (!(piece->shape >> (20 + i) & 1))
                        masked.number[i] =
                                (FwRange16){0, i == FW_BOX_PROTOCOL ? UINT8_MAX : UINT16_MAX};
        masked.number[FW_BOX_ICMP] = (FwRange16){0, UINT16_MAX};
        return fw_box_shape(&masked, &key) == piece->shape &&
               memcmp(key.bytes, item->keys, piece->key_len) == 0;
}

static const FirewallRule *find_in_piece(const FwPlan *plan, const FwPiece *piece,
                                         const Boxes *boxes, const FwBox *at)
{
        const FirewallRule *found = NULL;
        uint8_t lo[2 * FW_KEY_MAX], hi[2 * FW_KEY_MAX];
        unsigned hits = 0;

        if (piece->family != AF_UNSPEC && piece->family != at->family)
                return NULL;
        if (piece->sort == FW_PIECE_JUMP)
                return find_in_chain(plan, fw_plan_chain(plan, piece->name), boxes, at);
        if (fw_piece_has_ranges(piece))
                fw_ranges_keys(at, piece->ranges, lo, hi);
        for (unsigned i = 0; i < piece->n; i++) {
                const FwItem *item = fw_piece_item(piece, i);

                if (piece->sort == FW_PIECE_SHARD) {
                        if (entry_has(boxes,
                                      GPOINTER_TO_UINT(
                                              g_hash_table_lookup(boxes->by_rule, item->rule)) -
                                              1,
                                      at))
                                return item->rule;
                        continue;
                }
                if (piece->sort == FW_PIECE_HASH ? !hash_has(piece, item, at)
                                                 : !within(piece, lo, item))
                        continue;
                hits++;
                found = item->rule
                                ?: find_in_chain(plan, fw_plan_chain(plan, item->chain), boxes, at);
        }
        assert_in_range(hits, 0, 1);
        return found;
}

static const FirewallRule *find_in_chain(const FwPlan *plan, const FwChain *chain,
                                         const Boxes *boxes, const FwBox *at)
{
        const FirewallRule *found = NULL;

        assert_non_null(chain);
        for (unsigned i = 0; i < chain->pieces->len && !found; i++)
                found = find_in_piece(plan, g_ptr_array_index(chain->pieces, i), boxes, at);
        return found;
}

/* A packet at or beside an end of a box, in each dimension; with ports, or without. */
static FwBox point_near(const FwBox *box, GRand *rand)
{
        FwBox at = *box, all;

        fw_box_all(box->family, &all);
        for (unsigned i = 0; i < FW_BOX_ADDRESS_MAX; i++) {
                FwNumber n = g_rand_boolean(rand) ? box->address[i].lo : box->address[i].hi;
                int where = g_rand_int_range(rand, 0, 8);

                if (where == 0 && n > 0)
                        n--;
                if (where == 1 && n < all.address[i].hi)
                        n++;
                at.address[i] = (FwSpan){n, n};
        }
        for (unsigned i = 0; i < FW_BOX_NUMBER_MAX; i++) {
                uint16_t n = g_rand_boolean(rand) ? box->number[i].lo : box->number[i].hi;
                int where = g_rand_int_range(rand, 0, 8);

                if (where == 0 && n > 0)
                        n--;
                if (where == 1 && n < all.number[i].hi)
                        n++;
                at.number[i] = (FwRange16){n, n};
        }
        return at;
}

static void assert_first_match(const FwClass *klass, GRand *rand, unsigned packets)
{
        g_auto(Boxes) boxes = {0};

        boxes_init(klass, &boxes);
        for (unsigned n = 0; n < packets; n++) {
                FwBox at =
                        point_near(&g_array_index(boxes.all, FwBox,
                                                  g_rand_int_range(rand, 0, (int) boxes.all->len)),
                                   rand);
                const FirewallRule *first = NULL, *found = NULL;
                unsigned start = 0;

                for (unsigned i = 0; i < klass->entries->len && !first; i++)
                        if (entry_has(&boxes, i, &at))
                                first = g_array_index(klass->entries, FwEntry, i).rule;
                for (unsigned i = 0; i < klass->units->len && !found; i++) {
                        const FwUnit *unit = g_ptr_array_index(klass->units, i);

                        assert_int_equal(unit->shape, 0);
                        if (unit->plan)
                                found = find_in_chain(unit->plan, fw_plan_entry(unit->plan), &boxes,
                                                      &at);
                        for (unsigned k = start; !unit->plan && k < start + unit->n && !found; k++)
                                if (entry_has(&boxes, k, &at))
                                        found = g_array_index(klass->entries, FwEntry, k).rule;
                        start += unit->n;
                }
                if (first != found)
                        fail_msg("%s, not %s", found ? found->object.name : "nothing",
                                 first ? first->object.name : "nothing");
        }
}

typedef struct Counts {
        unsigned leaves, hash, ranges, divides, listed, mapped, largest;
} Counts;

/* What stands in maps and lists, and that it is small enough. */
static Counts count_plan(const FwClass *klass)
{
        Counts counts = {0};

        for (unsigned i = 0; i < klass->units->len; i++) {
                const FwUnit *unit = g_ptr_array_index(klass->units, i);

                for (unsigned k = 0; unit->plan && k < unit->plan->chains->len; k++) {
                        const FwChain *chain = g_ptr_array_index(unit->plan->chains, k);

                        counts.leaves += chain->rules != NULL;
                        for (unsigned m = 0; m < chain->pieces->len; m++) {
                                const FwPiece *piece = g_ptr_array_index(chain->pieces, m);
                                bool map = piece->sort == FW_PIECE_HASH ||
                                           piece->sort == FW_PIECE_RANGES;

                                counts.hash += piece->sort == FW_PIECE_HASH;
                                counts.ranges += piece->sort == FW_PIECE_RANGES;
                                counts.divides += piece->sort == FW_PIECE_DIVIDE;
                                counts.mapped += map ? piece->n : 0;
                                counts.listed += piece->sort == FW_PIECE_SHARD ? piece->n : 0;
                                if (fw_piece_has_ranges(piece))
                                        counts.largest = MAX(counts.largest, piece->n);
                                if (piece->sort == FW_PIECE_SHARD)
                                        assert_in_range(piece->n, 1, FW_SHARD_MAX);
                        }
                }
        }
        assert_in_range(counts.largest, 0, FW_RANGES_MAP_MAX);
        return counts;
}

static void fill(PtSlice *slice, GRand *rand, unsigned names)
{
        fw_random_zones(slice, rand); /* and services */
        put_zones(slice);
        for (unsigned i = 0; i < 2 * names; i++)
                fw_random_dense_rule(slice, rand, names);
}

static void test_first_match(void **state)
{
        Counts all = {0};

        for (uint32_t seed = 1; seed <= 8; seed++) {
                g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
                g_autoptr(PtSlice) slice = pt_slice_new();
                g_autoptr(FwLayout) layout = NULL;
                unsigned names = (unsigned[]){60, 120, 300, 1500}[seed % 4];
                Counts counts;

                fill(slice, rand, names);
                assert_int_equal(fw_layout_new(slice, NULL, &layout), 0);
                assert_first_match(class_of(layout), rand, 6000);
                counts = count_plan(class_of(layout));
                /* tree.c: REPLICATION_MAX */
                assert_in_range(counts.mapped + counts.listed, 1,
                                4 * class_of(layout)->entries->len);
                all.leaves += counts.leaves;
                all.hash += counts.hash;
                all.ranges += counts.ranges;
                all.divides += counts.divides;
                all.mapped += counts.mapped;
                all.listed += counts.listed;
        }
        print_message("leaves %u, hash %u, ranges %u, divides %u, mapped %u, listed %u\n",
                      all.leaves, all.hash, all.ranges, all.divides, all.mapped, all.listed);
        /* Everything that there is has been looked at. */
        assert_true(all.divides >= 4);
        assert_true(all.leaves >= 20);
        assert_true(all.ranges >= 10);
        assert_true(all.listed >= 50);
        assert_true(all.mapped >= 500);
}

/* Rules of one shape, fewer than a run: a map of single values. */
static void test_single_values(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(3);
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwLayout) layout = NULL;
        Counts counts;

        put_zones(slice);
        for (unsigned i = 0; i < 40; i++) {
                g_autofree char *name = g_strdup_printf("r%u", i),
                                *spec = g_strdup_printf(
                                        "{\"action\":\"allow\",\"from\":\"lan\",\"to\":\"wan\","
                                        "\"protocol\":\"tcp\",\"source\":{\"addresses\":[\"10.%u."
                                        "0.0/16\"]},\"destination\":{\"ports\":[%u]}}",
                                        i % 7, 20 + i / 7);

                fw_put_rule(slice, name, i + 1, spec);
        }
        assert_int_equal(fw_layout_new(slice, NULL, &layout), 0);
        counts = count_plan(class_of(layout));
        assert_int_equal(counts.hash, 1);
        assert_int_equal(counts.mapped, 40);
        assert_int_equal(counts.listed + counts.ranges, 0);
        assert_first_match(class_of(layout), rand, 2000);
}

/* More rules that all overlap than are compared with each other, and more in one place than a map
 * holds. */
static void test_many(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(4);
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwLayout) layout = NULL;
        Counts counts;

        put_zones(slice);
        for (unsigned i = 0; i < 1500; i++) {
                g_autofree char *name = g_strdup_printf("r%u", i),
                                *spec = g_strdup_printf(
                                        "{\"action\":\"drop\",\"from\":\"lan\",\"to\":\"wan\","
                                        "\"protocol\":\"tcp\",\"destination\":{\"ports\":["
                                        "\"%u-%u\",\"%u-%u\"]}}",
                                        20 * i + 1, 20 * i + 5 + i % 4, 20 * i + 10,
                                        20 * i + 12 + (i % 100 == 0 ? 9 : 0));

                fw_put_rule(slice, name, i + 1, spec);
        }
        assert_int_equal(fw_layout_new(slice, NULL, &layout), 0);
        counts = count_plan(class_of(layout));
        assert_int_equal(counts.leaves, 2); /* one a family */
        assert_true(counts.ranges > 4);
        assert_first_match(class_of(layout), rand, 2000);
}

static bool has_key(const FwKey *keys, unsigned n, const FwKey *key)
{
        for (unsigned i = 0; i < n; i++)
                if (memcmp(&keys[i], key, sizeof(*key)) == 0)
                        return true;
        return false;
}

/* The keys of a rule of one shape and family are those of its boxes; a rule that asks for more has
 * no shape. */
static void test_keys_of_runs(void **state)
{
        static const char *const specs[] = {
                "\"protocol\":\"tcp\",\"source\":{\"addresses\":[\"10.0.0.1\",\"10.0.0.7\"]},"
                "\"destination\":{\"ports\":[1,22,443]}",
                "\"family\":\"ipv4\",\"destination\":{\"ports\":[53,80]}",
                "\"source\":{\"addresses\":[\"10.1.0.0/16\",\"10.3.0.0/16\"]},"
                "\"destination\":{\"addresses\":[\"192.0.2.1\",\"192.0.2.2\"]}",
                "\"protocol\":\"udp\",\"source\":{\"addresses\":[\"2001:db8::/"
                "64\"],\"ports\":[7,9]}",
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(specs); i++) {
                g_autoptr(PtSlice) slice = pt_slice_new();
                g_autoptr(GArray) boxes = g_array_new(FALSE, FALSE, sizeof(FwBox));
                g_autofree char *spec = g_strdup_printf("{\"action\":\"allow\",%s}", specs[i]);
                FwKey keys[FW_KEYS_MAX], key;
                const FirewallRule *rule;
                unsigned n;
                uint32_t shape;

                fw_put_rule(slice, "rule", 1, spec);
                rule = (const FirewallRule *) pt_slice_get(slice, &pt_kind_firewall_rule, "rule");
                shape = fw_match_shape(rule, &n);
                assert_int_not_equal(shape, 0);
                assert_int_equal(fw_match_keys(rule, shape, keys), n);
                assert_true(fw_rule_boxes(rule, boxes));
                assert_int_equal(boxes->len, n);
                for (unsigned k = 0; k < n; k++) {
                        memset(&key, 0, sizeof(key));
                        assert_int_equal(fw_box_shape(&g_array_index(boxes, FwBox, k), &key),
                                         shape);
                        assert_true(has_key(keys, n, &key));
                }
        }
        for (unsigned i = 0; i < FW_ODD_SPECS; i++) {
                g_autoptr(PtSlice) slice = pt_slice_new();
                g_autofree char *spec =
                        g_strdup_printf("{\"action\":\"allow\",%s}", fw_odd_specs[i]);
                unsigned n;

                fw_put_rule(slice, "rule", 1, spec);
                assert_int_equal(fw_match_shape((const FirewallRule *) pt_slice_get(
                                                        slice, &pt_kind_firewall_rule, "rule"),
                                                &n),
                                 0);
        }
}

/* A few edits change few leaves. */
static void test_edits_are_local(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(5);
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwLayout) layout = NULL;
        unsigned kept = 0, all = 0;

        fill(slice, rand, 1500);
        assert_int_equal(fw_layout_new(slice, NULL, &layout), 0);
        for (unsigned step = 0; step < 40; step++) {
                g_autoptr(PtSlice) next = fw_random_dense_step(slice, rand, 1500);
                g_autoptr(FwLayoutDelta) delta = NULL;

                assert_int_equal(fw_delta_new(layout, next, NULL, NULL, &delta), 0);
                for (unsigned i = 0; i < delta->changes->len; i++) {
                        const FwClassChange *change =
                                &g_array_index(delta->changes, FwClassChange, i);
                        const FwPlan *before =
                                ((FwUnit *) g_ptr_array_index(change->before->units, 0))->plan;
                        const FwPlan *after =
                                ((FwUnit *) g_ptr_array_index(change->after->units, 0))->plan;

                        for (unsigned k = 0; k < after->chains->len; k++) {
                                const FwChain *chain = g_ptr_array_index(after->chains, k);

                                kept += fw_plan_chain(before, chain->name) == chain;
                                all++;
                        }
                }
                fw_delta_apply(delta);
                pt_slice_unref(slice);
                slice = g_steal_pointer(&next);
                assert_first_match(class_of(layout), rand, 200);
        }
        assert_true(all > 100);
        print_message("%u of %u chains stayed\n", kept, all);
        assert_true(kept * 4 > all); /* a third of the rules reach everywhere */
}

/* A rule that overlaps many others, so that there is one leaf a family. */
static void put_ports(PtSlice *slice, GRand *rand, unsigned i)
{
        unsigned port = (unsigned) g_rand_int_range(rand, 1, 60000);
        g_autofree char *name = g_strdup_printf("r%u", i),
                        *spec = g_strdup_printf(
                                "{\"action\":\"drop\",\"from\":\"lan\",\"to\":\"wan\","
                                "\"protocol\":\"tcp\",\"destination\":{\"ports\":[\"%u-%u\"]}}",
                                port, port + (unsigned) g_rand_int_range(rand, 1, 300));

        fw_put_rule(slice, name, i + 1, spec);
}

static void assert_same_piece(const FwPiece *a, const FwPiece *b)
{
        assert_string_equal(a->name, b->name);
        assert_int_equal(a->sort, b->sort);
        assert_int_equal(a->family, b->family);
        assert_int_equal(a->shape, b->shape);
        assert_int_equal(a->ranges, b->ranges);
        assert_int_equal(a->n, b->n);
        assert_int_equal(a->item_size, b->item_size);
        for (unsigned i = 0; i < a->n; i++) {
                const FwItem *x = fw_piece_item(a, i), *y = fw_piece_item(b, i);

                /* Rules are the same object only within one layout. */
                if (x->rule)
                        assert_string_equal(x->rule->object.name, y->rule->object.name);
                else
                        assert_string_equal(x->chain, y->chain);
                assert_memory_equal(x->keys, y->keys, a->item_size - sizeof(*x));
        }
}

static void assert_same_plan(const FwPlan *a, const FwPlan *b)
{
        assert_int_equal(a->chains->len, b->chains->len);
        for (unsigned i = 0; i < a->chains->len; i++) {
                const FwChain *x = g_ptr_array_index(a->chains, i),
                              *y = g_ptr_array_index(b->chains, i);

                assert_string_equal(x->name, y->name);
                assert_int_equal(x->pieces->len, y->pieces->len);
                for (unsigned k = 0; k < x->pieces->len; k++)
                        assert_same_piece(g_ptr_array_index(x->pieces, k),
                                          g_ptr_array_index(y->pieces, k));
        }
}

static const FwPlan *plan_of(const FwLayout *layout)
{
        return ((const FwUnit *) g_ptr_array_index(class_of(layout)->units, 0))->plan;
}

static GHashTable *pieces_of(const FwPlan *plan)
{
        GHashTable *pieces = g_hash_table_new(NULL, NULL);

        for (unsigned i = 0; i < plan->chains->len; i++) {
                const FwChain *chain = g_ptr_array_index(plan->chains, i);

                for (unsigned k = 0; k < chain->pieces->len; k++)
                        g_hash_table_add(pieces, g_ptr_array_index(chain->pieces, k));
        }
        return pieces;
}

/* An edit of a large leaf leaves the pieces of its other sections alone, and the whole is what it
 * would be if it were made anew. */
static void test_sections_stay(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(6);
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwLayout) layout = NULL;
        unsigned kept = 0, all = 0;

        put_zones(slice);
        for (unsigned i = 0; i < 4000; i++)
                if (i % 8)
                        put_ports(slice, rand, i);
        assert_int_equal(fw_layout_new(slice, NULL, &layout), 0);
        for (unsigned step = 0; step < 12; step++) {
                g_autoptr(PtSlice) next = pt_slice_clone(slice);
                g_autoptr(FwLayoutDelta) delta = NULL;
                g_autoptr(FwLayout) fresh = NULL;
                g_autoptr(GHashTable) before = pieces_of(plan_of(layout)), after = NULL;
                unsigned at = (unsigned) g_rand_int_range(rand, 0, 4000);
                g_autofree char *name = g_strdup_printf("r%u", at);
                GHashTableIter iter;
                gpointer piece;

                if (step % 3 || !pt_slice_remove(next, &pt_kind_firewall_rule, name))
                        put_ports(next, rand, at);
                assert_int_equal(fw_delta_new(layout, next, NULL, NULL, &delta), 0);
                fw_delta_apply(delta);
                assert_int_equal(fw_layout_new(next, NULL, &fresh), 0);
                assert_same_plan(plan_of(layout), plan_of(fresh));
                after = pieces_of(plan_of(layout));
                g_hash_table_iter_init(&iter, after);
                while (g_hash_table_iter_next(&iter, &piece, NULL))
                        kept += g_hash_table_contains(before, piece);
                all += g_hash_table_size(after);
                pt_slice_unref(slice);
                slice = g_steal_pointer(&next);
        }
        print_message("%u of %u pieces stayed\n", kept, all);
        assert_true(kept * 2 > all);
        assert_true(kept < all);
}

/* From a network to everywhere, or from everywhere to one. */
static void put_wide(PtSlice *slice, unsigned i)
{
        g_autofree char *name = g_strdup_printf("r%u", i),
                        *spec = g_strdup_printf(
                                "{\"action\":\"drop\",\"from\":\"lan\",\"to\":\"wan\",\"protocol\":"
                                "\"tcp\",\"%s\":{\"addresses\":[\"10.%u.%u.0/24\"]}}",
                                i % 2 ? "source" : "destination", i / 512, i / 2 % 256);

        fw_put_rule(slice, name, i + 1, spec);
}

/* Whether rules may be copied as often as in a small table is a matter of all rules of the table, also of
 * those that are not in force: with the one that makes it a large one, classes are made anew that it is
 * not in, as if they had always been of such a table, and back. */
static void test_table_becomes_large(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(8);
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwLayout) layout = NULL;
        unsigned leaves[3], n = 0;

        put_zones(slice);
        for (unsigned i = 0; i < 4200; i++)
                put_wide(slice, i);
        for (;
             fw_tree_copies(pt_slice_count(slice, &pt_kind_firewall_rule) + 1) == fw_tree_copies(1);
             n++) {
                g_autofree char *name = g_strdup_printf("off%u", n);

                fw_put_rule(slice, name, 5000 + n, "{\"action\":\"drop\",\"enabled\":false}");
        }
        assert_true(n > 0);
        assert_int_equal(fw_layout_new(slice, NULL, &layout), 0);
        leaves[0] = count_plan(class_of(layout)).leaves;
        for (unsigned step = 1; step < 3; step++) {
                g_autoptr(PtSlice) next = pt_slice_clone(slice);
                g_autoptr(FwLayoutDelta) delta = NULL;
                g_autoptr(FwLayout) fresh = NULL;

                if (step == 1)
                        fw_put_rule(next, "one-more", 5000 + n,
                                    "{\"action\":\"drop\",\"enabled\":false}");
                else
                        assert_true(pt_slice_remove(next, &pt_kind_firewall_rule, "one-more"));
                assert_int_equal(fw_delta_new(layout, next, NULL, NULL, &delta), 0);
                assert_false(fw_delta_is_empty(delta));
                fw_delta_apply(delta);
                assert_int_equal(fw_layout_new(next, NULL, &fresh), 0);
                assert_same_plan(plan_of(layout), plan_of(fresh));
                leaves[step] = count_plan(class_of(layout)).leaves;
                assert_first_match(class_of(layout), rand, 200);
                pt_slice_unref(slice);
                slice = g_steal_pointer(&next);
        }
        print_message("leaves: %u, %u, %u\n", leaves[0], leaves[1], leaves[2]);
        assert_true(leaves[1] < leaves[0]);
        assert_int_equal(leaves[2], leaves[0]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_first_match),
                cmocka_unit_test(test_single_values),
                cmocka_unit_test(test_many),
                cmocka_unit_test(test_keys_of_runs),
                cmocka_unit_test(test_edits_are_local),
                cmocka_unit_test(test_sections_stay),
                cmocka_unit_test(test_table_becomes_large),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
