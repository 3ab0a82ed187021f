/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "secret/secret.h"

#include <string.h>

struct PtSecretBody {
        PtSecretState state;
        size_t size;
        char bytes[]; /* and a NUL */
};

static void set(PtSecret *secret, PtSecretState state, const char *bytes, size_t size)
{
        secret->body = g_malloc(sizeof(*secret->body) + size + 1);
        secret->body->state = state;
        secret->body->size = size;
        memcpy(secret->body->bytes, bytes, size);
        secret->body->bytes[size] = '\0';
}

PtSecretState pt_secret_state(const PtSecret *secret)
{
        return secret->body ? secret->body->state : PT_SECRET_NONE;
}

void pt_secret_set_plain(PtSecret *secret, const char *text, size_t size)
{
        set(secret, PT_SECRET_PLAIN, text, size);
}

void pt_secret_set_unchanged(PtSecret *secret)
{
        set(secret, PT_SECRET_UNCHANGED, "", 0);
}

void pt_secret_set_sealed(PtSecret *secret, const char *text)
{
        set(secret, PT_SECRET_SEALED, text, strlen(text));
}

const char *pt_secret_plain_bytes(const PtSecret *secret, size_t *ret_size)
{
        g_assert(pt_secret_state(secret) == PT_SECRET_PLAIN);
        *ret_size = secret->body->size;
        return secret->body->bytes;
}

const char *pt_secret_sealed_text(const PtSecret *secret)
{
        g_assert(pt_secret_state(secret) == PT_SECRET_SEALED);
        return secret->body->bytes;
}

int pt_secret_compare(const PtSecret *a, const PtSecret *b)
{
        PtSecretState x = pt_secret_state(a), y = pt_secret_state(b);
        int r;

        if (x != y || x == PT_SECRET_NONE)
                return (x > y) - (x < y);
        r = memcmp(a->body->bytes, b->body->bytes, MIN(a->body->size, b->body->size));
        return r != 0 ? r : (a->body->size > b->body->size) - (a->body->size < b->body->size);
}

void pt_secret_copy(PtSecret *to, const PtSecret *from)
{
        const struct PtSecretBody *body = from->body;

        to->body = NULL;
        if (body)
                set(to, body->state, body->bytes, body->size);
}

void pt_secret_done(PtSecret *secret)
{
        if (secret->body)
                pt_wipe_free((char *) secret->body, sizeof(*secret->body) + secret->body->size);
        secret->body = NULL;
}

void pt_wipe_free(char *text, size_t size)
{
        if (text)
                explicit_bzero(text, size);
        g_free(text);
}
