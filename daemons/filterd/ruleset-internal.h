/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to ruleset.c and dispatch*.c: names, registers, and the few expressions that both write.
 */

#include "base/marks.h"
#include "netlink/nft-expr.h"
#include "ruleset.h"

#define TABLE PT_MARK_NFT_TABLE

#define CHAIN_INPUT "input"
#define CHAIN_FORWARD "forward"
#define CHAIN_OUTPUT "output"
#define CHAIN_PREROUTING "prerouting"
#define CHAIN_POSTROUTING "postrouting"
#define CHAIN_OUTPUT_NAT "output_nat"
#define CHAIN_FRAGMENTS "fragments"
#define CHAIN_PROLOGUE "p_common"
#define CHAIN_PROLOGUE_LINK "p_link"
#define CHAIN_PROLOGUE_INPUT "p_input"
#define CHAIN_PROLOGUE_OUTPUT "p_output"
#define CHAIN_UNASSIGNED "p_unassigned"
#define CHAIN_BANNED "p_banned"
#define CHAIN_KILLED_ENDS "p_killed_ends"
#define CHAIN_MASQUERADE "p_masquerade"
#define CHAIN_MARKER "_rev"

#define REG_DATA 0 /* every value is loaded into the first register */

void fw_finish(PtNftBatch *batch, struct nftnl_rule *rule, const char *comment);
/* Counts and decides. */
void fw_decide(PtNftBatch *batch, struct nftnl_rule *rule, int verdict, const char *chain,
               const char *comment);
void fw_match_u8(struct nftnl_rule *rule, uint8_t value); /* against REG_DATA */
void fw_match_family(struct nftnl_rule *rule, int family);
void fw_match_protocol(struct nftnl_rule *rule, uint8_t protocol);
void fw_match_state(struct nftnl_rule *rule, uint32_t state);
/* Ends a rule: counts, from where `counts` (comment -> FwCount, or NULL) says it was, and decides;
 * NFT_CONTINUE: only counts. */
void fw_put_counted(PtNftBatch *batch, GHashTable *counts, struct nftnl_rule *rule, int verdict,
                    const char *target, const char *comment);
