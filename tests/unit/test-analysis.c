/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/analysis.h"
#include "policy-unit.h"

/* Findings against all packets of small worlds. */

typedef struct Found {
        FwFindingKind kind;
        bool follows;
        uint32_t deciders[24];
        unsigned n;
} Found;

typedef struct Findings {
        const FwPolicy *policy;
        bool any[24];
        Found of[24];
} Findings;

/* The number of a rule in its world. */
static int number_of(const FwPolicy *policy, uint32_t rule)
{
        const FwPolicyRule *entry = fw_policy_rule(policy, rule);

        return entry->rule ? atoi(entry->rule->object.name + 1) : -1;
}

static void note(const FwFinding *finding, void *userdata)
{
        Findings *findings = userdata;
        int number = number_of(findings->policy, finding->rule);
        Found *found = &findings->of[number];

        assert_false(findings->any[number]);
        findings->any[number] = true;
        found->kind = finding->kind;
        found->follows = finding->follows;
        for (unsigned i = 0; i < finding->rules->len; i++) {
                int decider =
                        number_of(findings->policy, g_array_index(finding->rules, uint32_t, i));

                if (decider >= 0)
                        found->deciders[found->n++] = (uint32_t) decider;
        }
}

static FwPolicy *read_policy(const PtSlice *slice, FwSpace **ret_space)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        FwSource source = {slice, NULL};
        FwPolicy *policy;

        assert_int_equal(fw_policy_new(&source, diag, &policy), 0);
        *ret_space = fw_space_new(fw_policy_zones(policy, NULL));
        fw_policy_note(policy, *ret_space);
        fw_space_settle(*ret_space);
        assert_int_equal(fw_policy_place(policy, *ret_space), 0);
        return policy;
}

/* What asking every packet says of a rule. */
typedef struct Truth {
        bool matches; /* any */
        bool reached, needed, otherwise;
        bool decides[24]; /* who decides what it matches */
        bool same[24];    /* matches just the same */
} Truth;

static void ask_all(const World *world, int number, Truth *truth)
{
        const WorldRule *rule = &world->rules[number];
        WorldPacket packet = {0};

        memset(truth, 0, sizeof(*truth));
        memset(truth->same, 1, sizeof(truth->same));
        do {
                bool matches = world_matches(rule, &packet);
                int first = world_first(world, &packet, -1);

                for (int i = 0; i < number; i++)
                        truth->same[i] = truth->same[i] &&
                                         world_matches(&world->rules[i], &packet) == matches;
                if (!matches)
                        continue;
                truth->matches = true;
                if (first != number) {
                        truth->decides[first] = true;
                        truth->otherwise =
                                truth->otherwise || world->rules[first].action != rule->action;
                        continue;
                }
                truth->reached = true;
                if (world_verdict(world, &packet, number) != rule->action)
                        truth->needed = true;
        } while (world_next(world, &packet));
}

static void check_covered(const World *world, int number, const Truth *truth, const Found *found)
{
        int alone = -1;
        unsigned n = 0;

        for (int i = 0; i < number; i++)
                if (truth->decides[i]) {
                        alone = i;
                        n++;
                }
        assert_int_equal(found->n, n);
        for (unsigned i = 0; i < found->n; i++)
                assert_true(truth->decides[found->deciders[i]]);
        if (!truth->otherwise)
                assert_int_equal(found->kind, FW_FINDING_REDUNDANT);
        else if (n == 1 && truth->same[alone] &&
                 (world->rules[alone].action == FW_ALLOW) !=
                         (world->rules[number].action == FW_ALLOW))
                assert_int_equal(found->kind, FW_FINDING_CONTRADICTORY);
        else
                assert_int_equal(found->kind, FW_FINDING_SHADOWED);
}

static void compare_world(const World *world)
{
        g_autoptr(PtSlice) slice = world_slice(world);
        g_autoptr(FwSpace) space = NULL;
        g_autoptr(FwPolicy) policy = read_policy(slice, &space);
        Findings findings = {.policy = policy};
        Truth truth;

        assert_int_equal(fw_policy_analyse(policy, FW_ANALYSIS_STEPS, note, &findings), 0);
        for (int i = 0; i < (int) world->n; i++) {
                ask_all(world, i, &truth);
                if (!truth.matches) /* of addresses that nobody has */
                        assert_false(findings.any[i]);
                else if (!truth.reached) {
                        assert_true(findings.any[i]);
                        check_covered(world, i, &truth, &findings.of[i]);
                } else if (!truth.needed && !world->rules[i].log) {
                        assert_true(findings.any[i]);
                        assert_int_equal(findings.of[i].kind, FW_FINDING_REDUNDANT);
                        assert_true(findings.of[i].follows);
                } else {
                        assert_false(findings.any[i]);
                }
        }
}

