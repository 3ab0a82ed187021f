/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Ordered rules as phases, each of which is maps and then a list. Maps of one phase hold rules of
 * which no two can match the same packet, so their order does not matter there; what is in the list
 * keeps its order. Evaluating phase after phase finds the first rule that matches:
 *
 *      a rule in a map stands in a later phase than every earlier rule that overlaps it
 *      a rule in a list stands in no earlier phase than those
 *
 * A rule goes into a map when it is foldable and others of the phase could stand there too; what is
 * alone is cheaper in a list.
 */

#include "filter/box.h"

/* So many boxes of one sort make a map of them worth its lookup, which costs as much as some twenty
 * rules of a list: the map is seldom in the processor's cache. */
#define FW_MAP_MIN 24

typedef struct FwPhaseBox {
        FwBox box;
        unsigned rule;
} FwPhaseBox;

typedef struct FwPhases {
        unsigned n;      /* phases */
        unsigned *phase; /* of each rule */
        bool *mapped;    /* of each rule: stands in a map */
        GArray *boxes;   /* FwPhaseBox, by rule, within the region */
        unsigned *first; /* of each rule: its first box; first[number of rules] is the end */
} FwPhases;

/* `region`: what of each rule matters; NULL: all. */
void fw_phases_init(const FirewallRule *const *rules, unsigned n, const FwBox *region,
                    FwPhases *ret);
void fw_phases_done(FwPhases *phases);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FwPhases, fw_phases_done)
