/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a BridgeRule demands of a frame, with all that it refers to written out: services as ports,
 * aliases as addresses. The compiler to nf_tables and the evaluator read the same tests.
 *
 * A rule is one or more ways to match; a way is a conjunction of tests; a test says that a field of
 * the frame, under a mask, lies (or does not) in one of some intervals.
 *
 *      r = fw_frame_rules_new(&source, effective, diag, &rules);
 *      for (unsigned i = 0; i < rules->len; i++)
 *              ... ((FwFrameRule *) g_ptr_array_index(rules, i))->effective.ways
 *
 * Where a field lies: meta is the kernel's note of the frame; the others count from the beginning
 * of the header. The kernel takes one VLAN tag off a frame that it receives and keeps it beside
 * (skb_vlan_untag() in net/core/skbuff.c); whoever reads the link header sees it at its place again
 * (nft_payload_copy_vlan() in net/netfilter/nft_payload.c), while the type of the frame is what comes after it.
 */

#include "filter/effective.h"
#include "filter/flatten.h"
#include "filter/interval.h"
#include "filter/packet.h"
#include "kinds/firewall/bridge.h"

typedef enum FwFrameField {
        FW_FRAME_BRIDGE, /* that the port belongs to: IFNAMSIZ bytes with zeros at their end */
        FW_FRAME_FROM,   /* ports, the same */
        FW_FRAME_TO,
        FW_FRAME_ETHER_TYPE, /* after the first tag */
        FW_FRAME_VLAN, /* four bytes: the type of the tag and the number of the VLAN; of a frame
                          without a tag, its type and whatever follows */
        FW_FRAME_DESTINATION_MAC,
        FW_FRAME_SOURCE_MAC,
        FW_FRAME_ARP_FORM, /* RFC 826: of which sorts of addresses */
        FW_FRAME_ARP_OPERATION,
        FW_FRAME_ARP_SENDER_MAC,
        FW_FRAME_ARP_SENDER_ADDRESS,
        FW_FRAME_ARP_TARGET_ADDRESS,
        FW_FRAME_SOURCE4, /* of dimension.h, from here on */
        FW_FRAME_DESTINATION4,
        FW_FRAME_SOURCE6,
        FW_FRAME_DESTINATION6,
        FW_FRAME_PROTOCOL,
        FW_FRAME_SOURCE_PORT,
        FW_FRAME_DESTINATION_PORT,
        FW_FRAME_ICMP,
        FW_FRAME_FIELD_MAX,
        FW_FRAME_FIELD_INVALID = -EINVAL,
} FwFrameField;

typedef struct FwFrameFieldInfo {
        const char *name;
        FwLayer layer;
        uint8_t offset, len; /* bytes */
        uint8_t datatype;    /* nft's number, for listings */
        uint32_t key;        /* of layer meta; of FW_FRAME_BRIDGE, for frames that come */
        uint32_t key_out;    /* the same, for frames that this machine sends; 0: no other */
        bool interval;       /* values may be intervals */
} FwFrameFieldInfo;

extern const FwFrameFieldInfo fw_frame_fields[FW_FRAME_FIELD_MAX];

/* FW_FRAME_ARP_FORM of Ethernet and IPv4. */
#define FW_FRAME_ARP_FORM_SIZE 6
extern const uint8_t fw_frame_arp_form[FW_FRAME_ARP_FORM_SIZE];

/* The field that a dimension of IP is in a family. */
FwFrameField fw_frame_field_of(FwDimension dimension, int family);

typedef struct FwFrameTest {
        FwFrameField field;
        bool negated;                     /* none of them */
        bool masked;                      /* (value & mask) lies in one of them */
        uint8_t mask[FW_VALUE_BYTES_MAX]; /* as many bytes as the field has */
        GArray *bounds;                   /* FwBounds: ascending, disjoint */
} FwFrameTest;

typedef struct FwFrameRule {
        /* The rule as others read rules; its origin is the BridgeRule. `ways` are GArray of FwFrameTest;
         * no frame matches two of them. */
        FwEffectiveRule effective;
        FwRuleBox box;
        FwBridgeDirection direction;
} FwFrameRule;

/* Entries of an alias that a rule of bridges names: they are written out anew at each change. */
#define FW_FRAME_ALIAS_MAX 65536U

/*
 * The rules of a slice that are in force at a time (`effective` has it), in order of evaluation:
 * FwFrameRule, which are sealed objects. -E2BIG with a diagnostic beyond a limit; errors of reading
 * an alias's dataset.
 */
int fw_frame_rules_new(const FwSource *source, FwEffective *effective, PtDiagnostics *diag,
                       GPtrArray **ret);
const BridgeRule *fw_frame_rule_origin(const FwFrameRule *rule);
/* NULL: it is no rule of frames. */
const FwFrameRule *fw_frame_rule_of(const FirewallRule *rule);
