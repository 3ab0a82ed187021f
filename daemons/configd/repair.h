/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Bringing one participant to its part of the running configuration: when it appears with another
 * slice in force, and when a commit failed after it was told to commit.
 *
 * One that appeared is asked what is in force, and left alone if that is right. After a failed
 * commit its word does not count: it may be committing still. Then it gets a plan of no difference,
 * which it takes only if it is idle and has the right slice. What was decided after a crash because
 * of what it said goes through all steps, so that it is verified like any other revision. In all
 * cases, if it has another slice, the whole slice goes through the same steps as any commit.
 */

#include "participant.h"

typedef struct Repair Repair;

typedef enum RepairMode {
        REPAIR_ASK,    /* what it says of itself is believed */
        REPAIR_DOUBT,  /* it must take a plan of no difference */
        REPAIR_VERIFY, /* that is committed and verified too, even if there is nothing to do */
} RepairMode;

/* result: 0: what should be in force is; else a negative errno, with diagnostics. Called exactly
 * once, never before repair_start() returned 0; the repair is gone afterwards. */
typedef void (*RepairDone)(Participant *participant, int result, const PtDiagnostics *diag,
                           void *userdata);

int repair_start(Participant *participant, uint64_t revision, uint64_t step_usec, RepairMode mode,
                 RepairDone done, void *userdata, Repair **ret);
/* Drops it; `done` is not called. */
void repair_free(Repair *repair);
