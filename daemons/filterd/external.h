/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * External aliases by calls: entries are put into the kernel's sets (sets.h) and taken out of them,
 * between those that rules put there. What is in them is nowhere else, so it is read from the
 * kernel, and lives as long as that has it: over commits and the end of filterd.
 *
 * An entry is a FwBan of one address.
 */

#include "bans.h"
#include "engine-nft.h"

typedef struct FwExternal FwExternal;

#define FW_EXTERNAL_MAX (1U << FW_ALIAS_EXTERNAL_SIZE_BITS) /* of a family, in the kernel's set */
#define FW_EXTERNAL_BATCH_MAX FW_EXTERNAL_MAX               /* of one call */

/* Changes are sent in turn with those of `bans`. */
int fw_external_new(FwEngine *engine, FwBans *bans, int netns_fd, FwExternal **ret);
void fw_external_free(FwExternal *external); /* after the bans, which tell what waits */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwExternal, fw_external_free)

/* Whether the alias is in force, and external; *ret_timeout (may be NULL): of entries that come
 * without one, microseconds, 0: they stay. */
bool fw_external_has(const FwExternal *external, const char *alias, uint64_t *ret_timeout);
/* Names of those in force. */
GPtrArray *fw_external_list(const FwExternal *external);

/*
 * Changes in one transaction. `n` is how many distinct entries were put there, with the time that
 * they came with, or how many of them were there. -ENFILE: there are FW_EXTERNAL_MAX; -ESRCH: the
 * alias went meanwhile; -EBUSY and -EFBIG (before `done` is taken).
 */
int fw_external_add(FwExternal *external, const char *alias, const GArray *entries, FwBansDone done,
                    void *userdata);
int fw_external_remove(FwExternal *external, const char *alias, const GArray *entries,
                       FwBansDone done, void *userdata);
int fw_external_flush(FwExternal *external, const char *alias, FwBansDone done, void *userdata);

/* All entries of a family in order (FwBan). -ESRCH: there is no such alias in force. */
int fw_external_read(const FwExternal *external, const char *alias, int family, GArray **ret);
/* What of an alias is in the kernel's set of that name, in no order, added to `entries`. */
int fw_external_read_set(PtNft *nft, const char *set, int family, GArray *entries);
