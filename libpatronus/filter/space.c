/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "space.h"

#include "kinds/firewall/firewall.h"

#include <string.h>

FwSpace *fw_space_new(GPtrArray *zones)
{
        FwSpace *space = g_new0(FwSpace, 1);

        space->zones = zones;
        space->starts = g_array_new(FALSE, FALSE, sizeof(FwNumber));
        space->starts6 = g_array_new(FALSE, FALSE, sizeof(FwNumber));
        space->known = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
        space->conditions = g_ptr_array_new_with_free_func(g_free);
        return space;
}

void fw_space_free(FwSpace *space)
{
        if (!space)
                return;
        g_ptr_array_unref(space->zones);
        g_array_unref(space->starts);
        g_array_unref(space->starts6);
        g_hash_table_unref(space->known);
        g_ptr_array_unref(space->conditions);
        g_free(space);
}

static FwNumber last_address(int family)
{
        return fw_number_max(family == AF_INET ? 4 : 16);
}

/* Addresses. */

void fw_space_note(FwSpace *space, int family, const FwSpan *span)
{
        GArray *starts = family == AF_INET ? space->starts : space->starts6;
        FwNumber after = span->hi + 1;

        g_array_append_val(starts, span->lo);
        if (span->hi != last_address(family))
                g_array_append_val(starts, after);
}

static int compare_numbers(const void *a, const void *b)
{
        FwNumber x = *(const FwNumber *) a, y = *(const FwNumber *) b;

        return (x > y) - (x < y);
}

/* Ascending, each once, beginning with zero. */
static void settle(GArray *starts)
{
        FwNumber zero = 0;
        unsigned out = 0;

        g_array_append_val(starts, zero);
        g_array_sort(starts, compare_numbers);
        for (unsigned i = 0; i < starts->len; i++) {
                FwNumber next = g_array_index(starts, FwNumber, i);

                if (out == 0 || g_array_index(starts, FwNumber, out - 1) != next)
                        g_array_index(starts, FwNumber, out++) = next;
        }
        g_array_set_size(starts, out);
}

void fw_space_settle(FwSpace *space)
{
        settle(space->starts);
        settle(space->starts6);
        space->n4 = space->starts->len;
        g_array_append_vals(space->starts, space->starts6->data, space->starts6->len);
        g_array_set_size(space->starts6, 0);
}

/* The place that begins with the number, or the one that it lies in. */
static uint32_t find_place(const FwSpace *space, int family, FwNumber number)
{
        uint32_t lo = family == AF_INET ? 0 : space->n4;
        uint32_t hi = family == AF_INET ? space->n4 : space->starts->len;

        while (hi - lo > 1) {
                uint32_t middle = lo + (hi - lo) / 2;

                if (g_array_index(space->starts, FwNumber, middle) <= number)
                        lo = middle;
                else
                        hi = middle;
        }
        return lo;
}

static FwNumber last_of(const FwSpace *space, uint32_t place)
{
        if (place + 1 == space->n4)
                return last_address(AF_INET);
        if (place + 1 == space->starts->len)
                return last_address(AF_INET6);
        return g_array_index(space->starts, FwNumber, place + 1) - 1;
}

/* Cubes. */

uint32_t fw_space_router(const FwSpace *space)
{
        return space->zones->len;
}

int fw_space_zone(const FwSpace *space, const char *name, uint32_t *ret)
{
        unsigned lo = 0, hi = space->zones->len;

        if (strcmp(name, FW_ZONE_ROUTER) == 0) {
                *ret = fw_space_router(space);
                return 0;
        }
        while (lo < hi) {
                unsigned middle = (lo + hi) / 2;
                int r = strcmp(name, g_ptr_array_index(space->zones, middle));

                if (r == 0) {
                        *ret = middle;
                        return 0;
                }
                if (r < 0)
                        hi = middle;
                else
                        lo = middle + 1;
        }
        return -ENOENT;
}

FwCube fw_space_all(const FwSpace *space, int family)
{
        uint32_t first = family == AF_INET ? 0 : space->n4;
        uint32_t last = (family == AF_INET ? space->n4 : space->starts->len) - 1;

        return (FwCube){.lo = {[FW_AXIS_SOURCE] = first, [FW_AXIS_DESTINATION] = first},
                        .hi = {
                                [FW_AXIS_FROM] = fw_space_router(space),
                                [FW_AXIS_TO] = fw_space_router(space),
                                [FW_AXIS_PROTOCOL] = UINT8_MAX,
                                [FW_AXIS_DESTINATION] = last,
                                [FW_AXIS_DESTINATION_PORT] = UINT16_MAX,
                                [FW_AXIS_SOURCE] = last,
                                [FW_AXIS_SOURCE_PORT] = UINT16_MAX,
                        }};
}

static bool is_of_addresses(FwAxis axis)
{
        return axis == FW_AXIS_SOURCE || axis == FW_AXIS_DESTINATION;
}

void fw_space_narrow(const FwSpace *space, FwAxis axis, int family, const FwSpan *span,
                     FwCube *cube)
{
        if (is_of_addresses(axis)) {
                cube->lo[axis] = find_place(space, family, span->lo);
                cube->hi[axis] = find_place(space, family, span->hi);
        } else {
                cube->lo[axis] = (uint32_t) span->lo;
                cube->hi[axis] = (uint32_t) span->hi;
        }
}

int fw_space_family(const FwSpace *space, const FwCube *cube)
{
        return cube->lo[FW_AXIS_SOURCE] < space->n4 ? AF_INET : AF_INET6;
}

FwSpan fw_space_span(const FwSpace *space, FwAxis axis, const FwCube *cube)
{
        if (!is_of_addresses(axis))
                return (FwSpan){cube->lo[axis], cube->hi[axis]};
        return (FwSpan){g_array_index(space->starts, FwNumber, cube->lo[axis]),
                        last_of(space, cube->hi[axis])};
}

/* Conditions. */

uint64_t fw_space_condition(FwSpace *space, const char *key, const char *text)
{
        unsigned number = GPOINTER_TO_UINT(g_hash_table_lookup(space->known, key));

        if (number == 0) {
                if (space->conditions->len == FW_CONDITIONS_MAX)
                        return 0;
                g_ptr_array_add(space->conditions, g_strdup(text));
                number = space->conditions->len;
                g_hash_table_insert(space->known, g_strdup(key), GUINT_TO_POINTER(number));
        }
        return UINT64_C(1) << (number - 1);
}
