/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "drift.h"

#include "unit.h"

static void test_ring(void **state)
{
        g_autofree FwDriftLog *log = g_new0(FwDriftLog, 1);

        assert_null(fw_drift_get(log, 0));
        for (unsigned i = 1; i <= FW_DRIFTS_MAX + 10; i++) {
                g_autofree char *what = g_strdup_printf("chain-%u was touched", i);

                fw_drift_note(log, what, i, 2 * i);
                assert_string_equal(fw_drift_get(log, 0)->what, what);
                assert_int_equal(fw_drift_get(log, MIN(i, FW_DRIFTS_MAX) - 1)->time_usec,
                                 i > FW_DRIFTS_MAX ? i - FW_DRIFTS_MAX + 1 : 1);
                assert_null(fw_drift_get(log, MIN(i, FW_DRIFTS_MAX)));
        }
        assert_int_equal(log->total, FW_DRIFTS_MAX + 10);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ring),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
