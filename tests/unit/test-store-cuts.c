/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The power is cut after every single operation on the disk (disk-model.h) of a store that commits,
 * aborts, confirms, reverts, makes snapshots, retires revisions and shortens its journal. On each
 * state that this may leave a daemon reads its slice, at once and at the next boot, and then a
 * configd opens the store: it is in the state before the step or in the one after it, says so
 * without a complaint, has all revisions, and goes on. A table says which state it was, by step.
 *
 * Each moment is tried in some of nine ways, in others the next moment; with PATRONUS_LONG=1 in
 * all, with several seeds.
 */

#include "disk-model.h"
#include "dataset-unit.h"

#include "txn/store-internal.h"

#include <inttypes.h>

#define WINDOW_USEC (60 * G_USEC_PER_SEC)
#define LONG_SEEDS 3
#define GOING_ON 3 /* of so many cuts one goes on with a commit and a restart */

#define FAR_FUTURE UINT64_C(10000000000000000) /* in 2286 */
#define LIST "10.0.0.1\n10.0.0.2\n"

static const PtKind *const cut_kinds[] = {&pt_kind_alias, &pt_kind_firewall_rule, &pt_kind_zone,
                                          NULL};

typedef struct Variant {
        DiskNames names;
        DiskData data;
} Variant;

static const Variant variants[] = {
        {DISK_NAMES_ALL, DISK_DATA_ALL}, /* as if the process were killed */
        {DISK_NAMES_ALL, DISK_DATA_NONE},   {DISK_NAMES_ALL, DISK_DATA_TORN},
        {DISK_NAMES_ALL, DISK_DATA_ZEROS},  {DISK_NAMES_NONE, DISK_DATA_NONE},
        {DISK_NAMES_NONE, DISK_DATA_ALL},   {DISK_NAMES_FIRST, DISK_DATA_TORN},
        {DISK_NAMES_SOME, DISK_DATA_MIXED}, {DISK_NAMES_SOME, DISK_DATA_TORN},
};

typedef struct State {
        uint64_t decided, confirmed, pending, oldest;
        uint64_t waiting, deadline_usec;
} State;

typedef struct Step {
        const char *name;
        unsigned first, end; /* operations */
        State before, after;
} Step;

typedef struct Script {
        const char *dir;
        PtStore *store;
        PtSlice *slice;      /* of the decided revision */
        GPtrArray *contents; /* PtSlice by number, NULL: never decided */
        GArray *steps;
        State state;
        char list[PT_DIGEST_HEX + 1]; /* that revisions from this one on refer to, if it is not 0 */
        uint64_t list_from;
} Script;

static State observe(PtStore *store)
{
        State state = {.decided = pt_store_decided(store),
                       .confirmed = pt_store_confirmed(store),
                       .pending = pt_store_pending(store)};
        g_autoptr(GPtrArray) list = NULL;
        PtConfirm confirm;

        if (pt_store_unconfirmed(store, &confirm)) {
                assert_false(confirm.other_boot);
                state.waiting = confirm.revision;
                state.deadline_usec = confirm.deadline_usec;
        }
        assert_int_equal(pt_store_list(store, 0, UINT_MAX, &list), 0);
        for (unsigned i = 0; i < list->len; i++) {
                const PtRevision *revision = list->pdata[i];

                if (revision->state == PT_REVISION_DECIDED)
                        state.oldest = revision->number;
        }
        return state;
}

static bool same_state(const State *a, const State *b)
{
        return a->decided == b->decided && a->confirmed == b->confirmed &&
               a->pending == b->pending && a->waiting == b->waiting &&
               a->deadline_usec == b->deadline_usec;
}

static void begin(Script *script, const char *name)
{
        Step step = {.name = name, .first = disk_operations(), .before = script->state};

        g_array_append_val(script->steps, step);
}

static void end(Script *script)
{
        Step *step = &g_array_index(script->steps, Step, script->steps->len - 1);

        step->end = disk_operations();
        script->state = step->after = observe(script->store);
}

