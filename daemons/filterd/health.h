/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which servers of pools are alive: last known, by pool and server (pools.h). Whoever is not known
 * counts as alive, since nothing speaks against it. It outlives layouts, and what the kernel's maps
 * say survives filterd: a filterd that starts learns it from there.
 */

#include "netlink/nft.h"

typedef struct FwHealth FwHealth;
FwHealth *fw_health_new(void);
void fw_health_free(FwHealth *health);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwHealth, fw_health_free)

bool fw_health_is_up(const FwHealth *health, const char *pool, const char *id); /* NULL: all are */
void fw_health_set(FwHealth *health, const char *pool, const char *id, bool up);
/* Forgets what is not among "POOL/ID" of `keep` (a set). */
void fw_health_keep(FwHealth *health, GHashTable *keep);

/* Reads the maps that a table of ours has; those of pools that are not there anew do not matter. */
int fw_health_learn(FwHealth *health, PtNft *nft);
/* From here on what was learned says nothing of servers that it did not see. `known`: "POOL/ID" of
 * all servers there are (a set). */
void fw_health_settle(FwHealth *health, GHashTable *known);
