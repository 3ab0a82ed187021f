/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "secret/seal.h"

#include "secret/crypto.h"
#include <string.h>

#define INFO "patronus secret v1"
#define UID_SIZE 16
#define KEY_SIZE 32
#define NONCE_SIZE 12
#define MARK 0x80 /* ends the value; zeros follow (ISO/IEC 7816-4) */

/* Each part with an end that it cannot contain, so that two identities never give the same bytes.
 */
static void append_identity(GByteArray *out, const PtSecretIdentity *identity)
{
        g_byte_array_append(out, (const uint8_t *) INFO, sizeof(INFO));
        g_byte_array_append(out, (const uint8_t *) identity->kind,
                            (guint) strlen(identity->kind) + 1);
        g_byte_array_append(out, identity->uid, UID_SIZE);
        g_byte_array_append(out, (const uint8_t *) identity->field,
                            (guint) strlen(identity->field) + 1);
}

static void wipe_array(GByteArray **array)
{
        explicit_bzero((*array)->data, (*array)->len);
        g_byte_array_unref(*array);
}

static int compare_tag(const PtCompareKey *key, const PtSecretIdentity *identity, const char *plain,
                       size_t size, uint8_t ret[static PT_HMAC_SIZE])
{
        /* At its full size at once: an array that grows leaves copies behind. */
        pt_cleanup(wipe_array) GByteArray *data =
                g_byte_array_sized_new((guint) (sizeof(INFO) + strlen(identity->kind) + UID_SIZE +
                                                strlen(identity->field) + 2 + size));

        append_identity(data, identity);
        g_byte_array_append(data, (const uint8_t *) plain, (guint) size);
        return pt_hmac(key->bytes, sizeof(key->bytes), data->data, data->len, ret);
}

/* The key and nonce of one value. */
typedef struct Once {
        uint8_t key[KEY_SIZE], nonce[NONCE_SIZE];
} Once;

static void wipe_once(Once *once)
{
        explicit_bzero(once, sizeof(*once));
}

static int derive(const uint8_t *private, const uint8_t *peer, const uint8_t *ephemeral,
                  const uint8_t *owner, Once *ret)
{
        uint8_t shared[PT_X25519_SIZE], salt[2 * PT_X25519_SIZE];
        int r = pt_x25519_shared(private, peer, shared);

        memcpy(salt, ephemeral, PT_X25519_SIZE);
        memcpy(salt + PT_X25519_SIZE, owner, PT_X25519_SIZE);
        if (r >= 0)
                r = pt_hkdf(shared, sizeof(shared), salt, sizeof(salt), (const uint8_t *) INFO,
                            strlen(INFO), (uint8_t *) ret, sizeof(*ret));
        explicit_bzero(shared, sizeof(shared));
        return r;
}

static GByteArray *additional_data(const PtSecretIdentity *identity, const uint8_t *head)
{
        GByteArray *aad = g_byte_array_new();

        append_identity(aad, identity);
        g_byte_array_append(aad, head, PT_ENVELOPE_HEAD);
        return aad;
}

/* Writes ciphertext and tag behind the head. */
static int encrypt(const Once *once, const PtSecretIdentity *identity, const char *plain,
                   size_t size, size_t padded, uint8_t *envelope)
{
        g_autoptr(GByteArray) aad = additional_data(identity, envelope);
        const PtGcm gcm = {once->key, KEY_SIZE, once->nonce, NONCE_SIZE, aad->data, aad->len};
        uint8_t *text = envelope + PT_ENVELOPE_HEAD;

        memcpy(text, plain, size);
        text[size] = MARK; /* the rest is zeroed */
        return pt_gcm_encrypt(&gcm, text, padded, text, text + padded);
}

int pt_seal(const PtPublicKey *owner, const PtCompareKey *compare, const PtSecretIdentity *identity,
            const char *plain, size_t size, char **ret_text)
{
        size_t padded = (size / PT_ENVELOPE_BLOCK + 1) * PT_ENVELOPE_BLOCK;
        size_t whole = PT_ENVELOPE_HEAD + padded + PT_ENVELOPE_TAG;
        uint8_t private[PT_X25519_SIZE], public[PT_X25519_SIZE];
        pt_cleanup(wipe_once) Once once = {};
        uint8_t *envelope;
        int r;

        if (size > PT_SECRET_MAX)
                return -EINVAL;
        r = pt_x25519_generate(private, public);
        if (r >= 0)
                r = derive(private, owner->bytes, public, owner->bytes, &once);
        explicit_bzero(private, sizeof(private));
        if (r < 0)
                return r;
        envelope = g_malloc0(whole);
        envelope[0] = 1;
        memcpy(envelope + 1, owner->id, PT_ENVELOPE_KEY);
        memcpy(envelope + 1 + PT_ENVELOPE_KEY, public, sizeof(public));
        r = compare_tag(compare, identity, plain, size,
                        envelope + PT_ENVELOPE_HEAD - PT_ENVELOPE_COMPARE);
        if (r >= 0)
                r = encrypt(&once, identity, plain, size, padded, envelope);
        if (r >= 0)
                *ret_text = pt_envelope_to_text(envelope, whole);
        pt_wipe_free((char *) envelope, whole);
        return r;
}

bool pt_sealed_for(const PtEnvelope *envelope, const PtPublicKey *owner)
{
        return memcmp(envelope->key, owner->id, PT_ENVELOPE_KEY) == 0;
}

int pt_sealed_is(const PtEnvelope *envelope, const PtPublicKey *owner, const PtCompareKey *compare,
                 const PtSecretIdentity *identity, const char *plain, size_t size)
{
        uint8_t tag[PT_HMAC_SIZE];
        int r;

        if (!pt_sealed_for(envelope, owner))
                return 0;
        r = compare_tag(compare, identity, plain, size, tag);
        return r < 0 ? r : pt_equal_in_constant_time(tag, envelope->compare, sizeof(tag));
}

/* Cuts the padding off; -EBADMSG: there is none, which no seal of ours makes. */
static int unpad(PtRevealed *revealed)
{
        size_t size = revealed->size;

        while (size > 0 && revealed->bytes[size - 1] == 0)
                size--;
        if (size == 0 || revealed->bytes[size - 1] != MARK)
                return -EBADMSG;
        revealed->size = size - 1;
        revealed->bytes[size - 1] = 0;
        return 0;
}

int pt_sealed_open(const PtEnvelope *envelope, const PtKeyPair *owner,
                   const PtSecretIdentity *identity, PtRevealed **ret)
{
        g_autoptr(PtRevealed) revealed = NULL;
        g_autoptr(GByteArray) aad = NULL;
        pt_cleanup(wipe_once) Once once = {};
        PtGcm gcm;
        int r;

        if (!pt_sealed_for(envelope, &owner->public))
                return -ENOKEY;
        r = derive(owner->private, envelope->ephemeral, envelope->ephemeral, owner->public.bytes,
                   &once);
        if (r < 0)
                return r;
        revealed = pt_revealed_new(envelope->ciphertext_size);
        if (!revealed)
                return -ENOMEM;
        aad = additional_data(identity, envelope->head);
        gcm = (PtGcm){once.key, KEY_SIZE, once.nonce, NONCE_SIZE, aad->data, aad->len};
        r = pt_gcm_decrypt(&gcm, envelope->ciphertext, envelope->ciphertext_size, envelope->tag,
                           revealed->bytes);
        if (r >= 0)
                r = unpad(revealed);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&revealed);
        return 0;
}
