/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "sequence.h"

/* Longest increasing subsequence by patience sorting, O(n log n). */
void fw_sequence_keep(const int *match, unsigned n, bool *keep)
{
        g_autofree unsigned *tail = g_new(
                unsigned, n + 1); /* tail[k]: last element of the best chain of length k + 1 */
        g_autofree int *previous = g_new(int, n + 1);
        unsigned len = 0;

        for (unsigned i = 0; i < n; i++) {
                unsigned lo = 0, hi = len;

                keep[i] = false;
                if (match[i] < 0)
                        continue;
                while (lo < hi) {
                        unsigned middle = lo + (hi - lo) / 2;

                        if (match[tail[middle]] < match[i])
                                lo = middle + 1;
                        else
                                hi = middle;
                }
                previous[i] = lo > 0 ? (int) tail[lo - 1] : -1;
                tail[lo] = i;
                len = MAX(len, lo + 1);
        }
        for (int i = len > 0 ? (int) tail[len - 1] : -1; i >= 0; i = previous[i])
                keep[i] = true;
}
