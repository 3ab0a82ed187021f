/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/packet.h"

#include "filter/match.h"

#include <linux/if_arp.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <string.h>
#include <sys/socket.h>

struct FwMatcher {
        const FwPacket *packet;
        FwAliasCache *aliases;
        int error;
};

void fw_packet_init(FwPacket *packet, int family, const char *in)
{
        uint8_t protocol = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

        *packet = (FwPacket){.family = family};
        g_strlcpy(packet->in, in, sizeof(packet->in));
        fw_packet_set(packet, FW_DIM_FAMILY, protocol, protocol);
        if (in[0] != '\0')
                fw_packet_set_interface(packet, FW_DIM_IN_INTERFACE, in);
        fw_packet_set(packet, FW_DIM_TAGS, 0, 0);
}

void fw_packet_set(FwPacket *packet, FwDimension dimension, FwNumber lo, FwNumber hi)
{
        packet->here[dimension] = true;
        packet->values[dimension] = (FwSpan){lo, hi};
}

void fw_packet_set_interface(FwPacket *packet, FwDimension dimension, const char *name)
{
        uint8_t bytes[FW_VALUE_BYTES_MAX] = {0};

        g_strlcpy((char *) bytes, name, sizeof(bytes));
        fw_packet_set_bytes(packet, dimension, bytes);
}

void fw_packet_set_bytes(FwPacket *packet, FwDimension dimension, const uint8_t *bytes)
{
        FwNumber number = fw_number_read(bytes, fw_dimension_bytes(dimension, packet->family));

        fw_packet_set(packet, dimension, number, number);
}

void fw_packet_set_unknown(FwPacket *packet, FwDimension dimension)
{
        unsigned width = fw_dimension_place(dimension, packet->family)->width;

        fw_packet_set(packet, dimension, 0,
                      width % 8 == 0 ? fw_number_max(width / 8) : ((FwNumber) 1 << width) - 1);
}

/* What is not tracked, or belongs to no connection, has none to tag. */
static FwTruth is_tracked(const FwPacket *packet)
{
        static const uint32_t none = NF_CT_STATE_UNTRACKED_BIT | NF_CT_STATE_INVALID_BIT;
        const FwSpan *state = &packet->values[FW_DIM_STATE];

        if (!packet->here[FW_DIM_STATE] || !(state->hi & none))
                return FW_YES;
        return state->lo == state->hi ? FW_NO : FW_MAYBE;
}

static void apply_tag(FwPacket *packet, const FirewallRule *rule, bool certain)
{
        char *name = fw_rule_box(rule)->set_tag;
        FwTruth tracked = is_tracked(packet);
        FwNumber mask;

        if (!packet->tags || tracked == FW_NO)
                return;
        mask = fw_tags_mask(packet->tags, &name, 1);
        packet->values[FW_DIM_TAGS].hi |= mask;
        if (certain && tracked == FW_YES)
                packet->values[FW_DIM_TAGS].lo |= mask;
}

void fw_packet_apply(FwPacket *packet, const FirewallRule *rule, bool certain)
{
        const FwRuleBox *box = fw_rule_box(rule);
        FwSpan *mark = &packet->values[FW_DIM_MARK];

        if (fw_rule_sets_mark(rule) && packet->here[FW_DIM_MARK]) {
                FwNumber others = ~(FwNumber) box->set_mark.mask;
                FwNumber lo = (mark->lo & others) | box->set_mark.value,
                         hi = (mark->hi & others) | box->set_mark.value;

                *mark = certain ? (FwSpan){lo, hi}
                                : (FwSpan){lo & mark->lo & mark->hi, lo | hi | mark->lo | mark->hi};
        }
        if (fw_rule_sets_dscp(rule) && certain)
                fw_packet_set(packet, FW_DIM_DSCP, box->set_dscp, box->set_dscp);
        else if (fw_rule_sets_dscp(rule))
                fw_packet_set_unknown(packet, FW_DIM_DSCP);
        if (fw_rule_sets_tag(rule))
                apply_tag(packet, rule, certain);
}

bool fw_packet_number(const FwPacket *packet, FwDimension dimension, FwNumber *ret)
{
        const FwSpan *value = &packet->values[dimension];

        if (!packet->here[dimension] || value->lo != value->hi)
                return false;
        *ret = value->lo;
        return true;
}

FwTruth fw_span_within(const FwSpan *value, FwNumber lo, FwNumber hi)
{
        if (value->hi < lo || value->lo > hi)
                return FW_NO;
        return lo <= value->lo && value->hi <= hi ? FW_YES : FW_MAYBE;
}

FwMatcher *fw_matcher_new(const FwPacket *packet, FwAliasCache *aliases)
{
        FwMatcher *matcher = g_new0(FwMatcher, 1);

        matcher->packet = packet;
        matcher->aliases = aliases;
        return matcher;
}

void fw_matcher_free(FwMatcher *matcher)
{
        g_free(matcher);
}

int fw_matcher_error(const FwMatcher *matcher)
{
        return matcher->error;
}

/* Terms. */

