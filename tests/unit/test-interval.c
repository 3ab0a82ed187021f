/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/interval.h"
#include "unit.h"

#include <string.h>

/* Brute force over all one-byte values: the most specific interval that holds a value gives its
 * number. */
static void test_flatten_is_longest_match(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(7);

        for (unsigned round = 0; round < 2000; round++) {
                FwInterval intervals[12] = {0};
                uint32_t expected[256] = {0};
                int best[256];
                unsigned n = (unsigned) g_rand_int_range(rand, 0, 13);
                g_autoptr(GArray) flat = NULL;
                unsigned at = 0;

                memset(best, -1, sizeof(best));
                for (unsigned i = 0; i < n; i++) {
                        int plen = g_rand_int_range(rand, 0, 9),
                            value = g_rand_int_range(rand, 0, 256);
                        int mask = 0xff00 >> plen & 0xff;
                        bool taken = false;

                        for (unsigned k = 0; k < i; k++)
                                taken |= intervals[k].specificity == (uint32_t) plen &&
                                         intervals[k].lo[0] == (value & mask);
                        if (taken) { /* the kinds refuse the same prefix twice */
                                intervals[i] = intervals[--n];
                                i--;
                                continue;
                        }
                        intervals[i] =
                                (FwInterval){.specificity = (uint32_t) plen, .number = i % 5 + 1};
                        intervals[i].lo[0] = (uint8_t) (value & mask);
                        intervals[i].hi[0] = (uint8_t) (value | (~mask & 0xff));
                        for (int v = intervals[i].lo[0]; v <= intervals[i].hi[0]; v++)
                                if (plen > best[v]) {
                                        best[v] = plen;
                                        expected[v] = intervals[i].number;
                                }
                }
                flat = fw_interval_flatten(intervals, n, 1);
                for (unsigned i = 0; i < flat->len; i++) {
                        const FwInterval *interval = &g_array_index(flat, FwInterval, i);

                        assert_int_equal(interval->lo[0], at);
                        for (; at <= interval->hi[0]; at++)
                                assert_int_equal(interval->number, expected[at]);
                        if (i > 0)
                                assert_int_not_equal(interval->number,
                                                     g_array_index(flat, FwInterval, i - 1).number);
                }
                assert_int_equal(at, 256);
        }
}

static void test_interface_names(void **state)
{
        FwInterval list[3];
        g_autoptr(GArray) flat = NULL;
        static const struct {
                const char *name;
                uint32_t number;
        } cases[] = {{"eth0", 3}, {"eth1", 2}, {"eth", 2},   {"en0", 1},
                     {"e", 1},    {"lo", 0},   {"eth00", 2}, {"ethernet01234567", 2}};

        fw_interval_from_ifname("e*", &list[0]);
        fw_interval_from_ifname("eth*", &list[1]);
        fw_interval_from_ifname("eth0", &list[2]);
        for (unsigned i = 0; i < 3; i++)
                list[i].number = i + 1;
        flat = fw_interval_flatten(list, 3, 16);
        for (unsigned c = 0; c < G_N_ELEMENTS(cases); c++) {
                uint8_t name[16] = {0};
                bool found = false;

                memcpy(name, cases[c].name, MIN(strlen(cases[c].name), 16));
                for (unsigned i = 0; i < flat->len; i++) {
                        const FwInterval *interval = &g_array_index(flat, FwInterval, i);

                        if (memcmp(interval->lo, name, 16) <= 0 &&
                            memcmp(name, interval->hi, 16) <= 0) {
                                assert_int_equal(interval->number, cases[c].number);
                                found = true;
                        }
                }
                assert_true(found);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_flatten_is_longest_match),
                cmocka_unit_test(test_interface_names),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
