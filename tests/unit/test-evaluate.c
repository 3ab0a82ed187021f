/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What the ruleset of a slice does with a connection's first packet: who decides, stage by stage;
 * and what it says when not all is known. Agreement with the kernel is tests/netns/test_cuts.py. */

#include "evaluate-unit.h"

#include "filter/evaluate.h"
#include "filter-unit.h"

#include <netinet/in.h>

typedef struct World {
        PtSlice *slice;
        FwLists *lists;
        FwBan *ban; /* in force; NULL: none */
} World;

/* The machine is 10.N.0.1 and fd00:N::1; 10.1.0.0/16 is behind eth1 and so on, all else behind
 * eth1. */
static int route(const FwPacket *packet, const uint8_t *destination, FwWay *ret, void *userdata)
{
        unsigned n = packet->family == AF_INET ? destination[1] : destination[3];
        const uint8_t *rest = destination + (packet->family == AF_INET ? 2 : 4);
        unsigned host = packet->family == AF_INET ? rest[1] : rest[11];

        if (destination[0] == 99)
                return -ENETUNREACH;
        *ret = (FwWay){.local = destination[0] != 192 && host == 1};
        if (!ret->local)
                g_snprintf(ret->out, sizeof(ret->out), "eth%u", n >= 1 && n <= 4 ? n : 1);
        return 0;
}

static void set_up(World *world)
{
        *world = (World){.slice = pt_slice_new()};
        fw_put_zone(world->slice, "wan", "{\"interfaces\":[\"eth1\"],\"forward\":\"reject\"}");
        fw_put_zone(world->slice, "lan", "{\"interfaces\":[\"eth2\"],\"input\":\"allow\"}");
        fw_put_zone(world->slice, "dmz",
                    "{\"interfaces\":[\"eth3\"],\"sources\":[\"10.1.9.0/24\"]}");
}

static void tear_down(World *world)
{
        fw_lists_free(world->lists);
        pt_slice_unref(world->slice);
}

/* One ban, and the world has it as its userdata. */
static bool banned(uint8_t family, const uint8_t *address, FwBan *ret, void *userdata)
{
        const FwBan *ban = userdata;

        if (!fw_ban_contains(ban, family, address))
                return false;
        *ret = *ban;
        return true;
}

static int evaluate(World *world, const FwPacket *packet, FwOutcome *ret)
{
        const FwSource source = {world->slice, NULL};
        FwWorld each = {
                .route = route,
                .banned = world->ban ? banned : NULL,
                .userdata = world->ban,
        };

        g_clear_pointer(&world->lists, fw_lists_free);
        assert_int_equal(fw_lists_new(&source, NULL, NULL, &world->lists), 0);
        each.lists = world->lists;
        return fw_evaluate(&each, packet, ret);
}

static void assert_packet(World *world, const FwPacket *packet, FwAction action, const char *why)
{
        g_autofree char *text = NULL, *leads = NULL;
        FwOutcome outcome;

        assert_int_equal(evaluate(world, packet, &outcome), 0);
        text = fw_outcome_describe(&outcome);
        leads = fw_outcome_describe_translation(&outcome);
        if (leads) {
                char *both = g_strdup_printf("%s, %s", leads, text);

                g_free(text);
                text = both;
        }
        assert_string_equal(text, why);
        assert_int_equal(outcome.action, action);
}

static void assert_outcome(World *world, const char *in, const char *source,
                           const char *destination, unsigned port, FwAction action, const char *why)
{
        FwPacket packet = packet_of(in, source, destination, port);

        assert_packet(world, &packet, action, why);
}

static void test_defaults(void **state)
{
        World world;

        set_up(&world);
        assert_outcome(&world, "eth1", "10.1.0.2", "10.1.0.1", 22, FW_DROP,
                       "no rule lets it in, and the default of zone wan is drop");
        assert_outcome(&world, "eth1", "10.1.0.2", "10.2.0.2", 22, FW_REJECT,
                       "no rule lets it pass to zone lan, and the default of zone wan is reject");
        assert_outcome(&world, "eth2", "fd00:2::2", "fd00:1::1", 22, FW_ALLOW,
                       "no rule refuses it, and the default of zone lan is allow");
        /* By address before interface. */
        assert_outcome(&world, "eth1", "10.1.9.2", "10.1.0.1", 22, FW_DROP,
                       "no rule lets it in, and the default of zone dmz is drop");
        assert_outcome(&world, "eth2", "10.2.0.2", "10.1.9.1", 22, FW_ALLOW,
                       "no rule refuses it, and the default of zone lan is allow");
        assert_outcome(&world, "eth2", "10.2.0.2", "10.1.9.2", 22, FW_DROP,
                       "no rule lets it pass to zone dmz, and the default of zone lan is drop");
        assert_outcome(&world, "eth4", "10.4.0.2", "10.1.0.1", 22, FW_DROP,
                       "the interface eth4 belongs to no zone");
        assert_outcome(&world, "eth2", "10.2.0.2", "10.4.0.2", 22, FW_DROP,
                       "the interface eth4 belongs to no zone");
        assert_outcome(&world, "lo", "10.1.0.1", "10.1.0.1", 22, FW_ALLOW,
                       "it does not leave the machine");
        tear_down(&world);
}

