/* SPDX-License-Identifier: GPL-3.0-or-later */

/* What NAT rules make of a packet: its destination before the filter, its source after it. */

#include "filter/evaluate-nat.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <string.h>

size_t fw_address_size(int family)
{
        return family == AF_INET ? 4 : 16;
}

/* Only the first packet of a connection is asked about. */
static bool begins(const FwPacket *packet)
{
        FwNumber state;

        return !packet->translated && fw_packet_number(packet, FW_DIM_STATE, &state) &&
               (state & NF_CT_STATE_BIT(IP_CT_NEW)) != 0;
}

/* Whether the rule is for the router's addresses only, and the destination is none of those. A
 * reflection is for those of other interfaces than the packet came by. */
static bool misses_router(const FirewallRule *use, const FwWay *way)
{
        return fw_nat_to_router(fw_nat_of(use, NULL)) &&
               (!way->local || (fw_nat_is_reflected(use) && way->here));
}

/* The first rule of a list that matches, and the first before it that may. `way`: of a destination
 * that is not translated yet. */
static int find_rule(FwEvaluation *evaluation, FwRuleList *list, const FwWay *way, FwEnd *ret)
{
        FwAliasCache *aliases = fw_lists_aliases(evaluation->world->lists);
        g_autoptr(FwMatcher) matcher = fw_matcher_new(&evaluation->packet, aliases);
        const FirewallRule *use;
        FwRuleWalk walk;
        unsigned place;

        fw_rule_list_walk(list, &evaluation->packet, &walk);
        while (!ret->rule && (use = fw_rule_walk_next(&walk, &place))) {
                const NatRule *nat = fw_nat_of(use, NULL);
                FwTruth truth =
                        way && misses_router(use, way) ? FW_NO : fw_matcher_ask(matcher, use);

                if (truth == FW_YES)
                        ret->rule = nat;
                else if (truth == FW_MAYBE && !ret->doubt)
                        ret->doubt = nat;
        }
        return fw_matcher_error(matcher);
}

/* What maps a range to another leads to the address at the same place (NF_NAT_RANGE_NETMAP): the
 * bits in which the ends of the range differ are kept. */
static FwSpan map_address(const PtAddressRange *to, size_t len, const FwSpan *from)
{
        FwNumber lo = fw_number_read(to->lo, len);
        FwNumber differs = lo ^ fw_number_read(to->hi, len);

        if (from->lo != from->hi && differs != 0)
                return (FwSpan){lo, fw_number_read(to->hi, len)};
        lo |= from->lo & differs;
        return (FwSpan){lo, lo};
}

/* One of a pool: which one is the kernel's choice. */
static FwSpan pool_of(const PtList *list, size_t len)
{
        const PtAddressRange *ranges = list->items;
        FwSpan span = {fw_number_max(len), 0};

        for (unsigned i = 0; i < list->n; i++) {
                span.lo = MIN(span.lo, fw_number_read(ranges[i].lo, len));
                span.hi = MAX(span.hi, fw_number_read(ranges[i].hi, len));
        }
        return span;
}

/* Destinations. */

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

/* Which server it is only the kernel knows, and who is alive: the first one stands for all, since the
 * rule that comes along lets pass what goes to any of them. */
static void translate_to_pool(const FwEvaluation *evaluation, const NatRule *nat, FwSpan *address,
                              FwSpan *port)
{
        const FwSource *source = fw_lists_source(evaluation->world->lists);
        const ServerPool *pool =
                (const ServerPool *) pt_slice_get(source->slice, &pt_kind_server_pool, nat->pool);
        const FwServer *servers = pool->servers.items, *server = fw_pool_fallback(pool);
        FwNumber number;

        for (unsigned i = pool->servers.n; i > 0; i--)
                if (fw_server_enabled(&servers[i - 1]))
                        server = &servers[i - 1];
        if (!server)
                return; /* nobody answers */
        number = fw_number_read(server->address.lo, fw_address_size(fw_pool_family(pool)));
        *address = (FwSpan){number, number};
        if (fw_pool_has_ports(pool) && evaluation->packet.here[FW_DIM_DESTINATION_PORT])
                *port = (FwSpan){server->port, server->port};
}

static FwSpan destination_of(const NatRule *nat, int family, const FwSpan *before)
{
        size_t len = fw_address_size(family);

        if (nat->type == FW_NAT_REDIRECT) /* the interface's; which one is not asked */
                return (FwSpan){0, fw_number_max(len)};
        return map_address(nat->translation.addresses.items, len, before);
}

/* The filter asks about the translated packet. What becomes what it was is not marked as translated
 * (nf_nat_setup_info); whether a redirect to the same port changes the address is not asked. */
