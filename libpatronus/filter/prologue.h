/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What passes before any zone or rule is asked, as one table: filterd makes rules of the kernel of
 * its rows, in their order, and the evaluator asks them of a packet. What leads elsewhere in the
 * prologue than to "accept" (connections that were ended, invalid ones) is not in it.
 */

#include "filter/packet.h"

typedef enum FwPrologueChain {
        FW_PROLOGUE_LINK,   /* to the router, before bans: who else is on the link */
        FW_PROLOGUE_COMMON, /* input, forward and output */
        FW_PROLOGUE_INPUT,  /* to the router; the common one comes before it */
        FW_PROLOGUE_OUTPUT, /* from the router */
        FW_PROLOGUE_CHAIN_MAX,
        FW_PROLOGUE_CHAIN_INVALID = -EINVAL,
} FwPrologueChain;

/* What a packet must be, all of it. 0 asks for nothing; `protocol` also stands for what has ICMP
 * types and ports. */
typedef struct FwPrologueRow {
        FwPrologueChain chain;
        const char *comment; /* of the rule in the kernel, and of its counter */
        bool loopback;       /* by the interface lo: in of what arrives, out of what leaves */
        uint32_t states;     /* any of these bits (FW_DIM_STATE) */
        int family;
        bool link_local; /* from fe80::/10 */
        uint8_t protocol;
        uint8_t hop_limit;
        uint8_t type_lo, type_hi; /* ICMP types; 0 to 0: whatever they are */
        uint16_t source_port;
        uint16_t port_lo, port_hi; /* of the destination; 0 to 0: whatever they are */
        const char *text;          /* for people: "neighbour discovery" */
} FwPrologueRow;

extern const FwPrologueRow fw_prologue[];
extern const unsigned fw_prologue_rows;

/* The first row of the chain, or (but for FW_PROLOGUE_LINK) of the common one, that lets the packet pass; NULL: none does for
 * certain. `interface`: by which it comes, or leaves if that is what the chain is about. */
const FwPrologueRow *fw_prologue_admits(FwPrologueChain chain, const FwPacket *packet,
                                        const char *interface);
