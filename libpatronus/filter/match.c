/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/match.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>

static const int tcp_and_udp[] = {IPPROTO_TCP, IPPROTO_UDP};
static const int icmp4 = IPPROTO_ICMP, icmp6 = IPPROTO_ICMPV6;

/* Terms. Absent lists are NULL. */

static void add_lists(FwMatch *match, FwDimension dimension, bool negated, const PtList *values,
                      const PtList *aliases)
{
        if ((!values || values->n == 0) && (!aliases || aliases->n == 0))
                return;
        match->terms[match->n_terms++] = (FwTerm){
                .dimension = dimension,
                .negated = negated,
                .n = values ? values->n : 0,
                .items = values ? values->items : NULL,
                .n_aliases = aliases ? aliases->n : 0,
                .aliases = aliases ? aliases->items : NULL,
        };
}

static void add_values(FwMatch *match, FwDimension dimension, const void *items, unsigned n)
{
        match->terms[match->n_terms++] = (FwTerm){.dimension = dimension, .n = n, .items = items};
}

static void add_scalar(FwMatch *match, FwDimension dimension, uint32_t value, uint32_t mask)
{
        match->terms[match->n_terms++] =
                (FwTerm){.dimension = dimension, .value = value, .mask = mask};
}

static void add_addresses(FwMatch *match, FwDimension dimension, const FwEndpoint *endpoint)
{
        const FwEndpointBox *box = fw_endpoint_box(endpoint);

        add_lists(match, dimension, false, &endpoint->addresses, &box->aliases);
        add_lists(match, dimension, true, &box->except.addresses, &box->except.aliases);
}

/* `ports`: in place of the endpoint's, or NULL. */
static void add_ports(FwMatch *match, FwDimension dimension, const FwEndpoint *endpoint,
                      const PtList *ports)
{
        const FwEndpointBox *box = fw_endpoint_box(endpoint);

        add_lists(match, dimension, false, ports ?: &endpoint->ports, &box->port_aliases);
        add_lists(match, dimension, true, &box->except.ports, &box->except.port_aliases);
}

static void add_tcp_flags(FwMatch *match)
{
        const FwTcpFlags *flags = &fw_rule_box(match->rule)->tcp_flags;
        uint8_t set = fw_tcp_flag_bits(&flags->set);
        uint8_t clear = fw_tcp_flag_bits(&flags->clear);

        if (pt_object_has(&match->rule->object, FW_RULE_TCP_FLAGS))
                add_scalar(match, FW_DIM_TCP_FLAGS, set, set | clear);
}

/* The protocol, and the ports of the destination that go with it, of a rule without services. */
static void add_protocol(FwMatch *match)
{
        const FirewallRule *rule = match->rule;
        const PtList *types = &fw_rule_box(rule)->icmp_types;

        if (fw_rule_protocol(rule) != PT_PROTOCOL_ANY)
                add_values(match, FW_DIM_PROTOCOL, &rule->protocol, 1);
        else if (types->n > 0)
                add_values(match, FW_DIM_PROTOCOL, match->family == AF_INET6 ? &icmp6 : &icmp4, 1);
        else if (fw_endpoint_has_ports(&rule->source) || fw_endpoint_has_ports(&rule->destination))
                add_values(match, FW_DIM_PROTOCOL, tcp_and_udp, G_N_ELEMENTS(tcp_and_udp));
        add_ports(match, FW_DIM_SOURCE_PORT, &rule->source, NULL);
        add_ports(match, FW_DIM_DESTINATION_PORT, &rule->destination, NULL);
        add_tcp_flags(match);
        add_lists(match, FW_DIM_ICMP, false, types, NULL);
        if (pt_object_has(&rule->object, FW_RULE_HELPER)) {
                match->helper = fw_rule_box(rule)->helper;
                match->protocol = rule->protocol;
        }
}

/* The same of one that names services: one of their choices, the last of which is the protocols
 * without ports. */
