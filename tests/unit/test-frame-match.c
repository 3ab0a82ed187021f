/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What rules of bridges do with frames, as questions name them, and what is said of it. */

#include "filter-unit.h"
#include "filter/question.h"
#include "kind/field.h"

#define BRIDGE "\"bridge\":\"br0\""
#define PORTS BRIDGE ",\"in\":\"p1\",\"out\":\"p2\""
#define IP PORTS ",\"src\":\"10.0.0.1\""
#define LINK "\"smac\":\"02:00:00:00:00:01\",\"dmac\":\"02:00:00:00:00:02\",\"vlan\":\"untagged\""

static int read_question(const char *text, PtDiagnostics *diag, FwQuestion *ret)
{
        g_autofree char *whole = g_strdup_printf("{%s}", text);
        pt_auto_json *json = NULL;
        int r = pt_json_parse(whole, strlen(whole), diag, &json);

        return r < 0 ? r
                     : pt_fields_from_json(fw_question_fields, json, "", diag, ret, &ret->present);
}

/* The answer to a question by the rules of a slice; or "pointer: code". */
static char *answer(const PtSlice *slice, const char *text)
{
        const FwSource source = {.slice = (PtSlice *) (uintptr_t) slice};
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        g_autoptr(FwEffective) effective = fw_effective_new();
        g_autoptr(GPtrArray) rules = NULL;
        g_auto(FwQuestion) question = {};
        GString *out = g_string_new(NULL);
        FwBridgeDirection direction;
        FwFrameOutcome outcome;
        FwFrame frame;
        int r = read_question(text, diag, &question);

        if (r == 0) {
                assert_true(fw_question_is_frame(&question));
                r = fw_question_frame(&question, diag, &direction, &frame);
        }
        if (r < 0) {
                const PtDiagnostic *first = pt_diag_get(diag, 0);

                g_string_append_printf(out, "%s: %s", first->pointer, first->code);
                return g_string_free(out, FALSE);
        }
        assert_int_equal(fw_frame_rules_new(&source, effective, diag, &rules), 0);
        fw_frame_evaluate(
                &frame, direction, rules,
                (const BridgeSettings *) pt_slice_get(slice, &pt_kind_bridge_settings, "default"),
                &outcome);
        fw_answer_append_frame(&outcome, &question, out);
        return g_string_free(out, FALSE);
}

static void expect(const PtSlice *slice, const char *text, const char *verdict, const char *reason,
                   const char *rule, const char *doubt)
{
        g_autofree char *given = answer(slice, text);
        g_autofree char *begin =
                g_strdup_printf("{\"verdict\":\"%s\",\"reason\":\"%s\"", verdict, reason);
        g_autofree char *named =
                g_strdup_printf("\"rule\":{\"kind\":\"BridgeRule\",\"name\":\"%s\"", rule ?: "");
        g_autofree char *doubted =
                g_strdup_printf("\"doubt\":{\"kind\":\"BridgeRule\",\"name\":\"%s\"", doubt ?: "");

        if (!g_str_has_prefix(given, begin) || !strstr(given, rule ? named : "") ||
            !!strstr(given, "\"rule\"") != !!rule || !strstr(given, doubt ? doubted : "") ||
            !!strstr(given, "\"doubt\"") != !!doubt)
                fail_msg("%s: %s", text, given);
}

static void put_settings(PtSlice *slice, const char *spec)
{
        g_autofree char *text = g_strdup_printf(
                "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"BridgeSettings\","
                "\"metadata\":{\"name\":\"default\"},\"spec\":%s}",
                spec);

        fw_put(slice, text);
}

static void put(PtSlice *slice, const char *name, unsigned position, const char *spec)
{
        fw_put_ordered(slice, "BridgeRule", name, position, spec);
}

