/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "bans.h"
#include "filter/prologue.h"
#include "killed.h"
#include "marks.h"
#include "openings.h"
#include "ruleset-internal.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <string.h>

void fw_finish(PtNftBatch *batch, struct nftnl_rule *rule, const char *comment)
{
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        size_t size = pt_nft_userdata(comment, NULL, 0, userdata);

        nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, userdata, (uint32_t) size);
        pt_nft_batch_append_rule(batch, rule);
}

void fw_decide(PtNftBatch *batch, struct nftnl_rule *rule, int verdict, const char *chain,
               const char *comment)
{
        pt_nft_counter(rule, 0, 0);
        pt_nft_verdict(rule, verdict, chain);
        fw_finish(batch, rule, comment);
}

void fw_match_u8(struct nftnl_rule *rule, uint8_t value)
{
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, &value, sizeof(value));
}

void fw_match_family(struct nftnl_rule *rule, int family)
{
        pt_nft_meta(rule, NFT_META_NFPROTO, PT_REG(REG_DATA));
        fw_match_u8(rule, family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6);
}

void fw_match_protocol(struct nftnl_rule *rule, uint8_t protocol)
{
        pt_nft_meta(rule, NFT_META_L4PROTO, PT_REG(REG_DATA));
        fw_match_u8(rule, protocol);
}

void fw_match_state(struct nftnl_rule *rule, uint32_t state)
{
        static const uint32_t zero;

        pt_nft_ct(rule, NFT_CT_STATE, PT_REG(REG_DATA));
        pt_nft_mask(rule, PT_REG(REG_DATA), &state, sizeof(state));
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_NEQ, &zero, sizeof(zero));
}

/* An ICMP type between two, inclusive. */
static void match_icmp_type(struct nftnl_rule *rule, uint8_t lo, uint8_t hi)
{
        pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, PT_REG(REG_DATA));
        if (lo == hi)
                fw_match_u8(rule, lo);
        else
                pt_nft_range(rule, PT_REG(REG_DATA), NFT_RANGE_EQ, &lo, &hi, sizeof(lo));
}

/* RFC 8200 3: the hop limit is the eighth byte. */
static void match_hop_limit(struct nftnl_rule *rule, uint8_t value)
{
        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, 7, 1, PT_REG(REG_DATA));
        fw_match_u8(rule, value);
}

static void match_ports(struct nftnl_rule *rule, const FwPrologueRow *row)
{
        uint16_t ports[] = {htons(row->source_port), htons(row->port_lo)};
        uint16_t first = htons(row->port_lo), last = htons(row->port_hi);

        if (row->source_port) {
                pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(ports),
                               PT_REG(REG_DATA));
                pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, ports, sizeof(ports));
                return;
        }
        pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, PT_REG(REG_DATA));
        pt_nft_range(rule, PT_REG(REG_DATA), NFT_RANGE_EQ, &first, &last, sizeof(last));
}

static void match_link_local(struct nftnl_rule *rule)
{
        static const uint8_t link_local[2] = {0xfe, 0x80}, link_mask[2] = {0xff, 0xc0};

        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, 8, sizeof(link_local), PT_REG(REG_DATA));
        pt_nft_mask(rule, PT_REG(REG_DATA), link_mask, sizeof(link_mask));
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, link_local, sizeof(link_local));
}

static void match_loopback(struct nftnl_rule *rule, uint32_t key)
{
        static const char lo[16] = "lo";

        pt_nft_meta(rule, key, NFT_REG_1);
        pt_nft_cmp(rule, NFT_REG_1, NFT_CMP_EQ, lo, sizeof(lo));
}

