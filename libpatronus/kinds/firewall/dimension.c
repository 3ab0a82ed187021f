/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/dimension.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <string.h>

G_STATIC_ASSERT(IFNAMSIZ == FW_VALUE_BYTES_MAX);

/* The same place in both families. */
#define BOTH(...) .ipv4 = {__VA_ARGS__}, .ipv6 = {__VA_ARGS__}

/* clang-format off */
const FwDimensionInfo fw_dimensions[FW_DIM_MAX] = {
        [FW_DIM_FAMILY] = {"family", FW_LAYER_META, BOTH(0, 8, 2), .key = NFT_META_NFPROTO},
        [FW_DIM_IN_INTERFACE] = {"in-interface", FW_LAYER_META, BOTH(0, 128, 41),
                .key = NFT_META_IIFNAME, .compare = FW_COMPARE_PREFIX, .value = FW_VALUE_IFNAME,
                .interval = true},
        [FW_DIM_OUT_INTERFACE] = {"out-interface", FW_LAYER_META, BOTH(0, 128, 41),
                .key = NFT_META_OIFNAME, .compare = FW_COMPARE_PREFIX, .value = FW_VALUE_IFNAME,
                .interval = true},
        [FW_DIM_LENGTH] = {"length", FW_LAYER_META, BOTH(0, 32, FW_DATATYPE_INTEGER),
                .key = NFT_META_LEN, .value = FW_VALUE_LENGTH, .turned = true,
                .interval = true},
        [FW_DIM_MARK] = {"mark", FW_LAYER_META, BOTH(0, 32, 19), .key = NFT_META_MARK,
                .compare = FW_COMPARE_MASKED, .host_order = true},
        [FW_DIM_LINK_TYPE] = {"link-type", FW_LAYER_META, BOTH(0, 16, 21), .key = NFT_META_IIFTYPE,
                .host_order = true},
        [FW_DIM_SOURCE_MAC] = {"source-mac", FW_LAYER_LINK, BOTH(48, 48, 9),
                .value = FW_VALUE_MAC, .needs = FW_NEED_ETHERNET},
        [FW_DIM_SOURCE_ADDRESS] = {"source-address", FW_LAYER_NETWORK, {96, 32, 7}, {64, 128, 8},
                .compare = FW_COMPARE_PREFIX, .value = FW_VALUE_ADDRESS, .needs = FW_NEED_FAMILY,
                .keyed = true, .interval = true},
        [FW_DIM_DESTINATION_ADDRESS] = {"destination-address", FW_LAYER_NETWORK,
                {128, 32, 7}, {192, 128, 8},
                .compare = FW_COMPARE_PREFIX, .value = FW_VALUE_ADDRESS, .needs = FW_NEED_FAMILY,
                .keyed = true, .interval = true},
        /* RFC 2474 3: the upper six bits of the traffic class, the second byte of IPv4; of IPv6
         * the four bits of the version come before it. */
        [FW_DIM_DSCP] = {"dscp", FW_LAYER_NETWORK, {8, 6, 36}, {4, 6, 36},
                .needs = FW_NEED_FAMILY},
        [FW_DIM_PROTOCOL] = {"protocol", FW_LAYER_META, BOTH(0, 8, 12), .key = NFT_META_L4PROTO,
                .value = FW_VALUE_PROTOCOL, .keyed = true},
        [FW_DIM_SOURCE_PORT] = {"source-port", FW_LAYER_TRANSPORT, BOTH(0, 16, 13),
                .value = FW_VALUE_PORT, .needs = FW_NEED_PORTS, .keyed = true, .interval = true},
        [FW_DIM_DESTINATION_PORT] = {"destination-port", FW_LAYER_TRANSPORT, BOTH(16, 16, 13),
                .value = FW_VALUE_PORT, .needs = FW_NEED_PORTS, .keyed = true, .interval = true},
        /* RFC 9293 3.1: the eight bits before the window. */
        [FW_DIM_TCP_FLAGS] = {"tcp-flags", FW_LAYER_TRANSPORT, BOTH(104, 8, 37),
                .compare = FW_COMPARE_MASKED, .needs = FW_NEED_TCP},
        /* RFC 792, RFC 4443 2.1. */
        [FW_DIM_ICMP] = {"icmp", FW_LAYER_TRANSPORT, BOTH(0, 16, FW_DATATYPE_INTEGER),
                .compare = FW_COMPARE_PREFIX, .value = FW_VALUE_ICMP,
                .needs = FW_NEED_FAMILY | FW_NEED_ICMP, .interval = true},
        [FW_DIM_STATE] = {"state", FW_LAYER_CONNTRACK, BOTH(0, 32, 26), .key = NFT_CT_STATE,
                .compare = FW_COMPARE_BITS, .host_order = true},
        [FW_DIM_STATUS] = {"status", FW_LAYER_CONNTRACK, BOTH(0, 32, 28), .key = NFT_CT_STATUS,
                .compare = FW_COMPARE_BITS, .host_order = true},
        [FW_DIM_TAGS] = {"tags", FW_LAYER_CONNTRACK, BOTH(0, 128, 30), .key = NFT_CT_LABELS,
                .compare = FW_COMPARE_BITS, .value = FW_VALUE_TAG},
};
/* clang-format on */

