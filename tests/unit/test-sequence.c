/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "sequence.h"
#include "unit.h"

/* The best that any choice of elements gives, by trying all. */
static unsigned best(const int *match, unsigned n)
{
        unsigned most = 0;

        for (unsigned set = 0; set < 1U << n; set++) {
                int last = -1;
                unsigned count = 0;
                bool good = true;

                for (unsigned i = 0; i < n && good; i++) {
                        if (!(set >> i & 1))
                                continue;
                        good = match[i] > last;
                        last = match[i];
                        count++;
                }
                if (good)
                        most = MAX(most, count);
        }
        return most;
}

static void test_keeps_a_longest_ascent(void **state)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(11);

        for (unsigned round = 0; round < 500; round++) {
                unsigned n = (unsigned) g_rand_int_range(rand, 0, 11), kept = 0;
                int match[10], last = -1;
                bool keep[10];

                for (unsigned i = 0; i < n; i++)
                        match[i] = -1;
                for (int old = 0; old < 10; old++) {
                        unsigned i = (unsigned) g_rand_int_range(rand, 0, 12);

                        if (i < n && match[i] < 0)
                                match[i] = old;
                }
                fw_sequence_keep(match, n, keep);
                for (unsigned i = 0; i < n; i++) {
                        if (!keep[i])
                                continue;
                        assert_true(match[i] > last);
                        last = match[i];
                        kept++;
                }
                assert_int_equal(kept, best(match, n));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_keeps_a_longest_ascent)};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
