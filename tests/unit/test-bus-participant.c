/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Transaction1 and Daemon1, over a real bus. */

#include "bus-participant-unit.h"
#include "event/backoff.h"
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>

/* ---- tests ------------------------------------------------------------------------------ */

static void test_transaction(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");
        char hex[PT_DIGEST_HEX + 1];
        sd_bus_message *reply;
        uint64_t usec = 0;
        const char *text;
        int empty = -1;

        reply = plan(t, 2, t->f->decided, wanted);
        assert_true(lookup(reply, "empty", "b", &empty));
        assert_false(empty);
        assert_true(lookup(reply, "commitUSec", "t", &usec));
        assert_int_equal(usec, 100);
        assert_true(lookup(reply, "guarantee", "s", &text));
        assert_string_equal(text, "compensated");
        assert_true(lookup(reply, "engine", "s", &text));
        assert_string_equal(text, "file");
        assert_false(lookup(reply, "cuts", "b", &empty)); /* nobody asked */
        assert_false(lookup(reply, "cutsWhy", "s", &text));
        assert_true(lookup(reply, "impact", "s", &text));
        assert_string_equal(text, pt_impact_to_string(PT_IMPACT_LIVE));
        assert_true(lookup(reply, "root", "s", &text));
        unit_root_hex(wanted, hex);
        assert_string_equal(text, hex);
        sd_bus_message_unref(reply);
        assert_false(unit_has_file(t->f, "FirewallRule.b"));

        assert_ok(step(t, "Prepare", 2));
        assert_int_equal(t->f->engine.prepares, 1);
        assert_int_equal(pt_participant_revision(t->f->participant), 1);
        reply = step(t, "Commit", 2);
        assert_true(lookup(reply, "engineUSec", "t", &usec));
        assert_true(usec < 10 * PT_USEC_PER_SEC);
        sd_bus_message_unref(reply);
        assert_true(unit_has_file(t->f, "FirewallRule.b"));
        assert_int_equal(pt_participant_revision(t->f->participant), 2);
        assert_same_root(pt_participant_slice(t->f->participant), wanted);
        assert_true(pt_participant_busy(t->f->participant));
        assert_verified(step(t, "Verify", 2), true);
        assert_false(pt_participant_busy(t->f->participant));
        assert_int_equal(t->f->engine.aborts, 0);

        /* And without Prepare, back again: the last agent. */
        assert_ok(plan(t, 3, wanted, t->f->decided));
        assert_ok(step(t, "Commit", 3));
        assert_verified(step(t, "Verify", 3), true);
        assert_false(unit_has_file(t->f, "FirewallRule.b"));
        assert_int_equal(t->f->engine.prepares, 1);
}

static void test_steps_that_end_later(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");

        t->f->engine.later = true;
        assert_ok(plan(t, 2, t->f->decided, wanted));
        assert_ok(step(t, "Prepare", 2));
        assert_ok(step(t, "Commit", 2));
        assert_verified(step(t, "Verify", 2), true);
        assert_true(unit_has_file(t->f, "FirewallRule.b"));
}

/* Plan with an administrator. */
static sd_bus_message *ask_cuts(Test *t, const PtSlice *wanted, const char *type, ...)
{
        pt_auto_message *m = new_call(t, t->client, TRANSACTION, "Plan");
        pt_auto_fd int fd = memfd_of(t->f->decided, wanted);
        sd_bus_message *reply;
        va_list values;

        assert_return_code(sd_bus_message_append(m, "th", UINT64_C(2), fd), 0);
        assert_return_code(sd_bus_message_open_container(m, 'a', "{sv}"), 0);
        assert_return_code(sd_bus_message_append(m, "{sv}", "younger", "au", 1, 5), 0);
        assert_return_code(sd_bus_message_open_container(m, 'e', "sv"), 0);
        assert_return_code(sd_bus_message_append(m, "s", "administrator"), 0);
        assert_return_code(sd_bus_message_open_container(m, 'v', type), 0);
        va_start(values, type);
        assert_return_code(sd_bus_message_appendv(m, type, values), 0);
        va_end(values);
        for (unsigned i = 0; i < 3; i++)
                assert_return_code(sd_bus_message_close_container(m), 0);
        send_call(t->client, m, &reply);
        await(t, &reply);
        return reply;
}

