/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "match.h"

#include "interval.h"
#include "netlink/nft-expr.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <netinet/in.h>
#include <string.h>

/* Offsets of the addresses: RFC 791 3.1, RFC 8200 3. Ports: the first four bytes of every protocol
 * that has them. */
static uint32_t address_offset(int family, bool source)
{
        if (family == AF_INET)
                return source ? 12 : 16;
        return source ? 8 : 24;
}

static uint32_t address_len(int family)
{
        return family == AF_INET ? 4 : 16;
}

/* nft's datatype numbers, for listings only (nftables/include/datatype.h). */
enum {
        TYPE_IPADDR = 7,
        TYPE_IP6ADDR = 8,
        TYPE_INET_PROTOCOL = 12,
        TYPE_INET_SERVICE = 13,
        TYPE_BITS = 6
};

void fw_match_of(const FirewallRule *rule, FwMatch *ret)
{
        int protocol = fw_rule_protocol(rule);

        *ret = (FwMatch){
                .rule = rule,
                .family = fw_rule_family(rule),
                .saddr = rule->source.addresses,
                .daddr = rule->destination.addresses,
                .sport = rule->source.ports,
                .dport = rule->destination.ports,
        };
        if (protocol >= 0) {
                ret->protocols[ret->n_protocols++] = protocol;
        } else if (ret->sport.n > 0 || ret->dport.n > 0) {
                ret->protocols[ret->n_protocols++] = IPPROTO_TCP;
                ret->protocols[ret->n_protocols++] = IPPROTO_UDP;
        }
        /* ICMP is another protocol in each family. */
        if (ret->family == AF_UNSPEC && protocol == IPPROTO_ICMP)
                ret->family = AF_INET;
        if (ret->family == AF_UNSPEC && protocol == IPPROTO_ICMPV6)
                ret->family = AF_INET6;
}

static bool has_dscp(const FwMatch *match)
{
        return pt_object_has(&match->rule->object, FW_RULE_DSCP);
}

static void put_family(int family, struct nftnl_rule *rule)
{
        uint8_t value = family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;

        if (family == AF_UNSPEC)
                return;
        pt_nft_meta(rule, NFT_META_NFPROTO, PT_REG(0));
        pt_nft_cmp(rule, PT_REG(0), NFT_CMP_EQ, &value, sizeof(value));
}

/* An anonymous interval set of `n` disjoint inclusive [lo, hi] of `len` bytes, and the lookup in
 * it. */
static void put_set(const char *table, PtNftBatch *batch, uint32_t *set_id, struct nftnl_rule *rule,
                    uint32_t type, size_t len, const uint8_t (*bounds)[2][FW_INTERVAL_KEY_MAX],
                    unsigned n)
{
        PtNftSetSpec spec = {
                .table = table,
                .name = "__set%d",
                .id = ++*set_id,
                .flags = NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL,
                .key_type = type,
                .key_len = (uint32_t) len,
        };

        pt_nft_batch_add_set(batch, &spec);
        pt_nft_batch_elements_begin(batch, table, spec.name, spec.id, false);
        for (unsigned i = 0; i < n; i++) {
                struct nftnl_set_elem *element = nftnl_set_elem_alloc();
                uint8_t end[FW_INTERVAL_KEY_MAX];

                nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, bounds[i][0], (uint32_t) len);
                pt_nft_batch_element(batch, element);
                /* Ends are exclusive; an interval to the last value has none. */
                memcpy(end, bounds[i][1], len);
                if (!fw_interval_increment(end, len))
                        continue;
                element = nftnl_set_elem_alloc();
                nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, end, (uint32_t) len);
                nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
                pt_nft_batch_element(batch, element);
        }
        pt_nft_batch_elements_end(batch);
        pt_nft_lookup(rule, PT_REG(0), -1, spec.name, spec.id);
}

/* Sorts inclusive bounds and melts those that overlap or touch: the kernel refuses overlaps.
 * Returns how many are left. */
static int compare_bounds(const void *a, const void *b)
{
        return memcmp(a, b, FW_INTERVAL_KEY_MAX);
}

