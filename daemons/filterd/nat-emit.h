/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a NatRule does to a packet that it matches, as expressions. The kernel asks for it at the
 * first packet of a connection only (net/netfilter/nf_nat_core.c, nf_nat_inet_fn): all others, the
 * answers, and ICMP errors about them follow.
 *
 *      one address, or a range      nat with two registers; the kernel chooses by source address
 *      a pool of several ranges     a hash of the source address into a map of ranges, each as
 *                                   likely as it has addresses
 *      prefix to prefix             nat with NF_NAT_RANGE_NETMAP: the rest of the address stays
 *      a pool of servers            its chain (pools.h)
 *      a range of ports             a map from port to port; none when the ports stay
 */

#include "counters.h"
#include "match-put.h"

/* Appends the rest of a rule whose match is there: what it asks beside that, the counter and the
 * translation. Maps go into the batch before; *set_id numbers them. `match` is the part of the
 * effective rule (nat.h) that the kernel's rule is. */
void fw_nat_put(const FwMatch *match, const char *table, PtNftBatch *batch, uint32_t *set_id,
                const FwCount *count, struct nftnl_rule *rule);
