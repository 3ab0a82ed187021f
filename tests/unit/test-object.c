/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kind-unit.h"

#include "kind/field.h"

#define FULL_RULE                                                                                  \
        "{\"apiVersion\":\"patronus.firewall/"                                                     \
        "v1\",\"kind\":\"FirewallRule\",\"metadata\":{\"description\":\"a \\\"site\\\"\","         \
        "\"labels\":{\"a\":\"x\",\"a-b\":\"y\",\"patronus.firewall/"                               \
        "set\":\"s\"},\"name\":\"full\",\"position\":7,"                                           \
        "\"uid\":\"00112233445566778899aabbccddeeff\"},\"spec\":{\"action\":\"reject\","           \
        "\"destination\":{\"addresses\":"                                                          \
        "[\"10.0.0.0/"                                                                             \
        "8\",\"192.0.2.1-192.0.2.9\"],\"ports\":[80,443,\"1000-2000\"]},\"enabled\":false,"        \
        "\"family\":\"ipv4\","                                                                     \
        "\"from\":\"any\",\"priority\":0,\"protocol\":\"tcp\",\"source\":{\"addresses\":[\"192.0." \
        "2.77\"]},\"to\":\"router\"}}"

static char *canonical(const PtObject *object)
{
        GString *out = g_string_new(NULL);

        pt_object_to_canonical(object, out);
        return g_string_free(out, FALSE);
}

/* The canonical form is a fixed point, by both ways in. */
static void test_canonical(void **state)
{
        g_autoptr(PtObject) object = unit_object(FULL_RULE), again = NULL, copy = NULL;
        g_autofree char *text = canonical(object), *text2 = NULL, *text3 = NULL, *text4 = NULL;
        pt_auto_json *json = pt_object_to_json(object, true);
        g_autoptr(GString) from_tree = g_string_new(NULL);

        (void) state;
        assert_string_equal(text, FULL_RULE);
        assert_int_equal(pt_object_from_canonical(text, strlen(text), NULL, &again), 0);
        text2 = canonical(again);
        assert_string_equal(text2, text);
        copy = pt_object_copy(object, NULL);
        text3 = canonical(copy);
        assert_string_equal(text3, text);
        pt_json_to_canonical(json, from_tree);
        assert_string_equal(from_tree->str, text);
        pt_object_seal(object);
        pt_object_seal(again);
        assert_true(pt_digest_equal(&object->digest, &again->digest));
}

static void test_values(void **state)
{
        g_autoptr(PtObject) object = unit_object(FULL_RULE);
        const FirewallRule *rule = (const FirewallRule *) object;
        const PtPortRange *ports = rule->destination.ports.items;

        (void) state;
        assert_int_equal(rule->action, FW_REJECT);
        assert_false(fw_rule_enabled(rule));
        assert_int_equal(fw_rule_priority(rule), 0);
        assert_int_equal(fw_rule_protocol(rule), 6);
        assert_int_equal(rule->destination.ports.n, 3);
        assert_int_equal(ports[0].lo, 80);
        assert_int_equal(ports[2].lo, 1000);
        assert_int_equal(ports[2].hi, 2000);
        assert_int_equal(object->position, 7);
        assert_string_equal(pt_object_label(object, "a"), "x");
        assert_string_equal(pt_object_label(object, PT_LABEL_SET), "s");
        assert_null(pt_object_label(object, "b"));
}

static void test_defaults(void **state)
{
        g_autoptr(PtObject) object =
                unit_object(UNIT_RULE("r", "\"action\":\"allow\",\"source\":{}"));
        const FirewallRule *rule = (const FirewallRule *) object;
        g_autofree char *text = canonical(object);

        (void) state;
        assert_true(fw_rule_enabled(rule));
        assert_int_equal(fw_rule_priority(rule), FW_PRIORITY_DEFAULT);
        assert_int_equal(fw_rule_protocol(rule), PT_PROTOCOL_ANY);
        assert_int_equal(fw_rule_family(rule), AF_UNSPEC);
        /* An empty struct says nothing and is not kept. */
        assert_string_equal(text, UNIT_RULE("r", "\"action\":\"allow\""));
}