static PtStore *open_quietly(const char *dir)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtStore *store = NULL;
        int r = pt_store_open(dir, diag, &store);

        if (r < 0 || pt_diag_errors(diag) > 0)
                unit_print(diag);
        assert_int_equal(r, 0);
        assert_int_equal(pt_diag_errors(diag), 0);
        pt_store_add_daemon(store, "filterd", cut_kinds, NULL);
        return store;
}

static void step_open(Script *script, const char *name)
{
        g_clear_pointer(&script->store, pt_store_close);
        begin(script, name);
        script->store = open_quietly(script->dir);
        end(script);
}

static PtSlice *step_intend(Script *script, const char *name, PtSlice *after, uint64_t confirm_usec)
{
        PtRevision revision = {.number = pt_store_last(script->store) + 1,
                               .comment = (char *) "why",
                               .time_usec = 1700000000000000,
                               .confirm_usec = confirm_usec};

        begin(script, name);
        assert_int_equal(pt_store_intend(script->store, &revision, script->slice, after), 0);
        end(script);
        g_ptr_array_set_size(script->contents, (int) revision.number + 1);
        return after;
}

static void step_decide(Script *script, const char *name, PtSlice *after)
{
        uint64_t number = pt_store_pending(script->store);

        begin(script, name);
        assert_int_equal(pt_store_decide(script->store, number), 0);
        end(script);
        script->contents->pdata[number] = pt_slice_ref(after);
        pt_slice_unref(script->slice);
        script->slice = after;
}

static void step_abort(Script *script, const char *name, PtSlice *after)
{
        begin(script, name);
        assert_int_equal(pt_store_abort(script->store, pt_store_pending(script->store)), 0);
        end(script);
        pt_slice_unref(after);
}

static void step_confirm(Script *script)
{
        begin(script, "confirm");
        assert_int_equal(pt_store_confirm(script->store, pt_store_decided(script->store)), 0);
        end(script);
}

static void step_tidy(Script *script, const char *name)
{
        begin(script, name);
        assert_int_equal(pt_store_tidy(script->store), 0);
        end(script);
}

static void step_restart(Script *script, const char *keep)
{
        begin(script, "shorten the journal");
        assert_int_equal(pt_store_restart_journal(script->store, keep), 0);
        end(script);
}

static PtSlice *with_rule(const Script *script, const char *rule, unsigned priority)
{
        PtSlice *after = pt_slice_clone(script->slice);

        unit_put(after, unit_rule(rule, priority));
        return after;
}

/* Rules of a configuration that does not fit into a record. */
static PtSlice *with_many(const Script *script)
{
        PtSlice *after = pt_slice_clone(script->slice);

        for (unsigned i = 0; i < 300; i++) {
                g_autofree char *name = g_strdup_printf("many-%u", i);

                unit_put(after, unit_rule(name, i));
        }
        return after;
}

/* ---- what is left of it ------------------------------------------------------------------ */

typedef struct Count {
        unsigned before, after, same;
} Count;

typedef struct Check {
        const Script *script;
        const Step *step;
        unsigned operation;
        const char *dir;
        bool past; /* the step has returned: only the state after it will do */
} Check;

static PtSlice *content(const Script *script, uint64_t number)
{
        assert_true(number > 0 && number < script->contents->len);
        return script->contents->pdata[number];
}

/* What a daemon finds before configd runs: nothing, or a revision as it was; and at the next boot
 * never one that was not confirmed. */
static void check_daemon(const Check *check, bool next_boot)
{
        const State *before = &check->step->before, *after = &check->step->after;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtSlice) found = NULL;
        uint64_t number = 0;
        bool damaged = false;
        int r = pt_store_read_slice(check->dir, "filterd", diag, &found, &number, &damaged);

        if (r >= 0) {
                assert_in_range(number, 1, MAX(before->decided, after->decided));
                assert_same_root(found, content(check->script, number));
        }
        if (!next_boot)
                return;
        if (r >= 0 && number != after->confirmed)
                assert_true(number != before->waiting && number != after->waiting);
        /* What a machine boots with when a revision waits is there, and whole. */
        if (before->waiting > 0 && before->confirmed > 0) {
                assert_int_equal(r, 0);
                assert_true(number == before->confirmed || number == after->confirmed);
        }
        if (before->waiting > 0 && after->waiting == before->waiting)
                assert_false(damaged);
}

