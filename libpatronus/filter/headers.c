/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/headers.h"

#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define PROTOCOL_UDPLITE 136
#define ARP_HARDWARE_ETHERNET 1

/* What is left of the bytes. */
typedef struct Cursor {
        const uint8_t *at;
        size_t left;
} Cursor;

/* The next `size` bytes, or NULL: they are not there. */
static const uint8_t *take(Cursor *cursor, size_t size)
{
        const uint8_t *at = cursor->at;

        if (size > cursor->left)
                return NULL;
        cursor->at += size;
        cursor->left -= size;
        return at;
}

static uint16_t read16(const uint8_t *at)
{
        return (uint16_t) (at[0] << 8 | at[1]);
}

static void decode_transport(Cursor cursor, PtHeaders *headers)
{
        const uint8_t *at;

        switch (headers->protocol) {
        case IPPROTO_TCP:
        case IPPROTO_UDP:
        case IPPROTO_SCTP:
        case IPPROTO_DCCP:
        case PROTOCOL_UDPLITE:
                at = take(&cursor, 4);
                if (!at)
                        return;
                headers->known |= PT_HEADERS_PORTS;
                headers->source_port = read16(at);
                headers->destination_port = read16(at + 2);
                if (headers->protocol != IPPROTO_TCP)
                        return;
                at = take(&cursor, 10); /* numbers, offset and flags (RFC 9293 3.1) */
                if (!at)
                        return;
                headers->known |= PT_HEADERS_TCP_FLAGS;
                headers->tcp_flags = at[9];
                return;
        case IPPROTO_ICMP:
        case IPPROTO_ICMPV6:
                at = take(&cursor, 2);
                if (!at)
                        return;
                headers->known |= PT_HEADERS_ICMP;
                headers->icmp_type = at[0];
                headers->icmp_code = at[1];
                return;
        }
}

static int decode_ipv4(Cursor cursor, PtHeaders *headers)
{
        const uint8_t *at = take(&cursor, 20);
        size_t options;
        uint16_t fragment;

        if (!at || at[0] >> 4 != 4 || (at[0] & 15) < 5)
                return -EBADMSG;
        options = 4U * (at[0] & 15U) - 20;
        headers->family = AF_INET;
        headers->dscp = at[1] >> 2;
        headers->length = read16(at + 2);
        headers->protocol = at[9];
        headers->known |= PT_HEADERS_PROTOCOL;
        memcpy(headers->source, at + 12, 4);
        memcpy(headers->destination, at + 16, 4);
        fragment = read16(at + 6);
        if (fragment & 0x3fff) /* more of them, or not the first */
                headers->known |= PT_HEADERS_FRAGMENT;
        if (take(&cursor, options) && (fragment & 0x1fff) == 0)
                decode_transport(cursor, headers);
        return 0;
}

/* One extension header; *next: the protocol after it. 1: there may be more; 0: this is the last that
 * can be read. */
static int skip_extension(Cursor *cursor, uint8_t protocol, uint8_t *next, PtHeaders *headers)
{
        const uint8_t *at;

        switch (protocol) {
        case IPPROTO_HOPOPTS:
        case IPPROTO_ROUTING:
        case IPPROTO_DSTOPTS:
                at = take(cursor, 8);
                if (!at || !take(cursor, 8U * at[1]))
                        return 0;
                *next = at[0];
                return 1;
        case IPPROTO_AH: /* its length is in words of four bytes, less two (RFC 4302 2.2) */
                at = take(cursor, 8);
                if (!at || !take(cursor, 4U * at[1]))
                        return 0;
                *next = at[0];
                return 1;
        case IPPROTO_FRAGMENT:
                at = take(cursor, 8);
                if (!at)
                        return 0;
                headers->known |= PT_HEADERS_FRAGMENT;
                *next = at[0];
                return (read16(at + 2) & 0xfff8) == 0;
        }
        return 0;
}

static bool is_extension(uint8_t protocol)
{
        return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING ||
               protocol == IPPROTO_DSTOPTS || protocol == IPPROTO_AH ||
               protocol == IPPROTO_FRAGMENT;
}

static int decode_ipv6(Cursor cursor, PtHeaders *headers)
{
        const uint8_t *at = take(&cursor, 40);
        uint8_t protocol;
        int r = 1;

        if (!at || at[0] >> 4 != 6)
                return -EBADMSG;
        headers->family = AF_INET6;
        headers->dscp = (uint8_t) ((at[0] << 4 | at[1] >> 4) & 0xff) >> 2;
        headers->length = 40U + read16(at + 4);
        memcpy(headers->source, at + 8, 16);
        memcpy(headers->destination, at + 24, 16);
        protocol = at[6];
        for (unsigned i = 0; r > 0 && is_extension(protocol) && i < PT_HEADERS_EXTENSIONS_MAX; i++)
                r = skip_extension(&cursor, protocol, &protocol, headers);
        if (is_extension(protocol))
                return 0;
        headers->protocol = protocol;
        headers->known |= PT_HEADERS_PROTOCOL;
        if (r > 0)
                decode_transport(cursor, headers);
        return 0;
}

static int decode_arp(Cursor cursor, PtHeaders *headers)
{
        const uint8_t *at = take(&cursor, 8), *ends;

        if (!at || read16(at) != ARP_HARDWARE_ETHERNET || read16(at + 2) != ETH_P_IP ||
            at[4] != 6 || at[5] != 4)
                return -EBADMSG;
        ends = take(&cursor, 20);
        if (!ends)
                return -EBADMSG;
        headers->family = AF_INET;
        headers->known |= PT_HEADERS_ARP;
        headers->icmp_type = (uint8_t) MIN(read16(at + 6), 255);
        memcpy(headers->source, ends + 6, 4);
        memcpy(headers->destination, ends + 16, 4);
        return 0;
}

int pt_headers_decode(uint16_t ethertype, const uint8_t *data, size_t size, PtHeaders *ret)
{
        Cursor cursor = {data, size};
        PtHeaders headers = {0};
        int r;

        switch (ethertype) {
        case ETH_P_IP:
                r = decode_ipv4(cursor, &headers);
                break;
        case ETH_P_IPV6:
                r = decode_ipv6(cursor, &headers);
                break;
        case ETH_P_ARP:
                r = decode_arp(cursor, &headers);
                break;
        default:
                return -EPROTONOSUPPORT;
        }
        if (r == 0)
                *ret = headers;
        return r;
}
