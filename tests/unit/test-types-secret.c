/* SPDX-License-Identifier: GPL-3.0-or-later */

/* A secret in an object: what is taken, and that what is written never has it in the clear. */

#include "bus-message.h"
#include "vault-unit.h"

#include "kind/describe.h"
#include "kind/vardict.h"
#include "kind/yaml.h"

#define WORD "correct-horse"

static PtObject *vault(const char *spec)
{
        g_autofree char *text = g_strdup_printf(VAULT_LINE("v3", "a", "\"host\":\"h\",%s"), spec);
        PtObject *object = NULL;

        assert_int_equal(vault_read(text, NULL, &object), 0);
        return object;
}

static PtSecretState token_state(const PtObject *object)
{
        return pt_secret_state(&((const Vault *) object)->token);
}

static void test_what_is_taken(void **state)
{
        g_autofree char *sealed = vault_sealed('a');
        g_autofree char *as_sealed = g_strdup_printf("\"token\":\"%s\"", sealed);
        g_autoptr(PtObject) plain = vault("\"token\":\"" WORD "\""), kept = vault(as_sealed),
                            unchanged = vault("\"token\":\"<redacted>\"");
        size_t size;

        (void) state;
        assert_int_equal(token_state(plain), PT_SECRET_PLAIN);
        assert_string_equal(pt_secret_plain_bytes(&((Vault *) plain)->token, &size), WORD);
        assert_int_equal(size, strlen(WORD));
        assert_int_equal(token_state(unchanged), PT_SECRET_UNCHANGED);
        assert_int_equal(token_state(kept), PT_SECRET_SEALED);
        assert_string_equal(pt_secret_sealed_text(&((Vault *) kept)->token), sealed);
}

static void test_what_is_refused(void **state)
{
        static const struct {
                const char *json, *code;
        } cases[] = {
                {"\"abc\"", "out-of-range"}, /* .min is 4 */
                {"\"\"", "out-of-range"},
                {"true", "wrong-type"},
                {"4711", "wrong-type"},
                {"null", "wrong-type"},
                {"[\"" WORD "\"]", "wrong-type"},
                {"\"sealed:" WORD "\"", "bad-secret"},
                {"\"sealed:v2:" WORD "\"", "newer-version"},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autofree char *text = g_strdup_printf(
                        VAULT_LINE("v3", "a", "\"host\":\"h\",\"token\":%s"), cases[i].json);
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                g_autoptr(PtObject) object = NULL;

                assert_int_equal(vault_read(text, diag, &object), -EINVAL);
                assert_true(vault_has_diag(diag, PT_SEVERITY_ERROR, cases[i].code, "/spec/token"));
                /* Nothing of it is said. */
                for (size_t j = 0; j < pt_diag_count(diag); j++) {
                        assert_null(strstr(pt_diag_get(diag, j)->text, WORD));
                        assert_null(strstr(pt_diag_get(diag, j)->text, "4711"));
                        assert_null(strstr(pt_diag_get(diag, j)->text, "true"));
                }
        }
}

static void test_too_long(void **state)
{
        g_autofree char *word = g_strnfill(101, 'x'), *sealed = vault_sealed('a');
        g_autofree char *text =
                g_strdup_printf(VAULT_LINE("v3", "a", "\"host\":\"h\",\"token\":\"%s\""), word);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtObject) object = NULL;

        (void) state;
        assert_int_equal(vault_read(text, diag, &object), -EINVAL);
        assert_true(vault_has_diag(diag, PT_SEVERITY_ERROR, "out-of-range", "/spec/token"));
        assert_true(strlen(sealed) > 100); /* what is sealed is longer than what may be */
}

/* All the ways out, of an object as it comes in: none has the word. */
static void test_never_in_the_clear(void **state)
{
        __attribute__((cleanup(unit_bus_close))) UnitBus unit = {};
        g_autoptr(PtObject) object =
                vault("\"token\":\"" WORD "\",\"auth\":{\"password\":\"" WORD "\"}");
        g_autoptr(PtObject) copy = pt_object_copy(object, NULL);

        (void) state;
        unit_bus_open(&unit);
        for (unsigned secrets = 0; secrets < 2; secrets++) {
                g_autofree char *canonical = vault_canonical(object);
                g_autoptr(GString) yaml = g_string_new(NULL), bus = g_string_new(NULL);
                g_autoptr(GPtrArray) changes = pt_object_diff(NULL, copy, secrets);
                pt_auto_json *json = pt_object_to_json(object, secrets), *read = NULL;
                __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message *m =
                        unit_bus_message(&unit);

                pt_object_to_yaml(object, secrets, yaml);
                assert_int_equal(pt_object_append(object, secrets, m), 0);
                unit_bus_turn(m);
                assert_int_equal(pt_vardict_read(m, PT_JSON_DEPTH_MAX, &read), 0);
                pt_json_to_canonical(read, bus);
                assert_null(strstr(canonical, WORD));
                assert_null(strstr(yaml->str, WORD));
                assert_null(strstr(bus->str, WORD));
                assert_null(strstr(json_object_to_json_string(json), WORD));
                assert_non_null(strstr(yaml->str, PT_SECRET_REDACTED));
                assert_true(changes->len > 2);
                for (guint i = 0; i < changes->len; i++)
                        assert_null(strstr(((PtChange *) changes->pdata[i])->after, WORD));
        }
}

