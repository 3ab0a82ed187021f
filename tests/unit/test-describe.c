/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind-unit.h"

#include "kind/describe.h"
#include "kind/yaml.h"

static char *text_of(struct json_object *json)
{
        GString *out = g_string_new(NULL);

        pt_json_to_canonical(json, out);
        return g_string_free(out, FALSE);
}

static struct json_object *at(struct json_object *json, const char *path)
{
        g_auto(GStrv) words = g_strsplit(path, ".", -1);

        for (char **word = words; *word; word++) {
                json = json_object_object_get(json, *word);
                assert_non_null(json);
        }
        return json;
}

static void assert_at(struct json_object *json, const char *path, const char *expected)
{
        g_autofree char *text = text_of(at(json, path));

        assert_string_equal(text, expected);
}

static void test_schema(void **state)
{
        pt_auto_json *rule = pt_kind_schema(&pt_kind_firewall_rule), *all = pt_kind_schema(NULL);
        PtDigest a, b;

        (void) state;
        assert_at(rule, "required", "[\"apiVersion\",\"kind\",\"spec\"]");
        assert_at(rule, "properties.spec.required", "[\"action\"]");
        assert_at(rule, "properties.spec.additionalProperties", "false");
        assert_at(rule, "properties.spec.properties.action.enum",
                  "[\"allow\",\"drop\",\"reject\",\"continue\"]");
        assert_at(rule, "properties.spec.properties.priority.default", "32768");
        assert_at(rule, "properties.spec.properties.priority.maximum", "65535");
        assert_at(rule, "properties.spec.properties.enabled.default", "true");
        assert_at(rule, "properties.spec.properties.from.x-patronus-ref", "\"Zone\"");
        assert_at(rule, "properties.spec.properties.destination.properties.ports.maxItems", "4096");
        assert_at(rule, "properties.spec.properties.destination.properties.ports.examples",
                  "[[80,443,\"6000-6010\"]]");
        assert_at(all, "anyOf",
                  "[{\"$ref\":\"#/$defs/Alias\"},{\"$ref\":\"#/$defs/BridgeRule\"},"
                  "{\"$ref\":\"#/$defs/BridgeSettings\"},{\"$ref\":\"#/$defs/FilterSettings\"},"
                  "{\"$ref\":\"#/$defs/FirewallRule\"},{\"$ref\":\"#/$defs/Nat64\"},"
                  "{\"$ref\":\"#/$defs/NatRule\"},"
                  "{\"$ref\":\"#/$defs/NatSettings\"},{\"$ref\":\"#/$defs/PolicyTest\"},"
                  "{\"$ref\":\"#/$defs/RuleGroup\"},{\"$ref\":\"#/$defs/Schedule\"},"
                  "{\"$ref\":\"#/$defs/ServerPool\"},{\"$ref\":\"#/$defs/Service\"},"
                  "{\"$ref\":\"#/$defs/Zone\"}]");
        assert_at(all, "$defs.Zone.title", "\"Zone\"");
        pt_kind_schema_digest(&a);
        pt_kind_schema_digest(&b);
        assert_true(pt_digest_equal(&a, &b));
}

/* What the tables say must be true: texts there, defaults and examples that the type takes. */
static void check_fields(const PtKind *kind, const PtField *fields)
{
        for (const PtField *field = fields; field->name; field++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                pt_auto_json *example = NULL, *holder = NULL;

                assert_true(field - fields < PT_FIELDS_MAX);
                assert_non_null(field->type);
                assert_non_null(field->doc);
                assert_true(g_str_has_suffix(field->doc, "."));
                assert_non_null(field->example);
                assert_int_equal(pt_yaml_parse(field->name, field->example, strlen(field->example),
                                               diag, &example),
                                 0);
                if (field->ref)
                        assert_non_null(pt_kind_find(field->ref));
                if (field->type == &pt_type_ref)
                        assert_non_null(field->ref);
                if (field->type == &pt_type_enum)
                        assert_non_null(field->choices);
                if (field->fields) {
                        check_fields(kind, field->fields);
                        continue;
                }
                holder = json_object_new_object();
                if (field->def) {
                        g_autofree char *assignment =
                                g_strconcat(field->name, "=", field->def, NULL);

                        assert_int_equal(pt_fields_set_text(fields, assignment, diag, holder), 0);
                }
                if (field->type->complete) {
                        g_autoptr(GString) words = g_string_new(NULL);
                        g_auto(GStrv) lines = NULL;

                        field->type->complete(field, words);
                        lines = g_strsplit(g_strchomp(words->str), "\n", -1);
                        for (char **line = lines; *line; line++) {
                                g_autofree char *assignment =
                                        g_strconcat(field->name, "=", *line, NULL);

                                assert_int_equal(
                                        pt_fields_set_text(fields, assignment, diag, holder), 0);
                        }
                }
        }
}

