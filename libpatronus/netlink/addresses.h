/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The addresses that a namespace itself has, over rtnetlink (RTM_GETADDR). */

#include "base/macros.h"

struct nlmsghdr;

typedef struct PtLocalAddress {
        uint8_t family; /* AF_INET or AF_INET6 */
        uint8_t plen;   /* of the network that it is in */
        uint8_t address[16];
        uint32_t index; /* of the interface that has it */
} PtLocalAddress;

/* In no order; the caller unrefs. `netns_fd` negative: the process's own. */
int pt_local_addresses(int netns_fd, GArray **ret);
/* One message of the answer; -ENOENT: it names no address. Apart, for the fuzzer. */
int pt_local_address_parse(const struct nlmsghdr *header, PtLocalAddress *ret);
