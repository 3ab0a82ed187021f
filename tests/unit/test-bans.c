/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Bans against the kernel, in a network namespace of the test's own. */

#include "bans-internal.h"
#include "base/marks.h"
#include "engine-nft.h"
#include "filter-unit.h"
#include "ruleset.h"

#include <sched.h>
#include <signal.h>
#include <time.h>

#define TABLE PT_MARK_NFT_TABLE

static PtEngineCtx ctx;
static FwBans *bans;

typedef struct Answer {
        bool came;
        int result;
        uint32_t n;
} Answer;

static void done(int result, uint32_t n, void *userdata)
{
        Answer *answer = userdata;

        assert_false(answer->came);
        *answer = (Answer){true, result, n};
}

static uint32_t wait_for(Answer *answer)
{
        while (!answer->came)
                assert_true(sd_event_run(ctx.event, 10 * G_USEC_PER_SEC) > 0);
        assert_int_equal(answer->result, 0);
        answer->came = false;
        return answer->n;
}

static uint64_t now_usec(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t) ts.tv_sec * G_USEC_PER_SEC + (uint64_t) ts.tv_nsec / 1000;
}

static FwBan make(const char *text, uint64_t until)
{
        g_autofree char *reason = NULL;
        FwBan ban = {.until = until};

        if (fw_ban_parse(text, &ban, &reason) < 0)
                fail_msg("%s: %s", text, reason);
        return ban;
}

static uint32_t add(const char *text, uint64_t until)
{
        FwBan ban = make(text, until);
        Answer answer = {0};

        assert_int_equal(fw_bans_add(bans, &ban, 1, done, &answer), 0);
        return wait_for(&answer);
}

static uint32_t drop(const char *text)
{
        FwBan ban = make(text, 0);
        Answer answer = {0};

        assert_int_equal(fw_bans_remove(bans, &ban, 1, done, &answer), 0);
        return wait_for(&answer);
}

static uint32_t flush(void)
{
        Answer answer = {0};

        assert_int_equal(fw_bans_flush(bans, done, &answer), 0);
        return wait_for(&answer);
}

static int compare(gconstpointer a, gconstpointer b, gpointer userdata)
{
        return fw_ban_compare(a, b);
}

static int count_rule(struct nftnl_rule *rule, void *userdata)
{
        ++*(unsigned *) userdata;
        return 0;
}

static void look_up(const FwBan *ban, void *userdata)
{
        const FwBan *kernel = g_tree_lookup(userdata, ban);

        assert_non_null(kernel);
        if (ban->until == FW_BAN_FOREVER)
                assert_true(kernel->until == FW_BAN_FOREVER);
        else
                assert_true(llabs((long long) (kernel->until - ban->until)) < 2 * G_USEC_PER_SEC);
}

/* Each ban is an element, each length in use a set and a rule a direction, and nothing else. */
static void assert_kernel_has_all(void)
{
        g_autoptr(GTree) kernel = g_tree_new_full(compare, NULL, g_free, NULL);
        PtNft *nft = fw_engine_nft_socket(ctx.engine);
        FwBanLengths sets = {0}, used = {0};
        unsigned rules = 0, lengths = 0;

        assert_int_equal(fw_bans_read(nft, now_usec(), kernel, &sets), 0);
        assert_int_equal(g_tree_nnodes(kernel), fw_bans_count(bans));
        (void) fw_bans_list(bans, NULL, UINT32_MAX, look_up, kernel);
        for (GTreeNode *node = g_tree_node_first(kernel); node; node = g_tree_node_next(node))
                *fw_ban_length(&used, g_tree_node_key(node)) = 1;
        assert_memory_equal(&sets, &used, sizeof(sets));
        for (unsigned f = 0; f < 2; f++)
                for (unsigned i = 0; i < G_N_ELEMENTS(sets.n[f]); i++)
                        lengths += sets.n[f][i];
        assert_int_equal(pt_nft_dump_rules(nft, TABLE, FW_CHAIN_BANS, count_rule, &rules), 0);
        assert_int_equal(rules, lengths);
        assert_int_equal(pt_nft_dump_rules(nft, TABLE, FW_CHAIN_BANS_TO, count_rule, &rules), 0);
        assert_int_equal(rules, 3 * lengths); /* sources and destinations */
}

