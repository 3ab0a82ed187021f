/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The aliases' sets in the kernel, in a network namespace of the test's own. */

#include "alias-unit.h"
#include "base/marks.h"
#include "engine-nft.h"
#include "sets.h"

#include <libnftnl/expr.h>

#include <linux/netfilter/nf_tables.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#define TABLE PT_MARK_NFT_TABLE
#define RULES 4U

typedef struct Fixture {
        PtEngineCtx ctx;
        void *store;
        uint64_t revision;
} Fixture;

static void done(int result, void *userdata)
{
        *(int *) userdata = result;
}

/* What planning says, or the commit. `steps`: what the plan says of sets. */
static int commit(Fixture *it, PtSlice *slice, PtDiagnostics *diag, char **ret_steps)
{
        const PtEngine *engine = &fw_engine_nft;
        PtObserved *observed = NULL;
        PtPlan *plan = NULL;
        int r, result = 1;

        assert_int_equal(engine->observe(&it->ctx, &observed), 0);
        r = engine->plan(&it->ctx, it->revision + 1, slice, observed, diag, &plan);
        engine->observed_free(observed);
        if (r < 0)
                return r;
        it->revision++;
        if (ret_steps) {
                g_ptr_array_add(plan->steps, NULL);
                *ret_steps = g_strjoinv("\n", (char **) plan->steps->pdata);
                g_ptr_array_set_size(plan->steps, (int) plan->steps->len - 1);
        }
        assert_int_equal(engine->commit(&it->ctx, plan, diag, done, &result), 0);
        if (result == 0)
                assert_int_equal(engine->verify(&it->ctx, plan, diag, done, &result), 0);
        engine->plan_free(plan);
        return result;
}

static void assert_commit(Fixture *it, PtSlice *slice, char **ret_steps)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        int r = commit(it, slice, diag, ret_steps);

        unit_print(diag);
        assert_int_equal(r, 0);
}

/* What the kernel has. */

typedef struct Element {
        FwNumber number;
        bool end;
} Element;

typedef struct Reader {
        size_t len;
        GArray *elements;
} Reader;

static int read_element(struct nftnl_set_elem *element, void *userdata)
{
        Reader *reader = userdata;
        uint32_t size = 0;
        const void *key = nftnl_set_elem_get(element, NFTNL_SET_ELEM_KEY, &size);
        bool flags = nftnl_set_elem_is_set(element, NFTNL_SET_ELEM_FLAGS);
        Element e = {.end = flags && (nftnl_set_elem_get_u32(element, NFTNL_SET_ELEM_FLAGS) &
                                      NFT_SET_ELEM_INTERVAL_END)};

        assert_int_equal(size, reader->len);
        e.number = fw_number_read(key, size);
        g_array_append_val(reader->elements, e);
        return 0;
}

static int compare_elements(const void *a, const void *b)
{
        const Element *x = a, *y = b;

        if (x->number != y->number)
                return x->number < y->number ? -1 : 1;
        return (int) y->end - (int) x->end;
}

static GArray *kernel_elements(Fixture *it, const char *name, FwSetPart part)
{
        Reader reader = {fw_part_key_len(part), g_array_new(FALSE, FALSE, sizeof(Element))};

        assert_int_equal(pt_nft_dump_elements(fw_engine_nft_socket(it->ctx.engine), TABLE, name,
                                              read_element, &reader),
                         0);
        g_array_sort(reader.elements, compare_elements);
        return reader.elements;
}

