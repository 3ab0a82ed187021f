/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to this folder: what nft.c and nft-monitor.c share. */

#include "netlink/nft.h"
#include <libmnl/libmnl.h>

/* A bound NETLINK_NETFILTER socket in a namespace, with extended acknowledgements. */
int pt_nft_socket_open(int netns_fd, unsigned groups, struct mnl_socket **ret);
