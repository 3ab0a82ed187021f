/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What rules have counted, over all the classes that they are in, through random commits. */

#include "base/marks.h"
#include "emit.h"
#include "engine-unit.h"
#include "filter-unit.h"
#include "listing.h"

#include <inttypes.h>
#include <unistd.h>

#define TABLE PT_MARK_NFT_TABLE

/* By "z", or "n" for translations, and uid. */
static GBytes *sum_key(bool nat, const uint8_t *uid)
{
        char key[17] = {nat ? 'n' : 'z'};

        memcpy(key + 1, uid, 16);
        return g_bytes_new(key, sizeof(key));
}

static GHashTable *sums_new(void)
{
        return g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref,
                                     g_free);
}

static void add_sum(GHashTable *sums, bool nat, const uint8_t *uid, uint64_t packets)
{
        GBytes *key = sum_key(nat, uid);
        uint64_t *sum = g_hash_table_lookup(sums, key);

        if (sum) {
                g_bytes_unref(key);
        } else {
                sum = g_new0(uint64_t, 1);
                g_hash_table_insert(sums, key, sum);
        }
        *sum += packets;
}

static void add_carried(const char *chain, const uint8_t uid[static 16], const FwCount *count,
                        void *userdata)
{
        assert_int_equal(count->bytes, 100 * count->packets);
        add_sum(userdata, chain[0] == 'n' || strcmp(chain, FW_CHAIN_KEPT_NAT) == 0, uid,
                count->packets);
}

typedef struct Given {
        FwCarry *carry;
        unsigned n;
} Given;

static void give_class(const FwClass *klass, void *userdata)
{
        Given *given = userdata;

        for (unsigned i = 0; i < klass->entries->len; i++) {
                uint8_t uid[16];

                given->n++;
                pt_object_uid(&g_array_index(klass->entries, FwEntry, i).rule->object, uid);
                fw_carry_add(given->carry, klass->chain, uid, given->n, 100 * given->n);
        }
}

static void add_in_force(const FirewallRule *rule, void *userdata)
{
        uint8_t uid[16];

        pt_object_uid(&rule->object, uid);
        add_sum(userdata, false, uid, 1);
}

typedef struct InForce {
        FwNatPolicy policy;
        GHashTable *sums;
} InForce;

static int add_nat_in_force(const PtObject *object, void *userdata)
{
        const InForce *force = userdata;
        uint8_t uid[16];

        pt_object_uid(object, uid);
        if (fw_nat_in_force(&force->policy, (const NatRule *) object))
                add_sum(force->sums, true, uid, 1);
        return 0;
}

typedef struct Listed {
        unsigned rows, waiting;
        uint64_t packets;
} Listed;

static void add_row(const FwCounterRow *row, void *userdata)
{
        Listed *listed = userdata;

        listed->rows++;
        listed->waiting += row->kind[0] && !row->klass[0];
        listed->packets += row->packets;
}

/* In pages of so many rows. */
static Listed list_counters(unsigned limit)
{
        g_autofree char *after = g_strdup("");
        Listed listed = {0};

        do {
                char *next = NULL;

                assert_int_equal(
                        fw_list_counters(ctx.engine, after, limit, add_row, &listed, &next), 0);
                g_free(after);
                after = next;
        } while (after[0] != '\0');
        return listed;
}

/* Whatever becomes of the classes that a rule is in, while it is in force its sum stays. Returns how
 * often something waited for a class. */
static unsigned assert_sums_stay(uint32_t seed)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(FwTouched) touched = fw_touched_new();
        g_autoptr(FwCarry) carry = fw_carry_new();
        g_autoptr(PtNftBatch) batch = pt_nft_batch_new(0);
        g_autoptr(FwLayout) layout = NULL;
        g_autoptr(GHashTable) sums = sums_new();
        FwMarker marker = {.revision = 20000 + 1000 * seed, .version = FW_LAYOUT_VERSION};
        unsigned names = 40, waited = 0;
        Given given = {carry, 0};

        fw_random_zones(slice, rand);
        for (unsigned i = 0; i < 30; i++)
                fw_random_rule(slice, rand, names, false);
        for (unsigned i = 0; i < 12; i++)
                fw_random_nat(slice, rand, names);
        pt_slice_root(slice, &marker.root);
        assert_int_equal(fw_layout_new(slice, diag, &layout), 0);
        assert_int_equal(fw_sets_load(layout->sets, &(FwSource){.slice = slice}, diag), 0);
        fw_layout_foreach_class(layout, give_class, &given);
        fw_carry_foreach(carry, add_carried, sums);
        fw_emit_all(layout, &marker, true, carry, NULL, batch, touched);
        assert_int_equal(pt_nft_send(fw_engine_nft_socket(ctx.engine), batch, NULL), 0);
        fw_engine_nft.teardown(&ctx);
        assert_int_equal(fw_engine_nft.setup(&ctx), 0);
        assert_int_equal(commit(slice, marker.revision, NULL), 0);
        for (unsigned step = 1; step <= 60; step++) {
                g_autoptr(PtSlice) next = fw_random_step(slice, rand, names, false);
                g_autoptr(FwCarry) now = fw_carry_new();
                g_autoptr(GHashTable) found = sums_new(), force = sums_new();
                g_autoptr(GPtrArray) chains = NULL;
                PtNft *nft = fw_engine_nft_socket(ctx.engine);
                FwEffective *effective;
                InForce nat = {.sums = force};
                GHashTableIter iter;
                gpointer key, value;

                if (step % 20 == 0) /* the whole anew */
                        fw_engine_distrust(ctx.engine);
                assert_int_equal(commit(next, marker.revision + step, NULL), 0);
                nft = fw_engine_nft_socket(ctx.engine);
                effective = fw_engine_layout(ctx.engine)->effective;
                fw_effective_foreach(effective, next, add_in_force, force);
                nat.policy = fw_nat_policy(effective, next);
                (void) pt_slice_foreach(next, &pt_kind_nat_rule, add_nat_in_force, &nat);
                assert_int_equal(fw_carry_read_all(nft, false, now), 0);
                fw_carry_foreach(now, add_carried, found);
                g_hash_table_iter_init(&iter, sums);
                while (g_hash_table_iter_next(&iter, &key, &value)) {
                        const uint64_t *sum = g_hash_table_lookup(found, key);

                        if (!g_hash_table_contains(force, key))
                                g_hash_table_iter_remove(&iter); /* it begins anew */
                        else if ((sum ? *sum : 0) != *(uint64_t *) value)
                                fail_msg("seed %u, step %u: %" PRIu64 " instead of %" PRIu64, seed,
                                         step, sum ? *sum : 0, *(uint64_t *) value);
                }
                assert_int_equal(pt_nft_list_chains(nft, TABLE, &chains), 0);
                if (contains(chains, FW_CHAIN_KEPT) || contains(chains, FW_CHAIN_KEPT_NAT)) {
                        Listed whole = list_counters(FW_LIST_MAX), pages = list_counters(25);

                        waited++;
                        assert_true(whole.waiting > 0);
                        assert_memory_equal(&whole, &pages, sizeof(whole));
                }
                pt_slice_unref(slice);
                slice = g_steal_pointer(&next);
        }
        return waited;
}

static void test_sums_stay(void **state)
{
        unsigned waited = 0;

        for (uint32_t seed = 1; seed <= 3; seed++)
                waited += assert_sums_stay(seed);
        assert_true(waited > 20);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sums_stay),
        };

        if (geteuid() != 0) {
                print_message("1..0 # SKIP needs root for a network namespace\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, setup, teardown);
}
