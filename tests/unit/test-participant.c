/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "participant-unit.h"

/* Starting and reconciling, without a bus; the bus is test-bus-participant.c's. */

static void test_nothing_decided(void **state)
{
        UnitFixture *f = *state;

        assert_int_equal(unit_start(f, NULL), -ENOENT);
        assert_int_equal(pt_participant_revision(f->participant), 0);
        assert_int_equal(pt_slice_count(pt_participant_slice(f->participant), NULL), 0);
        assert_int_equal(unit_reconcile(f), 0);
        assert_int_equal(f->engine.plans, 0);
}

static void test_start_applies_what_is_decided(void **state)
{
        UnitFixture *f = *state;

        unit_commit(f->store, &f->decided, "a", 1);
        unit_commit(f->store, &f->decided, "b", 2);
        assert_int_equal(unit_start(f, NULL), 0);
        assert_int_equal(pt_participant_revision(f->participant), 2);
        assert_same_root(pt_participant_slice(f->participant), f->decided);
        assert_true(unit_has_file(f, "FirewallRule.a"));
        assert_true(unit_has_file(f, "FirewallRule.b"));
        assert_int_equal(f->engine.writes, 2);
        assert_int_equal(f->engine.verifies, 1);
        assert_false(pt_participant_busy(f->participant));
}

static void test_start_touches_nothing_that_is_in_force(void **state)
{
        UnitFixture *f = *state;

        unit_commit(f->store, &f->decided, "a", 1);
        assert_int_equal(unit_start(f, NULL), 0);
        assert_int_equal(unit_start(f, NULL), 0);
        assert_int_equal(f->engine.writes, 1);
        assert_int_equal(f->engine.commits, 2); /* the second one only adopts */
        assert_int_equal(pt_participant_revision(f->participant), 1);
}

static void test_start_catches_up(void **state)
{
        UnitFixture *f = *state;

        unit_commit(f->store, &f->decided, "a", 1);
        assert_int_equal(unit_start(f, NULL), 0);
        unit_commit(f->store, &f->decided, "b", 2); /* while it was down */
        assert_int_equal(unit_start(f, NULL), 0);
        assert_true(unit_has_file(f, "FirewallRule.b"));
        assert_int_equal(pt_participant_revision(f->participant), 2);
}

static void test_start_keeps_a_later_revision(void **state)
{
        UnitFixture *f = *state;
        PtDigest other = {.bytes = {1}};

        unit_commit(f->store, &f->decided, "a", 1);
        assert_int_equal(unit_start(f, NULL), 0);
        file_engine_mark(&f->engine, 2, &other);
        unit_remove_file(f, "FirewallRule.a");
        assert_int_equal(unit_start(f, NULL), 0);
        assert_int_equal(f->engine.plans, 1);
        assert_int_equal(pt_participant_revision(f->participant), 0);
        assert_int_equal(unit_reconcile(f), 0);
        assert_int_equal(f->engine.plans, 1);
        assert_false(unit_has_file(f, "FirewallRule.a"));

        /* Somebody removed what was there: better the decided one than nothing. */
        unit_remove_file(f, "marker");
        assert_int_equal(unit_reconcile(f), 0);
        assert_true(unit_has_file(f, "FirewallRule.a"));
        assert_int_equal(pt_participant_revision(f->participant), 1);
}

static void test_start_keeps_what_no_disk_knows(void **state)
{
        UnitFixture *f = *state;
        PtDigest other = {.bytes = {1}};

        file_engine_mark(&f->engine, 1, &other);
        assert_int_equal(unit_start(f, NULL), -ENOENT);
        assert_int_equal(unit_reconcile(f), 0);
        assert_int_equal(f->engine.plans, 0);
}

static void test_failure_is_said_and_tried_again(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        UnitFixture *f = *state;

        unit_commit(f->store, &f->decided, "a", 1);
        f->engine.fault = FILE_FAULT_COMMIT;
        assert_int_equal(unit_start(f, diag), -EIO);
        assert_int_equal(pt_diag_errors(diag), 1);
        assert_string_equal(pt_diag_get(diag, 0)->text, "the disk is on fire");
        assert_int_equal(pt_participant_revision(f->participant), 0);
        assert_int_equal(f->engine.aborts, 1);
        assert_false(pt_participant_busy(f->participant));

        f->engine.fault = FILE_FAULT_NONE;
        while (pt_participant_revision(f->participant) == 0)
                assert_return_code(sd_event_run(f->ctx.event, UINT64_MAX), 0);
        assert_true(unit_has_file(f, "FirewallRule.a"));
}

