/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Every byte of every file of a store, changed or cut off: it is noticed and said, and the newest
 * good revision is there. And the chain of revisions, against somebody who knows how digests are
 * made. */

#include "store-unit.h"

#include "txn/journal.h"
#include "txn/store-internal.h"

#define REVISIONS 4
/* Of large files every so many bytes are changed; all with PATRONUS_LONG=1. */
#define STEP 7

static unsigned step(void)
{
        return getenv("PATRONUS_LONG") ? 1 : STEP;
}

/* A store as it is found: with `shortened`, the folders alone know of all revisions but the last,
 * which waits to be confirmed. */
static PtSlice *make_store(const char *dir, bool shortened, GPtrArray *contents)
{
        g_autoptr(PtStore) store = unit_open(dir);
        g_autoptr(PtSlice) slice = pt_slice_new();

        for (unsigned i = 1; i <= REVISIONS; i++) {
                g_autofree char *name = g_strdup_printf("rule-%u", i);
                g_autoptr(PtSlice) after = pt_slice_clone(slice);
                PtRevision revision = {.number = i,
                                       .author = (char *) "alice",
                                       .comment = (char *) "why",
                                       .time_usec = 1700000000000000 + i,
                                       .confirm_usec =
                                               i >= REVISIONS - 1 ? 60 * G_USEC_PER_SEC : 0};

                unit_put(after, unit_rule(name, i));
                assert_int_equal(pt_store_intend(store, &revision, slice, after), 0);
                assert_int_equal(pt_store_decide(store, i), 0);
                if (i == REVISIONS - 1)
                        assert_int_equal(pt_store_confirm(store, i), 0);
                g_ptr_array_add(contents, pt_slice_clone(after));
                pt_slice_unref(slice);
                slice = g_steal_pointer(&after);
        }
        if (shortened)
                assert_int_equal(pt_store_restart_journal(store, NULL), 0);
        return g_steal_pointer(&slice);
}

static void slice_freep(gpointer data)
{
        pt_slice_unref(data);
}

static GPtrArray *new_contents(void)
{
        return g_ptr_array_new_with_free_func(slice_freep);
}

/* What daemon and configd make of a damaged store: a revision that was whole, as it was. Returns
 * the errors that configd had. */
static size_t open_and_look(const char *dir, const GPtrArray *contents, bool *ret_daemon_said,
                            uint64_t *ret_decided)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new(), daemon_diag = pt_diag_new();
        g_autoptr(PtSlice) found = NULL, loaded = NULL;
        g_autoptr(PtStore) store = NULL;
        uint64_t number = 0;
        bool damaged = false;

        assert_int_equal(
                pt_store_read_slice(dir, "filterd", daemon_diag, &found, &number, &damaged), 0);
        assert_in_range(number, 1, REVISIONS);
        assert_same_root(found, contents->pdata[number - 1]);
        assert_true(!damaged || pt_diag_errors(daemon_diag) > 0);
        *ret_daemon_said = damaged;

        if (pt_store_open(dir, diag, &store) < 0)
                unit_print(diag);
        assert_non_null(store);
        pt_store_add_daemon(store, "filterd", unit_kinds, NULL);
        if (pt_store_load_newest(store, pt_store_decided(store), diag, &loaded, ret_decided) < 0)
                unit_print(diag);
        assert_non_null(loaded);
        assert_in_range(*ret_decided, 1, REVISIONS);
        assert_same_root(loaded, contents->pdata[*ret_decided - 1]);
        return pt_diag_errors(diag);
}

/* Flips a bit of each byte. */
static void damage_file(const char *dir, const char *name, bool shortened, unsigned by)
{
        g_autofree char *original = g_strconcat(dir, "-original", NULL), *content = NULL;
        g_autoptr(GPtrArray) contents = new_contents();
        g_autoptr(PtSlice) slice = make_store(original, shortened, contents);
        size_t size;

        content = unit_read(original, name, &size);
        for (size_t i = 0; i < size; i += by) {
                uint64_t decided;
                bool said;

                content[i] ^= 1;
                unit_copy_dir(original, dir);
                unit_write(dir, name, content, size);
                content[i] ^= 1;
                if (open_and_look(dir, contents, &said, &decided) == 0)
                        /* The last line's end is all that a crash can take off a journal. */
                        assert_true(strcmp(name, "journal") == 0 && i == size - 1);
        }
        unit_remove(original);
}

