/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Many ordered rules, divided by where packets come from and go to, so that only few must be asked
 * for one packet:
 *
 *                   source 10.0.0.0 - 10.0.127.255          rules 1, 4, 9, ...
 *      all of IPv4  source 10.0.128.0 - ... , destination   rules 2, 4, 17, ...
 *                   ...
 *
 * Each leaf is a region (an interval of sources and one of destinations) and the rules, in order,
 * that can match a packet of the region; the regions are disjoint and cover everything. A rule that
 * reaches into several regions is in each of their leaves: so a region is divided only while few
 * rules do.
 *
 * A pure function of the rules and their order. A division depends on the rules of its region
 * only, and on few of their properties (how many there are, where the outermost begin and end), so
 * that a rule that enters or leaves hardly ever changes another leaf than those that it is in.
 */

#include "filter/box.h"

/* A region with fewer rules is not divided: more and smaller leaves make more copies of rules that
 * reach into many. */
#define FW_LEAF_MAX 128
/* Leaves of one tree, about: of more rules they are larger. What finds the leaf is one map of
 * concatenated ranges, which should have no more than 1,000 elements. */
#define FW_LEAVES_MEAN 384

typedef struct FwTreeLeaf {
        FwBox region;
        uint64_t id;     /* of the region */
        unsigned *rules; /* their numbers, ascending */
        unsigned n;
} FwTreeLeaf;

typedef struct FwTree {
        int family;
        GArray *nodes;     /* FwTreeNode */
        GPtrArray *leaves; /* FwTreeLeaf, in ascending order of their regions along the divisions */
} FwTree;

/* How often rules may stand in several leaves, in a table of so many rules: copies take memory, and
 * time to load and to change, of the whole table. */
unsigned fw_tree_copies(size_t rules_in_table);
/* Of those of the rules that packets of the family can match; the others are in no leaf. `copies`: as
 * fw_tree_copies() says. */
FwTree *fw_tree_new(int family, const FirewallRule *const *rules, unsigned n, unsigned copies);
void fw_tree_free(FwTree *tree);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwTree, fw_tree_free)
