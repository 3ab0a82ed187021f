/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/evaluate-nat.h"
#include "filter/guards.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <string.h>

#define IPPROTO_VRRP 112 /* RFC 9568 */

/* Stages: true, and the outcome says so, when one decides; errors are negative. */

static int decide(FwEvaluation *evaluation, FwAction action, FwReason reason)
{
        evaluation->outcome.action = action;
        evaluation->outcome.reason = reason;
        return 1;
}

/* The machine itself sends it. */
static bool is_sent(const FwEvaluation *evaluation)
{
        return evaluation->outcome.from && !evaluation->outcome.from->zone;
}

static bool is_udp_between(const FwPacket *packet, uint16_t source, uint16_t destination)
{
        FwNumber protocol, from, to;

        return fw_packet_number(packet, FW_DIM_PROTOCOL, &protocol) && protocol == IPPROTO_UDP &&
               fw_packet_number(packet, FW_DIM_SOURCE_PORT, &from) && from == source &&
               fw_packet_number(packet, FW_DIM_DESTINATION_PORT, &to) && to == destination;
}

static int ask_lockout(FwEvaluation *evaluation)
{
        const FwOutcome *outcome = &evaluation->outcome;
        const FwSpan *port = &outcome->destination.port;

        return outcome->way.local && !is_sent(evaluation) && outcome->protocol == IPPROTO_TCP &&
                               port->lo == port->hi &&
                               fw_lockout_admits(fw_lists_zones(evaluation->world->lists),
                                                 evaluation->packet.in, evaluation->packet.family,
                                                 evaluation->source, (uint16_t) port->lo)
                       ? decide(evaluation, FW_ALLOW, FW_REASON_LOCKOUT)
                       : 0;
}

static bool is_loopback(const FwEvaluation *evaluation)
{
        return evaluation->outcome.way.local &&
               (is_sent(evaluation) || strcmp(evaluation->packet.in, "lo") == 0);
}

static int ask_link(FwEvaluation *evaluation)
{
        FwOutcome *outcome = &evaluation->outcome;

        if (!outcome->way.local || is_sent(evaluation))
                return 0;
        outcome->prologue =
                fw_prologue_admits(FW_PROLOGUE_LINK, &evaluation->packet, evaluation->packet.in);
        return outcome->prologue ? decide(evaluation, FW_ALLOW, FW_REASON_PROLOGUE) : 0;
}

/* What the router answers to who administers, and asks its neighbours. */
static bool is_needed(const FwEvaluation *evaluation)
{
        const FwOutcome *outcome = &evaluation->outcome;
        const FwPacket *packet = &evaluation->packet;
        FwNumber port, state;

        if (!is_sent(evaluation))
                return false;
        if (outcome->protocol == IPPROTO_TCP && fw_packet_number(packet, FW_DIM_STATE, &state) &&
            state == NF_CT_STATE_BIT(IP_CT_ESTABLISHED) &&
            fw_packet_number(packet, FW_DIM_SOURCE_PORT, &port))
                return fw_lockout_admits(fw_lists_zones(evaluation->world->lists), outcome->way.out,
                                         packet->family, evaluation->destination, (uint16_t) port);
        return fw_prologue_admits(FW_PROLOGUE_LINK, packet, outcome->way.out) != NULL;
}

static int ask_panic(FwEvaluation *evaluation)
{
        return evaluation->world->panic && !is_loopback(evaluation) && !is_needed(evaluation)
                       ? decide(evaluation, FW_DROP, FW_REASON_PANIC)
                       : 0;
}

static int ask_bans(FwEvaluation *evaluation)
{
        const FwWorld *world = evaluation->world;
        FwOutcome *outcome = &evaluation->outcome;
        uint8_t family = (uint8_t) evaluation->packet.family;

        if (!world->banned || is_sent(evaluation) || is_loopback(evaluation))
                return 0;
        if (world->banned(family, evaluation->source, &outcome->ban, world->userdata))
                return decide(evaluation, FW_DROP, FW_REASON_BAN);
        if (!outcome->way.local &&
            world->banned(family, evaluation->destination, &outcome->ban, world->userdata))
                return decide(evaluation, FW_DROP, FW_REASON_BAN);
        return 0;
}