static void test_bytes_of_journal(void **state)
{
        damage_file(*state, "journal", false, step());
        damage_file(*state, "journal", true, step());
}

static void test_bytes_of_meta(void **state)
{
        damage_file(*state, "revisions/2/meta.json", false, step());
        damage_file(*state, "revisions/2/meta.json", true, 1);
        damage_file(*state, "revisions/3/meta.json", true, step());
        damage_file(*state, "revisions/4/meta.json", false, 1);
        damage_file(*state, "revisions/4/meta.json", true, step());
}

static void test_bytes_of_slices(void **state)
{
        damage_file(*state, "revisions/2/filterd.ndjson", false, step());
        damage_file(*state, "revisions/2/filterd.ndjson", true, step());
        damage_file(*state, "revisions/3/filterd.ndjson", true, step());
        damage_file(*state, "revisions/4/filterd.ndjson", false, step());
        damage_file(*state, "revisions/4/filterd.ndjson", true, step());
}

/* The snapshot that all others rest on: nothing is whole without it, unless the journal has it. */
static void test_bytes_of_snapshot(void **state)
{
        const char *dir = *state;
        g_autofree char *original = g_strconcat(dir, "-original", NULL), *content = NULL;

        for (int shortened = 0; shortened < 2; shortened++) {
                g_autoptr(GPtrArray) contents = new_contents();
                g_autoptr(PtSlice) slice = make_store(original, shortened, contents);
                size_t size;

                g_free(content);
                content = unit_read(original, "revisions/1/filterd.ndjson", &size);
                for (size_t i = 0; i < size; i += step()) {
                        g_autoptr(PtDiagnostics) diag = pt_diag_new();
                        g_autoptr(PtStore) store = NULL;
                        g_autoptr(PtSlice) found = NULL;
                        uint64_t number;
                        bool damaged;

                        content[i] ^= 1;
                        unit_copy_dir(original, dir);
                        unit_write(dir, "revisions/1/filterd.ndjson", content, size);
                        content[i] ^= 1;
                        assert_int_equal(pt_store_read_slice(dir, "filterd", diag, &found, &number,
                                                             &damaged),
                                         -EBADMSG);
                        assert_true(pt_diag_errors(diag) > 0);
                        assert_int_equal(pt_store_open(dir, diag, &store), 0);
                        assert_int_equal(
                                pt_store_load_newest(store, REVISIONS, diag, &found, &number),
                                shortened ? -EBADMSG : 0);
                        if (!shortened) {
                                assert_int_equal(number, REVISIONS);
                                assert_same_root(found, slice);
                        }
                }
                unit_remove(original);
        }
}

/* `unconfirmed` is small and of weight: daemons take what is confirmed when it is not right. */
static void test_bytes_of_unconfirmed(void **state)
{
        const char *dir = *state;
        g_autofree char *original = g_strconcat(dir, "-original", NULL), *content = NULL;
        g_autoptr(GPtrArray) contents = new_contents();
        g_autoptr(PtSlice) slice = make_store(original, false, contents);
        size_t size;

        content = unit_read(original, "revisions/unconfirmed", &size);
        for (size_t i = 0; i < 2 * size; i++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                g_autoptr(PtSlice) found = NULL;
                uint64_t number;
                bool damaged;

                unit_copy_dir(original, dir);
                if (i < size)
                        content[i] ^= 1;
                unit_write(dir, "revisions/unconfirmed", content, i < size ? size : i - size);
                if (i < size)
                        content[i] ^= 1;
                assert_int_equal(
                        pt_store_read_slice(dir, "filterd", diag, &found, &number, &damaged), 0);
                assert_true(damaged);
                assert_int_equal(number, REVISIONS - 1);
                assert_true(unit_said(diag, "revisions/unconfirmed was changed"));
                assert_true(open_and_look(dir, contents, &damaged, &number) > 0);
                assert_int_equal(number, REVISIONS);
                /* configd has put it right. */
                unit_assert_daemon(dir, "filterd", slice, REVISIONS);
        }
        unit_remove(original);
}

