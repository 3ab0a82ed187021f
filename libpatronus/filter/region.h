/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Sets of packets, as unions of cubes.
 *
 * A cube has an interval for each axis: the zone that a packet comes from and the one it goes to,
 * protocol, addresses, ports. What is on an axis are not the numbers themselves but the places
 * between which nobody in the whole calculation makes a difference (space.h), so that an IPv6
 * address costs what a port does and a step is a few comparisons.
 *
 * What rules ask beside that, of marks, hardware addresses, long aliases, is a condition: a bit
 * that holds of a packet or does not, of which nothing else is known. A cube demands that some hold
 * and that others do not. Two conditions that exclude one another are taken for independent; so it
 * is never said of something that it cannot be when it can.
 *
 * Nothing here grows without a bound: who asks says how many steps the answer may cost, and "it is
 * too complex" is an answer.
 */

#include "base/macros.h"

#include <stdint.h>

typedef enum FwAxis {
        FW_AXIS_FROM, /* zones by number, the router last */
        FW_AXIS_TO,
        FW_AXIS_PROTOCOL,
        FW_AXIS_DESTINATION,
        FW_AXIS_DESTINATION_PORT, /* or type and code of ICMP */
        FW_AXIS_SOURCE,
        FW_AXIS_SOURCE_PORT,
        FW_AXIS_MAX,
        FW_AXIS_INVALID = -EINVAL,
} FwAxis;

/* More are told apart nowhere: whoever makes cubes says of the rest that nothing is known
 * (space.h). */
#define FW_CONDITIONS_MAX 64

typedef struct FwCube {
        uint32_t lo[FW_AXIS_MAX], hi[FW_AXIS_MAX]; /* inclusive */
        uint64_t holds, fails;                     /* conditions, a bit each; none is in both */
} FwCube;

bool fw_cube_overlaps(const FwCube *a, const FwCube *b);
/* Whether all packets of `inner` are of `outer`. */
bool fw_cube_contains(const FwCube *outer, const FwCube *inner);
/* Of two that overlap. */
FwCube fw_cube_intersect(const FwCube *a, const FwCube *b);
/*
 * What of `cube` is not of `other`, which it overlaps: pieces without packets in common. Appends
 * them to an array of FwCube; at most FW_CUBE_PIECES_MAX.
 */
#define FW_CUBE_PIECES_MAX (2 * FW_AXIS_MAX + FW_CONDITIONS_MAX)
void fw_cube_subtract(const FwCube *cube, const FwCube *other, GArray *pieces);
/* Of two pieces, that which more can lie in: the sum of the logarithms of its sides. */
unsigned fw_cube_size(const FwCube *cube);

/*
 * Makes few cubes of many that have nothing in common: those that differ on one axis only, and are
 * neighbours there, become one.
 */
void fw_cubes_melt(GArray *cubes);

/*
 * Cubes of an ordered list, found by what they overlap: a tree of bounding cubes. `place` is the
 * number of the rule in its order; a rule may have several cubes.
 */
typedef struct FwPlaced {
        FwCube cube;
        uint32_t place;
} FwPlaced;

typedef struct FwIndex FwIndex;
FwIndex *fw_index_new(const FwPlaced *cubes, size_t n); /* borrows them */
void fw_index_free(FwIndex *index);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwIndex, fw_index_free)
/* Appends the numbers (uint32_t) of all cubes from `first` to before `end` that overlap `cube`,
 * ascending. Returns how many comparisons it took. */
size_t fw_index_find(const FwIndex *index, const FwCube *cube, uint32_t first, uint32_t end,
                     GArray *numbers);

/*
 * First match: takes `cube` apart by an ordered list, and calls `each` for each piece and what it
 * belongs to: the first of the list that covers it, or NULL for what nothing covers. Pieces have
 * no packet in common, and together they are the cube. The deepest and largest come first, so that
 * somebody who looks for one that is not covered finds it soon.
 *
 * `each` returns 0 to go on, else that is the end and what is returned. -E2BIG when `*steps`, which
 * it counts down, are used up or there are more than FW_PIECES_MAX pieces at once.
 */
#define FW_PIECES_MAX 4096 /* 300 kB, and no answer that anybody could read */
typedef int (*FwEachPiece)(const FwCube *piece, const FwPlaced *first, void *userdata);
int fw_first_match(const FwCube *cube, const FwPlaced *const *list, size_t n, size_t *steps,
                   FwEachPiece each, void *userdata);
