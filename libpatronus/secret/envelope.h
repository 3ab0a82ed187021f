/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A sealed value. Version 1, in bytes:
 *
 *    1   version: 1
 *    8   key: the first bytes of SHA-256 of the public key that it is sealed to
 *   32   ephemeral: an X25519 public key that was made for this value
 *   32   compare: HMAC-SHA256 under configd's own key; says whether a plaintext is the same as this
 *    n   ciphertext: AES-256-GCM of the value, 0x80, and zeros up to a multiple of 64 bytes, so
 *        that its length tells little
 *   16   tag
 *
 * As text: "sealed:v1:" and the bytes in base64 (RFC 4648, section 4, padded). One value, one text.
 * How the parts are made is in secret/seal.h.
 */

#include "secret/secret.h"

#define PT_SEALED_PREFIX "sealed:"
#define PT_ENVELOPE_KEY 8
#define PT_ENVELOPE_EPHEMERAL 32
#define PT_ENVELOPE_COMPARE 32
#define PT_ENVELOPE_HEAD (1 + PT_ENVELOPE_KEY + PT_ENVELOPE_EPHEMERAL + PT_ENVELOPE_COMPARE)
#define PT_ENVELOPE_BLOCK 64
#define PT_ENVELOPE_TAG 16
#define PT_ENVELOPE_CIPHERTEXT_MAX (PT_SECRET_MAX + PT_ENVELOPE_BLOCK)
#define PT_ENVELOPE_MAX (PT_ENVELOPE_HEAD + PT_ENVELOPE_CIPHERTEXT_MAX + PT_ENVELOPE_TAG)
#define PT_SEALED_TEXT_MAX (16 + (PT_ENVELOPE_MAX + 2) / 3 * 4)

/* The parts, all of them borrowed from the bytes of one. */
typedef struct PtEnvelope {
        const uint8_t *head; /* PT_ENVELOPE_HEAD bytes: the version and what follows */
        const uint8_t *key, *ephemeral, *compare;
        const uint8_t *ciphertext;
        size_t ciphertext_size; /* a multiple of PT_ENVELOPE_BLOCK, not 0 */
        const uint8_t *tag;
} PtEnvelope;

/* Finds the parts; -EPROTONOSUPPORT: of a later version; -EBADMSG: it is none. */
int pt_envelope_parse(const uint8_t *bytes, size_t size, PtEnvelope *ret);
/* true if a text claims to be sealed. */
bool pt_sealed_text_is(const char *text);
/* The bytes of a text, which are the caller's, and the parts of them. As pt_envelope_parse(). */
int pt_envelope_from_text(const char *text, uint8_t **ret_bytes, PtEnvelope *ret);
/* The text of an envelope's bytes; the caller's. */
char *pt_envelope_to_text(const uint8_t *bytes, size_t size);