static int count(PtObject *object, void *userdata)
{
        pt_object_unref(object);
        ++*(int *) userdata;
        return 0;
}

static void test_tables(void **state)
{
        const char *last = "";

        (void) state;
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                int n = 0;

                assert_true(strcmp(last, (*kind)->name) < 0);
                last = (*kind)->name;
                check_fields(*kind, (*kind)->fields);
                assert_int_equal(pt_yaml_read((*kind)->name, (*kind)->example,
                                              strlen((*kind)->example), 0, diag, count, &n),
                                 0);
                assert_int_equal(n, 1);
        }
        /* No row is missing in the middle: the last one is found. */
        assert_string_equal(pt_kind_firewall_rule.fields[FW_RULE_DESTINATION].name, "destination");
        assert_non_null(pt_kind_find_field(&pt_kind_firewall_rule, "destination"));
        assert_non_null(pt_kind_find_field(&pt_kind_firewall_rule, "source.ports"));
        assert_non_null(pt_kind_find_field(&pt_kind_zone, "masquerade"));
}

static void test_explain(void **state)
{
        g_autoptr(GString) out = g_string_new(NULL);
        g_auto(GStrv) lines = NULL;

        (void) state;
        assert_int_equal(pt_kind_explain("FirewallRule", NULL, out), 0);
        assert_non_null(strstr(out->str, "\n  action*"));
        assert_non_null(strstr(out->str, "\n  kind: FirewallRule\n"));
        assert_int_equal(pt_kind_explain("zone.input", NULL, out), 0);
        assert_int_equal(pt_kind_explain("FirewallRule.destination", NULL, out), 0);
        lines = g_strsplit(out->str, "\n", -1);
        for (char **line = lines; *line; line++)
                assert_true(g_utf8_strlen(*line, -1) <= 80);

        g_string_truncate(out, 0);
        assert_int_equal(pt_kind_explain("FirewallRule.destination.ports", NULL, out), 0);
        assert_string_equal(
                out->str,
                "FirewallRule.destination.ports\n"
                "\n"
                "Ports and port ranges, one of which the packet's port must be in. Without a\n"
                "protocol they mean TCP and UDP. Absent: any port.\n"
                "\n"
                "  type        list of port-range; the order has no meaning\n"
                "  syntax      PORT or FIRST-LAST, 1-65535, each\n"
                "  default     none\n"
                "  limits      1-4096 entries\n"
                "  impact      live: a change interrupts nothing\n"
                "\n"
                "Example:\n"
                "  spec:\n"
                "    destination:\n"
                "      ports: [80, 443, 6000-6010]\n"
                "\n"
                "  patronusctl set FirewallRule/NAME destination.ports=80,443,6000-6010\n");
        g_string_truncate(out, 0);
        assert_int_equal(pt_kind_explain("Service", NULL, out), 0);
        assert_non_null(strstr(out->str,
                               "\nReferred to by: BridgeRule.services, FirewallRule.services, "
                               "NatRule.services\n"));
        assert_non_null(strstr(out->str, "\nBuilt in: amqp, bgp, "));
        g_string_truncate(out, 0);
        assert_int_equal(pt_kind_explain("FilterSettings", NULL, out), 0);
        assert_non_null(strstr(out->str, "\nName: there is one object, called \"default\""));
}

