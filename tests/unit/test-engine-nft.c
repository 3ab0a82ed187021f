/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The engine against the kernel, in a network namespace of the test's own: random commits, each
 * read back whole. */

#include "base/marks.h"
#include "emit-rule.h"
#include "emit.h"
#include "engine-nft.h"
#include "engine-unit.h"
#include "filter-unit.h"

#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#define TABLE PT_MARK_NFT_TABLE

typedef struct Order {
        const FwClass *klass;
        unsigned at;
} Order;

static int check_unit_rule(struct nftnl_rule *rule, void *userdata)
{
        Order *order = userdata;
        uint32_t size = 0;
        const char *comment = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &size);

        assert_true(order->at < order->klass->units->len);
        assert_string_equal(comment + 2,
                            ((FwUnit *) g_ptr_array_index(order->klass->units, order->at))->name);
        order->at++;
        return 0;
}

static int count_rule(struct nftnl_rule *rule, void *userdata)
{
        ++*(unsigned *) userdata;
        return 0;
}

static int count_element(struct nftnl_set_elem *element, void *userdata)
{
        ++*(unsigned *) userdata;
        return 0;
}

typedef struct Expected {
        PtNft *nft;
        const GPtrArray *chains, *sets;
        unsigned n_chains, n_sets;
} Expected;

static void assert_kernel_has_plan(const FwPlan *plan, Expected *expected)
{
        expected->n_chains += plan->chains->len;
        for (unsigned i = 0; i < plan->chains->len; i++) {
                const FwChain *chain = g_ptr_array_index(plan->chains, i);
                unsigned rules = 0;

                assert_true(contains(expected->chains, chain->name));
                assert_int_equal(
                        pt_nft_dump_rules(expected->nft, TABLE, chain->name, count_rule, &rules),
                        0);
                assert_int_equal(rules, chain->pieces->len);
                for (unsigned k = 0; k < chain->pieces->len; k++) {
                        const FwPiece *piece = g_ptr_array_index(chain->pieces, k);
                        unsigned elements = 0;

                        if (fw_piece_is_map(piece)) {
                                expected->n_sets++;
                                assert_int_equal(pt_nft_dump_elements(expected->nft, TABLE,
                                                                      piece->name, count_element,
                                                                      &elements),
                                                 0);
                                assert_int_equal(elements, piece->n);
                        } else if (piece->sort == FW_PIECE_SHARD) {
                                expected->n_chains++;
                        }
                }
        }
}

static void assert_kernel_has_class(const FwClass *klass, void *userdata)
{
        Expected *expected = userdata;
        Order order = {.klass = klass};

        expected->n_chains++;
        assert_int_equal(
                pt_nft_dump_rules(expected->nft, TABLE, klass->chain, check_unit_rule, &order), 0);
        assert_int_equal(order.at, klass->units->len);
        for (unsigned i = 0; i < klass->units->len; i++) {
                const FwUnit *unit = g_ptr_array_index(klass->units, i);
                unsigned elements = 0;

                if (unit->plan) {
                        assert_kernel_has_plan(unit->plan, expected);
                        continue;
                }
                assert_true(contains(unit->shape ? expected->sets : expected->chains, unit->name));
                *(unit->shape ? &expected->n_sets : &expected->n_chains) += 1;
                if (!unit->shape)
                        continue;
                assert_int_equal(pt_nft_dump_elements(expected->nft, TABLE, unit->name,
                                                      count_element, &elements),
                                 0);
                assert_int_equal(elements, g_hash_table_size(unit->keys));
        }
}