static void test_rules(void **state)
{
        World world;

        set_up(&world);
        fw_put_rule(world.slice, "late", 1, "{\"action\":\"drop\",\"priority\":40000}");
        fw_put_rule(
                world.slice, "in", 2,
                "{\"action\":\"allow\",\"from\":\"wan\",\"to\":\"router\",\"services\":[\"ssh\"],"
                "\"source\":{\"aliases\":[\"admins\"]}}");
        fw_put_rule(world.slice, "off", 3, "{\"action\":\"reject\",\"enabled\":false}");
        fw_put_rule(world.slice, "through", 4,
                    "{\"action\":\"reject\",\"from\":\"any\",\"to\":\"dmz\",\"protocol\":\"tcp\","
                    "\"destination\":{\"ports\":[\"80-90\"],\"except\":{\"ports\":[85]}}}");
        fw_put(world.slice,
               "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Alias\",\"metadata\":{"
               "\"name\":\"admins\"},\"spec\":{\"type\":\"network\",\"aliases\":[\"more\"],"
               "\"addresses\":[\"10.1.0.64/26\",\"fd00:1::/64\"]}}");
        fw_put(world.slice,
               "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Alias\",\"metadata\":{"
               "\"name\":\"more\"},\"spec\":{\"type\":\"host\",\"addresses\":[\"10.1.0.7\"]}}");
        assert_outcome(&world, "eth1", "10.1.0.7", "10.1.0.1", 22, FW_ALLOW,
                       "FirewallRule/in lets it pass");
        assert_outcome(&world, "eth1", "10.1.0.127", "10.1.0.1", 22, FW_ALLOW,
                       "FirewallRule/in lets it pass");
        assert_outcome(&world, "eth1", "fd00:1::7", "fd00:1::1", 22, FW_ALLOW,
                       "FirewallRule/in lets it pass");
        assert_outcome(&world, "eth1", "10.1.0.128", "10.1.0.1", 22, FW_DROP,
                       "FirewallRule/late drops it");
        assert_outcome(&world, "eth1", "10.1.0.7", "10.1.0.1", 23, FW_DROP,
                       "FirewallRule/late drops it");
        assert_outcome(&world, "eth2", "10.2.0.2", "10.3.0.2", 84, FW_REJECT,
                       "FirewallRule/through rejects it");
        assert_outcome(&world, "eth2", "10.2.0.2", "10.3.0.2", 85, FW_DROP,
                       "FirewallRule/late drops it");
        tear_down(&world);
}

static void test_unknown(void **state)
{
        static const uint8_t mac[] = {2, 0, 0, 0, 0, 9};
        FwPacket packet = packet_of("eth1", "10.1.0.2", "10.1.0.1", 22);
        World world;

        set_up(&world);
        fw_packet_set(&packet, FW_DIM_SOURCE_PORT, 1024, 65535);
        fw_packet_set_unknown(&packet, FW_DIM_MARK);
        fw_packet_set_unknown(&packet, FW_DIM_DSCP);
        fw_packet_set_unknown(&packet, FW_DIM_SOURCE_MAC);
        fw_put_rule(
                world.slice, "a", 1,
                "{\"action\":\"drop\",\"protocol\":\"tcp\",\"source\":{\"ports\":[\"1-1023\"]}}");
        fw_put_rule(world.slice, "b", 2,
                    "{\"action\":\"allow\",\"source\":{\"macs\":[\"02:00:00:00:00:09\"]}}");
        fw_put_rule(world.slice, "c", 3, "{\"action\":\"allow\",\"mark\":\"0x1/0xff\"}");
        assert_packet(&world, &packet, FW_DROP,
                      "no rule lets it in, and the default of zone wan is drop; or FirewallRule/b "
                      "lets it pass, by what is not known of it beforehand");
        fw_packet_set_bytes(&packet, FW_DIM_SOURCE_MAC, mac);
        assert_packet(&world, &packet, FW_ALLOW, "FirewallRule/b lets it pass");
        fw_put_rule(world.slice, "b", 2,
                    "{\"action\":\"reject\",\"protocol\":\"tcp\",\"source\":{\"ports\":[\"2000-"
                    "3000\"]}}");
        fw_put_rule(world.slice, "d", 4,
                    "{\"action\":\"allow\",\"protocol\":\"tcp\",\"source\":{\"ports\":[\"1024-"
                    "65535\"]}}");
        assert_packet(&world, &packet, FW_ALLOW,
                      "FirewallRule/d lets it pass; or FirewallRule/b rejects it, by what is not "
                      "known of it beforehand");
        /* What has no hardware address is not what has another. */
        packet.here[FW_DIM_SOURCE_MAC] = false;
        fw_put_rule(world.slice, "b", 2,
                    "{\"action\":\"drop\",\"source\":{\"macs\":[\"02:00:00:00:00:08\"]}}");
        assert_packet(&world, &packet, FW_ALLOW, "FirewallRule/d lets it pass");
        tear_down(&world);
}