static void compare_worlds(guint32 seed, int bits, unsigned n)
{
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

        for (unsigned i = 0; i < n; i++) {
                World world = {.bits = bits};

                world_random(&world, rand);
                compare_world(&world);
        }
}

static void test_every_packet(void **state)
{
        compare_worlds(1, 2, g_getenv("PATRONUS_LONG") ? 50000 : 2000);
        compare_worlds(2, 4, g_getenv("PATRONUS_LONG") ? 1000 : 30);
}

/* Words for people. */

static PtSlice *two_zones(void)
{
        PtSlice *slice = pt_slice_new();

        fw_put_zone(slice, "lan", "{\"interfaces\":[\"lan0\"]}");
        fw_put_zone(slice, "wan", "{\"interfaces\":[\"wan0\"]}");
        return slice;
}

/* "code subject text" of each, one a line. */
static char *analyse(const PtSlice *slice)
{
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        FwSource source = {slice, NULL};
        GString *lines = g_string_new(NULL);

        assert_int_equal(fw_analyse(&source, diag), 0);
        for (size_t i = 0; i < pt_diag_count(diag); i++) {
                const PtDiagnostic *one = pt_diag_get(diag, i);

                assert_int_equal(one->severity, PT_SEVERITY_WARNING);
                g_string_append_printf(lines, "%s %s%s: %s\n", one->code, one->subject,
                                       one->pointer, one->text);
        }
        return g_string_free(lines, FALSE);
}

static void test_names_who_covers(void **state)
{
        g_autoptr(PtSlice) slice = two_zones();
        g_autofree char *text = NULL;

        fw_put_rule(slice, "low", 1,
                    "{\"action\":\"allow\",\"from\":\"lan\",\"source\":{\"addresses\":[\"10.0.0.0/"
                    "25\"]}}");
        fw_put_rule(slice, "high", 2,
                    "{\"action\":\"drop\",\"from\":\"lan\",\"source\":{\"addresses\":[\"10.0.0.128/"
                    "25\"]}}");
        fw_put_rule(slice, "whole", 3,
                    "{\"action\":\"reject\",\"from\":\"lan\",\"to\":\"wan\",\"source\":{"
                    "\"addresses\":[\"10.0.0.0/24\"]}}");
        fw_put_rule(slice, "also", 4,
                    "{\"action\":\"allow\",\"from\":\"lan\",\"to\":\"wan\",\"source\":{"
                    "\"addresses\":[\"10.0.0.0/26\"]}}");
        fw_put_rule(slice, "not", 5,
                    "{\"action\":\"drop\",\"from\":\"lan\",\"source\":{\"addresses\":[\"10.0.0.0/"
                    "25\"]}}");
        text = analyse(slice);
        assert_string_equal(
                text,
                "shadowed FirewallRule/whole/spec: no packet comes to it: FirewallRule/low and "
                "FirewallRule/high before it decide all that it matches; move it up, or remove it\n"
                "redundant FirewallRule/also/spec: no packet comes to it: FirewallRule/low before "
                "it decides alike; remove it\n"
                "contradictory FirewallRule/not/spec: FirewallRule/low before it matches the same "
                "packets and does the opposite: remove one of the two\n");
}

static void test_names_what_follows(void **state)
{
        g_autoptr(PtSlice) slice = two_zones();
        g_autofree char *text = NULL;

        fw_put_rule(slice, "needed", 1,
                    "{\"action\":\"drop\",\"protocol\":\"udp\",\"from\":\"lan\"}");
        fw_put_rule(slice, "not-needed", 2,
                    "{\"action\":\"drop\",\"protocol\":\"tcp\",\"from\":\"lan\"}");
        fw_put_rule(slice, "udp", 3, "{\"action\":\"allow\",\"protocol\":\"udp\"}");
        fw_put_rule(slice, "low", 4,
                    "{\"action\":\"drop\",\"log\":true,\"protocol\":\"tcp\",\"destination\":{"
                    "\"ports\":[\"1-1023\"]}}");
        text = analyse(slice);
        assert_string_equal(
                text, "redundant FirewallRule/not-needed/spec: without it the same would happen: "
                      "FirewallRule/low and the default decide alike after it; remove it\n");
}

