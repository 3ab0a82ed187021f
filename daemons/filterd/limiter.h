/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a rule that limits, or puts addresses into external aliases, asks before it lets pass: a chain
 * of its own, to which a rule before each of its parts jumps (FW_PART_LIMIT). All parts and classes
 * share it, and so the limits are those of the rule.
 *
 *      c_KIND/NAME/DIGEST        per source, then for all: connections, then rates; then what is added
 *      c_KIND/NAME/DIGEST/over   what is beyond a limit per source, if that goes into an alias
 *      c_KIND/NAME/DIGEST/drop   what is beyond any: logs (if the rule does), counts, drops
 *      q4_... q6_...             sources and their connections
 *      r4_... r6_...             sources and their rates
 *
 * The digest is of all that the chain does, so one that does something else is another chain, and one
 * that does the same keeps what it has counted whatever else of the rule changes.
 */

#include "kinds/firewall/firewall.h"
#include "netlink/nft-batch.h"
#include "sets.h"

#define FW_LIMIT_SOURCES_MAX 65535U /* of one family and limit; further ones are not limited */

/* Whether the rule asks such a chain: one in audit mode does nothing. */
bool fw_limiter_needed(const FirewallRule *rule);

typedef struct FwLimiter FwLimiter;
/* NULL: the rule does nothing of it. `log_rate`: the object that says how often it logs, or NULL. */
FwLimiter *fw_limiter_new(const FirewallRule *rule, const FwSets *sets, const char *log_rate);
FwLimiter *fw_limiter_ref(FwLimiter *limiter);
void fw_limiter_unref(FwLimiter *limiter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwLimiter, fw_limiter_unref)
const char *fw_limiter_chain(const FwLimiter *limiter);

/* `counts` (comment -> FwCount, or NULL): what it has dropped until now. */
void fw_limiter_put(const FwLimiter *limiter, GHashTable *counts, PtNftBatch *batch);
/* Once no rule jumps there. */
void fw_limiter_drop(const FwLimiter *limiter, PtNftBatch *batch);
/* The chain with the counter of what it drops; the caller's. */
char *fw_limiter_counted_chain(const FwLimiter *limiter);
