/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What several kernel rules share by name, beside the sets of aliases:
 *
 *      h_ftp_tcp                 a helper of connection tracking, for all rules that name it
 *      v_0123456789abcdef        a long list of values
 *      l_FirewallRule/web/10/1   the rate at which a rule logs, 10 a second: one for all its parts and
 *                                classes, so that they log no more together
 *
 *      c_FirewallRule/web/...    what it asks before it lets pass (limiter.h): chains and sets
 *
 * An object is there as long as a rule in force needs it. Its name says all of it, so one that
 * changes is another one.
 */

#include "filter/effective.h"
#include "limiter.h"
#include "match-put.h"
#include "netlink/nft.h"
#include "stages.h"

typedef struct FwObject {
        char *name;
        unsigned users;     /* rules, and a rule's ways */
        FwLimiter *limiter; /* NULL: none */
        FwHelper helper;    /* FW_HELPER_INVALID: no helper */
        int protocol;       /* of a helper */
        PtRate rate;
        FwValueSet set; /* without bounds: it is none */
} FwObject;

/* Name -> FwObject. */
GHashTable *fw_objects_new(void);
GHashTable *fw_objects_copy(GHashTable *objects);
/* Whether a rule needs any. */
bool fw_objects_needed(const FirewallRule *rule);
/* Adds what a rule needs (1), or takes it away (-1). `sets`: that it looks aliases up in. */
void fw_objects_count(GHashTable *objects, const FirewallRule *rule, const FwSets *sets, int by);

char *fw_object_helper_name(FwHelper helper, int protocol);
PtRate fw_object_rate(const FirewallRule *rule); /* at which it logs */
char *fw_object_rate_name(const FirewallRule *rule);
FwLimiter *fw_object_limiter(const FirewallRule *rule,
                             const FwSets *sets); /* NULL: it needs none */

/* What limits have dropped, added to `counts` (comment -> FwCount). */
int fw_objects_read_counts(GHashTable *objects, PtNft *nft, GHashTable *counts);
/* Creates those that `before` (NULL: nothing) does not have: before the rules. `counts` may be
 * NULL. */
void fw_objects_put(GHashTable *objects, GHashTable *before, GHashTable *counts, FwStages *stages);
/* Deletes those that `after` does not have: after the rules. */
void fw_objects_put_drops(GHashTable *objects, GHashTable *after, PtNftBatch *batch);

/*
 * Asks the kernel for the helpers that `before` (NULL: nothing) does not have, in a transaction that
 * is never committed. -EOPNOTSUPP after a diagnostic that names a rule of `rules` (FwEffective and
 * slice) when it lacks one.
 */
int fw_objects_probe(GHashTable *objects, GHashTable *before, FwEffective *effective,
                     const PtSlice *slice, PtNft *nft, PtDiagnostics *diag);