/* Everything that the slice asks for is in the kernel, in order, and nothing else of ours. */
static void assert_kernel_has(PtSlice *slice)
{
        PtNft *nft = fw_engine_nft_socket(ctx.engine);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtNftBatch) scratch = pt_nft_batch_new(0);
        g_autoptr(FwTouched) touched = fw_touched_new();
        g_autoptr(GPtrArray) chains = NULL, sets = NULL;
        g_autoptr(FwLayout) layout = NULL;
        FwMarker marker = {.revision = 1};
        unsigned found_chains = 0, found_sets = 0;
        Expected expected = {.nft = nft};

        assert_int_equal(fw_layout_new(slice, diag, &layout), 0);
        fw_emit_all(layout, &marker, true, NULL, NULL, scratch, touched);
        if (fw_touched_verify(touched, nft, diag) != 0)
                fail_msg("%s", pt_diag_get(diag, 0)->text);
        assert_int_equal(pt_nft_list_chains(nft, TABLE, &chains), 0);
        assert_int_equal(pt_nft_list_sets(nft, TABLE, &sets), 0);
        expected.chains = chains;
        expected.sets = sets;
        fw_layout_foreach_class(layout, assert_kernel_has_class, &expected);
        for (unsigned i = 0; i < chains->len; i++)
                found_chains += g_str_has_prefix(g_ptr_array_index(chains, i), "z_") ||
                                g_str_has_prefix(g_ptr_array_index(chains, i), "n_");
        for (unsigned i = 0; i < sets->len; i++)
                found_sets += g_str_has_prefix(g_ptr_array_index(sets, i), "m_");
        assert_int_equal(found_chains, expected.n_chains);
        assert_int_equal(found_sets, expected.n_sets);
}

/* From one slice to the next (taken) by what has changed alone. */
static void move_to(PtSlice **slice, PtSlice *next, uint64_t revision)
{
        bool delta;

        assert_int_equal(commit(next, revision, &delta), 0);
        assert_true(delta);
        assert_kernel_has(next);
        pt_slice_unref(*slice);
        *slice = next;
}

static void test_random_commits(void **state)
{
        uint64_t revision = 0;

        for (uint32_t seed = 1; seed <= 6; seed++) {
                g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
                g_autoptr(PtSlice) slice = pt_slice_new();
                bool uniform = seed % 2 == 0;
                unsigned names = seed % 3 == 0 ? 20 : seed % 3 == 1 ? 150 : 400;

                fw_random_zones(slice, rand);
                for (unsigned i = 0; i < names; i++)
                        fw_random_rule(slice, rand, names, uniform);
                assert_int_equal(commit(slice, ++revision, NULL), 0);
                assert_kernel_has(slice);
                for (unsigned step = 0; step < 40; step++)
                        move_to(&slice, fw_random_step(slice, rand, names, uniform), ++revision);
        }
}

/* The same of large policies: plans. */
static void test_random_dense_commits(void **state)
{
        uint64_t revision = 5000;

        for (uint32_t seed = 1; seed <= 4; seed++) {
                g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
                g_autoptr(PtSlice) slice = pt_slice_new();
                unsigned names = (unsigned[]){40, 120, 900}[seed % 3];

                fw_random_zones(slice, rand);
                for (unsigned i = 0; i < 2 * names; i++)
                        fw_random_dense_rule(slice, rand, names);
                assert_int_equal(commit(slice, ++revision, NULL), 0);
                assert_kernel_has(slice);
                for (unsigned step = 0; step < 30; step++)
                        move_to(&slice, fw_random_dense_step(slice, rand, names), ++revision);
        }
}

static bool is_there(const FwClass *klass, const uint8_t *uid)
{
        for (unsigned i = 0; i < klass->entries->len; i++) {
                uint8_t other[16];

                pt_object_uid(&g_array_index(klass->entries, FwEntry, i).rule->object, other);
                if (memcmp(uid, other, sizeof(other)) == 0)
                        return true;
        }
        return false;
}

/* What a rule has counted: its place in the first policy and one more. */
typedef struct Counted {
        uint8_t uid[16];
        uint64_t packets;
        bool gone; /* it was deleted once: what comes under its name begins anew */
} Counted;

static GArray *give_counts(const FwClass *klass, FwCarry *carry)
{
        GArray *counts = g_array_new(FALSE, FALSE, sizeof(Counted));

        for (unsigned i = 0; i < klass->entries->len; i++) {
                Counted count = {.packets = i + 1};

                pt_object_uid(&g_array_index(klass->entries, FwEntry, i).rule->object, count.uid);
                fw_carry_add(carry, klass->chain, count.uid, count.packets, 100 * count.packets);
                g_array_append_val(counts, count);
        }
        return counts;
}

