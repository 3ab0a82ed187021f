/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What a candidate on an old revision meets: which objects changed on both sides since. */

#include "txn/slice.h"

void conflict_report(PtSlice *base, uint64_t base_revision, PtSlice *candidate, PtSlice *running,
                     uint64_t revision, PtDiagnostics *diag);
