/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "marks.h"

#include "match-put.h"
#include "ruleset-internal.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <string.h>
#include <sys/socket.h>

#define CHAIN_MARKS "p_marks"
#define CHAIN_MARK "p_mark"
#define CHAIN_DSCP4 "p_dscp4"
#define CHAIN_DSCP6 "p_dscp6"

#define CHAIN_TAGS "_tags"

#define MARK_BITS 8
#define DSCP_BITS 6
G_STATIC_ASSERT(PT_MARK_RULES == (1U << MARK_BITS) - 1);
G_STATIC_ASSERT(PT_CTMARK_DSCP == ((1U << DSCP_BITS) - 1) << PT_CTMARK_DSCP_SHIFT);

/* Replaces the bits of a mask in a number of 32 bits, host byte order. */
static void put_bits(struct nftnl_rule *r, uint32_t bits, uint32_t value)
{
        uint32_t others = ~bits;

        pt_nft_bitwise(r, PT_REG(REG_DATA), &others, &value, sizeof(others));
}

static void put_mark(struct nftnl_rule *r, uint32_t bits, uint32_t value)
{
        pt_nft_meta(r, NFT_META_MARK, PT_REG(REG_DATA));
        put_bits(r, bits, value);
        pt_nft_meta_set(r, NFT_META_MARK, PT_REG(REG_DATA));
}

/* The same of the code point, in the first two bytes of either header: the checksum of IPv4 is of
 * such words (RFC 1071). RFC 791 3.1, RFC 8200 3. */
static void put_dscp(struct nftnl_rule *r, int family, unsigned bits, unsigned value)
{
        unsigned shift = family == AF_INET ? 2 : 6;
        uint16_t others = htons((uint16_t) ~(bits << shift));
        uint16_t wanted = htons((uint16_t) (value << shift));

        pt_nft_payload(r, NFT_PAYLOAD_NETWORK_HEADER, 0, sizeof(others), PT_REG(REG_DATA));
        pt_nft_bitwise(r, PT_REG(REG_DATA), &others, &wanted, sizeof(others));
        pt_nft_network_set(r, 0, sizeof(others), PT_REG(REG_DATA), family == AF_INET);
}

bool fw_marks_connection(const FirewallRule *rule)
{
        return fw_rule_sets_mark(rule) || fw_rule_sets_dscp(rule) || fw_rule_sets_tag(rule);
}

/* The kernel sets the bits of the register, and leaves the others (nft_ct_set_eval()). */
static void put_tag(struct nftnl_rule *r, unsigned bit)
{
        uint8_t bits[FW_TAG_BITS / 8];

        fw_put_tags((FwNumber) 1 << bit, bits);
        pt_nft_immediate(r, PT_REG(REG_DATA), bits, sizeof(bits));
        pt_nft_ct_set(r, NFT_CT_LABELS, PT_REG(REG_DATA));
}

void fw_marks_put_connection(const FirewallRule *rule, const FwTags *tags, struct nftnl_rule *r)
{
        const FwRuleBox *box = fw_rule_box(rule);
        uint32_t bits = 0, value = 0;

        if (fw_rule_sets_mark(rule)) {
                bits |= box->set_mark.mask | PT_CTMARK_HAS_MARK;
                value |= box->set_mark.value | PT_CTMARK_HAS_MARK;
        }
        if (fw_rule_sets_dscp(rule)) {
                bits |= PT_CTMARK_DSCP | PT_CTMARK_HAS_DSCP;
                value |= (uint32_t) box->set_dscp << PT_CTMARK_DSCP_SHIFT | PT_CTMARK_HAS_DSCP;
        }
        if (fw_rule_sets_tag(rule))
                put_tag(r, (unsigned) fw_tags_bit(tags, box->set_tag));
        if (!bits)
                return;
        pt_nft_ct(r, NFT_CT_MARK, PT_REG(REG_DATA));
        put_bits(r, bits, value);
        pt_nft_ct_set(r, NFT_CT_MARK, PT_REG(REG_DATA));
}

void fw_marks_put_packet(const FirewallRule *rule, int family, struct nftnl_rule *r)
{
        const FwRuleBox *box = fw_rule_box(rule);

        if (fw_rule_sets_mark(rule))
                put_mark(r, box->set_mark.mask, box->set_mark.value);
        if (fw_rule_sets_dscp(rule))
                put_dscp(r, family, (1U << DSCP_BITS) - 1, box->set_dscp);
}

/* A rule for connections whose mark has any of the bits. */
static struct nftnl_rule *of_connections(const char *chain, uint32_t bits)
{
        struct nftnl_rule *r = pt_nft_rule_new(TABLE, chain);
        static const uint32_t zero;

        pt_nft_ct(r, NFT_CT_MARK, PT_REG(REG_DATA));
        pt_nft_mask(r, PT_REG(REG_DATA), &bits, sizeof(bits));
        pt_nft_cmp(r, PT_REG(REG_DATA), NFT_CMP_NEQ, &zero, sizeof(zero));
        return r;
}

static void put_jump(PtNftBatch *batch, const char *chain, uint32_t bits, int family,
                     const char *target)
{
        struct nftnl_rule *r = of_connections(chain, bits);

        if (family != AF_UNSPEC)
                fw_match_family(r, family);
        pt_nft_verdict(r, NFT_JUMP, target);
        fw_finish(batch, r, target);
}

