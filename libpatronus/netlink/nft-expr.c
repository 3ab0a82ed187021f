/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/nft-expr.h"

#include <libnftnl/expr.h>
#include <linux/ip.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tuple_common.h>
#include <linux/netfilter/nf_synproxy.h>
#include <string.h>
#include <sys/socket.h>

struct nftnl_rule *pt_nft_rule_new(const char *table, const char *chain)
{
        struct nftnl_rule *rule = nftnl_rule_alloc();

        g_assert(rule);
        nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table);
        nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
        return rule;
}

static struct nftnl_expr *add(struct nftnl_rule *rule, const char *name)
{
        struct nftnl_expr *expr = nftnl_expr_alloc(name);

        g_assert(expr);
        nftnl_rule_add_expr(rule, expr);
        return expr;
}

void pt_nft_meta(struct nftnl_rule *rule, uint32_t key, uint32_t dreg)
{
        struct nftnl_expr *expr = add(rule, "meta");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, key);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_META_DREG, dreg);
}

void pt_nft_ct(struct nftnl_rule *rule, uint32_t key, uint32_t dreg)
{
        struct nftnl_expr *expr = add(rule, "ct");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, key);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_DREG, dreg);
}

void pt_nft_ct_original(struct nftnl_rule *rule, uint32_t key, uint32_t dreg)
{
        struct nftnl_expr *expr = add(rule, "ct");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, key);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_DREG, dreg);
        nftnl_expr_set_u8(expr, NFTNL_EXPR_CT_DIR, IP_CT_DIR_ORIGINAL);
}

void pt_nft_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t len,
                    uint32_t dreg)
{
        struct nftnl_expr *expr = add(rule, "payload");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, base);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, len);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_DREG, dreg);
}

void pt_nft_meta_set(struct nftnl_rule *rule, uint32_t key, uint32_t sreg)
{
        struct nftnl_expr *expr = add(rule, "meta");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_META_KEY, key);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_META_SREG, sreg);
}

void pt_nft_ct_set(struct nftnl_rule *rule, uint32_t key, uint32_t sreg)
{
        struct nftnl_expr *expr = add(rule, "ct");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_KEY, key);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_CT_SREG, sreg);
}

void pt_nft_network_set(struct nftnl_rule *rule, uint32_t offset, uint32_t len, uint32_t sreg,
                        bool checksum)
{
        struct nftnl_expr *expr = add(rule, "payload");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_LEN, len);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_SREG, sreg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_TYPE,
                           checksum ? NFT_PAYLOAD_CSUM_INET : NFT_PAYLOAD_CSUM_NONE);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_PAYLOAD_CSUM_OFFSET,
                           checksum ? offsetof(struct iphdr, check) : 0);
}

void pt_nft_extension(struct nftnl_rule *rule, uint8_t header, uint32_t offset, uint32_t len,
                      uint32_t dreg)
{
        struct nftnl_expr *expr = add(rule, "exthdr");

        nftnl_expr_set_u8(expr, NFTNL_EXPR_EXTHDR_TYPE, header);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_OFFSET, offset);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_LEN, len);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_OP, NFT_EXTHDR_OP_IPV6);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_EXTHDR_DREG, dreg);
}

void pt_nft_mask(struct nftnl_rule *rule, uint32_t reg, const void *mask, uint32_t len)
{
        static const uint8_t zero[16];

        pt_nft_bitwise(rule, reg, mask, zero, len);
}

void pt_nft_bitwise(struct nftnl_rule *rule, uint32_t reg, const void *mask, const void * xor,
                    uint32_t len)
{
        struct nftnl_expr *expr = add(rule, "bitwise");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_SREG, reg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_DREG, reg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_BITWISE_LEN, len);
        nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_MASK, mask, len);
        nftnl_expr_set(expr, NFTNL_EXPR_BITWISE_XOR, xor, len);
}

void pt_nft_cmp(struct nftnl_rule *rule, uint32_t sreg, uint32_t op, const void *data, uint32_t len)
{
        struct nftnl_expr *expr = add(rule, "cmp");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_SREG, sreg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_CMP_OP, op);
        nftnl_expr_set(expr, NFTNL_EXPR_CMP_DATA, data, len);
}

