/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to this folder: sockets in namespaces. */

#include "netlink/nft.h"
#include <libmnl/libmnl.h>

/* A bound socket of a netlink family (NETLINK_ROUTE) in a namespace, with extended
 * acknowledgements. */
int pt_netlink_socket_open(int family, int netns_fd, unsigned groups, struct mnl_socket **ret);
/* The same of NETLINK_NETFILTER. */
int pt_nft_socket_open(int netns_fd, unsigned groups, struct mnl_socket **ret);
