/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/evaluate.h"

#include "filter/guards.h"
#include "filter/nat-use.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <string.h>

typedef struct Evaluation {
        const FwWorld *world;
        FwPacket packet; /* as the filter sees it, once it is translated */
        uint8_t source[16], destination[16];
        FwOutcome outcome;
} Evaluation;

static size_t address_size(int family)
{
        return family == AF_INET ? 4 : 16;
}

static int error_of(const FwMatcher *matcher)
{
        return fw_matcher_error(matcher);
}

/* Rules are asked in no order; of those that match, the first in the order of evaluation decides,
 * and so does the first that may match and would decide otherwise. */

static bool is_before(const FirewallRule *rule, const FirewallRule *other)
{
        return !other || fw_effective_compare(rule, other) < 0;
}

/* Translation of destinations. */

typedef struct NatSearch {
        FwMatcher *matcher;
        FwNatPolicy policy;
        const FwZone *zone;
        bool local,
                here; /* the destination is the machine's own; and of the interface it came by */
        FirewallRule *yes,
                *may; /* uses of NAT rules (filter/nat-use.h): the first of each; owned */
} NatSearch;

static void keep_first(FirewallRule **at, FirewallRule *use)
{
        pt_object_unref((PtObject *) *at);
        *at = (FirewallRule *) pt_object_ref(&use->object);
}

static int ask_nat(const PtObject *object, void *userdata)
{
        NatSearch *search = userdata;
        const NatRule *nat = (const NatRule *) object;
        FirewallRule *use;
        bool reflected;
        FwTruth truth;

        if (!fw_nat_meets(&search->policy, nat, FW_NAT_IN, search->zone->name, &reflected) ||
            (fw_nat_to_router(nat) && (!search->local || (reflected && search->here))))
                return 0;
        use = fw_nat_use_new(&search->policy, nat, FW_NAT_IN, reflected);
        truth = fw_matcher_ask(search->matcher, use);
        if (truth == FW_YES && is_before(use, search->yes))
                keep_first(&search->yes, use);
        else if (truth == FW_MAYBE && is_before(use, search->may))
                keep_first(&search->may, use);
        pt_object_unref(&use->object);
        return 0;
}

/* A forward goes to one address; what maps a range to another, to the one at the same place
 * (NF_NAT_RANGE_NETMAP). */
static void translate_address(const NatRule *nat, int family, FwSpan *destination)
{
        const PtAddressRange *to = nat->translation.addresses.items;
        size_t len = address_size(family);
        FwNumber lo, differs;

        if (nat->type == FW_NAT_REDIRECT) { /* the interface's; which one is not asked */
                *destination = (FwSpan){0, fw_number_max(len)};
                return;
        }
        lo = fw_number_read(to->lo, len);
        differs = lo ^ fw_number_read(to->hi, len);
        lo |= destination->lo & differs;
        *destination = (FwSpan){lo, lo};
}

static void translate_port(const NatRule *nat, FwSpan *port)
{
        const PtPortRange *to = nat->translation.ports.items, *at = nat->destination.ports.items;

        if (nat->translation.ports.n == 0)
                return;
        if (fw_nat_maps_ports(nat)) {
                port->lo = port->hi = port->lo - at->lo + to->lo;
                return;
        }
        if (nat->type == FW_NAT_FORWARD && to->lo != to->hi)
                return; /* the ports stay */
        *port = (FwSpan){to->lo, to->hi};
}

/* The filter asks about the translated packet. What becomes what it was is not marked as translated
 * (nf_nat_setup_info); whether a redirect to the same port changes the address is not asked. */
static void translate(Evaluation *evaluation, const NatRule *nat)
{
        FwPacket *packet = &evaluation->packet;
        FwOutcome *outcome = &evaluation->outcome;
        FwSpan *destination = &packet->values[FW_DIM_DESTINATION_ADDRESS],
               *port = &packet->values[FW_DIM_DESTINATION_PORT];
        bool moves, may_move;

        outcome->nat = nat;
        outcome->way = (FwWay){};
        translate_address(nat, packet->family, destination);
        translate_port(nat, port);
        moves = fw_span_within(&outcome->destination, destination->lo, destination->hi) == FW_NO ||
                fw_span_within(&outcome->port, port->lo, port->hi) == FW_NO;
        may_move = moves || destination->lo != destination->hi || port->lo != port->hi;
        fw_packet_set(packet, FW_DIM_STATUS, moves ? IPS_DST_NAT : 0, may_move ? IPS_DST_NAT : 0);
        outcome->destination = *destination;
        outcome->port = *port;
}