/* One rule after the other, each of which asks one thing. */
static void test_fields(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        static const struct {
                const char *spec, *hit, *miss;
        } rows[] = {
                {"\"bridges\":[\"br*\"]", "", NULL},
                {"\"from\":[\"p1\"],\"to\":[\"p*\"]", "", NULL},
                {"\"from\":[\"p2\"]", NULL, ""},
                {"\"vlans\":[10]", "\"vlan\":10", "\"vlan\":\"untagged\""},
                {"\"vlans\":[\"untagged\"]", "\"vlan\":\"untagged\"", "\"vlan\":4094"},
                {"\"sourceMac\":[\"02:00:00:00:00:00/ff:ff:ff:ff:ff:f0\"]",
                 "\"smac\":\"02:00:00:00:00:0f\"", "\"smac\":\"02:00:00:00:00:10\""},
                {"\"destinationMac\":[\"01:00:00:00:00:00/01:00:00:00:00:00\"]",
                 "\"dmac\":\"33:33:00:00:00:01\"", "\"dmac\":\"02:00:00:00:00:01\""},
                {"\"etherTypes\":[\"0x88cc\"]", "\"ether-type\":\"0x88cc\"",
                 "\"ether-type\":\"arp\""},
                {"\"arp\":{\"operation\":[\"reply\"]}", "\"arp-op\":\"reply\"",
                 "\"arp-op\":\"request\""},
                {"\"arp\":{\"senderAddress\":[\"10.0.0.1\"]}",
                 "\"ether-type\":\"arp\",\"src\":\"10.0.0.1\"",
                 "\"ether-type\":\"ipv4\",\"src\":\"10.0.0.1\""},
                {"\"arp\":{\"targetAddress\":[\"10.0.0.0/24\"]}",
                 "\"arp-op\":\"request\",\"dst\":\"10.0.0.255\"",
                 "\"arp-op\":\"request\",\"dst\":\"10.0.1.0\""},
                {"\"arp\":{\"senderMac\":[\"02:00:00:00:00:01\"]}",
                 "\"arp-mac\":\"02:00:00:00:00:01\"", "\"arp-mac\":\"02:00:00:00:00:02\""},
                {"\"source\":{\"addresses\":[\"fd00::/64\"]}", "\"src\":\"fd00::7\"",
                 "\"src\":\"fd00:0:0:1::7\""},
                {"\"destination\":{\"addresses\":[\"10.0.0.1\"]}", "\"dst\":\"10.0.0.1\"",
                 "\"arp-op\":\"request\",\"dst\":\"10.0.0.1\""},
                {"\"services\":[\"https\"]",
                 "\"ether-type\":\"ipv6\",\"proto\":\"tcp\",\"dport\":443",
                 "\"ether-type\":\"ipv6\",\"proto\":\"tcp\",\"dport\":444"},
                {"\"icmpTypes\":[\"neighbour-solicitation\"]",
                 "\"proto\":\"icmpv6\",\"icmp-type\":\"neighbour-solicitation\"",
                 "\"proto\":\"icmpv6\""},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *spec = g_strdup_printf("{\"action\":\"drop\",%s}", rows[i].spec);
                const char *texts[] = {rows[i].hit, rows[i].miss};

                put(slice, "x", 1, spec);
                for (unsigned k = 0; k < G_N_ELEMENTS(texts); k++) {
                        g_autofree char *text =
                                texts[k] ? g_strdup_printf(PORTS "%s%s", *texts[k] ? "," : "",
                                                           texts[k])
                                         : NULL;

                        if (text)
                                expect(slice, text, k ? "allow" : "drop", k ? "default" : "rule",
                                       k ? NULL : "x", NULL);
                }
        }
}

static void test_order(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        g_autofree char *place = NULL;

        put(slice, "up", 1, "{\"action\":\"drop\",\"direction\":\"in\",\"from\":[\"p1\"]}");
        put(slice, "down", 2, "{\"action\":\"drop\",\"direction\":\"out\",\"to\":[\"p1\"]}");
        put(slice, "seen", 3, "{\"action\":\"drop\",\"mode\":\"audit\"}");
        put(slice, "off", 4, "{\"action\":\"drop\",\"enabled\":false}");
        put(slice, "ten", 5, "{\"action\":\"allow\",\"vlans\":[10]}");
        put(slice, "all", 6, "{\"action\":\"drop\"}");
        expect(slice, BRIDGE ",\"in\":\"p1\"", "drop", "rule", "up", NULL);
        expect(slice, BRIDGE ",\"in\":\"p2\"", "allow", "default", NULL, NULL);
        expect(slice, BRIDGE ",\"out\":\"p1\"", "drop", "rule", "down", NULL);
        expect(slice, PORTS ",\"vlan\":10", "allow", "rule", "ten", NULL);
        expect(slice, PORTS ",\"vlan\":11", "drop", "rule", "all", NULL);
        expect(slice, PORTS, "drop", "rule", "all", "ten");
        place = answer(slice, PORTS ",\"vlan\":10");
        assert_non_null(strstr(place, "\"place\":2,\"places\":3,\"direction\":\"forward\","
                                      "\"bridge\":\"br0\",\"in\":\"p1\",\"out\":\"p2\","
                                      "\"text\":\"BridgeRule/ten lets it pass\""));
        put_settings(slice, "{\"input\":\"drop\",\"output\":\"drop\"}");
        expect(slice, BRIDGE ",\"in\":\"p2\"", "drop", "default", NULL, NULL);
        expect(slice, BRIDGE ",\"out\":\"p2\"", "drop", "default", NULL, NULL);
}

