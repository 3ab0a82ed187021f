/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Translators between IPv6 and IPv4 (Nat64): filterd says which there are to patronus-nat64
 * (helpers/nat64), which runs them, and knows how they are. The helper is reached by a socket beside
 * filterd's run directory, when the system has one there; else filterd starts it, and the next
 * filterd finds it running.
 */

#include "backend/nat64.h"
#include "backend/runner.h"
#include "txn/engine.h"

typedef struct FwNat64 FwNat64;

/* A translator as it is; borrowed. */
typedef struct FwNat64Row {
        const Nat64 *object;
        bool told; /* what follows is known: the helper has said it */
        PtRunnerState state;
        unsigned pid, restarts;
        uint64_t since_usec; /* CLOCK_REALTIME */
        const char *error;   /* why it does not run, or why it ended last; "" */
} FwNat64Row;
const char *fw_nat64_row_state(const FwNat64Row *row); /* as the runner's, or "unknown" */

typedef struct FwNat64Config {
        sd_event *event;
        const char *state_dir, *run_dir; /* filterd's */
        const char *helper;              /* the program */
        void (*changed)(const FwNat64Row *row, void *userdata);
        /* What is wrong with any of them, for people; NULL: nothing. */
        void (*trouble)(const char *text, void *userdata);
        void *userdata;
} FwNat64Config;

int fw_nat64_new(const FwNat64Config *config, FwNat64 **ret);
void fw_nat64_free(FwNat64 *nat64); /* they go on */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwNat64, fw_nat64_free)
/* What is in force now. */
void fw_nat64_follow(FwNat64 *nat64, const PtSlice *slice);
/* By name. */
void fw_nat64_list(FwNat64 *nat64, void (*each)(const FwNat64Row *row, void *userdata),
                   void *userdata);

/* What a plan does to them, as steps. `before`: NULL, nothing. */
void fw_nat64_describe(const PtSlice *before, const PtSlice *wanted, PtPlan *plan);
/* Whether those that are new or other can run here: -EINVAL with a diagnostic, or only that when
 * forced. Asks the helper, and waits for its answer, when the system has its socket. */
int fw_nat64_review(const PtSlice *before, const PtSlice *wanted, const char *run_dir, bool forced,
                    PtDiagnostics *diag);