void pt_nft_range(struct nftnl_rule *rule, uint32_t sreg, uint32_t op, const void *lo,
                  const void *hi, uint32_t len)
{
        struct nftnl_expr *expr = add(rule, "range");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_RANGE_SREG, sreg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_RANGE_OP, op);
        nftnl_expr_set(expr, NFTNL_EXPR_RANGE_FROM_DATA, lo, len);
        nftnl_expr_set(expr, NFTNL_EXPR_RANGE_TO_DATA, hi, len);
}

static struct nftnl_expr *lookup(struct nftnl_rule *rule, uint32_t sreg, const char *set,
                                 uint32_t set_id)
{
        struct nftnl_expr *expr = add(rule, "lookup");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SREG, sreg);
        nftnl_expr_set_str(expr, NFTNL_EXPR_LOOKUP_SET, set);
        if (set_id)
                nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_SET_ID, set_id);
        return expr;
}

void pt_nft_lookup(struct nftnl_rule *rule, uint32_t sreg, int dreg, const char *set,
                   uint32_t set_id)
{
        struct nftnl_expr *expr = lookup(rule, sreg, set, set_id);

        if (dreg >= 0)
                nftnl_expr_set_u32(expr, NFTNL_EXPR_LOOKUP_DREG, (uint32_t) dreg);
}

void pt_nft_lookup_not(struct nftnl_rule *rule, uint32_t sreg, const char *set, uint32_t set_id)
{
        nftnl_expr_set_u32(lookup(rule, sreg, set, set_id), NFTNL_EXPR_LOOKUP_FLAGS,
                           NFT_LOOKUP_F_INV);
}

void pt_nft_object(struct nftnl_rule *rule, uint32_t type, const char *name)
{
        struct nftnl_expr *expr = add(rule, "objref");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_OBJREF_IMM_TYPE, type);
        nftnl_expr_set_str(expr, NFTNL_EXPR_OBJREF_IMM_NAME, name);
}

void pt_nft_verdict(struct nftnl_rule *rule, int verdict, const char *chain)
{
        struct nftnl_expr *expr = add(rule, "immediate");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, (uint32_t) verdict);
        if (chain)
                nftnl_expr_set_str(expr, NFTNL_EXPR_IMM_CHAIN, chain);
}

struct nftnl_expr *pt_nft_counter_new(uint64_t packets, uint64_t bytes)
{
        struct nftnl_expr *expr = nftnl_expr_alloc("counter");

        g_assert(expr);
        if (packets || bytes) {
                nftnl_expr_set_u64(expr, NFTNL_EXPR_CTR_PACKETS, packets);
                nftnl_expr_set_u64(expr, NFTNL_EXPR_CTR_BYTES, bytes);
        }
        return expr;
}

void pt_nft_counter(struct nftnl_rule *rule, uint64_t packets, uint64_t bytes)
{
        nftnl_rule_add_expr(rule, pt_nft_counter_new(packets, bytes));
}

void pt_nft_synproxy(struct nftnl_rule *rule, uint16_t mss, uint8_t window_scale)
{
        struct nftnl_expr *expr = add(rule, "synproxy");

        nftnl_expr_set_u16(expr, NFTNL_EXPR_SYNPROXY_MSS, mss);
        nftnl_expr_set_u8(expr, NFTNL_EXPR_SYNPROXY_WSCALE, window_scale);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_SYNPROXY_FLAGS, NF_SYNPROXY_OPT_MASK);
}

void pt_nft_reject(struct nftnl_rule *rule, uint32_t type, uint8_t code)
{
        struct nftnl_expr *expr = add(rule, "reject");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_REJECT_TYPE, type);
        nftnl_expr_set_u8(expr, NFTNL_EXPR_REJECT_CODE, code);
}

void pt_nft_nat(struct nftnl_rule *rule, bool source, const PtNftNat *nat)
{
        struct nftnl_expr *expr = add(rule, "nat");
        const struct {
                uint16_t attr;
                uint32_t reg;
        } regs[] = {
                {NFTNL_EXPR_NAT_REG_ADDR_MIN, nat->address_min},
                {NFTNL_EXPR_NAT_REG_ADDR_MAX, nat->address_max},
                {NFTNL_EXPR_NAT_REG_PROTO_MIN, nat->port_min},
                {NFTNL_EXPR_NAT_REG_PROTO_MAX, nat->port_max},
        };

        nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_TYPE, source ? NFT_NAT_SNAT : NFT_NAT_DNAT);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_FAMILY,
                           nat->family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
        for (unsigned i = 0; i < G_N_ELEMENTS(regs); i++)
                if (regs[i].reg)
                        nftnl_expr_set_u32(expr, regs[i].attr, regs[i].reg);
        if (nat->flags)
                nftnl_expr_set_u32(expr, NFTNL_EXPR_NAT_FLAGS, nat->flags);
}

