/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Watches the servers of pools in force (ServerPool.check), and takes those that are dead out of the
 * kernel's maps, and back in, without a commit. Before the first result a server is what was last
 * known of it; the first result decides alone, further ones by `rise` and `fall`.
 */

#include "engine-nft.h"
#include "pools.h"

typedef struct FwChecker FwChecker;

typedef enum FwServerState {
        FW_SERVER_UNCHECKED, /* nobody watches it: it counts as alive */
        FW_SERVER_UP,
        FW_SERVER_DOWN,
        FW_SERVER_STATE_MAX,
        FW_SERVER_STATE_INVALID = -EINVAL,
} FwServerState;
const char *fw_server_state_to_string(FwServerState state); /* "unchecked", "up", "down" */

/* A server as it is; borrowed. */
typedef struct FwServerRow {
        const char *pool;
        PtAddressRange address;
        uint16_t port; /* 0: that of the connection */
        unsigned weight;
        bool fallback;
        bool active; /* new connections are led to it */
        FwServerState state;
        uint64_t since_usec; /* CLOCK_REALTIME: of the state */
        uint64_t probes, failures;
        unsigned streak;   /* results in a row that speak against the state */
        const char *error; /* of the last failure; "": there was none */
} FwServerRow;

/* The server that died or came back; the kernel knows it already, or will when it can be told. */
typedef void (*FwServerChanged)(const FwServerRow *row, void *userdata);

/* `run_dir`: filterd's, beside which the helper is (prober.h). */
int fw_checker_new(sd_event *event, const char *run_dir, FwEngine *engine, FwBans *bans,
                   FwServerChanged changed, void *userdata, FwChecker **ret);
void fw_checker_free(FwChecker *checker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwChecker, fw_checker_free)

/* All servers of pools in force, by pool, in the order of the pool. */
void fw_checker_list(FwChecker *checker, void (*each)(const FwServerRow *row, void *userdata),
                     void *userdata);
