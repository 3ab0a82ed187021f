/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The aliases' sets in the kernel. An alias that an enabled rule names has a set for each of what it
 * can hold, whether it holds any or not, so that entries come and go without a rule being touched:
 *
 *      host, network   a4_NAME and a6_NAME: a hash set of addresses, or an interval set
 *      port            ap_NAME: an interval set of ports
 *      mac             am_NAME: a hash set
 *
 * What an alias includes is flattened into it.
 */

#include "kinds/firewall/firewall.h"
#include "netlink/nft-batch.h"
#include "txn/slice.h"

typedef enum FwSetPart {
        FW_SET_IPV4,
        FW_SET_IPV6,
        FW_SET_PORTS,
        FW_SET_MACS,
        FW_SET_PART_MAX,
        FW_SET_PART_INVALID = -EINVAL,
} FwSetPart;

typedef struct FwSets FwSets;

/* The name that a rule looks an alias up by; the sets own it. The alias must be in use. */
const char *fw_sets_name(const FwSets *sets, const char *alias, FwSetPart part);
