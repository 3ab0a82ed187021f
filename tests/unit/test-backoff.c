/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/backoff.h"
#include "unit.h"

static void count(void *userdata)
{
        unsigned *n = userdata;

        (*n)++;
}

static uint64_t run_once(sd_event *event, const unsigned *n)
{
        unsigned before = *n;
        uint64_t start;

        /* The loop's time, from which a delay counts: it stands still between two turns. */
        assert_return_code(sd_event_now(event, CLOCK_MONOTONIC, &start), 0);
        while (*n == before)
                assert_return_code(sd_event_run(event, UINT64_MAX), 0);
        return (uint64_t) g_get_monotonic_time() - start;
}

static void test_doubles_up_to_max(void **state)
{
        g_autoptr(PtBackoff) backoff = NULL;
        sd_event *event = NULL;
        unsigned n = 0;

        assert_return_code(sd_event_new(&event), 0);
        assert_return_code(pt_backoff_new(event, 1000, 5000, count, &n, &backoff), 0);
        for (unsigned i = 0; i < 4; i++) {
                static const uint64_t delays[] = {1000, 2000, 4000, 5000};

                assert_int_equal(pt_backoff_delay(backoff), delays[i]);
                assert_return_code(pt_backoff_arm(backoff), 0);
                assert_true(run_once(event, &n) >= delays[i]);
        }
        assert_int_equal(pt_backoff_delay(backoff), 5000);
        assert_int_equal(n, 4);
        pt_backoff_reset(backoff);
        assert_int_equal(pt_backoff_delay(backoff), 1000);
        g_clear_pointer(&backoff, pt_backoff_free);
        sd_event_unref(event);
}

static void test_reset_disarms(void **state)
{
        g_autoptr(PtBackoff) backoff = NULL;
        sd_event *event = NULL;
        unsigned n = 0;

        assert_return_code(sd_event_new(&event), 0);
        assert_return_code(pt_backoff_new(event, 1000, 1000, count, &n, &backoff), 0);
        assert_return_code(pt_backoff_arm(backoff), 0);
        pt_backoff_reset(backoff);
        assert_int_equal(sd_event_run(event, 5000), 0);
        assert_int_equal(n, 0);
        g_clear_pointer(&backoff, pt_backoff_free);
        sd_event_unref(event);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_doubles_up_to_max),
                cmocka_unit_test(test_reset_disarms),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
