/* SPDX-License-Identifier: GPL-3.0-or-later */

/* Terms as expressions. */

#include "base/digest.h"
#include "filter/interval.h"
#include "match-put.h"
#include "nat.h"
#include "netlink/nft-expr.h"

#include <linux/if_arp.h>
#include <linux/netfilter.h>
#include <string.h>

#define REG 0 /* every value is loaded into the first register */

typedef struct Put {
        const FwMatch *match;
        const char *table;
        const FwSets *sets;
        const FwTags *tags;
        PtNftBatch *batch;
        uint32_t *set_id;
        struct nftnl_rule *rule;
} Put;

void fw_put_family(int family, struct nftnl_rule *rule)
{
        uint8_t value = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

        if (family == AF_UNSPEC)
                return;
        fw_put_load(FW_DIM_FAMILY, family, sizeof(value), REG, rule);
        pt_nft_cmp(rule, PT_REG(REG), NFT_CMP_EQ, &value, sizeof(value));
}

void fw_put_load(FwDimension dimension, int family, size_t bytes, uint32_t reg,
                 struct nftnl_rule *rule)
{
        static const uint32_t bases[FW_LAYER_MAX] = {
                [FW_LAYER_LINK] = NFT_PAYLOAD_LL_HEADER,
                [FW_LAYER_NETWORK] = NFT_PAYLOAD_NETWORK_HEADER,
                [FW_LAYER_TRANSPORT] = NFT_PAYLOAD_TRANSPORT_HEADER,
        };
        const FwDimensionInfo *info = &fw_dimensions[dimension];

        switch (info->layer) {
        case FW_LAYER_META:
                pt_nft_meta(rule, info->key, PT_REG(reg));
                if (info->turned)
                        pt_nft_hton32(rule, PT_REG(reg), PT_REG(reg));
                return;
        case FW_LAYER_CONNTRACK:
                pt_nft_ct(rule, info->key, PT_REG(reg));
                return;
        case FW_LAYER_LINK:
        case FW_LAYER_NETWORK:
        case FW_LAYER_TRANSPORT:
                pt_nft_payload(rule, bases[info->layer],
                               fw_dimension_place(dimension, family)->offset / 8, (uint32_t) bytes,
                               PT_REG(reg));
                return;
        case FW_LAYER_MAX:
        case FW_LAYER_INVALID:
                break;
        }
        g_assert_not_reached();
}

void fw_prefix_mask(unsigned plen, uint8_t *mask, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                unsigned bits = plen > i * 8 ? MIN(plen - (unsigned) i * 8, 8) : 0;

                mask[i] = (uint8_t) (0xff00 >> bits);
        }
}

int fw_prefix_length(const uint8_t *lo, const uint8_t *hi, size_t len)
{
        uint8_t mask[FW_VALUE_BYTES_MAX];
        unsigned plen = 0;

        while (plen < len * 8 && !((lo[plen / 8] ^ hi[plen / 8]) >> (7 - plen % 8) & 1))
                plen++;
        fw_prefix_mask(plen, mask, len);
        for (size_t i = 0; i < len; i++)
                if ((lo[i] & (uint8_t) ~mask[i]) != 0 || (hi[i] | mask[i]) != 0xff)
                        return -1;
        return (int) plen;
}

static void put_interval(const Put *put, const FwTerm *term, const uint8_t *lo, const uint8_t *hi)
{
        FwDimension dimension = term->dimension;
        int family = put->match->family, plen = -1;
        size_t len = fw_dimension_bytes(dimension, family);
        bool single = memcmp(lo, hi, len) == 0;
        uint32_t op = term->negated ? NFT_CMP_NEQ : NFT_CMP_EQ;
        uint8_t mask[FW_VALUE_BYTES_MAX];

        if (fw_dimensions[dimension].compare == FW_COMPARE_PREFIX)
                plen = fw_prefix_length(lo, hi, len);
        if (plen == 0 && !term->negated)
                return; /* whatever the value */
        if (plen > 0 && plen % 8 == 0)
                len = (size_t) plen / 8;
        fw_put_load(dimension, family, len, REG, put->rule);
        if (single || (plen > 0 && plen % 8 == 0)) {
                pt_nft_cmp(put->rule, PT_REG(REG), op, lo, (uint32_t) len);
        } else if (plen > 0) {
                fw_prefix_mask((unsigned) plen, mask, len);
                pt_nft_mask(put->rule, PT_REG(REG), mask, (uint32_t) len);
                pt_nft_cmp(put->rule, PT_REG(REG), op, lo, (uint32_t) len);
        } else {
                pt_nft_range(put->rule, PT_REG(REG), term->negated ? NFT_RANGE_NEQ : NFT_RANGE_EQ,
                             lo, hi, (uint32_t) len);
        }
}

