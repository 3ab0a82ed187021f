/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "store-unit.h"
#include "txn/audit-rate.h"
#include "txn/audit.h"

#include <signal.h>
#include <sys/resource.h>

#define MINUTE (60ULL * G_USEC_PER_SEC)

static int setup(void **state)
{
        int r = unit_store_setup(state);

        return r < 0 ? r : mkdir(*state, 0700);
}

static PtAudit *open_audit(const char *dir, const char *said)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtAudit *audit = NULL;

        assert_int_equal(pt_audit_open(dir, diag, &audit), 0);
        if (said)
                assert_true(unit_said(diag, said));
        else
                assert_int_equal(pt_diag_count(diag), 0);
        return audit;
}

static void append(PtAudit *audit, unsigned n)
{
        for (unsigned i = 0; i < n; i++) {
                char text[32];
                PtAuditEntry entry = {.uid = 1000 + i,
                                      .user = (char *) "alice",
                                      .method = (char *) "Commit",
                                      .text = text,
                                      .revision = pt_audit_last(audit) + 1};

                g_snprintf(text, sizeof(text), "entry %" PRIu64, pt_audit_last(audit) + 1);
                assert_int_equal(pt_audit_append(audit, &entry), 0);
        }
}

typedef struct Found {
        int r;
        PtAuditCheck check;
        PtDiagnostics *diag;
} Found;

static Found verify(const char *dir)
{
        Found found = {.diag = pt_diag_new()};

        found.r = pt_audit_verify(dir, SIZE_MAX, found.diag, &found.check);
        return found;
}

static void found_clear(Found *found)
{
        pt_diag_free(found->diag);
}
#define auto_found pt_cleanup(found_clear) Found

static void assert_good(const char *dir, uint64_t first, uint64_t last)
{
        auto_found found = verify(dir);

        unit_print(found.diag);
        assert_int_equal(found.r, 0);
        assert_int_equal(found.check.damaged, 0);
        assert_int_equal(found.check.first, first);
        assert_int_equal(found.check.last, last);
        assert_int_equal(found.check.entries, last - first + (last > 0));
}

static void assert_bad(const char *dir, const char *said)
{
        auto_found found = verify(dir);

        assert_int_equal(found.r, 0);
        assert_true(found.check.damaged > 0);
        assert_int_equal(pt_diag_errors(found.diag), found.check.damaged);
        assert_true(unit_said(found.diag, said));
}

/* Lists in pages of three: the numbers from `last` down to `first`. */
static void assert_listed(const PtAudit *audit, uint64_t first, uint64_t last)
{
        uint64_t before = 0, expected = last;

        for (;;) {
                g_autoptr(GPtrArray) page = NULL;

                assert_int_equal(pt_audit_list(audit, before, 3, &page), 0);
                for (guint i = 0; i < page->len; i++) {
                        const PtAuditEntry *entry = g_ptr_array_index(page, i);
                        g_autofree char *text = g_strdup_printf("entry %" PRIu64, expected);

                        assert_int_equal(entry->number, expected);
                        assert_string_equal(entry->text, text);
                        before = expected--;
                }
                if (page->len < 3)
                        break;
        }
        assert_int_equal(expected, first - 1);
}

