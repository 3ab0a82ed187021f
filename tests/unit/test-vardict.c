/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bus-message.h"
#include "kind-unit.h"

#include "kind/vardict.h"

#define pt_auto_message __attribute__((cleanup(sd_bus_message_unrefp))) sd_bus_message

static int open_bus(void **state)
{
        *state = g_new0(UnitBus, 1);
        unit_bus_open(*state);
        return 0;
}

static int close_bus(void **state)
{
        unit_bus_close(*state);
        g_free(*state);
        return 0;
}

static const PtField *rule_fields(void)
{
        return pt_kind_firewall_rule.fields;
}

static char *text_of(struct json_object *json)
{
        GString *out = g_string_new(NULL);

        pt_json_to_canonical(json, out);
        return g_string_free(out, FALSE);
}

/* object -> a{sv} -> object */
static void test_round_trip(void **state)
{
        static const char *const documents[] = {
                UNIT_RULE("a", "\"action\":\"allow\""),
                UNIT_RULE("b\",\"description\":\"ä\",\"labels\":{\"a/"
                          "b\":\"c\"},\"position\":7,\"uid\":\"00112233445566778899"
                          "aabbccddeeff",
                          "\"action\":\"drop\",\"destination\":{\"addresses\":[\"2001:db8::/"
                          "32\",\"2001:db9::1\"],\"ports\":"
                          "[80,\"90-91\"]},\"enabled\":false,\"family\":\"ipv6\",\"from\":\"lan\","
                          "\"priority\":65535,"
                          "\"protocol\":33,\"source\":{\"ports\":[1]},\"to\":\"router\""),
                UNIT_RULE("c", "\"action\":\"allow\",\"protocol\":253"),
                UNIT_ZONE("d", "\"forward\":\"reject\",\"interfaces\":[\"eth*\",\"eth0\"],"
                               "\"masquerade\":true,\"sources\":"
                               "[\"10.0.0.0/8\"]"),
        };

        for (size_t i = 0; i < G_N_ELEMENTS(documents); i++) {
                g_autoptr(PtObject) object = unit_object(documents[i]), again = NULL;
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                pt_auto_message *m = unit_bus_message(*state);
                pt_auto_json *json = NULL, *spec = NULL;
                g_autofree char *text = NULL;

                assert_int_equal(pt_object_append(object, true, m), 0);
                unit_bus_turn(m);
                assert_int_equal(pt_vardict_read(m, 8, &json), 0);
                /* Without the table ports are strings; with it, numbers again. */
                assert_int_equal(sd_bus_message_rewind(m, true), 1);
                assert_true(sd_bus_message_skip(m, NULL) >= 0);
                assert_int_equal(pt_object_from_json(json, 0, diag, &again), 0);
                pt_object_seal(object);
                pt_object_seal(again);
                assert_true(pt_digest_equal(&object->digest, &again->digest));

                {
                        pt_auto_message *m2 = unit_bus_message(*state);
                        pt_auto_json *whole = pt_object_to_json(object, true);
                        struct json_object *given = json_object_object_get(whole, "spec");
                        g_autofree char *given_text = text_of(given);

                        assert_int_equal(pt_fields_append(object->kind->fields, given, m2), 0);
                        unit_bus_turn(m2);
                        assert_int_equal(pt_fields_read(object->kind->fields, m2, diag, &spec), 0);
                        text = text_of(spec);
                        assert_string_equal(text, given_text);
                        assert_int_equal(sd_bus_message_at_end(m2, true), 1);
                }
        }
}

/* Numbers of any type, text for all, arrays of variants. */
static void test_lenient_types(void **state)
{
        pt_auto_message *m = unit_bus_message(*state);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = NULL;
        g_autofree char *text = NULL;

        assert_true(sd_bus_message_append(m, "a{sv}", 6, "action", "s", "allow", "enabled", "s",
                                          "false", "priority", "t", UINT64_C(5), "protocol", "s",
                                          "17", "source", "a{sv}", 1, "ports", "ai", 2, 80, 443,
                                          "destination", "a{sv}", 1, "ports", "av", 2, "s", "1-2",
                                          "u", 9) >= 0);
        unit_bus_turn(m);
        assert_int_equal(pt_fields_read(rule_fields(), m, diag, &json), 0);
        text = text_of(json);
        assert_string_equal(
                text,
                "{\"action\":\"allow\",\"destination\":{\"ports\":[\"1-2\",9]},\"enabled\":false,"
                "\"priority\":5,\"protocol\":17,\"source\":{\"ports\":[80,443]}}");
}