static int route_to(Evaluation *evaluation)
{
        const FwWorld *world = evaluation->world;
        FwOutcome *outcome = &evaluation->outcome;

        if (outcome->nat && outcome->nat->type == FW_NAT_REDIRECT) {
                outcome->way = (FwWay){.local = true};
                return 0;
        }
        memset(evaluation->destination, 0, sizeof(evaluation->destination));
        fw_number_write(outcome->destination.lo, address_size(evaluation->packet.family),
                        evaluation->destination);
        return world->route(&evaluation->packet, evaluation->destination, &outcome->way,
                            world->userdata);
}

static int find_nat(Evaluation *evaluation, NatSearch *search)
{
        g_autoptr(FwMatcher) matcher =
                fw_matcher_new(&evaluation->packet, &evaluation->world->source);

        search->matcher = matcher;
        (void) pt_slice_foreach(evaluation->world->source.slice, &pt_kind_nat_rule, ask_nat,
                                search);
        return error_of(matcher);
}

/* Where it goes, before and after translation. */
static int lead(Evaluation *evaluation)
{
        FwOutcome *outcome = &evaluation->outcome;
        NatSearch search = {.policy = fw_nat_policy(evaluation->world->effective,
                                                    evaluation->world->source.slice),
                            .zone = outcome->from};
        int r = route_to(evaluation);

        /* What cannot go where it is sent may go elsewhere. */
        search.local = r >= 0 && outcome->way.local;
        search.here = search.local && outcome->way.here;
        if (search.zone) {
                int error = find_nat(evaluation, &search);

                if (search.may && is_before(search.may, search.yes))
                        outcome->nat_doubt = fw_nat_of(search.may, NULL);
                if (search.yes) {
                        translate(evaluation, fw_nat_of(search.yes, NULL));
                        r = route_to(evaluation);
                }
                pt_object_unref((PtObject *) search.yes);
                pt_object_unref((PtObject *) search.may);
                r = error < 0 ? error : r;
        }
        return MIN(r, 0);
}

/* Stages: true, and the outcome says so, when one decides; errors are negative. */

static int decide(Evaluation *evaluation, FwAction action)
{
        evaluation->outcome.action = action;
        return 1;
}

static int ask_lockout(Evaluation *evaluation)
{
        const FwOutcome *outcome = &evaluation->outcome;

        return outcome->way.local && outcome->port.lo == outcome->port.hi &&
                               fw_lockout_admits(evaluation->world->zones, evaluation->packet.in,
                                                 evaluation->packet.family, evaluation->source,
                                                 (uint16_t) outcome->port.lo)
                       ? decide(evaluation, FW_ALLOW)
                       : 0;
}

static bool is_loopback(const Evaluation *evaluation)
{
        return evaluation->outcome.way.local && strcmp(evaluation->packet.in, "lo") == 0;
}

static int ask_bans(Evaluation *evaluation)
{
        const FwWorld *world = evaluation->world;
        FwOutcome *outcome = &evaluation->outcome;
        uint8_t family = (uint8_t) evaluation->packet.family;

        if (!world->banned || is_loopback(evaluation))
                return 0;
        if (world->banned(family, evaluation->source, &outcome->ban, world->userdata))
                return decide(evaluation, FW_DROP);
        if (!outcome->way.local &&
            world->banned(family, evaluation->destination, &outcome->ban, world->userdata))
                return decide(evaluation, FW_DROP);
        return 0;
}

static int ask_prologue(Evaluation *evaluation)
{
        return is_loopback(evaluation) ? decide(evaluation, FW_ALLOW) : 0;
}

/* Of what a zone without rules for it sends to an interface of no zone, too. */
static int ask_zone(Evaluation *evaluation)
{
        FwOutcome *outcome = &evaluation->outcome;

        if (!outcome->from) {
                g_strlcpy(outcome->unassigned, evaluation->packet.in, IF_NAMESIZE);
                return decide(evaluation, FW_DROP);
        }
        return 0;
}

/* The way back of what came by another interface is for the kernel to know; who asks says by which
 * interface the packet comes. */
static int ask_guards(Evaluation *evaluation)
{
        FwOutcome *outcome = &evaluation->outcome;

        outcome->guard =
                fw_guard_refuses(outcome->from, evaluation->packet.family, evaluation->source);
        return outcome->guard ? decide(evaluation, FW_DROP) : 0;
}

typedef struct RuleSearch {
        const FwWorld *world;
        FwNatPolicy nat;
        FwMatcher *matcher;
        const char *from, *to;
        const FirewallRule *yes;                /* the first that matches */
        const FirewallRule *may[FW_ACTION_MAX]; /* the first one of each action that may */
} RuleSearch;

/* Whether its answer could matter: what needs only the rule itself, before its services. */
static bool concerns(const RuleSearch *search, const FirewallRule *rule)
{
        return fw_rule_enabled(rule) && fw_scope_matches(search->from, search->to, rule) &&
               is_before(rule, search->yes);
}