static void assert_kernel_set(Fixture *it, const char *name, FwSetPart part, bool intervals,
                              const GArray *spans)
{
        g_autoptr(GArray) elements = kernel_elements(it, name, part);
        unsigned at = 0;

        for (unsigned i = 0; i < spans->len; i++) {
                const FwSpan *span = &g_array_index(spans, FwSpan, i);

                if (!intervals) {
                        for (FwNumber number = span->lo;; number++) {
                                assert_true(at < elements->len);
                                assert_true(g_array_index(elements, Element, at).number == number);
                                at++;
                                if (number == span->hi)
                                        break;
                        }
                        continue;
                }
                assert_true(at < elements->len);
                assert_true(g_array_index(elements, Element, at).number == span->lo &&
                            !g_array_index(elements, Element, at).end);
                at++;
                if (span->hi == fw_number_max(fw_part_key_len(part)))
                        continue;
                assert_true(at < elements->len);
                assert_true(g_array_index(elements, Element, at).number == span->hi + 1 &&
                            g_array_index(elements, Element, at).end);
                at++;
        }
        assert_int_equal(at, elements->len);
}

static bool is_alias_set(const char *name)
{
        return g_str_has_prefix(name, "h4_") || g_str_has_prefix(name, "h6_") ||
               g_str_has_prefix(name, "n4_") || g_str_has_prefix(name, "n6_") ||
               g_str_has_prefix(name, "ap_") || g_str_has_prefix(name, "am_");
}

static unsigned count_kernel_sets(Fixture *it)
{
        g_autoptr(GPtrArray) names = NULL;
        unsigned n = 0;

        assert_int_equal(pt_nft_list_sets(fw_engine_nft_socket(it->ctx.engine), TABLE, &names), 0);
        for (unsigned i = 0; i < names->len; i++)
                n += is_alias_set(g_ptr_array_index(names, i));
        return n;
}

/* Random configurations. */

static const char *const rule_forms[] = {
        "{\"action\":\"allow\",\"from\":\"lan\",\"to\":\"lan\",\"source\":{\"aliases\":[\"%s\"]}}",
        "{\"action\":\"allow\",\"from\":\"lan\",\"to\":\"lan\",\"destination\":{\"except\":{"
        "\"aliases\":[\"%s\"]}}"
        "}",
        "{\"action\":\"drop\",\"from\":\"lan\",\"to\":\"lan\",\"protocol\":\"tcp\","
        "\"destination\":{\"portAliases\":[\"%s\"]}}",
        "{\"action\":\"drop\",\"from\":\"lan\",\"to\":\"lan\",\"source\":{\"macAliases\":[\"%s\"]}"
        "}",
};

static void random_rule(PtSlice *slice, GRand *rand, int type, unsigned number,
                        int used[static RULES])
{
        int alias = g_rand_int_range(rand, 0, MODEL_ALIASES);
        g_autofree char *target = g_strdup_printf("alias-%d", alias);
        g_autofree char *name = g_strdup_printf("rule-%u", number);
        g_autoptr(GString) spec =
                g_string_new(rule_forms[type == FW_ALIAS_PORT  ? 2
                                        : type == FW_ALIAS_MAC ? 3
                                                               : g_rand_int_range(rand, 0, 2)]);

        (void) pt_slice_remove(slice, &pt_kind_firewall_rule, name);
        used[number] = -1;
        if (g_rand_int_range(rand, 0, 4) == 0)
                return;
        g_string_replace(spec, "%s", target, 0);
        fw_put_rule(slice, name, number + 1, spec->str);
        used[number] = alias;
}

static void assert_all(Fixture *it, PtSlice *slice, int type, const int used[static RULES],
                       Model own[MODEL_ALIASES][FW_SET_PART_MAX])
{
        const FwSets *sets = fw_engine_layout(it->ctx.engine)->sets;
        bool seen[MODEL_ALIASES] = {0};
        unsigned n = 0;

        for (unsigned i = 0; i < RULES; i++) {
                g_autofree char *name = g_strdup_printf("alias-%d", used[i]);

                if (used[i] < 0 || seen[used[i]])
                        continue;
                seen[used[i]] = true;
                for (FwSetPart part = 0; part < FW_SET_PART_MAX; part++) {
                        g_autoptr(GArray) spans = NULL;
                        Model model;

                        if (!fw_part_of_type(part, (FwAliasType) type))
                                continue;
                        n++;
                        model_flatten(slice, name, own, part, &model);
                        spans = model_spans(&model, part);
                        assert_kernel_set(it, fw_sets_name(sets, name, part), part,
                                          type == FW_ALIAS_NETWORK || type == FW_ALIAS_PORT, spans);
                }
        }
        assert_int_equal(count_kernel_sets(it), n);
        assert_int_equal(fw_sets_changes(sets)->len, 0);
}

