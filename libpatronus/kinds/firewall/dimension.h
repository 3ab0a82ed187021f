/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a rule can ask of a packet: one row a question. The compiler to nf_tables reads from here
 * where a value lies and how it is compared; whatever else must answer the same questions (an
 * evaluator of rules in user space, differences of packet sets, XDP programs) reads the same rows,
 * so that no two of them can mean different bytes.
 *
 * A value is an unsigned number of `width` bits. Where it lies depends on the layer:
 *
 *      meta, conntrack    not in the packet: the kernel's note `key` of it (NFT_META_*, NFT_CT_*)
 *      link               the Ethernet header (IEEE 802.3 3.1.1)
 *      network            the header of IPv4 (RFC 791 3.1) or IPv6 (RFC 8200 3)
 *      transport          what follows the IP header and its extensions, in first fragments only
 *
 * `offset` counts bits from the first one of the layer's header, as RFCs draw them: bit 0 is the
 * highest of the first byte. Numbers in packets are in network byte order; those of meta and
 * conntrack in the host's where `host_order` says so.
 *
 *      const FwPlace *place = fw_dimension_place(FW_DIM_SOURCE_ADDRESS, AF_INET);
 *                                  -> offset 96, width 32: bytes 12 to 15 of the IPv4 header
 *
 * Rows are in the order in which a rule asks: what can be known without the packet first, then
 * from the outside in, connection tracking last. FW_DIM_ICMP is the type in its upper and the code
 * in its lower eight bits, so that "any code of a type" is an interval.
 */

#include "kinds/firewall/firewall.h"

typedef enum FwLayer {
        FW_LAYER_META,
        FW_LAYER_LINK,
        FW_LAYER_NETWORK,
        FW_LAYER_TRANSPORT,
        FW_LAYER_CONNTRACK,
        FW_LAYER_MAX,
        FW_LAYER_INVALID = -EINVAL,
} FwLayer;

typedef enum FwDimension {
        FW_DIM_FAMILY,       /* NFPROTO_IPV4, NFPROTO_IPV6 */
        FW_DIM_IN_INTERFACE, /* names, as IFNAMSIZ bytes with zeros at their end */
        FW_DIM_OUT_INTERFACE,
        FW_DIM_LENGTH, /* bytes from the IP header on */
        FW_DIM_MARK,
        FW_DIM_LINK_TYPE, /* ARPHRD_* of the interface that it came by */
        FW_DIM_SOURCE_MAC,
        FW_DIM_SOURCE_ADDRESS,
        FW_DIM_DESTINATION_ADDRESS,
        FW_DIM_DSCP,
        FW_DIM_PROTOCOL, /* IPPROTO_*, past IPv6's extension headers */
        FW_DIM_SOURCE_PORT,
        FW_DIM_DESTINATION_PORT,
        FW_DIM_TCP_FLAGS,
        FW_DIM_ICMP,
        FW_DIM_STATE,  /* bits: 1 << (ctinfo + 1) and others, NF_CT_STATE_* */
        FW_DIM_STATUS, /* bits: IPS_* */
        FW_DIM_TAGS,   /* bits: which ones says filter/tags.h */
        FW_DIM_MAX,
        FW_DIM_INVALID = -EINVAL,
} FwDimension;

/* What must be known of a packet before its value means anything. */
typedef enum FwNeed {
        FW_NEED_FAMILY = 1 << 0,   /* IPv4 or IPv6: the place differs */
        FW_NEED_ETHERNET = 1 << 1, /* FW_DIM_LINK_TYPE is ARPHRD_ETHER */
        FW_NEED_PORTS = 1 << 2,    /* FW_DIM_PROTOCOL is one that has ports */
        FW_NEED_ICMP = 1 << 3,     /* FW_DIM_PROTOCOL is ICMP of the family */
        FW_NEED_TCP = 1 << 4,      /* FW_DIM_PROTOCOL is TCP */
} FwNeed;

/* How its values are written and compared. */
typedef enum FwCompare {
        FW_COMPARE_NUMBER, /* single values and intervals, no two alike */
        FW_COMPARE_PREFIX, /* the same, and an interval that shares leading bits is asked by these */
        FW_COMPARE_MASKED, /* (packet & mask) == value */
        FW_COMPARE_BITS,   /* any bit of a mask is set */
        FW_COMPARE_MAX,
        FW_COMPARE_INVALID = -EINVAL,
} FwCompare;

/* The C type of values in a rule's lists; none: rules have no list of it. */
typedef enum FwValue {
        FW_VALUE_NONE,
        FW_VALUE_ADDRESS,  /* PtAddressRange */
        FW_VALUE_PORT,     /* PtPortRange */
        FW_VALUE_MAC,      /* PtMac */
        FW_VALUE_PROTOCOL, /* int */
        FW_VALUE_ICMP,     /* PtIcmpType */
        FW_VALUE_LENGTH,   /* PtPortRange */
        FW_VALUE_IFNAME,   /* char *: a name, or a glob that ends in "*" */
        FW_VALUE_TAG,      /* char *: a name, which is one bit and no interval */
        FW_VALUE_MAX,
        FW_VALUE_INVALID = -EINVAL,
} FwValue;

typedef struct FwPlace {
        uint16_t offset, width; /* bits; width 0: the family has no such value */
        uint8_t datatype;       /* nft's number, for listings (nftables/include/datatype.h) */
} FwPlace;

typedef struct FwDimensionInfo {
        const char *name;
        FwLayer layer;
        FwPlace ipv4, ipv6;
        uint32_t key; /* of layers meta and conntrack */
        FwCompare compare;
        FwValue value;
        unsigned needs; /* FwNeed */
        bool host_order;
        bool turned;   /* the kernel has it in the host's order; it is compared in the network's */
        bool keyed;    /* may be part of the key of a verdict map */
        bool interval; /* values may be intervals */
} FwDimensionInfo;

extern const FwDimensionInfo fw_dimensions[FW_DIM_MAX];

/* The widest value, in bytes. */
#define FW_VALUE_BYTES_MAX 16

/* nft's numbers of what has no row of its own type. */
#define FW_DATATYPE_INTEGER 4
#define FW_DATATYPE_BITS 6 /* of one in the type of a concatenation */

/* An interface's name, or all that a glob stands for: an interval of names. */
void fw_ifname_interval(const char *pattern, uint8_t lo[static FW_VALUE_BYTES_MAX],
                        uint8_t hi[static FW_VALUE_BYTES_MAX]);
/* Where it lies; for AF_UNSPEC only of what lies at one place in both families. */
const FwPlace *fw_dimension_place(FwDimension dimension, int family);
/* Bytes of a value, the last bits of which are it. */
size_t fw_dimension_bytes(FwDimension dimension, int family);
/* Bytes of one item of a rule's list. */
size_t fw_value_size(FwValue value);
/*
 * The inclusive interval that an item of a rule's list stands for, in a packet of the family, in
 * network byte order. false: the family has no such value (an ICMP type of the other one), or values
 * are no intervals (tags).
 */
bool fw_value_interval(FwDimension dimension, int family, const void *item,
                       uint8_t lo[static FW_VALUE_BYTES_MAX],
                       uint8_t hi[static FW_VALUE_BYTES_MAX]);