static void test_texts(void **state)
{
        static const char *const good[] = {"192.0.2.1", "10.0.0.0/8",  "0.0.0.0/0",
                                           "::/0",      "2001:db8::1", "2001:db8::/33"};
        static const char *const bad[] = {"", "192.0.2", "10.0.0.1/8", "10.0.0.1-10.0.0.9", "lan"};

        for (size_t i = 0; i < G_N_ELEMENTS(good); i++) {
                g_autoptr(GString) text = g_string_new(NULL);
                FwBan ban = make(good[i], 0);

                fw_ban_format(&ban, text);
                assert_string_equal(text->str, good[i]);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_autofree char *reason = NULL;
                FwBan ban;

                assert_int_equal(fw_ban_parse(bad[i], &ban, &reason), -EINVAL);
                assert_non_null(reason);
        }
}

static void test_contains(void **state)
{
        FwBan net = make("10.1.128.0/17", 0), all = make("::/0", 0);

        assert_true(fw_ban_contains(&net, AF_INET, (const uint8_t[]){10, 1, 200, 3}));
        assert_false(fw_ban_contains(&net, AF_INET, (const uint8_t[]){10, 1, 100, 3}));
        assert_false(fw_ban_contains(&all, AF_INET, (const uint8_t[16]){10, 1, 200, 3}));
        assert_true(fw_ban_contains(&all, AF_INET6, (const uint8_t[16]){10, 1, 200, 3}));
}

static void test_add_and_remove(void **state)
{
        uint64_t later = now_usec() + 600 * G_USEC_PER_SEC;

        assert_int_equal(add("192.0.2.1", FW_BAN_FOREVER), 1);
        assert_int_equal(add("192.0.2.0/24", later), 1);
        assert_int_equal(add("192.0.0.0/16", later), 1); /* around one that is there */
        assert_int_equal(add("2001:db8::1", later), 1);
        assert_int_equal(add("2001:db8::/32", FW_BAN_FOREVER), 1);
        assert_int_equal(add("0.0.0.0/0", later), 1);
        assert_int_equal(fw_bans_count(bans), 6);
        assert_kernel_has_all();

        /* Another time for the same: longer, shorter, without end. */
        assert_int_equal(add("192.0.2.1", later), 1);
        assert_int_equal(add("192.0.2.1", later - 300 * G_USEC_PER_SEC), 1);
        assert_int_equal(add("2001:db8::1", FW_BAN_FOREVER), 1);
        assert_int_equal(fw_bans_count(bans), 6);
        assert_kernel_has_all();

        assert_int_equal(drop("192.0.2.2"), 0); /* in a ban, and none itself */
        assert_int_equal(drop("192.0.2.0/24"), 1);
        assert_int_equal(drop("192.0.2.0/24"), 0);
        assert_kernel_has_all();
        assert_int_equal(flush(), 5);
        assert_int_equal(flush(), 0);
        assert_kernel_has_all();
}

static void test_batch(void **state)
{
        g_autofree FwBan *list = g_new0(FwBan, FW_BAN_BATCH_MAX);
        Answer many = {0}, behind = {0};
        FwBan one = make("192.0.2.1", FW_BAN_FOREVER);

        for (unsigned i = 0; i < FW_BAN_BATCH_MAX; i++) {
                list[i] = (FwBan){.family = AF_INET, .plen = 32, .until = FW_BAN_FOREVER};
                list[i].address[0] = 45;
                list[i].address[2] = (uint8_t) (i >> 8);
                list[i].address[3] = (uint8_t) i;
        }
        assert_int_equal(fw_bans_add(bans, list, FW_BAN_BATCH_MAX, done, &many), 0);
        assert_false(many.came); /* a child sends it */
        assert_int_equal(fw_bans_add(bans, &one, 1, done, &behind), 0);
        assert_int_equal(wait_for(&many), FW_BAN_BATCH_MAX);
        assert_int_equal(wait_for(&behind), 1);
        assert_int_equal(fw_bans_count(bans), FW_BAN_BATCH_MAX + 1);
        assert_kernel_has_all();
        assert_int_equal(flush(), FW_BAN_BATCH_MAX + 1);

        /* Twice in one call is once. */
        list[1] = list[0];
        assert_int_equal(fw_bans_add(bans, list, 2, done, &many), 0);
        assert_int_equal(wait_for(&many), 1);
        assert_int_equal(flush(), 1);
}

static void each_one(const FwBan *ban, void *userdata)
{
        g_array_append_val((GArray *) userdata, *ban);
}