/* However rules move between leaves, maps and lists, and are edited, none loses or gains a count. */
static void test_counts_stay(void **state)
{
        static const char chain[] = "z_lan/wan";
        g_autoptr(GRand) rand = g_rand_new_with_seed(11);
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(FwTouched) touched = fw_touched_new();
        g_autoptr(FwCarry) carry = fw_carry_new();
        g_autoptr(PtNftBatch) batch = pt_nft_batch_new(0);
        g_autoptr(FwLayout) layout = NULL;
        g_autoptr(GArray) counts = NULL;
        g_autofree char *what = NULL;
        FwMarker marker = {.revision = 9000, .version = FW_LAYOUT_VERSION};
        unsigned names = 400, looked = 0;

        fw_random_zones(slice, rand);
        for (unsigned i = 0; i < 2 * names; i++)
                fw_random_dense_rule(slice, rand, names);
        pt_slice_root(slice, &marker.root);
        assert_int_equal(fw_layout_new(slice, diag, &layout), 0);
        assert_int_equal(fw_sets_load(layout->sets, &(FwSource){.slice = slice}, diag), 0);
        counts = give_counts(g_hash_table_lookup(layout->classes, "lan/wan"), carry);
        fw_emit_all(layout, &marker, true, carry, NULL, batch, touched);
        assert_int_equal(pt_nft_send(fw_engine_nft_socket(ctx.engine), batch, &what), 0);
        fw_engine_nft.teardown(&ctx);
        assert_int_equal(fw_engine_nft.setup(&ctx), 0);
        assert_int_equal(commit(slice, 9000, NULL), 0);
        for (unsigned step = 1; step <= 25; step++) {
                g_autoptr(PtSlice) next = fw_random_dense_step(slice, rand, names);
                g_autoptr(FwCarry) now = fw_carry_new();
                const FwClass *klass;
                bool delta;

                assert_int_equal(commit(next, 9000 + step, &delta), 0);
                assert_true(delta);
                klass = g_hash_table_lookup(fw_engine_layout(ctx.engine)->classes, "lan/wan");
                assert_int_equal(fw_carry_read_all(fw_engine_nft_socket(ctx.engine), false, now),
                                 0);
                for (unsigned i = 0; i < counts->len; i++) {
                        Counted *count = &g_array_index(counts, Counted, i);
                        FwCount found = {0};

                        count->gone = count->gone || !is_there(klass, count->uid);
                        (void) fw_carry_take(now, chain, count->uid, &found);
                        if (count->gone)
                                continue;
                        assert_int_equal(found.packets, count->packets);
                        assert_int_equal(found.bytes, 100 * count->packets);
                        looked++;
                }
                pt_slice_unref(slice);
                slice = g_steal_pointer(&next);
        }
        assert_true(looked > 5000);
}

/* What a restarted daemon finds is taken over without a message to the kernel but the marker's. */
static void test_adopts_what_is_there(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtSlice) next = NULL;
        uint32_t before, after;
        bool delta;

        fw_put_zone(slice, "lan", "{\"interfaces\":[\"lan\"]}");
        fw_put_rule(slice, "a", 1, "{\"action\":\"allow\",\"from\":\"lan\"}");
        assert_int_equal(commit(slice, 1000, NULL), 0);
        fw_engine_nft.teardown(&ctx);
        assert_int_equal(fw_engine_nft.setup(&ctx), 0);
        assert_int_equal(pt_nft_generation(fw_engine_nft_socket(ctx.engine), &before), 0);
        assert_int_equal(commit(slice, 1000, NULL), 0);
        assert_int_equal(pt_nft_generation(fw_engine_nft_socket(ctx.engine), &after), 0);
        assert_int_equal(before, after);
        next = pt_slice_clone(slice);
        fw_put_rule(next, "b", 2, "{\"action\":\"drop\",\"from\":\"lan\"}");
        assert_int_equal(commit(next, 1001, &delta), 0);
        assert_true(delta);
        assert_kernel_has(next);
}