static void put_element(PtNftBatch *batch, const uint8_t *key, size_t len, uint32_t flags)
{
        struct nftnl_set_elem *element = nftnl_set_elem_alloc();

        g_assert(element);
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, (uint32_t) len);
        if (flags)
                nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_FLAGS, flags);
        pt_nft_batch_element(batch, element);
}

static void put_elements(PtNftBatch *batch, const char *table, const char *name, uint32_t id,
                         const FwValueSet *set)
{
        pt_nft_batch_elements_begin(batch, table, name, id, false);
        for (unsigned i = 0; i < set->bounds->len; i++) {
                FwBounds each = g_array_index(set->bounds, FwBounds, i);

                put_element(batch, each.lo, set->len, 0);
                /* Ends are exclusive; an interval to the last value has none. */
                if (set->intervals && fw_interval_increment(each.hi, set->len))
                        put_element(batch, each.hi, set->len, NFT_SET_ELEM_INTERVAL_END);
        }
        pt_nft_batch_elements_end(batch);
}

void fw_value_set_put(const FwValueSet *set, const char *table, const char *name, uint32_t id,
                      PtNftBatch *batch)
{
        bool anonymous = id != 0;
        PtNftSetSpec spec = {
                .table = table,
                .name = name,
                .id = id,
                .flags = (anonymous ? NFT_SET_ANONYMOUS | NFT_SET_CONSTANT : 0U) |
                         (set->intervals ? NFT_SET_INTERVAL : 0U),
                .key_type = set->key_type,
                .key_len = (uint32_t) set->len,
        };

        pt_nft_batch_add_set(batch, &spec);
        put_elements(batch, table, name, id, set);
}

char *fw_value_set_name(const FwValueSet *set)
{
        PtHasher *hasher = pt_hasher_new();
        char hex[PT_DIGEST_HEX + 1];
        PtDigest digest;

        pt_hasher_add(hasher, &set->key_type, sizeof(set->key_type));
        for (unsigned i = 0; i < set->bounds->len; i++) {
                const FwBounds *each = &g_array_index(set->bounds, FwBounds, i);

                pt_hasher_add(hasher, each->lo, set->len);
                pt_hasher_add(hasher, each->hi, set->len);
        }
        pt_hasher_end(hasher, &digest);
        pt_digest_to_hex(&digest, hex);
        return g_strdup_printf("v_%.16s", hex);
}

static GArray *bounds_of(const FwMatch *match, const FwTerm *term)
{
        const FwDimensionInfo *info = &fw_dimensions[term->dimension];
        GArray *bounds = g_array_new(FALSE, FALSE, sizeof(FwBounds));
        size_t size = fw_value_size(info->value);

        for (unsigned i = 0; i < term->n; i++) {
                FwBounds each;

                if (fw_value_interval(term->dimension, match->family,
                                      (const char *) term->items + i * size, each.lo, each.hi))
                        g_array_append_val(bounds, each);
        }
        if (info->interval)
                fw_bounds_merge(bounds, fw_dimension_bytes(term->dimension, match->family));
        return bounds;
}

bool fw_value_set_of(const FwMatch *match, const FwTerm *term, FwValueSet *ret)
{
        g_autoptr(GArray) bounds = NULL;

        if (term->n < 2 || term->dimension == FW_DIM_TAGS)
                return false;
        bounds = bounds_of(match, term);
        /* "None of these" is a question after the other. */
        if (bounds->len < 2 || (term->negated && bounds->len <= FW_PARTS_MAX))
                return false;
        *ret = (FwValueSet){
                .key_type = fw_dimension_place(term->dimension, match->family)->datatype,
                .len = fw_dimension_bytes(term->dimension, match->family),
                .intervals = fw_dimensions[term->dimension].interval,
                .bounds = g_steal_pointer(&bounds),
        };
        return true;
}

/* Rules of the filter have their sets by name, made before them (objects.h, stages.h); connections
 * are translated as they begin, and a rule of NAT keeps its set for itself. */
static void put_set(const Put *put, const FwTerm *term, const FwValueSet *set)
{
        bool own = fw_nat_of(put->match->rule, NULL);
        g_autofree char *name = own ? g_strdup("__set%d") : fw_value_set_name(set);
        uint32_t id = own ? ++*put->set_id : 0;

        if (own)
                fw_value_set_put(set, put->table, name, id, put->batch);
        fw_put_load(term->dimension, put->match->family, set->len, REG, put->rule);
        if (term->negated)
                pt_nft_lookup_not(put->rule, PT_REG(REG), name, id);
        else
                pt_nft_lookup(put->rule, PT_REG(REG), -1, name, id);
}

