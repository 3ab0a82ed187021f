/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "nat-emit.h"

#include "filter/interval.h"
#include "nat.h"
#include "netlink/nft-expr.h"
#include "pools.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/rtnetlink.h>
#include <string.h>

/* Registers: addresses first, since a map of ranges fills both at once; then ports; the hash reads
 * from the upper half. */
#define REG_MIN PT_REG(0)
#define REG_PORT_MIN PT_REG(12)
#define REG_PORT_MAX PT_REG(13)
#define REG_HASHED PT_REG(8)

/* Any number: the same one always, so that clients keep their addresses when rules are loaded anew.
 */
#define HASH_SEED 0x70617472
/* How finely a pool's ranges are weighted. */
#define POOL_SLOTS_MAX 65536U

/* nft's datatype numbers, for listings only (nftables/include/datatype.h). */
enum { TYPE_INTEGER = 4, TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_INET_SERVICE = 13 };

typedef struct Put {
        const NatRule *nat;
        const FwMatch *match;
        const char *table;
        PtNftBatch *batch;
        uint32_t *set_id;
        struct nftnl_rule *rule;
} Put;

static uint32_t address_len(int family)
{
        return family == AF_INET ? 4 : 16;
}

/* The register after REG_MIN's address. */
static uint32_t reg_max(int family)
{
        return REG_MIN + address_len(family) / 4;
}

static struct nftnl_set_elem *element(const void *key, uint32_t len)
{
        struct nftnl_set_elem *e = nftnl_set_elem_alloc();

        g_assert(e);
        nftnl_set_elem_set(e, NFTNL_SET_ELEM_KEY, key, len);
        return e;
}

/* Pools. */

static long double addresses_in(const PtAddressRange *range)
{
        long double n = 0;

        for (unsigned i = 0; i < address_len(range->family); i++)
                n = n * 256 + range->hi[i] - range->lo[i];
        return n + 1;
}

/* Cuts 0..slots-1 into a piece for each range, as large as its share, and none empty. Returns the
 * slots; ends[i]: where the piece of range i ends. */
static uint32_t cut_slots(const PtList *pool, uint32_t *ends)
{
        const PtAddressRange *ranges = pool->items;
        long double all = 0, before = 0;
        uint32_t slots;

        for (unsigned i = 0; i < pool->n; i++)
                all += addresses_in(&ranges[i]);
        slots = all < POOL_SLOTS_MAX ? (uint32_t) all : POOL_SLOTS_MAX;
        for (unsigned i = 0; i < pool->n; i++) {
                uint32_t least = i > 0 ? ends[i - 1] + 1 : 1, most = slots - (pool->n - 1 - i);

                before += addresses_in(&ranges[i]);
                ends[i] = CLAMP((uint32_t) (before * slots / all + 0.5L), least, most);
        }
        return slots;
}

static void put_slot(const Put *put, uint32_t start, const PtAddressRange *range, uint32_t len)
{
        uint32_t key = htonl(start);
        struct nftnl_set_elem *e = element(&key, sizeof(key));
        uint8_t data[32];

        memcpy(data, range->lo, len);
        memcpy(data + len, range->hi, len);
        nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, data, 2 * len);
        pt_nft_batch_element(put->batch, e);
}