static void add_choice(FwMatch *match, const FwEffectiveRule *effective, unsigned choice)
{
        const FirewallRule *rule = match->rule;
        const FwAlternative *alternative = &effective->choices[choice];

        if (choice == effective->n_choices) {
                add_lists(match, FW_DIM_PROTOCOL, false, &effective->protocols, NULL);
                add_ports(match, FW_DIM_SOURCE_PORT, &rule->source, NULL);
                add_ports(match, FW_DIM_DESTINATION_PORT, &rule->destination, NULL);
                return;
        }
        add_values(match, FW_DIM_PROTOCOL, &alternative->protocol, 1);
        add_ports(match, FW_DIM_SOURCE_PORT, &rule->source, NULL);
        add_ports(match, FW_DIM_DESTINATION_PORT, &rule->destination, &alternative->ports);
        match->helper = alternative->helper;
        match->protocol = alternative->protocol;
}

static void add_states(FwMatch *match)
{
        static const uint32_t bits[FW_STATE_MAX] = {
                [FW_STATE_NEW] = NF_CT_STATE_BIT(IP_CT_NEW),
                [FW_STATE_RELATED] = NF_CT_STATE_BIT(IP_CT_RELATED),
                [FW_STATE_INVALID] = NF_CT_STATE_INVALID_BIT,
                [FW_STATE_UNTRACKED] = NF_CT_STATE_UNTRACKED_BIT,
        };
        const PtList *list = &fw_rule_box(match->rule)->states;
        const FwEffectiveRule *effective = fw_effective_of(match->rule);
        uint32_t mask = 0;

        for (unsigned i = 0; i < list->n; i++)
                mask |= bits[((const int *) list->items)[i]];
        if (mask)
                add_scalar(match, FW_DIM_STATE, 0, mask);
        if (effective && effective->translated)
                add_scalar(match, FW_DIM_STATUS, 0, IPS_DST_NAT);
}

/* Interfaces by which packets come or leave are two ways, since the kernel has no "or". */
static unsigned count_sides(const FirewallRule *rule)
{
        return fw_rule_box(rule)->interfaces.n > 0 && fw_rule_looks_in(rule) &&
                               fw_rule_looks_out(rule)
                       ? 2
                       : 1;
}

/* A direction without interfaces is one of some name: what does not come by an interface, or does not
 * leave by one, has none. */
static void add_interfaces(FwMatch *match, unsigned side)
{
        static const char *const no_name = "";
        const PtList *interfaces = &fw_rule_box(match->rule)->interfaces;
        bool in = fw_rule_looks_in(match->rule), out = fw_rule_looks_out(match->rule);
        FwDimension dimension = in && side == 0 ? FW_DIM_IN_INTERFACE : FW_DIM_OUT_INTERFACE;

        if (interfaces->n > 0)
                add_lists(match, dimension, false, interfaces, NULL);
        else if (fw_rule_floating(match->rule) && in != out)
                match->terms[match->n_terms++] = (FwTerm){
                        .dimension = dimension, .negated = true, .n = 1, .items = &no_name};
}