static void put_row(const FwPrologueRow *row, const char *chain, PtNftBatch *batch)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);

        if (row->loopback)
                match_loopback(rule, row->chain == FW_PROLOGUE_OUTPUT ? NFT_META_OIFNAME
                                                                      : NFT_META_IIFNAME);
        if (row->states)
                fw_match_state(rule, row->states);
        if (row->family != AF_UNSPEC)
                fw_match_family(rule, row->family);
        if (row->link_local)
                match_link_local(rule);
        if (row->protocol)
                fw_match_protocol(rule, row->protocol);
        if (row->hop_limit)
                match_hop_limit(rule, row->hop_limit);
        if (row->type_hi)
                match_icmp_type(rule, row->type_lo, row->type_hi);
        if (row->port_hi)
                match_ports(rule, row);
        fw_decide(batch, rule, NF_ACCEPT, NULL, row->comment);
}

static void put_prologue(PtNftBatch *batch)
{
        static const char *const chains[FW_PROLOGUE_CHAIN_MAX] = {
                [FW_PROLOGUE_COMMON] = CHAIN_PROLOGUE,
                [FW_PROLOGUE_LINK] = CHAIN_PROLOGUE_LINK,
                [FW_PROLOGUE_INPUT] = CHAIN_PROLOGUE_INPUT,
                [FW_PROLOGUE_OUTPUT] = CHAIN_PROLOGUE_OUTPUT,
        };

        fw_marks_put_base(batch);
        for (unsigned i = 0; i < fw_prologue_rows; i++)
                put_row(&fw_prologue[i], chains[fw_prologue[i].chain], batch);
        fw_killed_put_base(batch);
}

void fw_ruleset_put_base(PtNftBatch *batch)
{
        static const struct {
                const char *name;
                PtNftHook hook;
        } hooks[] = {
                {CHAIN_INPUT, {"filter", NF_INET_LOCAL_IN, PT_MARK_PRIORITY_FILTER, NF_DROP}},
                {CHAIN_FORWARD, {"filter", NF_INET_FORWARD, PT_MARK_PRIORITY_FILTER, NF_DROP}},
                {CHAIN_OUTPUT, {"filter", NF_INET_LOCAL_OUT, PT_MARK_PRIORITY_FILTER, NF_ACCEPT}},
                {CHAIN_PREROUTING,
                 {"nat", NF_INET_PRE_ROUTING, PT_MARK_PRIORITY_DSTNAT, NF_ACCEPT}},
                {CHAIN_OUTPUT_NAT, {"nat", NF_INET_LOCAL_OUT, PT_MARK_PRIORITY_DSTNAT, NF_ACCEPT}},
                {CHAIN_POSTROUTING,
                 {"nat", NF_INET_POST_ROUTING, PT_MARK_PRIORITY_SRCNAT, NF_ACCEPT}},
        };
        static const char *const chains[] = {
                CHAIN_PROLOGUE,  CHAIN_PROLOGUE_LINK, CHAIN_PROLOGUE_INPUT, CHAIN_PROLOGUE_OUTPUT,
                FW_CHAIN_REJECT, CHAIN_UNASSIGNED,    CHAIN_MASQUERADE,     CHAIN_MARKER,
                FW_CHAIN_BANS,   FW_CHAIN_BANS_TO,    CHAIN_BANNED,         CHAIN_KILLED_ENDS};
        struct nftnl_rule *rule;

        pt_nft_batch_add_table(batch, TABLE);
        for (unsigned i = 0; i < G_N_ELEMENTS(chains); i++)
                pt_nft_batch_add_chain(batch, TABLE, chains[i], NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(hooks); i++)
                pt_nft_batch_add_chain(batch, TABLE, hooks[i].name, &hooks[i].hook);
        put_prologue(batch);
        fw_openings_put_base(batch);

        rule = pt_nft_rule_new(TABLE, CHAIN_MASQUERADE);
        fw_match_family(rule, AF_INET);
        pt_nft_counter(rule, 0, 0);
        pt_nft_masquerade(rule, NULL);
        fw_finish(batch, rule, "masquerade");
        rule = pt_nft_rule_new(TABLE, FW_CHAIN_REJECT);
        fw_match_protocol(rule, IPPROTO_TCP);
        pt_nft_reject(rule, NFT_REJECT_TCP_RST, 0);
        fw_finish(batch, rule, "reject/tcp");
        rule = pt_nft_rule_new(TABLE, FW_CHAIN_REJECT);
        pt_nft_reject(rule, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
        fw_finish(batch, rule, "reject/other");
}

/* The marker: one rule that no packet reaches. */

#define UNSWEPT 0x8000U /* beside the version: to another filterd it is another one */

typedef struct __attribute__((packed)) WireMarker {
        uint16_t version; /* big endian, as all of it; perhaps with UNSWEPT */
        uint64_t revision;
        uint8_t root[PT_DIGEST_SIZE];
        /* Of what was found out at run time; left out when there is none. */
        uint8_t live[PT_DIGEST_SIZE];
        uint8_t times[8]; /* the same of what schedules said */
} WireMarker;

#define MARKER_SHORT offsetof(WireMarker, live)

void fw_ruleset_put_marker(const FwMarker *marker, bool replace, PtNftBatch *batch)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, CHAIN_MARKER);
        g_autofree char *comment = g_strdup_printf("revision %" PRIu64 "%s", marker->revision,
                                                   marker->about_to_change ? ", about to change"
                                                   : marker->unswept       ? ", not swept yet"
                                                                           : "");
        WireMarker wire = {
                .version = htobe16(
                        (uint16_t) (marker->version |
                                    (marker->unswept || marker->about_to_change ? UNSWEPT : 0))),
                .revision = htobe64(marker->revision)};
        static const PtDigest nothing;
        bool brief = pt_digest_equal(&marker->live, &nothing) &&
                     memcmp(marker->times, nothing.bytes, sizeof(marker->times)) == 0;
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        size_t size;

        memcpy(wire.root, marker->root.bytes, sizeof(wire.root));
        memcpy(wire.live, marker->live.bytes, sizeof(wire.live));
        memcpy(wire.times, marker->times, sizeof(wire.times));
        size = pt_nft_userdata(comment, &wire, brief ? MARKER_SHORT : sizeof(wire), userdata);
        nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, userdata, (uint32_t) size);
        pt_nft_counter(rule, 0, 0);
        if (replace)
                pt_nft_batch_flush_chain(batch, TABLE, CHAIN_MARKER);
        pt_nft_batch_append_rule(batch, rule);
}

