/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The kernel's table of connections, over ctnetlink (net/netfilter/nf_conntrack_netlink.c). Calls
 * block for as long as the kernel works: a dump of a large table for hundreds of milliseconds.
 *
 * A dump is no snapshot: the kernel walks its table while that changes. A connection that is there
 * from beginning to end comes once; should the one at which the walk paused vanish, its neighbours
 * in the same bucket may come twice, and a resize of the whole table (a sysctl) may leave some out.
 */

#include "netlink/connection-filter.h"

typedef struct PtConntrack PtConntrack;

/* A socket in the namespace of `netns_fd` (negative: the process's own), with CAP_NET_ADMIN there. */
int pt_conntrack_open(int netns_fd, PtConntrack **ret);
void pt_conntrack_close(PtConntrack *conntrack);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtConntrack, pt_conntrack_close)

/*
 * Calls `each` for every connection that matches; `each` returns < 0 to stop. What the kernel can
 * compare itself it does, so that what does not match is hardly paid for. The socket is of no
 * further use once `each` has stopped a dump.
 */
typedef int (*PtConnectionEach)(const PtConnection *connection, void *userdata);
int pt_conntrack_dump(PtConntrack *conntrack, const PtConnectionFilter *filter,
                      PtConnectionEach each, void *userdata);

/* The one with this original tuple and zone, and id unless that is 0. -ENOENT. */
int pt_conntrack_get(PtConntrack *conntrack, const PtConnection *wanted, PtConnection *ret);
/*
 * Deletes connections by original tuple, zone and id (0: whatever it is), in as few system calls as
 * fit. Gives how many were there; those that had gone are no error.
 */
int pt_conntrack_delete(PtConntrack *conntrack, const PtConnection *connections, size_t n,
                        size_t *ret_deleted);

/* All connections of the namespace, at no cost. */
int pt_conntrack_count(PtConntrack *conntrack, uint32_t *ret);
