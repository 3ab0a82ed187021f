/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/box.h"

#include "filter/nat-use.h"

#include <string.h>
#include <sys/socket.h>

void fw_box_all(int family, FwBox *ret)
{
        FwSpan all = {0, fw_number_max(family == AF_INET ? 4 : 16)};

        *ret = (FwBox){.address = {all, all},
                       .number = {[FW_BOX_PROTOCOL] = {0, UINT8_MAX},
                                  [FW_BOX_SOURCE_PORT] = {0, UINT16_MAX},
                                  [FW_BOX_DESTINATION_PORT] = {0, UINT16_MAX},
                                  [FW_BOX_ICMP] = {0, UINT16_MAX}},
                       .family = family};
}

bool fw_box_equal(const FwBox *a, const FwBox *b)
{
        return fw_box_contains(a, b) && fw_box_contains(b, a);
}

bool fw_box_overlaps(const FwBox *a, const FwBox *b)
{
        FwBox both;

        return fw_box_intersect(a, b, &both);
}

bool fw_box_contains(const FwBox *a, const FwBox *b)
{
        bool inside = a->family == b->family;

        for (unsigned i = 0; inside && i < FW_BOX_ADDRESS_MAX; i++)
                inside = a->address[i].lo <= b->address[i].lo &&
                         b->address[i].hi <= a->address[i].hi;
        for (unsigned i = 0; inside && i < FW_BOX_NUMBER_MAX; i++)
                inside = a->number[i].lo <= b->number[i].lo && b->number[i].hi <= a->number[i].hi;
        return inside;
}

bool fw_box_intersect(const FwBox *a, const FwBox *b, FwBox *ret)
{
        FwBox both = {.family = a->family};

        if (a->family != b->family)
                return false;
        for (unsigned i = 0; i < FW_BOX_NUMBER_MAX; i++) {
                both.number[i].lo = MAX(a->number[i].lo, b->number[i].lo);
                both.number[i].hi = MIN(a->number[i].hi, b->number[i].hi);
                if (both.number[i].lo > both.number[i].hi)
                        return false;
        }
        for (unsigned i = 0; i < FW_BOX_ADDRESS_MAX; i++) {
                both.address[i].lo = MAX(a->address[i].lo, b->address[i].lo);
                both.address[i].hi = MIN(a->address[i].hi, b->address[i].hi);
                if (both.address[i].lo > both.address[i].hi)
                        return false;
        }
        *ret = both;
        return true;
}

/* One dimension after the other: what lies below and above `b` there, of what is left. */
void fw_box_subtract(const FwBox *a, const FwBox *b, GArray *boxes)
{
        FwBox left = *a, both, part;

        if (!fw_box_intersect(a, b, &both)) {
                g_array_append_val(boxes, left);
                return;
        }
        for (unsigned i = 0; i < FW_BOX_NUMBER_MAX; i++) {
                part = left;
                if (left.number[i].lo < both.number[i].lo) {
                        part.number[i].hi = (uint16_t) (both.number[i].lo - 1);
                        g_array_append_val(boxes, part);
                }
                part = left;
                if (left.number[i].hi > both.number[i].hi) {
                        part.number[i].lo = (uint16_t) (both.number[i].hi + 1);
                        g_array_append_val(boxes, part);
                }
                left.number[i] = both.number[i];
        }
        for (unsigned i = 0; i < FW_BOX_ADDRESS_MAX; i++) {
                part = left;
                if (left.address[i].lo < both.address[i].lo) {
                        part.address[i].hi = both.address[i].lo - 1;
                        g_array_append_val(boxes, part);
                }
                part = left;
                if (left.address[i].hi > both.address[i].hi) {
                        part.address[i].lo = both.address[i].hi + 1;
                        g_array_append_val(boxes, part);
                }
                left.address[i] = both.address[i];
        }
}

/* Rules. */

/* Spans of one term, in one family. */
typedef struct Spans {
        FwDimension dimension;
        unsigned n;
        FwSpan at[FW_BOXES_MAX];
} Spans;

