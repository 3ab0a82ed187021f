/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The last changes of the table by other programs, and how long their repair took. */

#include "base/macros.h"

#define FW_DRIFTS_MAX 64 /* kept; a program that insists makes one a second */
#define FW_DRIFT_WHAT_MAX 64

typedef struct FwDrift {
        uint64_t time_usec; /* CLOCK_REALTIME, when it was repaired */
        uint64_t repair_usec;
        char what[FW_DRIFT_WHAT_MAX]; /* "forward was touched" */
} FwDrift;

typedef struct FwDriftLog {
        FwDrift last[FW_DRIFTS_MAX]; /* a ring */
        uint64_t total;
} FwDriftLog;

void fw_drift_note(FwDriftLog *log, const char *what, uint64_t time_usec, uint64_t repair_usec);
/* The i-th newest, or NULL. */
const FwDrift *fw_drift_get(const FwDriftLog *log, unsigned i);
