/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The nft engine: txn/engine.h over one nf_tables table. Commits in one transaction: it is ATOMIC.
 */

#include "bans.h"
#include "bridge.h"
#include "counters.h"
#include "layout.h"
#include "log-rules.h"
#include "openings.h"
#include "panic.h"
#include "txn/engine.h"

extern const PtEngine fw_engine_nft;

typedef struct FwEngine FwEngine; /* PtEngineCtx.engine after setup */

/* Somebody else changed the table: the next plan replaces the whole instead of relying on what was
 * there. */
void fw_engine_distrust(FwEngine *engine);
/* The monitor that is to be spared the engine's own large transactions, and that verify listens to;
 * borrowed, NULL: none. */
void fw_engine_watch(FwEngine *engine, PtNftMonitor *monitor);
/* The monitor heard of a change by the owner of a netlink port, not that of the bans. true: it is
 * somebody else's, and what it concerns is not verified before it is planned and committed again. */
bool fw_engine_heard(FwEngine *engine, uint32_t port);
/* From now on schedules are believed. */
void fw_engine_set_synchronised(FwEngine *engine);
/* What is in force goes by the clock. */
bool fw_engine_trusts_clock(const FwEngine *engine);
/* Told what schedules said of what has just come into force; each plan asks them anew. */
typedef void (*FwTimesFunc)(const FwTimes *times, void *userdata);
void fw_engine_watch_times(FwEngine *engine, FwTimesFunc told, void *userdata);
/* Which are told of rules that log; NULL: none. */
void fw_engine_set_log_rules(FwEngine *engine, FwLogRules *rules);
/* What else is in the table, and goes into one that is made anew; may be NULL. */
void fw_engine_set_bans(FwEngine *engine, FwBans *bans);
void fw_engine_set_openings(FwEngine *engine, FwOpenings *openings);
void fw_engine_set_panic(FwEngine *engine, FwPanic *panic);
const FwOpenings *fw_engine_openings(const FwEngine *engine);
/* What aliases hold beside the slice from the next plan on (taken over by reference); NULL: nothing.
 * `settled` is called whenever a plan has come into force. */
void fw_engine_set_live(FwEngine *engine, FwLive *live);
void fw_engine_on_settled(FwEngine *engine, void (*settled)(void *userdata), void *userdata);
/* Which servers are alive, as layouts put it. */
FwHealth *fw_engine_health(FwEngine *engine);
/* `settled` is called whenever a plan has come into force, with other pools perhaps; NULL: nobody. */
void fw_engine_watch_pools(FwEngine *engine, void (*settled)(void *userdata), void *userdata);
PtNft *fw_engine_nft_socket(FwEngine *engine);
/* What is in force, or NULL before the first commit. */
const FwLayout *fw_engine_layout(const FwEngine *engine);
/* The table of bridges in force; NULL: none. */
const FwBridge *fw_engine_bridge(const FwEngine *engine);
/* Tells whenever a plan has been verified: the policy in force is what connections may go by. */
typedef void (*FwVerified)(void *userdata);
void fw_engine_on_verified(FwEngine *engine, FwVerified verified, void *userdata);
