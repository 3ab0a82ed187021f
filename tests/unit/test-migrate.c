/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Documents and stored objects of older and newer versions of a kind. */

#include "vault-unit.h"

#include "kind/describe.h"
#include "txn/slice.h"

static void test_input_is_migrated(void **state)
{
        static const struct {
                const char *in, *out;
        } cases[] = {
                {VAULT_LINE("v1", "a", "\"host\":\"h\""),
                 VAULT_LINE("v3", "a", "\"host\":\"h\",\"port\":80")},
                {VAULT_LINE("v2", "a", "\"host\":\"h\",\"port\":81"),
                 VAULT_LINE("v3", "a", "\"host\":\"h\",\"port\":81")},
                {VAULT_LINE("v2", "a", "\"auth\":{\"user\":\"u\"},\"host\":\"h\""),
                 VAULT_LINE("v3", "a", "\"auth\":{\"user\":\"u\"},\"host\":\"h\",\"port\":80")},
                {VAULT_LINE("v3", "a", "\"host\":\"h\""), VAULT_LINE("v3", "a", "\"host\":\"h\"")},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                g_autoptr(PtObject) object = NULL;
                g_autofree char *out = NULL;
                bool older = !strstr(cases[i].in, "/v3");

                assert_int_equal(vault_read(cases[i].in, diag, &object), 0);
                out = vault_canonical(object);
                assert_string_equal(out, cases[i].out);
                assert_false(pt_object_is_older(object)); /* it is new from now on */
                assert_int_equal(pt_diag_count(diag), older);
                if (older)
                        assert_true(vault_has_diag(diag, PT_SEVERITY_NOTICE, "migrated",
                                                   "/apiVersion"));
        }
}

/* The tree belongs to the caller, who may look into it again. */
static void test_input_stays_as_it_is(void **state)
{
        static const char text[] = VAULT_LINE("v1", "a", "\"host\":\"h\",\"password\":\"pass\"");
        g_autoptr(PtObject) object = NULL;
        pt_auto_json *json = NULL, *again = NULL;

        (void) state;
        assert_int_equal(pt_json_parse(text, strlen(text), NULL, &json), 0);
        assert_int_equal(pt_json_parse(text, strlen(text), NULL, &again), 0);
        assert_int_equal(pt_object_from_json(json, 0, NULL, &object), 0);
        assert_true(json_object_equal(json, again));
        assert_int_equal(pt_secret_state(&((Vault *) object)->auth.password), PT_SECRET_PLAIN);
}

static void test_what_is_wrong_is_said(void **state)
{
        static const struct {
                const char *in, *code, *pointer;
        } cases[] = {
                {VAULT_LINE("v4", "a", "\"host\":\"h\""), "newer-version", "/apiVersion"},
                {VAULT_LINE("v0", "a", "\"host\":\"h\""), "unknown-version", "/apiVersion"},
                {VAULT_LINE("v03", "a", "\"host\":\"h\""), "unknown-version", "/apiVersion"},
                {VAULT_LINE("x", "a", "\"host\":\"h\""), "unknown-version", "/apiVersion"},
                {VAULT_LINE("v1", "a", "\"host\":\"impossible\""), "impossible", "/spec/host"},
                {VAULT_LINE("v1", "a", "\"host\":\"h\",\"hots\":1"), "unknown-field", "/spec/hots"},
                {VAULT_LINE("v1", "a", ""), "required", "/spec/host"},
                {"{\"apiVersion\":\"patronus.unit/v1\",\"kind\":\"Vault\",\"metadata\":{\"name\":"
                 "\"a\"},\"spec\":[]}",
                 "wrong-type", "/spec"},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                PtObject *object = NULL;

                assert_int_equal(vault_read(cases[i].in, diag, &object), -EINVAL);
                assert_null(object);
                assert_true(
                        vault_has_diag(diag, PT_SEVERITY_ERROR, cases[i].code, cases[i].pointer));
        }
}