static void put_restore_mark(PtNftBatch *batch)
{
        struct nftnl_rule *r = pt_nft_rule_new(TABLE, CHAIN_MARK);

        put_mark(r, PT_MARK_RULES, 0);
        fw_finish(batch, r, "mark/clear");
        for (unsigned i = 0; i < MARK_BITS; i++) {
                r = of_connections(CHAIN_MARK, 1U << i);
                put_mark(r, 1U << i, 1U << i);
                fw_finish(batch, r, "mark/bit");
        }
}

static void put_restore_dscp(PtNftBatch *batch, const char *chain, int family)
{
        struct nftnl_rule *r = pt_nft_rule_new(TABLE, chain);

        fw_match_family(r, family);
        put_dscp(r, family, (1U << DSCP_BITS) - 1, 0);
        fw_finish(batch, r, "dscp/clear");
        for (unsigned i = 0; i < DSCP_BITS; i++) {
                r = of_connections(chain, 1U << (PT_CTMARK_DSCP_SHIFT + i));
                fw_match_family(r, family);
                put_dscp(r, family, 1U << i, 1U << i);
                fw_finish(batch, r, "dscp/bit");
        }
}

void fw_marks_put_base(PtNftBatch *batch)
{
        static const char *const chains[] = {CHAIN_MARKS, CHAIN_MARK, CHAIN_DSCP4, CHAIN_DSCP6};

        for (unsigned i = 0; i < G_N_ELEMENTS(chains); i++)
                pt_nft_batch_add_chain(batch, TABLE, chains[i], NULL);
        put_restore_mark(batch);
        put_restore_dscp(batch, CHAIN_DSCP4, AF_INET);
        put_restore_dscp(batch, CHAIN_DSCP6, AF_INET6);
        put_jump(batch, CHAIN_MARKS, PT_CTMARK_HAS_MARK, AF_UNSPEC, CHAIN_MARK);
        put_jump(batch, CHAIN_MARKS, PT_CTMARK_HAS_DSCP, AF_INET, CHAIN_DSCP4);
        put_jump(batch, CHAIN_MARKS, PT_CTMARK_HAS_DSCP, AF_INET6, CHAIN_DSCP6);
}

void fw_marks_put_jump(const char *chain, PtNftBatch *batch)
{
        put_jump(batch, chain, PT_CTMARK_HAS_MARK | PT_CTMARK_HAS_DSCP, AF_UNSPEC, CHAIN_MARKS);
}

/* Tags. */

#define TAG_COMMENT "tag/"

typedef struct WireTag {
        uint8_t bit, next; /* of the first rule, which is no tag's: only the latter */
} WireTag;

static void put_tag_rule(PtNftBatch *batch, struct nftnl_rule *r, const char *name, WireTag wire)
{
        g_autofree char *comment = g_strconcat(TAG_COMMENT, name, NULL);
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        size_t size = pt_nft_userdata(comment, &wire, sizeof(wire), userdata);

        nftnl_rule_set_data(r, NFTNL_RULE_USERDATA, userdata, (uint32_t) size);
        pt_nft_batch_append_rule(batch, r);
}

void fw_marks_put_tags(const FwTags *tags, PtNftBatch *batch)
{
        WireTag wire = {.next = (uint8_t) fw_tags_next_bit(tags)};
        struct nftnl_rule *r = pt_nft_rule_new(TABLE, CHAIN_TAGS);

        if (fw_tags_is_unused(tags)) {
                nftnl_rule_free(r);
                return;
        }
        pt_nft_batch_add_chain(batch, TABLE, CHAIN_TAGS, NULL);
        pt_nft_batch_flush_chain(batch, TABLE, CHAIN_TAGS);
        pt_nft_counter(r, 0, 0);
        put_tag_rule(batch, r, "", wire);
        for (unsigned i = 0; i < fw_tags_count(tags); i++) {
                unsigned bit;
                const char *name = fw_tags_get(tags, i, &bit);

                wire.bit = (uint8_t) bit;
                r = pt_nft_rule_new(TABLE, CHAIN_TAGS);
                put_tag(r, bit);
                put_tag_rule(batch, r, name, wire);
        }
}

static int read_tag(struct nftnl_rule *rule, void *userdata)
{
        FwTags **tags = userdata;
        g_autofree char *comment = pt_nft_rule_comment(rule);
        uint32_t size = 0;
        const void *data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &size);
        size_t len = 0;
        const WireTag *wire =
                data ? pt_nft_userdata_find(data, size, PT_NFT_UDATA_PATRONUS, &len) : NULL;

        if (!wire || len != sizeof(*wire) || !comment || !g_str_has_prefix(comment, TAG_COMMENT))
                return -ENOENT;
        if (!*tags) {
                *tags = fw_tags_new_empty(wire->next);
                return 0;
        }
        return fw_tags_add(*tags, comment + strlen(TAG_COMMENT), wire->bit) < 0 ? -ENOENT : 0;
}

int fw_marks_read_tags(PtNft *nft, FwTags **ret)
{
        g_autoptr(FwTags) tags = NULL;
        int r = pt_nft_dump_rules(nft, TABLE, CHAIN_TAGS, read_tag, &tags);

        if (r < 0)
                return r;
        if (!tags)
                return -ENOENT;
        *ret = g_steal_pointer(&tags);
        return 0;
}