static void test_flags_lengths_interfaces(void **state)
{
        FwPacket packet = packet_of("eth1", "10.1.0.2", "10.2.0.2", 22);
        World world;

        set_up(&world);
        fw_packet_set(&packet, FW_DIM_TCP_FLAGS, 0x02, 0xc2); /* SYN; ECE and CWR are not known */
        fw_packet_set(&packet, FW_DIM_LENGTH, 60, 60);
        fw_put_rule(world.slice, "flags", 1,
                    "{\"action\":\"allow\",\"protocol\":\"tcp\",\"tcpFlags\":{\"set\":[\"syn\"],"
                    "\"clear\":[\"ack\"]}}");
        assert_packet(&world, &packet, FW_ALLOW, "FirewallRule/flags lets it pass");
        fw_put_rule(
                world.slice, "flags", 1,
                "{\"action\":\"allow\",\"protocol\":\"tcp\",\"tcpFlags\":{\"clear\":[\"syn\"]}}");
        fw_put_rule(world.slice, "length", 2,
                    "{\"action\":\"drop\",\"length\":[\"1-59\",\"61-70\"]}");
        fw_put_rule(world.slice, "in", 3,
                    "{\"action\":\"drop\",\"interfaces\":[\"eth2\",\"eth10\",\"th*\"]}");
        assert_packet(&world, &packet, FW_REJECT,
                      "no rule lets it pass to zone lan, and the default of zone wan is reject");
        fw_put_rule(world.slice, "in", 3, "{\"action\":\"allow\",\"interfaces\":[\"et*\"]}");
        assert_packet(&world, &packet, FW_ALLOW, "FirewallRule/in lets it pass");
        fw_put_rule(world.slice, "length", 2, "{\"action\":\"drop\",\"length\":[60]}");
        assert_packet(&world, &packet, FW_DROP, "FirewallRule/length drops it");
        fw_put_rule(
                world.slice, "flags", 1,
                "{\"action\":\"allow\",\"protocol\":\"tcp\",\"tcpFlags\":{\"clear\":[\"ece\"]}}");
        assert_packet(
                &world, &packet, FW_DROP,
                "FirewallRule/length drops it; or FirewallRule/flags lets it pass, by what is "
                "not known of it beforehand");
        tear_down(&world);
}

/* Quick before the zones' rules, not quick after them and the last one first; each counts only where
 * its direction looks. */
static void test_floating(void **state)
{
        FwPacket packet = packet_of("eth1", "10.1.0.2", "10.2.0.2", 22);
        World world;

        set_up(&world);
        fw_put_rule(world.slice, "late-1", 1,
                    "{\"action\":\"allow\",\"floating\":true,\"quick\":false}");
        fw_put_rule(world.slice, "late-2", 2,
                    "{\"action\":\"drop\",\"floating\":true,\"quick\":false,\"direction\":\"in\"}");
        assert_packet(&world, &packet, FW_DROP, "FirewallRule/late-2 drops it");
        fw_put_rule(world.slice, "late-2", 2,
                    "{\"action\":\"drop\",\"floating\":true,\"quick\":false,\"interfaces\":["
                    "\"eth3\"]}");
        assert_packet(&world, &packet, FW_ALLOW, "FirewallRule/late-1 lets it pass");
        fw_put_rule(world.slice, "zones", 3, "{\"action\":\"drop\",\"from\":\"wan\"}");
        assert_packet(&world, &packet, FW_DROP, "FirewallRule/zones drops it");
        fw_put_rule(world.slice, "quick", 4,
                    "{\"action\":\"reject\",\"floating\":true,\"direction\":\"out\","
                    "\"interfaces\":[\"eth2\"]}");
        assert_packet(&world, &packet, FW_REJECT, "FirewallRule/quick rejects it");
        fw_put_rule(world.slice, "quick", 4,
                    "{\"action\":\"reject\",\"floating\":true,\"direction\":\"in\","
                    "\"interfaces\":[\"eth2\"]}");
        assert_packet(&world, &packet, FW_DROP, "FirewallRule/zones drops it");
        /* What is for the router leaves by no interface. */
        packet = packet_of("eth1", "10.1.0.2", "10.1.0.1", 22);
        fw_put_rule(world.slice, "quick", 4,
                    "{\"action\":\"reject\",\"floating\":true,\"direction\":\"out\"}");
        assert_packet(&world, &packet, FW_DROP, "FirewallRule/zones drops it");
        tear_down(&world);
}