static PtObject *stored(const char *line)
{
        PtObject *object = NULL;

        assert_int_equal(pt_object_from_canonical(line, strlen(line), NULL, &object), 0);
        if (!object->sealed)
                pt_object_seal(object);
        return object;
}

/* A stored object is read with the new table, and is still what was stored. */
static void test_stored_lines_stay(void **state)
{
        static const char line[] = VAULT_LINE("v2", "a", "\"host\":\"h\"");
        g_autoptr(PtObject) object = stored(line), copy = pt_object_copy(object, NULL);
        g_autofree char *out = vault_canonical(object), *fresh = vault_canonical(copy);
        PtDigest digest;

        (void) state;
        pt_digest_of(line, strlen(line), &digest);
        assert_true(pt_object_is_older(object));
        assert_true(pt_digest_equal(&object->digest, &digest));
        assert_string_equal(out, line);
        assert_string_equal(pt_object_api_version(object), "patronus.unit/v2");
        assert_int_equal(((Vault *) object)->port, 80);
        assert_false(pt_object_is_older(copy));
        assert_string_equal(fresh, VAULT_LINE("v3", "a", "\"host\":\"h\",\"port\":80"));
}

static void test_diff_shows_the_migration(void **state)
{
        g_autofree char *sealed = vault_sealed('a');
        g_autofree char *line = g_strdup_printf(
                VAULT_LINE("v1", "a", "\"host\":\"h\",\"password\":\"%s\""), sealed);
        g_autoptr(PtObject) object = stored(line), copy = pt_object_copy(object, NULL);
        g_autoptr(GPtrArray) changes = NULL;
        g_autoptr(GString) text = g_string_new(NULL);

        (void) state;
        pt_object_seal(copy);
        changes = pt_object_diff(object, copy, false);
        for (guint i = 0; i < changes->len; i++) {
                const PtChange *change = g_ptr_array_index(changes, i);

                g_string_append_printf(text, "%s: %s -> %s\n", change->pointer,
                                       change->before ?: "", change->after ?: "");
        }
        assert_string_equal(text->str, "/apiVersion: patronus.unit/v1 -> patronus.unit/v3\n"
                                       "/spec/password: \"<redacted>\" -> \n"
                                       "/spec/port:  -> 80\n"
                                       "/spec/auth/password:  -> \"<redacted>\"\n");
}

typedef struct Text {
        GString *text;
        PtDigest root;
} Text;

/* The text of a slice with these lines, and the root that they give. */
static void format(const char *const *lines, Text *ret)
{
        g_autoptr(PtSlice) slice = pt_slice_new();

        for (; *lines; lines++) {
                g_autoptr(PtObject) object = stored(*lines);

                pt_slice_put(slice, object);
        }
        ret->text = g_string_new(NULL);
        pt_slice_format(slice, ret->text);
        pt_slice_root(slice, &ret->root);
}

/* Roots are those of the stored text, so a program of a newer version reads what an older one
 * wrote, and deltas on it. */
static void test_slice_of_an_older_version(void **state)
{
        static const char *const lines[] = {VAULT_LINE("v1", "a", "\"host\":\"h\""),
                                            VAULT_LINE("v2", "b", "\"host\":\"h\""),
                                            VAULT_LINE("v3", "c", "\"host\":\"h\""), NULL};
        g_autoptr(PtSlice) slice = NULL, next = NULL, after = NULL;
        g_autoptr(GString) again = g_string_new(NULL), delta = g_string_new(NULL);
        g_autoptr(PtObject) changed = stored(VAULT_LINE("v3", "a", "\"host\":\"x\""));
        Text text;
        PtDigest root;

        (void) state;
        format(lines, &text);
        assert_non_null(strstr(text.text->str, lines[0]));
        assert_int_equal(pt_delta_apply(NULL, text.text->str, text.text->len, NULL, &slice), 0);
        pt_slice_root(slice, &root);
        assert_true(pt_digest_equal(&root, &text.root));
        pt_slice_format(slice, again);
        assert_string_equal(again->str, text.text->str);
        after = pt_slice_clone(slice);
        pt_slice_put(after, changed);
        pt_delta_format(slice, after, delta);
        assert_int_equal(pt_delta_apply(slice, delta->str, delta->len, NULL, &next), 0);
        assert_false(pt_object_is_older(pt_slice_get(next, &vault_kind, "a")));
        assert_true(pt_object_is_older(pt_slice_get(next, &vault_kind, "b")));
        g_string_free(text.text, TRUE);
}