/* Edits of nested aliases and of the rules that name them: the kernel has what the model says. */
static void test_random_edits(void **state)
{
        Fixture *it = *state;

        for (uint32_t seed = 1; seed <= 16; seed++) {
                g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
                g_autoptr(PtSlice) slice = pt_slice_new();
                int type = (int) (seed % FW_ALIAS_TYPE_MAX), used[RULES];
                Model own[MODEL_ALIASES][FW_SET_PART_MAX];

                fw_put_zone(slice, "lan", "{\"interfaces\":[\"lan\"]}");
                for (unsigned i = 0; i < MODEL_ALIASES; i++) {
                        g_autofree char *text =
                                model_random_alias(it->store, rand, i, type, own[i]);

                        fw_put(slice, text);
                }
                for (unsigned i = 0; i < RULES; i++)
                        random_rule(slice, rand, type, i, used);
                for (unsigned step = 0; step < 25; step++) {
                        g_autoptr(PtSlice) next = pt_slice_clone(slice);
                        unsigned n = (unsigned) g_rand_int_range(rand, 1, 4);
                        g_autofree char *steps = NULL;

                        while (n-- > 0) {
                                unsigned i = (unsigned) g_rand_int_range(rand, 0, MODEL_ALIASES);
                                g_autofree char *text =
                                        model_random_alias(it->store, rand, i, type, own[i]);

                                fw_put(next, text);
                        }
                        if (g_rand_int_range(rand, 0, 3) == 0)
                                random_rule(next, rand, type,
                                            (unsigned) g_rand_int_range(rand, 0, RULES), used);
                        assert_commit(it, next, &steps);
                        assert_true(step == 0 || !strstr(steps, "load the whole"));
                        assert_all(it, next, type, used, own);
                        if (step % 8 == 7) {
                                /* A filterd that starts finds them. */
                                fw_engine_nft.teardown(&it->ctx);
                                assert_int_equal(fw_engine_nft.setup(&it->ctx), 0);
                                assert_commit(it, next, NULL);
                                assert_all(it, next, type, used, own);
                        }
                        pt_slice_unref(slice);
                        slice = g_steal_pointer(&next);
                }
        }
}

/* The alias "big": the hosts 10.0.0.0 and so on. */
static void put_hosts(Fixture *it, PtSlice *slice, unsigned n)
{
        g_autoptr(GString) lines = g_string_new(NULL);
        g_autofree char *text = NULL;
        char hex[65];

        for (unsigned i = 0; i < n; i++)
                g_string_append_printf(lines, "10.%u.%u.%u\n", i >> 16, i >> 8 & 255, i & 255);
        if (n == 0)
                g_string_append(lines, "2001:db8::1\n");
        unit_dataset_put(it->store, lines->str, hex);
        text = g_strdup_printf("{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Alias\","
                               "\"metadata\":{\"name\":\"big\"},"
                               "\"spec\":{\"type\":\"host\",\"dataset\":\"%s\"}}",
                               hex);
        fw_put(slice, text);
}

/* With a zone, and a rule that names it. */
static PtSlice *slice_with_hosts(Fixture *it, unsigned n)
{
        PtSlice *slice = pt_slice_new();

        put_hosts(it, slice, n);
        fw_put_zone(slice, "lan", "{\"interfaces\":[\"lan\"]}");
        fw_put_rule(slice, "a", 1,
                    "{\"action\":\"drop\",\"from\":\"lan\",\"to\":\"lan\",\"family\":\"ipv4\","
                    "\"source\":{\"aliases\":[\"big\"]}}");
        fw_put(slice, "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"NatRule\","
                      "\"metadata\":{\"name\":\"n\"},\"spec\":{\"type\":\"masquerade\","
                      "\"zone\":\"lan\",\"source\":{\"aliases\":[\"big\"]}}}");
        return slice;
}

