/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The headers of a packet, as far as they are there: what was logged is its beginning only, and
 * strangers made it. Reads IPv4 (RFC 791), IPv6 with its extension headers (RFC 8200), ARP of IPv4
 * (RFC 826), and the ports, types and flags of what is inside.
 *
 *         r = pt_headers_decode(ETH_P_IP, payload, size, &headers);
 */

#include "base/macros.h"

/* More extension headers than this have no sender with a purpose. */
#define PT_HEADERS_EXTENSIONS_MAX 16

typedef enum PtHeadersKnown {
        PT_HEADERS_PROTOCOL = 1 << 0,
        PT_HEADERS_PORTS = 1 << 1,
        PT_HEADERS_ICMP = 1 << 2,
        PT_HEADERS_TCP_FLAGS = 1 << 3,
        PT_HEADERS_FRAGMENT = 1 << 4, /* it is one */
        PT_HEADERS_ARP = 1 << 5,      /* `icmp_type` is the operation */
} PtHeadersKnown;

typedef struct PtHeaders {
        uint8_t family;   /* AF_INET or AF_INET6; of ARP AF_INET */
        uint8_t known;    /* PtHeadersKnown */
        uint8_t protocol; /* the last one, after all extension headers */
        uint8_t dscp;
        uint8_t tcp_flags; /* RFC 9293 3.1, the low eight */
        uint8_t icmp_type, icmp_code;
        uint8_t source[16], destination[16]; /* IPv4 in the first four bytes */
        uint16_t source_port, destination_port;
        uint32_t length; /* of the IP packet, as it says itself */
} PtHeaders;

/* -EBADMSG: the network header is not whole, or not one; -EPROTONOSUPPORT: of another protocol. */
int pt_headers_decode(uint16_t ethertype, const uint8_t *data, size_t size, PtHeaders *ret);
