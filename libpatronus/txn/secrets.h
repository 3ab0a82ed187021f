/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The secrets of a daemon that owns some: its key pair, and opening. Only such a daemon links this
 * (with pt_seal_dep): the participant calls what it is given.
 *
 *         pt_secrets_new(state_dir, "vpnd", diag, &secrets);
 *         PtParticipantConfig config = {..., .secrets = secrets};
 *         ...
 *         pt_secrets_open(secrets, object, "auth.password", &revealed);       in the engine
 *
 * An engine opens a value when it hands it to the system, and frees it then. What it cannot open
 * (a key that was lost) it leaves as it is in the system, and goes on with the rest: the
 * participant says so in a condition.
 */

#include "secret/revealed.h"
#include "txn/slice.h"

typedef struct PtSecrets PtSecrets;
struct PtSecrets {
        /* Tries every secret of what is in `after` and not the same in `before` (NULL: empty).
         * Returns how many cannot be opened; diagnostics name each. */
        unsigned (*check)(PtSecrets *secrets, const PtSlice *before, const PtSlice *after,
                          PtDiagnostics *diag);
};

/* For a process that opens secrets: makes it leave no core dump, and opens or makes the keys. */
int pt_secrets_new(const char *state_dir, const char *daemon, PtDiagnostics *diag, PtSecrets **ret);
void pt_secrets_free(PtSecrets *secrets); /* wipes the key */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtSecrets, pt_secrets_free)
/* The value in the clear. -ENOENT: the object has none there; -ENOKEY: sealed to another key;
 * -EBADMSG: it was changed, or taken from another object. */
int pt_secrets_open(const PtSecrets *secrets, const PtObject *object, const char *path,
                    PtRevealed **ret);