static void set_span(FwBox *box, FwDimension dimension, const FwSpan *span)
{
        static const int addresses[FW_DIM_MAX] = {[FW_DIM_SOURCE_ADDRESS] = FW_BOX_SOURCE + 1,
                                                  [FW_DIM_DESTINATION_ADDRESS] =
                                                          FW_BOX_DESTINATION + 1};
        static const int numbers[FW_DIM_MAX] = {[FW_DIM_PROTOCOL] = FW_BOX_PROTOCOL + 1,
                                                [FW_DIM_SOURCE_PORT] = FW_BOX_SOURCE_PORT + 1,
                                                [FW_DIM_DESTINATION_PORT] =
                                                        FW_BOX_DESTINATION_PORT + 1,
                                                [FW_DIM_ICMP] = FW_BOX_ICMP + 1};

        if (addresses[dimension])
                box->address[addresses[dimension] - 1] = *span;
        else
                box->number[numbers[dimension] - 1] =
                        (FwRange16){(uint16_t) span->lo, (uint16_t) span->hi};
}

/* Whether boxes say what the dimension is. */
static bool in_boxes(FwDimension dimension)
{
        return dimension == FW_DIM_SOURCE_ADDRESS || dimension == FW_DIM_DESTINATION_ADDRESS ||
               dimension == FW_DIM_PROTOCOL || dimension == FW_DIM_SOURCE_PORT ||
               dimension == FW_DIM_DESTINATION_PORT || dimension == FW_DIM_ICMP;
}

static bool is_exact(const FwTerm *term)
{
        return in_boxes(term->dimension) && !term->negated && term->n_aliases == 0 && term->n > 0;
}

/* The spans of a term in ascending order, those that overlap melted. false: too many. */
static bool read_spans(const FwTerm *term, int family, Spans *ret)
{
        size_t size = fw_value_size(fw_dimensions[term->dimension].value),
               len = fw_dimension_bytes(term->dimension, family);

        ret->dimension = term->dimension;
        ret->n = 0;
        for (unsigned i = 0; i < term->n; i++) {
                uint8_t lo[FW_VALUE_BYTES_MAX], hi[FW_VALUE_BYTES_MAX];
                FwSpan span;
                unsigned at, end;

                if (!fw_value_interval(term->dimension, family,
                                       (const char *) term->items + i * size, lo, hi))
                        continue;
                span = (FwSpan){fw_number_read(lo, len), fw_number_read(hi, len)};
                for (at = 0; at < ret->n && ret->at[at].hi < span.lo; at++)
                        ;
                for (end = at; end < ret->n && ret->at[end].lo <= span.hi; end++) {
                        span.lo = MIN(span.lo, ret->at[end].lo);
                        span.hi = MAX(span.hi, ret->at[end].hi);
                }
                if (ret->n - (end - at) == FW_BOXES_MAX)
                        return false;
                memmove(&ret->at[at + 1], &ret->at[end], (ret->n - end) * sizeof(span));
                ret->n = ret->n - (end - at) + 1;
                ret->at[at] = span;
        }
        return true;
}

/* Appends a box less what the rule's boxes from `start` on have already. */
static void add_disjoint(GArray *boxes, unsigned start, const FwBox *box)
{
        g_autoptr(GArray) left = g_array_new(FALSE, FALSE, sizeof(FwBox));

        g_array_append_val(left, *box);
        for (unsigned i = start; i < boxes->len && left->len > 0; i++) {
                const FwBox other = g_array_index(boxes, FwBox, i);
                g_autoptr(GArray) next = g_array_new(FALSE, FALSE, sizeof(FwBox));

                for (unsigned k = 0; k < left->len; k++)
                        fw_box_subtract(&g_array_index(left, FwBox, k), &other, next);
                g_array_unref(left);
                left = g_steal_pointer(&next);
        }
        g_array_append_vals(boxes, left->data, left->len);
}

/* The boxes of one way in one family; false: they contain it. */
static bool add_way(const FwMatch *match, int family, bool first, GArray *boxes, unsigned start)
{
        Spans spans[FW_BOX_ADDRESS_MAX + FW_BOX_NUMBER_MAX];
        unsigned n = 0, combinations = 1;
        bool exact = true;
        FwBox box;

        for (unsigned i = 0; i < match->n_terms; i++) {
                const FwTerm *term = &match->terms[i];

                /* What is left out only makes the boxes larger. */
                if (!is_exact(term) || !read_spans(term, family, &spans[n]) ||
                    combinations * spans[n].n > FW_BOXES_MAX) {
                        exact = false;
                        continue;
                }
                combinations *= spans[n++].n;
        }
        for (unsigned c = 0; c < combinations; c++) {
                unsigned digits = c;

                fw_box_all(family, &box);
                for (unsigned i = 0; i < n; i++) {
                        set_span(&box, spans[i].dimension, &spans[i].at[digits % spans[i].n]);
                        digits /= spans[i].n;
                }
                /* Those of one way are disjoint: its spans are. */
                if (first)
                        g_array_append_val(boxes, box);
                else
                        add_disjoint(boxes, start, &box);
        }
        return exact;
}