/* What does not leave the machine passes both ways: it goes out by the loopback, and comes in. */
static int ask_prologue(FwEvaluation *evaluation)
{
        FwOutcome *outcome = &evaluation->outcome;
        const FwPacket *packet = &evaluation->packet;
        FwPrologueChain chain = is_sent(evaluation)  ? FW_PROLOGUE_OUTPUT
                                : outcome->way.local ? FW_PROLOGUE_INPUT
                                                     : FW_PROLOGUE_COMMON;
        const char *interface = is_loopback(evaluation)       ? "lo"
                                : chain == FW_PROLOGUE_OUTPUT ? outcome->way.out
                                                              : packet->in;

        outcome->prologue = fw_prologue_admits(chain, packet, interface);
        return outcome->prologue ? decide(evaluation, FW_ALLOW, FW_REASON_PROLOGUE) : 0;
}

static int ask_state(FwEvaluation *evaluation)
{
        const FilterSettings *settings = fw_lists_zones(evaluation->world->lists)->settings;
        FwNumber state;

        if (fw_settings_invalid(settings) != FW_DROP ||
            !fw_packet_number(&evaluation->packet, FW_DIM_STATE, &state) ||
            !(state & NF_CT_STATE_INVALID_BIT))
                return 0;
        return decide(evaluation, FW_DROP, FW_REASON_INVALID);
}

static int unassigned(FwEvaluation *evaluation, const char *interface, FwAction action)
{
        evaluation->outcome.stage = FW_STAGE_ZONE;
        g_strlcpy(evaluation->outcome.unassigned, interface, IF_NAMESIZE);
        return decide(evaluation, action, FW_REASON_NO_ZONE);
}

/* What the router itself sends to an interface of no zone passes. */
static int ask_zone(FwEvaluation *evaluation)
{
        FwOutcome *outcome = &evaluation->outcome;

        if (!outcome->from)
                return unassigned(evaluation, evaluation->packet.in, FW_DROP);
        if (is_sent(evaluation) && !outcome->to)
                return unassigned(evaluation, outcome->way.out, FW_ALLOW);
        return 0;
}

/* Who has no address yet, and what NDP and VRRP need, antispoof does not ask about. */
static bool is_exempt(const FwEvaluation *evaluation)
{
        static const uint8_t unspecified[16];
        const uint8_t *source = evaluation->source;

        if (evaluation->outcome.protocol == IPPROTO_VRRP)
                return true;
        return evaluation->packet.family == AF_INET6 &&
               (memcmp(source, unspecified, sizeof(unspecified)) == 0 ||
                (source[0] == 0xfe && (source[1] & 0xc0) == 0x80));
}

static bool is_spoofed(const FwEvaluation *evaluation)
{
        const FwWorld *world = evaluation->world;
        const FwPacket *packet = &evaluation->packet;
        FwWay back;

        if (!world->back || !packet->in[0] || is_exempt(evaluation))
                return false;
        return world->back(packet, evaluation->source, &back, world->userdata) < 0 || back.local ||
               strcmp(back.out, packet->in) != 0;
}

/* RFC 2131 4.1: who has no address yet asks from 0.0.0.0. */
static bool asks_for_address(const FwEvaluation *evaluation)
{
        static const uint8_t none[4];

        return evaluation->packet.family == AF_INET &&
               memcmp(evaluation->source, none, sizeof(none)) == 0 &&
               is_udp_between(&evaluation->packet, 68, 67);
}

static int ask_guards(FwEvaluation *evaluation)
{
        const FwOutcome *outcome = &evaluation->outcome;
        FwReason reason;

        if (is_sent(evaluation) || asks_for_address(evaluation))
                return 0;
        if ((outcome->from->guards & FW_GUARD_ANTISPOOF) && is_spoofed(evaluation))
                return decide(evaluation, FW_DROP, FW_REASON_ANTISPOOF);
        reason = fw_guard_refuses(outcome->from, evaluation->packet.family, evaluation->source);
        return reason >= 0 ? decide(evaluation, FW_DROP, reason) : 0;
}

