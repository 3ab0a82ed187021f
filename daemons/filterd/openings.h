/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Ports of the router that are opened at run time (filter/opening.h). They are no configuration: they
 * come and go by calls, survive commits, other programs' changes and a restart of filterd, and end
 * with the machine, with their zone, or when their time is over.
 *
 * In the kernel an opening is a rule (two, of TCP and UDP; each with one before it that logs) in the
 * chain w_ZONE, or p_open of those for all zones, to both of which i_ZONE jumps after the guards of the
 * zone and before the rules of its pair. A rule asks, last, whether the opening's number is in the set
 * w_open, whose elements have times: so an opening ends though filterd is gone, FW_BAN_GRACE later
 * than filterd ends it. What a rule is about is in its userdata: a filterd that starts reads it from
 * there.
 */

#include "bans.h"
#include "filter/opening.h"
#include "filter/zones.h"

typedef struct FwOpenings FwOpenings;
typedef struct FwEngine FwEngine;

#define FW_OPENINGS_MAX 256U /* a new connection is asked about all of its zone, one by one */

#define FW_CHAIN_OPEN_ANY "p_open"
#define FW_SET_OPEN "w_open"
/* Base: the set, and the chain for all zones. */
void fw_openings_put_base(PtNftBatch *batch);
char *fw_openings_chain(const char *zone); /* "": for all; the caller's */
/* The jumps to them from the chain of a zone, and the zone's chain, which stays as it is if it is
 * there. */
void fw_openings_put_jumps(const char *zone, const char *chain, PtNftBatch *batch);

/* Reads what the kernel has. Changes are sent in turn with those of `bans`. */
int fw_openings_new(sd_event *event, int netns_fd, FwEngine *engine, FwBans *bans,
                    FwOpenings **ret);
void fw_openings_free(FwOpenings *openings); /* after the bans, which tell what waits */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwOpenings, fw_openings_free)

/*
 * Opens (the number is given, that of the same opening if there is one, which gets the new time), and
 * closes all of those numbers (uint32_t). `n`: the opening's number, or how many were closed.
 * -ENOENT: the zone is not in force (any more); -EFBIG: FW_OPENINGS_MAX; -EBUSY.
 */
int fw_openings_open(FwOpenings *openings, const FwOpening *opening, FwBansDone done,
                     void *userdata);
int fw_openings_close(FwOpenings *openings, const GArray *ids, FwBansDone done, void *userdata);

/* In the order of their numbers. */
unsigned fw_openings_count(const FwOpenings *openings);
const FwOpening *fw_openings_get(const FwOpenings *openings, unsigned i);
/* FwWorld.opened; `openings` may be NULL. */
bool fw_openings_admit(const FwOpenings *openings, const FwKnock *knock, FwOpening *ret);

/* For the engine: all of zones in force into a batch that makes the table anew, and what is to be
 * done when other zones are in force. */
void fw_openings_put(const FwOpenings *openings, const FwZones *zones, GHashTable *counts,
                     PtNftBatch *batch);
void fw_openings_follow(FwOpenings *openings, const FwZones *zones);
