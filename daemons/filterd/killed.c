/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "killed.h"

#include "ruleset-internal.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <string.h>

#define COMMENT "killed"
#define TCP_FLAGS_OFFSET 13 /* RFC 9293 3.1 */
#define TCP_SYN 0x02

/* nft's datatype numbers, for listings only (nftables/include/datatype.h); of a concatenation six
 * bits each. */
enum { TYPE_IPADDR = 7, TYPE_IP6ADDR = 8, TYPE_INET_SERVICE = 13 };

static const struct {
        int family;
        const char *set;
        uint32_t address_type, address_size;
        uint32_t source, destination; /* NFT_CT_* */
} families[] = {
        {AF_INET, "k_tcp4", TYPE_IPADDR, 4, NFT_CT_SRC_IP, NFT_CT_DST_IP},
        {AF_INET6, "k_tcp6", TYPE_IP6ADDR, 16, NFT_CT_SRC_IP6, NFT_CT_DST_IP6},
};

/* source . port . destination . port, each padded to a register's four bytes */
#define KEY_MAX 40

static uint32_t key_size(unsigned f)
{
        return 2 * (families[f].address_size + 4);
}

static void put_set(unsigned f, PtNftBatch *batch)
{
        uint32_t address = families[f].address_type;
        PtNftSetSpec spec = {
                .table = TABLE,
                .name = families[f].set,
                .flags = NFT_SET_TIMEOUT,
                .key_type =
                        address << 18 | TYPE_INET_SERVICE << 12 | address << 6 | TYPE_INET_SERVICE,
                .key_len = key_size(f),
                .size = FW_KILLED_MAX,
        };

        pt_nft_batch_add_set(batch, &spec);
}

/* What would be the new connection, in the direction of its first packet. */
static void put_rule(unsigned f, PtNftBatch *batch)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, FW_CHAIN_KILLED);
        unsigned reg = REG_DATA, step = families[f].address_size / 4;

        fw_match_family(rule, families[f].family);
        pt_nft_ct_original(rule, families[f].source, PT_REG(reg));
        pt_nft_ct_original(rule, NFT_CT_PROTO_SRC, PT_REG(reg + step));
        pt_nft_ct_original(rule, families[f].destination, PT_REG(reg + step + 1));
        pt_nft_ct_original(rule, NFT_CT_PROTO_DST, PT_REG(reg + 2 * step + 1));
        pt_nft_lookup(rule, PT_REG(reg), -1, families[f].set, 0);
        pt_nft_counter(rule, 0, 0);
        pt_nft_verdict(rule, NFT_GOTO, CHAIN_KILLED_ENDS);
        fw_finish(batch, rule, COMMENT);
}

void fw_killed_put_base(PtNftBatch *batch)
{
        pt_nft_batch_add_chain(batch, TABLE, FW_CHAIN_KILLED, NULL);
        for (unsigned f = 0; f < G_N_ELEMENTS(families); f++) {
                put_set(f, batch);
                put_rule(f, batch);
        }
}

void fw_killed_put_jump(const char *chain, PtNftBatch *batch)
{
        static const uint8_t syn = TCP_SYN, zero;
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);

        fw_match_protocol(rule, IPPROTO_TCP);
        fw_match_state(rule, NF_CT_STATE_BIT(IP_CT_NEW));
        pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_OFFSET, 1, PT_REG(REG_DATA));
        pt_nft_mask(rule, PT_REG(REG_DATA), &syn, sizeof(syn));
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, &zero, sizeof(zero));
        pt_nft_verdict(rule, NFT_JUMP, FW_CHAIN_KILLED);
        fw_finish(batch, rule, COMMENT);
}

static void put_element(unsigned f, const PtConnectionTuple *tuple, PtNftBatch *batch)
{
        struct nftnl_set_elem *element = nftnl_set_elem_alloc();
        uint32_t size = families[f].address_size;
        uint16_t source = htons(tuple->source_port), destination = htons(tuple->destination_port);
        uint8_t key[KEY_MAX] = {0};

        g_assert(element);
        memcpy(key, tuple->source, size);
        memcpy(key + size, &source, sizeof(source));
        memcpy(key + size + 4, tuple->destination, size);
        memcpy(key + 2 * size + 4, &destination, sizeof(destination));
        nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, key, key_size(f));
        nftnl_set_elem_set_u64(element, NFTNL_SET_ELEM_TIMEOUT, FW_KILLED_USEC / 1000);
        pt_nft_batch_element(batch, element);
}

bool fw_killed_put(const PtConnection *connections, size_t n, PtNftBatch *batch)
{
        bool any = false;

        for (unsigned f = 0; f < G_N_ELEMENTS(families); f++) {
                pt_nft_batch_elements_begin(batch, TABLE, families[f].set, 0, false);
                pt_nft_batch_elements_may_exist(batch);
                for (size_t i = 0; i < n; i++)
                        if (connections[i].family == families[f].family &&
                            connections[i].protocol == IPPROTO_TCP) {
                                put_element(f, &connections[i].original, batch);
                                put_element(f, &connections[i].reply, batch);
                                any = true;
                        }
                pt_nft_batch_elements_end(batch);
        }
        return any;
}