static void replace(GString *text, const char *from, const char *to)
{
        assert_true(g_string_replace(text, from, to, 0) > 0);
}

/* The text as a program would have written it that knows more: the same place, another root. */
static GString *newer_text(const char *version, const char *kind)
{
        static const char ours[] = VAULT_LINE("v3", "a", "\"host\":\"h\"");
        g_autoptr(GString) line = g_string_new(ours);
        GString *text = g_string_new(NULL);
        PtKind strange = {.name = kind, .size = sizeof(PtObject), .fields = &(PtField){}};
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autoptr(PtObject) object = pt_object_new(&strange, "a");
        char root[PT_DIGEST_HEX + 1];
        PtDigest digest;

        replace(line, "/v3", version);
        replace(line, "Vault", kind);
        pt_digest_of(line->str, line->len, &object->digest);
        object->sealed = true;
        pt_slice_put(slice, object);
        pt_slice_root(slice, &digest);
        pt_digest_to_hex(&digest, root);
        g_string_printf(text, "{\"objects\":1,\"patronus\":\"slice\",\"root\":\"%s\"}\n%s\n", root,
                        line->str);
        return text;
}

static int apply(const GString *text, PtDiagnostics *diag)
{
        PtSlice *slice = NULL;
        int r = pt_delta_apply(NULL, text->str, text->len, diag, &slice);

        assert_true(r < 0 ? !slice : slice != NULL);
        pt_slice_unref(slice);
        return r;
}

/* What is whole and newer is told apart from what is damaged and looks newer. */
static void test_slice_of_a_newer_version(void **state)
{
        static const struct {
                const char *version, *kind;
                int result;
        } cases[] = {
                {"/v3", "Vault", 0},
                {"/v4", "Vault", -EPROTONOSUPPORT},
                {"/v9", "Casket", -EPROTONOSUPPORT},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GString) text = newer_text(cases[i].version, cases[i].kind);
                g_autoptr(PtDiagnostics) diag = pt_diag_new();

                assert_int_equal(apply(text, diag), cases[i].result);
                if (cases[i].result < 0)
                        assert_true(vault_has_diag(diag, PT_SEVERITY_ERROR, "newer-version", ""));
                replace(text, "\"host\":\"h\"", "\"host\":\"i\"");
                assert_int_equal(apply(text, NULL), -EBADMSG);
        }
}

static void test_damage_that_looks_newer(void **state)
{
        static const char *const changes[][2] = {
                {"unit/v3", "unit/v4"}, {"\"Vault\"", "\"Vaule\""}, {"\"kind\"", "\"king\""}};

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
                g_autoptr(GString) text = newer_text("/v3", "Vault");

                replace(text, changes[i][0], changes[i][1]);
                assert_int_equal(apply(text, NULL), -EBADMSG);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_input_is_migrated),
                cmocka_unit_test(test_input_stays_as_it_is),
                cmocka_unit_test(test_what_is_wrong_is_said),
                cmocka_unit_test(test_stored_lines_stay),
                cmocka_unit_test(test_diff_shows_the_migration),
                cmocka_unit_test(test_slice_of_an_older_version),
                cmocka_unit_test(test_slice_of_a_newer_version),
                cmocka_unit_test(test_damage_that_looks_newer),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