/* Plan with what it is asked beside; the transaction is given up. */
static sd_bus_message *ask_review(Test *t, const PtSlice *wanted, bool analyze, const char *tests)
{
        pt_auto_message *m = new_call(t, t->client, TRANSACTION, "Plan");
        pt_auto_fd int fd = memfd_of(t->f->decided, wanted);
        sd_bus_message *reply;

        assert_return_code(sd_bus_message_append(m, "tha{sv}", UINT64_C(2), fd, 2, "analyze", "b",
                                                 analyze, "tests", "s", tests),
                           0);
        send_call(t->client, m, &reply);
        await(t, &reply);
        return reply;
}

static void test_review(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");
        sd_bus_message *reply;
        int partial = 0;

        reply = ask_review(t, wanted, true, "refuse");
        assert_true(lookup(reply, "differencePartial", "b", &partial));
        assert_true(partial);
        sd_bus_message_unref(reply);
        reply = ask_review(t, wanted, false, "refuse"); /* nobody asked for an analysis */
        assert_false(lookup(reply, "differencePartial", "b", &partial));
        sd_bus_message_unref(reply);

        t->f->engine.expected = "c";
        assert_refused(ask_review(t, wanted, false, "refuse"), "Invalid");
        assert_false(pt_participant_busy(t->f->participant));
        assert_ok(ask_review(t, wanted, false, "warn"));
        assert_true(pt_participant_busy(t->f->participant));
        assert_ok(plan(t, 2, t->f->decided, wanted)); /* what repairs asks nobody */
        t->f->engine.expected = "b";
        assert_ok(ask_review(t, wanted, false, "refuse"));
        assert_refused(ask_review(t, wanted, false, "maybe"), "Invalid");
}

static void test_cuts(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");
        sd_bus_message *reply;
        const char *why;
        int cuts;

        reply = ask_cuts(t, wanted, "s", "192.0.2.7 51234 192.0.2.1 22");
        assert_true(lookup(reply, "cuts", "b", &cuts));
        assert_false(cuts);
        assert_true(lookup(reply, "cutsWhy", "s", &why));
        assert_string_equal(why, "");
        sd_bus_message_unref(reply);

        t->f->engine.cut = "192.0.2.7 ";
        reply = ask_cuts(t, wanted, "s", "192.0.2.7 51234 192.0.2.1 22");
        assert_true(lookup(reply, "cuts", "b", &cuts));
        assert_true(cuts);
        assert_true(lookup(reply, "cutsWhy", "s", &why));
        assert_string_equal(why, "no file is for 192.0.2.7 51234 192.0.2.1 22");
        sd_bus_message_unref(reply);
        reply = ask_cuts(t, wanted, "s", "192.0.2.8 51234 192.0.2.1 22");
        assert_true(lookup(reply, "cuts", "b", &cuts));
        assert_false(cuts);
        sd_bus_message_unref(reply);

        t->f->engine.cut = ""; /* it cannot say */
        reply = ask_cuts(t, wanted, "s", "192.0.2.7 51234 192.0.2.1 22");
        assert_false(lookup(reply, "cuts", "b", &cuts));
        assert_true(lookup(reply, "cutsWhy", "s", &why));
        assert_true(*why);
        sd_bus_message_unref(reply);

        assert_refused(ask_cuts(t, wanted, "s", "192.0.2.7"), "Invalid");
        assert_refused(ask_cuts(t, wanted, "u", 22), "Invalid");
}

static void test_slices(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b"), more = with_rule(wanted, "c");
        pt_auto_fd int loose = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        pt_auto_fd int none = pt_memfd_new_sealed("test", "", 0);
        pt_auto_fd int rubbish = pt_memfd_new_sealed("test", "{}\n", 3);
        sd_bus_message *reply;

        assert_refused(plan(t, 2, wanted, more), "NeedFull");
        send_plan_fd(t, t->client, 2, loose, &reply);
        await(t, &reply);
        assert_refused(reply, "Invalid");
        send_plan_fd(t, t->client, 2, none, &reply);
        await(t, &reply);
        assert_refused(reply, "Damaged");
        send_plan_fd(t, t->client, 2, rubbish, &reply);
        await(t, &reply);
        assert_refused(reply, "Damaged");
        assert_false(pt_participant_busy(t->f->participant));

        assert_ok(plan(t, 2, NULL, more));
        assert_ok(step(t, "Commit", 2));
        assert_true(unit_has_file(t->f, "FirewallRule.c"));
}