void pt_nft_masquerade(struct nftnl_rule *rule, const PtNftNat *nat)
{
        struct nftnl_expr *expr = add(rule, "masq");

        if (nat && nat->port_min)
                nftnl_expr_set_u32(expr, NFTNL_EXPR_MASQ_REG_PROTO_MIN, nat->port_min);
        if (nat && nat->port_max)
                nftnl_expr_set_u32(expr, NFTNL_EXPR_MASQ_REG_PROTO_MAX, nat->port_max);
        if (nat && nat->flags)
                nftnl_expr_set_u32(expr, NFTNL_EXPR_MASQ_FLAGS, nat->flags);
}

void pt_nft_redirect(struct nftnl_rule *rule, const PtNftNat *nat)
{
        struct nftnl_expr *expr = add(rule, "redir");

        if (nat->port_min)
                nftnl_expr_set_u32(expr, NFTNL_EXPR_REDIR_REG_PROTO_MIN, nat->port_min);
        if (nat->port_max)
                nftnl_expr_set_u32(expr, NFTNL_EXPR_REDIR_REG_PROTO_MAX, nat->port_max);
        if (nat->flags)
                nftnl_expr_set_u32(expr, NFTNL_EXPR_REDIR_FLAGS, nat->flags);
}

void pt_nft_immediate(struct nftnl_rule *rule, uint32_t dreg, const void *data, uint32_t len)
{
        struct nftnl_expr *expr = add(rule, "immediate");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, dreg);
        nftnl_expr_set(expr, NFTNL_EXPR_IMM_DATA, data, len);
}

void pt_nft_jhash(struct nftnl_rule *rule, uint32_t sreg, uint32_t len, uint32_t modulus,
                  uint32_t seed, uint32_t dreg)
{
        struct nftnl_expr *expr = add(rule, "hash");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_HASH_TYPE, NFT_HASH_JENKINS);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_HASH_SREG, sreg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_HASH_DREG, dreg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_HASH_LEN, len);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_HASH_MODULUS, modulus);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_HASH_SEED, seed);
}

void pt_nft_number(struct nftnl_rule *rule, bool random, uint32_t modulus, uint32_t dreg)
{
        struct nftnl_expr *expr = add(rule, "numgen");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_NG_DREG, dreg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_NG_MODULUS, modulus);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_NG_TYPE, random ? NFT_NG_RANDOM : NFT_NG_INCREMENTAL);
}

void pt_nft_remember(struct nftnl_rule *rule, uint32_t sreg, const char *set, uint64_t msec)
{
        struct nftnl_expr *expr = add(rule, "dynset");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_DYNSET_SREG_KEY, sreg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_DYNSET_OP, NFT_DYNSET_OP_UPDATE);
        nftnl_expr_set_u64(expr, NFTNL_EXPR_DYNSET_TIMEOUT, msec);
        nftnl_expr_set_str(expr, NFTNL_EXPR_DYNSET_SET_NAME, set);
}

void pt_nft_hton32(struct nftnl_rule *rule, uint32_t sreg, uint32_t dreg)
{
        struct nftnl_expr *expr = add(rule, "byteorder");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_SREG, sreg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_DREG, dreg);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_OP, NFT_BYTEORDER_HTON);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_LEN, sizeof(uint32_t));
        nftnl_expr_set_u32(expr, NFTNL_EXPR_BYTEORDER_SIZE, sizeof(uint32_t));
}

void pt_nft_fib(struct nftnl_rule *rule, uint32_t result, uint32_t flags, uint32_t dreg)
{
        struct nftnl_expr *expr = add(rule, "fib");

        nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_RESULT, result);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_FLAGS, flags);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_FIB_DREG, dreg);
}

void pt_nft_limit(struct nftnl_rule *rule, uint64_t count, uint64_t seconds)
{
        struct nftnl_expr *expr = add(rule, "limit");

        nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_RATE, count);
        nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_UNIT, seconds);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_BURST, (uint32_t) MIN(count, PT_NFT_LIMIT_BURST));
        nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
}

