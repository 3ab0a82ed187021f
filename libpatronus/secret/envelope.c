/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "secret/envelope.h"

#include <string.h>

#define VERSION 1
#define VERSION_PREFIX PT_SEALED_PREFIX "v1:"

int pt_envelope_parse(const uint8_t *bytes, size_t size, PtEnvelope *ret)
{
        size_t rest;

        if (size < 1 || bytes[0] == 0)
                return -EBADMSG;
        if (bytes[0] > VERSION)
                return -EPROTONOSUPPORT;
        if (size < PT_ENVELOPE_HEAD + PT_ENVELOPE_TAG || size > PT_ENVELOPE_MAX)
                return -EBADMSG;
        rest = size - PT_ENVELOPE_HEAD - PT_ENVELOPE_TAG;
        if (rest == 0 || rest % PT_ENVELOPE_BLOCK != 0)
                return -EBADMSG;
        *ret = (PtEnvelope){
                .head = bytes,
                .key = bytes + 1,
                .ephemeral = bytes + 1 + PT_ENVELOPE_KEY,
                .compare = bytes + 1 + PT_ENVELOPE_KEY + PT_ENVELOPE_EPHEMERAL,
                .ciphertext = bytes + PT_ENVELOPE_HEAD,
                .ciphertext_size = rest,
                .tag = bytes + size - PT_ENVELOPE_TAG,
        };
        return 0;
}

bool pt_sealed_text_is(const char *text)
{
        return g_str_has_prefix(text, PT_SEALED_PREFIX);
}

/* "sealed:v2:" and later. */
static bool is_later(const char *text)
{
        const char *digits = text + strlen(PT_SEALED_PREFIX "v");
        size_t n;

        if (!g_str_has_prefix(text, PT_SEALED_PREFIX "v"))
                return false;
        n = strspn(digits, "0123456789");
        return n > 0 && digits[0] != '0' && digits[n] == ':';
}

int pt_envelope_from_text(const char *text, uint8_t **ret_bytes, PtEnvelope *ret)
{
        g_autofree uint8_t *bytes = NULL;
        g_autofree char *again = NULL;
        gsize size;
        int r;

        if (!g_str_has_prefix(text, VERSION_PREFIX))
                return is_later(text) ? -EPROTONOSUPPORT : -EBADMSG;
        if (strlen(text) > PT_SEALED_TEXT_MAX)
                return -EBADMSG;
        bytes = g_base64_decode(text + strlen(VERSION_PREFIX), &size);
        /* GLib's decoder passes over what is not base64: one spelling only. */
        again = pt_envelope_to_text(bytes, size);
        if (strcmp(text, again) != 0)
                return -EBADMSG;
        r = pt_envelope_parse(bytes, size, ret);
        if (r < 0)
                return r;
        *ret_bytes = g_steal_pointer(&bytes);
        return 0;
}

char *pt_envelope_to_text(const uint8_t *bytes, size_t size)
{
        g_autofree char *base64 = g_base64_encode(bytes, size);

        return g_strconcat(VERSION_PREFIX, base64, NULL);
}