/* A file that ends early, at every byte. Of what the journal has too, nothing is lost. */
static void test_cut(void **state)
{
        static const char *const names[] = {"journal", "revisions/4/meta.json",
                                            "revisions/4/filterd.ndjson", "revisions/2/meta.json",
                                            "revisions/2/filterd.ndjson"};
        const char *dir = *state;
        g_autofree char *original = g_strconcat(dir, "-original", NULL);

        for (int shortened = 0; shortened < 2; shortened++) {
                g_autoptr(GPtrArray) contents = new_contents();
                g_autoptr(PtSlice) slice = make_store(original, shortened, contents);

                for (unsigned f = 0; f < G_N_ELEMENTS(names); f++) {
                        g_autofree char *content = NULL;
                        bool journal = f == 0, newest = f == 1 || f == 2;
                        size_t size;

                        content = unit_read(original, names[f], &size);
                        for (size_t cut = 0; cut < size; cut += step()) {
                                uint64_t decided;
                                size_t errors;
                                bool said;

                                unit_copy_dir(original, dir);
                                unit_write(dir, names[f], content, cut);
                                errors = open_and_look(dir, contents, &said, &decided);
                                /* What is lost is said. */
                                if (decided != REVISIONS)
                                        assert_true(errors > 0);
                                /* The folders have all that a journal lost, and the journal what
                                 * the folders did, until it was shortened. */
                                if (journal || !shortened)
                                        assert_int_equal(decided, REVISIONS);
                                if (shortened && !journal)
                                        assert_true(errors > 0 || newest);
                        }
                }
                unit_remove(original);
        }
}

/* The links: nothing but what a crash leaves goes without a word. */
static void test_links(void **state)
{
        static const char *const names[] = {"revisions/decided", "revisions/confirmed"};
        static const char *const targets[] = {"9", "nonsense", "0", "04", "../4", ""};
        const char *dir = *state;
        g_autofree char *original = g_strconcat(dir, "-original", NULL);
        g_autoptr(GPtrArray) contents = new_contents();
        g_autoptr(PtSlice) slice = make_store(original, false, contents);

        for (unsigned n = 0; n < G_N_ELEMENTS(names); n++)
                for (unsigned t = 0; t < G_N_ELEMENTS(targets); t++) {
                        g_autofree char *link = unit_path(dir, names[n]);
                        uint64_t decided;
                        bool said;

                        unit_copy_dir(original, dir);
                        assert_int_equal(unlink(link), 0);
                        if (targets[t][0])
                                assert_int_equal(symlink(targets[t], link), 0);
                        else
                                unit_write(dir, names[n], "", 0); /* a file */
                        assert_true(open_and_look(dir, contents, &said, &decided) > 0);
                        assert_true(said || n == 1);
                        assert_int_equal(decided, REVISIONS);
                        unit_assert_daemon(dir, "filterd", slice, REVISIONS);
                }
        unit_remove(original);
}

/* Rewrites a line of a journal, with a right digest. */
static void forge(const char *dir, const char *name, const char *from, const char *to)
{
        g_autofree char *line = NULL, *changed = NULL;
        g_autoptr(GString) record = g_string_new(NULL), out = g_string_new(NULL);
        struct json_object *json = NULL;
        PtDigest digest, prev;
        size_t size, first;

        line = unit_read(dir, name, &size);
        first = strcspn(line, "\n");
        assert_int_equal(pt_journal_verify(line, first, &digest, &prev, &json), 0);
        g_string_assign(record, json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
        json_object_put(json);
        assert_int_equal(g_string_replace(record, from, to, 1), 1);
        pt_journal_format(record->str, &prev, out, &digest);
        unit_write(dir, name, out->str, out->len);
}

static void assert_damaged(PtStore *store, uint64_t number, bool damaged)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtRevision) revision = NULL;
        g_autoptr(PtSlice) loaded = NULL;

        assert_int_equal(pt_store_get(store, number, &revision), 0);
        assert_int_equal(revision->damaged, damaged);
        assert_int_equal(pt_store_load(store, number, diag, &loaded), damaged ? -EBADMSG : 0);
        if (damaged)
                assert_true(unit_said(diag, "was changed after it was written"));
}

/* A meta.json that the journal no longer has, rewritten by somebody who knows how: the next one
 * tells. Said once, and shown for good. */
static void test_forged_meta(void **state)
{
        const char *dir = *state;
        g_autoptr(GPtrArray) contents = new_contents();
        g_autoptr(PtSlice) slice = make_store(dir, true, contents);
        g_autoptr(PtStore) store = NULL;

        forge(dir, "revisions/2/meta.json", "alice", "mallory");
        for (int i = 0; i < 3; i++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();

                assert_int_equal(pt_store_open(dir, diag, &store), 0);
                pt_store_add_daemon(store, "filterd", unit_kinds, NULL);
                assert_int_equal(pt_diag_errors(diag), i == 0);
                if (i == 0)
                        assert_true(unit_said(diag, "revisions/2/meta.json was changed"));
                for (unsigned number = 1; number <= REVISIONS; number++)
                        assert_damaged(store, number, number == 2);
                if (i == 1) /* and the journal may be shortened again */
                        assert_int_equal(pt_store_restart_journal(store, NULL), 0);
                pt_store_close(g_steal_pointer(&store));
        }
        unit_assert_daemon(dir, "filterd", slice, REVISIONS);
}