static void translate(FwEvaluation *evaluation, const NatRule *nat)
{
        FwPacket *packet = &evaluation->packet;
        FwEnd *result = &evaluation->outcome.destination;
        FwSpan *address = &packet->values[FW_DIM_DESTINATION_ADDRESS],
               *port = &packet->values[FW_DIM_DESTINATION_PORT];
        bool moves, may_move;

        evaluation->outcome.way = (FwWay){};
        if (nat->pool)
                translate_to_pool(evaluation, nat, address, port);
        else
                *address = destination_of(nat, packet->family, address);
        if (packet->here[FW_DIM_DESTINATION_PORT])
                translate_port(nat, port);
        moves = fw_span_within(&result->address, address->lo, address->hi) == FW_NO ||
                fw_span_within(&result->port, port->lo, port->hi) == FW_NO;
        may_move = moves || address->lo != address->hi || port->lo != port->hi;
        fw_packet_set(packet, FW_DIM_STATUS, moves ? IPS_DST_NAT : 0, may_move ? IPS_DST_NAT : 0);
        result->address = *address;
        result->port = *port;
}

/* Who asks may know the zone that it goes to, as it is sent, and then needs no route. */
static int route_to(FwEvaluation *evaluation)
{
        const FwWorld *world = evaluation->world;
        FwOutcome *outcome = &evaluation->outcome;
        const NatRule *nat = outcome->destination.rule;
        const FwZone *to = evaluation->packet.to;

        memset(evaluation->destination, 0, sizeof(evaluation->destination));
        fw_number_write(outcome->destination.address.lo, fw_address_size(outcome->family),
                        evaluation->destination);
        if (nat && nat->type == FW_NAT_REDIRECT)
                outcome->way = (FwWay){.local = true};
        else if (to && !nat)
                outcome->way = (FwWay){.local = !to->zone};
        else
                return world->route(&evaluation->packet, evaluation->destination, &outcome->way,
                                    world->userdata);
        return 0;
}

int fw_evaluate_destination(FwEvaluation *evaluation)
{
        FwOutcome *outcome = &evaluation->outcome;
        const FwZone *from = outcome->from;
        FwEnd found = outcome->destination;
        FwWay way = {};
        int r, error;

        r = route_to(evaluation);
        if (!from || !begins(&evaluation->packet))
                return r;
        /* What cannot go where it is sent may go elsewhere. */
        if (r >= 0)
                way = outcome->way;
        error = find_rule(evaluation, fw_lists_nat(evaluation->world->lists, FW_NAT_IN, from), &way,
                          &found);
        outcome->destination.rule = found.rule;
        outcome->destination.doubt = found.doubt;
        if (found.rule) {
                translate(evaluation, found.rule);
                r = route_to(evaluation);
        }
        return error < 0 ? error : MIN(r, 0);
}

/* Sources. */

/* The way out of what maps addresses is the mirror of its way in. */
static FwSpan source_of(const NatRule *nat, int family, const FwSpan *before)
{
        size_t len = fw_address_size(family);

        switch ((FwNatType) nat->type) {
        case FW_NAT_MASQUERADE: /* the interface's; which one is not asked */
                return (FwSpan){0, fw_number_max(len)};
        case FW_NAT_SOURCE:
                return pool_of(&nat->translation.addresses, len);
        case FW_NAT_ONE_TO_ONE:
        case FW_NAT_PREFIX:
                return map_address(nat->destination.addresses.items, len, before);
        case FW_NAT_FORWARD:
        case FW_NAT_REDIRECT:
        case FW_NAT_TYPE_MAX:
        case FW_NAT_TYPE_INVALID:
                break;
        }
        g_assert_not_reached();
}

static void leave_by_rule(FwEvaluation *evaluation, FwEnd *source)
{
        const NatRule *nat = source->rule;
        const PtPortRange *ports = nat->translation.ports.items;

        source->address = source_of(nat, evaluation->outcome.family, &source->address);
        if (nat->translation.ports.n > 0 && evaluation->packet.here[FW_DIM_SOURCE_PORT] &&
            (nat->type == FW_NAT_MASQUERADE || nat->type == FW_NAT_SOURCE))
                source->port = (FwSpan){ports->lo, ports->hi};
}

/* What was reflected and goes back where it came from is answered by way of the router. */
static int find_source_rule(FwEvaluation *evaluation)
{
        FwLists *lists = evaluation->world->lists;
        FwOutcome *outcome = &evaluation->outcome;
        const FwZone *to = outcome->to;
        int r = 0;

        if (outcome->from == to)
                r = find_rule(evaluation, fw_lists_nat(lists, FW_NAT_BACK, to), NULL,
                              &outcome->source);
        outcome->goes_back = outcome->source.rule != NULL;
        if (r < 0 || outcome->goes_back)
                return r;
        return find_rule(evaluation, fw_lists_nat(lists, FW_NAT_OUT, to), NULL, &outcome->source);
}

int fw_evaluate_source(FwEvaluation *evaluation)
{
        FwOutcome *outcome = &evaluation->outcome;
        const FwZone *to = outcome->to;
        int r;

        if (!to || !to->zone || !begins(&evaluation->packet))
                return 0;
        r = find_source_rule(evaluation);
        if (r < 0)
                return r;
        if (outcome->goes_back) {
                outcome->source.address =
                        (FwSpan){0, fw_number_max(fw_address_size(outcome->family))};
        } else if (outcome->source.rule) {
                leave_by_rule(evaluation, &outcome->source);
        } else if (to->masquerades && outcome->family == AF_INET) {
                outcome->source.zone = to;
                outcome->source.address = (FwSpan){0, fw_number_max(4)};
        }
        return 0;
}
