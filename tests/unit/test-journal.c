/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store-unit.h"
#include "txn/journal.h"

#include <signal.h>
#include <sys/resource.h>

static void note_number(struct json_object *record, void *userdata)
{
        struct json_object *value;

        assert_true(json_object_object_get_ex(record, "n", &value));
        g_string_append_printf(userdata, "%d ", json_object_get_int(value));
}

/* Lines with the records {"n":0} ... */
static GString *make_lines(int n)
{
        GString *text = g_string_new(NULL);
        PtDigest tail = {{0}};

        for (int i = 0; i < n; i++) {
                g_autofree char *record = g_strdup_printf("{\"n\":%d}", i);

                pt_journal_format(record, &tail, text, &tail);
        }
        return text;
}

typedef struct Parsed {
        PtJournalState state;
        GString *numbers;
        PtDiagnostics *diag;
} Parsed;

static void parsed_clear(Parsed *parsed)
{
        g_string_free(parsed->numbers, TRUE);
        pt_diag_free(parsed->diag);
}

static Parsed parse(const char *text, size_t size)
{
        Parsed parsed = {.numbers = g_string_new(NULL), .diag = pt_diag_new()};

        pt_journal_parse(text, size, note_number, parsed.numbers, parsed.diag, &parsed.state);
        return parsed;
}
#define auto_parsed pt_cleanup(parsed_clear) Parsed

static void test_lines(void **state)
{
        g_autoptr(GString) text = make_lines(3);
        auto_parsed parsed = parse(text->str, text->len), nothing = parse("", 0);

        (void) state;
        assert_string_equal(parsed.numbers->str, "0 1 2 ");
        assert_int_equal(parsed.state.good, text->len);
        assert_int_equal(parsed.state.damaged, 0);
        assert_false(parsed.state.torn);
        assert_int_equal(pt_diag_count(parsed.diag), 0);
        assert_int_equal(nothing.state.damaged, 0);
        assert_false(nothing.state.torn);
}

/* Cut anywhere in the last line, or NULs for what never reached the disk: the lines before stand,
 * nothing is damaged. */
static void test_torn(void **state)
{
        g_autoptr(GString) text = make_lines(3), two = make_lines(2);

        (void) state;
        for (size_t size = two->len + 1; size < text->len; size++) {
                g_autofree char *zeros = g_memdup2(text->str, text->len);
                auto_parsed cut = parse(text->str, size);

                assert_string_equal(cut.numbers->str, "0 1 ");
                assert_int_equal(cut.state.good, two->len);
                assert_int_equal(cut.state.damaged, 0);
                assert_true(cut.state.torn);
                memset(zeros + two->len, 0, size - two->len);
                for (int i = 0; i < 2; i++) { /* without and with a newline at the end */
                        auto_parsed hole = parse(zeros, text->len - (i == 0));

                        assert_string_equal(hole.numbers->str, "0 1 ");
                        assert_int_equal(hole.state.damaged, 0);
                        assert_true(hole.state.torn);
                }
        }
}

/* Any bit of any line: one record is lost and reported, the others are not. */
static void test_flipped(void **state)
{
        g_autoptr(GString) text = make_lines(3), one = make_lines(1), two = make_lines(2);

        (void) state;
        for (size_t i = 0; i + 1 < text->len; i++)
                for (int bit = 0; bit < 8; bit++) {
                        const char *expected = i < one->len   ? "1 2 "
                                               : i < two->len ? "0 2 "
                                                              : "0 1 ";

                        text->str[i] ^= (char) (1 << bit);
                        {
                                auto_parsed parsed = parse(text->str, text->len);
                                bool newline = text->str[i] == '\n' || i + 1 == one->len ||
                                               i + 1 == two->len;
                                bool nul = text->str[i] == '\0' && i >= two->len;

                                assert_true(nul || parsed.state.damaged > 0);
                                assert_true(nul ||
                                            pt_diag_errors(parsed.diag) == parsed.state.damaged);
                                if (!newline) /* which joins or splits lines */
                                        assert_string_equal(parsed.numbers->str, expected);
                        }
                        text->str[i] ^= (char) (1 << bit);
                }
}

static void test_removed_and_inserted(void **state)
{
        g_autoptr(GString) text = make_lines(4), one = make_lines(1), two = make_lines(2),
                           three = make_lines(3);
        g_autoptr(GString) changed = g_string_new(NULL);

        (void) state;
        g_string_append_len(changed, text->str, (gssize) two->len);
        g_string_append(changed, text->str + three->len);
        {
                auto_parsed removed = parse(changed->str, changed->len);

                assert_string_equal(removed.numbers->str, "0 1 3 ");
                assert_int_equal(removed.state.damaged, 1);
                assert_true(unit_said(removed.diag, "record 3 of the journal does not follow"));
        }
        g_string_assign(changed, two->str);
        g_string_append(changed, text->str + one->len);
        {
                auto_parsed repeated = parse(changed->str, changed->len);

                assert_string_equal(repeated.numbers->str, "0 1 1 2 3 ");
                assert_int_equal(repeated.state.damaged, 1);
        }
}