static void test_same_place(void **state)
{
        g_autoptr(PtSlice) slice = two_zones();
        g_autofree char *text = NULL;

        fw_put_rule(
                slice, "a", 1,
                "{\"action\":\"allow\",\"protocol\":\"tcp\",\"destination\":{\"ports\":[\"1-5\"]"
                "}}");
        fw_put_rule(slice, "b", 1,
                    "{\"action\":\"drop\",\"log\":true,\"protocol\":\"tcp\",\"destination\":{"
                    "\"ports\":[\"5-9\"]}}");
        text = analyse(slice);
        assert_string_equal(
                text, "contradictory FirewallRule/b/metadata/position: FirewallRule/a has the same "
                      "priority and position, matches some of the same packets and does the "
                      "opposite: only their names say which comes first; give one of them another "
                      "priority\n");
}

/* An alias of more addresses than analyses look at one by one. */
static void put_many(PtSlice *slice)
{
        g_autoptr(GString) text = g_string_new(
                "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Alias\",\"metadata\":{"
                "\"name\":\"many\"},\"spec\":{\"type\":\"host\",\"addresses\":[");

        for (unsigned i = 0; i < 2 * FW_ALIAS_SPANS_MAX; i++)
                g_string_append_printf(text, "%s\"10.1.%u.1\"", i ? "," : "", i);
        g_string_append(text, "]}}");
        fw_put(slice, text->str);
}

/* What is not known is never held against a rule. */
static void test_conditions(void **state)
{
        g_autoptr(PtSlice) slice = two_zones();
        g_autofree char *text = NULL;

        put_many(slice);
        fw_put(slice, "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Alias\",\"metadata\":{"
                      "\"name\":\"few\"},\"spec\":{\"type\":\"host\",\"addresses\":[\"10.2.0.1\","
                      "\"10.2.0.2\"]}}");
        fw_put_rule(slice, "mac", 1,
                    "{\"action\":\"allow\",\"source\":{\"macs\":[\"02:00:00:00:00:01\"]}}");
        fw_put_rule(slice, "all", 2,
                    "{\"action\":\"drop\",\"log\":true,\"source\":{\"aliases\":["
                    "\"many\"]}}");
        fw_put_rule(slice, "one-of-many", 3,
                    "{\"action\":\"allow\",\"source\":{\"addresses\":[\"10.1.0.1\"]}}");
        fw_put_rule(slice, "some-of-many", 4,
                    "{\"action\":\"allow\",\"protocol\":\"tcp\",\"source\":{\"aliases\":[\"many\"]"
                    "}}");
        fw_put_rule(slice, "few", 5, "{\"action\":\"reject\",\"source\":{\"aliases\":[\"few\"]}}");
        fw_put_rule(slice, "one-of-few", 6,
                    "{\"action\":\"allow\",\"source\":{\"addresses\":[\"10.2.0.1\"]}}");
        fw_put_rule(slice, "mac-again", 7,
                    "{\"action\":\"drop\",\"protocol\":\"udp\",\"source\":{\"macs\":[\"02:00:00:00:"
                    "00:01\"]}}");
        text = analyse(slice);
        assert_string_equal(
                text,
                "shadowed FirewallRule/some-of-many/spec: no packet comes to it: FirewallRule/mac "
                "and FirewallRule/all before it decide all that it matches; move it up, or remove "
                "it\n"
                "shadowed FirewallRule/one-of-few/spec: no packet comes to it: FirewallRule/mac, "
                "FirewallRule/all and FirewallRule/few before it decide all that it matches; move "
                "it up, or remove it\n"
                "shadowed FirewallRule/mac-again/spec: no packet comes to it: FirewallRule/mac "
                "before it decides all that it matches; move it up, or remove it\n");
}

/* What is in an alias or not in it is everything, whatever it holds. */
static void test_both_sides_of_a_condition(void **state)
{
        g_autoptr(PtSlice) slice = two_zones();
        g_autofree char *text = NULL;

        put_many(slice);
        fw_put_rule(slice, "others", 1,
                    "{\"action\":\"allow\",\"source\":{\"except\":{\"aliases\":[\"many\"]}}}");
        fw_put_rule(slice, "these", 2,
                    "{\"action\":\"reject\",\"source\":{\"aliases\":[\"many\"]}}");
        fw_put_rule(slice, "all", 3, "{\"action\":\"allow\",\"protocol\":\"tcp\"}");
        text = analyse(slice);
        assert_string_equal(
                text, "shadowed FirewallRule/all/spec: no packet comes to it: FirewallRule/others "
                      "and FirewallRule/these before it decide all that it matches; move it up, or "
                      "remove it\n");
}