static void test_entries(void **state)
{
        g_autoptr(PtAudit) audit = open_audit(*state, NULL);
        g_autoptr(GPtrArray) none = NULL, one = NULL;
        PtDigest tail;

        assert_int_equal(pt_audit_list(audit, 0, 10, &none), 0);
        assert_int_equal(none->len, 0);
        assert_good(*state, 0, 0);
        assert_int_equal(pt_audit_ready(audit), 0);
        {
                PtAuditEntry entry = {.uid = 0,
                                      .user = (char *) "root",
                                      .pid = 42,
                                      .unit = (char *) "cron.service",
                                      .session = (char *) "c1",
                                      .client = (char *) "192.0.2.7",
                                      .claimed = true,
                                      .daemon = (char *) "configd",
                                      .action = (char *) "org.patronus.config.commit",
                                      .method = (char *) "Commit",
                                      .subject = (char *) "Zone/lan",
                                      .reason = (char *) "because \"so\"\n",
                                      .result = PT_AUDIT_FAILED,
                                      .text = (char *) "no-answer",
                                      .revision = 7,
                                      .left_out = 3};

                assert_int_equal(pt_audit_append(audit, &entry), 0);
                assert_int_equal(entry.number, 1);
                assert_false(pt_audit_is_synced(audit));
                assert_int_equal(pt_audit_sync(audit), 0);
                assert_true(pt_audit_is_synced(audit));
                pt_audit_tail(audit, &tail);
                assert_true(pt_digest_equal(&tail, &entry.digest));
        }
        assert_int_equal(pt_audit_list(audit, 0, 10, &one), 0);
        assert_int_equal(one->len, 1);

        const PtAuditEntry *entry = g_ptr_array_index(one, 0);

        assert_int_equal(entry->number, 1);
        assert_int_equal(entry->uid, 0);
        assert_int_equal(entry->pid, 42);
        assert_string_equal(entry->user, "root");
        assert_string_equal(entry->unit, "cron.service");
        assert_string_equal(entry->session, "c1");
        assert_string_equal(entry->client, "192.0.2.7");
        assert_true(entry->claimed);
        assert_string_equal(entry->daemon, "configd");
        assert_string_equal(entry->action, "org.patronus.config.commit");
        assert_string_equal(entry->method, "Commit");
        assert_string_equal(entry->subject, "Zone/lan");
        assert_string_equal(entry->reason, "because \"so\"\n");
        assert_int_equal(entry->result, PT_AUDIT_FAILED);
        assert_string_equal(entry->text, "no-answer");
        assert_int_equal(entry->revision, 7);
        assert_int_equal(entry->left_out, 3);
        assert_true(entry->time_usec > 0);
        assert_true(pt_digest_equal(&tail, &entry->digest));
        assert_good(*state, 1, 1);
}

static void test_it_goes_on_after_a_restart(void **state)
{
        for (unsigned i = 0; i < 3; i++) {
                g_autoptr(PtAudit) audit = open_audit(*state, NULL);

                assert_int_equal(pt_audit_last(audit), 4 * i);
                assert_int_equal(pt_audit_last_revision(audit), 4 * i);
                append(audit, 4);
                assert_listed(audit, 1, 4 * (i + 1));
        }
        assert_good(*state, 1, 12);
}

/* Whatever comes from outside: long, and no UTF-8. */
static void test_texts_are_cut_and_mended(void **state)
{
        g_autoptr(PtAudit) audit = open_audit(*state, NULL);
        g_autoptr(GPtrArray) page = NULL;
        g_autofree char *text = g_strnfill(PT_AUDIT_TEXT_MAX - 1, 'x');
        g_autofree char *reason = g_strconcat(text, "äöü", NULL);

        assert_int_equal(pt_audit_append(audit, &(PtAuditEntry){.user = (char *) "\xff\x01z",
                                                                .reason = reason}),
                         0);
        assert_int_equal(pt_audit_list(audit, 0, 1, &page), 0);

        const PtAuditEntry *entry = g_ptr_array_index(page, 0);

        assert_string_equal(entry->reason, text);
        assert_string_equal(entry->user, "\xef\xbf\xbd\x01z");
        assert_good(*state, 1, 1);
}

/* A line that was written in part when the power went is no damage, and is gone. */
static void test_torn_at_every_byte(void **state)
{
        g_autofree char *text = NULL, *two = NULL;
        size_t size, size_two;

        {
                g_autoptr(PtAudit) audit = open_audit(*state, NULL);

                append(audit, 2);
                two = unit_read(*state, "audit/journal", &size_two);
                append(audit, 1);
        }
        text = unit_read(*state, "audit/journal", &size);
        for (size_t cut = size_two + 1; cut < size; cut++) {
                unit_write(*state, "audit/journal", text, cut);
                assert_bad(*state, "the line was cut off");

                g_autoptr(PtAudit) audit = open_audit(*state, "not written in full");

                assert_int_equal(pt_audit_last(audit), 2);
                append(audit, 1);
                assert_listed(audit, 1, 3);
                assert_good(*state, 1, 3);
        }
}