static void test_pages(void **state)
{
        g_autoptr(GArray) seen = g_array_new(FALSE, FALSE, sizeof(FwBan));
        bool more = true;

        for (unsigned i = 0; i < 25; i++) {
                g_autofree char *text = g_strdup_printf("10.0.%u.0/%u", i * 8, 24 + i % 3);

                add(text, FW_BAN_FOREVER);
        }
        while (more) {
                FwBan last = seen->len > 0 ? g_array_index(seen, FwBan, seen->len - 1) : (FwBan){0};

                more = fw_bans_list(bans, seen->len > 0 ? &last : NULL, 10, each_one, seen);
        }
        assert_int_equal(seen->len, 25);
        for (unsigned i = 1; i < seen->len; i++)
                assert_true(fw_ban_compare(&g_array_index(seen, FwBan, i - 1),
                                           &g_array_index(seen, FwBan, i)) < 0);
        flush();
}

static void test_expiry(void **state)
{
        uint64_t now = now_usec();

        add("192.0.2.1", now + 300000);
        add("192.0.2.2", now + 1000000);
        add("192.0.2.3", now + 60 * G_USEC_PER_SEC);
        while (fw_bans_count(bans) > 1)
                assert_true(sd_event_run(ctx.event, 5 * G_USEC_PER_SEC) > 0);
        assert_true(now_usec() - now >= 1000000 && now_usec() - now < 3000000);
        assert_kernel_has_all();
        flush();
}

/* filterd ends and begins again: the kernel knows. */
static void test_restart(void **state)
{
        FwBan ban = make("10.0.0.0/8", 0);
        uint64_t later = now_usec() + 60 * G_USEC_PER_SEC;

        add("192.0.2.1", FW_BAN_FOREVER);
        add("10.0.0.0/8", later);
        add("2001:db8::1", later);
        fw_bans_free(bans);
        assert_int_equal(fw_bans_new(ctx.event, -1, &bans), 0);
        fw_engine_set_bans(ctx.engine, bans);
        assert_int_equal(fw_bans_count(bans), 3);
        assert_true(fw_bans_has(bans, &ban));
        assert_kernel_has_all();
        add("10.0.0.0/8", FW_BAN_FOREVER);
        assert_kernel_has_all();
        flush();
}

static void commit_done(int result, void *userdata)
{
        *(int *) userdata = result;
}

static void commit(uint64_t revision)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtObserved *observed = NULL;
        PtPlan *plan = NULL;
        int result = 1;

        fw_put_zone(slice, "lan", "{\"interfaces\":[\"lan\"]}");
        assert_int_equal(fw_engine_nft.observe(&ctx, &observed), 0);
        assert_int_equal(fw_engine_nft.plan(&ctx, revision, slice, observed, diag, &plan), 0);
        assert_int_equal(fw_engine_nft.commit(&ctx, plan, diag, commit_done, &result), 0);
        assert_int_equal(result, 0);
        fw_engine_nft.plan_free(plan);
        fw_engine_nft.observed_free(observed);
}

static void send_by_another(PtNftBatch *batch)
{
        g_autoptr(PtNft) other = NULL;

        assert_int_equal(pt_nft_open(-1, &other), 0);
        assert_int_equal(pt_nft_send(other, batch, NULL), 0);
        pt_nft_batch_free(batch);
}

static void test_table_made_anew(void **state)
{
        PtNftBatch *batch = pt_nft_batch_new(0);
        FwBan ban = make("192.0.2.9", FW_BAN_FOREVER);
        Answer answer = {0};

        add("192.0.2.1", FW_BAN_FOREVER);
        add("10.0.0.0/8", now_usec() + 60 * G_USEC_PER_SEC);
        pt_nft_batch_delete_table(batch, TABLE);
        send_by_another(batch);

        /* Nothing to be in: it is noted, and in force with the table. */
        assert_int_equal(fw_bans_add(bans, &ban, 1, done, &answer), 0);
        assert_true(answer.came);
        assert_int_equal(answer.result, -EAGAIN);
        assert_int_equal(fw_bans_count(bans), 3);
        fw_engine_distrust(ctx.engine);
        commit(2);
        assert_kernel_has_all();
        flush();
}

