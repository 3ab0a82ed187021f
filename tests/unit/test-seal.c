/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Sealing, comparing and opening; what was changed or moved does not open. */

#include "unit.h"

#include "base/io.h"
#include "secret/seal.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const uint8_t uid[16] = {1, 2, 3}, other_uid[16] = {1, 2, 4};
static const PtSecretIdentity identity = {"TestService", uid, "auth.secret"};

typedef struct Keys {
        char *state;
        PtKeyPair owner, stranger;
        PtCompareKey compare;
} Keys;

static int setup(void **state)
{
        Keys *keys = g_new0(Keys, 1);
        bool made = false;

        keys->state = g_dir_make_tmp("patronus-seal-XXXXXX", NULL);
        assert_int_equal(pt_key_pair_open(keys->state, "owner", NULL, &keys->owner, &made), 0);
        assert_true(made);
        assert_int_equal(pt_key_pair_open(keys->state, "stranger", NULL, &keys->stranger, &made),
                         0);
        assert_int_equal(pt_compare_key_open(keys->state, NULL, &keys->compare), 0);
        *state = keys;
        return 0;
}

static void remove_all(const char *path)
{
        const char *argv[] = {"rm", "-rf", path, NULL};

        assert_true(g_spawn_sync(NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL,
                                 NULL, NULL, NULL));
}

static int teardown(void **state)
{
        Keys *keys = *state;

        remove_all(keys->state);
        g_free(keys->state);
        g_free(keys);
        return 0;
}

static char *seal(const Keys *keys, const char *plain, size_t size)
{
        char *text = NULL;

        assert_int_equal(
                pt_seal(&keys->owner.public, &keys->compare, &identity, plain, size, &text), 0);
        return text;
}

static int open_text(const char *text, const PtKeyPair *pair, const PtSecretIdentity *whose,
                     PtRevealed **ret)
{
        g_autofree uint8_t *bytes = NULL;
        PtEnvelope envelope;
        int r = pt_envelope_from_text(text, &bytes, &envelope);

        return r < 0 ? r : pt_sealed_open(&envelope, pair, whose, ret);
}

static void test_round_trip(void **state)
{
        static const size_t sizes[] = {0, 1, 62, 63, 64, 65, 127, 128, 1000, PT_SECRET_MAX};
        const Keys *keys = *state;

        for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
                g_autofree char *plain = g_malloc0(sizes[i] + 1), *text = NULL;
                g_autoptr(PtRevealed) revealed = NULL;

                memset(plain, i % 2 ? 0x80 : 'x', sizes[i]);
                text = seal(keys, plain, sizes[i]);
                assert_true(g_str_has_prefix(text, "sealed:v1:"));
                assert_true(strlen(text) <= PT_SEALED_TEXT_MAX);
                assert_null(strstr(text, "xxx"));
                assert_int_equal(open_text(text, &keys->owner, &identity, &revealed), 0);
                assert_int_equal(revealed->size, sizes[i]);
                assert_memory_equal(revealed->bytes, plain, sizes[i] + 1);
        }
}

static void test_too_large(void **state)
{
        const Keys *keys = *state;
        g_autofree char *plain = g_malloc0(PT_SECRET_MAX + 1), *text = NULL;

        assert_int_equal(pt_seal(&keys->owner.public, &keys->compare, &identity, plain,
                                 PT_SECRET_MAX + 1, &text),
                         -EINVAL);
        assert_null(text);
}

/* The same value sealed twice is two texts, of one length for all short values. */
static void test_texts_tell_nothing(void **state)
{
        const Keys *keys = *state;
        g_autofree char *a = seal(keys, "pass", 4), *b = seal(keys, "pass", 4),
                        *c = seal(keys, "a longer word than that", 23);

        assert_string_not_equal(a, b);
        assert_int_equal(strlen(a), strlen(c));
}

static void test_not_where_it_does_not_belong(void **state)
{
        const Keys *keys = *state;
        const PtSecretIdentity others[] = {
                {"TestLink", uid, "auth.secret"},
                {"TestService", other_uid, "auth.secret"},
                {"TestService", uid, "secret"},
        };
        g_autofree char *text = seal(keys, "pass", 4);
        g_autoptr(PtRevealed) revealed = NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
                assert_int_equal(open_text(text, &keys->owner, &others[i], &revealed), -EBADMSG);
        assert_int_equal(open_text(text, &keys->stranger, &identity, &revealed), -ENOKEY);
        assert_null(revealed);
}