/* Sealed values are redacted unless they are asked for, and come back the same. */
static void test_sealed_round_trip(void **state)
{
        g_autofree char *sealed = vault_sealed('a');
        g_autofree char *spec =
                g_strdup_printf("\"auth\":{\"password\":\"%s\"},\"token\":\"%s\"", sealed, sealed);
        g_autoptr(PtObject) object = vault(spec), again = NULL, by_yaml = NULL;
        g_autofree char *line = vault_canonical(object), *other = NULL;
        pt_auto_json *shown = pt_object_to_json(object, false);

        (void) state;
        assert_non_null(strstr(line, sealed));
        assert_null(strstr(json_object_to_json_string(shown), "sealed:"));
        assert_int_equal(pt_object_from_canonical(line, strlen(line), NULL, &again), 0);
        other = vault_canonical(again);
        assert_string_equal(other, line);
}

/* A changed secret is a change, and no more is told of it. */
static void test_diff(void **state)
{
        g_autofree char *a = vault_sealed('a'), *b = vault_sealed('b');
        g_autofree char *x = g_strdup_printf("\"token\":\"%s\"", a),
                        *y = g_strdup_printf("\"token\":\"%s\"", b);
        g_autoptr(PtObject) before = vault(x), after = vault(y), same = vault(x);
        g_autoptr(GPtrArray) changes = pt_object_diff(before, after, false),
                             none = pt_object_diff(before, same, false);
        const PtChange *change;

        (void) state;
        assert_int_equal(none->len, 0);
        assert_int_equal(changes->len, 1);
        change = changes->pdata[0];
        assert_string_equal(change->pointer, "/spec/token");
        assert_string_equal(change->before, "\"" PT_SECRET_REDACTED "\"");
        assert_string_equal(change->after, "\"" PT_SECRET_REDACTED "\"");
}

/* What is stored is sealed: a line with anything else was not written by us. */
static void test_stored_lines(void **state)
{
        static const char *const lines[] = {
                VAULT_LINE("v3", "a", "\"host\":\"h\",\"token\":\"" WORD "\""),
                VAULT_LINE("v3", "a", "\"host\":\"h\",\"token\":\"<redacted>\""),
                VAULT_LINE("v1", "a", "\"host\":\"h\",\"password\":\"" WORD "\""),
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
                PtObject *object = NULL;

                assert_true(pt_object_from_canonical(lines[i], strlen(lines[i]), NULL, &object) <
                            0);
                assert_null(object);
        }
}

/* A name by content would tell whether a guess is right. */
static void test_nameless(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(PtObject) object = NULL, without = NULL;

        (void) state;
        assert_int_equal(vault_read("{\"apiVersion\":\"patronus.unit/v3\",\"kind\":\"Vault\","
                                    "\"spec\":{\"host\":\"h\",\"token\":\"" WORD "\"}}",
                                    diag, &object),
                         -EINVAL);
        assert_true(vault_has_diag(diag, PT_SEVERITY_ERROR, "required", "/metadata/name"));
        assert_int_equal(vault_read("{\"apiVersion\":\"patronus.unit/v3\",\"kind\":\"Vault\","
                                    "\"spec\":{\"host\":\"h\"}}",
                                    diag, &without),
                         0);
}

static int note_path(const PtField *field, const char *path, const PtSecret *secret, void *userdata)
{
        GString *paths = userdata;

        assert_true(field->flags & PT_F_SECRET);
        assert_int_equal(pt_secret_state(secret), PT_SECRET_PLAIN);
        g_string_append_printf(paths, "%s ", path);
        return 0;
}

static void test_walk(void **state)
{
        g_autoptr(PtObject) object =
                vault("\"token\":\"" WORD "\",\"auth\":{\"password\":\"" WORD "\"}");
        g_autoptr(GString) paths = g_string_new(NULL);

        (void) state;
        assert_true(pt_kind_has_secret(&vault_kind));
        assert_int_equal(pt_object_foreach_secret(object, note_path, paths), 0);
        assert_string_equal(paths->str, "auth.password token ");
}

static void test_order(void **state)
{
        static const char *const specs[] = {"\"token\":\"aaaa\"", "\"token\":\"aaab\"",
                                            "\"token\":\"aaabb\"", "\"token\":\"<redacted>\""};

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(specs); i++)
                for (size_t j = 0; j < G_N_ELEMENTS(specs); j++) {
                        g_autoptr(PtObject) a = vault(specs[i]), b = vault(specs[j]);
                        int r = pt_type_secret.compare(&((Vault *) a)->token,
                                                       &((Vault *) b)->token);

                        assert_int_equal((r > 0) - (r < 0), (i > j) - (i < j));
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_taken),
                cmocka_unit_test(test_what_is_refused),
                cmocka_unit_test(test_too_long),
                cmocka_unit_test(test_never_in_the_clear),
                cmocka_unit_test(test_sealed_round_trip),
                cmocka_unit_test(test_diff),
                cmocka_unit_test(test_stored_lines),
                cmocka_unit_test(test_nameless),
                cmocka_unit_test(test_walk),
                cmocka_unit_test(test_order),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