/* What decides nothing is named, and passed over; a group switches its rules. */
static void test_audit_and_groups(void **state)
{
        FwPacket packet = packet_of("eth1", "10.1.0.2", "10.2.0.2", 22);
        World world;

        set_up(&world);
        fw_put(world.slice,
               "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"RuleGroup\",\"metadata\":{"
               "\"name\":\"off\"},\"spec\":{\"enabled\":false}}");
        fw_put_rule(world.slice, "counts", 1, "{\"action\":\"continue\"}");
        fw_put_rule(world.slice, "tries", 2, "{\"action\":\"drop\",\"mode\":\"audit\"}");
        fw_put_rule(world.slice, "other", 3,
                    "{\"action\":\"drop\",\"mode\":\"audit\",\"from\":\"lan\"}");
        fw_put_rule(world.slice, "off", 4, "{\"action\":\"drop\",\"group\":\"off\"}");
        fw_put_rule(world.slice, "pass", 5, "{\"action\":\"allow\"}");
        fw_put_rule(world.slice, "after", 6, "{\"action\":\"continue\"}");
        assert_packet(
                &world, &packet, FW_ALLOW,
                "FirewallRule/pass lets it pass; before that, FirewallRule/counts counts it and "
                "goes on; before that, FirewallRule/tries would drop it (audit)");
        fw_put(world.slice,
               "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"RuleGroup\",\"metadata\":{"
               "\"name\":\"off\"},\"spec\":{}}");
        fw_put_rule(world.slice, "counts", 1, "{\"action\":\"continue\",\"enabled\":false}");
        assert_packet(&world, &packet, FW_DROP,
                      "FirewallRule/off drops it; before that, FirewallRule/tries would drop it "
                      "(audit)");
        tear_down(&world);
}

/* What a rule sets is what later ones see; what one may set is not known. */
static void test_marks(void **state)
{
        FwPacket packet = packet_of("eth1", "10.1.0.2", "10.2.0.2", 22);
        World world;

        set_up(&world);
        fw_packet_set(&packet, FW_DIM_MARK, 0xab000001, 0xab000001);
        fw_put_rule(world.slice, "set", 1,
                    "{\"action\":\"continue\",\"setMark\":\"0x12/0x13\",\"setDscp\":7}");
        fw_put_rule(world.slice, "pass", 2,
                    "{\"action\":\"allow\",\"mark\":\"0xab000012\",\"dscp\":7}");
        assert_packet(&world, &packet, FW_ALLOW,
                      "FirewallRule/pass lets it pass; before that, FirewallRule/set counts it and "
                      "goes on");
        fw_put_rule(world.slice, "set", 1,
                    "{\"action\":\"continue\",\"setMark\":\"0x12/0x13\",\"setDscp\":7,"
                    "\"source\":{\"ports\":[9]},\"protocol\":\"tcp\"}");
        assert_packet(&world, &packet, FW_REJECT,
                      "no rule lets it pass to zone lan, and the default of zone wan is reject");
        fw_packet_set(&packet, FW_DIM_SOURCE_PORT, 0, 65535);
        assert_packet(
                &world, &packet, FW_REJECT,
                "no rule lets it pass to zone lan, and the default of zone wan is reject; or "
                "FirewallRule/pass lets it pass, by what is not known of it beforehand; before "
                "that, FirewallRule/set counts it and goes on");
        /* Bits outside the mask stay known. */
        fw_put_rule(world.slice, "pass", 2, "{\"action\":\"allow\",\"mark\":\"0x0/0x20\"}");
        assert_packet(&world, &packet, FW_ALLOW,
                      "FirewallRule/pass lets it pass; before that, FirewallRule/set counts it and "
                      "goes on");
        tear_down(&world);
}

static void put_settings(World *world, const char *spec)
{
        g_autofree char *text = g_strdup_printf("{\"apiVersion\":\"patronus.firewall/"
                                                "v1\",\"kind\":\"FilterSettings\",\"metadata\":{"
                                                "\"name\":\"default\"},\"spec\":%s}",
                                                spec);

        fw_put(world->slice, text);
}

static void test_settings(void **state)
{
        World world;

        set_up(&world);
        fw_put_rule(world.slice, "no", 1, "{\"action\":\"drop\"}");
        put_settings(&world,
                     "{\"antiLockout\":{\"interfaces\":[\"eth*\"],\"sources\":[\"10.1.0.2\"]},"
                     "\"blockPrivate\":[\"lan\"],\"blockBogons\":[\"wan\"]}");
        assert_outcome(&world, "eth1", "10.1.0.2", "10.1.0.1", 22, FW_ALLOW,
                       "anti-lockout (FilterSettings/default) lets it in");
        assert_outcome(&world, "eth1", "10.1.0.2", "10.1.0.1", 23, FW_DROP,
                       "FirewallRule/no drops it");
        assert_outcome(&world, "eth1", "10.1.0.3", "10.1.0.1", 22, FW_DROP,
                       "FirewallRule/no drops it");
        assert_outcome(&world, "eth1", "10.1.0.2", "10.2.0.2", 22, FW_DROP,
                       "FirewallRule/no drops it");
        assert_outcome(&world, "ppp0", "10.1.0.2", "10.1.0.1", 22, FW_DROP,
                       "the interface ppp0 belongs to no zone");
        assert_outcome(&world, "eth2", "10.2.0.2", "10.1.0.1", 22, FW_DROP,
                       "zone lan takes nothing from private addresses");
        assert_outcome(&world, "eth2", "192.0.2.2", "10.1.0.1", 22, FW_DROP,
                       "FirewallRule/no drops it");
        assert_outcome(&world, "eth1", "2001:db8::2", "fd00:1::1", 22, FW_DROP,
                       "zone wan takes nothing from addresses that nobody has (bogons)");
        tear_down(&world);
}