/* No bit of it can be changed. */
static void test_every_bit(void **state)
{
        const Keys *keys = *state;
        g_autofree char *text = seal(keys, "pass", 4);
        g_autofree uint8_t *bytes = NULL;
        PtEnvelope envelope;
        size_t size;

        assert_int_equal(pt_envelope_from_text(text, &bytes, &envelope), 0);
        size = (size_t) (envelope.tag + PT_ENVELOPE_TAG - bytes);
        for (size_t bit = 0; bit < 8 * size; bit++) {
                g_autoptr(PtRevealed) revealed = NULL;
                PtEnvelope changed;
                int r;

                bytes[bit / 8] ^= (uint8_t) (1U << bit % 8);
                r = pt_envelope_parse(bytes, size, &changed);
                if (r >= 0)
                        r = pt_sealed_open(&changed, &keys->owner, &identity, &revealed);
                assert_true(r == -EBADMSG || r == -ENOKEY || r == -EPROTONOSUPPORT);
                assert_null(revealed);
                bytes[bit / 8] ^= (uint8_t) (1U << bit % 8);
        }
}

static void test_compare(void **state)
{
        const Keys *keys = *state;
        g_autofree char *text = seal(keys, "pass", 4);
        g_autofree uint8_t *bytes = NULL;
        const PtSecretIdentity other = {"TestService", other_uid, "auth.secret"};
        PtCompareKey another = {{1}};
        PtEnvelope envelope;

        assert_int_equal(pt_envelope_from_text(text, &bytes, &envelope), 0);
#define IS(owner, key, whose, plain)                                                               \
        pt_sealed_is(&envelope, owner, key, whose, plain, strlen(plain))
        assert_int_equal(IS(&keys->owner.public, &keys->compare, &identity, "pass"), 1);
        assert_int_equal(IS(&keys->owner.public, &keys->compare, &identity, "Pass"), 0);
        assert_int_equal(IS(&keys->owner.public, &keys->compare, &identity, "pass "), 0);
        assert_int_equal(IS(&keys->owner.public, &keys->compare, &other, "pass"), 0);
        assert_int_equal(IS(&keys->owner.public, &another, &identity, "pass"), 0);
        /* What the owner has no key for is not the same, whatever it says. */
        assert_int_equal(IS(&keys->stranger.public, &keys->compare, &identity, "pass"), 0);
}

static void test_texts_that_are_none(void **state)
{
        static const struct {
                const char *text;
                int error;
        } cases[] = {
                {"sealed:", -EBADMSG},
                {"sealed:v1:", -EBADMSG},
                {"sealed:v1", -EBADMSG},
                {"sealed:v0:AAAA", -EBADMSG},
                {"sealed:v1:AAAA", -EBADMSG},
                {"sealed:v2:AAAA", -EPROTONOSUPPORT},
                {"sealed:v17:", -EPROTONOSUPPORT},
                {"sealed:vv:", -EBADMSG},
                {"sealed:v2", -EBADMSG},
                {"hunter2", -EBADMSG},
        };
        const Keys *keys = *state;
        g_autofree char *text = seal(keys, "pass", 4), *spaced = NULL, *longer = NULL;
        g_autofree uint8_t *bytes = NULL;
        PtEnvelope envelope;

        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
                assert_int_equal(pt_envelope_from_text(cases[i].text, &bytes, &envelope),
                                 cases[i].error);
        spaced = g_strconcat(text, "\n", NULL);
        longer = g_strconcat("sealed:v1: ", text + strlen("sealed:v1:"), NULL);
        assert_int_equal(pt_envelope_from_text(spaced, &bytes, &envelope), -EBADMSG);
        assert_int_equal(pt_envelope_from_text(longer, &bytes, &envelope), -EBADMSG);
        assert_null(bytes);
}

static char *key_path(const Keys *keys, const char *name)
{
        return g_build_filename(keys->state, "keys", "owner", name, NULL);
}

