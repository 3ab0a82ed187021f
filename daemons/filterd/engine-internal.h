/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Private to engine-nft.c and engine-ties.c. */

#include "bridge.h"
#include "engine-nft.h"

struct FwEngine {
        PtNft *nft;
        FwLayout *layout; /* in force; NULL: not known */
        FwBridge *bridge; /* in force beside it; NULL: none */
        bool distrusted;
        PtNftMonitor *monitor; /* borrowed; may be NULL */
        bool quiet;            /* it does not listen, since */
        uint32_t quiet_generation;
        bool disturbed; /* somebody else changed what the last plan is about */
        FwBans *bans;
        FwOpenings *openings; /* may be NULL */
        FwPanic *panic;       /* may be NULL */
        FwLogRules *log_rules;
        bool synchronised; /* the machine's clock is, or was once */
        FwTimesFunc told_times;
        void *times_userdata;
        FwLive *live; /* for the next plan */
        void (*settled)(void *userdata);
        void *settled_userdata;
        FwHealth *health;
        void (*pools_settled)(void *userdata);
        void *pools_userdata;
        FwVerified verified; /* or NULL */
        void *verified_userdata;
};

/* The monitor does not listen meanwhile; `committed`: transactions of our own since. */
void fw_engine_begin_quiet(FwEngine *engine);
void fw_engine_end_quiet(FwEngine *engine, unsigned committed);
