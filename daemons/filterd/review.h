/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What is said about a planned ruleset before anything is done for it: rules that are never reached
 * or not needed (filter/analysis.h), what changes for packets (filter/difference.h), and whether the
 * policy does what its PolicyTests expect (filter/policy-test.h).
 */

#include "cuts.h"
#include "txn/engine.h"

/* As PtEngine.review. */
int fw_review(const FwPlanned *planned, const PtSlice *before, PtReview *review,
              PtDiagnostics *diag);