/* A second start has the same pair, and configd sees its public half. */
static void test_key_files(void **state)
{
        const Keys *keys = *state;
        g_autofree char *private = key_path(keys, "key"), *public = key_path(keys, "public");
        g_autofree char *folder = g_path_get_dirname(private);
        struct stat st;
        PtPublicKey published;
        PtKeyPair again;
        bool made = true;

        assert_int_equal(pt_key_pair_open(keys->state, "owner", NULL, &again, &made), 0);
        assert_false(made);
        assert_memory_equal(&again, &keys->owner, sizeof(again));
        assert_int_equal(pt_public_key_read(keys->state, "owner", &published), 0);
        assert_memory_equal(&published, &keys->owner.public, sizeof(published));
        assert_int_equal(pt_public_key_read(keys->state, "nobody", &published), -ENOENT);
        assert_int_equal(stat(private, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0600);
        assert_int_equal(stat(public, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0644);
        assert_int_equal(stat(folder, &st), 0);
        assert_int_equal(st.st_mode & 07777, 0755);
}

/* A public key that is gone or another's is published again. */
static void test_public_follows(void **state)
{
        const Keys *keys = *state;
        g_autofree char *public = key_path(keys, "public");
        PtPublicKey published;
        PtKeyPair again;
        bool made;

        assert_int_equal(unlink(public), 0);
        assert_int_equal(pt_key_pair_open(keys->state, "owner", NULL, &again, &made), 0);
        assert_int_equal(pt_public_key_read(keys->state, "owner", &published), 0);
        assert_true(g_file_set_contents(public, "x25519-public-v1:AAAA\n", -1, NULL));
        assert_int_equal(pt_public_key_read(keys->state, "owner", &published), -EBADMSG);
        assert_int_equal(pt_key_pair_open(keys->state, "owner", NULL, &again, &made), 0);
        assert_int_equal(pt_public_key_read(keys->state, "owner", &published), 0);
        assert_memory_equal(&published, &keys->owner.public, sizeof(published));
}

/* What may be the only copy of a key is not written over. */
static void test_damaged_key(void **state)
{
        const Keys *keys = *state;
        g_autofree char *private = key_path(keys, "key"), *kept = NULL;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtKeyPair again = {};
        bool made;

        assert_int_equal(chmod(private, 0640), 0);
        assert_int_equal(pt_key_pair_open(keys->state, "owner", diag, &again, &made), -EPERM);
        assert_string_equal(pt_diag_get(diag, 0)->code, "key-exposed");
        assert_int_equal(truncate(private, 20), 0);
        assert_int_equal(chmod(private, 0600), 0);
        assert_int_equal(pt_key_pair_open(keys->state, "owner", diag, &again, &made), -EBADMSG);
        assert_string_equal(pt_diag_get(diag, 1)->code, "key-damaged");
        assert_true(g_file_get_contents(private, &kept, NULL, NULL));
        assert_int_equal(strlen(kept), 20);
        for (size_t i = 0; i < pt_diag_count(diag); i++)
                assert_null(strstr(pt_diag_get(diag, i)->text, kept + 16)); /* nor shown */
}

static void test_other_pair(void **state)
{
        const Keys *keys = *state;
        g_autofree char *private = key_path(keys, "key");
        PtPublicKey published;
        PtKeyPair again;
        bool made = false;

        assert_int_equal(unlink(private), 0);
        assert_int_equal(pt_key_pair_open(keys->state, "owner", NULL, &again, &made), 0);
        assert_true(made);
        assert_memory_not_equal(&again, &keys->owner, sizeof(again));
        assert_int_equal(pt_public_key_read(keys->state, "owner", &published), 0);
        assert_memory_equal(&published, &again.public, sizeof(published));
}

/* The flags of the mapping that has an address, as the kernel tells: " rd wr mr dd ...". */
static char *mapping_flags(const void *address)
{
        g_autofree char *smaps = NULL;
        g_auto(GStrv) lines = NULL;
        bool here = false;

        assert_true(g_file_get_contents("/proc/self/smaps", &smaps, NULL, NULL));
        lines = g_strsplit(smaps, "\n", -1);
        for (char **line = lines; *line; line++) {
                unsigned long from, to;

                if (sscanf(*line, "%lx-%lx ", &from, &to) == 2)
                        here = (unsigned long) address >= from && (unsigned long) address < to;
                else if (here && g_str_has_prefix(*line, "VmFlags:"))
                        return g_strconcat(*line, " ", NULL);
        }
        return NULL;
}

static void test_revealed_memory(void **state)
{
        g_autoptr(PtRevealed) revealed = pt_revealed_new(4096);
        g_autofree char *flags = NULL;

        (void) state;
        assert_int_equal(revealed->bytes[4096], 0); /* a NUL behind the last byte */
        flags = mapping_flags(revealed->bytes);
        assert_non_null(flags);
        assert_non_null(strstr(flags, " dd ")); /* no core dump has it */
        assert_non_null(strstr(flags, " dc ")); /* no child */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
                cmocka_unit_test_setup_teardown(test_too_large, setup, teardown),
                cmocka_unit_test_setup_teardown(test_texts_tell_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(test_not_where_it_does_not_belong, setup, teardown),
                cmocka_unit_test_setup_teardown(test_every_bit, setup, teardown),
                cmocka_unit_test_setup_teardown(test_compare, setup, teardown),
                cmocka_unit_test_setup_teardown(test_texts_that_are_none, setup, teardown),
                cmocka_unit_test_setup_teardown(test_key_files, setup, teardown),
                cmocka_unit_test_setup_teardown(test_public_follows, setup, teardown),
                cmocka_unit_test_setup_teardown(test_damaged_key, setup, teardown),
                cmocka_unit_test_setup_teardown(test_other_pair, setup, teardown),
                cmocka_unit_test(test_revealed_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
