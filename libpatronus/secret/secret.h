/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A secret in an object. What a person wrote is there in the clear for as long as it takes configd
 * to seal it; all that is stored, sent and hashed is the sealed text (secret/envelope.h).
 *
 * It is a struct, so that no format takes it, and no function gives its contents but those two
 * whose names say so. Freed memory is wiped.
 */

#include "base/macros.h"

#define PT_SECRET_MAX 8192 /* bytes in the clear: a private key of RSA with 8192 bits is 6.4 KB */

/* What is shown in place of a secret, and, given back, means "as it is". */
#define PT_SECRET_REDACTED "<redacted>"

typedef enum PtSecretState {
        PT_SECRET_NONE,      /* zeroed memory */
        PT_SECRET_PLAIN,     /* as a person wrote it */
        PT_SECRET_UNCHANGED, /* PT_SECRET_REDACTED was written: the value that is stored stays */
        PT_SECRET_SEALED,
        PT_SECRET_STATE_MAX,
        PT_SECRET_STATE_INVALID = -EINVAL,
} PtSecretState;

typedef struct PtSecret {          /* pt_ctype_secret of a kind's struct */
        struct PtSecretBody *body; /* owned; NULL: none */
} PtSecret;

PtSecretState pt_secret_state(const PtSecret *secret);
/* `secret` is zeroed; copies. */
void pt_secret_set_plain(PtSecret *secret, const char *text, size_t size);
void pt_secret_set_unchanged(PtSecret *secret);
/* `text`: "sealed:v1:...", which the caller has checked. */
void pt_secret_set_sealed(PtSecret *secret, const char *text);
/* In the clear, of PT_SECRET_PLAIN; borrowed. */
const char *pt_secret_plain_bytes(const PtSecret *secret, size_t *ret_size);
/* The text of PT_SECRET_SEALED; borrowed. */
const char *pt_secret_sealed_text(const PtSecret *secret);
/* A total order: by state, then by bytes. */
int pt_secret_compare(const PtSecret *a, const PtSecret *b);
/* Makes `to`, whose memory may be a copy of `from`, own a copy. */
void pt_secret_copy(PtSecret *to, const PtSecret *from);
void pt_secret_done(PtSecret *secret); /* wipes */

/* Wipes and frees a text that held a secret; NULL is fine. */
void pt_wipe_free(char *text, size_t size);