static unsigned merge(uint8_t (*bounds)[2][FW_INTERVAL_KEY_MAX], unsigned n, size_t len)
{
        unsigned out = 0;

        qsort(bounds, n, sizeof(*bounds), compare_bounds);
        for (unsigned i = 0; i < n; i++) {
                uint8_t after[FW_INTERVAL_KEY_MAX];
                bool open;

                if (out > 0) {
                        memcpy(after, bounds[out - 1][1], len);
                        open = !fw_interval_increment(after, len);
                        if (open || memcmp(bounds[i][0], after, len) <= 0) {
                                if (memcmp(bounds[i][1], bounds[out - 1][1], len) > 0)
                                        memcpy(bounds[out - 1][1], bounds[i][1], len);
                                continue;
                        }
                }
                memmove(bounds[out++], bounds[i], sizeof(*bounds));
        }
        return out;
}

static void prefix_mask(unsigned plen, uint8_t *mask, size_t len)
{
        for (size_t i = 0; i < len; i++) {
                unsigned bits = plen > i * 8 ? MIN(plen - (unsigned) i * 8, 8) : 0;

                mask[i] = (uint8_t) (0xff00 >> bits);
        }
}

static void put_one_address(const PtAddressRange *range, bool source, struct nftnl_rule *rule)
{
        uint32_t offset = address_offset(range->family, source), len = address_len(range->family);

        if (range->plen == PT_PLEN_RANGE) {
                pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, len, PT_REG(0));
                pt_nft_range(rule, PT_REG(0), NFT_RANGE_EQ, range->lo, range->hi, len);
        } else if (range->plen % 8 == 0) {
                if (range->plen == 0)
                        return; /* the whole family */
                pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, range->plen / 8,
                               PT_REG(0));
                pt_nft_cmp(rule, PT_REG(0), NFT_CMP_EQ, range->lo, range->plen / 8);
        } else {
                uint8_t mask[16];

                prefix_mask(range->plen, mask, len);
                pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, offset, len, PT_REG(0));
                pt_nft_mask(rule, PT_REG(0), mask, len);
                pt_nft_cmp(rule, PT_REG(0), NFT_CMP_EQ, range->lo, len);
        }
}

static void put_addresses(const PtList *list, int family, bool source, const char *table,
                          PtNftBatch *batch, uint32_t *set_id, struct nftnl_rule *rule)
{
        const PtAddressRange *ranges = list->items;
        g_autofree uint8_t(*bounds)[2][FW_INTERVAL_KEY_MAX] = NULL;

        if (list->n == 0)
                return;
        if (list->n == 1) {
                put_one_address(ranges, source, rule);
                return;
        }
        bounds = g_malloc0_n(list->n, sizeof(*bounds));
        for (unsigned i = 0; i < list->n; i++) {
                memcpy(bounds[i][0], ranges[i].lo, FW_INTERVAL_KEY_MAX);
                memcpy(bounds[i][1], ranges[i].hi, FW_INTERVAL_KEY_MAX);
        }
        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, address_offset(family, source),
                       address_len(family), PT_REG(0));
        put_set(table, batch, set_id, rule, family == AF_INET ? TYPE_IPADDR : TYPE_IP6ADDR,
                address_len(family), (const uint8_t(*)[2][FW_INTERVAL_KEY_MAX]) bounds,
                merge(bounds, list->n, address_len(family)));
}

static void put_protocols(const FwMatch *match, const char *table, PtNftBatch *batch,
                          uint32_t *set_id, struct nftnl_rule *rule)
{
        uint8_t bounds[2][2][FW_INTERVAL_KEY_MAX] = {0};

        if (match->n_protocols == 0)
                return;
        pt_nft_meta(rule, NFT_META_L4PROTO, PT_REG(0));
        if (match->n_protocols == 1) {
                uint8_t protocol = (uint8_t) match->protocols[0];

                pt_nft_cmp(rule, PT_REG(0), NFT_CMP_EQ, &protocol, sizeof(protocol));
                return;
        }
        for (unsigned i = 0; i < match->n_protocols; i++)
                bounds[i][0][0] = bounds[i][1][0] = (uint8_t) match->protocols[i];
        put_set(table, batch, set_id, rule, TYPE_INET_PROTOCOL, 1,
                (const uint8_t(*)[2][FW_INTERVAL_KEY_MAX]) bounds,
                merge(bounds, match->n_protocols, 1));
}