/* One that the journal has is put right. */
static void test_forged_newest(void **state)
{
        const char *dir = *state;
        g_autoptr(GPtrArray) contents = new_contents();
        g_autoptr(PtSlice) slice = make_store(dir, true, contents);
        g_autoptr(PtDiagnostics) diag = pt_diag_new(), quiet = pt_diag_new();
        g_autoptr(PtStore) store = NULL;
        g_autoptr(PtRevision) revision = NULL;

        forge(dir, "revisions/4/meta.json", "alice", "mallory");
        assert_int_equal(pt_store_open(dir, diag, &store), 0);
        assert_true(unit_said(diag, "revisions/4/meta.json was changed"));
        assert_int_equal(pt_store_get(store, 4, &revision), 0);
        assert_string_equal(revision->author, "alice");
        pt_store_close(g_steal_pointer(&store));
        assert_int_equal(pt_store_open(dir, quiet, &store), 0);
        assert_int_equal(pt_diag_count(quiet), 0);
}

/* A revision taken out of the middle leaves a hole in the chain. */
static void test_removed_revision(void **state)
{
        const char *dir = *state;
        g_autofree char *folder = unit_path(dir, "revisions/2");
        g_autoptr(GPtrArray) contents = new_contents();
        g_autoptr(PtSlice) slice = make_store(dir, true, contents);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtStore) store = NULL;

        unit_remove(folder);
        assert_int_equal(pt_store_open(dir, diag, &store), 0);
        assert_true(unit_said(diag, "revision 3 rests on revision 2, and the one before it"));
        assert_int_equal(pt_store_decided(store), REVISIONS);
}

/* The journal's first lines taken off. */
static void test_beheaded_journal(void **state)
{
        const char *dir = *state;
        g_autofree char *original = g_strconcat(dir, "-original", NULL), *journal = NULL;
        g_autoptr(GPtrArray) contents = new_contents();
        g_autoptr(PtSlice) slice = make_store(original, false, contents);
        size_t size;

        journal = unit_read(original, "journal", &size);
        for (size_t cut = strcspn(journal, "\n") + 1; cut < size;
             cut += strcspn(journal + cut, "\n") + 1) {
                uint64_t decided;
                bool said;

                unit_copy_dir(original, dir);
                unit_write(dir, "journal", journal + cut, size - cut);
                assert_true(open_and_look(dir, contents, &said, &decided) > 0);
                assert_int_equal(decided, REVISIONS);
        }
        unit_remove(original);
}

/* The record of a confirmation cut off: the folder still knows. */
static void test_unsaid_confirmation(void **state)
{
        const char *dir = *state;
        g_autoptr(GPtrArray) contents = new_contents();
        g_autoptr(PtSlice) slice = make_store(dir, false, contents);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtStore) store = unit_open(dir);
        g_autofree char *journal = NULL;
        PtConfirm confirm;
        size_t size;

        journal = unit_read(dir, "journal", &size);
        assert_int_equal(pt_store_confirm(store, REVISIONS), 0);
        pt_store_close(g_steal_pointer(&store));
        unit_write(dir, "journal", journal, size);
        assert_int_equal(pt_store_open(dir, diag, &store), 0);
        assert_true(unit_said(diag, "does not say that revision 4 was confirmed"));
        assert_int_equal(pt_store_confirmed(store), REVISIONS);
        assert_false(pt_store_unconfirmed(store, &confirm));
}

#define store_test(function)                                                                       \
        cmocka_unit_test_setup_teardown(function, unit_store_setup, unit_store_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                store_test(test_bytes_of_journal),
                store_test(test_bytes_of_meta),
                store_test(test_bytes_of_slices),
                store_test(test_bytes_of_snapshot),
                store_test(test_bytes_of_unconfirmed),
                store_test(test_cut),
                store_test(test_links),
                store_test(test_forged_meta),
                store_test(test_forged_newest),
                store_test(test_removed_revision),
                store_test(test_beheaded_journal),
                store_test(test_unsaid_confirmation),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