typedef struct MarkerReader {
        FwMarker marker;
        unsigned n;
} MarkerReader;

static int read_marker(struct nftnl_rule *rule, void *userdata)
{
        MarkerReader *reader = userdata;
        uint32_t size = 0;
        const void *data = nftnl_rule_get_data(rule, NFTNL_RULE_USERDATA, &size);
        size_t len;
        const WireMarker *wire =
                data ? pt_nft_userdata_find(data, size, PT_NFT_UDATA_PATRONUS, &len) : NULL;

        if (!wire || (len != sizeof(*wire) && len != MARKER_SHORT))
                return -ENOENT;
        if (len == sizeof(*wire))
                memcpy(reader->marker.times, wire->times, sizeof(wire->times));
        reader->n++;
        reader->marker.live = (PtDigest){0};
        if (len == sizeof(*wire))
                memcpy(reader->marker.live.bytes, wire->live, sizeof(wire->live));
        reader->marker.version = be16toh(wire->version) & (uint16_t) ~UNSWEPT;
        reader->marker.unswept = be16toh(wire->version) & UNSWEPT;
        reader->marker.revision = be64toh(wire->revision);
        memcpy(reader->marker.root.bytes, wire->root, sizeof(wire->root));
        return 0;
}

int fw_ruleset_read_marker(PtNft *nft, FwMarker *ret)
{
        MarkerReader reader = {0};
        int r = pt_nft_dump_rules(nft, TABLE, CHAIN_MARKER, read_marker, &reader);

        if (r < 0)
                return r;
        if (reader.n != 1)
                return -ENOENT;
        *ret = reader.marker;
        return 0;
}
