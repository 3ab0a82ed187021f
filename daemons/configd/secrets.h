/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Secrets of objects that come in. What a person wrote in the clear is sealed to the key of the
 * daemon that owns the kind, at once and before anything else is made of the object; the daemon
 * need not run, its public key is a file (secret/keys.h). The same value again gives the sealed
 * text that is there, so that an input applied twice changes nothing. configd cannot open any.
 */

#include "kind/kind.h"

typedef struct Secrets Secrets;

Secrets *secrets_new(const char *state_dir);
void secrets_free(Secrets *secrets);

/*
 * Leaves only sealed values in an object that is not sealed yet, and has its uid. `old`: what it
 * takes the place of, or NULL. -EINVAL with diagnostics: there is no key, nothing to leave
 * unchanged, or a sealed value is not of this machine.
 */
int secrets_settle(Secrets *secrets, PtObject *object, const PtObject *old, PtDiagnostics *diag);
/* The object itself, or a sealed copy that has the sealed texts of `other`, which is the same object,
 * wherever the value is the same: two seals of one value are two texts. The caller's. */
PtObject *secrets_like(const PtObject *object, const PtObject *other);
/* Says so and returns false if a value is not sealed: what is committed has been settled. */
bool secrets_are_sealed(const PtObject *object, PtDiagnostics *diag);