/* A way of a rule. false: the family has nothing of it. */
static bool fill(const FirewallRule *rule, unsigned choice, int family, FwMatch *ret)
{
        const FwEffectiveRule *effective = fw_effective_of(rule);
        const FwEndpointBox *source = fw_endpoint_box(&rule->source);
        const FwRuleBox *box = fw_rule_box(rule);
        PtMarkMatch mark = box->mark;

        ret->rule = rule;
        ret->family = family;
        ret->helper = FW_HELPER_INVALID;
        ret->n_terms = 0;
        add_interfaces(ret, choice % count_sides(rule));
        add_lists(ret, FW_DIM_LENGTH, false, &box->lengths, NULL);
        if (pt_object_has(&rule->object, FW_RULE_MARK))
                add_scalar(ret, FW_DIM_MARK, mark.value, mark.mask);
        add_lists(ret, FW_DIM_SOURCE_MAC, false, &source->macs, &source->mac_aliases);
        add_addresses(ret, FW_DIM_SOURCE_ADDRESS, &rule->source);
        add_addresses(ret, FW_DIM_DESTINATION_ADDRESS, &rule->destination);
        if (pt_object_has(&rule->object, FW_RULE_DSCP))
                add_scalar(ret, FW_DIM_DSCP, rule->dscp, UINT32_MAX);
        if (effective && effective->by_service)
                add_choice(ret, effective, choice / count_sides(rule));
        else
                add_protocol(ret);
        add_states(ret);
        add_lists(ret, FW_DIM_TAGS, false, &box->tagged, NULL);
        for (unsigned i = 0; i < ret->n_terms; i++)
                if (ret->terms[i].n > 0 && fw_term_values(&ret->terms[i], family) == 0)
                        return false;
        return true;
}

static unsigned count_choices(const FirewallRule *rule)
{
        const FwEffectiveRule *effective = fw_effective_of(rule);

        if (!effective || !effective->by_service)
                return count_sides(rule);
        return (effective->n_choices + (effective->protocols.n > 0)) * count_sides(rule);
}

static bool needs_family(const FwMatch *match)
{
        if (fw_rule_sets_dscp(match->rule)) /* it lies elsewhere in each */
                return true;
        for (unsigned i = 0; i < match->n_terms; i++)
                if (fw_dimensions[match->terms[i].dimension].needs & FW_NEED_FAMILY)
                        return true;
        return false;
}

bool fw_ways_next(FwWays *ways, FwMatch *ret)
{
        unsigned choices = count_choices(ways->rule);

        while (ways->choice < choices) {
                int family = fw_rule_family(ways->rule);
                bool found;

                if (ways->second) {
                        ways->second = false;
                        found = fill(ways->rule, ways->choice++, AF_INET6, ret);
                } else {
                        found = fill(ways->rule, ways->choice, family, ret);
                        if (family == AF_UNSPEC && needs_family(ret)) {
                                ways->second = true;
                                found = fill(ways->rule, ways->choice, AF_INET, ret);
                        } else {
                                ways->choice++;
                        }
                }
                if (found)
                        return true;
        }
        return false;
}

static const void *item_at(const FwTerm *term, unsigned i)
{
        return (const char *) term->items + i * fw_value_size(fw_dimensions[term->dimension].value);
}

/* Which of the items is the `wanted`-th that the family has; `n` past the last. Without a family
 * all count: what is not of both is asked with one. */
static unsigned find_value(const FwTerm *term, int family, unsigned wanted, unsigned *ret_seen)
{
        uint8_t lo[FW_VALUE_BYTES_MAX], hi[FW_VALUE_BYTES_MAX];
        unsigned seen = 0;

        for (unsigned i = 0; i < term->n; i++)
                if (family == AF_UNSPEC ||
                    fw_value_interval(term->dimension, family, item_at(term, i), lo, hi))
                        if (seen++ == wanted)
                                return i;
        *ret_seen = seen;
        return term->n;
}

unsigned fw_term_values(const FwTerm *term, int family)
{
        unsigned seen = 0;

        /* Only types of ICMP are there or not. */
        if (fw_dimensions[term->dimension].value != FW_VALUE_ICMP)
                return term->n;
        (void) find_value(term, family, term->n, &seen);
        return seen;
}

/* Parts. */

/* What a term is at least: all values are one set. */
static unsigned least_parts(const FwTerm *term)
{
        return term->negated ? 1 : MAX((term->n > 0) + term->n_aliases, 1);
}

static unsigned most_parts(const FwTerm *term, int family)
{
        return term->negated ? 1 : MAX(fw_term_values(term, family) + term->n_aliases, 1);
}

/* The values of which terms are written out as parts, cheapest first, as long as there are few; the
 * others are sets. */
