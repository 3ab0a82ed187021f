/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The two ends of a connection, as people and SSH_CONNECTION write them:
 *
 *         192.0.2.7 51234 192.0.2.1 22        client's address and port, ours
 *
 * All are TCP: that is what administrators come by.
 */

#include "base/macros.h"

/* Zero where a value does not count; the addresses are in network byte order, IPv4 in the first
 * four bytes. */
typedef struct PtTuple {
        int family; /* AF_INET or AF_INET6 */
        uint8_t protocol;
        uint8_t client[16], local[16];
        uint16_t client_port, local_port; /* host byte order */
} PtTuple;

#define PT_TUPLE_TEXT_MAX 128

/* -EINVAL: it is not written so. An IPv4 address that is mapped into IPv6 (::ffff:192.0.2.7) is an
 * IPv4 address; a zone (%eth0) is left out. */
int pt_tuple_parse(const char *text, PtTuple *ret);
/* Returns `buffer`. */
const char *pt_tuple_format(const PtTuple *tuple, char buffer[static PT_TUPLE_TEXT_MAX]);