static void test_translation(void **state)
{
        FwPacket packet = packet_of("eth1", "10.1.0.2", "10.1.0.1", 22);
        FwOutcome outcome;
        World world;

        set_up(&world);
        fw_put_ordered(
                world.slice, "NatRule", "elsewhere", 1,
                "{\"type\":\"forward\",\"zone\":\"wan\",\"protocol\":\"tcp\",\"destination\":{"
                "\"ports\":[22]},\"translation\":{\"addresses\":[\"10.3.0.2\"],\"ports\":[23]}}");
        fw_put_ordered(
                world.slice, "NatRule", "here", 2,
                "{\"type\":\"redirect\",\"zone\":\"any\",\"protocol\":\"tcp\",\"destination\":{"
                "\"ports\":[2222]},\"translation\":{\"ports\":[22]}}");
        fw_put_ordered(
                world.slice, "NatRule", "moved", 3,
                "{\"type\":\"forward\",\"zone\":\"wan\",\"protocol\":\"tcp\",\"destination\":{"
                "\"addresses\":[\"192.0.2.1\"],\"ports\":[\"100-109\"]},\"translation\":{"
                "\"addresses\":[\"10.3.0.2\"],\"ports\":[\"200-209\"]},\"filter\":\"none\"}");
        fw_put_ordered(world.slice, "NatRule", "prefix", 4,
                       "{\"type\":\"one-to-one\",\"zone\":\"wan\",\"destination\":{\"addresses\":["
                       "\"192.0.2.128/25\"]},\"translation\":{\"addresses\":[\"10.3.0.128/25\"]}}");
        assert_packet(
                &world, &packet, FW_ALLOW,
                "NatRule/elsewhere leads it to 10.3.0.2 port 23, NatRule/elsewhere lets it pass");
        assert_outcome(&world, "eth2", "10.2.0.2", "10.1.0.1", 22, FW_ALLOW,
                       "no rule refuses it, and the default of zone lan is allow");
        assert_outcome(&world, "eth1", "10.1.0.2", "10.2.0.9", 22, FW_REJECT,
                       "no rule lets it pass to zone lan, and the default of zone wan is reject");
        assert_outcome(&world, "eth1", "10.1.0.2", "10.1.0.1", 2222, FW_ALLOW,
                       "NatRule/here leads it to port 22 of the router, NatRule/here lets it pass");
        assert_outcome(&world, "eth1", "10.1.0.2", "192.0.2.1", 104, FW_REJECT,
                       "NatRule/moved leads it to 10.3.0.2 port 204, no rule lets it pass to zone "
                       "dmz, and the default of zone wan is reject");
        assert_outcome(&world, "eth1", "10.1.0.2", "192.0.2.200", 9, FW_REJECT,
                       "NatRule/prefix leads it to 10.3.0.200 port 9, no rule lets it pass to zone "
                       "dmz, and the default of zone wan is reject");
        /* Asked for directly, what is translated to stays closed. */
        assert_outcome(&world, "eth1", "10.1.0.2", "10.3.0.2", 23, FW_REJECT,
                       "no rule lets it pass to zone dmz, and the default of zone wan is reject");

        fw_put_ordered(world.slice, "NatRule", "elsewhere", 1,
                       "{\"type\":\"forward\",\"zone\":\"wan\",\"protocol\":\"tcp\",\"source\":{"
                       "\"macs\":[\"02:00:00:00:00:09\"]},\"destination\":{\"ports\":[22]},"
                       "\"translation\":{\"addresses\":[\"10.3.0.2\"]}}");
        fw_packet_set_unknown(&packet, FW_DIM_SOURCE_MAC);
        assert_int_equal(evaluate(&world, &packet, &outcome), 0);
        assert_null(outcome.destination.rule);
        assert_string_equal(outcome.destination.doubt->object.name, "elsewhere");
        tear_down(&world);
}

/* What external aliases hold, and how much of a limit is used up, is known at run time only. */
static void test_limits(void **state)
{
        FwPacket packet = packet_of("eth1", "10.1.0.2", "10.2.0.9", 22);
        FwOutcome outcome;
        World world;

        set_up(&world);
        fw_put(world.slice, "{\"apiVersion\":\"patronus.firewall/v1\",\"kind\":\"Alias\","
                            "\"metadata\":{\"name\":\"guessers\"},\"spec\":{\"type\":\"host\","
                            "\"external\":true}}");
        fw_put_rule(world.slice, "limited", 2,
                    "{\"action\":\"allow\",\"limits\":{\"connections\":1}}");
        assert_outcome(
                &world, "eth1", "10.1.0.2", "10.2.0.9", 22, FW_ALLOW,
                "FirewallRule/limited lets it pass, unless it is beyond a limit of the rule");
        fw_put_rule(world.slice, "refuse", 1,
                    "{\"action\":\"drop\",\"source\":{\"aliases\":[\"guessers\"]}}");
        assert_int_equal(evaluate(&world, &packet, &outcome), 0);
        assert_int_equal(outcome.action, FW_ALLOW);
        assert_non_null(outcome.doubt);
        assert_string_equal(outcome.doubt->object.name, "refuse");
        tear_down(&world);
}

