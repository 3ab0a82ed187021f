/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/prologue.h"

#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define ESTABLISHED NF_CT_STATE_BIT(IP_CT_ESTABLISHED)
#define RELATED NF_CT_STATE_BIT(IP_CT_RELATED)

#define NDP_OF(where, name)                                                                        \
        {                                                                                          \
                .chain = (where), .comment = (name), .family = AF_INET6,                           \
                .protocol = IPPROTO_ICMPV6, .hop_limit = 255, .type_lo = ND_ROUTER_SOLICIT,        \
                .type_hi = ND_REDIRECT, .text = "neighbour discovery"                              \
        }
#define MLD_OF(where, name, lo, hi)                                                                \
        {                                                                                          \
                .chain = (where), .comment = (name), .family = AF_INET6,                           \
                .protocol = IPPROTO_ICMPV6, .hop_limit = 1, .type_lo = (lo), .type_hi = (hi),      \
                .text = "multicast listener discovery"                                             \
        }
#define ICMP_ERROR(type)                                                                           \
        {                                                                                          \
                .chain = FW_PROLOGUE_INPUT, .comment = "prologue/icmp-errors", .family = AF_INET,  \
                .protocol = IPPROTO_ICMP, .type_lo = (type), .type_hi = (type),                    \
                .text = "ICMP errors"                                                              \
        }
#define HELPER(number)                                                                             \
        {                                                                                          \
                .chain = FW_PROLOGUE_COMMON, .comment = "prologue/related-helper",                 \
                .states = RELATED, .protocol = (number), .port_lo = 1024, .port_hi = 65535,        \
                .text = "what a helper of connection tracking expects"                             \
        }

/* clang-format off */
const FwPrologueRow fw_prologue[] = {
        /* RFC 4861 6.1, 7.1, 8.1: valid only with hop limit 255, so that nobody sends it from afar.
         * What ARP is for IPv4, which no rule of ours sees: without it the administrator who is banned
         * would not be reached, anti-lockout or not. */
        NDP_OF(FW_PROLOGUE_LINK, "prologue/ndp-input"),

        {.chain = FW_PROLOGUE_COMMON, .comment = "prologue/established", .states = ESTABLISHED,
         .text = "connections that are established"},
        /* Related is for ICMP errors; helpers' expectations are related too, and come with rules
         * that name one. */
        {.chain = FW_PROLOGUE_COMMON, .comment = "prologue/related-icmp", .states = RELATED,
         .protocol = IPPROTO_ICMP, .text = "ICMP errors about a connection"},
        {.chain = FW_PROLOGUE_COMMON, .comment = "prologue/related-icmpv6", .states = RELATED,
         .protocol = IPPROTO_ICMPV6, .text = "ICMP errors about a connection"},
        /* What helpers expect, which only rules set (nf_conntrack assigns none by itself), and not
         * below port 1024: an expectation that a client can provoke must not open a service. */
        HELPER(IPPROTO_TCP),
        HELPER(IPPROTO_UDP),

        {.chain = FW_PROLOGUE_INPUT, .comment = "prologue/loopback-input", .loopback = true,
         .text = "what does not leave the machine"},
        /* RFC 3810 5: hop limit 1. Versions 1 (130-132) and 2 (143). */
        MLD_OF(FW_PROLOGUE_INPUT, "prologue/mld-input", 130, 132),
        MLD_OF(FW_PROLOGUE_INPUT, "prologue/mld-input", 143, 143),
        /* RFC 4890 4.4.1: unreachable, too big, time exceeded, parameter problem: types 1-4. */
        {.chain = FW_PROLOGUE_INPUT, .comment = "prologue/icmpv6-errors", .family = AF_INET6,
         .protocol = IPPROTO_ICMPV6, .type_lo = ICMP6_DST_UNREACH, .type_hi = ICMP6_PARAM_PROB,
         .text = "ICMP errors"},
        ICMP_ERROR(ICMP_DEST_UNREACH),
        ICMP_ERROR(ICMP_TIME_EXCEEDED),
        ICMP_ERROR(ICMP_PARAMETERPROB),
        /* DHCP client: IPv4 by ports (RFC 2131 4.1), IPv6 from the link only (RFC 8415 7.2):
         * replies are not "established". */
        {.chain = FW_PROLOGUE_INPUT, .comment = "prologue/dhcp-client", .family = AF_INET,
         .protocol = IPPROTO_UDP, .source_port = 67, .port_lo = 68, .port_hi = 68,
         .text = "answers to a DHCP client"},
        {.chain = FW_PROLOGUE_INPUT, .comment = "prologue/dhcpv6-client", .family = AF_INET6,
         .link_local = true, .protocol = IPPROTO_UDP, .source_port = 547, .port_lo = 546,
         .port_hi = 546, .text = "answers to a DHCPv6 client"},

        {.chain = FW_PROLOGUE_OUTPUT, .comment = "prologue/loopback-output", .loopback = true,
         .text = "what does not leave the machine"},
        NDP_OF(FW_PROLOGUE_OUTPUT, "prologue/ndp-output"),
        MLD_OF(FW_PROLOGUE_OUTPUT, "prologue/mld-output", 130, 132),
        MLD_OF(FW_PROLOGUE_OUTPUT, "prologue/mld-output", 143, 143),
        {.chain = FW_PROLOGUE_OUTPUT, .comment = "prologue/dhcp-client-output", .family = AF_INET,
         .protocol = IPPROTO_UDP, .source_port = 68, .port_lo = 67, .port_hi = 67,
         .text = "questions of a DHCP client"},
        {.chain = FW_PROLOGUE_OUTPUT, .comment = "prologue/dhcpv6-client-output",
         .family = AF_INET6, .protocol = IPPROTO_UDP, .source_port = 546, .port_lo = 547,
         .port_hi = 547, .text = "questions of a DHCPv6 client"},
};
/* clang-format on */
const unsigned fw_prologue_rows = G_N_ELEMENTS(fw_prologue);