/* All that is wrong is said, and the a{sv} is consumed. */
static void test_refused(void **state)
{
        pt_auto_message *m = unit_bus_message(*state);
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        pt_auto_json *json = NULL;
        const char *after = NULL;

        assert_true(sd_bus_message_append(m, "a{sv}s", 7, "acton", "s", "allow", "priority", "d",
                                          1.5, "action", "s", "allow", "action", "s", "drop",
                                          "from", "as", 1, "lan", "source", "s", "x", "destination",
                                          "a{sv}", 2, "ports", "av", 2, "u", 1, "a{sv}", 0, "prots",
                                          "u", 1, "after") >= 0);
        unit_bus_turn(m);
        assert_int_equal(pt_fields_read(rule_fields(), m, diag, &json), -EINVAL);
        assert_null(json);
        assert_int_equal(pt_diag_count(diag), 7);
        assert_diag(diag, "unknown-field", "/spec/acton", "did you mean \"action\"?");
        assert_diag(diag, "wrong-type", "/spec/priority", "\"d\" was given; send \"q\"");
        assert_diag(diag, "duplicate-key", "/spec/action", "twice");
        assert_diag(diag, "wrong-type", "/spec/from", "\"as\" was given; send \"s\"");
        assert_diag(diag, "wrong-type", "/spec/source", "send \"a{sv}\"");
        assert_diag(diag, "wrong-type", "/spec/destination/ports/1", "\"a{sv}\" was given");
        assert_diag(diag, "unknown-field", "/spec/destination/prots", "ports");
        assert_true(sd_bus_message_read(m, "s", &after) > 0);
        assert_string_equal(after, "after");
}

static void test_append_refuses(void **state)
{
        static const char *const trees[] = {
                "{\"actio\":\"allow\"}",
                "{\"priority\":65536}",
                "{\"priority\":-1}",
                "{\"priority\":\"1\"}",
                "{\"enabled\":1}",
                "{\"action\":null}",
                "{\"source\":[]}",
                "[]",
                "{\"source\":{\"ports\":80}}",
                "{\"from\":true}",
        };

        for (size_t i = 0; i < G_N_ELEMENTS(trees); i++) {
                pt_auto_message *m = unit_bus_message(*state);
                pt_auto_json *json = NULL;

                assert_int_equal(pt_json_parse(trees[i], strlen(trees[i]), NULL, &json), 0);
                assert_true(pt_fields_append(rule_fields(), json, m) < 0);
        }
}

static void test_any(void **state)
{
        static const char tree[] =
                "{\"a\":[],\"b\":[1,\"x\",true,{\"y\":[[\"z\"]]}],\"c\":{\"d\":{}},\"e\":-5}";
        pt_auto_message *m = unit_bus_message(*state);
        pt_auto_json *json = NULL, *again = NULL;
        g_autofree char *text = NULL;

        assert_int_equal(pt_json_parse(tree, strlen(tree), NULL, &json), 0);
        assert_int_equal(pt_vardict_append(json, m), 0);
        unit_bus_turn(m);
        assert_int_equal(pt_vardict_read(m, 32, &again), 0);
        text = text_of(again);
        assert_string_equal(text, tree);
        assert_int_equal(sd_bus_message_rewind(m, true), 1);
        json_object_put(again);
        again = NULL;
        assert_int_equal(pt_vardict_read(m, 4, &again), -EINVAL); /* deeper than asked for */
}

static void test_any_limits(void **state)
{
        g_autofree uint8_t *bytes = g_malloc0(100000);
        pt_auto_message *m = unit_bus_message(*state);
        pt_auto_json *json = NULL;

        assert_true(sd_bus_message_open_container(m, 'a', "{sv}") >= 0);
        assert_true(sd_bus_message_open_container(m, 'e', "sv") >= 0);
        assert_true(sd_bus_message_append(m, "s", "a") >= 0);
        assert_true(sd_bus_message_open_container(m, 'v', "ay") >= 0);
        assert_true(sd_bus_message_append_array(m, 'y', bytes, 100000) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        assert_true(sd_bus_message_close_container(m) >= 0);
        unit_bus_turn(m);
        assert_int_equal(pt_vardict_read(m, 8, &json), -EFBIG);
}

/* labels a{ss} 1 team web, as one types it with busctl. */
static void test_string_dict(void **state)
{
        pt_auto_message *m = unit_bus_message(*state);
        pt_auto_json *json = NULL;
        g_autofree char *text = NULL;

        assert_true(sd_bus_message_append(m, "a{sv}", 2, "labels", "a{ss}", 1, "team", "web", "big",
                                          "t", UINT64_MAX) >= 0);
        unit_bus_turn(m);
        assert_int_equal(pt_vardict_read(m, 8, &json), 0);
        text = text_of(json);
        assert_string_equal(text, "{\"big\":9223372036854775807,\"labels\":{\"team\":\"web\"}}");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),  cmocka_unit_test(test_lenient_types),
                cmocka_unit_test(test_refused),     cmocka_unit_test(test_append_refuses),
                cmocka_unit_test(test_any),         cmocka_unit_test(test_any_limits),
                cmocka_unit_test(test_string_dict),
        };

        return cmocka_run_group_tests(tests, open_bus, close_bus);
}
