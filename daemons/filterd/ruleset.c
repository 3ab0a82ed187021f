/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "bans.h"
#include "killed.h"
#include "ruleset-internal.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
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

static void match_ports(struct nftnl_rule *rule, uint16_t source, uint16_t destination)
{
        uint16_t ports[] = {htons(source), htons(destination)};

        fw_match_protocol(rule, IPPROTO_UDP);
        pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(ports), PT_REG(REG_DATA));
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, ports, sizeof(ports));
}

static struct nftnl_rule *icmp6(const char *chain)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);

        fw_match_family(rule, AF_INET6);
        fw_match_protocol(rule, IPPROTO_ICMPV6);
        return rule;
}

/* RFC 4861 6.1, 7.1, 8.1: valid only with hop limit 255, so that nobody sends it from afar. */
static void put_ndp(PtNftBatch *batch, const char *chain, const char *comment)
{
        struct nftnl_rule *rule = icmp6(chain);

        match_hop_limit(rule, 255);
        match_icmp_type(rule, ND_ROUTER_SOLICIT, ND_REDIRECT);
        fw_decide(batch, rule, NF_ACCEPT, NULL, comment);
}

/* RFC 3810 5: hop limit 1. Versions 1 (130-132) and 2 (143). */
static void put_mld(PtNftBatch *batch, const char *chain, const char *comment)
{
        static const uint8_t types[][2] = {{130, 132}, {143, 143}};

        for (unsigned i = 0; i < G_N_ELEMENTS(types); i++) {
                struct nftnl_rule *rule = icmp6(chain);

                match_hop_limit(rule, 1);
                match_icmp_type(rule, types[i][0], types[i][1]);
                fw_decide(batch, rule, NF_ACCEPT, NULL, comment);
        }
}

static void put_loopback(PtNftBatch *batch, const char *chain, uint32_t key, const char *comment)
{
        static const char lo[16] = "lo";
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, chain);

        pt_nft_meta(rule, key, NFT_REG_1);
        pt_nft_cmp(rule, NFT_REG_1, NFT_CMP_EQ, lo, sizeof(lo));
        fw_decide(batch, rule, NF_ACCEPT, NULL, comment);
}

static void put_icmp_errors(PtNftBatch *batch)
{
        static const uint8_t types4[] = {ICMP_DEST_UNREACH, ICMP_TIME_EXCEEDED, ICMP_PARAMETERPROB};
        struct nftnl_rule *rule;

        /* RFC 4890 4.4.1: unreachable, too big, time exceeded, parameter problem: types 1-4. */
        rule = icmp6(CHAIN_PROLOGUE_INPUT);
        match_icmp_type(rule, ICMP6_DST_UNREACH, ICMP6_PARAM_PROB);
        fw_decide(batch, rule, NF_ACCEPT, NULL, "prologue/icmpv6-errors");
        for (unsigned i = 0; i < G_N_ELEMENTS(types4); i++) {
                rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE_INPUT);
                fw_match_family(rule, AF_INET);
                fw_match_protocol(rule, IPPROTO_ICMP);
                match_icmp_type(rule, types4[i], types4[i]);
                fw_decide(batch, rule, NF_ACCEPT, NULL, "prologue/icmp-errors");
        }
}

/* DHCP client: IPv4 by ports (RFC 2131 4.1), IPv6 from the link only (RFC 8415 7.2): replies are
 * not "established". */
static void put_dhcp(PtNftBatch *batch)
{
        static const uint8_t link_local[2] = {0xfe, 0x80}, link_mask[2] = {0xff, 0xc0};
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE_INPUT);

        fw_match_family(rule, AF_INET);
        match_ports(rule, 67, 68);
        fw_decide(batch, rule, NF_ACCEPT, NULL, "prologue/dhcp-client");
        rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE_INPUT);
        fw_match_family(rule, AF_INET6);
        pt_nft_payload(rule, NFT_PAYLOAD_NETWORK_HEADER, 8, sizeof(link_local), PT_REG(REG_DATA));
        pt_nft_mask(rule, PT_REG(REG_DATA), link_mask, sizeof(link_mask));
        pt_nft_cmp(rule, PT_REG(REG_DATA), NFT_CMP_EQ, link_local, sizeof(link_local));
        match_ports(rule, 547, 546);
        fw_decide(batch, rule, NF_ACCEPT, NULL, "prologue/dhcpv6-client");
        rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE_OUTPUT);
        fw_match_family(rule, AF_INET);
        match_ports(rule, 68, 67);
        fw_decide(batch, rule, NF_ACCEPT, NULL, "prologue/dhcp-client-output");
        rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE_OUTPUT);
        fw_match_family(rule, AF_INET6);
        match_ports(rule, 546, 547);
        fw_decide(batch, rule, NF_ACCEPT, NULL, "prologue/dhcpv6-client-output");
}

