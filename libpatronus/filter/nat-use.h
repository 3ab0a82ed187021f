/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a packet must match for a NatRule to translate it: a FirewallRule made from the NatRule for
 * each side that it has, so that there is one matcher. It has the NatRule's identity, and its
 * lists.
 */

#include "kinds/firewall/firewall.h"

typedef enum FwNatSide {
        FW_NAT_IN,  /* destinations, when a connection arrives */
        FW_NAT_OUT, /* sources, when it leaves */
        FW_NAT_SIDE_MAX,
        FW_NAT_SIDE_INVALID = -EINVAL,
} FwNatSide;

/* Whether a rule of the type translates on that side. */
bool fw_nat_has_side(const NatRule *nat, FwNatSide side);

/* What the packet must match on a side of the rule, before translation; the caller's. */
FirewallRule *fw_nat_use_new(const NatRule *nat, FwNatSide side);
/* The NatRule of which a rule is a side; NULL: it is a rule of the filter. */
const NatRule *fw_nat_of(const FirewallRule *rule, FwNatSide *ret_side);
/* Whether the destination must be an address of the router itself, beside what the rule says. */
bool fw_nat_to_router(const NatRule *nat);
/* Whether the ports of a forward change each to another: more than one, and not to themselves. */
bool fw_nat_maps_ports(const NatRule *nat);
