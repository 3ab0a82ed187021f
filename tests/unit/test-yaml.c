/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind-unit.h"

#include "kind/yaml-scalar.h"
#include "kind/yaml.h"

#define HEAD "apiVersion: patronus.firewall/v1\nkind: FirewallRule\n"

static int collect(PtObject *object, void *userdata)
{
        g_ptr_array_add(userdata, object);
        return 0;
}

static GPtrArray *objects_new(void)
{
        return g_ptr_array_new_with_free_func((GDestroyNotify) pt_object_unref);
}

/* Reads; NULL if it was refused. */
static GPtrArray *read_all(const char *text, PtDiagnostics *diag)
{
        g_autoptr(GPtrArray) objects = objects_new();

        if (pt_yaml_read("policy.yaml", text, strlen(text), PT_FROM_ALLOW_NAMELESS, diag, collect,
                         objects) < 0)
                return NULL;
        assert_int_equal(pt_diag_errors(diag), 0);
        return g_steal_pointer(&objects);
}

static char *canonical(const PtObject *object)
{
        GString *out = g_string_new(NULL);

        pt_object_to_canonical(object, out);
        return g_string_free(out, FALSE);
}

static void test_stream(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GPtrArray) objects =
                read_all("# a policy\n" HEAD "metadata: { name: a }\nspec:\n  action: allow\n"
                         "  destination:\n    ports: [80, 1000-2000, \"443\"]\n"
                         "---\n" HEAD "metadata:\n  name: 'b'\nspec: {action: drop, from: on}\n"
                         "---\n",
                         diag);
        g_autofree char *first = NULL, *second = NULL;

        (void) state;
        assert_non_null(objects);
        assert_int_equal(objects->len, 2);
        first = canonical(objects->pdata[0]);
        second = canonical(objects->pdata[1]);
        assert_string_equal(
                first,
                UNIT_RULE(
                        "a",
                        "\"action\":\"allow\",\"destination\":{\"ports\":[80,443,\"1000-2000\"]}"));
        assert_string_equal(second, UNIT_RULE("b", "\"action\":\"drop\",\"from\":\"on\""));
}

/* The text of the feature list: no metadata at all. */
static void test_nameless(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GPtrArray) objects = read_all(
                HEAD "spec:\n  action: allow\n  destination:\n    ports: [80, 443]\n", diag);
        const PtObject *object;

        (void) state;
        assert_non_null(objects);
        object = objects->pdata[0];
        assert_true(g_str_has_prefix(object->name, "firewallrule-"));
        assert_true(object->nameless);
}

static void test_json_input(void **state)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(GPtrArray) objects = read_all(
                " {\"apiVersion\":\"patronus.firewall/"
                "v1\",\"kind\":\"FirewallRule\",\"metadata\":{\"name\":\"a\","
                "\"description\":\"\\ud83d\\ude00\"},\n\t\"spec\":{\"action\":\"allow\"}}\n",
                diag);
        const PtObject *object;

        (void) state;
        assert_non_null(objects);
        object = objects->pdata[0];
        assert_string_equal(object->meta->description, "😀");
}

/* One text a line, as exports are: told by their lines. */
static void test_json_lines(void **state)
{
        static const char good[] = UNIT_ZONE("a", "\"interfaces\":[\"eth0\"]") "\r\n\n  " UNIT_RULE(
                "b", "\"action\":\"drop\"") "\n" UNIT_RULE("c", "\"action\":\"drop\"");
        static const char bad[] = UNIT_RULE("a", "\"action\":\"drop\"") "\n\n" UNIT_RULE(
                "b", "\"action\":\"dorp\"") "\n{\"a\":1,}\n---\n" UNIT_RULE("c", "");
        static const char *const expected[][2] = {
                {"policy.yaml:3: FirewallRule/b", "unknown-value"},
                {"policy.yaml:4", "json-syntax"},
                {"policy.yaml:5", "json-syntax"},
                {"policy.yaml:6: FirewallRule/c", "required"},
        };
        g_autoptr(PtDiagnostics) diag = pt_diag_new(), refused = pt_diag_new(),
                                 yaml = pt_diag_new();
        g_autoptr(GPtrArray) objects = read_all(good, diag);
        /* Two documents in YAML's flow style are not lines. */
        g_autoptr(GPtrArray) flow =
                read_all(UNIT_RULE("a", "\"action\":\"drop\"") "\n---\n" UNIT_RULE(
                                 "b", "\"action\":\"drop\""),
                         yaml);

        (void) state;
        assert_non_null(objects);
        assert_int_equal(objects->len, 3);
        assert_non_null(flow);
        assert_int_equal(flow->len, 2);
        assert_null(read_all(bad, refused));
        assert_int_equal(pt_diag_count(refused), G_N_ELEMENTS(expected));
        for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
                assert_string_equal(pt_diag_get(refused, i)->subject, expected[i][0]);
                assert_string_equal(pt_diag_get(refused, i)->code, expected[i][1]);
        }
}