/* Somebody took elements or put some: the next change of ours puts it right. */
static void test_foreign_elements(void **state)
{
        PtNftBatch *batch = pt_nft_batch_new(0);
        struct nftnl_set_elem *element = nftnl_set_elem_alloc();

        add("192.0.2.1", FW_BAN_FOREVER);
        add("192.0.2.2", FW_BAN_FOREVER);
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, (const uint8_t[]){192, 0, 2, 1}, 4);
        pt_nft_batch_elements_begin(batch, TABLE, "b_ban4", 0, true);
        pt_nft_batch_element(batch, element);
        pt_nft_batch_elements_end(batch);
        send_by_another(batch);
        assert_int_equal(drop("192.0.2.1"), 1);
        assert_kernel_has_all();
        flush();
}

static void test_limits(void **state)
{
        g_autofree FwBan *list = g_new0(FwBan, FW_BAN_BATCH_MAX + 1);
        Answer answers[FW_BAN_QUEUE_MAX] = {0}, answer = {0};
        FwBan ban = make("192.0.2.1", FW_BAN_FOREVER);

        assert_int_equal(fw_bans_add(bans, list, FW_BAN_BATCH_MAX + 1, done, &answer), -EFBIG);
        fw_bans_hold(bans, true);
        for (unsigned i = 0; i < FW_BAN_QUEUE_MAX; i++)
                assert_int_equal(fw_bans_add(bans, &ban, 1, done, &answers[i]), 0);
        assert_int_equal(fw_bans_add(bans, &ban, 1, done, &answer), -EBUSY);
        assert_int_equal(fw_bans_remove(bans, &ban, 1, done, &answer), -EBUSY);
        assert_int_equal(fw_bans_flush(bans, done, &answer), -EBUSY);
        assert_false(answers[0].came);
        fw_bans_hold(bans, false);
        for (unsigned i = 0; i < FW_BAN_QUEUE_MAX; i++)
                assert_int_equal(wait_for(&answers[i]), 1);
        flush();
}

static void test_random(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(11);

        for (unsigned step = 0; step < 200; step++) {
                unsigned n = (unsigned) g_rand_int_range(rand, 1, 8);
                FwBan list[8] = {0};
                Answer answer = {0};

                for (unsigned i = 0; i < n; i++) {
                        static const char *const lengths[] = {"32", "24", "9"};
                        const char *plen = lengths[g_rand_int_range(rand, 0, 3)];
                        g_autofree char *text =
                                g_strdup_printf(*plen == '3'   ? "10.%d.0.1"
                                                : *plen == '2' ? "10.%d.0.0/%s"
                                                               : "%d.0.0.0/%s",
                                                g_rand_int_range(rand, 1, 20), plen);

                        list[i] = make(text, g_rand_boolean(rand)
                                                     ? FW_BAN_FOREVER
                                                     : now_usec() + 100 * G_USEC_PER_SEC);
                }
                if (g_rand_int_range(rand, 0, 40) == 0)
                        assert_int_equal(fw_bans_flush(bans, done, &answer), 0);
                else if (g_rand_boolean(rand))
                        assert_int_equal(fw_bans_add(bans, list, n, done, &answer), 0);
                else
                        assert_int_equal(fw_bans_remove(bans, list, n, done, &answer), 0);
                (void) wait_for(&answer);
                assert_kernel_has_all();
        }
        flush();
}

static int setup(void **state)
{
        sigset_t mask;

        sigemptyset(&mask);
        sigaddset(&mask, SIGCHLD);
        ctx.netns_fd = -1;
        if (unshare(CLONE_NEWNET) < 0 || sigprocmask(SIG_BLOCK, &mask, NULL) < 0 ||
            sd_event_new(&ctx.event) < 0 || fw_engine_nft.setup(&ctx) < 0 ||
            fw_bans_new(ctx.event, -1, &bans) < 0)
                return -1;
        fw_engine_set_bans(ctx.engine, bans);
        commit(1);
        return 0;
}

static int teardown(void **state)
{
        fw_bans_free(bans);
        fw_engine_nft.teardown(&ctx);
        ctx.event = sd_event_unref(ctx.event);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_texts),
                cmocka_unit_test(test_contains),
                cmocka_unit_test(test_add_and_remove),
                cmocka_unit_test(test_batch),
                cmocka_unit_test(test_pages),
                cmocka_unit_test(test_expiry),
                cmocka_unit_test(test_restart),
                cmocka_unit_test(test_table_made_anew),
                cmocka_unit_test(test_foreign_elements),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_random),
        };

        if (geteuid() != 0) {
                print_message("1..0 # SKIP needs root for a network namespace\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, setup, teardown);
}
