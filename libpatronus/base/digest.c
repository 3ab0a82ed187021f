/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The SHA256_*() functions of OpenSSL 1.1, which 3.x keeps but marks deprecated: EVP looks its
 * algorithm up for each digest, 520 ns for 24 bytes against 54 ns, and a slice looks an object up
 * by a digest of its name.
 */
#define OPENSSL_API_COMPAT 0x10100000L

#include "base/digest.h"

#include <openssl/sha.h>
#include <string.h>

G_STATIC_ASSERT(PT_DIGEST_SIZE == SHA256_DIGEST_LENGTH);

struct PtHasher {
        SHA256_CTX ctx;
};

void pt_digest_of(const void *data, size_t size, PtDigest *ret)
{
        SHA256_CTX ctx;

        SHA256_Init(&ctx);
        SHA256_Update(&ctx, data, size);
        SHA256_Final(ret->bytes, &ctx);
}

PtHasher *pt_hasher_new(void)
{
        PtHasher *hasher = g_new(PtHasher, 1);

        SHA256_Init(&hasher->ctx);
        return hasher;
}

void pt_hasher_add(PtHasher *hasher, const void *data, size_t size)
{
        SHA256_Update(&hasher->ctx, data, size);
}

void pt_hasher_end(PtHasher *hasher, PtDigest *ret)
{
        SHA256_Final(ret->bytes, &hasher->ctx);
        g_free(hasher);
}

bool pt_digest_equal(const PtDigest *a, const PtDigest *b)
{
        return memcmp(a->bytes, b->bytes, PT_DIGEST_SIZE) == 0;
}

void pt_digest_to_hex(const PtDigest *digest, char ret[static PT_DIGEST_HEX + 1])
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < PT_DIGEST_SIZE; i++) {
                ret[2 * i] = digits[digest->bytes[i] >> 4];
                ret[2 * i + 1] = digits[digest->bytes[i] & 15];
        }
        ret[PT_DIGEST_HEX] = '\0';
}

static int nibble(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return -EINVAL;
}

int pt_digest_from_hex(const char *hex, PtDigest *ret)
{
        PtDigest digest;

        if (strnlen(hex, PT_DIGEST_HEX + 1) != PT_DIGEST_HEX)
                return -EINVAL;
        for (size_t i = 0; i < PT_DIGEST_SIZE; i++) {
                int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

                if (high < 0 || low < 0)
                        return -EINVAL;
                digest.bytes[i] = (uint8_t) (high << 4 | low);
        }
        *ret = digest;
        return 0;
}