static unsigned choose_parts(const FwMatch *match, bool ret[static FW_TERMS_MAX])
{
        static const FwDimension order[] = {
                FW_DIM_PROTOCOL,
                FW_DIM_DESTINATION_PORT,
                FW_DIM_SOURCE_PORT,
                FW_DIM_ICMP,
                FW_DIM_DESTINATION_ADDRESS,
                FW_DIM_SOURCE_ADDRESS,
                FW_DIM_SOURCE_MAC,
                FW_DIM_LENGTH,
                FW_DIM_IN_INTERFACE,
                FW_DIM_OUT_INTERFACE,
        };
        unsigned parts = 1;

        for (unsigned i = 0; i < match->n_terms; i++) {
                ret[i] = false;
                parts *= least_parts(&match->terms[i]);
        }
        for (unsigned k = 0; k < G_N_ELEMENTS(order); k++)
                for (unsigned i = 0; i < match->n_terms; i++) {
                        const FwTerm *term = &match->terms[i];
                        unsigned others = parts / least_parts(term);

                        if (term->dimension != order[k] || term->negated)
                                continue;
                        ret[i] = most_parts(term, match->family) <= FW_PARTS_MAX / others;
                        if (ret[i])
                                parts = others * most_parts(term, match->family);
                }
        return parts;
}

static void choose(FwTerm *term, int family, bool written_out, unsigned digit)
{
        unsigned values = written_out ? fw_term_values(term, family) : term->n > 0, seen;

        if (digit >= values) {
                term->n = 0;
                if (term->n_aliases == 0)
                        return;
                term->aliases += digit - values;
                term->n_aliases = 1;
                return;
        }
        term->n_aliases = 0;
        if (!written_out)
                return;
        term->items = item_at(term, find_value(term, family, digit, &seen));
        term->n = 1;
}

/* The part as a number whose digits choose of each term. */
static void choose_part(FwMatch *match, const bool *written_out, unsigned part)
{
        for (unsigned i = 0; i < match->n_terms; i++) {
                FwTerm *term = &match->terms[i];
                unsigned n = written_out[i] ? most_parts(term, match->family) : least_parts(term);

                if (!term->negated && term->n + term->n_aliases > 0)
                        choose(term, match->family, written_out[i], part % n);
                part /= n;
        }
}

unsigned fw_match_parts(const FirewallRule *rule)
{
        FwWays ways = {.rule = rule};
        bool written_out[FW_TERMS_MAX];
        unsigned parts = 0;
        FwMatch match;

        while (fw_ways_next(&ways, &match))
                parts += choose_parts(&match, written_out);
        return parts;
}

bool fw_match_alone(const FirewallRule *rule)
{
        return !fw_rule_decides(rule) && fw_match_parts(rule) > 1;
}

void fw_match_part(const FirewallRule *rule, unsigned part, FwMatch *ret)
{
        FwWays ways = {.rule = rule};
        bool written_out[FW_TERMS_MAX];

        while (fw_ways_next(&ways, ret)) {
                unsigned parts = choose_parts(ret, written_out);

                if (part < parts) {
                        choose_part(ret, written_out, part);
                        return;
                }
                part -= parts;
        }
        g_assert_not_reached();
}

FwSetPart fw_dimension_part(FwDimension dimension, int family)
{
        switch (fw_dimensions[dimension].value) {
        case FW_VALUE_ADDRESS:
                return family == AF_INET ? FW_SET_IPV4 : FW_SET_IPV6;
        case FW_VALUE_PORT:
                return FW_SET_PORTS;
        case FW_VALUE_MAC:
                return FW_SET_MACS;
        case FW_VALUE_NONE:
        case FW_VALUE_PROTOCOL:
        case FW_VALUE_ICMP:
        case FW_VALUE_LENGTH:
        case FW_VALUE_IFNAME:
        case FW_VALUE_TAG:
        case FW_VALUE_MAX:
        case FW_VALUE_INVALID:
                break;
        }
        g_assert_not_reached();
}