static void put_ports(const PtList *list, bool source, const char *table, PtNftBatch *batch,
                      uint32_t *set_id, struct nftnl_rule *rule)
{
        const PtPortRange *ranges = list->items;
        g_autofree uint8_t(*bounds)[2][FW_INTERVAL_KEY_MAX] = NULL;

        if (list->n == 0)
                return;
        pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, source ? 0 : 2, 2, PT_REG(0));
        if (list->n == 1) {
                uint16_t lo = htons(ranges->lo), hi = htons(ranges->hi);

                if (lo == hi)
                        pt_nft_cmp(rule, PT_REG(0), NFT_CMP_EQ, &lo, sizeof(lo));
                else
                        pt_nft_range(rule, PT_REG(0), NFT_RANGE_EQ, &lo, &hi, sizeof(lo));
                return;
        }
        bounds = g_malloc0_n(list->n, sizeof(*bounds));
        for (unsigned i = 0; i < list->n; i++) {
                uint16_t lo = htons(ranges[i].lo), hi = htons(ranges[i].hi);

                memcpy(bounds[i][0], &lo, sizeof(lo));
                memcpy(bounds[i][1], &hi, sizeof(hi));
        }
        put_set(table, batch, set_id, rule, TYPE_INET_SERVICE, 2,
                (const uint8_t(*)[2][FW_INTERVAL_KEY_MAX]) bounds, merge(bounds, list->n, 2));
}

/* RFC 2474 3: the upper six bits of the second byte of IPv4; of IPv6 bits 4 to 9 (RFC 8200 3). */
static void put_dscp(const FwMatch *match, struct nftnl_rule *rule)
{
        bool ipv4 = match->family == AF_INET;
        uint16_t shift = ipv4 ? 2 : 6, value = htons((uint16_t) (match->rule->dscp << shift));
        uint16_t mask = htons((uint16_t) (63U << shift));

        if (!has_dscp(match))
                return;
        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, 0, 2, PT_REG(0));
        pt_nft_mask(rule, PT_REG(0), &mask, sizeof(mask));
        pt_nft_cmp(rule, PT_REG(0), NFT_CMP_EQ, &value, sizeof(value));
}

void fw_match_put(const FwMatch *match, const char *table, PtNftBatch *batch, uint32_t *set_id,
                  struct nftnl_rule *rule)
{
        put_family(match->family, rule);
        put_dscp(match, rule);
        put_addresses(&match->saddr, match->family, true, table, batch, set_id, rule);
        put_addresses(&match->daddr, match->family, false, table, batch, set_id, rule);
        put_protocols(match, table, batch, set_id, rule);
        put_ports(&match->sport, true, table, batch, set_id, rule);
        put_ports(&match->dport, false, table, batch, set_id, rule);
}

/*
 * A shape in 32 bits, never 0: family (2), prefix length + 1 of source and destination (8 each; 0:
 * not in the key), protocol, source port, destination port in the key (1 each).
 */
#define SHAPE_FAMILY(shape) ((shape) &3)
#define SHAPE_SADDR(shape) ((shape) >> 2 & 0xff)
#define SHAPE_DADDR(shape) ((shape) >> 10 & 0xff)
#define SHAPE_PROTOCOL (1U << 18)
#define SHAPE_SPORT (1U << 19)
#define SHAPE_DPORT (1U << 20)

/* The common prefix length + 1 of a list, 0 for an empty one, -1 when there is none in common. */
static int common_plen(const PtList *list)
{
        const PtAddressRange *ranges = list->items;

        for (unsigned i = 0; i < list->n; i++)
                if (ranges[i].plen == PT_PLEN_RANGE || ranges[i].plen != ranges[0].plen)
                        return -1;
        return list->n > 0 ? ranges[0].plen + 1 : 0;
}

static bool single_ports(const PtList *list)
{
        const PtPortRange *ranges = list->items;

        for (unsigned i = 0; i < list->n; i++)
                if (ranges[i].lo != ranges[i].hi)
                        return false;
        return true;
}

/* Values of each dimension; those of a dimension that the rule does not ask about are one. */
enum { DIMENSIONS = 6 };