/* One name for one content, however it was written; the set label; and a mark of its own. */
static void test_nameless(void **state)
{
        g_autoptr(PtObject) a = unit_object(
                "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"FirewallRule\","
                "\"spec\":{\"action\":\"allow\",\"destination\":{\"ports\":[443,80]}}}");
        g_autoptr(PtObject) b = unit_object(
                "{\"spec\":{\"destination\":{\"ports\":[\"80\",\"443-443\"]},\"action\":"
                "\"allow\"},\"kind\":\"FirewallRule\",\"apiVersion\":"
                "\"patronus.firewall/v1\"}");
        g_autoptr(PtObject) c =
                unit_object("{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"FirewallRule\","
                            "\"spec\":{\"action\":\"drop\",\"destination\":{\"ports\":[443,80]}}}");
        PtDigest digest;
        char hex[PT_DIGEST_HEX + 1];
        static const char spec[] = "{\"action\":\"allow\",\"destination\":{\"ports\":[80,443]}}";

        (void) state;
        pt_digest_of(spec, strlen(spec), &digest);
        pt_digest_to_hex(&digest, hex);
        assert_true(g_str_has_prefix(a->name, "firewallrule-"));
        assert_memory_equal(a->name + strlen("firewallrule-"), hex, 12);
        assert_int_equal(strlen(a->name), strlen("firewallrule-") + 12);
        assert_string_equal(a->name, b->name);
        assert_string_not_equal(a->name, c->name);
        assert_true(a->nameless);
        assert_string_equal(pt_object_label(a, PT_LABEL_SET), "default");
}

static void test_uid(void **state)
{
        g_autoptr(PtObject) object = unit_object(UNIT_RULE("web", "\"action\":\"allow\"")),
                            same = NULL;
        g_autoptr(GString) text = g_string_new(NULL);
        uint8_t uid[16];

        (void) state;
        pt_object_uid(object, uid);
        g_string_append(
                text,
                "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"FirewallRule\",\"metadata\":"
                "{\"name\":\"web\",\"uid\":\"");
        for (unsigned i = 0; i < sizeof(uid); i++)
                g_string_append_printf(text, "%02x", uid[i]);
        g_string_append(text, "\"},\"spec\":{\"action\":\"allow\"}}");
        same = unit_object(text->str);
        assert_null(same->meta); /* what the name says anyway is not stored */
}

static void test_labels(void **state)
{
        g_autoptr(PtObject) object = unit_object(UNIT_RULE("web", "\"action\":\"allow\""));

        (void) state;
        pt_object_set_label(object, "b", "1");
        pt_object_set_label(object, "a", "2");
        pt_object_set_label(object, "b", "3");
        assert_string_equal(object->meta->labels[0], "a=2");
        assert_string_equal(object->meta->labels[1], "b=3");
        pt_object_set_label(object, "a", NULL);
        pt_object_set_label(object, "b", NULL);
        assert_null(object->meta);
}

/* Everything that is wrong is said at once, each with its place and remedy. */
static void test_all_problems(void **state)
{
        g_autoptr(PtDiagnostics) diag = unit_refused(
                "{\"apiVersion\":\"patronus.firewall/"
                "v0\",\"kind\":\"FirewallRule\",\"extra\":1,\"metadata\":{\"nam\":"
                "\"x\",\"labels\":{\"a "
                "b/"
                "c\":\"x\"}},\"spec\":{\"acton\":\"allow\",\"enabled\":\"yes\",\"priority\":65536,"
                "\"from\":null,\"destination\":{\"ports\":[80,70000,\"90-80\"],\"addresses\":[\"10."
                "0.0.1/8\"]}}}");

        (void) state;
        assert_diag(diag, "unknown-version", "/apiVersion", "patronus.firewall/v1");
        assert_diag(diag, "unknown-field", "/extra", "extra");
        assert_diag(diag, "unknown-field", "/metadata/nam", "did you mean \"name\"?");
        assert_diag(diag, "invalid-label", "/metadata/labels/a b~1c", "label key");
        assert_diag(diag, "unknown-field", "/spec/acton", "did you mean \"action\"?");
        assert_diag(diag, "required", "/spec/action", "action");
        assert_diag(diag, "wrong-type", "/spec/enabled", "a string was given; write true or false");
        assert_diag(diag, "out-of-range", "/spec/priority", "65536 is out of range 0-65535");
        assert_diag(diag, "wrong-type", "/spec/from", "null");
        assert_diag(diag, "out-of-range", "/spec/destination/ports/1",
                    "70000 is out of range 1-65535");
        assert_diag(diag, "invalid-range", "/spec/destination/ports/2", "write 80-90");
        assert_diag(diag, "host-bits", "/spec/destination/addresses/0", "write 10.0.0.0/8");
}