typedef struct Lookups {
        const char *set;
        unsigned right, wrong;
} Lookups;

static int look_for_lookup(struct nftnl_expr *expr, void *userdata)
{
        Lookups *lookups = userdata;

        if (strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), "lookup") != 0)
                return 0;
        *(strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_LOOKUP_SET), lookups->set) == 0
                  ? &lookups->right
                  : &lookups->wrong) += 1;
        return 0;
}

static int look_into_rule(struct nftnl_rule *rule, void *userdata)
{
        return nftnl_expr_foreach(rule, look_for_lookup, userdata);
}

/* The one rule looks up the set of that name, and no other. */
static void assert_rule_follows(Fixture *it, const char *name)
{
        const FwClass *klass =
                g_hash_table_lookup(fw_engine_layout(it->ctx.engine)->classes, "lan/lan");
        const FwUnit *unit = g_ptr_array_index(klass->units, 0);
        Lookups lookups = {.set = name};

        assert_int_equal(pt_nft_dump_rules(fw_engine_nft_socket(it->ctx.engine), TABLE, unit->name,
                                           look_into_rule, &lookups),
                         0);
        assert_int_equal(lookups.right, 1);
        assert_int_equal(lookups.wrong, 0);
}

static void assert_set_named(Fixture *it, const char *wanted, unsigned n)
{
        const FwSets *sets = fw_engine_layout(it->ctx.engine)->sets;
        const char *name = fw_sets_name(sets, "big", FW_SET_IPV4);
        g_autoptr(GArray) elements = NULL;

        assert_string_equal(name, wanted);
        elements = kernel_elements(it, name, FW_SET_IPV4);
        assert_int_equal(elements->len, n);
        assert_rule_follows(it, name);
        assert_int_equal(count_kernel_sets(it), 2); /* the one of IPv6 too, though empty */
}

/* A set is made for half as many again as it has, grows above 90 %, and never shrinks until all is
 * loaded anew. */
static void test_sizes(void **state)
{
        static const struct {
                unsigned n;
                const char *name;
        } steps[] = {{600, "h4_big/10"},  {921, "h4_big/10"},  {922, "h4_big/11"},
                     {923, "h4_big/11"},  {1, "h4_big/11"},    {1843, "h4_big/11"},
                     {1844, "h4_big/12"}, {10000, "h4_big/14"}};
        Fixture *it = *state;
        g_autoptr(PtSlice) slice = slice_with_hosts(it, 0);

        for (unsigned i = 0; i < G_N_ELEMENTS(steps); i++) {
                PtSlice *next = pt_slice_clone(slice);

                /* The rule stays the same object. */
                put_hosts(it, next, steps[i].n);
                pt_slice_unref(slice);
                slice = next;
                assert_commit(it, slice, NULL);
                assert_set_named(it, steps[i].name, steps[i].n);
        }
        /* A filterd that starts learns the size from the kernel. */
        fw_engine_nft.teardown(&it->ctx);
        assert_int_equal(fw_engine_nft.setup(&it->ctx), 0);
        assert_commit(it, slice, NULL);
        assert_set_named(it, "h4_big/14", 10000);
        pt_slice_unref(slice);
        slice = slice_with_hosts(it, 2);
        assert_commit(it, slice, NULL);
        assert_set_named(it, "h4_big/14", 2);
        fw_engine_distrust(it->ctx.engine);
        assert_commit(it, slice, NULL);
        assert_set_named(it, "h4_big/10", 2);
}

/* A dataset that is not there is refused before the kernel is asked; one that is gone of what is in
 * force makes the next change of the alias a whole load. */
