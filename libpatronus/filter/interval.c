/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/interval.h"

#include "kinds/firewall/dimension.h"

#include <net/if.h>
#include <string.h>

G_STATIC_ASSERT(IFNAMSIZ == FW_INTERVAL_KEY_MAX);

bool fw_interval_increment(uint8_t *bytes, size_t len)
{
        while (len-- > 0)
                if (++bytes[len] != 0)
                        return true;
        return false;
}

static bool decrement(uint8_t *bytes, size_t len)
{
        while (len-- > 0)
                if (bytes[len]-- != 0)
                        return true;
        return false;
}

/* By start; of two that start together the wider first, so that parents precede what they contain.
 */
static int compare(const void *a, const void *b)
{
        const FwInterval *x = a, *y = b;
        int r = memcmp(x->lo, y->lo, sizeof(x->lo));

        return r ?: (x->specificity > y->specificity) - (x->specificity < y->specificity);
}

/* Adds [from, hi] with a number, melting it into its neighbour when that has the same. */
static void put(GArray *out, const uint8_t *from, const uint8_t *hi, size_t len, uint32_t number)
{
        FwInterval *last = out->len > 0 ? &g_array_index(out, FwInterval, out->len - 1) : NULL;
        FwInterval next = {.number = number};

        if (memcmp(from, hi, len) > 0)
                return;
        if (last && last->number == number) {
                memcpy(last->hi, hi, len);
                return;
        }
        memcpy(next.lo, from, len);
        memcpy(next.hi, hi, len);
        g_array_append_val(out, next);
}

GArray *fw_interval_flatten(FwInterval *intervals, size_t n, size_t len)
{
        GArray *out = g_array_new(FALSE, FALSE, sizeof(FwInterval));
        g_autoptr(GArray) open = g_array_new(FALSE, FALSE, sizeof(FwInterval));
        FwInterval all = {0};
        uint8_t at[FW_INTERVAL_KEY_MAX] = {0}; /* first value not yet written */
        bool done = false;

        memset(all.hi, 0xff, len);
        g_array_append_val(open, all);
        if (n > 0) /* C11 7.22.5.2: never a null pointer */
                qsort(intervals, n, sizeof(*intervals), compare);

        for (size_t i = 0; i <= n; i++) {
                const uint8_t *start = i < n ? intervals[i].lo : NULL;

                /* Close what ends before the next one starts. */
                while (open->len > 0) {
                        const FwInterval *top = &g_array_index(open, FwInterval, open->len - 1);

                        if (start && memcmp(top->hi, start, len) >= 0)
                                break;
                        if (!done) {
                                put(out, at, top->hi, len, top->number);
                                if (memcmp(at, top->hi, len) <= 0) {
                                        memcpy(at, top->hi, len);
                                        done = !fw_interval_increment(at, len);
                                }
                        }
                        g_array_set_size(open, open->len - 1);
                }
                if (!start)
                        break;
                /* What encloses the next one reaches up to it. */
                if (memcmp(at, start, len) < 0) {
                        uint8_t before[FW_INTERVAL_KEY_MAX];

                        memcpy(before, start, len);
                        decrement(before, len);
                        put(out, at, before, len,
                            g_array_index(open, FwInterval, open->len - 1).number);
                        memcpy(at, start, len);
                }
                g_array_append_val(open, intervals[i]);
        }
        return out;
}

void fw_interval_from_ifname(const char *pattern, FwInterval *ret)
{
        size_t len = strlen(pattern);

        memset(ret, 0, sizeof(*ret));
        fw_ifname_interval(pattern, ret->lo, ret->hi);
        ret->specificity = g_str_has_suffix(pattern, "*") ? (uint32_t) len - 1 : IFNAMSIZ;
}

static int compare_bounds(const void *a, const void *b)
{
        return memcmp(a, b, FW_INTERVAL_KEY_MAX);
}

void fw_bounds_merge(GArray *bounds, size_t len)
{
        unsigned out = 0;

        g_array_sort(bounds, compare_bounds);
        for (unsigned i = 0; i < bounds->len; i++) {
                FwBounds next = g_array_index(bounds, FwBounds, i);
                FwBounds *last = out > 0 ? &g_array_index(bounds, FwBounds, out - 1) : NULL;
                uint8_t after[FW_INTERVAL_KEY_MAX];

                if (last)
                        memcpy(after, last->hi, sizeof(after));
                if (!last || (fw_interval_increment(after, len) && memcmp(next.lo, after, len) > 0))
                        g_array_index(bounds, FwBounds, out++) = next;
                else if (memcmp(next.hi, last->hi, len) > 0)
                        memcpy(last->hi, next.hi, sizeof(last->hi));
        }
        g_array_set_size(bounds, out);
}