static void test_tampered_at_every_byte(void **state)
{
        g_autofree char *text = NULL;
        size_t size, line = 1;

        {
                g_autoptr(PtAudit) audit = open_audit(*state, NULL);

                append(audit, 3);
        }
        text = unit_read(*state, "audit/journal", &size);
        for (size_t i = 0; i < size; i++) {
                bool newline = text[i] == '\n';
                g_autofree char *place = g_strdup_printf("journal:%zu", line);

                text[i] ^= (char) (1 << i % 8);
                unit_write(*state, "audit/journal", text, size);
                if (i + 1 < size)
                        assert_bad(*state, place);
                else
                        assert_bad(*state, "cut off");
                text[i] ^= (char) (1 << i % 8);
                line += newline;
        }
        unit_write(*state, "audit/journal", text, size);
        assert_good(*state, 1, 3);
}

/* Offsets of the lines, and of the end. */
static void find_lines(const char *text, size_t size, size_t *ret, unsigned n)
{
        size_t at = 0;

        for (unsigned i = 0; i < n; i++) {
                ret[i] = at;
                while (at < size && text[at++] != '\n')
                        ;
        }
        ret[n] = at;
}

static void test_lines_removed_repeated_and_exchanged(void **state)
{
        g_autofree char *text = NULL;
        size_t size, at[6], n = 5; /* a head and four entries */
        PtDigest tail;

        {
                g_autoptr(PtAudit) audit = open_audit(*state, NULL);

                append(audit, 4);
                pt_audit_tail(audit, &tail);
        }
        text = unit_read(*state, "audit/journal", &size);
        find_lines(text, size, at, 5);
        assert_int_equal(at[5], size);
        for (size_t i = 0; i + 1 < n; i++) { /* the last line: below */
                g_autoptr(GString) removed = g_string_new_len(text, (gssize) size),
                                   repeated = g_string_new_len(text, (gssize) size);
                g_autofree char *place = g_strdup_printf("journal:%zu", i + 1);
                g_autofree char *next = g_strdup_printf("journal:%zu", i + 2);

                g_string_erase(removed, (gssize) at[i], (gssize) (at[i + 1] - at[i]));
                unit_write(*state, "audit/journal", removed->str, removed->len);
                assert_bad(*state, place);
                g_string_insert_len(repeated, (gssize) at[i + 1], text + at[i],
                                    (gssize) (at[i + 1] - at[i]));
                unit_write(*state, "audit/journal", repeated->str, repeated->len);
                assert_bad(*state, next);
        }
        /* The end, cut at a line's edge, is what only the digest tells. */
        unit_write(*state, "audit/journal", text, at[4]);
        assert_good(*state, 1, 3);
        {
                auto_found found = verify(*state);

                assert_false(pt_digest_equal(&found.check.tail, &tail));
        }
        unit_write(*state, "audit/journal", text, size);
        {
                auto_found found = verify(*state);

                assert_true(pt_digest_equal(&found.check.tail, &tail));
        }
        /* What is damaged stays so, and the chain goes on. */
        text[at[2] + 100] ^= 1;
        unit_write(*state, "audit/journal", text, size);
        {
                g_autoptr(PtAudit) audit = open_audit(*state, "record 3 of the journal");

                assert_int_equal(pt_audit_last(audit), 4);
                append(audit, 2);
        }
        {
                auto_found found = verify(*state);

                assert_int_equal(found.check.damaged, 1);
                assert_true(unit_said(found.diag, "journal:3"));
                assert_int_equal(found.check.last, 6);
        }
}

