/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What changes for packets between two revisions, in lines that people read:
 *
 *         newly allowed: lan 10.1.0.0/24 -> dmz 10.2.0.5 tcp/22 (before: drop by the default;
 *         after: allow by FirewallRule/ssh)
 *
 * Pieces (compare.h) that differ in one respect are one line with a list there. Beside them stands
 * what is not told by packets: which translations (NatRule) changed, and which zones and settings
 * did, whose sources, interfaces and guards lie before the rules.
 *
 * A line for programs, all but `change` and `text` absent where they do not apply:
 *
 *         {"change": "newly-allowed", "from": ["lan"], "to": ["dmz"], "family": "ipv4",
 *          "source": ["10.1.0.0/24"], "destination": ["10.2.0.5"], "protocol": ["tcp"],
 *          "ports": ["22"], "sourcePorts": [...], "icmpTypes": ["8"], "conditions": ["mark 0x1/0xff"],
 *          "before": "drop by the default", "after": "allow by FirewallRule/ssh", "text": ...}
 *         {"change": "nat", "object": "NatRule/web", "text": "NatRule/web is new"}
 *         {"change": "setting", "object": "Zone/lan", "text": ...}
 */

#include "compare.h"

#include <json-c/json.h>

/* Above, who decides is left out, so that more lines can become one. */
#define FW_DIFFERENCE_READABLE 40
/* Lines of one answer. */
#define FW_DIFFERENCE_LINES_MAX 1000

typedef struct FwDifference {
        GPtrArray *lines; /* struct json_object */
        bool partial;     /* it was too complex, or there are more: this is a part of it */
} FwDifference;

/* Either slice may be empty. Errors of reading datasets; -E2BIG with a diagnostic: too many zones. */
int fw_difference_new(const FwSource *before, const FwSource *after, PtDiagnostics *diag,
                      FwDifference **ret);
void fw_difference_free(FwDifference *difference);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwDifference, fw_difference_free)
