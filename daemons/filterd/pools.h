/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * ServerPools that NAT rules in force lead to. A pool is in the table:
 *
 *      v_POOL                 the chain that rules lead to; it ends in one of
 *      v_POOL/ID              a chain for each server: translates the destination
 *      v_POOL                 a verdict map: number -> a server's chain
 *      y_POOL/ID/SECONDS      who keeps the server, and for how long still (ServerPool.sticky)
 *
 * The number is counted, drawn or the hash of the source, from 0 to slots - 1; there are several
 * times as many slots as weights, so that they can be shared out among those servers that are
 * alive. Which those are is no configuration (health.h): when a server dies or comes back, the
 * elements of the map are what changes, and no rule. ID is of the server's address and port.
 */

#include "filter/effective.h"
#include "health.h"
#include "netlink/nft.h"

/* At least so many slots, so that the shares of those that are left are about right. */
#define FW_POOL_SLOTS_MIN 128
/* Servers of all pools in force: each has a timer and a socket when it is watched. */
#define FW_POOLS_SERVERS_MAX 512
/* Clients that keep a server: a stranger may be many. */
#define FW_STICKY_MAX 65536

typedef struct FwPoolServer {
        const FwServer *server; /* of the pool */
        bool fallback;
        char *id;     /* 16 hex digits */
        char *chain;  /* "v_web/0123456789abcdef" */
        char *sticky; /* NULL: nobody keeps it */
} FwPoolServer;

typedef struct FwPool {
        unsigned refs;
        const ServerPool *pool; /* a reference */
        char *name;             /* of chain and map */
        FwPoolServer *servers;  /* enabled ones in order, then the fallback */
        unsigned n;
        unsigned slots;
        int *put; /* what the kernel has: for each slot the server's index, or -1; NULL: not known */
} FwPool;

/* Name -> FwPool, of those that NAT rules in force name. Pools of `old` (may be NULL) that are the
 * same are the same objects. -E2BIG with a diagnostic. */
int fw_pools_new(const FwNatPolicy *policy, GHashTable *old, PtDiagnostics *diag, GHashTable **ret);
bool fw_pools_same(GHashTable *a, GHashTable *b);

void fw_pool_unref(void *pool);

char *fw_pool_chain(const char *pool);
/* "POOL/ID": what health.h knows a server by. */
char *fw_pool_server_key(const FwPool *pool, unsigned server);

/* Makes what `before` (NULL: nothing) does not have, or has otherwise: before the rules. */
void fw_pools_put(GHashTable *pools, GHashTable *before, const FwHealth *health, PtNftBatch *batch);
/* Deletes what `after` does not have: after the rules. */
void fw_pools_put_drops(GHashTable *pools, GHashTable *after, PtNftBatch *batch);

/* Which server each slot gets, by who is alive: `slots` numbers, the caller's. */
int *fw_pool_assign(const FwPool *pool, const FwHealth *health);
/* Puts the slots in place of those that are there; who kept a server that is in none keeps it no
 * longer. */
void fw_pool_put_slots(const FwPool *pool, const int *slots, PtNftBatch *batch);
bool fw_pool_is_put(const FwPool *pool, const int *slots);
/* The kernel has what the health says: when it was adopted. */
void fw_pools_trust(GHashTable *pools, const FwHealth *health);