static int ask_openings(FwEvaluation *evaluation)
{
        const FwWorld *world = evaluation->world;
        FwOutcome *outcome = &evaluation->outcome;
        const FwSpan *port = &outcome->destination.port;
        FwKnock knock = {.zone = outcome->from->name,
                         .protocol = outcome->protocol,
                         .family = (uint8_t) outcome->family,
                         .source = evaluation->source,
                         .port = (uint16_t) port->lo};

        return world->opened && outcome->way.local && !is_sent(evaluation) &&
                               fw_protocol_has_ports(outcome->protocol) && port->lo == port->hi &&
                               world->opened(&knock, &outcome->opening, world->userdata)
                       ? decide(evaluation, FW_ALLOW, FW_REASON_OPENING)
                       : 0;
}

/* The first of each action that may match and comes before what decides. */
typedef struct May {
        const FirewallRule *rules[FW_ACTION_MAX];
} May;

static void doubt(FwOutcome *outcome, const May *may, FwAction action)
{
        for (FwAction other = 0; other < FW_ACTION_MAX; other++)
                if (other != action && may->rules[other] &&
                    (!outcome->doubt ||
                     fw_effective_compare(may->rules[other], outcome->doubt) < 0))
                        outcome->doubt = may->rules[other];
}

/* Walks the rules of the pair until one matches for certain. */
static int find_rule(FwEvaluation *evaluation, const FwZone *to, May *may)
{
        FwLists *lists = evaluation->world->lists;
        FwOutcome *outcome = &evaluation->outcome;
        FwRuleList *list = fw_lists_rules(lists, outcome->from, to);
        g_autoptr(FwMatcher) matcher = fw_matcher_new(&evaluation->packet, fw_lists_aliases(lists));
        const FirewallRule *rule;
        FwRuleWalk walk;
        unsigned place;

        outcome->places = fw_rule_list_length(list);
        fw_rule_list_walk(list, &evaluation->packet, &walk);
        while (!outcome->rule && (rule = fw_rule_walk_next(&walk, &place))) {
                FwTruth truth;

                if (!fw_times_let(evaluation->world->times, rule))
                        continue;
                truth = fw_matcher_ask(matcher, rule);
                if (!fw_rule_decides(rule)) {
                        if (truth == FW_NO)
                                continue;
                        fw_packet_apply(&evaluation->packet, rule, truth == FW_YES);
                        if (outcome->n_also < FW_ALSO_MAX)
                                outcome->also[outcome->n_also++] = rule;
                } else if (truth == FW_YES) {
                        outcome->rule = rule;
                        outcome->place = place;
                } else if (truth == FW_MAYBE && !may->rules[rule->action]) {
                        may->rules[rule->action] = rule;
                }
        }
        return fw_matcher_error(matcher);
}

static int ask_rules(FwEvaluation *evaluation)
{
        FwOutcome *outcome = &evaluation->outcome;
        May may = {};
        int r;

        if (!outcome->to)
                return unassigned(evaluation, outcome->way.out, FW_DROP);
        if (outcome->way.out[0])
                fw_packet_set_interface(&evaluation->packet, FW_DIM_OUT_INTERFACE,
                                        outcome->way.out);
        else if (!outcome->way.local)
                fw_packet_set_unknown(&evaluation->packet, FW_DIM_OUT_INTERFACE);
        r = find_rule(evaluation, outcome->to, &may);
        if (r < 0)
                return r;
        if (outcome->rule) {
                doubt(outcome, &may, (FwAction) outcome->rule->action);
                return decide(evaluation, (FwAction) outcome->rule->action, FW_REASON_RULE);
        }
        doubt(outcome, &may,
              fw_zones_default(fw_lists_zones(evaluation->world->lists), outcome->from,
                               outcome->to));
        return 0;
}

/* As it came, by an interface: nothing is translated yet, and where it goes is not known. */
static int ask_fragments(FwEvaluation *evaluation)
{
        const FwZones *zones = fw_lists_zones(evaluation->world->lists);
        FwOutcome *outcome = &evaluation->outcome;
        May may = {};
        int r;

        outcome->stage = FW_STAGE_FRAGMENTS;
        if (!evaluation->packet.fragment || !outcome->from || is_sent(evaluation))
                return 0;
        r = find_rule(evaluation, &zones->fragments, &may);
        if (r < 0)
                return r;
        evaluation->fragment = may.rules[FW_DROP];
        return outcome->rule ? decide(evaluation, FW_DROP, FW_REASON_FRAGMENTS) : 0;
}

