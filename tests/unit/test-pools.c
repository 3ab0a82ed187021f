/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Which server a slot leads to, by who is alive; and what is read of a server's answer. */

#include "filter-unit.h"
#include "pools.h"
#include "probe.h"
#include "unit.h"

static GHashTable *make_pools(PtSlice *slice, const char *pool)
{
        g_autoptr(FwEffective) effective = fw_effective_new();
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autofree char *text =
                g_strdup_printf("{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"ServerPool\","
                                "\"metadata\":{\"name\":\"web\"},\"spec\":{%s}}",
                                pool);
        FwNatPolicy policy;
        GHashTable *pools = NULL;

        fw_put(slice, text);
        fw_put_ordered(slice, "NatRule", "n", 1,
                       "{\"type\":\"forward\",\"zone\":\"wan\",\"destination\":{\"ports\":[80]},"
                       "\"pool\":\"web\"}");
        policy = fw_nat_policy(effective, slice);
        assert_int_equal(fw_pools_new(&policy, NULL, diag, &pools), 0);
        assert_int_equal(g_hash_table_size(pools), 1);
        return pools;
}

static unsigned count(const FwPool *pool, const int *slots, int server)
{
        unsigned n = 0;

        for (unsigned i = 0; i < pool->slots; i++)
                n += slots[i] == server;
        return n;
}

#define SERVERS                                                                                    \
        "\"servers\":[{\"address\":\"10.0.0.1\",\"weight\":2},{\"address\":\"10.0.0.2\"},"         \
        "{\"address\":\"10.0.0.3\"},{\"address\":\"10.0.0.4\",\"enabled\":false}]"

/* Each gets its share, of those that are left too; nobody's are the fallback's, or nobody's. */
static void test_shares(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(GHashTable) pools =
                make_pools(slice, SERVERS ",\"fallback\":{\"address\":\"10.0.0.9\"}");
        const FwPool *pool = g_hash_table_lookup(pools, "web");
        g_autoptr(FwHealth) health = fw_health_new();
        g_autofree int *all = fw_pool_assign(pool, health), *two = NULL, *none = NULL;

        assert_int_equal(pool->n, 4); /* three and the fallback */
        assert_int_equal(pool->slots, 128);
        assert_int_equal(count(pool, all, 0), 64);
        assert_int_equal(count(pool, all, 1), 32);
        assert_int_equal(count(pool, all, 3), 0);
        /* They are interleaved: of four one after the other two are the first's. */
        for (unsigned i = 0; i + 4 <= pool->slots; i += 4)
                assert_int_equal((all[i] == 0) + (all[i + 1] == 0) + (all[i + 2] == 0) +
                                         (all[i + 3] == 0),
                                 2);
        fw_health_set(health, "web", pool->servers[0].id, false);
        two = fw_pool_assign(pool, health);
        assert_int_equal(count(pool, two, 0), 0);
        assert_int_equal(count(pool, two, 1), 64);
        fw_health_set(health, "web", pool->servers[1].id, false);
        fw_health_set(health, "web", pool->servers[2].id, false);
        none = fw_pool_assign(pool, health);
        assert_int_equal(count(pool, none, 3), 128);
}

/* By hash: who has a server that lives keeps it. */
static void test_hash_is_steady(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(GHashTable) pools = make_pools(slice, SERVERS ",\"algorithm\":\"source-hash\"");
        const FwPool *pool = g_hash_table_lookup(pools, "web");
        g_autoptr(FwHealth) health = fw_health_new();
        g_autofree int *all = fw_pool_assign(pool, health), *two = NULL, *none = NULL;

        fw_health_set(health, "web", pool->servers[1].id, false);
        two = fw_pool_assign(pool, health);
        for (unsigned i = 0; i < pool->slots; i++)
                assert_true(all[i] == 1 ? two[i] != 1 : two[i] == all[i]);
        assert_true(count(pool, two, 2) > count(pool, all, 2));
        fw_health_set(health, "web", pool->servers[0].id, false);
        fw_health_set(health, "web", pool->servers[2].id, false);
        none = fw_pool_assign(pool, health);
        assert_int_equal(count(pool, none, -1), pool->slots);
}

static void test_status(void **state)
{
        static const struct {
                const char *answer;
                int status;
        } cases[] = {
                {"HTTP/1.1 200 OK\r\n", 200},
                {"HTTP/1.0 503\r\n", 503},
                {"HTTP/1.1 204 \n", 204},
                {"", -EAGAIN},
                {"HTT", -EAGAIN},
                {"HTTP/1.1 200 O", -EAGAIN},
                {"SSH-2.0-x\r\n", -EBADMSG},
                {"HTTP/2 200\r\n", -EBADMSG},
                {"HTTP/1.1 20\r\n", -EBADMSG},
                {"HTTP/1.1 2000\r\n", -EBADMSG},
                {"HTTP/1.1  200\r\n", -EBADMSG},
                {"HTTP/1.\n", -EBADMSG},
        };
        char full[FW_PROBE_ANSWER_MAX];

        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++)
                assert_int_equal(fw_probe_parse_status(cases[i].answer, strlen(cases[i].answer)),
                                 cases[i].status);
        memset(full, 'x', sizeof(full));
        memcpy(full, "HTTP/1.1 200 ", 13);
        assert_int_equal(fw_probe_parse_status(full, sizeof(full)), -EBADMSG);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_shares),
                cmocka_unit_test(test_hash_is_steady),
                cmocka_unit_test(test_status),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