static void test_explain_unknown(void **state)
{
        static const char *const cases[][3] = {
                {"FirewalRule", "unknown-kind", "did you mean \"FirewallRule\"?"},
                {"x", "unknown-kind", "known: Alias, "},
                {"FirewallRule.destination.prots", "unknown-field", "did you mean \"ports\"?"},
                {"FirewallRule.action.x", "unknown-field", "\"action\" has no fields"},
                {"FirewallRule.x", "unknown-field", "known: action"},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                g_autoptr(GString) out = g_string_new(NULL);

                assert_int_equal(pt_kind_explain(cases[i][0], diag, out), -ENOENT);
                assert_diag(diag, cases[i][1], "", cases[i][2]);
        }
}

static void test_complete(void **state)
{
        static const char *const cases[][2] = {
                {"so", "source.\n"}, /* not all of them: a new field is no change here */
                {"pr", "priority=\nprotocol=\n"},
                {"destination.except.",
                 "destination.except.addresses=\ndestination.except.aliases=\n"
                 "destination.except.ports=\ndestination.except.portAliases=\n"},
                {"destination.po", "destination.ports=\ndestination.portAliases=\n"},
                {"action=", "action=allow\naction=drop\naction=reject\naction=continue\n"},
                {"action=d", "action=drop\n"},
                {"from=", "from=any\nfrom=router\n"},
                {"enabled=t", "enabled=true\n"},
                {"states=", "states=new\nstates=related\nstates=invalid\nstates=untracked\n"},
                {"states=new,", "states=new,related\nstates=new,invalid\nstates=new,untracked\n"},
                {"states=invalid,new,u", "states=invalid,new,untracked\n"},
                {"nothing.", ""},
                {"action.x", ""},
                {"nothing=", ""},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(GString) out = g_string_new(NULL);

                pt_kind_complete(&pt_kind_firewall_rule, cases[i][0], out);
                assert_string_equal(out->str, cases[i][1]);
        }
}

static char *diff_text(const PtObject *before, const PtObject *after)
{
        g_autoptr(GPtrArray) changes = pt_object_diff(before, after, false);
        GString *out = g_string_new(NULL);

        for (guint i = 0; i < changes->len; i++) {
                const PtChange *change = changes->pdata[i];

                g_string_append_printf(out, "%s: %s -> %s (%s)\n", change->pointer,
                                       change->before ? change->before : "-",
                                       change->after ? change->after : "-",
                                       pt_impact_to_string(change->impact));
        }
        return g_string_free(out, FALSE);
}

static void test_diff(void **state)
{
        g_autoptr(PtObject) a = unit_object(
                UNIT_RULE("a", "\"action\":\"allow\",\"destination\":{\"ports\":[443,80]},"
                               "\"from\":\"lan\""));
        g_autoptr(PtObject) b = unit_object(UNIT_RULE("a\",\"description\":\"x: y",
                                                      "\"action\":\"drop\",\"destination\":{"
                                                      "\"ports\":[80,443],\"addresses\":["
                                                      "\"10.0.0.0/8\"]},\"enabled\":true"));
        g_autofree char *none = diff_text(a, a), *both = diff_text(a, b),
                        *created = diff_text(NULL, a), *deleted = diff_text(a, NULL);

        (void) state;
        assert_string_equal(none, "");
        assert_string_equal(both, "/metadata/description: - -> \"x: y\" (live)\n"
                                  "/spec/action: allow -> drop (live)\n"
                                  "/spec/enabled: - -> true (live)\n"
                                  "/spec/from: lan -> - (live)\n"
                                  "/spec/destination/addresses: - -> [10.0.0.0/8] (live)\n");
        assert_string_equal(created, "/spec/action: - -> allow (live)\n"
                                     "/spec/from: - -> lan (live)\n"
                                     "/spec/destination/ports: - -> [80, 443] (live)\n");
        assert_string_equal(deleted, "/spec/action: allow -> - (live)\n"
                                     "/spec/from: lan -> - (live)\n"
                                     "/spec/destination/ports: [80, 443] -> - (live)\n");
}