bool fw_rule_boxes(const FirewallRule *rule, GArray *boxes)
{
        static const int families[] = {AF_INET, AF_INET6};
        FwWays ways = {.rule = rule};
        unsigned start = boxes->len, n = 0;
        bool exact = true;
        FwMatch match;

        while (fw_ways_next(&ways, &match)) {
                for (unsigned i = 0; i < G_N_ELEMENTS(families); i++)
                        if (match.family == AF_UNSPEC || match.family == families[i])
                                exact = add_way(&match, families[i], n == 0, boxes, start) && exact;
                n++;
                if (boxes->len - start > FW_BOXES_MAX) {
                        int family = fw_rule_family(rule);
                        FwBox all;

                        g_array_set_size(boxes, start);
                        for (unsigned i = 0; i < G_N_ELEMENTS(families); i++) {
                                fw_box_all(families[i], &all);
                                if (family == AF_UNSPEC || family == families[i])
                                        g_array_append_val(boxes, all);
                        }
                        return false;
                }
        }
        return exact;
}

#define BIT(n) (UINT64_C(1) << (n))
/* What an object may say and still be no more than boxes and a verdict. */
#define PLAIN_BITS                                                                                 \
        (BIT(FW_RULE_ACTION) | BIT(FW_RULE_ENABLED) | BIT(FW_RULE_PRIORITY) | BIT(FW_RULE_FROM) |  \
         BIT(FW_RULE_TO) | BIT(FW_RULE_FAMILY) | BIT(FW_RULE_PROTOCOL) | BIT(FW_RULE_SOURCE) |     \
         BIT(FW_RULE_DESTINATION) | BIT(FW_RULE_SERVICES) | BIT(FW_RULE_ICMP_TYPES) |              \
         BIT(FW_RULE_GROUP))
#define PLAIN_ENDPOINT_BITS (BIT(FW_ENDPOINT_ADDRESSES) | BIT(FW_ENDPOINT_PORTS))
/* What needs no state beside: the rate of logs is an object by the rule's name, which copies share. */
#define STATELESS_BITS                                                                             \
        (PLAIN_BITS | BIT(FW_RULE_DSCP) | BIT(FW_RULE_MARK) | BIT(FW_RULE_STATES) |                \
         BIT(FW_RULE_HELPER) | BIT(FW_RULE_LOG) | BIT(FW_RULE_LOG_RATE))
#define STATELESS_ENDPOINT_BITS                                                                    \
        (PLAIN_ENDPOINT_BITS | BIT(FW_ENDPOINT_ALIASES) | BIT(FW_ENDPOINT_PORT_ALIASES) |          \
         BIT(FW_ENDPOINT_MACS) | BIT(FW_ENDPOINT_MAC_ALIASES) | BIT(FW_ENDPOINT_EXCEPT))

static bool says_no_more(const FirewallRule *rule, uint64_t bits, uint64_t endpoint_bits)
{
        return !fw_nat_of(rule, NULL) && (rule->object.present & ~bits) == 0 &&
               ((rule->source.present | rule->destination.present) & ~endpoint_bits) == 0 &&
               (rule->action == FW_ALLOW || rule->action == FW_DROP || rule->action == FW_REJECT);
}

bool fw_rule_foldable(const FirewallRule *rule)
{
        const FwEffectiveRule *effective = fw_effective_of(rule);

        if (!says_no_more(rule, PLAIN_BITS, PLAIN_ENDPOINT_BITS) ||
            (effective && effective->translated))
                return false;
        for (unsigned i = 0; effective && i < effective->n_choices; i++)
                if (effective->choices[i].helper != FW_HELPER_INVALID)
                        return false;
        return true;
}

bool fw_rule_copies(const FirewallRule *rule)
{
        return fw_rule_decides(rule) && says_no_more(rule, STATELESS_BITS, STATELESS_ENDPOINT_BITS);
}
