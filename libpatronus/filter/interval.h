/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Nested intervals to disjoint ones. Interface names and addresses are both byte strings of one
 * length compared by memcmp, as the kernel's interval sets do; a glob or a prefix is an interval,
 * and of two that contain a value the more specific one decides. The result covers everything: what
 * nothing covers gets number 0.
 */

#include "base/macros.h"

#define FW_INTERVAL_KEY_MAX 16

typedef struct FwInterval {
        uint8_t lo[FW_INTERVAL_KEY_MAX], hi[FW_INTERVAL_KEY_MAX]; /* inclusive */
        uint32_t specificity; /* larger wins: characters or bits fixed */
        uint32_t number;
} FwInterval;

/*
 * Flattens `n` intervals of `len` bytes that are pairwise nested or disjoint (as prefixes are),
 * sorting them in place. Returns a GArray of FwInterval in ascending order, without gaps, from all
 * zeros to all ones; neighbours differ in number.
 */
GArray *fw_interval_flatten(FwInterval *intervals, size_t n, size_t len);

/* An interface name, or a prefix of names when it ends in '*', as 16 bytes (IFNAMSIZ, zero padded).
 */
void fw_interval_from_ifname(const char *pattern, FwInterval *ret);

/* Adds one to a big-endian number; false when it overflows to zero. */
bool fw_interval_increment(uint8_t *bytes, size_t len);

/* An interval of a set: inclusive. */
typedef struct FwBounds {
        uint8_t lo[FW_INTERVAL_KEY_MAX], hi[FW_INTERVAL_KEY_MAX];
} FwBounds;

/* Sorts an array of FwBounds and melts those that overlap or touch: the kernel refuses overlaps. */
void fw_bounds_merge(GArray *bounds, size_t len);
