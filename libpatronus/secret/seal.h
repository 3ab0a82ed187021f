/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Sealing to a public key, comparing without opening, opening.
 *
 *   shared   = X25519(ephemeral private key, owner's public key)
 *   okm      = HKDF-SHA256(shared, salt: ephemeral public | owner's public, info: "patronus secret
 *              v1"): a key of 32 bytes and a nonce of 12, used once
 *   aad      = identity | the head of the envelope
 *   compare  = HMAC-SHA256(configd's key, identity | plaintext)
 *
 * The identity says whose value it is: kind, uid of the object, and field. A value that is moved to
 * another object or field does not open there. The uid survives a rename of the object, and
 * PtField.sealed_as one of the field.
 *
 * configd seals and compares, and has nothing to open with. What `compare` tells: with configd's
 * key, whether a guess is right; without it, nothing.
 */

#include "secret/envelope.h"
#include "secret/keys.h"
#include "secret/revealed.h"

typedef struct PtSecretIdentity {
        const char *kind;   /* "TestService" */
        const uint8_t *uid; /* 16 bytes */
        const char *field;  /* "secret", "auth.password" */
} PtSecretIdentity;

/* The text of the value sealed to a public key; the caller's. -EINVAL: more than PT_SECRET_MAX
 * bytes. */
int pt_seal(const PtPublicKey *owner, const PtCompareKey *compare, const PtSecretIdentity *identity,
            const char *plain, size_t size, char **ret_text);
/* 1: the envelope is sealed to this key and holds this plaintext; 0: it is not, or does not. */
int pt_sealed_is(const PtEnvelope *envelope, const PtPublicKey *owner, const PtCompareKey *compare,
                 const PtSecretIdentity *identity, const char *plain, size_t size);
/* true if the envelope names this key. */
bool pt_sealed_for(const PtEnvelope *envelope, const PtPublicKey *owner);
/* -ENOKEY: sealed to another key; -EBADMSG: it was changed, or belongs to another object. */
int pt_sealed_open(const PtEnvelope *envelope, const PtKeyPair *owner,
                   const PtSecretIdentity *identity, PtRevealed **ret);
