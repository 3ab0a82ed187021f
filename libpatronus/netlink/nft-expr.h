/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Rules by expression, one call each, as `nft --debug=netlink` shows them. Registers are the 4-byte
 * ones, PT_REG(0)..PT_REG(15); a 16-byte value takes four.
 */

#include "base/macros.h"
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>

#define PT_REG(n) (NFT_REG32_00 + (n))

struct nftnl_rule *pt_nft_rule_new(const char *table, const char *chain);

void pt_nft_meta(struct nftnl_rule *rule, uint32_t key, uint32_t dreg);
void pt_nft_ct(struct nftnl_rule *rule, uint32_t key, uint32_t dreg);
/* Of a key that has directions (NFT_CT_SRC_IP): that of the first packet. */
void pt_nft_ct_original(struct nftnl_rule *rule, uint32_t key, uint32_t dreg);
void pt_nft_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t len,
                    uint32_t dreg);
/* Bytes of an extension header of IPv6 (IPPROTO_*); the rule ends when there is none. Of IPv6 only. */
void pt_nft_extension(struct nftnl_rule *rule, uint8_t header, uint32_t offset, uint32_t len,
                      uint32_t dreg);
void pt_nft_mask(struct nftnl_rule *rule, uint32_t reg, const void *mask, uint32_t len);
/* (reg & mask) ^ xor, in the register. */
void pt_nft_bitwise(struct nftnl_rule *rule, uint32_t reg, const void *mask, const void * xor,
                    uint32_t len);
void pt_nft_meta_set(struct nftnl_rule *rule, uint32_t key, uint32_t sreg);
/* Does nothing to packets without a connection. */
void pt_nft_ct_set(struct nftnl_rule *rule, uint32_t key, uint32_t sreg);
/* Bytes of the network header; with `checksum`, that of an IPv4 header is mended: of whole 16-bit
 * words only. */
void pt_nft_network_set(struct nftnl_rule *rule, uint32_t offset, uint32_t len, uint32_t sreg,
                        bool checksum);
void pt_nft_cmp(struct nftnl_rule *rule, uint32_t sreg, uint32_t op, const void *data,
                uint32_t len);
void pt_nft_range(struct nftnl_rule *rule, uint32_t sreg, uint32_t op, const void *lo,
                  const void *hi, uint32_t len);
/* A set (dreg < 0), or a map into dreg (NFT_REG_VERDICT for a verdict map). */
void pt_nft_lookup(struct nftnl_rule *rule, uint32_t sreg, int dreg, const char *set,
                   uint32_t set_id);
/* True when the set does not have it. */
void pt_nft_lookup_not(struct nftnl_rule *rule, uint32_t sreg, const char *set, uint32_t set_id);
void pt_nft_verdict(struct nftnl_rule *rule, int verdict, const char *chain);
/* Has an object of the table (NFT_OBJECT_*) do to the packet what it does. */
void pt_nft_object(struct nftnl_rule *rule, uint32_t type, const char *name);
void pt_nft_counter(struct nftnl_rule *rule, uint64_t packets, uint64_t bytes);
/* Answers a first packet of TCP for its destination, and takes the packet; likewise the client's
 * answer (net/netfilter/nft_synproxy.c). At input and forward only. */
void pt_nft_synproxy(struct nftnl_rule *rule, uint16_t mss, uint8_t window_scale);
void pt_nft_reject(struct nftnl_rule *rule, uint32_t type, uint8_t code);
/* Registers that hold a translation's addresses (of `family`) and ports, network byte order; 0: none
 * of it, and an absent maximum is the minimum. `flags`: NF_NAT_RANGE_*. */