/* Sixty entries in files of a few. */
static void fill(const char *dir, unsigned files_max, uint64_t age)
{
        g_autoptr(PtAudit) audit = open_audit(dir, NULL);

        pt_audit_set_limits(audit, 1500, files_max, age);
        for (unsigned i = 0; i < 60; i++) {
                append(audit, 1);
                assert_int_equal(pt_audit_sync(audit), 0);
        }
        pt_audit_set_limits(audit, PT_AUDIT_FILE_MAX, PT_AUDIT_FILES_MAX, PT_AUDIT_AGE_MAX_USEC);
        assert_int_equal(pt_audit_sync(audit), 0);
}

static unsigned count_files(const char *dir)
{
        auto_found found = verify(dir);

        return (unsigned) found.check.files;
}

static void test_rotation_carries_the_chain_over(void **state)
{
        fill(*state, 100, PT_AUDIT_AGE_MAX_USEC);
        assert_true(count_files(*state) > 8);
        assert_good(*state, 1, 60);
        {
                g_autoptr(PtAudit) audit = open_audit(*state, NULL);

                assert_listed(audit, 1, 60);
                append(audit, 1);
                assert_listed(audit, 1, 61);
        }

        /* A file that is changed, missing, or another one's. */
        g_autofree char *copy = g_strconcat(*state, "-copy", NULL);

        unit_copy_dir(*state, copy);
        {
                g_autofree char *path = unit_path(copy, "audit/journal.3");

                assert_int_equal(unlink(path), 0);
                assert_bad(copy, "journal.3");
                unit_copy_dir(*state, copy);
        }
        {
                g_autofree char *from = unit_path(copy, "audit/journal.3"),
                                *to = unit_path(copy, "audit/journal.4");

                assert_int_equal(rename(from, to), 0);
                assert_bad(copy, "journal.4:1");
                unit_copy_dir(*state, copy);
        }
        {
                size_t size;
                g_autofree char *text = unit_read(copy, "audit/journal.5", &size);

                text[size / 2] ^= 1;
                unit_write(copy, "audit/journal.5", text, size);
                assert_bad(copy, "journal.5:");
                unit_copy_dir(*state, copy);
        }
        /* Without the newest, the numbers go on, and the gap shows. */
        {
                g_autofree char *path = unit_path(copy, "audit/journal");

                assert_int_equal(unlink(path), 0);
                assert_bad(copy, "the file is missing");

                g_autoptr(PtAudit) audit = open_audit(copy, NULL);

                assert_true(pt_audit_last(audit) > 50);
                append(audit, 1);
        }
        assert_bad(copy, "does not follow");
        unit_remove(copy);
}

static void test_old_files_go_by_count_and_age(void **state)
{
        fill(*state, 4, PT_AUDIT_AGE_MAX_USEC);
        assert_int_equal(count_files(*state), 4);
        {
                auto_found found = verify(*state);

                assert_int_equal(found.check.damaged, 0);
                assert_true(found.check.first > 1);
                assert_int_equal(found.check.last, 60);

                g_autoptr(PtAudit) audit = open_audit(*state, NULL);

                assert_listed(audit, found.check.first, 60);
        }
        /* Whoever removes one more is found out. */
        g_autoptr(GDir) dir = NULL;
        g_autofree char *path = unit_path(*state, "audit"), *oldest = NULL;

        dir = g_dir_open(path, 0, NULL);
        for (const char *name = g_dir_read_name(dir); name; name = g_dir_read_name(dir))
                if (strlen(name) > strlen("journal") &&
                    (!oldest || atoi(name + 8) < atoi(oldest + 8))) {
                        g_free(oldest);
                        oldest = g_strdup(name);
                }
        g_autofree char *victim = g_build_filename(path, oldest, NULL);

        assert_int_equal(unlink(victim), 0);
        assert_bad(*state, oldest);
}

static void test_old_files_go_by_age(void **state)
{
        fill(*state, 100, 0);
        assert_int_equal(count_files(*state), 2);

        auto_found found = verify(*state);

        assert_int_equal(found.check.damaged, 0);
        assert_int_equal(found.check.last, 60);
}