static void check_content(const Check *check, PtStore *store, uint64_t number)
{
        g_autoptr(PtSlice) loaded = NULL;

        if (!content(check->script, number)) /* aborted */
                return;
        assert_int_equal(pt_store_load(store, number, NULL, &loaded), 0);
        assert_same_root(loaded, content(check->script, number));
}

static void check_contents(const Check *check, PtStore *store, uint32_t seed)
{
        const State *before = &check->step->before, *after = &check->step->after;
        uint64_t oldest = MAX(before->oldest, after->oldest), number;

        if (after->decided == 0 || before->decided == 0)
                return;
        check_content(check, store, before->decided);
        check_content(check, store, oldest);
        number = oldest + seed % (before->decided - oldest + 1);
        check_content(check, store, number);
}

/* And it goes on: with what was pending, another commit, and another start. */
static void check_going_on(const Check *check, PtStore *store, uint32_t seed)
{
        uint64_t pending = pt_store_pending(store);
        g_autoptr(PtSlice) slice = NULL;
        PtStore *again;

        if (pending > 0 && seed % 2)
                assert_int_equal(pt_store_abort(store, pending), 0);
        else if (pending > 0)
                assert_int_equal(pt_store_decide(store, pending), 0);
        assert_int_equal(pt_store_load(store, pt_store_decided(store), NULL, &slice), 0);
        unit_commit(store, &slice, "and-on", 1);
        pt_store_close(store);
        again = open_quietly(check->dir);
        unit_assert_load(again, pt_store_decided(again), slice);
        unit_assert_daemon(check->dir, "filterd", slice, pt_store_decided(again));
        pt_store_close(again);
}

static void check_store(const Check *check, uint32_t seed, Count *count)
{
        const State *before = &check->step->before, *after = &check->step->after;
        PtStore *store = open_quietly(check->dir);
        State found = observe(store);
        bool is_before = same_state(&found, before), is_after = same_state(&found, after);

        if (!is_after && (check->past || !is_before)) {
                g_autofree char *text = disk_operation_text(check->operation - 1);

                fail_msg("%s, after \"%s\": decided %" PRIu64 ", confirmed %" PRIu64
                         ", pending %" PRIu64 ", waiting %" PRIu64,
                         check->step->name, text, found.decided, found.confirmed, found.pending,
                         found.waiting);
        }
        if (is_before && is_after)
                count->same++;
        else
                *(is_after ? &count->after : &count->before) += 1;
        check_contents(check, store, seed);
        if (check->script->list_from > 0 &&
            MAX(found.decided, found.pending) >= check->script->list_from) {
                g_autofree char *text = unit_dataset_text(check->dir, check->script->list);

                assert_string_equal(text, LIST);
        }
        if (found.decided > 0)
                unit_assert_daemon(check->dir, "filterd", content(check->script, found.decided),
                                   found.decided);
        if (seed % GOING_ON == 0)
                check_going_on(check, store, seed);
        else
                pt_store_close(store);
}

static void check_cut(const Check *check, const DiskModel *model, const Variant *variant,
                      uint32_t seed, Count *count)
{
        g_autofree char *unconfirmed = unit_path(check->dir, "revisions/unconfirmed");

        unit_remove(check->dir);
        disk_model_write(model, check->dir, variant->names, variant->data, seed);
        check_daemon(check, false);
        if (access(unconfirmed, F_OK) == 0) {
                size_t size;
                g_autofree char *line = unit_read(check->dir, "revisions/unconfirmed", &size);

                unit_boot_again(check->dir);
                check_daemon(check, true);
                unit_write(check->dir, "revisions/unconfirmed", line, size);
        } else {
                check_daemon(check, true);
        }
        check_store(check, seed, count);
}

/* The step that operation number `k` - 1 belongs to. */
static const Step *step_of(const Script *script, unsigned k)
{
        for (unsigned i = 0; i < script->steps->len; i++) {
                const Step *step = &g_array_index(script->steps, Step, i);

                if (k > step->first && k <= step->end)
                        return step;
        }
        fail_msg("operation %u belongs to no step", k - 1);
        return NULL;
}

