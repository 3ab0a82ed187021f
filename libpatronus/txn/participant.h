/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The half of a transaction that every daemon shares: it keeps the slice in force, receives deltas,
 * drives the engine through its steps, and offers org.patronus.Transaction1 and
 * org.patronus.Daemon1 on the bus (bus-participant.c, bus-daemon.c). It works without a bus:
 * pt_participant_start() applies the slice on disk.
 *
 *         pt_participant_new(&config, &p);
 *         pt_participant_start(p, diag);
 *         ...
 *         pt_participant_attach(p, bus, path, configd_uid);       each time that there is a bus
 *
 * What is in force after a start, by what the disk has as decided and what the system's own marker
 * says:
 *
 *   marker             what is done
 *   none               the decided slice is applied (a boot)
 *   the decided root   the engine adopts what is there; its plan is empty and nothing is touched
 *   a later revision   nothing. configd died between commit and decide, or its disk is an older
 *                      one. Only configd knows which is right, and what is there was committed and
 *                      works: it stays (condition "Undecided") until the next commit from configd,
 *                      or until the marker is gone (a reconcile then applies the decided slice)
 *   anything else      the decided slice is applied: this daemon missed a commit
 *
 * With `secrets`, a plan of configd's is refused when a secret that changes cannot be opened, and
 * what cannot be opened of the slice in force is told in the condition "SecretsLost".
 *
 * A reconcile that fails is tried again with back-off (condition "Failed") until it, or a
 * transaction, succeeds.
 */

#include "txn/engine.h"
#include <systemd/sd-bus.h>

typedef struct PtParticipant PtParticipant;

typedef struct PtParticipantConfig {
        const char *daemon; /* "filterd": names its file in the store */
        const PtEngine *engine;
        PtEngineCtx *ctx; /* outlives the participant */
        struct PtSecrets
                *secrets; /* of a daemon that owns some (txn/secrets.h), else NULL; outlives
                                      the participant */
} PtParticipantConfig;

/* Sets the engine up. */
int pt_participant_new(const PtParticipantConfig *config, PtParticipant **ret);
/* Aborts what is under way, and tears the engine down; the system stays as it is. */
void pt_participant_free(PtParticipant *participant);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtParticipant, pt_participant_free)

/*
 * Reads the decided slice from ctx->state_dir and brings the system to it: observe, plan, commit,
 * verify, as the table above says. Runs ctx->event until that is done. 0: in force, or left alone
 * as "Undecided"; -ENOENT: nothing decided yet, nothing done; -ECANCELED: the loop was told to end;
 * else what failed, with diagnostics: the daemon can go on, and the participant will try again.
 */
int pt_participant_start(PtParticipant *participant, PtDiagnostics *diag);
/*
 * Plans from what is to the slice in force and commits it: after drift or an event. Begins from the
 * event loop, once a step under way has ended; a plan that waits for its next step is aborted (and
 * that step told Conflict), because repair does not wait for others. `done` may be NULL.
 */
int pt_participant_reconcile(PtParticipant *participant, PtDone done, void *userdata);
/* The same, but what others have under way is waited for: nothing is wrong yet. */
int pt_participant_reconcile_idle(PtParticipant *participant, PtDone done, void *userdata);
/* A transaction or a reconcile is under way. */
bool pt_participant_busy(const PtParticipant *participant);

PtSlice *pt_participant_slice(const PtParticipant *participant); /* decided; borrowed; never NULL */
uint64_t pt_participant_revision(const PtParticipant *participant); /* in force; 0: none is */

/* Conditions that Daemon1 reports: set or replace by name, with a text; NULL clears. */
void pt_participant_set_condition(PtParticipant *participant, const char *name, const char *text);

/* configd's user; root's where there is none. */
uid_t pt_participant_owner(void);
/*
 * Adds Daemon1 and Transaction1 at `path`, in place of those on an earlier connection; only
 * `owner_uid` (configd) and root may call Transaction1. `participant` may be NULL for --introspect.
 */
int pt_participant_attach(PtParticipant *participant, sd_bus *bus, const char *path,
                          uid_t owner_uid);
