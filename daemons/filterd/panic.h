/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Panic: nothing passes, connections that exist included, but who administers by the anti-lockout of
 * FilterSettings, discovery of neighbours to and from the router, and what does not leave the machine.
 * It is no configuration: it is switched by a call, survives commits, other programs' changes and a
 * restart of filterd, and ends with the machine.
 *
 * In the kernel these are base chains of their own before all others of ours, panic_input,
 * panic_forward and panic_output, that are there while it is on: so it costs nothing while it is off.
 * What they let pass goes on to the others. Whether they are there is what a filterd that starts reads.
 */

#include "bans.h"
#include "filter/zones.h"

typedef struct FwPanic FwPanic;
typedef struct FwEngine FwEngine;

extern const char *const fw_panic_chains[]; /* the last is NULL */

/* Reads what the kernel has. Changes are sent in turn with those of `bans`. */
int fw_panic_new(int netns_fd, FwEngine *engine, FwBans *bans, FwPanic **ret);
void fw_panic_free(FwPanic *panic); /* after the bans, which tell what waits */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwPanic, fw_panic_free)

bool fw_panic_is_on(const FwPanic *panic); /* `panic` may be NULL: no */
/* `n` is 1 when it was otherwise before. -ESRCH: no ruleset is in force. */
int fw_panic_switch(FwPanic *panic, bool on, FwBansDone done, void *userdata);

/* For the engine: into a batch that makes the table anew, if it is on; and what is to be done when
 * another policy is in force, whose anti-lockout may be another one. */
void fw_panic_put(const FwPanic *panic, const FwZones *zones, GHashTable *counts,
                  PtNftBatch *batch);
void fw_panic_follow(FwPanic *panic);