struct nftnl_expr *pt_nft_connlimit_new(uint32_t count)
{
        struct nftnl_expr *expr = nftnl_expr_alloc("connlimit");

        g_assert(expr);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_CONNLIMIT_COUNT, count);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
        return expr;
}

struct nftnl_expr *pt_nft_limit_over_new(uint64_t count, uint64_t seconds, uint32_t burst)
{
        struct nftnl_expr *expr = nftnl_expr_alloc("limit");

        g_assert(expr);
        nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_RATE, count);
        nftnl_expr_set_u64(expr, NFTNL_EXPR_LIMIT_UNIT, seconds);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_BURST, burst);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_TYPE, NFT_LIMIT_PKTS);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_LIMIT_FLAGS, NFT_LIMIT_F_INV);
        return expr;
}

void pt_nft_dynset(struct nftnl_rule *rule, uint32_t op, uint32_t sreg, const char *set,
                   uint64_t timeout_msec, struct nftnl_expr *expr)
{
        struct nftnl_expr *dynset = add(rule, "dynset");

        nftnl_expr_set_u32(dynset, NFTNL_EXPR_DYNSET_OP, op);
        nftnl_expr_set_u32(dynset, NFTNL_EXPR_DYNSET_SREG_KEY, sreg);
        nftnl_expr_set_str(dynset, NFTNL_EXPR_DYNSET_SET_NAME, set);
        if (timeout_msec)
                nftnl_expr_set_u64(dynset, NFTNL_EXPR_DYNSET_TIMEOUT, timeout_msec);
        if (expr)
                nftnl_expr_set(dynset, NFTNL_EXPR_DYNSET_EXPR, expr, 0);
}

/* Headers are enough for a log: no payload of users leaves the kernel. One packet a message would
 * cost a wake-up each; the kernel sends what it has after a second (nfnetlink_log.c). */
#define LOG_SNAPLEN 128
#define LOG_THRESHOLD 32

void pt_nft_log(struct nftnl_rule *rule, uint16_t group, const char *prefix)
{
        struct nftnl_expr *expr = add(rule, "log");

        g_assert(strlen(prefix) <= PT_NFT_LOG_PREFIX_MAX);
        nftnl_expr_set_u16(expr, NFTNL_EXPR_LOG_GROUP, group);
        nftnl_expr_set_str(expr, NFTNL_EXPR_LOG_PREFIX, prefix);
        nftnl_expr_set_u32(expr, NFTNL_EXPR_LOG_SNAPLEN, LOG_SNAPLEN);
        nftnl_expr_set_u16(expr, NFTNL_EXPR_LOG_QTHRESHOLD, LOG_THRESHOLD);
}

size_t pt_nft_userdata(const char *comment, const void *data, size_t size,
                       uint8_t ret[static NFT_USERDATA_MAXLEN])
{
        size_t n = 0;

        if (comment) {
                size_t keep = MIN(strlen(comment), NFT_USERDATA_MAXLEN - 5 - size);

                ret[n++] = PT_NFT_UDATA_COMMENT;
                ret[n++] = (uint8_t) (keep + 1);
                memcpy(ret + n, comment, keep);
                n += keep;
                ret[n++] = 0;
        }
        if (data) {
                ret[n++] = PT_NFT_UDATA_PATRONUS;
                ret[n++] = (uint8_t) size;
                memcpy(ret + n, data, size);
                n += size;
        }
        return n;
}

const void *pt_nft_userdata_find(const void *userdata, size_t size, uint8_t type, size_t *ret_size)
{
        const uint8_t *p = userdata;

        for (size_t at = 0; at + 2 <= size && at + 2 + p[at + 1] <= size; at += 2U + p[at + 1])
                if (p[at] == type) {
                        *ret_size = p[at + 1];
                        return p + at + 2;
                }
        return NULL;
}

char *pt_nft_rule_comment(const struct nftnl_rule *rule)
{
        uint32_t size = 0;
        size_t len;
        const void *userdata = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &size);
        const char *comment =
                userdata ? pt_nft_userdata_find(userdata, size, PT_NFT_UDATA_COMMENT, &len) : NULL;

        return comment ? g_strndup(comment, len) : NULL;
}