/* The limit on the size of files stands for a full disk. */
static void test_full_disk(void **state)
{
        g_autoptr(PtAudit) audit = open_audit(*state, NULL);
        struct rlimit old, small = {4096, RLIM_INFINITY};
        PtAuditEntry entry = {.method = (char *) "Commit"};
        unsigned n = 0;

        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
        small.rlim_max = old.rlim_max;
        append(audit, 3);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        assert_int_equal(pt_audit_ready(audit), -EFBIG);
        while (pt_audit_append(audit, &entry) >= 0)
                assert_true(n++ < 100);
        assert_int_equal(pt_audit_last(audit), 3 + n);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_good(*state, 1, 3 + n);
        assert_int_equal(pt_audit_ready(audit), 0);
        assert_int_equal(pt_audit_append(audit, &entry), 0);
        assert_int_equal(entry.number, 4 + n);
        assert_good(*state, 1, 4 + n);
}

static void test_a_flood_is_counted(void **state)
{
        g_autoptr(PtAuditRate) rate = pt_audit_rate_new(3, MINUTE);
        uint64_t now = 1000, left_out;
        uid_t uid;

        (void) state;
        for (unsigned i = 0; i < 3; i++) {
                assert_true(pt_audit_rate_take(rate, 7, now, &left_out));
                assert_int_equal(left_out, 0);
        }
        for (unsigned i = 0; i < 500; i++)
                assert_false(pt_audit_rate_take(rate, 7, now + i, &left_out));
        assert_true(pt_audit_rate_take(rate, 8, now, &left_out)); /* another user */
        assert_true(pt_audit_rate_pending(rate));
        assert_false(pt_audit_rate_flush(rate, now + MINUTE - 1, &uid, &left_out));
        assert_true(pt_audit_rate_take(rate, 7, now + MINUTE, &left_out));
        assert_int_equal(left_out, 500);
        assert_false(pt_audit_rate_take(rate, 7, now + MINUTE, &left_out));
        /* Nobody comes again: it is told all the same. */
        assert_true(pt_audit_rate_flush(rate, now + 2 * MINUTE, &uid, &left_out));
        assert_int_equal(uid, 7);
        assert_int_equal(left_out, 1);
        assert_false(pt_audit_rate_pending(rate));
        assert_false(pt_audit_rate_flush(rate, now + 9 * MINUTE, &uid, &left_out));
        /* Never more than the burst. */
        for (unsigned i = 0; i < 3; i++)
                assert_true(pt_audit_rate_take(rate, 7, now + 900 * MINUTE, &left_out));
        assert_false(pt_audit_rate_take(rate, 7, now + 900 * MINUTE, &left_out));
}

static void test_many_users_share_a_bucket(void **state)
{
        g_autoptr(PtAuditRate) rate = pt_audit_rate_new(1, MINUTE);
        uint64_t left_out, entries = 0;

        (void) state;
        for (uid_t uid = 1; uid <= 10000; uid++)
                entries += pt_audit_rate_take(rate, uid, 5, &left_out);
        assert_int_equal(entries, PT_AUDIT_RATE_USERS_MAX + 1);
        /* When they are quiet, their buckets are others'. */
        assert_true(pt_audit_rate_take(rate, 20000, 5 + MINUTE, &left_out));
        assert_int_equal(left_out, 0);
        assert_true(pt_audit_rate_take(rate, 20001, 5 + MINUTE, &left_out));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_entries, setup, unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_it_goes_on_after_a_restart, setup,
                                                unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_texts_are_cut_and_mended, setup,
                                                unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_torn_at_every_byte, setup,
                                                unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_tampered_at_every_byte, setup,
                                                unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_lines_removed_repeated_and_exchanged, setup,
                                                unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_rotation_carries_the_chain_over, setup,
                                                unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_old_files_go_by_count_and_age, setup,
                                                unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_old_files_go_by_age, setup,
                                                unit_store_teardown),
                cmocka_unit_test_setup_teardown(test_full_disk, setup, unit_store_teardown),
                cmocka_unit_test(test_a_flood_is_counted),
                cmocka_unit_test(test_many_users_share_a_bucket),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
