/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What all schedules of a slice say at one moment, and which rules that lets be in force. When one
 * is open is compared with another program (tests/golden/test_schedule_times.py). */

#include "filter/schedule.h"
#include "kind-unit.h"

#define SCHEDULE(name, spec)                                                                       \
        "{\"apiVersion\":\"patronus.firewall/"                                                     \
        "v1\",\"kind\":\"Schedule\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{" spec "}}"
/* Thursday, 1970-01-01 */
#define NOON (12 * 3600)

static PtSlice *slice_new(const char *const *texts)
{
        PtSlice *slice = pt_slice_new();

        for (; *texts; texts++) {
                g_autoptr(PtObject) object = unit_object(*texts);

                pt_object_seal(object);
                pt_slice_put(slice, object);
        }
        return slice;
}

static bool lets(const FwTimes *times, const char *spec)
{
        PtObject *rule = unit_object(spec);
        bool let = fw_times_let(times, (const FirewallRule *) rule);

        pt_object_unref(rule);
        return let;
}

#define TIMED(action, schedule)                                                                    \
        UNIT_RULE("r", "\"action\":\"" action "\",\"schedule\":\"" schedule "\"")

static void test_rules(void **state)
{
        static const char *const texts[] = {
                SCHEDULE("day", "\"timeZone\":\"UTC\",\"windows\":[{\"start\":\"08:00\",\"end\":"
                                "\"18:00\"}]"),
                SCHEDULE("night", "\"timeZone\":\"UTC\",\"windows\":[{\"start\":\"18:00\",\"end\":"
                                  "\"08:00\"}]"),
                SCHEDULE("nowhere", "\"timeZone\":\"Nowhere/Else\",\"windows\":[{\"start\":"
                                    "\"00:00\"}]"),
                NULL};
        g_autoptr(PtSlice) slice = slice_new(texts);
        g_autoptr(FwTimes) noon = fw_times_new(slice, NOON, true);
        g_autoptr(FwTimes) unsure = fw_times_new(slice, NOON, false);

        assert_int_equal(noon->until, 18 * 3600);
        assert_true(lets(noon, TIMED("allow", "day")) && lets(noon, TIMED("drop", "day")));
        assert_false(lets(noon, TIMED("allow", "night")) || lets(noon, TIMED("drop", "night")));
        assert_true(lets(noon, UNIT_RULE("r", "\"action\":\"allow\"")));
        /* whatever the time, what lets something pass is off and what does not is on */
        assert_false(lets(unsure, TIMED("allow", "day")) || lets(unsure, TIMED("allow", "night")));
        assert_false(lets(unsure, TIMED("continue", "day")));
        assert_true(lets(unsure, TIMED("drop", "day")) && lets(unsure, TIMED("reject", "night")));
        /* and so it is where the time zone is unknown */
        assert_false(lets(noon, TIMED("allow", "nowhere")));
        assert_true(lets(noon, TIMED("drop", "nowhere")));
        assert_true(g_hash_table_contains(noon->unknown, "nowhere"));
        /* nobody asks */
        assert_true(lets(NULL, TIMED("allow", "night")));
}

static void test_digest(void **state)
{
        static const uint8_t zero[8];
        static const char *const none[] = {NULL};
        static const char *const texts[] = {
                SCHEDULE("a", "\"timeZone\":\"UTC\",\"windows\":[{\"end\":\"12:00\"}]"), NULL};
        g_autoptr(PtSlice) empty = slice_new(none), slice = slice_new(texts);
        g_autoptr(FwTimes) nothing = fw_times_new(empty, NOON, true);
        g_autoptr(FwTimes) before = fw_times_new(slice, NOON - 1, true);
        g_autoptr(FwTimes) earlier = fw_times_new(slice, 0, true);
        g_autoptr(FwTimes) at = fw_times_new(slice, NOON, true);
        g_autoptr(FwTimes) unsure = fw_times_new(slice, NOON, false);

        assert_memory_equal(nothing->digest, zero, sizeof(zero));
        assert_int_equal(nothing->until, INT64_MAX);
        assert_memory_equal(before->digest, earlier->digest, sizeof(zero));
        assert_memory_not_equal(before->digest, at->digest, sizeof(zero));
        assert_memory_not_equal(at->digest, unsure->digest, sizeof(zero));
        assert_memory_not_equal(at->digest, zero, sizeof(zero));
        assert_int_equal(before->until, NOON);
        assert_int_equal(at->until, 86400);
}

/* Whether schedules say the same at a time that somebody asks about as when it has come. */
static void test_at(void **state)
{
        static const char *const texts[] = {
                SCHEDULE("day", "\"timeZone\":\"UTC\",\"windows\":[{\"start\":\"08:00\",\"end\":"
                                "\"18:00\"}]"),
                SCHEDULE("nowhere",
                         "\"timeZone\":\"Nowhere/Else\",\"windows\":[{\"start\":\"00:00\"}]"),
                NULL};
        g_autoptr(PtSlice) slice = slice_new(texts);
        g_autoptr(FwTimes) noon = fw_times_at(slice, NOON);
        g_autoptr(FwTimes) midnight = fw_times_at(slice, 0);

        assert_true(noon->trusted);
        assert_true(lets(noon, TIMED("allow", "day")) && !lets(midnight, TIMED("allow", "day")));
        assert_false(lets(noon, TIMED("allow", "nowhere")));
        assert_true(lets(noon, TIMED("drop", "nowhere")));
}

static void test_moments(void **state)
{
        const PtMoment day = {.date = {1970, 1, 2}, .second = 3661, .zoned = true};
        PtMoment east = day, local = day, last = day, first = {.date = {1970, 1, 1}, .zoned = true};

        east.offset = 90;
        local.zoned = false;
        last.date = (PtDate){9999, 12, 31};
        last.offset = -23 * 60;
        first.offset = 60;
        assert_int_equal(fw_moment_time(&day), 86400 + 3661);
        assert_int_equal(fw_moment_time(&east), 86400 + 3661 - 5400);
        assert_int_equal(fw_moment_time(&first), 0); /* before that there is no time */
        assert_int_equal(fw_moment_time(&last), FW_SCHEDULE_TIME_MAX); /* nor after that */
        assert_true(g_setenv("TZ", "UTC-5", true));                    /* five hours east */
        assert_int_equal(fw_moment_time(&local), 86400 + 3661 - 5 * 3600);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rules),
                cmocka_unit_test(test_digest),
                cmocka_unit_test(test_at),
                cmocka_unit_test(test_moments),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