static FwTruth among_values(const FwPacket *packet, const FwTerm *term)
{
        size_t size = fw_value_size(fw_dimensions[term->dimension].value);
        size_t len = fw_dimension_bytes(term->dimension, packet->family);
        const FwSpan *value = &packet->values[term->dimension];
        FwTruth truth = FW_NO;

        for (unsigned i = 0; i < term->n && truth != FW_YES; i++) {
                uint8_t lo[FW_VALUE_BYTES_MAX], hi[FW_VALUE_BYTES_MAX];

                if (fw_value_interval(term->dimension, packet->family,
                                      (const char *) term->items + i * size, lo, hi))
                        truth = MAX(truth, fw_span_within(value, fw_number_read(lo, len),
                                                          fw_number_read(hi, len)));
        }
        return truth;
}

/* Spans ascend and do not touch: the first that reaches the value decides. */
static FwTruth in_alias(FwMatcher *matcher, FwDimension dimension, const char *alias)
{
        const FwSpan *value = &matcher->packet->values[dimension];
        FwSetPart part = fw_dimension_part(dimension, matcher->packet->family);
        FwSpan span;
        int r;

        if (fw_alias_cache_is_unknown(matcher->aliases, alias))
                return FW_MAYBE;
        r = fw_alias_cache_find(matcher->aliases, part, alias, value->lo, &span);

        if (r < 0) {
                matcher->error = r;
                return FW_NO;
        }
        return span.lo > span.hi ? FW_NO : fw_span_within(value, span.lo, span.hi);
}

/* A number, one under a mask, or bits. Of bits, those are not known in which the ends of the span
 * differ. */
static FwTruth is_scalar(const FwPacket *packet, const FwTerm *term)
{
        const FwSpan *value = &packet->values[term->dimension];
        FwNumber unknown = (value->lo ^ value->hi) & term->mask;

        switch (fw_dimensions[term->dimension].compare) {
        case FW_COMPARE_NUMBER:
        case FW_COMPARE_PREFIX:
                return fw_span_within(value, term->value, term->value);
        case FW_COMPARE_MASKED:
                if (((value->lo ^ term->value) & term->mask & ~unknown) != 0)
                        return FW_NO;
                return unknown ? FW_MAYBE : FW_YES;
        case FW_COMPARE_BITS:
                if ((value->lo & value->hi & term->mask) != 0)
                        return FW_YES;
                return unknown ? FW_MAYBE : FW_NO;
        case FW_COMPARE_MAX:
        case FW_COMPARE_INVALID:
                break;
        }
        g_assert_not_reached();
}

/* The same of tags, any of which will do. */
static FwTruth has_tag(const FwPacket *packet, const FwTerm *term)
{
        const FwSpan *value = &packet->values[FW_DIM_TAGS];
        FwNumber mask = packet->tags ? fw_tags_mask(packet->tags, term->items, term->n) : 0;

        if (value->lo & value->hi & mask)
                return FW_YES;
        return (value->lo ^ value->hi) & mask ? FW_MAYBE : FW_NO;
}

/* Whether what must be known before the value means anything is so. Families and protocols are
 * terms of their own. */
static FwTruth is_there(const FwPacket *packet, FwDimension dimension)
{
        if (!packet->here[dimension])
                return FW_NO;
        if (!(fw_dimensions[dimension].needs & FW_NEED_ETHERNET))
                return FW_YES;
        if (!packet->here[FW_DIM_LINK_TYPE])
                return FW_NO;
        return fw_span_within(&packet->values[FW_DIM_LINK_TYPE], ARPHRD_ETHER, ARPHRD_ETHER);
}

static FwTruth ask_term(FwMatcher *matcher, const FwTerm *term)
{
        const FwPacket *packet = matcher->packet;
        FwTruth there, truth;

        if (term->n == 0 && term->n_aliases == 0 && term->mask == 0)
                return FW_YES; /* bits under no mask: nothing is asked */
        there = is_there(packet, term->dimension);
        if (there == FW_NO)
                return FW_NO;
        if (term->mask) {
                truth = is_scalar(packet, term);
        } else if (term->dimension == FW_DIM_TAGS) {
                truth = has_tag(packet, term);
        } else {
                truth = among_values(packet, term);
                for (unsigned i = 0; i < term->n_aliases && truth != FW_YES; i++)
                        truth = MAX(truth, in_alias(matcher, term->dimension, term->aliases[i]));
        }
        if (term->negated)
                truth = FW_YES - truth;
        return MIN(there, truth);
}

static FwTruth ask_way(FwMatcher *matcher, const FwMatch *match)
{
        FwTruth truth = FW_YES;

        if (match->family != AF_UNSPEC && match->family != matcher->packet->family)
                return FW_NO;
        for (unsigned i = 0; i < match->n_terms && truth != FW_NO; i++)
                truth = MIN(truth, ask_term(matcher, &match->terms[i]));
        return truth;
}

FwTruth fw_matcher_ask(FwMatcher *matcher, const FirewallRule *rule)
{
        FwWays ways = {.rule = rule};
        FwTruth truth = FW_NO;
        FwMatch match;

        while (truth != FW_YES && fw_ways_next(&ways, &match))
                truth = MAX(truth, ask_way(matcher, &match));
        return truth;
}