static int ask_default(FwEvaluation *evaluation)
{
        const FwOutcome *outcome = &evaluation->outcome;

        return decide(evaluation,
                      fw_zones_default(fw_lists_zones(evaluation->world->lists), outcome->from,
                                       outcome->to),
                      FW_REASON_DEFAULT);
}

/* clang-format off */
static int (*const stages[FW_STAGE_MAX])(FwEvaluation *evaluation) = {
        [FW_STAGE_LOCKOUT] = ask_lockout,
        [FW_STAGE_LINK] = ask_link,
        [FW_STAGE_PANIC] = ask_panic,
        [FW_STAGE_BANS] = ask_bans,
        [FW_STAGE_PROLOGUE] = ask_prologue,
        [FW_STAGE_STATE] = ask_state,
        [FW_STAGE_ZONE] = ask_zone,
        [FW_STAGE_GUARDS] = ask_guards,
        [FW_STAGE_OPENINGS] = ask_openings,
        [FW_STAGE_RULES] = ask_rules,
        [FW_STAGE_DEFAULT] = ask_default,
};
/* clang-format on */

/* What a protocol has beside addresses must be there, known or not. */
static bool is_whole(const FwPacket *packet, FwNumber protocol)
{
        if (fw_protocol_has_ports((int) protocol))
                return packet->here[FW_DIM_SOURCE_PORT] && packet->here[FW_DIM_DESTINATION_PORT];
        if (protocol == (packet->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6))
                return packet->here[FW_DIM_ICMP];
        return true;
}

static int begin(FwEvaluation *evaluation)
{
        const FwZones *zones = fw_lists_zones(evaluation->world->lists);
        const FwPacket *packet = &evaluation->packet;
        FwOutcome *outcome = &evaluation->outcome;
        FwNumber protocol, source, destination;

        if (!fw_packet_number(packet, FW_DIM_PROTOCOL, &protocol) ||
            !fw_packet_number(packet, FW_DIM_SOURCE_ADDRESS, &source) ||
            !fw_packet_number(packet, FW_DIM_DESTINATION_ADDRESS, &destination) ||
            !is_whole(packet, protocol))
                return -EINVAL;
        fw_number_write(source, fw_address_size(packet->family), evaluation->source);
        outcome->family = packet->family;
        outcome->protocol = (uint8_t) protocol;
        outcome->source.address = packet->values[FW_DIM_SOURCE_ADDRESS];
        outcome->source.port = packet->values[FW_DIM_SOURCE_PORT];
        outcome->destination.address = packet->values[FW_DIM_DESTINATION_ADDRESS];
        outcome->destination.port = packet->values[FW_DIM_DESTINATION_PORT];
        outcome->from = packet->from;
        if (!outcome->from)
                outcome->from = packet->in[0] ? fw_zones_find(zones, packet->family,
                                                              evaluation->source, packet->in)
                                              : &zones->router;
        return 0;
}

static void find_target(FwEvaluation *evaluation)
{
        const FwZones *zones = fw_lists_zones(evaluation->world->lists);
        FwOutcome *outcome = &evaluation->outcome;

        if (outcome->way.local)
                outcome->to = &zones->router;
        else if (evaluation->packet.to && !outcome->destination.rule)
                outcome->to = evaluation->packet.to;
        else
                outcome->to = fw_zones_find(zones, outcome->family, evaluation->destination,
                                            outcome->way.out);
}

int fw_evaluate(const FwWorld *world, const FwPacket *packet, FwOutcome *ret)
{
        FwEvaluation evaluation = {.world = world, .packet = *packet};
        int r;

        evaluation.packet.tags = fw_lists_tags(world->lists);
        r = begin(&evaluation);
        if (r == 0)
                r = ask_fragments(&evaluation);
        if (r == 0)
                r = fw_evaluate_destination(&evaluation);
        if (r == 0)
                find_target(&evaluation);
        for (FwStage stage = FW_STAGE_LOCKOUT; r == 0 && stage < FW_STAGE_MAX; stage++) {
                evaluation.outcome.stage = stage;
                r = stages[stage](&evaluation);
        }
        if (r > 0 && evaluation.outcome.action == FW_ALLOW)
                r = fw_evaluate_source(&evaluation);
        if (r < 0)
                return r;
        if (evaluation.fragment && evaluation.outcome.action != FW_DROP)
                evaluation.outcome.doubt = evaluation.fragment;
        *ret = evaluation.outcome;
        return 0;
}