static void test_refused(void **state)
{
        static const struct {
                const char *text, *code, *pointer, *part;
        } cases[] = {
                {"[]", "wrong-type", "", "a list was given"},
                {"{\"kind\":\"FirewalRule\"}", "unknown-kind", "/kind",
                 "did you mean \"FirewallRule\"?"},
                {"{\"kind\":\"firewallrule\",\"apiVersion\":\"x\"}", "unknown-kind", "/kind",
                 "FirewallRule"},
                {"{}", "required", "/kind", "FirewallRule, Nat64, NatRule"},
                {"{}", "required", "/apiVersion", "patronus.firewall/v1"},
                {UNIT_ZONE("router", ""), "reserved-name", "/metadata/name", "router"},
                {UNIT_ZONE("any", ""), "reserved-name", "/metadata/name", "any"},
                {UNIT_ZONE("a\",\"position\":\"1", ""), "unknown-field", "/metadata/position",
                 "no position"},
                {UNIT_RULE("A", "\"action\":\"drop\""), "invalid-name", "/metadata/name", "\"A\""},
                {UNIT_RULE("a\",\"uid\":\"X", "\"action\":\"drop\""), "invalid", "/metadata/uid",
                 "hexadecimal"},
                {UNIT_RULE("a\",\"description\":\"\\u001b[2J", "\"action\":\"drop\""), "invalid",
                 "/metadata/description", "control"},
                {UNIT_RULE("a", "\"action\":\"deny\""), "unknown-value", "/spec/action",
                 "known: allow, drop, reject"},
                {UNIT_RULE("a", "\"action\":\"alow\""), "unknown-value", "/spec/action",
                 "did you mean \"allow\"?"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"source\":{\"ports\":80}"), "wrong-type",
                 "/spec/source/ports", "write a list"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"source\":{\"ports\":[]}"), "empty-list",
                 "/spec/source/ports", "leave the field out"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"source\":{\"ports\":[80,1,\"80-80\"]}"),
                 "duplicate", "/spec/source/ports/2", "first at /spec/source/ports/0"},
                {UNIT_RULE("a", "\"action\":\"drop\",\"source\":[]"), "wrong-type", "/spec/source",
                 "mapping"},
        };

        (void) state;
        for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
                g_autoptr(PtDiagnostics) diag = unit_refused(cases[i].text);

                assert_diag(diag, cases[i].code, cases[i].pointer, cases[i].part);
        }
}

static void test_long_list(void **state)
{
        g_autoptr(GString) text = g_string_new("\"action\":\"drop\",\"source\":{\"ports\":[1");
        g_autoptr(PtDiagnostics) diag = NULL;
        g_autofree char *document = NULL;

        (void) state;
        for (unsigned i = 2; i <= PT_LIST_MAX + 1; i++)
                g_string_append_printf(text, ",%u", i);
        document = g_strdup_printf(UNIT_RULE("a", "%s]}"), text->str);
        diag = unit_refused(document);
        assert_diag(diag, "too-long", "/spec/source/ports",
                    "4097 entries are too many, at most 4096");
}

typedef struct Refs {
        GString *text;
        int stop;
} Refs;

static int each_ref(const PtKind *kind, const char *name, const char *pointer, void *userdata)
{
        Refs *refs = userdata;

        g_string_append_printf(refs->text, "%s/%s at %s;", kind->name, name, pointer);
        return refs->stop;
}

static void test_refs(void **state)
{
        g_autoptr(PtObject) object =
                unit_object(UNIT_RULE("a", "\"action\":\"drop\",\"from\":\"wan\",\"to\":\"lan\""));
        g_autoptr(PtObject) reserved = unit_object(
                UNIT_RULE("a", "\"action\":\"drop\",\"from\":\"any\",\"to\":\"router\""));
        Refs refs = {g_string_new(NULL), 0};

        (void) state;
        assert_int_equal(pt_object_foreach_ref(object, each_ref, &refs), 0);
        assert_int_equal(pt_object_foreach_ref(reserved, each_ref, &refs), 0);
        assert_string_equal(refs.text->str, "Zone/wan at /spec/from;Zone/lan at /spec/to;");
        refs.stop = 5;
        assert_int_equal(pt_object_foreach_ref(object, each_ref, &refs), 5);
        assert_string_equal(refs.text->str,
                            "Zone/wan at /spec/from;Zone/lan at /spec/to;Zone/wan at /spec/from;");
        g_string_free(refs.text, TRUE);
}

