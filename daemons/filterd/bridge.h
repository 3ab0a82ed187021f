/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The table `bridge patronus`: rules of frames (filter/frame.h) as chains, one for each of the
 * kernel's hooks of bridges. It is there as long as anything of bridges is configured, and changes
 * in the transaction in which the inet table changes.
 *
 *      forward, input, output   base chains at the priority of filters: of connections that exist
 *                               and invalid packets (BridgeSettings.stateful), the rules in order,
 *                               the default
 *      v_DIGEST                 long lists of values, and what aliases hold, by their content
 *      l_...                    objects: rates at which rules, and defaults, log
 *      _rev                     never reached; its one rule's userdata is a digest of all the rest
 *
 * The policy of the base chains is to accept: a chain that is being made decides nothing yet.
 */

#include "counters.h"
#include "filter/frame.h"
#include "stages.h"

typedef struct FwBridge FwBridge;

/* *ret: NULL when nothing is configured. Errors of fw_frame_rules_new(). */
int fw_bridge_new(const FwSource *source, FwEffective *effective, PtDiagnostics *diag,
                  FwBridge **ret);
FwBridge *fw_bridge_ref(FwBridge *bridge);
void fw_bridge_unref(FwBridge *bridge);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwBridge, fw_bridge_unref)
/* Whether the kernel has the same for both; either may be NULL. */
bool fw_bridge_same(const FwBridge *a, const FwBridge *b);
/* Its rules, FwFrameRule in order of evaluation. */
const GPtrArray *fw_bridge_rules(const FwBridge *bridge);

/* What the marker of the kernel's table says; zeros: there is no table. */
int fw_bridge_read_marker(PtNft *nft, PtDigest *ret);
/* Whether a marker is this table's; `bridge` may be NULL. */
bool fw_bridge_is(const FwBridge *bridge, const PtDigest *marker);

/*
 * Asks the kernel for what the table needs that `before` did not need, in transactions that are never
 * committed. Either may be NULL.
 * -EOPNOTSUPP after a diagnostic that says what it lacks: no-bridge, no-bridge-meta,
 * no-bridge-conntrack.
 */
int fw_bridge_probe(const FwBridge *before, const FwBridge *after, PtNft *nft, PtDiagnostics *diag);

/*
 * What turns `before` (what the kernel has; NULL: no table) into `after`, each of which may be NULL.
 * `whole`: whatever there is, it is made anew. Counters go on. -EINTR: another transaction came
 * between.
 */
int fw_bridge_put(const FwBridge *before, const FwBridge *after, bool whole, PtNft *nft,
                  FwStages *stages);
/* 0, or -EUCLEAN with a diagnostic when the kernel has something else. `changed`: the chains are read
 * too, and not the marker alone. */
int fw_bridge_verify(const FwBridge *bridge, bool changed, PtNft *nft, PtDiagnostics *diag);

typedef struct FwBridgeCount {
        const FwFrameRule *rule; /* NULL: of the table itself */
        const char *name;        /* of the rule; "bridge/default/forward" */
        const char *chain;
        FwCount count;
        bool carried;
} FwBridgeCount;

/* What all that counts has counted, chain by chain, in order; `bridge` may be NULL. */
int fw_bridge_read_counts(const FwBridge *bridge, PtNft *nft,
                          void (*each)(const FwBridgeCount *count, void *userdata), void *userdata);