static void test_order(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");

        assert_refused(step(t, "Prepare", 2), "NotFound");
        assert_refused(step(t, "Commit", 2), "NotFound");
        assert_refused(step(t, "Verify", 2), "NotFound");
        assert_ok(step(t, "Abort", 2));

        assert_ok(plan(t, 2, t->f->decided, wanted));
        assert_refused(step(t, "Commit", 3), "NotFound");
        assert_refused(step(t, "Verify", 2), "Invalid");
        assert_ok(step(t, "Prepare", 2));
        assert_refused(step(t, "Prepare", 2), "Invalid");
        assert_ok(step(t, "Abort", 3)); /* not the one that there is */
        assert_ok(step(t, "Commit", 2));
        assert_refused(step(t, "Commit", 2), "Invalid");
        assert_refused(step(t, "Prepare", 2), "Invalid");
        assert_verified(step(t, "Verify", 2), true);
        assert_refused(step(t, "Verify", 2), "NotFound");
}

static void test_abort(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");

        assert_ok(plan(t, 2, t->f->decided, wanted));
        assert_ok(step(t, "Abort", 2));
        assert_int_equal(t->f->engine.aborts, 1);
        assert_ok(plan(t, 3, t->f->decided, wanted));
        assert_ok(step(t, "Prepare", 3));
        assert_ok(step(t, "Abort", 3));
        assert_int_equal(t->f->engine.aborts, 2);
        assert_false(pt_participant_busy(t->f->participant));

        /* A Plan replaces one that waits. */
        assert_ok(plan(t, 4, t->f->decided, wanted));
        assert_ok(plan(t, 5, t->f->decided, wanted));
        assert_int_equal(t->f->engine.aborts, 3);
        assert_refused(step(t, "Commit", 4), "NotFound");
        assert_ok(step(t, "Commit", 5));
        assert_int_equal(t->f->engine.alive, 1);
}

static void test_abort_while_a_step_runs(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");
        sd_bus_message *prepare;

        assert_ok(plan(t, 2, t->f->decided, wanted));
        t->f->engine.fault = FILE_FAULT_HANG;
        send_step(t, t->client, "Prepare", 2, &prepare);
        while (!t->f->engine.held)
                assert_return_code(sd_event_run(t->f->ctx.event, UINT64_MAX), 0);
        assert_refused(step(t, "Commit", 2), "Busy");
        assert_refused(plan(t, 3, t->f->decided, wanted), "Busy");
        assert_ok(step(t, "Abort", 2));
        assert_int_equal(t->f->engine.aborts, 0);
        file_engine_release(&t->f->engine);
        await(t, &prepare);
        assert_ok(prepare);
        assert_int_equal(t->f->engine.aborts, 1);
        assert_refused(step(t, "Commit", 2), "NotFound");
}

static void test_refusals_carry_diagnostics(void **state)
{
        Test *t = *state;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");
        sd_bus_message *reply;

        t->f->engine.fault = FILE_FAULT_PLAN;
        reply = plan(t, 2, t->f->decided, wanted);
        assert_return_code(pt_bus_read_refusal(reply, diag), 0);
        assert_int_equal(pt_diag_count(diag), 1);
        assert_string_equal(pt_diag_get(diag, 0)->subject, "Zone/lan");
        assert_string_equal(pt_diag_get(diag, 0)->pointer, "/spec/interfaces/0");
        assert_refused(reply, "Invalid");
        assert_false(pt_participant_busy(t->f->participant));

        t->f->engine.fault = FILE_FAULT_PREPARE;
        assert_ok(plan(t, 3, t->f->decided, wanted));
        assert_refused(step(t, "Prepare", 3), "Invalid");
        assert_int_equal(t->f->engine.aborts, 1);
        assert_false(pt_participant_busy(t->f->participant));

        t->f->engine.fault = FILE_FAULT_COMMIT;
        assert_ok(plan(t, 4, t->f->decided, wanted));
        assert_refused(step(t, "Commit", 4), "Failed");
        assert_int_equal(t->f->engine.aborts, 2);
        assert_same_root(pt_participant_slice(t->f->participant), t->f->decided);
        assert_int_equal(pt_participant_revision(t->f->participant), 1);

        t->f->engine.fault = FILE_FAULT_VERIFY;
        assert_ok(plan(t, 5, t->f->decided, wanted));
        assert_ok(step(t, "Commit", 5));
        assert_verified(step(t, "Verify", 5), false);
        t->f->engine.fault = FILE_FAULT_NONE;
        assert_verified(step(t, "Verify", 5), true);
}