/* Lines and columns are those of the key or list item that is wrong. */
static void test_places(void **state)
{
        static const char text[] = HEAD "metadata:\n"       /* line 3 */
                                        "  name: Web\n"     /* 4 */
                                        "spec:\n"           /* 5 */
                                        "  action: allow\n" /* 6 */
                                        "  from:\n"         /* 7 */
                                        "  source: { ports: [1, 70000] }\n"
                                        "  destination:\n" /* 9 */
                                        "    addresses:\n"
                                        "      - 10.0.0.0/8\n"
                                        "      - 10.0.0.1/8\n" /* 12 */
                                        "    prots: [80]\n"
                                        "---\n" HEAD /* 15, 16 */
                                        "spec: { from: lan }\n";
        static const char *const expected[][2] = {
                {"policy.yaml:4:3: FirewallRule/Web", "/metadata/name"},
                {"policy.yaml:7:3: FirewallRule/Web", "/spec/from"},
                {"policy.yaml:8:24: FirewallRule/Web", "/spec/source/ports/1"},
                {"policy.yaml:12:9: FirewallRule/Web", "/spec/destination/addresses/1"},
                {"policy.yaml:13:5: FirewallRule/Web", "/spec/destination/prots"},
                {"policy.yaml:17:1: FirewallRule",
                 "/spec/action"}, /* is missing: the place of the spec */
        };
        g_autoptr(PtDiagnostics) diag = pt_diag_new();

        (void) state;
        assert_null(read_all(text, diag));
        assert_int_equal(pt_diag_count(diag), G_N_ELEMENTS(expected));
        for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
                assert_string_equal(pt_diag_get(diag, i)->subject, expected[i][0]);
                assert_string_equal(pt_diag_get(diag, i)->pointer, expected[i][1]);
        }
}

static void test_refused(void **state)
{
        static const struct {
                const char *text, *code, *subject;
        } cases[] = {
                {"a: &x 1\n", "yaml-anchor", "policy.yaml:1:4"},
                {"a: &x [1]\n", "yaml-anchor", "policy.yaml:1:4"},
                {"a: 1\nb: *x\n", "yaml-alias", "policy.yaml:2:4"},
                {"*x : 1\n", "yaml-alias", "policy.yaml:1:1"},
                {"a: !!str 1\n", "yaml-tag", "policy.yaml:1:4"},
                {"a: ! 1\n", "yaml-tag", "policy.yaml:1:4"},
                {"!foo {a: 1}\n", "yaml-tag", "policy.yaml:1:1"},
                {"%TAG ! tag:x:\n---\na: 1\n", "yaml-tag", "policy.yaml:1:1"},
                {"a: 1\na: 2\n", "duplicate-key", "policy.yaml:2:1"},
                {"{a: {b: 1, b: 1}}\n", "duplicate-key", "policy.yaml:1:12"},
                {"1: 1\n", "yaml-key", "policy.yaml:1:1"},
                {"? [a]\n: 1\n", "yaml-key", "policy.yaml:1:3"},
                {"? {a: {b: c}}\n: 1\n", "yaml-key", "policy.yaml:1:3"},
                {"null: 1\n", "yaml-key", "policy.yaml:1:1"},
                {"a: 1.5\n", "not-an-integer", "policy.yaml:1:4"},
                {"a: .inf\n", "not-an-integer", "policy.yaml:1:4"},
                {"a: 9223372036854775808\n", "out-of-range", "policy.yaml:1:4"},
                {"a: \"x\\0y\"\n", "nul", "policy.yaml:1:4"},
                {"a: [1\n", "yaml-syntax", "policy.yaml:2:1"},
                {"a: 'x\n", "yaml-syntax", "policy.yaml:2:1"},
                {"a: \xff\n", "not-utf8", "policy.yaml:1:4"},
                {"word\n", "wrong-type", "policy.yaml:1:1"},
                {"- a\n", "wrong-type", "policy.yaml:1:1"},
        };
        g_autofree char *deep = g_strnfill(PT_JSON_DEPTH_MAX + 1, '[');
        g_autofree char *deeper = g_strnfill(100000, '[');

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();

                assert_null(read_all(cases[i].text, diag));
                if (strcmp(pt_diag_get(diag, 0)->code, cases[i].code) != 0 ||
                    strcmp(pt_diag_get(diag, 0)->subject, cases[i].subject) != 0)
                        fail_msg("%s: %s %s %s", cases[i].text, pt_diag_get(diag, 0)->subject,
                                 pt_diag_get(diag, 0)->code, pt_diag_get(diag, 0)->text);
        }
        for (unsigned i = 0; i < 2; i++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();

                assert_null(read_all(i == 0 ? deep : deeper, diag));
                assert_string_equal(pt_diag_get(diag, 0)->code, "too-deep");
        }
}