/* Others' changes are found when they are in the way, and replaced. */
static void test_foreign_changes(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtSlice) next = NULL;
        PtNft *other = NULL;
        g_autofree char *shard = NULL;
        const FwLayout *layout;
        PtNftBatch *batch;

        fw_put_zone(slice, "lan", "{\"interfaces\":[\"lan\"]}");
        fw_put_rule(slice, "a", 1, "{\"action\":\"allow\",\"from\":\"lan\"}");
        assert_int_equal(commit(slice, 2000, NULL), 0);
        layout = fw_engine_layout(ctx.engine);
        shard = g_strdup(
                ((FwUnit *) g_ptr_array_index(
                         ((FwClass *) g_hash_table_lookup(layout->classes, "lan/any"))->units, 0))
                        ->name);

        /* A flushed shard: the next commit that touches it puts back what belongs there. */
        assert_int_equal(pt_nft_open(-1, &other), 0);
        batch = pt_nft_batch_new(0);
        pt_nft_batch_flush_chain(batch, TABLE, shard);
        assert_int_equal(pt_nft_send(other, batch, NULL), 0);
        pt_nft_batch_free(batch);
        next = pt_slice_clone(slice);
        fw_put_rule(next, "b", 2, "{\"action\":\"drop\",\"from\":\"lan\"}");
        assert_int_equal(commit(next, 2001, NULL), 0);
        assert_kernel_has(next);

        /* The table gone: the whole comes back. */
        batch = pt_nft_batch_new(0);
        pt_nft_batch_delete_table(batch, TABLE);
        assert_int_equal(pt_nft_send(other, batch, NULL), 0);
        pt_nft_batch_free(batch);
        assert_int_equal(commit(slice, 2002, NULL), 0);
        assert_kernel_has(slice);

        /* A stale generation is refused, and nothing of the batch is in force. */
        batch = pt_nft_batch_new(1);
        pt_nft_batch_delete_table(batch, TABLE);
        assert_int_equal(pt_nft_send(other, batch, NULL), -ERESTART);
        pt_nft_batch_free(batch);
        assert_kernel_has(slice);
        pt_nft_close(other);
}

/* Removes an element, and adds it again as another rule's, if there is one. */
static void replace_element(PtNft *nft, const FwPiece *map, const FwItem *item,
                            const FirewallRule *rule)
{
        g_autoptr(PtNftBatch) batch = pt_nft_batch_new(0);

        for (unsigned add = 0; add < (rule ? 2 : 1); add++) {
                struct nftnl_set_elem *element = nftnl_set_elem_alloc();
                uint32_t verdict = (uint32_t) NFT_RETURN;
                uint8_t userdata[NFT_USERDATA_MAXLEN];

                nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, item->keys,
                                   (uint32_t) map->key_len);
                if (add) {
                        nftnl_set_elem_set(element, NFTNL_SET_ELEM_VERDICT, &verdict,
                                           sizeof(verdict));
                        nftnl_set_elem_set(element, NFTNL_SET_ELEM_USERDATA, userdata,
                                           (uint32_t) fw_rule_userdata(rule, 0, false, userdata));
                }
                pt_nft_batch_elements_begin(batch, TABLE, map->name, 0, !add);
                pt_nft_batch_element(batch, element);
                pt_nft_batch_elements_end(batch);
        }
        assert_int_equal(pt_nft_send(nft, batch, NULL), 0);
}

/* One element of many that is gone or is another rule's, wherever it stands in its map. */
static void test_elements_are_verified(void **state)
{
        static const unsigned picked[] = {0, 17, PT_NFT_GET_MAX - 1, PT_NFT_GET_MAX, 39};
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(FwLayout) layout = NULL;
        g_autoptr(PtNftBatch) scratch = pt_nft_batch_new(0);
        g_autoptr(FwTouched) touched = fw_touched_new();
        PtNft *nft = fw_engine_nft_socket(ctx.engine);
        FwMarker marker = {.revision = 1};
        const FwPiece *map;

        fw_put_zone(slice, "lan", "{\"interfaces\":[\"lan\"]}");
        for (unsigned i = 0; i < 40; i++) {
                g_autofree char *name = g_strdup_printf("r%u", i),
                                *spec = g_strdup_printf(
                                        "{\"action\":\"drop\",\"from\":\"lan\","
                                        "\"source\":{\"addresses\":[\"10.0.0.%u\"]}}",
                                        i);

                fw_put_rule(slice, name, i + 1, spec);
        }
        assert_int_equal(fw_layout_new(slice, NULL, &layout), 0);
        fw_emit_all(layout, &marker, true, NULL, NULL, scratch, touched);
        map = g_ptr_array_index(
                fw_plan_entry(((FwUnit *) g_ptr_array_index(
                                       ((FwClass *) g_hash_table_lookup(layout->classes, "lan/any"))
                                               ->units,
                                       0))
                                      ->plan)
                        ->pieces,
                0);
        assert_int_equal(map->sort, FW_PIECE_HASH);
        assert_int_equal(map->n, 40);
        for (unsigned i = 0; i < 2 * G_N_ELEMENTS(picked); i++) {
                const FwItem *item = fw_piece_item(map, picked[i / 2]);
                g_autoptr(PtDiagnostics) diag = pt_diag_new();

                fw_engine_distrust(ctx.engine);
                assert_int_equal(commit(slice, 3000 + i, NULL), 0);
                assert_int_equal(fw_touched_verify(touched, nft, diag), 0);
                replace_element(nft, map, item, i % 2 ? fw_piece_item(map, 5)->rule : NULL);
                assert_int_equal(fw_touched_verify(touched, nft, diag), -EUCLEAN);
                assert_int_equal(pt_diag_count(diag), 1);
        }
}