static void print_counts(const Script *script, GHashTable *counts)
{
        print_message("%-42s %7s %7s %7s\n", "power cut in", "before", "after", "same");
        for (unsigned i = 0; i < script->steps->len; i++) {
                const Step *step = &g_array_index(script->steps, Step, i);
                Count *count = g_hash_table_lookup(counts, step->name);

                if (!count)
                        continue;
                print_message("%-42s %7u %7u %7u\n", step->name, count->before, count->after,
                              count->same);
                g_hash_table_remove(counts, step->name);
        }
}

/* `stride`: of the variants only every so many at each operation, another one each time. */
static void cut_everywhere(const Script *script, unsigned from, unsigned stride)
{
        g_autofree char *dir = g_strconcat(script->dir, "-cut", NULL);
        g_autoptr(GHashTable) counts = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
        g_autoptr(DiskModel) model = disk_model_new();
        unsigned seeds = getenv("PATRONUS_LONG") ? LONG_SEEDS : 1, cuts = 0;

        if (seeds > 1)
                stride = 1;
        for (unsigned k = from + 1; k <= disk_operations(); k++) {
                const Step *step = step_of(script, k);
                Count *count = g_hash_table_lookup(counts, step->name);
                Check check = {script, step, k, dir, k == step->end};

                if (!count) {
                        count = g_new0(Count, 1);
                        g_hash_table_insert(counts, (gpointer) step->name, count);
                }
                disk_model_go(model, k);
                for (unsigned v = k % stride; v < G_N_ELEMENTS(variants); v += stride)
                        for (unsigned s = 0; s < seeds; s++, cuts++)
                                check_cut(&check, model, &variants[v], k * 131 + v * 17 + s, count);
        }
        print_counts(script, counts);
        print_message("%u operations, %u cuts\n", disk_operations() - from, cuts);
        unit_remove(dir);
}

static void slice_free(gpointer data)
{
        pt_slice_unref(data);
}

static Script *script_new(const char *dir)
{
        Script *script = g_new0(Script, 1);

        script->dir = dir;
        script->slice = pt_slice_new();
        script->contents = g_ptr_array_new_with_free_func(slice_free);
        script->steps = g_array_new(FALSE, FALSE, sizeof(Step));
        assert_int_equal(mkdir(dir, 0755), 0);
        disk_record(dir);
        return script;
}

static void script_free(Script *script)
{
        disk_stop();
        pt_store_close(script->store);
        pt_slice_unref(script->slice);
        g_ptr_array_unref(script->contents);
        g_array_unref(script->steps);
        g_free(script);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Script, script_free)

static void commit(Script *script, const char *rule, unsigned priority)
{
        step_decide(script, "decide",
                    step_intend(script, "intend", with_rule(script, rule, priority), 0));
}

static void commit_window(Script *script, const char *rule)
{
        step_decide(script, "decide, to be confirmed",
                    step_intend(script, "intend, to be confirmed", with_rule(script, rule, 1),
                                WINDOW_USEC));
}

static void test_commits(void **state)
{
        g_autoptr(Script) script = script_new(*state);
        PtSlice *after, *base;

        step_open(script, "open the first time");
        commit(script, "a", 1);
        commit(script, "b", 1);
        step_open(script, "open");

        step_abort(script, "abort",
                   step_intend(script, "intend", with_rule(script, "never", 1), 0));
        commit_window(script, "c");
        step_confirm(script);
        commit_window(script, "d");
        step_open(script, "open while a revision waits");
        base = pt_slice_ref(content(script, pt_store_confirmed(script->store)));
        step_decide(script, "decide to take back",
                    step_intend(script, "intend to take back", base, 0));
        step_abort(script, "abort, to be confirmed",
                   step_intend(script, "intend, to be confirmed", with_rule(script, "e", 1),
                               WINDOW_USEC));
        /* A run that died between, and the next one's decision. */
        after = step_intend(script, "intend, to be confirmed", with_rule(script, "f", 1),
                            WINDOW_USEC);
        step_open(script, "open with an intent");
        step_decide(script, "decide, to be confirmed", after);
        step_restart(script, NULL);
        step_confirm(script);
        step_restart(script, PT_STORE_JOURNAL_DAMAGED);
        commit(script, "g", 1);
        commit(script, "h", 1);
        disk_stop();
        cut_everywhere(script, 0, 3);
}