/* Nothing is expanded, so a bomb costs what its text costs; and what is much too large is not read
 * to its end. */
static void test_bombs(void **state)
{
        g_autoptr(GString) laughs = g_string_new("a: &a [x, x, x, x, x, x, x, x, x]\n");
        g_autoptr(PtDiagnostics) diag = pt_diag_new(), diag2 = pt_diag_new(), diag3 = pt_diag_new();
        g_autoptr(GPtrArray) objects = objects_new();
        g_autofree char *large = g_strnfill(4 * PT_DOCUMENT_MAX, 'x');
        g_autofree char *huge = g_strnfill(PT_INPUT_MAX + 1, ' ');

        (void) state;
        for (char c = 'b'; c <= 'z'; c++)
                g_string_append_printf(laughs, "%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n",
                                       c, c, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1, c - 1,
                                       c - 1);
        assert_null(read_all(laughs->str, diag));
        assert_string_equal(pt_diag_get(diag, 0)->code, "yaml-anchor");
        assert_null(read_all(large, diag2));
        assert_string_equal(pt_diag_get(diag2, 0)->code, "too-large");
        assert_int_equal(pt_yaml_read("x", huge, PT_INPUT_MAX + 1, 0, diag3, collect, objects),
                         -EFBIG);
}

static int stop(PtObject *object, void *userdata)
{
        pt_object_unref(object);
        return ++*(int *) userdata == 2 ? 42 : 0;
}

static void test_sink_stops(void **state)
{
        g_autoptr(GString) text = g_string_new(NULL);
        int n = 0;

        (void) state;
        for (unsigned i = 0; i < 5; i++)
                g_string_append_printf(
                        text, "---\n" HEAD "metadata: { name: a%u }\nspec: { action: drop }\n", i);
        assert_int_equal(pt_yaml_read("x", text->str, text->len, 0, NULL, stop, &n), 42);
        assert_int_equal(n, 2);
}