static void ask_effective(RuleSearch *search, const FirewallRule *rule)
{
        const FirewallRule **may = &search->may[rule->action];

        switch (fw_matcher_ask(search->matcher, rule)) {
        case FW_YES:
                search->yes = rule;
                break;
        case FW_MAYBE:
                if (is_before(rule, *may))
                        *may = rule;
                break;
        case FW_NO:
        case FW_TRUTH_MAX:
        case FW_TRUTH_INVALID:
                break;
        }
}

static int ask_rule(const PtObject *object, void *userdata)
{
        RuleSearch *search = userdata;
        const FirewallRule *rule = (const FirewallRule *) object;

        if (concerns(search, rule))
                ask_effective(search, fw_effective_rule(search->world->effective,
                                                        search->world->source.slice, rule));
        return 0;
}

static int ask_linked(const PtObject *object, void *userdata)
{
        RuleSearch *search = userdata;
        const FirewallRule *rule = fw_effective_linked(&search->nat, (const NatRule *) object);

        if (rule && concerns(search, rule))
                ask_effective(search, rule);
        return 0;
}

static void doubt(FwOutcome *outcome, const RuleSearch *search, FwAction action)
{
        for (FwAction other = 0; other < FW_ACTION_MAX; other++)
                if (other != action && search->may[other] &&
                    is_before(search->may[other], search->yes) &&
                    is_before(search->may[other], outcome->doubt))
                        outcome->doubt = search->may[other];
}

static int ask_rules(Evaluation *evaluation)
{
        const FwWorld *world = evaluation->world;
        g_autoptr(FwMatcher) matcher = fw_matcher_new(&evaluation->packet, &world->source);
        FwOutcome *outcome = &evaluation->outcome;
        RuleSearch search = {.world = world,
                             .nat = fw_nat_policy(world->effective, world->source.slice),
                             .matcher = matcher,
                             .from = outcome->from->name};

        outcome->to = outcome->way.local ? &world->zones->router
                                         : fw_zones_find(world->zones, evaluation->packet.family,
                                                         evaluation->destination, outcome->way.out);
        if (!outcome->to) {
                outcome->stage = FW_STAGE_ZONE;
                g_strlcpy(outcome->unassigned, outcome->way.out, IF_NAMESIZE);
                return decide(evaluation, FW_DROP);
        }
        search.to = outcome->to->name;
        if (!outcome->way.local)
                fw_packet_set_interface(&evaluation->packet, FW_DIM_OUT_INTERFACE,
                                        outcome->way.out);
        (void) pt_slice_foreach(world->source.slice, &pt_kind_firewall_rule, ask_rule, &search);
        (void) pt_slice_foreach(world->source.slice, &pt_kind_nat_rule, ask_linked, &search);
        if (error_of(matcher) < 0)
                return error_of(matcher);
        if (search.yes) {
                outcome->rule = search.yes;
                doubt(outcome, &search, (FwAction) search.yes->action);
                return decide(evaluation, (FwAction) search.yes->action);
        }
        doubt(outcome, &search, fw_zones_default(world->zones, outcome->from, outcome->to));
        return 0;
}

static int ask_default(Evaluation *evaluation)
{
        const FwOutcome *outcome = &evaluation->outcome;

        return decide(evaluation,
                      fw_zones_default(evaluation->world->zones, outcome->from, outcome->to));
}

/* clang-format off */
static int (*const stages[FW_STAGE_MAX])(Evaluation *evaluation) = {
        [FW_STAGE_LOCKOUT] = ask_lockout,
        [FW_STAGE_BANS] = ask_bans,
        [FW_STAGE_PROLOGUE] = ask_prologue,
        [FW_STAGE_ZONE] = ask_zone,
        [FW_STAGE_GUARDS] = ask_guards,
        [FW_STAGE_RULES] = ask_rules,
        [FW_STAGE_DEFAULT] = ask_default,
};
/* clang-format on */

static int begin(Evaluation *evaluation)
{
        const FwPacket *packet = &evaluation->packet;
        FwOutcome *outcome = &evaluation->outcome;
        FwNumber protocol, source, destination, port;

        if (!fw_packet_number(packet, FW_DIM_PROTOCOL, &protocol) || protocol != IPPROTO_TCP)
                return -EPROTONOSUPPORT;
        if (!fw_packet_number(packet, FW_DIM_SOURCE_ADDRESS, &source) ||
            !fw_packet_number(packet, FW_DIM_DESTINATION_ADDRESS, &destination) ||
            !fw_packet_number(packet, FW_DIM_DESTINATION_PORT, &port) ||
            !packet->here[FW_DIM_SOURCE_PORT])
                return -EINVAL;
        fw_number_write(source, address_size(packet->family), evaluation->source);
        outcome->family = packet->family;
        outcome->destination = packet->values[FW_DIM_DESTINATION_ADDRESS];
        outcome->port = packet->values[FW_DIM_DESTINATION_PORT];
        outcome->from = fw_zones_find(evaluation->world->zones, packet->family, evaluation->source,
                                      packet->in);
        return 0;
}