/* Configurations that do not fit into a record are in files before their intent is. */
static void test_large(void **state)
{
        g_autoptr(Script) script = script_new(*state);
        PtSlice *after;
        unsigned from;

        step_open(script, "open the first time");
        commit(script, "a", 1);
        from = disk_operations();
        step_decide(script, "decide what is in a file",
                    step_intend(script, "intend, in a file", with_many(script), 0));
        after = pt_slice_new();
        for (unsigned i = 0; i < 270; i++) {
                g_autofree char *name = g_strdup_printf("other-%u", i);

                unit_put(after, unit_rule(name, i));
        }
        step_abort(script, "abort what is in a file",
                   step_intend(script, "intend, in a file", after, 0));
        commit(script, "b", 1);
        step_restart(script, NULL);
        disk_stop();
        cut_everywhere(script, from, 3);
}

static void step_put(Script *script, const char *text, char hex[static PT_DIGEST_HEX + 1])
{
        begin(script, "put a list");
        unit_dataset_put(script->dir, text, hex);
        end(script);
}

/* A list is there before what refers to it, and stays. */
static void test_lists(void **state)
{
        g_autoptr(Script) script = script_new(*state);
        PtObject *object = pt_object_new(&pt_kind_alias, "hosts");
        Alias *alias = (Alias *) (void *) object;
        char other[PT_DIGEST_HEX + 1];
        unsigned waiting;
        PtSlice *after;

        step_open(script, "open the first time");
        step_put(script, LIST, script->list);
        script->list_from = 1;
        alias->type = FW_ALIAS_NETWORK;
        alias->dataset = g_strdup(script->list);
        object->present = UINT64_C(1) << ALIAS_TYPE | UINT64_C(1) << ALIAS_DATASET;
        pt_object_seal(object);
        after = pt_slice_clone(script->slice);
        unit_put(after, object);
        step_decide(script, "decide what has a list",
                    step_intend(script, "intend, with a list", after, 0));
        step_put(script, "10.0.0.3\n", other);
        begin(script, "delete lists that nothing needs");
        assert_int_equal(pt_store_collect_datasets(script->store, FAR_FUTURE, NULL, NULL, &waiting),
                         1);
        end(script);
        commit(script, "a", 1);
        step_restart(script, NULL);
        disk_stop();
        cut_everywhere(script, 0, 3);
}

/* One of eight rules, so that a delta is shorter than all. */
static void commit_next(Script *script)
{
        uint64_t number = pt_store_decided(script->store) + 1;
        g_autofree char *rule = g_strdup_printf("rule-%u", (unsigned) (number % 8));

        commit(script, rule, (unsigned) number);
}

/* Snapshots in place of deltas, and revisions that go: the long life of a store, and its last
 * steps. */
static void test_upkeep(void **state)
{
        g_autoptr(Script) script = script_new(*state);
        unsigned from;

        step_open(script, "open the first time");
        while (pt_store_decided(script->store) <= PT_STORE_DELTAS_MAX)
                commit_next(script);
        from = disk_operations();
        for (unsigned i = 0; i < 4; i++) { /* the first ones were too few for deltas */
                commit_next(script);
                step_tidy(script, "make a snapshot");
        }
        commit_next(script);
        disk_stop();
        cut_everywhere(script, from, 3);
}

static void test_retirement(void **state)
{
        g_autoptr(Script) script = script_new(*state);
        unsigned from;

        step_open(script, "open the first time");
        while (pt_store_decided(script->store) < PT_STORE_REVISIONS_KEPT + PT_STORE_DELTAS_MAX) {
                commit_next(script);
                step_tidy(script, "tidy");
        }
        from = disk_operations();
        commit_next(script);
        step_tidy(script, "retire revisions");
        commit_next(script);
        step_restart(script, NULL);
        disk_stop();
        cut_everywhere(script, from, 2 * G_N_ELEMENTS(variants));
}

#define store_test(function)                                                                       \
        cmocka_unit_test_setup_teardown(function, unit_store_setup, unit_store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                store_test(test_commits), store_test(test_large),      store_test(test_lists),
                store_test(test_upkeep),  store_test(test_retirement),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
