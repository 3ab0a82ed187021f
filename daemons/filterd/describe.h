/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What a plan of the engine says to people: its steps, how long it will take, and what may surprise
 * them. */

#include "bridge.h"
#include "layout-delta.h"
#include "txn/engine.h"

/* Steps, estimate, and whether there is nothing to do. */
void fw_describe_delta(const FwLayoutDelta *delta, PtPlan *plan);
/* The same of a table of bridges that is to change; NULL: there is to be none. */
void fw_describe_bridge(const FwBridge *bridge, PtPlan *plan);
/* Microseconds that a whole load will take. */
uint64_t fw_estimate_load(const FwLayout *layout);
/* Says of a new table of bridges that packets between ports come to the zones' rules too, when
 * br_netfilter sees to that. */
void fw_notice_bridge_netfilter(PtDiagnostics *diag);
/* Says once of all rules that are new without `to` that they are for the router too. `before`: NULL,
 * nothing. */
void fw_notice_without_to(const PtSlice *before, const PtSlice *wanted, PtDiagnostics *diag);