static void put_values(const Put *put, const FwTerm *term)
{
        g_autoptr(GArray) bounds = NULL;
        FwValueSet set;

        if (fw_value_set_of(put->match, term, &set)) {
                put_set(put, term, &set);
                g_array_unref(set.bounds);
                return;
        }
        bounds = bounds_of(put->match, term);
        for (unsigned i = 0; i < bounds->len; i++) {
                const FwBounds *each = &g_array_index(bounds, FwBounds, i);

                put_interval(put, term, each->lo, each->hi);
        }
}

/* The bytes of a number as the kernel loads them. */
static void number_bytes(uint32_t number, size_t len, bool host_order, uint8_t *ret)
{
        if (host_order)
                memcpy(ret, &number, len);
        for (size_t i = 0; i < len && !host_order; i++)
                ret[i] = (uint8_t) (number >> 8 * (len - 1 - i));
}

/* A number, one under a mask, or bits: in the whole bytes around its place. */
static void put_scalar(const Put *put, const FwTerm *term)
{
        const FwDimensionInfo *info = &fw_dimensions[term->dimension];
        const FwPlace *place = fw_dimension_place(term->dimension, put->match->family);
        unsigned lead = place->offset % 8, len = (lead + place->width + 7U) / 8;
        unsigned shift = len * 8 - lead - place->width;
        uint32_t all = place->width < 32 ? (1U << place->width) - 1 : UINT32_MAX;
        uint8_t mask[sizeof(all)], value[sizeof(all)];
        static const uint8_t none[sizeof(all)];

        number_bytes((term->mask & all) << shift, len, info->host_order, mask);
        number_bytes(term->value << shift, len, info->host_order, value);
        fw_put_load(term->dimension, put->match->family, len, REG, put->rule);
        if ((term->mask & all) != all || len * 8 != place->width)
                pt_nft_mask(put->rule, PT_REG(REG), mask, len);
        if (info->compare == FW_COMPARE_BITS)
                pt_nft_cmp(put->rule, PT_REG(REG), NFT_CMP_NEQ, none, len);
        else
                pt_nft_cmp(put->rule, PT_REG(REG), NFT_CMP_EQ, value, len);
}

static void put_alias(const Put *put, const FwTerm *term, const char *alias)
{
        int family = put->match->family;
        const char *set =
                fw_sets_name(put->sets, alias, fw_dimension_part(term->dimension, family));

        fw_put_load(term->dimension, family, fw_dimension_bytes(term->dimension, family), REG,
                    put->rule);
        if (term->negated)
                pt_nft_lookup_not(put->rule, PT_REG(REG), set, 0);
        else
                pt_nft_lookup(put->rule, PT_REG(REG), -1, set, 0);
}

/* Before a MAC is read: other interfaces have none, or another header there. */
static void put_ethernet(const Put *put)
{
        uint16_t type = ARPHRD_ETHER;

        fw_put_load(FW_DIM_LINK_TYPE, AF_UNSPEC, sizeof(type), REG, put->rule);
        pt_nft_cmp(put->rule, PT_REG(REG), NFT_CMP_EQ, &type, sizeof(type));
}

void fw_put_tags(FwNumber tags, uint8_t ret[static FW_TAG_BITS / 8])
{
        uint64_t words[] = {(uint64_t) tags, (uint64_t) (tags >> 64)};

        memcpy(ret, words, sizeof(words));
}

/* Any of them. */
static void put_tags(const Put *put, const FwTerm *term)
{
        static const uint8_t none[FW_TAG_BITS / 8];
        uint8_t mask[FW_TAG_BITS / 8];

        fw_put_tags(fw_tags_mask(put->tags, term->items, term->n), mask);
        fw_put_load(term->dimension, put->match->family, sizeof(mask), REG, put->rule);
        pt_nft_mask(put->rule, PT_REG(REG), mask, sizeof(mask));
        pt_nft_cmp(put->rule, PT_REG(REG), NFT_CMP_NEQ, none, sizeof(none));
}

void fw_match_put(const FwMatch *match, const char *table, const FwPutWith *with, PtNftBatch *batch,
                  uint32_t *set_id, struct nftnl_rule *rule)
{
        Put put = {match, table, with->sets, with->tags, batch, set_id, rule};

        fw_put_family(match->family, rule);
        for (unsigned i = 0; i < match->n_terms; i++) {
                const FwTerm *term = &match->terms[i];

                if (fw_dimensions[term->dimension].needs & FW_NEED_ETHERNET)
                        put_ethernet(&put);
                if (term->dimension == FW_DIM_TAGS)
                        put_tags(&put, term);
                else if (term->n > 0)
                        put_values(&put, term);
                for (unsigned k = 0; k < term->n_aliases; k++)
                        put_alias(&put, term, term->aliases[k]);
                if (term->mask)
                        put_scalar(&put, term);
        }
}
