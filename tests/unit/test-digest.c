/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/digest.h"
#include "unit.h"

#include <string.h>

/* The examples of FIPS 180-4, from NIST's "Examples with Intermediate Values". */
static const struct {
        const char *text, *hex;
} examples[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
};

static void test_examples(void **state)
{
        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(examples); i++) {
                char hex[PT_DIGEST_HEX + 1];
                PtDigest once, parts;
                PtHasher *hasher = pt_hasher_new();

                pt_digest_of(examples[i].text, strlen(examples[i].text), &once);
                pt_digest_to_hex(&once, hex);
                assert_string_equal(hex, examples[i].hex);

                for (const char *p = examples[i].text; *p; p++)
                        pt_hasher_add(hasher, p, 1);
                pt_hasher_end(hasher, &parts);
                assert_true(pt_digest_equal(&once, &parts));
        }
}

static void test_hex(void **state)
{
        char hex[PT_DIGEST_HEX + 1];
        PtDigest digest = {{1}}, before = digest;

        (void) state;
        assert_int_equal(pt_digest_from_hex(examples[1].hex, &digest), 0);
        pt_digest_to_hex(&digest, hex);
        assert_string_equal(hex, examples[1].hex);

        digest = before;
        assert_int_equal(pt_digest_from_hex("", &digest), -EINVAL);
        assert_int_equal(pt_digest_from_hex("ba78", &digest), -EINVAL);
        strcpy(hex, examples[1].hex);
        hex[PT_DIGEST_HEX - 1] = 'g';
        assert_int_equal(pt_digest_from_hex(hex, &digest), -EINVAL);
        hex[PT_DIGEST_HEX - 1] = 'A';
        assert_int_equal(pt_digest_from_hex(hex, &digest), -EINVAL);
        assert_int_equal(
                pt_digest_from_hex(
                        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad0",
                        &digest),
                -EINVAL);
        assert_true(pt_digest_equal(&digest, &before));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_examples),
                cmocka_unit_test(test_hex),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