static void test_scalars(void **state)
{
        static const struct {
                const char *text;
                PtYamlScalar type;
                int64_t number;
        } cases[] = {
                {"", PT_YAML_NULL, 0},
                {"~", PT_YAML_NULL, 0},
                {"Null", PT_YAML_NULL, 0},
                {"nUll", PT_YAML_STRING, 0},
                {"True", PT_YAML_TRUE, 0},
                {"tRue", PT_YAML_STRING, 0},
                {"FALSE", PT_YAML_FALSE, 0},
                {"yes", PT_YAML_STRING, 0},
                {"on", PT_YAML_STRING, 0},
                {"0", PT_YAML_INTEGER, 0},
                {"-0", PT_YAML_INTEGER, 0},
                {"010", PT_YAML_INTEGER, 10},
                {"+12", PT_YAML_INTEGER, 12},
                {"-12", PT_YAML_INTEGER, -12},
                {"0x1F", PT_YAML_INTEGER, 31},
                {"0o17", PT_YAML_INTEGER, 15},
                {"-9223372036854775808", PT_YAML_INTEGER, INT64_MIN},
                {"9223372036854775807", PT_YAML_INTEGER, INT64_MAX},
                {"9223372036854775808", PT_YAML_TOO_LARGE, 0},
                {"99999999999999999999999999", PT_YAML_TOO_LARGE, 0},
                {"-0x1", PT_YAML_STRING, 0},
                {"0x", PT_YAML_STRING, 0},
                {"0o8", PT_YAML_STRING, 0},
                {"1_000", PT_YAML_STRING, 0},
                {"-", PT_YAML_STRING, 0},
                {"1.5", PT_YAML_FLOAT, 0},
                {"1.", PT_YAML_FLOAT, 0},
                {".5", PT_YAML_FLOAT, 0},
                {"-1e3", PT_YAML_FLOAT, 0},
                {"1e-3", PT_YAML_FLOAT, 0},
                {"-.INF", PT_YAML_FLOAT, 0},
                {".nan", PT_YAML_FLOAT, 0},
                {"-.nan", PT_YAML_STRING, 0},
                {".", PT_YAML_STRING, 0},
                {"1e", PT_YAML_STRING, 0},
                {"10.0.0.1", PT_YAML_STRING, 0},
                {"10.0.0.0/8", PT_YAML_STRING, 0},
                {"80-90", PT_YAML_STRING, 0},
                {"::1", PT_YAML_STRING, 0},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                int64_t number = 0;

                assert_int_equal(pt_yaml_resolve(cases[i].text, &number), cases[i].type);
                assert_true(number == cases[i].number);
        }
}

static void test_written(void **state)
{
        g_autoptr(PtObject) object = unit_object(UNIT_RULE(
                "web", "\"action\":\"allow\",\"from\":\"on\",\"enabled\":true,\"destination\":{"
                       "\"addresses\":["
                       "\"10.0.0.0/"
                       "8\",\"192.0.2.1\",\"192.0.2.10-192.0.2.20\"],\"ports\":[80,\"1000-2000\"]},"
                       "\"source\":{\"ports\":[1]}"));
        g_autoptr(PtObject) zone = unit_object(
                UNIT_ZONE("1e3", "\"interfaces\":[\"eth0\",\"vlan*\",\"wireguard.long0\","
                                 "\"wireguard.long1\",\"wireguard.long2\","
                                 "\"wireguard.long3\"],\"sources\":[\"2001:db8::/32\"]"));
        g_autoptr(GString) out = g_string_new(NULL);

        (void) state;
        pt_object_to_yaml(object, true, out);
        assert_string_equal(out->str,
                            "---\n"
                            "apiVersion: patronus.firewall/v1\n"
                            "kind: FirewallRule\n"
                            "metadata:\n"
                            "  name: web\n"
                            "spec:\n"
                            "  action: allow\n"
                            "  enabled: true\n"
                            "  from: \"on\"\n"
                            "  source:\n"
                            "    ports: [1]\n"
                            "  destination:\n"
                            "    addresses: [10.0.0.0/8, 192.0.2.1, 192.0.2.10-192.0.2.20]\n"
                            "    ports: [80, 1000-2000]\n");
        g_string_truncate(out, 0);
        pt_object_to_yaml(zone, true, out);
        assert_string_equal(out->str, "---\n"
                                      "apiVersion: patronus.firewall/v1\n"
                                      "kind: Zone\n"
                                      "metadata:\n"
                                      "  name: \"1e3\"\n"
                                      "spec:\n"
                                      "  interfaces:\n"
                                      "    - eth0\n"
                                      "    - vlan*\n"
                                      "    - wireguard.long0\n"
                                      "    - wireguard.long1\n"
                                      "    - wireguard.long2\n"
                                      "    - wireguard.long3\n"
                                      "  sources: [\"2001:db8::/32\"]\n");
}