static bool is_within(const FwPacket *packet, FwDimension dimension, FwNumber lo, FwNumber hi)
{
        return packet->here[dimension] &&
               fw_span_within(&packet->values[dimension], lo, hi) == FW_YES;
}

static bool is_link_local(const FwPacket *packet)
{
        const FwNumber lo = (FwNumber) 0xfe80 << 112, size = (FwNumber) 1 << 118; /* a /10 */

        return is_within(packet, FW_DIM_SOURCE_ADDRESS, lo, lo + size - 1);
}

static bool has_state(const FwPacket *packet, uint32_t states)
{
        FwNumber number;

        return fw_packet_number(packet, FW_DIM_STATE, &number) && (number & states) != 0;
}

/* Who sends discovery of neighbours or listeners sends it with the hop limit that it must have, so
 * that one that is not known is right. */
static bool has_hop_limit(const FwPacket *packet, uint8_t hop_limit)
{
        return packet->hop_limit == 0 || packet->hop_limit == hop_limit;
}

static bool admits(const FwPrologueRow *row, const FwPacket *packet, const char *interface)
{
        if (row->loopback && strcmp(interface, "lo") != 0)
                return false;
        if (row->states && !has_state(packet, row->states))
                return false;
        if (row->family != AF_UNSPEC && row->family != packet->family)
                return false;
        if (row->link_local && !is_link_local(packet))
                return false;
        if (row->protocol && !is_within(packet, FW_DIM_PROTOCOL, row->protocol, row->protocol))
                return false;
        if (row->hop_limit && !has_hop_limit(packet, row->hop_limit))
                return false;
        if (row->type_hi && !is_within(packet, FW_DIM_ICMP, (FwNumber) row->type_lo << 8,
                                       (FwNumber) row->type_hi << 8 | 0xff))
                return false;
        if (row->source_port &&
            !is_within(packet, FW_DIM_SOURCE_PORT, row->source_port, row->source_port))
                return false;
        return !row->port_hi ||
               is_within(packet, FW_DIM_DESTINATION_PORT, row->port_lo, row->port_hi);
}

const FwPrologueRow *fw_prologue_admits(FwPrologueChain chain, const FwPacket *packet,
                                        const char *interface)
{
        for (unsigned i = 0; i < fw_prologue_rows; i++)
                if ((fw_prologue[i].chain == chain ||
                     (fw_prologue[i].chain == FW_PROLOGUE_COMMON && chain != FW_PROLOGUE_LINK)) &&
                    admits(&fw_prologue[i], packet, interface))
                        return &fw_prologue[i];
        return NULL;
}
