/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the daemon tells the engine, and whom of the daemon the engine tells. */

#include "engine-internal.h"

#include "base/log.h"

#include <string.h>

bool fw_engine_heard(FwEngine *engine, uint32_t port)
{
        if (port == pt_nft_port(engine->nft))
                return false;
        engine->disturbed = true;
        return true;
}

void fw_engine_distrust(FwEngine *engine)
{
        engine->distrusted = true;
}

void fw_engine_watch(FwEngine *engine, PtNftMonitor *monitor)
{
        engine->monitor = monitor;
}

void fw_engine_on_verified(FwEngine *engine, FwVerified verified, void *userdata)
{
        engine->verified = verified;
        engine->verified_userdata = userdata;
}

void fw_engine_set_bans(FwEngine *engine, FwBans *bans)
{
        engine->bans = bans;
}

void fw_engine_set_openings(FwEngine *engine, FwOpenings *openings)
{
        engine->openings = openings;
}

void fw_engine_set_panic(FwEngine *engine, FwPanic *panic)
{
        engine->panic = panic;
}

const FwOpenings *fw_engine_openings(const FwEngine *engine)
{
        return engine->openings;
}

void fw_engine_set_log_rules(FwEngine *engine, FwLogRules *rules)
{
        engine->log_rules = rules;
}

void fw_engine_set_live(FwEngine *engine, FwLive *live)
{
        fw_live_ref(live);
        fw_live_unref(engine->live);
        engine->live = live;
}

void fw_engine_on_settled(FwEngine *engine, void (*settled)(void *userdata), void *userdata)
{
        engine->settled = settled;
        engine->settled_userdata = userdata;
}

FwHealth *fw_engine_health(FwEngine *engine)
{
        return engine->health;
}

void fw_engine_watch_pools(FwEngine *engine, void (*settled)(void *userdata), void *userdata)
{
        engine->pools_settled = settled;
        engine->pools_userdata = userdata;
}

void fw_engine_set_synchronised(FwEngine *engine)
{
        engine->synchronised = true;
}

bool fw_engine_trusts_clock(const FwEngine *engine)
{
        return engine->synchronised ||
               (engine->layout && engine->layout->times && engine->layout->times->trusted);
}

void fw_engine_watch_times(FwEngine *engine, FwTimesFunc told, void *userdata)
{
        engine->told_times = told;
        engine->times_userdata = userdata;
}

PtNft *fw_engine_nft_socket(FwEngine *engine)
{
        return engine->nft;
}

const FwBridge *fw_engine_bridge(const FwEngine *engine)
{
        return engine->bridge;
}

const FwLayout *fw_engine_layout(const FwEngine *engine)
{
        return engine->layout;
}

/* Large transactions. */

/* A monitor that cannot be paused listens on: it only costs time. */
void fw_engine_begin_quiet(FwEngine *engine)
{
        /* A transaction of bans on its way would be taken for somebody else's. */
        if (!engine->monitor || (engine->bans && fw_bans_sending(engine->bans)) ||
            pt_nft_monitor_pause(engine->monitor) < 0)
                return;
        engine->quiet = true;
        if (pt_nft_generation(engine->nft, &engine->quiet_generation) < 0)
                engine->quiet_generation = 0; /* no generation is: something was missed */
}

/* Each transaction is one generation more (nf_tables_commit): another number than ours explains is
 * somebody else's transaction that was not heard. */
void fw_engine_end_quiet(FwEngine *engine, unsigned committed)
{
        uint32_t generation, expected = engine->quiet_generation + committed;
        bool missed;
        int r;

        if (!engine->quiet)
                return;
        engine->quiet = false;
        r = pt_nft_generation(engine->nft, &generation);
        missed = r < 0 || generation != expected;
        engine->disturbed = engine->disturbed || missed;
        r = pt_nft_monitor_resume(engine->monitor, missed);
        if (r < 0)
                pt_log(LOG_ERR, "changes of the table by others go unnoticed now: %s",
                       strerror(-r));
}
