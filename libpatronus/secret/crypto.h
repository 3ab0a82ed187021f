/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The few primitives that sealing is made of, by OpenSSL's EVP. Sizes are checked; -EIO: OpenSSL
 * cannot (no memory, or a policy of the system forbids the algorithm).
 */

#include "base/macros.h"

#define PT_X25519_SIZE 32 /* of a private key, a public key and a shared secret */
#define PT_GCM_TAG 16
#define PT_HMAC_SIZE 32

/*
 * AES in Galois/Counter mode. Keys of 16, 24 or 32 bytes, nonces of 1 to PT_GCM_NONCE_MAX (12 is
 * what to use), tags of PT_GCM_TAG bytes. -EINVAL: other sizes.
 */
#define PT_GCM_NONCE_MAX 128 /* what OpenSSL 3 takes */
typedef struct PtGcm {
        const uint8_t *key;
        size_t key_size;
        const uint8_t *nonce;
        size_t nonce_size;
        const uint8_t *aad; /* what is authenticated beside the text */
        size_t aad_size;
} PtGcm;
/* `out` has `size` bytes, and may be `in`. */
int pt_gcm_encrypt(const PtGcm *gcm, const uint8_t *in, size_t size, uint8_t *out,
                   uint8_t tag[static PT_GCM_TAG]);
/* -EBADMSG: it was changed, or the key is another one; `out` is zeroed then. */
int pt_gcm_decrypt(const PtGcm *gcm, const uint8_t *in, size_t size,
                   const uint8_t tag[static PT_GCM_TAG], uint8_t *out);

/* RFC 7748. */
int pt_x25519_generate(uint8_t ret_private[static PT_X25519_SIZE],
                       uint8_t ret_public[static PT_X25519_SIZE]);
int pt_x25519_public(const uint8_t private[static PT_X25519_SIZE],
                     uint8_t ret_public[static PT_X25519_SIZE]);
/* -EBADMSG: `public` is one of the points whose shared secret is zero for everybody. */
int pt_x25519_shared(const uint8_t private[static PT_X25519_SIZE],
                     const uint8_t public[static PT_X25519_SIZE],
                     uint8_t ret[static PT_X25519_SIZE]);

/* RFC 5869 with SHA-256. */
int pt_hkdf(const uint8_t *secret, size_t secret_size, const uint8_t *salt, size_t salt_size,
            const uint8_t *info, size_t info_size, uint8_t *ret, size_t ret_size);
/* RFC 2104 with SHA-256. */
int pt_hmac(const uint8_t *key, size_t key_size, const uint8_t *data, size_t size,
            uint8_t ret[static PT_HMAC_SIZE]);
/* Whether the bytes are equal, in a time that does not depend on where they differ. */
bool pt_equal_in_constant_time(const void *a, const void *b, size_t size);
/* Bytes that nobody can guess. */
int pt_random(void *ret, size_t size);