static void test_missing_datasets(void **state)
{
        Fixture *it = *state;
        g_autoptr(PtSlice) few = slice_with_hosts(it, 3), more = slice_with_hosts(it, 5);
        const Alias *alias_few = (const Alias *) pt_slice_get(few, &pt_kind_alias, "big");
        const Alias *alias_more = (const Alias *) pt_slice_get(more, &pt_kind_alias, "big");
        g_autofree char *path_few =
                g_build_filename(it->store, PT_DATASET_FOLDER, alias_few->dataset, NULL);
        g_autofree char *path_more =
                g_build_filename(it->store, PT_DATASET_FOLDER, alias_more->dataset, NULL);
        g_autofree char *away = g_strconcat(path_more, ".away", NULL), *steps = NULL;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();

        assert_commit(it, few, NULL);
        assert_int_equal(rename(path_more, away), 0);
        assert_int_equal(commit(it, more, diag, NULL), -ENOENT);
        assert_int_equal(pt_diag_errors(diag), 1);
        assert_string_equal(pt_diag_get(diag, 0)->code, "dataset-missing");
        assert_string_equal(pt_diag_get(diag, 0)->subject, "Alias/big");
        assert_set_named(it, "h4_big/10", 3);

        /* A start with it missing leaves in the kernel what is there. */
        fw_engine_nft.teardown(&it->ctx);
        assert_int_equal(fw_engine_nft.setup(&it->ctx), 0);
        assert_int_equal(commit(it, more, NULL, NULL), -ENOENT);
        assert_int_equal(count_kernel_sets(it), 2);
        assert_commit(it, few, NULL);
        assert_set_named(it, "h4_big/10", 3);

        assert_int_equal(rename(away, path_more), 0);
        assert_int_equal(unlink(path_few), 0);
        assert_commit(it, more, &steps);
        assert_non_null(strstr(steps, "load the whole"));
        assert_set_named(it, "h4_big/10", 5);
}

/* A rule whose alias there is not is refused, with an empty kernel and with a full one. */
static void test_unknown_alias(void **state)
{
        Fixture *it = *state;
        g_autoptr(PtSlice) slice = slice_with_hosts(it, 3);
        g_autoptr(PtSlice) without = pt_slice_clone(slice);

        assert_true(pt_slice_remove(without, &pt_kind_alias, "big"));
        for (unsigned i = 0; i < 2; i++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();

                assert_int_equal(commit(it, without, diag, NULL), -EINVAL);
                assert_string_equal(pt_diag_get(diag, 0)->code, "unknown-alias");
                assert_commit(it, slice, NULL);
        }
        assert_set_named(it, "h4_big/10", 3);
}

/* The monitor is spared what the engine itself sends, and misses nothing that others do meanwhile. */

typedef struct Heard {
        Fixture *it;
        PtSlice *slice;
        PtNft *other; /* does something while a commit is under way; NULL: nothing */
        PtPlan *plan;
        PtDiagnostics *diag;
        unsigned own, foreign, lost;
        bool done;
} Heard;

static void heard(int type, uint32_t port, const char *chain, const char *set, void *userdata)
{
        Heard *heard = userdata;

        if (type < 0)
                heard->lost++;
        else if (port == pt_nft_port(fw_engine_nft_socket(heard->it->ctx.engine)))
                heard->own++;
        else
                heard->foreign++;
}

static void sent(int result, void *userdata)
{
        assert_int_equal(result, 0);
        ((Heard *) userdata)->done = true;
}

static void settle_loop(Fixture *it)
{
        while (sd_event_run(it->ctx.event, 0) > 0)
                ;
}

static void add_foreign_chain(PtNft *other, const char *name)
{
        g_autoptr(PtNftBatch) batch = pt_nft_batch_new(0);

        pt_nft_batch_add_chain(batch, TABLE, name, NULL);
        assert_int_equal(pt_nft_send(other, batch, NULL), 0);
}

