/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to ruleset.c and dispatch.c: names, registers, and the few expressions that both write.
 */

#include "base/marks.h"
#include "netlink/nft-expr.h"
#include "ruleset.h"

#define TABLE PT_MARK_NFT_TABLE

#define CHAIN_INPUT "input"
#define CHAIN_FORWARD "forward"
#define CHAIN_OUTPUT "output"
#define CHAIN_POSTROUTING "postrouting"
#define CHAIN_PROLOGUE "prologue"
#define CHAIN_PROLOGUE_INPUT "prologue_input"
#define CHAIN_PROLOGUE_OUTPUT "prologue_output"
#define CHAIN_MARKER "_rev"

/* Registers: 0-3 hold names and addresses, 4 and 5 partial zones, 8 and 9 the zones from and to, 10
 * and 11 the class. */
enum {
        REG_DATA = 0,
        REG_BY_ADDRESS = 4,
        REG_BY_INTERFACE = 5,
        REG_FROM = 8,
        REG_TO = 9,
        REG_CLASS = 10
};

void fw_finish(PtNftBatch *batch, struct nftnl_rule *rule, const char *comment);
/* Counts and decides. */
void fw_decide(PtNftBatch *batch, struct nftnl_rule *rule, int verdict, const char *chain,
               const char *comment);
void fw_match_u8(struct nftnl_rule *rule, uint8_t value); /* against REG_DATA */
void fw_match_family(struct nftnl_rule *rule, int family);
void fw_match_protocol(struct nftnl_rule *rule, uint8_t protocol);
void fw_match_state(struct nftnl_rule *rule, uint32_t state);
