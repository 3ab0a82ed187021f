/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "secret/crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>
#include <sys/random.h>

G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_CIPHER_CTX, EVP_CIPHER_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY, EVP_PKEY_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_PKEY_CTX, EVP_PKEY_CTX_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_KDF, EVP_KDF_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(EVP_KDF_CTX, EVP_KDF_CTX_free)

static const EVP_CIPHER *cipher_of(size_t key_size)
{
        switch (key_size) {
        case 16:
                return EVP_aes_128_gcm();
        case 24:
                return EVP_aes_192_gcm();
        case 32:
                return EVP_aes_256_gcm();
        default: /* a size is no enum of ours */
                return NULL;
        }
}

/* A context with key, nonce and AAD in it. */
static int gcm_begin(const PtGcm *gcm, bool encrypt, size_t size, EVP_CIPHER_CTX **ret)
{
        g_autoptr(EVP_CIPHER_CTX) ctx = NULL;
        const EVP_CIPHER *cipher = cipher_of(gcm->key_size);
        int n;

        if (!cipher || gcm->nonce_size == 0 || gcm->nonce_size > PT_GCM_NONCE_MAX ||
            gcm->aad_size > INT_MAX || size > INT_MAX)
                return -EINVAL;
        ctx = EVP_CIPHER_CTX_new();
        if (!ctx || EVP_CipherInit_ex(ctx, cipher, NULL, NULL, NULL, encrypt) <= 0)
                return -EIO;
        if (EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int) gcm->nonce_size, NULL) <= 0 ||
            EVP_CipherInit_ex(ctx, NULL, NULL, gcm->key, gcm->nonce, encrypt) <= 0)
                return -EIO;
        if (gcm->aad_size > 0 &&
            EVP_CipherUpdate(ctx, NULL, &n, gcm->aad, (int) gcm->aad_size) <= 0)
                return -EIO;
        *ret = g_steal_pointer(&ctx);
        return 0;
}

int pt_gcm_encrypt(const PtGcm *gcm, const uint8_t *in, size_t size, uint8_t *out,
                   uint8_t tag[static PT_GCM_TAG])
{
        g_autoptr(EVP_CIPHER_CTX) ctx = NULL;
        uint8_t rest[EVP_MAX_BLOCK_LENGTH];
        int n = 0, r = gcm_begin(gcm, true, size, &ctx);

        if (r < 0)
                return r;
        if ((size > 0 && EVP_CipherUpdate(ctx, out, &n, in, (int) size) <= 0) ||
            EVP_CipherFinal_ex(ctx, rest, &n) <= 0 ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, PT_GCM_TAG, tag) <= 0)
                return -EIO;
        return 0;
}

int pt_gcm_decrypt(const PtGcm *gcm, const uint8_t *in, size_t size,
                   const uint8_t tag[static PT_GCM_TAG], uint8_t *out)
{
        g_autoptr(EVP_CIPHER_CTX) ctx = NULL;
        uint8_t rest[EVP_MAX_BLOCK_LENGTH];
        int n = 0, r = gcm_begin(gcm, false, size, &ctx);

        if (r < 0)
                return r;
        if ((size > 0 && EVP_CipherUpdate(ctx, out, &n, in, (int) size) <= 0) ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, PT_GCM_TAG, (void *) tag) <= 0)
                r = -EIO;
        else if (EVP_CipherFinal_ex(ctx, rest, &n) <= 0)
                r = -EBADMSG;
        if (r < 0 && size > 0)
                explicit_bzero(out, size); /* nothing that is not authentic gets out */
        return r;
}

static EVP_PKEY *private_key(const uint8_t *private)
{
        return EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private, PT_X25519_SIZE);
}

int pt_x25519_public(const uint8_t private[static PT_X25519_SIZE],
                     uint8_t ret_public[static PT_X25519_SIZE])
{
        g_autoptr(EVP_PKEY) key = private_key(private);
        size_t size = PT_X25519_SIZE;

        return key && EVP_PKEY_get_raw_public_key(key, ret_public, &size) > 0 ? 0 : -EIO;
}

int pt_x25519_generate(uint8_t ret_private[static PT_X25519_SIZE],
                       uint8_t ret_public[static PT_X25519_SIZE])
{
        int r = pt_random(ret_private, PT_X25519_SIZE);

        return r < 0 ? r : pt_x25519_public(ret_private, ret_public);
}

int pt_x25519_shared(const uint8_t private[static PT_X25519_SIZE],
                     const uint8_t public[static PT_X25519_SIZE],
                     uint8_t ret[static PT_X25519_SIZE])
{
        static const uint8_t zero[PT_X25519_SIZE];
        g_autoptr(EVP_PKEY) key = private_key(private);
        g_autoptr(EVP_PKEY) peer =
                EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public, PT_X25519_SIZE);
        g_autoptr(EVP_PKEY_CTX) ctx = key ? EVP_PKEY_CTX_new(key, NULL) : NULL;
        size_t size = PT_X25519_SIZE;

        if (!peer || !ctx || EVP_PKEY_derive_init(ctx) <= 0 ||
            EVP_PKEY_derive_set_peer(ctx, peer) <= 0)
                return -EIO;
        /* OpenSSL refuses a shared secret of zeros itself (RFC 7748, section 6.1). */
        if (EVP_PKEY_derive(ctx, ret, &size) <= 0 || size != PT_X25519_SIZE ||
            pt_equal_in_constant_time(ret, zero, sizeof(zero)))
                return -EBADMSG;
        return 0;
}

int pt_hkdf(const uint8_t *secret, size_t secret_size, const uint8_t *salt, size_t salt_size,
            const uint8_t *info, size_t info_size, uint8_t *ret, size_t ret_size)
{
        g_autoptr(EVP_KDF) kdf = EVP_KDF_fetch(NULL, OSSL_KDF_NAME_HKDF, NULL);
        g_autoptr(EVP_KDF_CTX) ctx = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
        char digest[] = "SHA256";
        OSSL_PARAM params[] = {
                OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *) secret, secret_size),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *) salt, salt_size),
                OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *) info, info_size),
                OSSL_PARAM_construct_end(),
        };

        return ctx && EVP_KDF_derive(ctx, ret, ret_size, params) > 0 ? 0 : -EIO;
}

int pt_hmac(const uint8_t *key, size_t key_size, const uint8_t *data, size_t size,
            uint8_t ret[static PT_HMAC_SIZE])
{
        size_t n = 0;

        return EVP_Q_mac(NULL, OSSL_MAC_NAME_HMAC, NULL, "SHA256", NULL, key, key_size, data, size,
                         ret, PT_HMAC_SIZE, &n) &&
                               n == PT_HMAC_SIZE
                       ? 0
                       : -EIO;
}

bool pt_equal_in_constant_time(const void *a, const void *b, size_t size)
{
        return CRYPTO_memcmp(a, b, size) == 0;
}

int pt_random(void *ret, size_t size)
{
        for (size_t n = 0; n < size;) {
                ssize_t r = getrandom((uint8_t *) ret + n, size - n, 0);

                if (r < 0 && errno != EINTR)
                        return -errno;
                n += r > 0 ? (size_t) r : 0;
        }
        return 0;
}