/* What is not known, and whether it matters. */
static void test_doubt(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();

        put(slice, "web", 1, "{\"action\":\"allow\",\"services\":[\"https\"]}");
        put(slice, "mac", 2, "{\"action\":\"drop\",\"sourceMac\":[\"02:00:00:00:00:01\"]}");
        put(slice, "high", 3,
            "{\"action\":\"drop\",\"protocol\":\"udp\",\"source\":{\"ports\":[\"1-65535\"]}}");
        expect(slice, PORTS, "allow", "default", NULL, "mac");
        expect(slice, PORTS "," LINK, "drop", "rule", "mac", "web");
        expect(slice, PORTS "," LINK ",\"src\":\"10.0.0.1\"", "drop", "rule", "mac", "web");
        expect(slice, PORTS "," LINK ",\"src\":\"10.0.0.1\",\"proto\":\"udp\"", "drop", "rule",
               "mac", NULL);
        expect(slice, PORTS ",\"dst\":\"10.0.0.1\",\"proto\":\"udp\",\"dport\":53", "drop", "rule",
               "high", NULL);
        expect(slice, PORTS "," LINK ",\"ether-type\":\"0x88cc\"", "drop", "rule", "mac", NULL);
        put(slice, "mac", 2,
            "{\"action\":\"drop\","
            "\"destinationMac\":[\"01:00:00:00:00:00/01:00:00:00:00:00\"]}");
        expect(slice, PORTS ",\"ether-type\":\"0x88cc\"", "allow", "default", NULL, "mac");
}

static void test_stateful(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        static const char *const known = IP ",\"state\":\"established\"",
                                 *const related = IP ",\"state\":\"related\"",
                                 *const invalid = IP ",\"state\":\"invalid\"",
                                 *const fresh = IP ",\"state\":\"new\"";

        put(slice, "some", 1, "{\"action\":\"allow\",\"protocol\":\"tcp\"}");
        put_settings(slice, "{\"default\":\"drop\"}");
        expect(slice, known, "drop", "default", NULL, "some");
        put_settings(slice, "{\"default\":\"drop\",\"stateful\":true}");
        expect(slice, known, "allow", "prologue", NULL, NULL);
        expect(slice, related, "allow", "prologue", NULL, NULL);
        expect(slice, invalid, "drop", "invalid", NULL, NULL);
        expect(slice, fresh, "drop", "default", NULL, "some");
        expect(slice, BRIDGE ",\"in\":\"p1\",\"src\":\"10.0.0.1\",\"state\":\"invalid\"", "allow",
               "default", NULL, NULL);
}

static void test_errors(void **state)
{
        g_autoptr(PtSlice) slice = pt_slice_new();
        static const struct {
                const char *text, *said;
        } rows[] = {
                {BRIDGE, "/in: missing"},
                {PORTS ",\"from\":\"lan\"", "/from: not-of-it"},
                {PORTS ",\"mac\":\"02:00:00:00:00:01\"", "/mac: not-of-it"},
                {PORTS ",\"fragment\":true", "/fragment: not-of-it"},
                {PORTS ",\"dport\":80,\"src\":\"10.0.0.1\"", "/dport: not-of-it"},
                {PORTS ",\"proto\":\"tcp\"", "/proto: not-of-it"},
                {PORTS ",\"state\":\"new\"", "/state: not-of-it"},
                {PORTS ",\"proto\":\"any\",\"src\":\"10.0.0.1\"", "/proto: not-one"},
                {PORTS ",\"vlan\":\"1-2\"", "/vlan: not-one"},
                {PORTS ",\"src\":\"10.0.0.0/24\"", "/src: not-one"},
                {PORTS ",\"src\":\"10.0.0.1\",\"dst\":\"fd00::1\"", "/dst: mixed-families"},
                {PORTS ",\"ether-type\":\"ipv6\",\"dst\":\"10.0.0.1\"", "/dst: mixed-families"},
                {PORTS ",\"arp-op\":\"reply\",\"src\":\"fd00::1\"", "/src: mixed-families"},
                {PORTS ",\"ether-type\":\"ipv4\",\"arp-op\":\"reply\"", "/arp-op: not-of-it"},
                {PORTS ",\"ether-type\":\"arp\",\"proto\":\"tcp\"", "/proto: not-of-it"},
                {PORTS ",\"ether-type\":\"0x88cc\",\"src\":\"10.0.0.1\"", "/src: not-of-it"},
                {PORTS ",\"proto\":\"icmp\",\"icmp-type\":\"neighbour-solicitation\"",
                 "/icmp-type: no-such-type"},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
                g_autofree char *said = answer(slice, rows[i].text);

                assert_string_equal(said, rows[i].said);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fields), cmocka_unit_test(test_order),
                cmocka_unit_test(test_doubt),  cmocka_unit_test(test_stateful),
                cmocka_unit_test(test_errors),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