/* Whatever string a description is, it reads back as that string. */
static void test_strings_read_back(void **state)
{
        static const char *const words[] = {
                "a",
                "true",
                "no",
                "~",
                "null",
                "0",
                "1.5",
                "1e3",
                "0x1f",
                ".inf",
                "2001-12-14",
                "12:30:45",
                "1_000",
                "a: b",
                "a #b",
                "#a",
                "- a",
                "-",
                "--- a",
                "...",
                "%a",
                "@a",
                "`a",
                "&a",
                "*a",
                "!a",
                "|",
                ">",
                "'a'",
                "\"a\"",
                "a\\b",
                "[a]",
                "{a}",
                "a,b",
                "a]",
                "?",
                ": a",
                "a:",
                " a",
                "a ",
                "  ",
                "ä€😀",
                "\xef\xbb\xbf"
                "a",
                "\xc2\x85",
                "\xe2\x80\xa8",
                "=",
                "<<",
                "a\x7f"
                "b",
                "10.0.0.1",
                "1.2.3",
                "+1",
                ".5",
                "0o7",
                "y",
                "N",
                "Off",
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
                pt_auto_json *json = json_object_new_object();
                struct json_object *metadata = json_object_new_object(),
                                   *labels = json_object_new_object();
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                g_autoptr(GPtrArray) objects = NULL;
                g_autoptr(GString) out = g_string_new(NULL);

                json_object_object_add(json, "apiVersion",
                                       json_object_new_string("patronus.firewall/v1"));
                json_object_object_add(json, "kind", json_object_new_string("Zone"));
                json_object_object_add(json, "metadata", metadata);
                json_object_object_add(metadata, "name", json_object_new_string("a"));
                json_object_object_add(metadata, "description", json_object_new_string(words[i]));
                json_object_object_add(metadata, "labels", labels);
                json_object_object_add(labels, "a", json_object_new_string("1.5"));
                pt_json_to_yaml(json, out);
                objects = read_all(out->str, diag);
                if (strpbrk(words[i], "\x7f")) { /* a control character */
                        assert_null(objects);
                        continue;
                }
                if (!objects ||
                    strcmp(((PtObject *) objects->pdata[0])->meta->description, words[i]) != 0)
                        fail_msg("%s", out->str);
        }
}

/* What validation says about objects gets its place in the text that they came from. */
static void test_place(void **state)
{
        static const char text[] = "apiVersion: patronus.firewall/v1\n"
                                   "kind: FirewallRule\n"
                                   "metadata: { name: a }\n"
                                   "spec: { to: lan }\n"
                                   "---\n"
                                   "kind: FirewallRule\n"
                                   "metadata:\n"
                                   "  name: b\n"
                                   "spec:\n"
                                   "  services: [x,\n"
                                   "             y]\n";
        static const char *const expected[] = {"t:4:9: FirewallRule/a", "t:11:14: FirewallRule/b",
                                               "t:9:1: FirewallRule/b", "", "Zone/b"};
        g_autoptr(PtDiagnostics) found = pt_diag_new(), diag = pt_diag_new();

        pt_diag_set_subject(found, "Zone/b");
        pt_diag_error(found, "e", "/spec", "elsewhere");
        pt_diag_set_subject(found, "FirewallRule/b");
        pt_diag_error(found, "c", "/spec/services/1", "an item");
        pt_diag_set_subject(found, NULL);
        pt_diag_error(found, "d", "", "of all");
        pt_diag_set_subject(found, "FirewallRule/b");
        pt_diag_error(found, "b", "/spec/absent", "the innermost thing that is there");
        pt_diag_set_subject(found, "FirewallRule/a");
        pt_diag_error(found, "a", "/spec/to", "a member");
        pt_yaml_place("t", text, strlen(text), found, diag);

        assert_int_equal(pt_diag_count(diag), G_N_ELEMENTS(expected));
        for (size_t i = 0; i < G_N_ELEMENTS(expected); i++) {
                bool seen = false;

                for (size_t j = 0; j < pt_diag_count(diag); j++)
                        seen |= strcmp(pt_diag_get(diag, j)->subject, expected[i]) == 0;
                if (!seen)
                        print_message("missing: %s\n", expected[i]);
                assert_true(seen);
        }
        assert_string_equal(pt_diag_get(diag, 0)->text, "a member");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_stream),
                cmocka_unit_test(test_nameless),
                cmocka_unit_test(test_json_input),
                cmocka_unit_test(test_json_lines),
                cmocka_unit_test(test_places),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_bombs),
                cmocka_unit_test(test_sink_stops),
                cmocka_unit_test(test_scalars),
                cmocka_unit_test(test_written),
                cmocka_unit_test(test_strings_read_back),
                cmocka_unit_test(test_place),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
