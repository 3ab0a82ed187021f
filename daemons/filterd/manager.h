/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* filterd as a whole: the engine, its participant in transactions, and the watch over the table. */

#include "bans.h"
#include "bus/daemon.h"
#include "checker.h"
#include "connections.h"
#include "drift.h"
#include "engine-nft.h"
#include "external.h"
#include "feeds.h"
#include "log-follow.h"
#include "nat64.h"
#include "signals.h"
#include "txn/audit-report.h"
#include "txn/participant.h"

typedef struct FwManager FwManager;

typedef struct FwManagerOptions {
        bool early;
        /* Where an installation has them, when NULL: */
        const char *fetch; /* patronus-fetch, or its socket */
        const char *nat64; /* patronus-nat64 */
} FwManagerOptions;

/*
 * Opens the kernel, brings the decided slice into force, watches. With `early` nothing is watched;
 * a slice that is absent or damaged gives a closed ruleset instead of an open machine. -ENOENT
 * never: without a slice filterd waits for configd.
 */
int fw_manager_new(PtDaemon *daemon, const FwManagerOptions *options, FwManager **ret);
void fw_manager_free(FwManager *manager);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwManager, fw_manager_free)

PtParticipant *fw_manager_participant(FwManager *manager);
FwEngine *fw_manager_engine(FwManager *manager);
FwBans *fw_manager_bans(FwManager *manager);
const FwLog *fw_manager_log(const FwManager *manager);
FwFollowers *fw_manager_followers(FwManager *manager);
FwConnections *fw_manager_connections(FwManager *manager);
FwFeeds *fw_manager_feeds(FwManager *manager);
FwExternal *fw_manager_external(FwManager *manager);
FwOpenings *fw_manager_openings(FwManager *manager);
FwPanic *fw_manager_panic(FwManager *manager);
FwChecker *fw_manager_checker(FwManager *manager); /* NULL with `early` */
FwNat64 *fw_manager_nat64(FwManager *manager);     /* the same */
const FwDriftLog *fw_manager_drifts(const FwManager *manager);
const FwSignals *fw_manager_signals(const FwManager *manager);
PtAuditReporter *fw_manager_reporter(const FwManager *manager);
sd_event *fw_manager_event(FwManager *manager);
const char *fw_manager_state_dir(const FwManager *manager);
GPtrArray *fw_manager_explanations(FwManager *manager); /* bus-filter.h */
int fw_manager_netns(const FwManager *manager);         /* negative: the process's own */

/* bus-filter.c */
int fw_bus_attach(FwManager *manager, sd_bus *bus, const char *path);
