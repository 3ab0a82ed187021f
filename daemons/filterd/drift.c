/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "drift.h"

void fw_drift_note(FwDriftLog *log, const char *what, uint64_t time_usec, uint64_t repair_usec)
{
        FwDrift *drift = &log->last[log->total++ % FW_DRIFTS_MAX];

        drift->time_usec = time_usec;
        drift->repair_usec = repair_usec;
        g_strlcpy(drift->what, what, sizeof(drift->what));
}

const FwDrift *fw_drift_get(const FwDriftLog *log, unsigned i)
{
        return i < MIN(log->total, FW_DRIFTS_MAX) ? &log->last[(log->total - 1 - i) % FW_DRIFTS_MAX]
                                                  : NULL;
}
