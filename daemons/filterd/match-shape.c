/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Rules as keys of verdict maps. */

#include "match-put.h"
#include "netlink/nft-expr.h"

#include <string.h>

/*
 * A shape in 32 bits, never 0: family (2), prefix length of source and destination (8 each), and a
 * bit for each dimension of the key, whose values stand in this order, in whole registers.
 */
static const FwDimension key_dimensions[] = {
        FW_DIM_SOURCE_ADDRESS, FW_DIM_DESTINATION_ADDRESS, FW_DIM_PROTOCOL,
        FW_DIM_SOURCE_PORT,    FW_DIM_DESTINATION_PORT,
};
#define SHAPE_FAMILY(shape) ((shape) &3)
#define SHAPE_PLEN(shape, i) ((shape) >> (2 + 8 * (i)) & 0xff) /* of the first two */
#define SHAPE_HAS(shape, i) ((shape) >> (18 + (i)) & 1)

static int shape_family(uint32_t shape)
{
        static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6};

        return families[SHAPE_FAMILY(shape)];
}

static size_t in_registers(size_t bytes)
{
        return (bytes + 3) / 4 * 4;
}

static size_t width_of(uint32_t shape, unsigned i)
{
        return fw_dimension_bytes(key_dimensions[i], shape_family(shape));
}

/* The prefix length that all values of a term have, for what is no prefix 0; -1: they are not of
 * one. */
static int common_plen(const FwTerm *term)
{
        const PtAddressRange *ranges = term->items;
        const PtPortRange *ports = term->items;

        if (fw_dimensions[term->dimension].value == FW_VALUE_ADDRESS) {
                for (unsigned i = 0; i < term->n; i++)
                        if (ranges[i].plen == PT_PLEN_RANGE || ranges[i].plen != ranges[0].plen)
                                return -1;
                return ranges[0].plen;
        }
        for (unsigned i = 0; fw_dimensions[term->dimension].value == FW_VALUE_PORT && i < term->n;
             i++)
                if (ports[i].lo != ports[i].hi)
                        return -1;
        return 0;
}

/* The shape of one way, or 0; how many keys it has. */
static uint32_t way_shape(const FwMatch *match, uint64_t *ret_keys)
{
        uint32_t shape = match->family == AF_INET ? 1 : match->family == AF_INET6 ? 2 : 0;
        bool tells_apart = false;
        uint64_t keys = 1;

        if (match->helper != FW_HELPER_INVALID)
                return 0;
        for (unsigned i = 0; i < match->n_terms; i++) {
                const FwTerm *term = &match->terms[i];
                const FwDimensionInfo *info = &fw_dimensions[term->dimension];
                int plen = info->keyed && term->n > 0 && !term->negated && term->n_aliases == 0
                                   ? common_plen(term)
                                   : -1;
                unsigned at = 0;

                if (plen < 0)
                        return 0;
                while (key_dimensions[at] != term->dimension)
                        at++;
                shape |= 1U << (18 + at);
                if (info->value == FW_VALUE_ADDRESS)
                        shape |= (uint32_t) plen << (2 + 8 * at);
                tells_apart = tells_apart || term->dimension != FW_DIM_PROTOCOL;
                keys = MIN(keys * term->n, UINT32_MAX); /* lists are short: no overflow */
        }
        *ret_keys = keys;
        /* Nothing, or the protocol alone, tells too little apart to be worth a map. */
        return tells_apart ? shape : 0;
}

uint32_t fw_match_shape(const FirewallRule *rule, unsigned *ret_keys)
{
        FwWays ways = {.rule = rule};
        uint64_t keys = 0, more;
        uint32_t shape = 0;
        FwMatch match;

        /* What does or remembers anything beside is more than a verdict. */
        if (!fw_rule_foldable(rule))
                return 0;
        while (fw_ways_next(&ways, &match)) {
                uint32_t one = way_shape(&match, &more);

                if (one == 0 || (shape != 0 && shape != one))
                        return 0;
                shape = one;
                keys += more;
                if (keys > FW_KEYS_MAX)
                        return 0;
        }
        *ret_keys = (unsigned) keys;
        return shape;
}

size_t fw_shape_key_len(uint32_t shape)
{
        size_t len = 0, width = 0;
        unsigned n = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(key_dimensions); i++)
                if (SHAPE_HAS(shape, i)) {
                        width = width_of(shape, i);
                        len += in_registers(width);
                        n++;
                }
        /* A key of one part is as long as that: nft 1.0.6 ends with a failed assertion when it lists
         * another. */
        return n == 1 ? width : len;
}

uint32_t fw_shape_key_type(uint32_t shape)
{
        uint32_t type = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(key_dimensions); i++)
                if (SHAPE_HAS(shape, i))
                        type = type << FW_DATATYPE_BITS |
                               fw_dimension_place(key_dimensions[i], shape_family(shape))->datatype;
        return type;
}

/* Key number `n` of a way: its digits choose one value of each term. The terms are in the order of
 * the key. */
