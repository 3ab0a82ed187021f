/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Known answers of the RFCs: that the functions are wired as the standards say. */

#include "unit.h"

#include "secret/crypto.h"

#include <string.h>

/* The bytes of hexadecimal digits; the caller frees. */
static uint8_t *hex(const char *digits)
{
        size_t size = strlen(digits) / 2;
        uint8_t *bytes = g_malloc(size + 1);

        for (size_t i = 0; i < size; i++)
                bytes[i] = (uint8_t) (g_ascii_xdigit_value(digits[2 * i]) << 4 |
                                      g_ascii_xdigit_value(digits[2 * i + 1]));
        return bytes;
}

static void assert_hex(const uint8_t *bytes, const char *digits)
{
        g_autofree uint8_t *wanted = hex(digits);

        assert_memory_equal(bytes, wanted, strlen(digits) / 2);
}

/* RFC 7748, section 6.1. */
static void test_x25519(void **state)
{
        g_autofree uint8_t *alice = hex("77076d0a7318a57d3c16c17251b26645"
                                        "df4c2f87ebc0992ab177fba51db92c2a");
        g_autofree uint8_t *bob = hex("5dab087e624a8a4b79e17f8b83800ee6"
                                      "6f3bb1292618b6fd1c2f8b27ff88e0eb");
        static const char shared[] = "4a5d9d5ba4ce2de1728e3bf480350f25"
                                     "e07e21c947d19e3376f09b3c1e161742";
        uint8_t alice_public[32], bob_public[32], secret[32];

        (void) state;
        assert_int_equal(pt_x25519_public(alice, alice_public), 0);
        assert_hex(alice_public, "8520f0098930a754748b7ddcb43ef75a"
                                 "0dbf3a0d26381af4eba4a98eaa9b4e6a");
        assert_int_equal(pt_x25519_public(bob, bob_public), 0);
        assert_hex(bob_public, "de9edb7d7b7dc1b4d35b61c2ece43537"
                               "3f8343c85b78674dadfc7e146f882b4f");
        assert_int_equal(pt_x25519_shared(alice, bob_public, secret), 0);
        assert_hex(secret, shared);
        assert_int_equal(pt_x25519_shared(bob, alice_public, secret), 0);
        assert_hex(secret, shared);
}

/* Points of small order (RFC 7748, section 6.1): the shared secret would be zero for everybody. */
static void test_small_order(void **state)
{
        static const char *const points[] = {
                "0000000000000000000000000000000000000000000000000000000000000000",
                "0100000000000000000000000000000000000000000000000000000000000000",
                "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        };
        uint8_t private[32], public[32], secret[32];

        (void) state;
        assert_int_equal(pt_x25519_generate(private, public), 0);
        for (size_t i = 0; i < G_N_ELEMENTS(points); i++) {
                g_autofree uint8_t *point = hex(points[i]);

                assert_int_equal(pt_x25519_shared(private, point, secret), -EBADMSG);
        }
}

/* RFC 5869, appendices A.1 and A.3. */
static void test_hkdf(void **state)
{
        static const uint8_t ikm[22] = {[0 ... 21] = 0x0b};
        g_autofree uint8_t *salt = hex("000102030405060708090a0b0c");
        g_autofree uint8_t *info = hex("f0f1f2f3f4f5f6f7f8f9");
        uint8_t okm[42];

        (void) state;
        assert_int_equal(pt_hkdf(ikm, sizeof(ikm), salt, 13, info, 10, okm, sizeof(okm)), 0);
        assert_hex(okm, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                        "34007208d5b887185865");
        assert_int_equal(pt_hkdf(ikm, sizeof(ikm), salt, 0, info, 0, okm, sizeof(okm)), 0);
        assert_hex(okm, "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
                        "9d201395faa4b61a96c8");
}

/* RFC 4231, test case 1. */
static void test_hmac(void **state)
{
        static const uint8_t key[20] = {[0 ... 19] = 0x0b};
        uint8_t tag[PT_HMAC_SIZE];

        (void) state;
        assert_int_equal(pt_hmac(key, sizeof(key), (const uint8_t *) "Hi There", 8, tag), 0);
        assert_hex(tag, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

/* The answers for AES-GCM are in test-gcm-suite.c; here is what it must not take or give. */
static void test_gcm_edges(void **state)
{
        static const uint8_t key[32], nonce[12], aad[3] = {1, 2, 3};
        PtGcm gcm = {key, sizeof(key), nonce, sizeof(nonce), aad, sizeof(aad)};
        uint8_t text[5] = "hello", tag[PT_GCM_TAG], sealed[5], out[5];

        (void) state;
        assert_int_equal(pt_gcm_encrypt(&gcm, text, sizeof(text), sealed, tag), 0);
        assert_int_equal(pt_gcm_decrypt(&gcm, sealed, sizeof(sealed), tag, out), 0);
        assert_memory_equal(out, text, sizeof(text));
        gcm.aad_size--;
        memset(out, 'x', sizeof(out));
        assert_int_equal(pt_gcm_decrypt(&gcm, sealed, sizeof(sealed), tag, out), -EBADMSG);
        assert_memory_equal(out, "\0\0\0\0", sizeof(out)); /* nothing unauthentic gets out */
        gcm.aad_size = 0;
        assert_int_equal(pt_gcm_encrypt(&gcm, text, 0, sealed, tag), 0); /* a tag alone */
        assert_int_equal(pt_gcm_decrypt(&gcm, sealed, 0, tag, out), 0);
        gcm.key_size = 31;
        assert_int_equal(pt_gcm_encrypt(&gcm, text, sizeof(text), sealed, tag), -EINVAL);
        gcm.key_size = 32;
        gcm.nonce_size = 0;
        assert_int_equal(pt_gcm_encrypt(&gcm, text, sizeof(text), sealed, tag), -EINVAL);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_x25519),    cmocka_unit_test(test_small_order),
                cmocka_unit_test(test_hkdf),      cmocka_unit_test(test_hmac),
                cmocka_unit_test(test_gcm_edges),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