int fw_evaluate(const FwWorld *world, const FwPacket *packet, FwOutcome *ret)
{
        Evaluation evaluation = {.world = world, .packet = *packet};
        int r = begin(&evaluation);

        if (r == 0)
                r = lead(&evaluation);
        for (FwStage stage = 0; r == 0 && stage < FW_STAGE_MAX; stage++) {
                evaluation.outcome.stage = stage;
                r = stages[stage](&evaluation);
        }
        if (r < 0)
                return r;
        *ret = evaluation.outcome;
        return 0;
}

/* For people. */

static const char *const does[FW_ACTION_MAX] = {
        [FW_ALLOW] = "lets it pass",
        [FW_DROP] = "drops it",
        [FW_REJECT] = "rejects it",
};

static void append_port(const FwSpan *port, GString *out)
{
        g_string_append_printf(out, "port %u", (unsigned) port->lo);
        if (port->lo != port->hi)
                g_string_append_printf(out, "-%u", (unsigned) port->hi);
}

static void append_destination(const FwOutcome *outcome, GString *out)
{
        PtAddressRange range = {.family = (uint8_t) outcome->family};
        size_t len = address_size(outcome->family);

        if (outcome->nat->type == FW_NAT_REDIRECT) {
                append_port(&outcome->port, out);
                g_string_append(out, " of the router");
                return;
        }
        fw_number_write(outcome->destination.lo, len, range.lo);
        fw_number_write(outcome->destination.hi, len, range.hi);
        pt_address_range_settle(&range);
        pt_address_range_format(&range, out);
        g_string_append_c(out, ' ');
        append_port(&outcome->port, out);
}

char *fw_outcome_describe_translation(const FwOutcome *outcome)
{
        GString *out;

        if (!outcome->nat)
                return NULL;
        out = g_string_new(NULL);
        g_string_append_printf(out, "NatRule/%s leads it to ", outcome->nat->object.name);
        append_destination(outcome, out);
        return g_string_free(out, FALSE);
}

static void append_default(const FwOutcome *outcome, GString *out)
{
        if (outcome->action == FW_ALLOW)
                g_string_append(out, "no rule refuses it");
        else if (outcome->way.local)
                g_string_append(out, "no rule lets it in");
        else
                g_string_append_printf(out, "no rule lets it pass to zone %s", outcome->to->name);
        g_string_append_printf(out, ", and the default of zone %s is %s", outcome->from->name,
                               fw_actions[outcome->action].name);
}

static void append_ban(const FwBan *ban, GString *out)
{
        g_string_append(out, "a ban of ");
        fw_ban_format(ban, out);
        g_string_append(out, " drops it");
}

static void append_stage(const FwOutcome *outcome, GString *out)
{
        switch (outcome->stage) {
        case FW_STAGE_LOCKOUT:
                g_string_append(out, "anti-lockout (FilterSettings/default) lets it in");
                return;
        case FW_STAGE_BANS:
                append_ban(&outcome->ban, out);
                return;
        case FW_STAGE_PROLOGUE:
                g_string_append(out, "it does not leave the machine");
                return;
        case FW_STAGE_ZONE:
                g_string_append_printf(out, "the interface %s belongs to no zone",
                                       outcome->unassigned);
                return;
        case FW_STAGE_GUARDS:
                g_string_append_printf(out, "zone %s takes nothing from %s", outcome->from->name,
                                       outcome->guard);
                return;
        case FW_STAGE_RULES:
                g_string_append_printf(out, "%s/%s %s", outcome->rule->object.kind->name,
                                       outcome->rule->object.name, does[outcome->action]);
                return;
        case FW_STAGE_DEFAULT:
                append_default(outcome, out);
                return;
        case FW_STAGE_MAX:
        case FW_STAGE_INVALID:
                break;
        }
        g_assert_not_reached();
}

char *fw_outcome_describe(const FwOutcome *outcome)
{
        GString *out = g_string_new(NULL);

        append_stage(outcome, out);
        if (outcome->doubt)
                g_string_append_printf(out, "; or %s/%s %s, by what is not known of it beforehand",
                                       outcome->doubt->object.kind->name,
                                       outcome->doubt->object.name, does[outcome->doubt->action]);
        return g_string_free(out, FALSE);
}
