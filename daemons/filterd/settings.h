/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What FilterSettings add to the fixed part of the table: the anti-lockout chain, the guards that
 * stand before the rules of some zones (antispoof, bogons, private addresses), and logging of what
 * no rule matched. All of it is put and dropped together with the dispatch.
 */

#include "filter/reason.h"
#include "filter/zones.h"
#include "stages.h"

#define FW_CHAIN_LOCKOUT "p_lockout"

/* Sets and chains, which nothing leads to yet. `counts` (comment -> FwCount) may be NULL. */
void fw_settings_put(const FwZones *zones, GHashTable *counts, FwStages *stages);
/* The chains, once nothing leads to them any more. */
void fw_settings_drop(const FwZones *zones, PtNftBatch *batch);

/* Whether the input hook asks FW_CHAIN_LOCKOUT. */
bool fw_settings_has_lockout(const FwZones *zones);
/* Jumps to the guards of a zone: they come first in its chains. */
void fw_settings_put_guards(const FwZone *zone, const char *chain, PtNftBatch *batch);
/* What is about to be dropped or refused for this reason is logged, if the settings say so: rules
 * that go before the one that does it. */
void fw_settings_put_log(const FwZones *zones, const char *chain, FwReason reason,
                         PtNftBatch *batch);
/* The same of packets of no connection. */
void fw_settings_put_log_invalid(const FwZones *zones, const char *chain, PtNftBatch *batch);
/* Chains with counters; NULL-terminated. */
extern const char *const fw_settings_chains[];
/* Whether the chain is there under these settings. */
bool fw_settings_has_chain(const FwZones *zones, const char *chain);