/* What a rule sets on the way, later rules see. */
static void test_marks_change(void **state)
{
        g_autoptr(PtSlice) slice = two_zones();
        g_autofree char *text = NULL;

        fw_put_rule(slice, "a", 1, "{\"action\":\"allow\",\"mark\":\"0x1/0xff\"}");
        fw_put_rule(slice, "b", 2,
                    "{\"action\":\"continue\",\"from\":\"lan\",\"setMark\":\"0x1/0xff\"}");
        fw_put_rule(slice, "c", 3, "{\"action\":\"reject\",\"log\":true,\"mark\":\"0x1/0xff\"}");
        fw_put_rule(slice, "d", 4, "{\"action\":\"allow\",\"from\":\"lan\",\"mark\":\"0x1/0xff\"}");
        fw_put_rule(slice, "e", 5, "{\"action\":\"reject\",\"mode\":\"audit\",\"from\":\"wan\"}");
        fw_put_rule(slice, "f", 6, "{\"action\":\"allow\",\"from\":\"wan\"}");
        text = analyse(slice);
        assert_string_equal(
                text, "shadowed FirewallRule/d/spec: no packet comes to it: FirewallRule/a and "
                      "FirewallRule/c before it decide all that it matches; move it up, or remove "
                      "it\n");
}

/* Floating rules stand before or after all others, and are for the router's own packets too. */
static void test_floating(void **state)
{
        g_autoptr(PtSlice) slice = two_zones();
        g_autofree char *text = NULL;

        fw_put_rule(slice, "lan-ssh", 1,
                    "{\"action\":\"allow\",\"from\":\"lan\",\"protocol\":\"tcp\",\"destination\":{"
                    "\"ports\":[22]}}");
        fw_put_rule(slice, "own-ssh", 2,
                    "{\"action\":\"allow\",\"from\":\"router\",\"to\":\"wan\",\"protocol\":\"tcp\","
                    "\"destination\":{\"ports\":[22]}}");
        fw_put_rule(slice, "own-web", 3,
                    "{\"action\":\"allow\",\"from\":\"router\",\"to\":\"wan\",\"protocol\":\"tcp\","
                    "\"destination\":{\"ports\":[80]}}");
        fw_put_rule(
                slice, "no-ssh-in", 9,
                "{\"action\":\"drop\",\"floating\":true,\"direction\":\"in\",\"protocol\":\"tcp\","
                "\"destination\":{\"ports\":[22]}}");
        fw_put_rule(slice, "late-web", 4,
                    "{\"action\":\"reject\",\"floating\":true,\"quick\":false,\"protocol\":\"tcp\","
                    "\"destination\":{\"ports\":[80]}}");
        fw_put_rule(slice, "later-web", 5,
                    "{\"action\":\"allow\",\"floating\":true,\"quick\":false,\"protocol\":\"tcp\","
                    "\"destination\":{\"ports\":[80]}}");
        text = analyse(slice);
        assert_string_equal(
                text,
                "shadowed FirewallRule/lan-ssh/spec: no packet comes to it: FirewallRule/no-ssh-in "
                "before it decides all that it matches; move it up, or remove it\n"
                "redundant FirewallRule/own-ssh/spec: without it the same would happen: the "
                "default "
                "decides alike after it; remove it\n"
                "redundant FirewallRule/own-web/spec: without it the same would happen: "
                "FirewallRule/later-web decides alike after it; remove it\n"
                "shadowed FirewallRule/late-web/spec: no packet comes to it: FirewallRule/own-web "
                "and FirewallRule/later-web before it decide all that it matches; move it up, or "
                "remove it\n");
}

/* More conditions than are told apart: less is found, and nothing that is not so. */
static void test_too_many_conditions(void **state)
{
        g_autoptr(PtSlice) slice = two_zones();
        g_autofree char *text = NULL;

        for (unsigned i = 0; i <= FW_CONDITIONS_MAX; i++) {
                g_autofree char *first = g_strdup_printf("a%u", i);
                g_autofree char *again = g_strdup_printf("b%u", i);
                g_autofree char *spec = g_strdup_printf(
                        "{\"action\":\"allow\",\"log\":true,\"mark\":\"%u/0xffff\"}", i);

                fw_put_rule(slice, first, 2 * i + 1, spec);
                fw_put_rule(slice, again, 2 * i + 2, spec);
        }
        text = analyse(slice);
        assert_non_null(strstr(text, "FirewallRule/b63/"));
        assert_null(strstr(text, "FirewallRule/b64/"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_packet),
                cmocka_unit_test(test_names_who_covers),
                cmocka_unit_test(test_names_what_follows),
                cmocka_unit_test(test_same_place),
                cmocka_unit_test(test_conditions),
                cmocka_unit_test(test_both_sides_of_a_condition),
                cmocka_unit_test(test_floating),
                cmocka_unit_test(test_marks_change),
                cmocka_unit_test(test_too_many_conditions),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