/* Commits from the running loop, as the daemon does: so a child sends what is large. */
static int commit_in_loop(sd_event_source *source, void *userdata)
{
        Heard *heard = userdata;
        Fixture *it = heard->it;

        assert_int_equal(fw_engine_nft.commit(&it->ctx, heard->plan, heard->diag, sent, heard), 0);
        if (heard->other) {
                assert_false(heard->done);
                add_foreign_chain(heard->other, "meanwhile");
        }
        return 0;
}

static void run_commit(Heard *heard)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        sd_event_source *source = NULL;
        PtObserved *observed = NULL;
        Fixture *it = heard->it;

        assert_int_equal(fw_engine_nft.observe(&it->ctx, &observed), 0);
        assert_int_equal(fw_engine_nft.plan(&it->ctx, ++it->revision, heard->slice, observed, diag,
                                            &heard->plan),
                         0);
        fw_engine_nft.observed_free(observed);
        heard->diag = diag;
        heard->own = heard->foreign = heard->lost = 0;
        heard->done = false;
        assert_true(sd_event_add_defer(it->ctx.event, &source, commit_in_loop, heard) >= 0);
        while (!heard->done)
                assert_true(sd_event_run(it->ctx.event, UINT64_MAX) >= 0);
        settle_loop(it);
        sd_event_source_unref(source);
        fw_engine_nft.plan_free(heard->plan);
}

static void test_monitor_is_spared(void **state)
{
        Fixture *it = *state;
        g_autoptr(PtSlice) few = slice_with_hosts(it, 3), many = slice_with_hosts(it, 80000);
        Heard it_heard = {.it = it, .slice = few};
        g_autoptr(PtNftMonitor) monitor = NULL;
        PtNft *other = NULL;

        assert_int_equal(pt_nft_monitor_new(-1, it->ctx.event, TABLE, heard, &it_heard, &monitor),
                         0);
        fw_engine_watch(it->ctx.engine, monitor);
        run_commit(&it_heard);
        assert_true(it_heard.own > 0 && it_heard.foreign == 0 && it_heard.lost == 0);

        it_heard.slice = many;
        run_commit(&it_heard);
        assert_int_equal(it_heard.own + it_heard.foreign + it_heard.lost, 0);

        /* Others are heard again, and what they do meanwhile is not missed. */
        assert_int_equal(pt_nft_open(-1, &other), 0);
        add_foreign_chain(other, "before");
        settle_loop(it);
        assert_int_equal(it_heard.foreign, 1);
        it_heard.slice = few;
        it_heard.other = other;
        run_commit(&it_heard);
        assert_true(it_heard.foreign + it_heard.lost > 0);
        fw_engine_watch(it->ctx.engine, NULL);
        pt_nft_close(other);
}

static int setup(void **state)
{
        Fixture *it = g_new0(Fixture, 1);

        sigset_t mask;

        /* sd_event_add_child() asks for it. */
        sigemptyset(&mask);
        sigaddset(&mask, SIGCHLD);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0 || unshare(CLONE_NEWNET) < 0 ||
            unit_dataset_setup(&it->store) < 0)
                return -1;
        it->ctx.netns_fd = -1;
        it->ctx.state_dir = it->store;
        *state = it;
        return fw_engine_nft.setup(&it->ctx) < 0 || sd_event_new(&it->ctx.event) < 0 ? -1 : 0;
}

static int teardown(void **state)
{
        Fixture *it = *state;

        fw_engine_nft.teardown(&it->ctx);
        it->ctx.event = sd_event_unref(it->ctx.event);
        (void) unit_store_teardown(&it->store);
        g_free(it);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_random_edits, setup, teardown),
                cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_missing_datasets, setup, teardown),
                cmocka_unit_test_setup_teardown(test_unknown_alias, setup, teardown),
                cmocka_unit_test_setup_teardown(test_monitor_is_spared, setup, teardown),
        };

        if (geteuid() != 0) {
                print_message("1..0 # SKIP needs root for a network namespace\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