static void count_values(const FwMatch *match, unsigned ret[static DIMENSIONS])
{
        ret[0] = MAX(match->saddr.n, 1);
        ret[1] = MAX(match->daddr.n, 1);
        ret[2] = MAX(match->n_protocols, 1);
        ret[3] = MAX(match->sport.n, 1);
        ret[4] = MAX(match->dport.n, 1);
        ret[5] = has_dscp(match) && match->family == AF_UNSPEC ? 2 : 1; /* it stands elsewhere */
}

unsigned fw_match_key_count(const FwMatch *match)
{
        unsigned counts[DIMENSIONS];
        uint64_t keys = 1;

        count_values(match, counts);
        for (unsigned i = 0; i < DIMENSIONS; i++)
                keys = MIN(keys * counts[i],
                           UINT32_MAX); /* lists are short: no product of two overflows */
        return (unsigned) keys;
}

/* Which dimensions are written out as parts, cheapest first, as long as there are few; the others
 * are sets. */
static unsigned choose_parts(const FwMatch *match, bool ret[static DIMENSIONS])
{
        static const unsigned order[DIMENSIONS] = {5, 2, 4, 3, 1, 0};
        unsigned counts[DIMENSIONS], parts = 1;

        count_values(match, counts);
        for (unsigned i = 0; i < DIMENSIONS; i++) {
                ret[order[i]] = counts[order[i]] <= FW_PARTS_MAX / parts;
                if (ret[order[i]])
                        parts *= counts[order[i]];
        }
        return parts;
}

unsigned fw_match_parts(const FwMatch *match)
{
        bool chosen[DIMENSIONS];

        return choose_parts(match, chosen);
}

static void choose_one(PtList *list, unsigned i, size_t size)
{
        if (list->n > 0)
                *list = (PtList){.items = (char *) list->items + i * size, .n = 1};
}

void fw_match_part(const FwMatch *match, unsigned part, FwMatch *ret)
{
        unsigned counts[DIMENSIONS], index[DIMENSIONS] = {0};
        bool chosen[DIMENSIONS];

        count_values(match, counts);
        (void) choose_parts(match, chosen);
        *ret = *match;
        /* The part as a number whose digits choose a value of each dimension. */
        for (unsigned i = 0; i < DIMENSIONS; i++)
                if (chosen[i]) {
                        index[i] = part % counts[i];
                        part /= counts[i];
                }
        if (chosen[0])
                choose_one(&ret->saddr, index[0], sizeof(PtAddressRange));
        if (chosen[1])
                choose_one(&ret->daddr, index[1], sizeof(PtAddressRange));
        if (chosen[2] && match->n_protocols > 0) {
                ret->protocols[0] = match->protocols[index[2]];
                ret->n_protocols = 1;
        }
        if (chosen[3])
                choose_one(&ret->sport, index[3], sizeof(PtPortRange));
        if (chosen[4])
                choose_one(&ret->dport, index[4], sizeof(PtPortRange));
        if (counts[5] > 1)
                ret->family = index[5] == 0 ? AF_INET : AF_INET6;
}

uint32_t fw_match_shape(const FwMatch *match)
{
        int saddr = common_plen(&match->saddr), daddr = common_plen(&match->daddr);
        uint32_t family = match->family == AF_INET ? 1 : match->family == AF_INET6 ? 2 : 0;

        if (saddr < 0 || daddr < 0 || !single_ports(&match->sport) ||
            !single_ports(&match->dport) || has_dscp(match) ||
            fw_match_key_count(match) > FW_KEYS_MAX)
                return 0;
        /* Nothing, or the protocol alone, tells too little apart to be worth a map. */
        if (saddr == 0 && daddr == 0 && match->sport.n == 0 && match->dport.n == 0)
                return 0;
        return family | (uint32_t) saddr << 2 | (uint32_t) daddr << 10 |
               (match->n_protocols > 0 ? SHAPE_PROTOCOL : 0) |
               (match->sport.n > 0 ? SHAPE_SPORT : 0) | (match->dport.n > 0 ? SHAPE_DPORT : 0);
}

static int shape_family(uint32_t shape)
{
        static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6};

        return families[SHAPE_FAMILY(shape)];
}