static void test_bans(void **state)
{
        g_autofree char *reason = NULL;
        World world;
        FwBan ban;

        set_up(&world);
        assert_int_equal(fw_ban_parse("10.2.0.0/24", &ban, &reason), 0);
        world.ban = &ban;
        fw_put_rule(world.slice, "all", 1, "{\"action\":\"allow\"}");
        assert_outcome(&world, "eth2", "10.2.0.2", "10.1.0.2", 22, FW_DROP,
                       "a ban of 10.2.0.0/24 drops it");
        assert_outcome(&world, "eth1", "10.1.0.2", "10.2.0.2", 22, FW_DROP,
                       "a ban of 10.2.0.0/24 drops it");
        /* Of what is for the router only the source is asked. */
        assert_outcome(&world, "eth1", "10.1.0.2", "10.2.0.1", 22, FW_ALLOW,
                       "FirewallRule/all lets it pass");
        assert_outcome(&world, "eth1", "10.1.0.2", "10.3.0.2", 22, FW_ALLOW,
                       "FirewallRule/all lets it pass");
        assert_outcome(&world, "lo", "10.2.0.1", "10.2.0.1", 22, FW_ALLOW,
                       "it does not leave the machine");
        tear_down(&world);
}

/* Who is banned is found on the link all the same, as ARP does for IPv4: anti-lockout needs it. What
 * is no neighbour discovery is dropped. */
static void test_neighbours_who_are_banned(void **state)
{
        FwPacket packet = packet_of("eth2", "fd00:2::2", "fd00:2::1", 0);
        g_autofree char *reason = NULL;
        World world;
        FwBan ban;

        set_up(&world);
        assert_int_equal(fw_ban_parse("fd00:2::/64", &ban, &reason), 0);
        world.ban = &ban;
        fw_packet_set(&packet, FW_DIM_PROTOCOL, IPPROTO_ICMPV6, IPPROTO_ICMPV6);
        for (unsigned type = 128; type < 140; type++) {
                bool discovers = type >= 133 && type <= 137;

                fw_packet_set(&packet, FW_DIM_ICMP, type << 8, type << 8);
                packet.hop_limit = 255;
                assert_packet(&world, &packet, discovers ? FW_ALLOW : FW_DROP,
                              discovers ? "neighbour discovery pass before any rule"
                                        : "a ban of fd00:2::/64 drops it");
                packet.hop_limit = 254;
                assert_packet(&world, &packet, FW_DROP, "a ban of fd00:2::/64 drops it");
        }
        tear_down(&world);
}

static void test_refused(void **state)
{
        FwPacket packet = packet_of("eth1", "10.1.0.2", "99.1.0.1", 22);
        FwOutcome outcome;
        World world;

        set_up(&world);
        assert_int_equal(evaluate(&world, &packet, &outcome), -ENETUNREACH);
        fw_packet_set(&packet, FW_DIM_PROTOCOL, IPPROTO_ICMP, IPPROTO_ICMP);
        assert_int_equal(evaluate(&world, &packet, &outcome), -EINVAL);
        fw_packet_set(&packet, FW_DIM_PROTOCOL, IPPROTO_TCP, IPPROTO_TCP);
        packet.here[FW_DIM_DESTINATION_PORT] = false;
        assert_int_equal(evaluate(&world, &packet, &outcome), -EINVAL);
        tear_down(&world);
}

/* One of a protocol without ports. */
static FwPacket other_packet(const char *in, const char *source, const char *destination,
                             uint8_t protocol)
{
        FwPacket packet = packet_of(in, source, destination, 0);

        packet.here[FW_DIM_SOURCE_PORT] = packet.here[FW_DIM_DESTINATION_PORT] = false;
        fw_packet_set(&packet, FW_DIM_PROTOCOL, protocol, protocol);
        return packet;
}

static FwPacket icmp_packet(const char *in, const char *source, const char *destination,
                            unsigned type)
{
        FwPacket packet = other_packet(in, source, destination,
                                       strchr(source, ':') ? IPPROTO_ICMPV6 : IPPROTO_ICMP);

        fw_packet_set(&packet, FW_DIM_ICMP, type << 8, type << 8);
        return packet;
}