static void test_every_fault_of_a_start(void **state)
{
        static const FileFault faults[] = {FILE_FAULT_PLAN, FILE_FAULT_COMMIT, FILE_FAULT_VERIFY};
        UnitFixture *f = *state;

        unit_commit(f->store, &f->decided, "a", 1);
        for (size_t i = 0; i < G_N_ELEMENTS(faults); i++) {
                f->engine.later = !f->engine.later;
                f->engine.fault = faults[i];
                assert_true(unit_start(f, NULL) < 0);
                assert_int_equal(pt_participant_revision(f->participant), 0);
                assert_false(pt_participant_busy(f->participant));
        }
        f->engine.fault = FILE_FAULT_NONE;
        assert_int_equal(unit_reconcile(f), 0);
        assert_int_equal(pt_participant_revision(f->participant), 1);
}

static void test_engine_that_ends_later(void **state)
{
        UnitFixture *f = *state;

        f->engine.later = true;
        unit_commit(f->store, &f->decided, "a", 1);
        assert_int_equal(unit_start(f, NULL), 0);
        assert_true(unit_has_file(f, "FirewallRule.a"));
        unit_remove_file(f, "FirewallRule.a");
        assert_int_equal(unit_reconcile(f), 0);
        assert_true(unit_has_file(f, "FirewallRule.a"));
}

static int end_loop(sd_event_source *source, uint64_t usec, void *userdata)
{
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

static void test_start_ends_with_the_loop(void **state)
{
        UnitFixture *f = *state;

        f->engine.fault = FILE_FAULT_HANG;
        unit_commit(f->store, &f->decided, "a", 1);
        assert_return_code(sd_event_add_time_relative(f->ctx.event, NULL, CLOCK_MONOTONIC, 1000, 0,
                                                      end_loop, NULL),
                           0);
        assert_int_equal(unit_start(f, NULL), -ECANCELED);
        file_engine_release(&f->engine); /* even if it ends after all */
        assert_int_equal(pt_participant_revision(f->participant), 1);
}

static void test_damaged_disk(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        UnitFixture *f = *state;

        unit_commit(f->store, &f->decided, "a", 1);
        unit_commit(f->store, &f->decided, "b", 2);
        unit_write(f->state_dir, "revisions/2/filterd.ndjson", "x", 1);
        assert_int_equal(unit_start(f, diag), 0);
        assert_int_equal(pt_participant_revision(f->participant), 1);
        assert_true(unit_has_file(f, "FirewallRule.a"));
        assert_true(pt_diag_count(diag) > 0);
}

static void test_one_reconcile_serves_all_who_wait(void **state)
{
        int first = 1, second = 1;
        UnitFixture *f = *state;

        unit_commit(f->store, &f->decided, "a", 1);
        assert_int_equal(unit_start(f, NULL), 0);
        assert_return_code(pt_participant_reconcile(f->participant, unit_reconciled, &first), 0);
        assert_return_code(pt_participant_reconcile(f->participant, unit_reconciled, &second), 0);
        assert_return_code(pt_participant_reconcile(f->participant, NULL, NULL), 0);
        while (first == 1 || second == 1)
                assert_return_code(sd_event_run(f->ctx.event, UINT64_MAX), 0);
        assert_int_equal(f->engine.plans, 2);
}

#define TEST(name)                                                                                 \
        cmocka_unit_test_setup_teardown(name, unit_participant_setup, unit_participant_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_nothing_decided),
                TEST(test_start_applies_what_is_decided),
                TEST(test_start_touches_nothing_that_is_in_force),
                TEST(test_start_catches_up),
                TEST(test_start_keeps_a_later_revision),
                TEST(test_start_keeps_what_no_disk_knows),
                TEST(test_failure_is_said_and_tried_again),
                TEST(test_every_fault_of_a_start),
                TEST(test_engine_that_ends_later),
                TEST(test_start_ends_with_the_loop),
                TEST(test_damaged_disk),
                TEST(test_one_reconcile_serves_all_who_wait),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