/* What helpers expect, which only rules set (nf_conntrack assigns none by itself), and not below
 * port 1024: an expectation that a client can provoke must not open a service. */
static void put_related_helpers(PtNftBatch *batch)
{
        static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};
        uint16_t unprivileged = htons(1024), last = 0xffff;

        for (unsigned i = 0; i < G_N_ELEMENTS(protocols); i++) {
                struct nftnl_rule *rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE);

                fw_match_state(rule, NF_CT_STATE_BIT(IP_CT_RELATED));
                fw_match_protocol(rule, protocols[i]);
                pt_nft_payload(rule, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, PT_REG(REG_DATA));
                pt_nft_range(rule, PT_REG(REG_DATA), NFT_RANGE_EQ, &unprivileged, &last,
                             sizeof(last));
                fw_decide(batch, rule, NF_ACCEPT, NULL, "prologue/related-helper");
        }
}

static void put_prologue(PtNftBatch *batch)
{
        static const uint8_t icmp_protocols[] = {IPPROTO_ICMP, IPPROTO_ICMPV6};
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE);

        fw_match_state(rule, NF_CT_STATE_BIT(IP_CT_ESTABLISHED));
        fw_decide(batch, rule, NF_ACCEPT, NULL, "prologue/established");
        /* Related is for ICMP errors; helpers' expectations are related too, and come with rules
         * that name one. */
        for (unsigned i = 0; i < G_N_ELEMENTS(icmp_protocols); i++) {
                rule = pt_nft_rule_new(TABLE, CHAIN_PROLOGUE);
                fw_match_state(rule, NF_CT_STATE_BIT(IP_CT_RELATED));
                fw_match_protocol(rule, icmp_protocols[i]);
                fw_decide(batch, rule, NF_ACCEPT, NULL,
                          i == 0 ? "prologue/related-icmp" : "prologue/related-icmpv6");
        }
        put_related_helpers(batch);
        fw_killed_put_base(batch);
        put_loopback(batch, CHAIN_PROLOGUE_INPUT, NFT_META_IIFNAME, "prologue/loopback-input");
        put_ndp(batch, CHAIN_PROLOGUE_INPUT, "prologue/ndp-input");
        put_mld(batch, CHAIN_PROLOGUE_INPUT, "prologue/mld-input");
        put_icmp_errors(batch);
        put_loopback(batch, CHAIN_PROLOGUE_OUTPUT, NFT_META_OIFNAME, "prologue/loopback-output");
        put_ndp(batch, CHAIN_PROLOGUE_OUTPUT, "prologue/ndp-output");
        put_mld(batch, CHAIN_PROLOGUE_OUTPUT, "prologue/mld-output");
        put_dhcp(batch);
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
                {CHAIN_POSTROUTING,
                 {"nat", NF_INET_POST_ROUTING, PT_MARK_PRIORITY_SRCNAT, NF_ACCEPT}},
        };
        static const char *const chains[] = {
                CHAIN_PROLOGUE,  CHAIN_PROLOGUE_INPUT, CHAIN_PROLOGUE_OUTPUT,
                FW_CHAIN_REJECT, CHAIN_UNASSIGNED,     CHAIN_MASQUERADE,
                CHAIN_MARKER,    FW_CHAIN_BANS,        FW_CHAIN_BANS_TO};
        struct nftnl_rule *rule;

        pt_nft_batch_add_table(batch, TABLE);
        for (unsigned i = 0; i < G_N_ELEMENTS(chains); i++)
                pt_nft_batch_add_chain(batch, TABLE, chains[i], NULL);
        for (unsigned i = 0; i < G_N_ELEMENTS(hooks); i++)
                pt_nft_batch_add_chain(batch, TABLE, hooks[i].name, &hooks[i].hook);
        put_prologue(batch);

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

typedef struct __attribute__((packed)) WireMarker {
        uint16_t version; /* big endian, as all of it */
        uint64_t revision;
        uint8_t root[PT_DIGEST_SIZE];
} WireMarker;

void fw_ruleset_put_marker(const FwMarker *marker, bool replace, PtNftBatch *batch)
{
        struct nftnl_rule *rule = pt_nft_rule_new(TABLE, CHAIN_MARKER);
        g_autofree char *comment = g_strdup_printf("revision %" PRIu64, marker->revision);
        WireMarker wire = {.version = htobe16(marker->version),
                           .revision = htobe64(marker->revision)};
        uint8_t userdata[NFT_USERDATA_MAXLEN];
        size_t size;

        memcpy(wire.root, marker->root.bytes, sizeof(wire.root));
        size = pt_nft_userdata(comment, &wire, sizeof(wire), userdata);
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

        if (!wire || len != sizeof(*wire))
                return -ENOENT;
        reader->n++;
        reader->marker.version = be16toh(wire->version);
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
