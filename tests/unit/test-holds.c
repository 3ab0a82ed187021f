/* SPDX-License-Identifier: GPL-3.0-or-later */

/* How long a transaction keeps others from changing the ruleset of the namespace: the kernel works on it
 * within sendto(), nearly all of that under the mutex of commits (nf_tables_valid_genid() takes it).
 * Measured is the thread's CPU time, to which a busy machine adds nothing. */

#include "engine-nft.h"
#include "filter-unit.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define HOLD_MAX_USEC (200 * 1000)
#define KEYS_PER_ADDRESS 60U

static PtEngineCtx ctx;
static int64_t longest; /* of a call of sendto() since it was zero */

static int64_t cpu_usec(void)
{
        struct timespec now;

        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
        return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000;
}

/* In place of the C library's, for libmnl. */
ssize_t sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
               socklen_t to_size)
{
        int64_t before = cpu_usec();
        long n = syscall(SYS_sendto, fd, data, size, flags, to, to_size);

        longest = MAX(longest, cpu_usec() - before);
        return n;
}

static void done(int result, void *userdata)
{
        *(int *) userdata = result;
}

/* The longest hold of it. */
static int64_t commit(PtSlice *slice, uint64_t revision)
{
        const PtEngine *engine = &fw_engine_nft;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtObserved *observed = NULL;
        PtPlan *plan = NULL;
        int result = 1;

        assert_int_equal(engine->observe(&ctx, &observed), 0);
        assert_int_equal(engine->plan(&ctx, revision, slice, observed, diag, &plan), 0);
        longest = 0;
        assert_int_equal(engine->commit(&ctx, plan, diag, done, &result), 0);
        assert_int_equal(result, 0);
        engine->plan_free(plan);
        engine->observed_free(observed);
        return longest;
}

static unsigned rules_of(unsigned brief)
{
        return getenv("PATRONUS_LONG") ? 100000 : brief;
}

/* Rules of one shape, each with a key of its own: one map. */
static void put_like(PtSlice *slice, unsigned number, unsigned key)
{
        unsigned host = key / KEYS_PER_ADDRESS;
        g_autofree char *name = g_strdup_printf("r-%06u", number);
        g_autofree char *spec = g_strdup_printf(
                "{\"action\":\"allow\",\"from\":\"lan\",\"to\":\"wan\",\"protocol\":\"tcp\","
                "\"source\":{\"addresses\":[\"10.%u.%u.%u\"]},\"destination\":{\"ports\":[%u]}}",
                host >> 16 & 255, host >> 8 & 255, host & 255, 1024 + key % KEYS_PER_ADDRESS);

        fw_put_rule(slice, name, number + 1, spec);
}

static void test_edits_of_a_long_run(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(GRand) rand = g_rand_new_with_seed(1);
        unsigned n = rules_of(20000), fresh_key = n;
        uint64_t revision = 0;
        int64_t hold, most = 0;

        fw_random_zones(slice, rand);
        for (unsigned i = 0; i < n; i++)
                put_like(slice, i, i);
        print_message("load of %u rules of one shape, in one transaction: %" PRId64 " us\n", n,
                      commit(slice, ++revision));
        for (unsigned step = 0; step < 40; step++) {
                g_autoptr(PtSlice) next = pt_slice_clone(slice);

                for (unsigned edits = step % 2 ? 1 : 300; edits > 0; edits--)
                        put_like(next, (unsigned) g_rand_int_range(rand, 0, (int) n), fresh_key++);
                hold = commit(next, ++revision);
                most = MAX(most, hold);
                pt_slice_unref(slice);
                slice = g_steal_pointer(&next);
        }
        print_message("edits: %" PRId64 " us at most\n", most);
        assert_in_range(most, 0, HOLD_MAX_USEC);
}

/* Leaves, maps of ranges and lists; a rule for any address stands in many of them. */
static void test_edits_of_stretches(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(GRand) rand = g_rand_new_with_seed(1);
        unsigned n = rules_of(10000);
        uint64_t revision = 1000;
        int64_t hold, most = 0;

        fw_random_zones(slice, rand);
        for (unsigned i = 0; i < 2 * n; i++)
                fw_random_dense_rule(slice, rand, n);
        print_message("load of %u mixed rules: %" PRId64 " us\n", n, commit(slice, ++revision));
        for (unsigned step = 0; step < 20; step++) {
                g_autoptr(PtSlice) next = fw_random_dense_step(slice, rand, n);

                hold = commit(next, ++revision);
                most = MAX(most, hold);
                pt_slice_unref(slice);
                slice = g_steal_pointer(&next);
        }
        print_message("edits: %" PRId64 " us at most\n", most);
        assert_in_range(most, 0, HOLD_MAX_USEC);
}

static int setup(void **state)
{
        if (unshare(CLONE_NEWNET) < 0)
                return -1;
        ctx.netns_fd = -1;
        return fw_engine_nft.setup(&ctx) < 0 || sd_event_new(&ctx.event) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
        fw_engine_nft.teardown(&ctx);
        ctx.event = sd_event_unref(ctx.event);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_edits_of_a_long_run),
                cmocka_unit_test(test_edits_of_stretches),
        };

        if (geteuid() != 0) {
                print_message("1..0 # SKIP needs root for a network namespace\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, setup, teardown);
}