static void test_protocols(void **state)
{
        FwPacket packet = other_packet("eth1", "10.1.0.2", "10.2.0.2", 47);
        World world;

        set_up(&world);
        fw_put_rule(world.slice, "gre", 1, "{\"action\":\"allow\",\"protocol\":\"gre\"}");
        fw_put_rule(world.slice, "ping", 2,
                    "{\"action\":\"allow\",\"from\":\"wan\",\"icmpTypes\":[\"echo-request\"]}");
        fw_put_rule(world.slice, "dns", 3, "{\"action\":\"drop\",\"services\":[\"dns\"]}");
        assert_packet(&world, &packet, FW_ALLOW, "FirewallRule/gre lets it pass");
        packet = other_packet("eth1", "10.1.0.2", "10.2.0.2", 50);
        assert_packet(&world, &packet, FW_REJECT,
                      "no rule lets it pass to zone lan, and the default of zone wan is reject");
        packet = icmp_packet("eth1", "10.1.0.2", "10.2.0.2", 8);
        assert_packet(&world, &packet, FW_ALLOW, "FirewallRule/ping lets it pass");
        packet = icmp_packet("eth1", "fd00:1::2", "fd00:2::2", 128);
        assert_packet(&world, &packet, FW_ALLOW, "FirewallRule/ping lets it pass");
        packet = icmp_packet("eth1", "fd00:1::2", "fd00:2::2", 8);
        assert_packet(&world, &packet, FW_REJECT,
                      "no rule lets it pass to zone lan, and the default of zone wan is reject");
        packet = packet_of("eth1", "10.1.0.2", "10.2.0.2", 53);
        fw_packet_set(&packet, FW_DIM_PROTOCOL, IPPROTO_UDP, IPPROTO_UDP);
        assert_packet(&world, &packet, FW_DROP, "FirewallRule/dns drops it");
        tear_down(&world);
}

static void test_prologue(void **state)
{
        static const struct {
                const char *in, *source, *destination;
                unsigned type;
                uint8_t hop_limit;
                FwAction action;
        } cases[] = {
                {"eth1", "fd00:1::2", "fd00:1::1", 135, 255, FW_ALLOW},
                {"eth1", "fd00:1::2", "fd00:1::1", 135, 0, FW_ALLOW},
                {"eth1", "fd00:1::2", "fd00:1::1", 135, 64, FW_DROP},
                {"eth4", "fd00:4::2", "fd00:1::1", 137, 255, FW_ALLOW}, /* of no zone, too */
                {"eth1", "fd00:1::2", "fd00:1::1", 138, 255, FW_DROP},
                {"eth1", "fd00:1::2", "fd00:1::1", 143, 1, FW_ALLOW},
                {"eth1", "fd00:1::2", "fd00:1::1", 4, 64, FW_ALLOW},
                {"eth1", "fd00:1::2", "fd00:1::1", 128, 64, FW_DROP},
                {"eth1", "fd00:1::2", "fd00:2::2", 135, 255, FW_REJECT}, /* is not forwarded */
                {"eth1", "10.1.0.2", "10.1.0.1", 11, 64, FW_ALLOW},
                {"eth1", "10.1.0.2", "10.1.0.1", 8, 64, FW_DROP},
        };
        FwPacket packet;
        World world;

        set_up(&world);
        for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
                FwOutcome outcome;

                packet = icmp_packet(cases[i].in, cases[i].source, cases[i].destination,
                                     cases[i].type);
                packet.hop_limit = cases[i].hop_limit;
                assert_int_equal(evaluate(&world, &packet, &outcome), 0);
                assert_int_equal(outcome.action, cases[i].action);
                assert_int_equal(outcome.reason == FW_REASON_PROLOGUE, cases[i].action == FW_ALLOW);
        }
        packet = packet_of("eth1", "10.1.0.2", "10.2.0.2", 22);
        fw_packet_set(&packet, FW_DIM_STATE, NF_CT_STATE_BIT(IP_CT_ESTABLISHED),
                      NF_CT_STATE_BIT(IP_CT_ESTABLISHED));
        assert_packet(&world, &packet, FW_ALLOW,
                      "connections that are established pass before any rule");
        fw_packet_set(&packet, FW_DIM_STATE, NF_CT_STATE_INVALID_BIT, NF_CT_STATE_INVALID_BIT);
        assert_packet(&world, &packet, FW_DROP,
                      "it belongs to no connection and can begin none (invalid)");
        put_settings(&world, "{\"invalid\":\"allow\"}");
        assert_packet(&world, &packet, FW_REJECT,
                      "no rule lets it pass to zone lan, and the default of zone wan is reject");
        fw_packet_set(&packet, FW_DIM_PROTOCOL, IPPROTO_UDP, IPPROTO_UDP);
        fw_packet_set(&packet, FW_DIM_STATE, NF_CT_STATE_BIT(IP_CT_RELATED),
                      NF_CT_STATE_BIT(IP_CT_RELATED));
        assert_packet(&world, &packet, FW_REJECT,
                      "no rule lets it pass to zone lan, and the default of zone wan is reject");
        fw_packet_set(&packet, FW_DIM_DESTINATION_PORT, 1024, 1024);
        assert_packet(&world, &packet, FW_ALLOW,
                      "what a helper of connection tracking expects pass before any rule");
        tear_down(&world);
}