static void test_caller_that_vanishes(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");
        sd_bus *other = connect_to_loop(t->f->ctx.event);
        sd_bus_message *reply;

        send_plan(t, other, 2, t->f->decided, wanted, &reply);
        await(t, &reply);
        assert_ok(reply);
        assert_refused(plan(t, 3, t->f->decided, wanted), "Busy");
        assert_refused(step(t, "Commit", 2), "Busy");
        assert_refused(step(t, "Abort", 2), "Busy");
        close_bus(&other);
        while (pt_participant_busy(t->f->participant))
                assert_return_code(sd_event_run(t->f->ctx.event, UINT64_MAX), 0);
        assert_int_equal(t->f->engine.aborts, 1);

        /* In the middle of a commit: that goes on, and is not verified. */
        other = connect_to_loop(t->f->ctx.event);
        send_plan(t, other, 4, t->f->decided, wanted, &reply);
        await(t, &reply);
        assert_ok(reply);
        t->f->engine.fault = FILE_FAULT_HANG;
        send_step(t, other, "Commit", 4, &reply);
        while (!t->f->engine.held)
                assert_return_code(sd_event_run(t->f->ctx.event, UINT64_MAX), 0);
        close_bus(&other);
        assert_refused(plan(t, 5, t->f->decided, wanted), "Busy");
        file_engine_release(&t->f->engine);
        assert_int_equal(pt_participant_revision(t->f->participant), 4);
        assert_int_equal(t->f->engine.aborts, 1);
        while (pt_participant_busy(t->f->participant))
                assert_return_code(sd_event_run(t->f->ctx.event, UINT64_MAX), 0);
        assert_ok(plan(t, 5, wanted, t->f->decided));
}

static void test_bus_that_is_lost(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");

        assert_ok(plan(t, 2, t->f->decided, wanted));
        close_bus(&t->client);
        close_bus(&t->service);
        g_clear_pointer(&t->name, g_free);
        assert_int_equal(unit_reconcile(t->f), 0); /* it works without */

        connect_service(t);
        t->client = connect_to_loop(t->f->ctx.event);
        assert_int_equal(t->f->engine.aborts, 1);
        assert_ok(plan(t, 2, t->f->decided, wanted));
        assert_ok(step(t, "Commit", 2));
}

static void test_bus_lost_in_a_commit(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");
        sd_bus_message *reply;

        assert_ok(plan(t, 2, t->f->decided, wanted));
        t->f->engine.fault = FILE_FAULT_HANG;
        send_step(t, t->client, "Commit", 2, &reply);
        while (!t->f->engine.held)
                assert_return_code(sd_event_run(t->f->ctx.event, UINT64_MAX), 0);
        close_bus(&t->service);
        g_clear_pointer(&t->name, g_free);
        await(t, &reply); /* the bus says that there will be none */
        sd_bus_message_unref(reply);
        connect_service(t);
        file_engine_release(&t->f->engine);
        assert_int_equal(pt_participant_revision(t->f->participant), 2);
        assert_false(pt_participant_busy(t->f->participant));
}

static void test_reconcile_overtakes_a_plan(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");

        assert_ok(plan(t, 2, t->f->decided, wanted));
        unit_remove_file(t->f, "FirewallRule.a");
        assert_int_equal(unit_reconcile(t->f), 0);
        assert_true(unit_has_file(t->f, "FirewallRule.a"));
        assert_int_equal(t->f->engine.aborts, 1);
        assert_refused(step(t, "Commit", 2), "Conflict");
        assert_ok(plan(t, 2, t->f->decided, wanted));
        assert_ok(step(t, "Commit", 2));
}

static void test_reconcile_waits_for_a_commit(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");
        sd_bus_message *reply;
        int result = 1;

        assert_ok(plan(t, 2, t->f->decided, wanted));
        t->f->engine.fault = FILE_FAULT_HANG;
        send_step(t, t->client, "Commit", 2, &reply);
        while (!t->f->engine.held)
                assert_return_code(sd_event_run(t->f->ctx.event, UINT64_MAX), 0);
        assert_return_code(pt_participant_reconcile(t->f->participant, unit_reconciled, &result),
                           0);
        file_engine_release(&t->f->engine);
        await(t, &reply);
        assert_ok(reply);
        assert_verified(step(t, "Verify", 2), true);
        while (result == 1)
                assert_return_code(sd_event_run(t->f->ctx.event, UINT64_MAX), 0);
        assert_int_equal(result, 0);
        assert_same_root(pt_participant_slice(t->f->participant), wanted);
        assert_true(unit_has_file(t->f, "FirewallRule.b"));
}