const FwPlace *fw_dimension_place(FwDimension dimension, int family)
{
        const FwDimensionInfo *info = &fw_dimensions[dimension];

        return family == AF_INET6 ? &info->ipv6 : &info->ipv4;
}

size_t fw_dimension_bytes(FwDimension dimension, int family)
{
        return (fw_dimension_place(dimension, family)->width + 7U) / 8;
}

size_t fw_value_size(FwValue value)
{
        static const size_t sizes[FW_VALUE_MAX] = {
                [FW_VALUE_ADDRESS] = sizeof(PtAddressRange),
                [FW_VALUE_PORT] = sizeof(PtPortRange),
                [FW_VALUE_MAC] = sizeof(PtMac),
                [FW_VALUE_PROTOCOL] = sizeof(int),
                [FW_VALUE_ICMP] = sizeof(PtIcmpType),
                [FW_VALUE_LENGTH] = sizeof(PtPortRange),
                [FW_VALUE_IFNAME] = sizeof(char *),
                [FW_VALUE_TAG] = sizeof(char *),
        };

        return sizes[value];
}

static bool address_interval(const PtAddressRange *range, uint8_t *lo, uint8_t *hi)
{
        memcpy(lo, range->lo, sizeof(range->lo));
        memcpy(hi, range->hi, sizeof(range->hi));
        return true;
}

static bool port_interval(const PtPortRange *range, uint8_t *lo, uint8_t *hi)
{
        uint16_t first = htons(range->lo), last = htons(range->hi);

        memcpy(lo, &first, sizeof(first));
        memcpy(hi, &last, sizeof(last));
        return true;
}

static bool length_interval(const PtPortRange *range, uint8_t *lo, uint8_t *hi)
{
        uint32_t first = htonl(range->lo), last = htonl(range->hi);

        memcpy(lo, &first, sizeof(first));
        memcpy(hi, &last, sizeof(last));
        return true;
}

void fw_ifname_interval(const char *pattern, uint8_t lo[static FW_VALUE_BYTES_MAX],
                        uint8_t hi[static FW_VALUE_BYTES_MAX])
{
        size_t len = strlen(pattern);
        bool glob = len > 0 && pattern[len - 1] == '*';

        if (glob)
                len--;
        len = MIN(len, (size_t) IFNAMSIZ - 1); /* the type refuses longer ones */
        memset(lo, 0, FW_VALUE_BYTES_MAX);
        memset(hi, 0, FW_VALUE_BYTES_MAX);
        memcpy(lo, pattern, len);
        memcpy(hi, pattern, len);
        if (glob)
                memset(hi + len, 0xff, IFNAMSIZ - len);
}

static bool icmp_interval(const PtIcmpType *icmp, int family, uint8_t *lo, uint8_t *hi)
{
        int type = family == AF_INET6 ? icmp->type6 : icmp->type4;

        if (type < 0)
                return false;
        lo[0] = hi[0] = (uint8_t) type;
        lo[1] = icmp->code < 0 ? 0 : (uint8_t) icmp->code;
        hi[1] = icmp->code < 0 ? 255 : (uint8_t) icmp->code;
        return true;
}

bool fw_value_interval(FwDimension dimension, int family, const void *item,
                       uint8_t lo[static FW_VALUE_BYTES_MAX], uint8_t hi[static FW_VALUE_BYTES_MAX])
{
        memset(lo, 0, FW_VALUE_BYTES_MAX);
        memset(hi, 0, FW_VALUE_BYTES_MAX);
        switch (fw_dimensions[dimension].value) {
        case FW_VALUE_ADDRESS:
                return address_interval(item, lo, hi);
        case FW_VALUE_PORT:
                return port_interval(item, lo, hi);
        case FW_VALUE_MAC:
                memcpy(lo, ((const PtMac *) item)->bytes, sizeof(PtMac));
                memcpy(hi, ((const PtMac *) item)->bytes, sizeof(PtMac));
                return true;
        case FW_VALUE_PROTOCOL:
                lo[0] = hi[0] = (uint8_t) * (const int *) item;
                return true;
        case FW_VALUE_ICMP:
                return icmp_interval(item, family, lo, hi);
        case FW_VALUE_LENGTH:
                return length_interval(item, lo, hi);
        case FW_VALUE_IFNAME:
                fw_ifname_interval(*(char *const *) item, lo, hi);
                return true;
        case FW_VALUE_TAG:
                return false;
        case FW_VALUE_NONE:
        case FW_VALUE_MAX:
        case FW_VALUE_INVALID:
                break;
        }
        g_assert_not_reached();
}