static void test_set_text(void **state)
{
        pt_auto_json *json = json_object_new_object();
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        static const char *const assignments[] = {
                "action=allow",
                "enabled=false",
                "priority=7",
                "protocol=17",
                "from=",
                "destination.ports=[80, 443 ,1000-2000]",
                "source.ports=",
                "source.addresses=10.0.0.0/8,10.1.2.3",
                "destination.ports=80",
                "to=a=b",
        };
        g_autofree char *text = NULL;

        (void) state;
        for (size_t i = 0; i + 1 < G_N_ELEMENTS(assignments); i++)
                assert_int_equal(pt_fields_set_text(pt_kind_firewall_rule.fields, assignments[i],
                                                    diag, json),
                                 0);
        assert_int_equal(pt_diag_count(diag), 0);
        text = text_of(json);
        assert_string_equal(text, "{\"action\":\"allow\",\"destination\":{\"ports\":[80]},"
                                  "\"enabled\":false,\"from\":null,"
                                  "\"priority\":7,\"protocol\":17,\"source\":{\"addresses\":[\"10."
                                  "0.0.0/8\",\"10.1.2.3\"],"
                                  "\"ports\":null}}");
        assert_int_equal(pt_fields_set_text(pt_kind_firewall_rule.fields, "to=a=b", diag, json),
                         -EINVAL);
        assert_diag(diag, "invalid-name", "/spec/to", "\"a=b\"");
}

static void test_set_text_refused(void **state)
{
        static const char *const cases[][4] = {
                {"action", "syntax", "", "FIELD=VALUE"},
                {"=allow", "syntax", "", "FIELD=VALUE"},
                {"acton=allow", "unknown-field", "/spec/acton", "did you mean \"action\"?"},
                {"action.x=1", "unknown-field", "/spec/action/x", "\"action\" has no fields"},
                {"destination=80", "wrong-type", "/spec/destination", "destination.addresses=..."},
                {"destination.ports=80,70000", "out-of-range", "/spec/destination/ports/1",
                 "70000"},
                {"destination.ports=80,80", "duplicate", "/spec/destination/ports/1", "twice"},
                {"destination.ports=80,", "invalid-port", "/spec/destination/ports/1", "\"\""},
                {"enabled=yes", "wrong-type", "/spec/enabled", "write true or false"},
                {"priority=-1", "wrong-type", "/spec/priority", "0-65535"},
                {"action=alow", "unknown-value", "/spec/action", "did you mean \"allow\"?"},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtDiagnostics) diag = pt_diag_new();
                pt_auto_json *json = json_object_new_object();

                assert_true(pt_fields_set_text(pt_kind_firewall_rule.fields, cases[i][0], diag,
                                               json) < 0);
                assert_diag(diag, cases[i][1], cases[i][2], cases[i][3]);
                assert_int_equal(json_object_object_length(json), 0);
        }
}

/* RFC 7386, appendix A, where both are objects. */
static void test_merge(void **state)
{
        static const char *const cases[][3] = {
                {"{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
                {"{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}"},
                {"{\"a\":\"b\"}", "{\"a\":null}", "{}"},
                {"{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}"},
                {"{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}"},
                {"{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}"},
                {"{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}",
                 "{\"a\":{\"b\":\"d\"}}"},
                {"{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}"},
                {"{\"e\":null}", "{\"a\":1}", "{\"a\":1,\"e\":null}"},
                {"{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}"},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                pt_auto_json *target = NULL, *patch = NULL;
                g_autofree char *text = NULL;

                assert_int_equal(pt_json_parse(cases[i][0], strlen(cases[i][0]), NULL, &target), 0);
                assert_int_equal(pt_json_parse(cases[i][1], strlen(cases[i][1]), NULL, &patch), 0);
                pt_json_merge(target, patch);
                text = text_of(target);
                assert_string_equal(text, cases[i][2]);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_schema),   cmocka_unit_test(test_tables),
                cmocka_unit_test(test_explain),  cmocka_unit_test(test_explain_unknown),
                cmocka_unit_test(test_complete), cmocka_unit_test(test_diff),
                cmocka_unit_test(test_set_text), cmocka_unit_test(test_set_text_refused),
                cmocka_unit_test(test_merge),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