static void test_from_router(void **state)
{
        World world;

        set_up(&world);
        fw_put_rule(world.slice, "any", 1, "{\"action\":\"reject\"}");
        fw_put_rule(
                world.slice, "mail", 2,
                "{\"action\":\"drop\",\"from\":\"router\",\"to\":\"lan\",\"services\":[\"smtp\"]}");
        assert_outcome(&world, "", "10.2.0.1", "10.2.0.2", 25, FW_DROP,
                       "FirewallRule/mail drops it");
        assert_outcome(&world, "", "10.2.0.1", "10.2.0.2", 26, FW_ALLOW,
                       "no rule refuses it, and the default of zone lan is allow");
        assert_outcome(&world, "", "10.1.0.1", "10.1.0.2", 25, FW_ALLOW,
                       "no rule refuses it, and the default of zone wan is allow");
        assert_outcome(&world, "", "10.4.0.1", "10.4.0.2", 25, FW_ALLOW,
                       "the interface eth4 belongs to no zone, and what the router itself sends "
                       "there passes");
        assert_outcome(&world, "", "10.4.0.1", "10.1.0.1", 25, FW_ALLOW,
                       "it does not leave the machine");
        tear_down(&world);
}

static void assert_leaves(World *world, const char *in, const char *source, const char *destination,
                          const char *as)
{
        FwPacket packet = packet_of(in, source, destination, 80);
        g_autofree char *text = NULL;
        FwOutcome outcome;

        assert_int_equal(evaluate(world, &packet, &outcome), 0);
        assert_int_equal(outcome.action, FW_ALLOW);
        text = fw_outcome_describe_source(&outcome);
        if (as)
                assert_string_equal(text, as);
        else
                assert_null(text);
}

static void test_sources(void **state)
{
        World world;

        set_up(&world);
        fw_put_rule(world.slice, "all", 1, "{\"action\":\"allow\"}");
        fw_put_zone(world.slice, "wan", "{\"interfaces\":[\"eth1\"],\"masquerade\":true}");
        assert_leaves(&world, "eth2", "10.2.0.2", "10.1.0.2",
                      "Zone/wan sends it as the address of the interface");
        assert_leaves(&world, "eth2", "fd00:2::2", "fd00:1::2", NULL);
        assert_leaves(&world, "eth1", "10.1.0.2", "10.2.0.2", NULL);
        assert_leaves(&world, "eth1", "10.1.0.2", "10.2.0.1", NULL);
        fw_put_ordered(world.slice, "NatRule", "pool", 1,
                       "{\"type\":\"source\",\"zone\":\"wan\",\"source\":{\"addresses\":"
                       "[\"10.2.0.0/24\"]},\"protocol\":\"tcp\",\"translation\":{\"addresses\":["
                       "\"192.0.2.7\"],\"ports\":[\"1024-2047\"]}}");
        fw_put_ordered(world.slice, "NatRule", "net", 2,
                       "{\"type\":\"one-to-one\",\"zone\":\"wan\",\"destination\":{"
                       "\"addresses\":[\"192.0.2.128/25\"]},\"translation\":{\"addresses\":["
                       "\"10.3.0.128/25\"]}}");
        assert_leaves(&world, "eth2", "10.2.0.2", "10.1.0.2",
                      "NatRule/pool sends it as 192.0.2.7 port 1024-2047");
        assert_leaves(&world, "eth3", "10.3.0.130", "10.1.0.2",
                      "NatRule/net sends it as 192.0.2.130");
        assert_leaves(&world, "eth3", "10.3.0.2", "10.1.0.2",
                      "Zone/wan sends it as the address of the interface");
        assert_leaves(&world, "", "10.2.0.1", "10.1.0.2",
                      "NatRule/pool sends it as 192.0.2.7 port 1024-2047");
        tear_down(&world);
}

/* Zones that who asks knows are not looked for. */
static void test_given_zones(void **state)
{
        FwPacket packet = packet_of("eth1", "10.1.0.2", "99.0.0.1", 80);
        const FwZones *zones;
        FwOutcome outcome;
        World world;

        set_up(&world);
        fw_put_rule(world.slice, "to-dmz", 1,
                    "{\"action\":\"drop\",\"from\":\"lan\",\"to\":\"dmz\"}");
        assert_int_equal(evaluate(&world, &packet, &outcome), -ENETUNREACH);
        zones = fw_lists_zones(world.lists);
        packet.from = &zones->zones[1];
        packet.to = &zones->zones[0];
        {
                FwWorld each = {.lists = world.lists, .route = route};

                assert_int_equal(fw_evaluate(&each, &packet, &outcome), 0);
                assert_string_equal(outcome.rule->object.name, "to-dmz");
                packet.to = &zones->router;
                assert_int_equal(fw_evaluate(&each, &packet, &outcome), 0);
                assert_int_equal(outcome.stage, FW_STAGE_DEFAULT);
                assert_int_equal(outcome.action, FW_ALLOW);
        }
        tear_down(&world);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),
                cmocka_unit_test(test_rules),
                cmocka_unit_test(test_unknown),
                cmocka_unit_test(test_settings),
                cmocka_unit_test(test_translation),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_bans),
                cmocka_unit_test(test_neighbours_who_are_banned),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_protocols),
                cmocka_unit_test(test_prologue),
                cmocka_unit_test(test_from_router),
                cmocka_unit_test(test_sources),
                cmocka_unit_test(test_given_zones),
                cmocka_unit_test(test_flags_lengths_interfaces),
                cmocka_unit_test(test_floating),
                cmocka_unit_test(test_marks),
                cmocka_unit_test(test_audit_and_groups),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