static PtJournal *open_journal(const char *dir, GString *numbers, PtDiagnostics *diag, int *dirfd)
{
        PtJournal *journal = NULL;

        g_mkdir_with_parents(dir, 0700);
        if (*dirfd < 0)
                *dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_int_equal(pt_journal_open(*dirfd, "journal", note_number, numbers, diag, &journal),
                         0);
        return journal;
}

static void test_append_and_reopen(void **state)
{
        g_autoptr(GString) numbers = g_string_new(NULL);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_fd int dirfd = -EBADF;
        g_autoptr(PtJournal) journal = open_journal(*state, numbers, diag, &dirfd);
        g_autofree char *content = NULL, *path = unit_path(*state, "journal");
        size_t size;

        assert_int_equal(pt_journal_append(journal, "{\"n\":1}"), 0);
        assert_int_equal(pt_journal_append(journal, "{\"n\":2}"), 0);
        g_clear_pointer(&journal, pt_journal_close);
        content = unit_read(*state, "journal", &size);
        unit_write(*state, "journal", content, size - 5);

        /* The torn end goes, and the next record follows the last whole one. */
        journal = open_journal(*state, numbers, diag, &dirfd);
        assert_string_equal(numbers->str, "1 ");
        assert_int_equal(pt_diag_errors(diag), 0);
        assert_true(unit_said(diag, "were not written in full"));
        assert_int_equal(pt_journal_append(journal, "{\"n\":3}"), 0);
        g_clear_pointer(&journal, pt_journal_close);
        g_string_truncate(numbers, 0);
        journal = open_journal(*state, numbers, diag, &dirfd);
        assert_string_equal(numbers->str, "1 3 ");
        assert_int_equal(pt_diag_count(diag), 1);
        assert_int_equal(pt_journal_damaged(journal), 0);
}

static void test_restart(void **state)
{
        static const char *const records[] = {"{\"n\":7}", "{\"n\":8}", NULL};
        g_autoptr(GString) numbers = g_string_new(NULL);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_fd int dirfd = -EBADF;
        g_autoptr(PtJournal) journal = open_journal(*state, numbers, diag, &dirfd);
        g_autofree char *old = NULL;
        size_t size;

        assert_int_equal(pt_journal_append(journal, "{\"n\":1}"), 0);
        assert_int_equal(pt_journal_restart(journal, records, "journal.old"), 0);
        assert_int_equal(pt_journal_restart(journal, records, "journal.old"), 0);
        assert_int_equal(pt_journal_append(journal, "{\"n\":9}"), 0);
        old = unit_read(*state, "journal.old", &size);
        assert_non_null(strstr(old, "{\"n\":8}"));
        g_clear_pointer(&journal, pt_journal_close);
        journal = open_journal(*state, numbers, diag, &dirfd);
        assert_string_equal(numbers->str, "7 8 9 ");
        assert_int_equal(pt_diag_count(diag), 0);
}

/* A full disk in the middle of a record leaves the journal as it was, and usable when there is room
 * again. */
static void test_full(void **state)
{
        g_autoptr(GString) numbers = g_string_new(NULL);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_fd int dirfd = -EBADF;
        g_autoptr(PtJournal) journal = open_journal(*state, numbers, diag, &dirfd);
        struct rlimit before, small;

        assert_int_equal(pt_journal_append(journal, "{\"n\":1}"), 0);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        small = before;
        small.rlim_cur = pt_journal_size(journal) + 20;
        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        assert_int_equal(pt_journal_append(journal, "{\"n\":2}"), -EFBIG);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(pt_journal_append(journal, "{\"n\":3}"), 0);
        g_clear_pointer(&journal, pt_journal_close);
        journal = open_journal(*state, numbers, diag, &dirfd);
        assert_string_equal(numbers->str, "1 3 ");
        assert_int_equal(pt_diag_count(diag), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_torn),
                cmocka_unit_test(test_flipped),
                cmocka_unit_test(test_removed_and_inserted),
                cmocka_unit_test_setup_teardown(test_append_and_reopen, unit_store_setup,
                                                unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_restart, unit_store_setup,
                                                unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_full, unit_store_setup, unit_store_teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
