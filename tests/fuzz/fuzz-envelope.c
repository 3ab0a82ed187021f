/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A text that claims to be sealed: what is taken has one spelling, and parts inside of its bytes. */

#include "secret/envelope.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_parts(const PtEnvelope *envelope, const uint8_t *bytes, size_t size)
{
        g_assert(envelope->head == bytes && envelope->key > bytes);
        g_assert(envelope->ciphertext_size > 0 &&
                 envelope->ciphertext_size % PT_ENVELOPE_BLOCK == 0);
        g_assert(envelope->ciphertext + envelope->ciphertext_size == envelope->tag);
        g_assert(envelope->tag + PT_ENVELOPE_TAG == bytes + size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        g_autofree char *text = g_strndup((const char *) data, size), *again = NULL;
        g_autofree uint8_t *bytes = NULL;
        PtEnvelope envelope;
        size_t whole;

        if (pt_envelope_parse(data, size, &envelope) >= 0)
                check_parts(&envelope, data, size);
        if (pt_envelope_from_text(text, &bytes, &envelope) < 0) {
                g_assert(!bytes);
                return 0;
        }
        whole = PT_ENVELOPE_HEAD + envelope.ciphertext_size + PT_ENVELOPE_TAG;
        check_parts(&envelope, bytes, whole);
        again = pt_envelope_to_text(bytes, whole);
        g_assert_cmpstr(again, ==, text);
        return 0;
}