/* What the handling of datasets relies on, of every table: a dataset's row is not in a nested
 * struct, and stands beside the lists that it takes over. */
static void check_dataset_rows(const PtField *fields, bool nested)
{
        for (const PtField *field = fields; field && field->name; field++) {
                bool macs = field->dataset_content == PT_DATASET_MACS;
                const PtField *row;

                assert_false(nested && (field->dataset || field->type == &pt_type_dataset));
                check_dataset_rows(field->fields, true);
                if (!field->dataset)
                        continue;
                row = pt_fields_find(fields, field->dataset);
                assert_true(row && row->type == &pt_type_dataset && !(row->flags & PT_F_LIST));
                assert_true(field->flags & PT_F_LIST);
                assert_true(macs ? field->type == &pt_type_mac
                                 : field->type == &pt_type_address_range ||
                                            field->type == &pt_type_prefix);
        }
}

static int note_dataset(const char *digest, const char *pointer, void *userdata)
{
        g_string_append_printf(userdata, "%s %.4s;", pointer, digest);
        return 7;
}

static void test_datasets(void **state)
{
        g_autoptr(PtObject) with = unit_object(
                "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Alias\",\"metadata\":{"
                "\"name\":\"a\"},\"spec\":{\"type\":\"network\",\"dataset\":\"e3b0c44298fc1c149afb"
                "f4c8996fb92427ae41e4649b934ca495991b7852b855\"}}");
        g_autoptr(PtObject) without = unit_object(
                "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Alias\",\"metadata\":{"
                "\"name\":\"a\"},\"spec\":{\"type\":\"network\",\"addresses\":[\"10.0.0.1\"]}}");
        g_autoptr(GString) seen = g_string_new(NULL);

        (void) state;
        for (const PtKind *const *kind = pt_kinds(); *kind; kind++)
                check_dataset_rows((*kind)->fields, false);
        assert_true(pt_kind_has_dataset(&pt_kind_alias));
        assert_false(pt_kind_has_dataset(&pt_kind_zone));
        assert_int_equal(pt_object_foreach_dataset(without, note_dataset, seen), 0);
        assert_int_equal(pt_object_foreach_dataset(with, note_dataset, seen), 7);
        assert_string_equal(seen->str, "/spec/dataset e3b0;");
}

static void test_identity(void **state)
{
        g_autoptr(PtObject) rule = unit_object(UNIT_RULE("b", "\"action\":\"drop\""));
        g_autoptr(PtObject) zone = unit_object(UNIT_ZONE("a", "\"interfaces\":[\"eth0\"]"));
        g_autoptr(PtObject) copy = pt_object_copy(rule, "c");

        (void) state;
        assert_int_equal(pt_object_compare_identity(rule, zone), -1);
        assert_int_equal(pt_object_compare_identity(zone, rule), 1);
        assert_int_equal(pt_object_compare_identity(rule, rule), 0);
        assert_int_equal(pt_object_compare_identity(copy, rule), 1);
        assert_ptr_equal(pt_kind_find("firewallrules"), &pt_kind_firewall_rule);
        assert_ptr_equal(pt_kind_find("zone"), &pt_kind_zone);
        assert_null(pt_kind_find("zon"));
        assert_string_equal(pt_kind_find_field(&pt_kind_firewall_rule, "destination.ports")->name,
                            "ports");
        assert_null(pt_kind_find_field(&pt_kind_firewall_rule, "action.ports"));
        assert_null(pt_kind_find_field(&pt_kind_firewall_rule, ""));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_canonical),    cmocka_unit_test(test_values),
                cmocka_unit_test(test_defaults),     cmocka_unit_test(test_nameless),
                cmocka_unit_test(test_uid),          cmocka_unit_test(test_labels),
                cmocka_unit_test(test_all_problems), cmocka_unit_test(test_refused),
                cmocka_unit_test(test_long_list),    cmocka_unit_test(test_refs),
                cmocka_unit_test(test_datasets),     cmocka_unit_test(test_identity),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