/* Committed, and damaged before it is verified: it is mended at once, and is still to be verified. */
static void test_reconcile_mends_what_was_committed(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b"), more = with_rule(wanted, "c");
        sd_bus_message *reply;

        assert_ok(plan(t, 2, t->f->decided, wanted));
        assert_ok(step(t, "Commit", 2));
        unit_remove_file(t->f, "FirewallRule.b");
        assert_int_equal(unit_reconcile(t->f), 0);
        assert_true(unit_has_file(t->f, "FirewallRule.b"));
        assert_true(pt_participant_busy(t->f->participant));
        assert_verified(step(t, "Verify", 2), true);
        assert_false(pt_participant_busy(t->f->participant));

        /* Nobody verifies while that is under way, and who gives up or plans anew ends it. */
        assert_ok(plan(t, 3, wanted, more));
        assert_ok(step(t, "Commit", 3));
        for (unsigned i = 0; i < 2; i++) {
                t->f->engine.fault = FILE_FAULT_HANG;
                unit_remove_file(t->f, "FirewallRule.c");
                assert_return_code(pt_participant_reconcile(t->f->participant, NULL, NULL), 0);
                while (!t->f->engine.held)
                        assert_return_code(sd_event_run(t->f->ctx.event, UINT64_MAX), 0);
                assert_refused(step(t, "Verify", 3), "Busy");
                if (i == 0) {
                        assert_ok(step(t, "Abort", 3));
                        file_engine_release(&t->f->engine);
                        assert_refused(step(t, "Verify", 3), "NotFound");
                        assert_ok(plan(t, 3, more, more));
                        assert_ok(step(t, "Commit", 3));
                } else {
                        send_plan(t, t->client, 4, more, wanted, &reply);
                        assert_refused(step(t, "Verify", 3), "Busy");
                        file_engine_release(&t->f->engine);
                        await(t, &reply);
                        assert_ok(reply);
                        assert_ok(step(t, "Commit", 4));
                        assert_verified(step(t, "Verify", 4), true);
                }
        }
}

/* What cannot be mended is not verified either. */
static void test_reconcile_fails_to_mend(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");

        assert_ok(plan(t, 2, t->f->decided, wanted));
        assert_ok(step(t, "Commit", 2));
        unit_remove_file(t->f, "FirewallRule.b");
        t->f->engine.fault = FILE_FAULT_COMMIT;
        assert_int_not_equal(unit_reconcile(t->f), 0);
        assert_refused(step(t, "Verify", 2), "NotFound");
}

static void test_plan_waits_for_a_reconcile(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");
        sd_bus *other = connect_to_loop(t->f->ctx.event);
        sd_bus_message *reply, *second;

        t->f->engine.fault = FILE_FAULT_HANG;
        assert_return_code(pt_participant_reconcile(t->f->participant, NULL, NULL), 0);
        send_plan(t, t->client, 2, t->f->decided, wanted, &reply);
        /* Refused because the other one waits: then that has arrived. */
        do {
                send_plan(t, other, 3, t->f->decided, wanted, &second);
                await(t, &second);
        } while (sd_bus_message_is_method_error(second, NULL) == 0);
        assert_refused(second, "Busy");
        assert_null(reply);
        file_engine_release(&t->f->engine);
        await(t, &reply);
        assert_ok(reply);
        assert_ok(step(t, "Commit", 2));
        close_bus(&other);
}

static void test_plan_lets_a_reconcile_go_first(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b"), more = with_rule(wanted, "c");
        int result = 1;

        /* Committed, never to be verified, and something to repair. */
        assert_ok(plan(t, 2, t->f->decided, wanted));
        assert_ok(step(t, "Commit", 2));
        assert_return_code(pt_participant_reconcile(t->f->participant, unit_reconciled, &result),
                           0);
        assert_ok(plan(t, 3, wanted, more));
        assert_int_equal(result, 0);
        assert_ok(step(t, "Commit", 3));
        assert_true(unit_has_file(t->f, "FirewallRule.c"));
}