/* Somebody else's transactions, at any step of ours. */

static void flush(PtNft *other, const char *table, const char *chain)
{
        PtNftBatch *batch = pt_nft_batch_new(0);

        pt_nft_batch_flush_chain(batch, table, chain);
        assert_int_equal(pt_nft_send(other, batch, NULL), 0);
        pt_nft_batch_free(batch);
}

static void add_chain(PtNft *other, const char *table, const char *chain)
{
        PtNftBatch *batch = pt_nft_batch_new(0);

        pt_nft_batch_add_table(batch, table);
        pt_nft_batch_add_chain(batch, table, chain, NULL);
        assert_int_equal(pt_nft_send(other, batch, NULL), 0);
        pt_nft_batch_free(batch);
}

static void heard(int type, uint32_t port, const char *chain, const char *set, void *userdata)
{
        if (fw_engine_heard(ctx.engine, port))
                ++*(unsigned *) userdata;
}

typedef struct Disturbed {
        PtNft *other;
        /* Chains that are flushed before the plan, between plan and commit, and before verify. */
        const char *before_plan, *before_commit, *before_verify;
} Disturbed;

static int commit_disturbed(PtSlice *slice, uint64_t revision, const Disturbed *disturbed)
{
        const PtEngine *engine = &fw_engine_nft;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtObserved *observed = NULL;
        PtPlan *plan = NULL;
        int result = 1;

        if (disturbed->before_plan)
                flush(disturbed->other, TABLE, disturbed->before_plan);
        assert_int_equal(engine->observe(&ctx, &observed), 0);
        assert_int_equal(engine->plan(&ctx, revision, slice, observed, diag, &plan), 0);
        if (disturbed->before_commit)
                flush(disturbed->other, TABLE, disturbed->before_commit);
        assert_int_equal(engine->commit(&ctx, plan, diag, done, &result), 0);
        assert_int_equal(result, 0);
        if (disturbed->before_verify)
                flush(disturbed->other, TABLE, disturbed->before_verify);
        assert_int_equal(engine->verify(&ctx, plan, diag, done, &result), 0);
        assert_int_equal(pt_diag_count(diag) > 0, result != 0);
        engine->plan_free(plan);
        engine->observed_free(observed);
        return result;
}

