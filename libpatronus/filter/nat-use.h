/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a packet must match for a NatRule to translate it: a FirewallRule made from the NatRule for
 * each side that it has, so that there is one matcher. It has the NatRule's identity, and its
 * lists.
 *
 * A reflected forward is for three sorts of connections: those that arrive from its own zone, those
 * that arrive from others or are of the router's own programs (a use that is `reflected`), and,
 * when one of them leaves by the zone that it came from, once more on its way out, where its
 * source becomes the router's (FW_NAT_BACK).
 */

#include "filter/effective.h"

typedef enum FwNatSide {
        FW_NAT_IN,   /* destinations, when a connection arrives */
        FW_NAT_OUT,  /* sources, when it leaves */
        FW_NAT_BACK, /* sources of what was reflected, when it leaves by the zone it came from */
        FW_NAT_SIDE_MAX,
        FW_NAT_SIDE_INVALID = -EINVAL,
} FwNatSide;

/* Whether a rule of the type translates on that side; of FW_NAT_BACK, whether it may. */
bool fw_nat_has_side(const NatRule *nat, FwNatSide side);
/* Whether it is among those that connections meet which arrive from a zone ("router": of its own
 * programs), leave by it, or go back; *ret_reflected: only as a reflection. */
bool fw_nat_meets(const FwNatPolicy *policy, const NatRule *nat, FwNatSide side, const char *zone,
                  bool *ret_reflected);

/* What the packet must match on a side of the rule, before translation; of FW_NAT_BACK, after that of
 * the destination. The caller's. */
FirewallRule *fw_nat_use_new(const FwNatPolicy *policy, const NatRule *nat, FwNatSide side,
                             bool reflected);
/* The NatRule of which a rule is a side; NULL: it is a rule of the filter. */
const NatRule *fw_nat_of(const FirewallRule *rule, FwNatSide *ret_side);
bool fw_nat_is_reflected(const FirewallRule *use);
/* Whether the destination must be an address of the router itself, beside what the rule says. Of one
 * that is reflected, not of the interface that the packet came by. */
bool fw_nat_to_router(const NatRule *nat);
/* Whether the ports of a forward change each to another: more than one, and not to themselves. */
bool fw_nat_maps_ports(const NatRule *nat);
