/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The aliases' sets in the kernel, in a network namespace of the test's own. */

#include "alias-unit.h"
#include "base/marks.h"
#include "engine-nft.h"
#include "sets.h"

#include <linux/netfilter/nf_tables.h>
#include <sched.h>
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
                                assert_commit(it, next, &steps);
                                assert_all(it, next, type, used, own);
                        }
                        pt_slice_unref(slice);
                        slice = g_steal_pointer(&next);
                }
        }
}

static int setup(void **state)
{
        Fixture *it = g_new0(Fixture, 1);

        if (unshare(CLONE_NEWNET) < 0 || unit_dataset_setup(&it->store) < 0)
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
        };

        if (geteuid() != 0) {
                print_message("1..0 # SKIP needs root for a network namespace\n");
                return 77;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
