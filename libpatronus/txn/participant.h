/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The half of a transaction that every daemon shares: it keeps the slice in force, receives deltas, drives the engine
 * through its steps, and offers org.patronus.Transaction1 and org.patronus.Daemon1 on the bus (bus-participant.c).
 * It works without a bus: pt_participant_start() applies the slice on disk.
 */

#include "txn/engine.h"
#include <systemd/sd-bus.h>

typedef struct PtParticipant PtParticipant;

typedef struct PtParticipantConfig {
        const char *daemon;     /* "filterd": names its file in the store */
        const PtEngine *engine;
        PtEngineCtx *ctx;       /* outlives the participant */
} PtParticipantConfig;

int pt_participant_new(const PtParticipantConfig *config, PtParticipant **ret);
void pt_participant_free(PtParticipant *participant);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtParticipant, pt_participant_free)

/*
 * Reads the decided slice from ctx->state_dir and brings the system to it: observe, plan, commit, verify. Blocks (it
 * runs before the loop). 0: in force; -ENOENT: nothing decided yet, nothing done; else what failed, with diagnostics.
 */
int pt_participant_start(PtParticipant *participant, PtDiagnostics *diag);
/* Plans from what is to the slice in force and commits it: after drift or an event. `done` may be NULL. */
int pt_participant_reconcile(PtParticipant *participant, PtDone done, void *userdata);
bool pt_participant_busy(const PtParticipant *participant); /* a transaction is under way */

PtSlice *pt_participant_slice(const PtParticipant *participant);      /* in force; borrowed; never NULL */
uint64_t pt_participant_revision(const PtParticipant *participant);

/* Conditions that Daemon1 reports: set or replace by name, with a text; NULL clears. */
void pt_participant_set_condition(PtParticipant *participant, const char *name, const char *text);

/* Adds Daemon1 and Transaction1 at `path` on a connected bus; only `owner_uid` (configd) and root may call Transaction1. */
int pt_participant_attach(PtParticipant *participant, sd_bus *bus, const char *path, uid_t owner_uid);
