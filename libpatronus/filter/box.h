/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What rules ask, as sets of packets: a box is an interval in each of a few dimensions, and a rule
 * with plain matches is a few disjoint boxes.
 *
 *      from 10.0.0.0/8, tcp, ports 80 and 8000-8009     IPv4, 10.0.0.0-10.255.255.255, any
 *                                                       destination, protocol 6, any source port,
 *                                                       and 80-80 or 8000-8009: two boxes
 *
 * A box is of one family; a rule for both has boxes of either. Ports are told apart only in boxes
 * of protocols that have ports, types of ICMP in those of ICMP; all others have the whole interval
 * there, which contains packets that have no such value too.
 */

#include "filter/match.h"

/* The numbers of a box beside the addresses. */
typedef enum FwBoxNumber {
        FW_BOX_PROTOCOL,
        FW_BOX_SOURCE_PORT,
        FW_BOX_DESTINATION_PORT,
        FW_BOX_ICMP, /* type and code, as FW_DIM_ICMP */
        FW_BOX_NUMBER_MAX,
} FwBoxNumber;

typedef enum FwBoxAddress {
        FW_BOX_SOURCE,
        FW_BOX_DESTINATION,
        FW_BOX_ADDRESS_MAX,
} FwBoxAddress;

typedef struct FwRange16 {
        uint16_t lo, hi; /* inclusive */
} FwRange16;

typedef struct FwBox {
        FwSpan address[FW_BOX_ADDRESS_MAX];
        FwRange16 number[FW_BOX_NUMBER_MAX];
        int family; /* AF_INET or AF_INET6 */
} FwBox;

/* All packets of a family. */
void fw_box_all(int family, FwBox *ret);
bool fw_box_equal(const FwBox *a, const FwBox *b);
bool fw_box_overlaps(const FwBox *a, const FwBox *b);
/* Whether all packets of b are packets of a. */
bool fw_box_contains(const FwBox *a, const FwBox *b);
/* What both have; false: nothing, and *ret is untouched. */
bool fw_box_intersect(const FwBox *a, const FwBox *b, FwBox *ret);
/* Appends what `a` has and `b` has not to an array of FwBox, as disjoint boxes: two a dimension at
 * most. */
void fw_box_subtract(const FwBox *a, const FwBox *b, GArray *boxes);

/* Boxes of one rule; one that would have more is told by boxes that contain what it matches. */
#define FW_BOXES_MAX 128

/*
 * Appends the boxes of an (effective) rule, disjoint. true: they are what the rule matches, no more
 * and no less, its zones apart. false: they contain it, because it asks for what no box says
 * (aliases, exceptions, marks, states ...), or would have too many boxes.
 */
bool fw_rule_boxes(const FirewallRule *rule, GArray *boxes);

/*
 * Whether a rule is its boxes and a verdict, and nothing else: it may stand in a map, beside other
 * rules, and in several places. Whatever a rule can have beside that makes it not foldable unless
 * fw_rule_foldable() knows better.
 */
bool fw_rule_foldable(const FirewallRule *rule);
/* Whether it may stand in several places, though not in a map: what it does or counts has no state
 * of its own. */
bool fw_rule_copies(const FirewallRule *rule);