static void key_of(const FwMatch *match, unsigned n, FwKey *ret)
{
        size_t at = 0;

        memset(ret, 0, sizeof(*ret));
        for (unsigned i = 0; i < match->n_terms; i++) {
                const FwTerm *term = &match->terms[i];
                uint8_t lo[FW_VALUE_BYTES_MAX], hi[FW_VALUE_BYTES_MAX];
                size_t size = fw_value_size(fw_dimensions[term->dimension].value);
                size_t bytes = fw_dimension_bytes(term->dimension, match->family);

                (void) fw_value_interval(term->dimension, match->family,
                                         (const char *) term->items + n % term->n * size, lo, hi);
                memcpy(ret->bytes + at, lo, bytes);
                at += in_registers(bytes);
                n /= term->n;
        }
}

unsigned fw_match_keys(const FirewallRule *rule, uint32_t shape, FwKey ret[static FW_KEYS_MAX])
{
        FwWays ways = {.rule = rule};
        unsigned total = 0;
        FwMatch match;

        while (fw_ways_next(&ways, &match)) {
                uint64_t keys;

                if (way_shape(&match, &keys) != shape)
                        continue;
                for (unsigned n = 0; n < keys && total < FW_KEYS_MAX; n++)
                        key_of(&match, n, &ret[total++]);
        }
        return total;
}

/* Boxes: the same from intervals. */

/* The prefix length of a span of addresses, 0 for all of them; -1: it is no prefix. */
static int span_plen(const FwSpan *span, unsigned width)
{
        FwNumber size = span->hi - span->lo; /* one less than there are */
        int plen = (int) width;

        if ((size & (size + 1)) != 0 || (span->lo & size) != 0)
                return -1;
        for (; size > 0; size >>= 1)
                plen--;
        return plen;
}

typedef struct BoxValue {
        FwNumber value;
        int plen;  /* of addresses */
        bool told; /* it is told apart */
        bool odd;  /* by something else than one value */
} BoxValue;

static BoxValue box_value(const FwBox *box, unsigned i)
{
        static const FwBoxNumber numbers[] = {FW_BOX_PROTOCOL, FW_BOX_SOURCE_PORT,
                                              FW_BOX_DESTINATION_PORT};
        BoxValue value = {0};

        if (i < FW_BOX_ADDRESS_MAX) {
                const FwSpan *span = &box->address[i]; /* in the order of key_dimensions */

                value.plen = span_plen(span, box->family == AF_INET ? 32 : 128);
                value.value = span->lo;
                value.told = value.plen != 0;
                value.odd = value.plen < 0;
        } else {
                const FwRange16 *range = &box->number[numbers[i - FW_BOX_ADDRESS_MAX]];
                uint16_t all = i == FW_BOX_ADDRESS_MAX ? UINT8_MAX : UINT16_MAX;

                value.value = range->lo;
                value.told = range->lo > 0 || range->hi < all;
                value.odd = value.told && range->lo != range->hi;
        }
        return value;
}

uint32_t fw_box_shape(const FwBox *box, FwKey *ret)
{
        uint32_t shape = box->family == AF_INET ? 1 : 2;
        size_t at = 0;

        if (box->number[FW_BOX_ICMP].lo > 0 || box->number[FW_BOX_ICMP].hi < UINT16_MAX)
                return 0;
        memset(ret, 0, sizeof(*ret));
        for (unsigned i = 0; i < G_N_ELEMENTS(key_dimensions); i++) {
                size_t bytes = fw_dimension_bytes(key_dimensions[i], box->family);
                BoxValue value = box_value(box, i);

                if (value.odd)
                        return 0;
                if (!value.told)
                        continue;
                shape |= 1U << (18 + i);
                if (i < FW_BOX_ADDRESS_MAX)
                        shape |= (uint32_t) value.plen << (2 + 8 * i);
                fw_number_write(value.value, bytes, ret->bytes + at);
                at += in_registers(bytes);
        }
        return at > 0 ? shape : 0;
}

void fw_shape_put(uint32_t shape, const char *map, uint32_t set_id, struct nftnl_rule *rule)
{
        int family = shape_family(shape);
        uint32_t reg = 0;

        fw_put_family(family, rule);
        for (unsigned i = 0; i < G_N_ELEMENTS(key_dimensions); i++) {
                size_t bytes = width_of(shape, i);

                if (!SHAPE_HAS(shape, i))
                        continue;
                fw_put_load(key_dimensions[i], family, bytes, reg, rule);
                if (fw_dimensions[key_dimensions[i]].value == FW_VALUE_ADDRESS &&
                    SHAPE_PLEN(shape, i) < bytes * 8) {
                        uint8_t mask[FW_VALUE_BYTES_MAX];

                        fw_prefix_mask(SHAPE_PLEN(shape, i), mask, bytes);
                        pt_nft_mask(rule, PT_REG(reg), mask, (uint32_t) bytes);
                }
                reg += (uint32_t) (in_registers(bytes) / 4);
        }
        pt_nft_lookup(rule, PT_REG(0), NFT_REG_VERDICT, map, set_id);
}