static void test_disturbed(void **state)
{
        static const char *const chains[] = {"forward", "p_common", "p_reject", "_rev"};
        g_autoptr(PtSlice) slice = pt_slice_new(), next = NULL;
        g_autoptr(PtNftMonitor) monitor = NULL;
        uint64_t revision = 3000;
        Disturbed none = {}, each = {};
        unsigned news = 0;

        fw_put_zone(slice, "wan", "{\"interfaces\":[\"wan\"]}");
        fw_put_zone(slice, "lan", "{\"interfaces\":[\"lan\"]}");
        fw_put_rule(slice, "a", 1, "{\"action\":\"allow\",\"from\":\"lan\",\"to\":\"wan\"}");
        next = pt_slice_clone(slice);
        fw_put_rule(next, "b", 2, "{\"action\":\"drop\",\"from\":\"wan\",\"to\":\"lan\"}");
        assert_int_equal(pt_nft_open(-1, &each.other), 0);
        assert_int_equal(pt_nft_monitor_new(-1, ctx.event, TABLE, heard, &news, &monitor), 0);
        fw_engine_watch(ctx.engine, monitor);
        assert_int_equal(commit_disturbed(slice, ++revision, &none), 0);

        for (unsigned i = 0; i < G_N_ELEMENTS(chains); i++) {
                /* After the commit, whatever is touched: not verified; the next makes all anew. */
                each.before_verify = chains[i];
                assert_int_equal(commit_disturbed(next, ++revision, &each), -EUCLEAN);
                each.before_verify = NULL;
                assert_int_equal(commit_disturbed(slice, ++revision, &each), 0);
                /* Before a commit that changes what is there: not verified either. */
                each.before_commit = chains[i];
                assert_int_equal(commit_disturbed(next, ++revision, &each), -EUCLEAN);
                /* Before one that makes all anew: nothing of it is left. */
                assert_int_equal(commit_disturbed(slice, ++revision, &each), 0);
                each.before_commit = NULL;
                fw_engine_distrust(ctx.engine);
                each.before_plan = chains[i];
                assert_int_equal(commit_disturbed(next, ++revision, &each), 0);
                each.before_plan = NULL;
                assert_int_equal(commit_disturbed(slice, ++revision, &none), 0);
                assert_kernel_has(slice);
        }
        assert_true(news >= 4 * G_N_ELEMENTS(chains));
        /* Another's table. */
        news = 0;
        add_chain(each.other, "others", "c");
        assert_int_equal(commit_disturbed(next, ++revision, &none), 0);
        assert_int_equal(news, 0);
        fw_engine_watch(ctx.engine, NULL);
        pt_nft_close(each.other);
}

/* The kernel's words reach the reader. */
static void test_refusal_is_named(void **state)
{
        g_autofree char *what = NULL;
        PtNftBatch *batch = pt_nft_batch_new(0);

        pt_nft_batch_delete_chain(batch, TABLE, "no-such-chain");
        assert_int_equal(pt_nft_send(fw_engine_nft_socket(ctx.engine), batch, &what), -ENOENT);
        assert_string_equal(what, "chain no-such-chain");
        pt_nft_batch_free(batch);
}

/* A helper that the kernel has for TCP only stands for one that it has not. */
static void test_missing_helper_is_named(void **state)
{
        const PtEngine *engine = &fw_engine_nft;
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtObserved *observed = NULL;
        PtPlan *plan = NULL;
        uint32_t before, after;
        FirewallRule *rule;

        fw_put_rule(slice, "files", 1,
                    "{\"action\":\"allow\",\"protocol\":\"tcp\",\"helper\":\"ftp\","
                    "\"destination\":{\"ports\":[21]}}");
        fw_put_rule(slice, "plain", 2, "{\"action\":\"allow\"}");
        rule = (FirewallRule *) (uintptr_t) pt_slice_get(slice, &pt_kind_firewall_rule, "files");
        assert_int_equal(pt_nft_generation(fw_engine_nft_socket(ctx.engine), &before), 0);
        assert_int_equal(engine->observe(&ctx, &observed), 0);
        assert_int_equal(engine->plan(&ctx, 1, slice, observed, diag, &plan), 0);
        engine->plan_free(plan);
        rule->protocol = IPPROTO_UDP; /* what configd would refuse */
        plan = NULL;
        assert_int_equal(engine->plan(&ctx, 1, slice, observed, diag, &plan), -EOPNOTSUPP);
        assert_null(plan);
        assert_string_equal(pt_diag_get(diag, pt_diag_count(diag) - 1)->subject,
                            "FirewallRule/files");
        assert_non_null(strstr(pt_diag_get(diag, pt_diag_count(diag) - 1)->text,
                               "no connection helper ftp for UDP"));
        engine->observed_free(observed);
        /* Asking changes nothing. */
        assert_int_equal(pt_nft_generation(fw_engine_nft_socket(ctx.engine), &after), 0);
        assert_int_equal(after, before);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_random_commits),
                cmocka_unit_test(test_random_dense_commits),
                cmocka_unit_test(test_counts_stay),
                cmocka_unit_test(test_adopts_what_is_there),
                cmocka_unit_test(test_foreign_changes),
                cmocka_unit_test(test_elements_are_verified),
                cmocka_unit_test(test_disturbed),
                cmocka_unit_test(test_refusal_is_named),
                cmocka_unit_test(test_missing_helper_is_named),
        };

        if (geteuid() != 0) {
                print_message("1..0 # SKIP needs root for a network namespace\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, setup, teardown);
}
