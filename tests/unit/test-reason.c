/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/reason.h"
#include "unit.h"

#include <string.h>

/* linux/netfilter/nf_log.h: NF_LOG_PREFIXLEN, with the NUL; the limit of nft's own. */
#define PREFIX_MAX 127

static void test_each_has_a_name_of_its_own(void **state)
{
        for (FwReason reason = 0; reason < FW_REASON_MAX; reason++) {
                const char *name = fw_reason_name(reason);

                assert_true(strlen(name) > 0 && strlen(fw_reason_text(reason)) > 0);
                assert_true(strlen(fw_reason_prefix(reason)) <= PREFIX_MAX);
                assert_string_equal(fw_reason_prefix(reason) + strlen("drop/"), name);
                assert_int_equal(fw_reason_find(name, strlen(name)), reason);
        }
}

static void test_what_is_no_name(void **state)
{
        assert_int_equal(fw_reason_find("", 0), FW_REASON_INVALID_NAME);
        assert_int_equal(fw_reason_find("no-zones", 8), FW_REASON_INVALID_NAME);
        assert_int_equal(fw_reason_find("no-zones", 7), FW_REASON_NO_ZONE);
        assert_int_equal(fw_reason_find("No-zone", 7), FW_REASON_INVALID_NAME);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_has_a_name_of_its_own),
                cmocka_unit_test(test_what_is_no_name),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
