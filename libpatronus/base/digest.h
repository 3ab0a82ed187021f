/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* SHA-256 (FIPS 180-4) digests as values, by OpenSSL. */

#include "base/macros.h"

#define PT_DIGEST_SIZE 32
#define PT_DIGEST_HEX (PT_DIGEST_SIZE * 2)

typedef struct PtDigest {
        uint8_t bytes[PT_DIGEST_SIZE];
} PtDigest;

void pt_digest_of(const void *data, size_t size, PtDigest *ret);

/* Incremental: new, add..., end (which frees). */
typedef struct PtHasher PtHasher;
PtHasher *pt_hasher_new(void);
void pt_hasher_add(PtHasher *hasher, const void *data, size_t size);
void pt_hasher_end(PtHasher *hasher, PtDigest *ret);

bool pt_digest_equal(const PtDigest *a, const PtDigest *b);
void pt_digest_to_hex(const PtDigest *digest, char ret[static PT_DIGEST_HEX + 1]); /* lower case */
int pt_digest_from_hex(const char *hex,
                       PtDigest *ret); /* -EINVAL unless exactly 64 lower-case hex digits */
