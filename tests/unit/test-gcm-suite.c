/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Wycheproof's cases of AES-GCM: all sizes of keys and nonces, counters that wrap, tags that were
 * changed. */

#include "suite-unit.h"

#include "secret/crypto.h"

#include <json-c/json.h>

#define TESTS_MIN 300 /* it was the suite, and it was read */

typedef struct Bytes {
        uint8_t *bytes;
        size_t size;
} Bytes;

static void bytes_clear(Bytes *bytes)
{
        g_free(bytes->bytes);
}
#define auto_bytes __attribute__((cleanup(bytes_clear))) Bytes

static Bytes get(struct json_object *json, const char *key)
{
        const char *digits = json_object_get_string(json_object_object_get(json, key));
        Bytes bytes = {.size = strlen(digits) / 2};

        bytes.bytes = g_malloc(bytes.size + 1);
        for (size_t i = 0; i < bytes.size; i++)
                bytes.bytes[i] = (uint8_t) (g_ascii_xdigit_value(digits[2 * i]) << 4 |
                                            g_ascii_xdigit_value(digits[2 * i + 1]));
        return bytes;
}

static void run(struct json_object *test, unsigned counts[2])
{
        bool valid = strcmp(json_object_get_string(json_object_object_get(test, "result")),
                            "valid") == 0;
        int id = json_object_get_int(json_object_object_get(test, "tcId"));
        auto_bytes key = get(test, "key"), nonce = get(test, "iv"), aad = get(test, "aad"),
                   message = get(test, "msg"), text = get(test, "ct"), tag = get(test, "tag");
        const PtGcm gcm = {key.bytes, key.size, nonce.bytes, nonce.size, aad.bytes, aad.size};
        g_autofree uint8_t *out = g_malloc0(message.size + 1), *zero = g_malloc0(message.size + 1);
        uint8_t made[PT_GCM_TAG];
        int r;

        assert_int_equal(tag.size, PT_GCM_TAG);
        r = pt_gcm_decrypt(&gcm, text.bytes, text.size, tag.bytes, out);
        counts[valid]++;
        if (nonce.size > PT_GCM_NONCE_MAX) {
                assert_int_equal(r, -EINVAL); /* right, and longer than OpenSSL takes */
                return;
        }
        if (!valid) {
                if (r >= 0 || memcmp(out, zero, message.size) != 0)
                        fail_msg("case %d is accepted, or gives bytes", id);
                return;
        }
        if (r < 0 || memcmp(out, message.bytes, message.size) != 0)
                fail_msg("case %d is not opened: %d", id, r);
        r = pt_gcm_encrypt(&gcm, message.bytes, message.size, out, made);
        if (r < 0 || memcmp(out, text.bytes, text.size) != 0 ||
            memcmp(made, tag.bytes, sizeof(made)) != 0)
                fail_msg("case %d is sealed to something else: %d", id, r);
}

static void test_suite(void **state)
{
        g_autofree char *path =
                g_build_filename(*state, "testvectors_v1", "aes_gcm_test.json", NULL);
        struct json_object *suite = json_object_from_file(path), *groups;
        unsigned counts[2] = {};

        assert_non_null(suite);
        groups = json_object_object_get(suite, "testGroups");
        for (size_t i = 0; i < json_object_array_length(groups); i++) {
                struct json_object *tests =
                        json_object_object_get(json_object_array_get_idx(groups, i), "tests");

                for (size_t j = 0; j < json_object_array_length(tests); j++)
                        run(json_object_array_get_idx(tests, j), counts);
        }
        json_object_put(suite);
        print_message("%u valid, %u invalid\n", counts[true], counts[false]);
        assert_true(counts[true] + counts[false] >= TESTS_MIN);
}

int main(void)
{
        g_autofree char *folder = unit_suite_folder("wycheproof");
        const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(test_suite, folder)};

        return folder ? cmocka_run_group_tests(tests, NULL, NULL) : UNIT_SKIPPED;
}