/* Calls as another user, from a child; true if the call was let through to its own checks. */
static bool allowed_for(Test *t, uid_t uid, const char *member)
{
        int status;
        pid_t pid;

        pid = fork();
        assert_return_code(pid, errno);
        if (pid == 0) {
                pt_auto_error error = SD_BUS_ERROR_NULL;
                sd_bus *client;

                (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (setresuid(uid, uid, uid) < 0)
                        _exit(2);
                client = private_bus_connect(&bus);
                if (g_str_equal(member, "GetState"))
                        (void) sd_bus_call_method(client, t->name, PATH, TRANSACTION, member,
                                                  &error, NULL, "");
                else if (g_str_equal(member, "Plan"))
                        (void) sd_bus_call_method(client, t->name, PATH, TRANSACTION, member,
                                                  &error, NULL, "tha{sv}", UINT64_C(2),
                                                  memfd_of(NULL, t->f->decided), 0);
                else
                        (void) sd_bus_call_method(client, t->name, PATH, TRANSACTION, member,
                                                  &error, NULL, "t", UINT64_C(7));
                _exit(sd_bus_error_has_name(&error, PT_ERROR_PREFIX "NotAuthorized") ? 1 : 0);
        }
        while (waitpid(pid, &status, WNOHANG) == 0)
                assert_return_code(sd_event_run(t->f->ctx.event, 10000), 0);
        assert_true(WIFEXITED(status));
        assert_true(WEXITSTATUS(status) <= 1);
        return WEXITSTATUS(status) == 0;
}

static void test_who_may_call(void **state)
{
        static const char *const members[] = {"Plan",   "Prepare", "Commit",
                                              "Verify", "Abort",   "GetState"};
        Test *t = *state;

        if (geteuid() != 0)
                skip(); /* other uids take root */
        for (size_t i = 0; i < G_N_ELEMENTS(members); i++) {
                assert_true(allowed_for(t, 0, members[i]));
                assert_true(allowed_for(t, OWNER_UID, members[i]));
                assert_false(allowed_for(t, OTHER_UID, members[i]));
        }
}

static sd_bus_message *get_state(Test *t)
{
        pt_auto_message *m = new_call(t, t->client, TRANSACTION, "GetState");
        sd_bus_message *reply;

        send_call(t->client, m, &reply);
        await(t, &reply);
        return reply;
}

static void assert_state(Test *t, uint64_t revision, const PtSlice *slice, uint64_t marker)
{
        pt_auto_message *reply = get_state(t);
        char hex[PT_DIGEST_HEX + 1];
        uint64_t number = 99;
        const char *text;

        assert_true(lookup(reply, "revision", "t", &number));
        assert_int_equal(number, revision);
        assert_int_equal(lookup(reply, "root", "s", &text), slice != NULL);
        if (slice) {
                unit_root_hex(slice, hex);
                assert_string_equal(text, hex);
        }
        assert_int_equal(lookup(reply, "markerRevision", "t", &number), marker > 0);
        if (marker > 0)
                assert_int_equal(number, marker);
        assert_int_equal(lookup(reply, "markerRoot", "s", &text), marker > 0);
}

static void assert_daemon_state(Test *t, const char *expected)
{
        pt_auto_message *m = new_call(t, t->client, "org.freedesktop.DBus.Properties", "Get");
        sd_bus_message *reply;
        const char *text;

        assert_return_code(sd_bus_message_append(m, "ss", DAEMON, "State"), 0);
        send_call(t->client, m, &reply);
        await(t, &reply);
        assert_return_code(sd_bus_message_read(reply, "v", "s", &text), 0);
        assert_string_equal(text, expected);
        sd_bus_message_unref(reply);
}

static void test_state(void **state)
{
        Test *t = *state;
        g_autoptr(PtSlice) wanted = with_rule(t->f->decided, "b");
        PtDigest other = {.bytes = {1}};

        assert_state(t, 1, t->f->decided, 1);
        assert_daemon_state(t, "running");
        assert_ok(plan(t, 2, t->f->decided, wanted));
        assert_daemon_state(t, "busy");
        assert_ok(step(t, "Abort", 2));

        /* Undecided: what is there is another one's, until configd commits. */
        file_engine_mark(&t->f->engine, 9, &other);
        close_bus(&t->service);
        g_clear_pointer(&t->name, g_free);
        assert_int_equal(unit_start(t->f, NULL), 0);
        connect_service(t);
        assert_state(t, 0, NULL, 9);
        assert_daemon_state(t, "degraded");
        assert_ok(plan(t, 9, NULL, wanted));
        assert_ok(step(t, "Commit", 9));
        assert_verified(step(t, "Verify", 9), true);
        assert_state(t, 9, wanted, 9);
        assert_daemon_state(t, "running");

        /* Not in force, and said so. */
        t->f->engine.fault = FILE_FAULT_COMMIT;
        unit_remove_file(t->f, "marker");
        assert_int_equal(unit_reconcile(t->f), -EIO);
        assert_state(t, 0, NULL, 0);
        assert_daemon_state(t, "degraded");
}

static int count_changes(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        unsigned *n = userdata;

        (*n)++;
        return 0;
}

static sd_bus_message *ask_daemon(Test *t, const char *member, const char *argument)
{
        pt_auto_message *m = new_call(t, t->client, DAEMON, member);
        sd_bus_message *reply;

        assert_return_code(sd_bus_message_append(m, "s", argument), 0);
        send_call(t->client, m, &reply);
        await(t, &reply);
        return reply;
}

static void assert_tells(sd_bus_message *reply, const char *part)
{
        const char *text;

        assert_return_code(sd_bus_message_read(reply, "s", &text), 0);
        assert_non_null(strstr(text, part));
        sd_bus_message_unref(reply);
}

static void test_daemon_interface(void **state)
{
        Test *t = *state;
        pt_auto_message *all = NULL;
        unsigned changes = 0;
        sd_bus_message *reply;

        assert_tells(ask_daemon(t, "GetSchema", "Zone"), "interfaces");
        assert_tells(ask_daemon(t, "GetSchema", ""), "FirewallRule");
        assert_refused(ask_daemon(t, "GetSchema", "Nonsense"), "NotFound");
        assert_tells(ask_daemon(t, "Describe", "Zone.interfaces"), "interfaces");
        assert_refused(ask_daemon(t, "Describe", "Zone.nonsense"), "NotFound");

        all = new_call(t, t->client, "org.freedesktop.DBus.Properties", "GetAll");
        assert_return_code(sd_bus_message_append(all, "s", DAEMON), 0);
        send_call(t->client, all, &reply);
        await(t, &reply);
        assert_ok(reply);

        assert_return_code(sd_bus_match_signal(t->client, NULL, t->name, PATH,
                                               "org.freedesktop.DBus.Properties",
                                               "PropertiesChanged", count_changes, &changes),
                           0);
        pt_participant_set_condition(t->f->participant, "Pending", "eth9 is not there yet");
        while (changes == 0)
                assert_return_code(sd_event_run(t->f->ctx.event, UINT64_MAX), 0);
        assert_daemon_state(t, "running"); /* a condition is not an error */
        pt_participant_set_condition(t->f->participant, "Pending", "eth9 is not there yet");
        pt_participant_set_condition(t->f->participant, "Pending", NULL);
        while (changes < 2)
                assert_return_code(sd_event_run(t->f->ctx.event, UINT64_MAX), 0);
        assert_daemon_state(t, "running");
        assert_int_equal(changes, 2); /* nothing was said when nothing had changed */
}

static int start_bus(void **state)
{
        private_bus_init(&bus);
        private_bus_start(&bus);
        return 0;
}

static int end_bus(void **state)
{
        private_bus_done(&bus);
        return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_transaction),
                TEST(test_steps_that_end_later),
                TEST(test_cuts),
                TEST(test_review),
                TEST(test_slices),
                TEST(test_order),
                TEST(test_abort),
                TEST(test_abort_while_a_step_runs),
                TEST(test_refusals_carry_diagnostics),
                TEST(test_caller_that_vanishes),
                TEST(test_bus_that_is_lost),
                TEST(test_bus_lost_in_a_commit),
                TEST(test_reconcile_overtakes_a_plan),
                TEST(test_reconcile_waits_for_a_commit),
                TEST(test_reconcile_mends_what_was_committed),
                TEST(test_reconcile_fails_to_mend),
                TEST(test_plan_waits_for_a_reconcile),
                TEST(test_plan_lets_a_reconcile_go_first),
                TEST(test_who_may_call),
                TEST(test_state),
                TEST(test_daemon_interface),
        };

        return cmocka_run_group_tests(tests, start_bus, end_bus);
}