typedef struct PtNftNat {
        int family; /* AF_INET or AF_INET6; of pt_nft_nat() only */
        uint32_t address_min, address_max;
        uint32_t port_min, port_max;
        uint32_t flags;
} PtNftNat;
/* Sources (postrouting) or destinations (prerouting). */
void pt_nft_nat(struct nftnl_rule *rule, bool source, const PtNftNat *nat);
/* The address of the interface that the packet leaves by; `nat` may be NULL. */
void pt_nft_masquerade(struct nftnl_rule *rule, const PtNftNat *nat);
/* An address of the interface that the packet came by. */
void pt_nft_redirect(struct nftnl_rule *rule, const PtNftNat *nat);
void pt_nft_immediate(struct nftnl_rule *rule, uint32_t dreg, const void *data, uint32_t len);
/* A number from 0 to modulus - 1, host byte order, from a hash of `len` bytes. */
void pt_nft_jhash(struct nftnl_rule *rule, uint32_t sreg, uint32_t len, uint32_t modulus,
                  uint32_t seed, uint32_t dreg);
/* A number from 0 to modulus - 1, host byte order: counted by this rule, or drawn. */
void pt_nft_number(struct nftnl_rule *rule, bool random, uint32_t modulus, uint32_t dreg);
/* Puts the register's value into a set with NFT_SET_EVAL and NFT_SET_TIMEOUT for so long, or for so
 * long anew. A set that is full ends the rule. */
void pt_nft_remember(struct nftnl_rule *rule, uint32_t sreg, const char *set, uint64_t msec);
void pt_nft_hton32(struct nftnl_rule *rule, uint32_t sreg, uint32_t dreg);
/* What the routing table says (NFT_FIB_RESULT_*) of the address and interface that NFTA_FIB_F_*
 * choose. */
void pt_nft_fib(struct nftnl_rule *rule, uint32_t result, uint32_t flags, uint32_t dreg);
/* So many may come at once, as by nft's default, but no more than the rate says at all. */
#define PT_NFT_LIMIT_BURST 5
/* Goes on to the next expression for `count` packets in so many seconds at most. */
void pt_nft_limit(struct nftnl_rule *rule, uint64_t count, uint64_t seconds);
/* A copy of the packet's beginning to whoever listens to the group of nfnetlink_log, with a prefix
 * of at most PT_NFT_LOG_PREFIX_MAX bytes. */
#define PT_NFT_LOG_PREFIX_MAX 63
void pt_nft_log(struct nftnl_rule *rule, uint16_t group, const char *prefix);

/* Goes on for what is beyond: of connections that exist at one time, of packets in so many seconds.
 * For rules, or for the elements of pt_nft_dynset(). */
struct nftnl_expr *pt_nft_connlimit_new(uint32_t count);
struct nftnl_expr *pt_nft_limit_over_new(uint64_t count, uint64_t seconds, uint32_t burst);
/* Adds a register's value to a set (NFT_DYNSET_OP_ADD; _UPDATE: its time begins anew), for so long (0:
 * as the set says), and goes on when the expression of the element (NULL: none; else taken) does.
 * When the set is full, the rule does not match. */
void pt_nft_dynset(struct nftnl_rule *rule, uint32_t op, uint32_t sreg, const char *set,
                   uint64_t timeout_msec, struct nftnl_expr *expr);

/* A counter expression with a value, for rules and elements. */
struct nftnl_expr *pt_nft_counter_new(uint64_t packets, uint64_t bytes);

/*
 * userdata: nft's own comment attribute, so that every listing shows it, then ours. 256 bytes at
 * most (NFT_USERDATA_MAXLEN); the comment is cut to fit.
 */
#define PT_NFT_UDATA_COMMENT 0     /* NFTNL_UDATA_RULE_COMMENT, NFTNL_UDATA_SET_ELEM_COMMENT */
#define PT_NFT_UDATA_PATRONUS 0x70 /* a struct of the caller's */
size_t pt_nft_userdata(const char *comment, const void *data, size_t size,
                       uint8_t ret[static NFT_USERDATA_MAXLEN]);
/* Our part of a userdata, or NULL. */
const void *pt_nft_userdata_find(const void *userdata, size_t size, uint8_t type, size_t *ret_size);

char *pt_nft_rule_comment(const struct nftnl_rule *rule); /* the caller frees; NULL: none */