size_t fw_shape_key_len(uint32_t shape)
{
        size_t address = address_len(shape_family(shape));

        return (SHAPE_SADDR(shape) ? address : 0) + (SHAPE_DADDR(shape) ? address : 0) +
               (shape & SHAPE_PROTOCOL ? 4 : 0) + (shape & SHAPE_SPORT ? 4 : 0) +
               (shape & SHAPE_DPORT ? 4 : 0);
}

uint32_t fw_shape_key_type(uint32_t shape)
{
        uint32_t address = shape_family(shape) == AF_INET ? TYPE_IPADDR : TYPE_IP6ADDR;
        uint32_t type = 0;

        if (SHAPE_SADDR(shape))
                type = address;
        if (SHAPE_DADDR(shape))
                type = type << TYPE_BITS | address;
        if (shape & SHAPE_PROTOCOL)
                type = type << TYPE_BITS | TYPE_INET_PROTOCOL;
        if (shape & SHAPE_SPORT)
                type = type << TYPE_BITS | TYPE_INET_SERVICE;
        if (shape & SHAPE_DPORT)
                type = type << TYPE_BITS | TYPE_INET_SERVICE;
        return type;
}

static const uint8_t *address_at(const PtList *list, unsigned i)
{
        return ((const PtAddressRange *) list->items)[i].lo;
}

static void put_port(FwKey *key, size_t *at, const PtList *list, unsigned i)
{
        uint16_t port = htons(((const PtPortRange *) list->items)[i].lo);

        memcpy(key->bytes + *at, &port, sizeof(port));
        *at += 4;
}

unsigned fw_match_keys(const FwMatch *match, uint32_t shape, FwKey ret[static FW_KEYS_MAX])
{
        size_t address = address_len(shape_family(shape));
        unsigned counts[DIMENSIONS], total = fw_match_key_count(match);

        count_values(match, counts);
        for (unsigned n = 0; n < total; n++) {
                unsigned index[DIMENSIONS], rest = n;
                FwKey *key = &ret[n];
                size_t at = 0;

                /* n as a number whose digits choose one value of each dimension. */
                for (unsigned i = 0; i < DIMENSIONS; i++) {
                        index[i] = rest % counts[i];
                        rest /= counts[i];
                }
                memset(key, 0, sizeof(*key));
                if (SHAPE_SADDR(shape)) {
                        memcpy(key->bytes + at, address_at(&match->saddr, index[0]), address);
                        at += address;
                }
                if (SHAPE_DADDR(shape)) {
                        memcpy(key->bytes + at, address_at(&match->daddr, index[1]), address);
                        at += address;
                }
                if (shape & SHAPE_PROTOCOL) {
                        key->bytes[at] = (uint8_t) match->protocols[index[2]];
                        at += 4;
                }
                if (shape & SHAPE_SPORT)
                        put_port(key, &at, &match->sport, index[3]);
                if (shape & SHAPE_DPORT)
                        put_port(key, &at, &match->dport, index[4]);
        }
        return total;
}

static uint32_t put_address_key(int family, bool source, unsigned plen, uint32_t reg,
                                struct nftnl_rule *rule)
{
        uint32_t len = address_len(family);

        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, address_offset(family, source), len,
                       PT_REG(reg));
        if (plen < len * 8) {
                uint8_t mask[16];

                prefix_mask(plen, mask, len);
                pt_nft_mask(rule, PT_REG(reg), mask, len);
        }
        return reg + len / 4;
}

void fw_shape_put(uint32_t shape, const char *map, uint32_t set_id, struct nftnl_rule *rule)
{
        int family = shape_family(shape);
        uint32_t reg = 0;

        put_family(family, rule);
        if (SHAPE_SADDR(shape))
                reg = put_address_key(family, true, SHAPE_SADDR(shape) - 1, reg, rule);
        if (SHAPE_DADDR(shape))
                reg = put_address_key(family, false, SHAPE_DADDR(shape) - 1, reg, rule);
        if (shape & SHAPE_PROTOCOL)
                pt_nft_meta(rule, NFT_META_L4PROTO, PT_REG(reg++));
        if (shape & SHAPE_SPORT)
                pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, PT_REG(reg++));
        if (shape & SHAPE_DPORT)
                pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, PT_REG(reg++));
        pt_nft_lookup(rule, PT_REG(0), NFT_REG_VERDICT, map, set_id);
}
