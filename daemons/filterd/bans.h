/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Bans: addresses and prefixes whose packets are dropped for a time, before anything else is asked,
 * established connections included. They are no configuration: they come and go by calls, survive
 * commits, other programs' changes and a restart of filterd, and end with the machine.
 *
 * In the kernel there is a hash set for each prefix length in use (b_ban4, b_ban6 of hosts;
 * b_ban4_24 and so on), and a rule for each in the chains p_bans (from) and p_bans_to. Not interval
 * sets: those refuse prefixes inside of others, each of which may have a time of its own. Without
 * bans there are no rules.
 *
 * What is in force is always known here. An element's time in the kernel is longer than the ban by
 * FW_BAN_GRACE, and filterd removes it when the ban ends: else no transaction that names an element
 * could be sure that it is still there, and one that is not fails the whole. A kernel whose filterd
 * is gone lifts the bans by itself. The kernel's sets are also what a filterd that starts reads them
 * from.
 */

#include "counters.h"
#include "filter/ban.h"
#include <systemd/sd-event.h>

typedef struct FwBans FwBans;

#define FW_BANS_MAX 262144U     /* about 90 bytes here, and 110 in the kernel, each */
#define FW_BAN_BATCH_MAX 65536U /* of one call */
#define FW_BAN_QUEUE_MAX 64U    /* calls that wait for the one under way */
#define FW_BAN_GRACE_USEC (5 * G_USEC_PER_SEC)

#define FW_CHAIN_BANS "p_bans"
#define FW_CHAIN_BANS_TO "p_bans_to"

/* `event` may be NULL where nothing is ever changed. Reads what the kernel has. */
int fw_bans_new(sd_event *event, int netns_fd, FwBans **ret);
/* What waits gets -ECANCELED. */
void fw_bans_free(FwBans *bans);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwBans, fw_bans_free)
uint32_t fw_bans_port(const FwBans *bans); /* of its netlink socket, as the monitor reports it */

/* Told after each change that the kernel has taken, by whatever call or by time. */
typedef void (*FwBansChanged)(uint32_t added, uint32_t removed, void *userdata);
void fw_bans_watch(FwBans *bans, FwBansChanged changed, void *userdata);

/*
 * Changes in one transaction. `n` is what is new, or what was there, in force: 0; -EAGAIN: noted,
 * but the table is being repaired, with which it comes into force; -EBUSY and -EFBIG (before `done`
 * is taken): FW_BAN_QUEUE_MAX, FW_BANS_MAX.
 */
typedef void (*FwBansDone)(int result, uint32_t n, void *userdata);
int fw_bans_add(FwBans *bans, const FwBan *list, size_t n, FwBansDone done, void *userdata);
int fw_bans_remove(FwBans *bans, const FwBan *list, size_t n, FwBansDone done, void *userdata);
int fw_bans_flush(FwBans *bans, FwBansDone done, void *userdata);

/* A batch of somebody else's runtime elements, in its turn. Takes the batch when it returns 0. */
int fw_bans_send(FwBans *bans, PtNftBatch *batch, FwBansDone done, void *userdata);
/*
 * The same of what depends on the table as it is: `make` is asked when its turn has come, and a few
 * times again if the kernel has no such thing any more (-ENOENT). An error of its own ends it.
 */
typedef int (*FwBansMake)(PtNftBatch **ret, void *userdata);
int fw_bans_send_made(FwBans *bans, FwBansMake make, FwBansDone done, void *userdata);

uint32_t fw_bans_count(const FwBans *bans);
bool fw_bans_has(const FwBans *bans, const FwBan *ban);
/* Whether one is of the address; *ret (may be NULL): the widest of them. */
bool fw_bans_cover(const FwBans *bans, uint8_t family, const uint8_t *address, FwBan *ret);
/* Up to `limit` in order, after `after` (NULL: from the first); true: there are more. */
bool fw_bans_list(const FwBans *bans, const FwBan *after, unsigned limit,
                  void (*each)(const FwBan *ban, void *userdata), void *userdata);

/* For the engine: puts sets, elements and rules into a batch that makes the table anew. `counts`
 * as of fw_ruleset_put_dispatch(). */
void fw_bans_put(FwBans *bans, GHashTable *counts, PtNftBatch *batch);
/* The engine's own transaction is on its way: ours wait until it is not. */
void fw_bans_hold(FwBans *bans, bool hold);
bool fw_bans_sending(const FwBans *bans); /* one of ours is on its way */
