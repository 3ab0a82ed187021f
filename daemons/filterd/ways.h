/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the kernel says of where packets come from and go, asked once for each pair of addresses: the
 * callbacks of FwWorld for many packets. */

#include "filter/evaluate.h"

typedef struct FwWays FwWays;
int fw_ways_open(int netns_fd, FwWays **ret);
void fw_ways_close(FwWays *ways);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwWays, fw_ways_close)

/* Where it goes that comes by packet->in, or is the machine's own. */
int fw_ways_forth(FwWays *ways, const FwPacket *packet, const uint8_t *destination, FwWay *ret);
/* Where answers to it go. */
int fw_ways_back(FwWays *ways, const FwPacket *packet, const uint8_t *source, FwWay *ret);
