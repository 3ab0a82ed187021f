/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to bridge*.c: what the table of bridges consists of. */

#include "base/marks.h"
#include "bridge.h"

#define TABLE PT_MARK_NFT_TABLE
#define CHAIN_MARKER "_rev"
#define REG 0 /* every value is loaded into the first register */

/* What is in the chains beside the rules. */
typedef enum FwBridgeFixed {
        FW_BRIDGE_FIXED_NONE,        /* a rule's */
        FW_BRIDGE_FIXED_ESTABLISHED, /* part 0 */
        FW_BRIDGE_FIXED_INVALID,     /* part 0: IPv4, 1: IPv6 */
        FW_BRIDGE_FIXED_DEFAULT,
} FwBridgeFixed;

/* A rule of the kernel. */
typedef struct FwBridgeItem {
        FwBridgeFixed fixed;
        const FwFrameRule *rule; /* of FW_BRIDGE_FIXED_NONE */
        unsigned part;           /* its way, or one of several; with FW_PART_LOG */
        FwTag tag;
        char *comment;
} FwBridgeItem;

typedef struct FwBridgeChain {
        FwBridgeDirection direction;
        GArray *items;
} FwBridgeChain;

struct FwBridge {
        unsigned refs;
        GPtrArray *rules;
        const BridgeSettings *settings; /* a reference, or NULL */
        FwBridgeChain chains[FW_BRIDGE_DIRECTION_MAX];
        GHashTable *sets;  /* name -> FwValueSet, whose bounds are the rules' */
        GHashTable *rates; /* name -> PtRate */
        PtDigest digest;   /* of all items */
};

typedef struct FwBridgeHook {
        const char *name;
        uint32_t hook; /* NF_BR_* */
} FwBridgeHook;

extern const FwBridgeHook fw_bridge_chains[FW_BRIDGE_DIRECTION_MAX];

char *fw_bridge_rate_name(const FwBridge *bridge); /* of defaults that log; the caller's */
/* The table with its chains; those that are there stay. */
void fw_bridge_put_base(PtNftBatch *batch);
/* The rules of a chain, FwKernelRule; none of one that is not there. */
int fw_bridge_read_chain(PtNft *nft, FwBridgeDirection direction, GArray **ret);