static void put_end(const Put *put, uint32_t end)
{
        uint32_t key = htonl(end);
        struct nftnl_set_elem *e = element(&key, sizeof(key));

        nftnl_set_elem_set_u32(e, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
        pt_nft_batch_element(put->batch, e);
}

/* The hash, over source addresses and, when clients need not keep theirs, destinations too. */
static void put_hash(const Put *put, bool persistent, uint32_t slots)
{
        int family = put->match->family;
        uint32_t len = address_len(family), source = family == AF_INET ? 12 : 8;

        pt_nft_payload(put->rule, NFT_PAYLOAD_NETWORK_HEADER, source, len, REG_HASHED);
        if (!persistent)
                pt_nft_payload(put->rule, NFT_PAYLOAD_NETWORK_HEADER, source + len, len,
                               REG_HASHED + len / 4);
        pt_nft_jhash(put->rule, REG_HASHED, persistent ? len : 2 * len, slots, HASH_SEED, REG_MIN);
        /* Intervals are compared as bytes. */
        pt_nft_hton32(put->rule, REG_MIN, REG_MIN);
}

/* Loads both ends of a range of the pool. */
static void put_pool(const Put *put, const PtList *pool, bool persistent)
{
        const PtAddressRange *ranges = pool->items;
        int family = put->match->family;
        uint32_t len = address_len(family), slots;
        g_autofree uint32_t *ends = g_new(uint32_t, pool->n);
        PtNftSetSpec spec = {
                .table = put->table,
                .name = "__map%d",
                .id = ++*put->set_id,
                .flags = NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_INTERVAL | NFT_SET_MAP,
                .key_type = TYPE_INTEGER,
                .key_len = sizeof(uint32_t),
                .data_type = family == AF_INET ? TYPE_IPADDR : TYPE_IP6ADDR,
                .data_len = 2 * len,
                .data_interval = true,
        };

        slots = cut_slots(pool, ends);
        pt_nft_batch_add_set(put->batch, &spec);
        pt_nft_batch_elements_begin(put->batch, put->table, spec.name, spec.id, false);
        for (unsigned i = 0; i < pool->n; i++)
                put_slot(put, i > 0 ? ends[i - 1] : 0, &ranges[i], len);
        put_end(put, slots);
        pt_nft_batch_elements_end(put->batch);
        put_hash(put, persistent, slots);
        pt_nft_lookup(put->rule, REG_MIN, (int) REG_MIN, spec.name, spec.id);
}

/* Ports. */

/* Loads the port that goes with the packet's: "8000-8009 to 9000-9009" as ten elements. The kernel
 * has an offset for it, but nft_nat does not. */
static void put_port_map(const Put *put)
{
        const PtPortRange *at = put->nat->destination.ports.items,
                          *to = put->nat->translation.ports.items;
        PtNftSetSpec spec = {
                .table = put->table,
                .name = "__map%d",
                .id = ++*put->set_id,
                .flags = NFT_SET_ANONYMOUS | NFT_SET_CONSTANT | NFT_SET_MAP,
                .key_type = TYPE_INET_SERVICE,
                .key_len = sizeof(uint16_t),
                .data_type = TYPE_INET_SERVICE,
                .data_len = sizeof(uint16_t),
        };

        pt_nft_batch_add_set(put->batch, &spec);
        pt_nft_batch_elements_begin(put->batch, put->table, spec.name, spec.id, false);
        for (unsigned i = 0; i <= (unsigned) to->hi - to->lo; i++) {
                uint16_t key = htons((uint16_t) (at->lo + i)),
                         data = htons((uint16_t) (to->lo + i));
                struct nftnl_set_elem *e = element(&key, sizeof(key));

                nftnl_set_elem_set(e, NFTNL_SET_ELEM_DATA, &data, sizeof(data));
                pt_nft_batch_element(put->batch, e);
        }
        pt_nft_batch_elements_end(put->batch);
        pt_nft_payload(put->rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, sizeof(uint16_t), REG_PORT_MIN);
        pt_nft_lookup(put->rule, REG_PORT_MIN, (int) REG_PORT_MIN, spec.name, spec.id);
}

static void put_port(const Put *put, uint16_t port, uint32_t reg)
{
        uint16_t value = htons(port);

        pt_nft_immediate(put->rule, reg, &value, sizeof(value));
}

/* What the translation says of ports, in registers. */
static void put_ports(const Put *put, PtNftNat *nat)
{
        const PtPortRange *to = put->nat->translation.ports.items;

        if (put->nat->translation.ports.n == 0)
                return;
        if (fw_nat_maps_ports(put->nat)) {
                put_port_map(put);
        } else if (put->nat->type == FW_NAT_FORWARD && to->lo != to->hi) {
                return; /* the ports stay */
        } else {
                put_port(put, to->lo, REG_PORT_MIN);
                if (to->lo != to->hi) {
                        put_port(put, to->hi, REG_PORT_MAX);
                        nat->port_max = REG_PORT_MAX;
                }
        }
        nat->port_min = REG_PORT_MIN;
        nat->flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
}

/* Both ends of a range, or one address. */
static void put_range(const Put *put, const PtAddressRange *range, PtNftNat *nat)
{
        uint32_t len = address_len(range->family);

        pt_nft_immediate(put->rule, REG_MIN, range->lo, len);
        nat->address_min = REG_MIN;
        if (memcmp(range->lo, range->hi, len) == 0)
                return;
        pt_nft_immediate(put->rule, reg_max(range->family), range->hi, len);
        nat->address_max = reg_max(range->family);
}

static void put_source(const Put *put, PtNftNat *nat)
{
        const FwTranslation *translation = &put->nat->translation;
        bool persistent = !(translation->present & 1U << FW_TRANSLATION_PERSISTENT) ||
                          translation->persistent;

        if (translation->addresses.n == 1) {
                put_range(put, translation->addresses.items, nat);
        } else {
                put_pool(put, &translation->addresses, persistent);
                nat->address_min = REG_MIN;
                nat->address_max = reg_max(put->match->family);
        }
        if (persistent && nat->address_max)
                nat->flags |= NF_NAT_RANGE_PERSISTENT;
}

/* Outside becomes inside when it arrives, and the other way round when it leaves. */
static void put_mapping(const Put *put, FwNatSide side, PtNftNat *nat)
{
        const PtList *list = side == FW_NAT_IN ? &put->nat->translation.addresses
                                               : &put->nat->destination.addresses;

        put_range(put, list->items, nat);
        if (nat->address_max)
                nat->flags |= NF_NAT_RANGE_NETMAP;
}

static void put_router_address(struct nftnl_rule *rule, bool reflected)
{
        uint32_t local = RTN_LOCAL;

        pt_nft_fib(rule, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR, PT_REG(0));
        pt_nft_cmp(rule, PT_REG(0), NFT_CMP_EQ, &local, sizeof(local));
        if (!reflected)
                return;
        /* Who asks for the nearest address of the router means the router. */
        pt_nft_fib(rule, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR | NFTA_FIB_F_IIF, PT_REG(0));
        pt_nft_cmp(rule, PT_REG(0), NFT_CMP_NEQ, &local, sizeof(local));
}

void fw_nat_put(const FwMatch *match, const char *table, PtNftBatch *batch, uint32_t *set_id,
                const FwCount *count, struct nftnl_rule *rule)
{
        FwNatSide side = FW_NAT_SIDE_INVALID;
        const NatRule *nat = fw_nat_of(match->rule, &side);
        Put put = {.nat = nat,
                   .match = match,
                   .table = table,
                   .batch = batch,
                   .set_id = set_id,
                   .rule = rule};
        PtNftNat regs = {.family = match->family};

        if (side == FW_NAT_IN && fw_nat_to_router(nat))
                put_router_address(rule, fw_nat_is_reflected(match->rule));
        pt_nft_counter(rule, count->packets, count->bytes);
        if (nat->pool && side == FW_NAT_IN) {
                g_autofree char *chain = fw_pool_chain(nat->pool);

                pt_nft_verdict(rule, NFT_GOTO, chain);
                return;
        }
        if (side == FW_NAT_BACK) {
                pt_nft_masquerade(rule, NULL);
                return;
        }
        switch ((FwNatType) nat->type) {
        case FW_NAT_MASQUERADE:
                put_ports(&put, &regs);
                pt_nft_masquerade(rule, &regs);
                return;
        case FW_NAT_REDIRECT:
                put_ports(&put, &regs);
                pt_nft_redirect(rule, &regs);
                return;
        case FW_NAT_SOURCE:
                put_source(&put, &regs);
                break;
        case FW_NAT_FORWARD:
                put_range(&put, nat->translation.addresses.items, &regs);
                break;
        case FW_NAT_ONE_TO_ONE:
        case FW_NAT_PREFIX:
                put_mapping(&put, side, &regs);
                break;
        case FW_NAT_TYPE_MAX:
        case FW_NAT_TYPE_INVALID:
                g_assert_not_reached();
        }
        put_ports(&put, &regs);
        pt_nft_nat(rule, side == FW_NAT_OUT, &regs);
}
