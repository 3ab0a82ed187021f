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

/*
 * What differs for packets between two slices, as text in descriptors: writes a line of JSON for each
 * line of filter/difference.h to `answers`, and {"partial":true} at the end of one that is not whole.
 * Blocks; for a child. -EINVAL with the reason in `out`: one of them is no slice.
 */
int fw_compare_run(int before, int after, const char *state_dir, int answers, GString *out);
