/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/connection.h"

#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>

G_STATIC_ASSERT(sizeof(PtConnectionTuple) == 36);
G_STATIC_ASSERT(sizeof(PtConnection) == 144);

const PtChoice pt_connection_states[] = {
        {"none", PT_CONNECTION_NONE, NULL},
        {"syn-sent", PT_CONNECTION_SYN_SENT, NULL},
        {"syn-recv", PT_CONNECTION_SYN_RECV, NULL},
        {"established", PT_CONNECTION_ESTABLISHED, NULL},
        {"fin-wait", PT_CONNECTION_FIN_WAIT, NULL},
        {"close-wait", PT_CONNECTION_CLOSE_WAIT, NULL},
        {"last-ack", PT_CONNECTION_LAST_ACK, NULL},
        {"time-wait", PT_CONNECTION_TIME_WAIT, NULL},
        {"close", PT_CONNECTION_CLOSE, NULL},
        {"syn-sent2", PT_CONNECTION_SYN_SENT2, NULL},
        {"cookie-wait", PT_CONNECTION_COOKIE_WAIT, NULL},
        {"cookie-echoed", PT_CONNECTION_COOKIE_ECHOED, NULL},
        {"shutdown-sent", PT_CONNECTION_SHUTDOWN_SENT, NULL},
        {"shutdown-recd", PT_CONNECTION_SHUTDOWN_RECD, NULL},
        {"shutdown-ack-sent", PT_CONNECTION_SHUTDOWN_ACK_SENT, NULL},
        {"heartbeat-sent", PT_CONNECTION_HEARTBEAT_SENT, NULL},
        {"request", PT_CONNECTION_REQUEST, NULL},
        {"respond", PT_CONNECTION_RESPOND, NULL},
        {"partopen", PT_CONNECTION_PARTOPEN, NULL},
        {"open", PT_CONNECTION_OPEN, NULL},
        {"closereq", PT_CONNECTION_CLOSEREQ, NULL},
        {"closing", PT_CONNECTION_CLOSING, NULL},
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(pt_connection_states) == PT_CONNECTION_STATE_MAX);

const char *pt_connection_state_to_string(PtConnectionState state)
{
        return state > PT_CONNECTION_STATELESS && state < PT_CONNECTION_STATE_MAX
                       ? pt_connection_states[state - 1].name
                       : NULL;
}

/* By the kernel's numbers. */
static const uint8_t tcp_states[] = {
        PT_CONNECTION_NONE,        PT_CONNECTION_SYN_SENT,  PT_CONNECTION_SYN_RECV,
        PT_CONNECTION_ESTABLISHED, PT_CONNECTION_FIN_WAIT,  PT_CONNECTION_CLOSE_WAIT,
        PT_CONNECTION_LAST_ACK,    PT_CONNECTION_TIME_WAIT, PT_CONNECTION_CLOSE,
        PT_CONNECTION_SYN_SENT2,
};
static const uint8_t sctp_states[] = {
        PT_CONNECTION_NONE,           PT_CONNECTION_CLOSE,
        PT_CONNECTION_COOKIE_WAIT,    PT_CONNECTION_COOKIE_ECHOED,
        PT_CONNECTION_ESTABLISHED,    PT_CONNECTION_SHUTDOWN_SENT,
        PT_CONNECTION_SHUTDOWN_RECD,  PT_CONNECTION_SHUTDOWN_ACK_SENT,
        PT_CONNECTION_HEARTBEAT_SENT,
};
static const uint8_t dccp_states[] = {
        PT_CONNECTION_NONE, PT_CONNECTION_REQUEST,  PT_CONNECTION_RESPOND, PT_CONNECTION_PARTOPEN,
        PT_CONNECTION_OPEN, PT_CONNECTION_CLOSEREQ, PT_CONNECTION_CLOSING, PT_CONNECTION_TIME_WAIT,
};

/*
 * Attributes, read in place. libmnl's own functions are calls into a shared library, four for each
 * of the 35 attributes of a connection: together they would take longer than all that is done here.
 */
typedef struct Attributes {
        const uint8_t *at, *end;
        unsigned type;
        const uint8_t *data;
        size_t size;
} Attributes;

static Attributes attributes(const void *data, size_t size)
{
        return (Attributes){.at = data, .end = (const uint8_t *) data + size};
}

static bool next(Attributes *a)
{
        struct nlattr header;
        size_t left = (size_t) (a->end - a->at);

        if (left < sizeof(header))
                return false;
        memcpy(&header, a->at, sizeof(header));
        if (header.nla_len < sizeof(header) || header.nla_len > left)
                return false;
        a->type = header.nla_type & NLA_TYPE_MASK;
        a->data = a->at + sizeof(header);
        a->size = header.nla_len - sizeof(header);
        a->at += MIN((size_t) NLA_ALIGN(header.nla_len), left);
        return true;
}

static uint8_t read_u8(const Attributes *a)
{
        return a->size >= 1 ? a->data[0] : 0;
}

static uint16_t read_u16(const Attributes *a)
{
        uint16_t value = 0;

        memcpy(&value, a->data, MIN(a->size, sizeof(value)));
        return be16toh(value);
}

static uint32_t read_u32(const Attributes *a)
{
        uint32_t value = 0;

        memcpy(&value, a->data, MIN(a->size, sizeof(value)));
        return be32toh(value);
}

static uint64_t read_u64(const Attributes *a)
{
        uint64_t value = 0;

        memcpy(&value, a->data, MIN(a->size, sizeof(value)));
        return be64toh(value);
}

static void read_addresses(Attributes a, PtConnectionTuple *tuple)
{
        while (next(&a)) {
                if (a.type == CTA_IP_V4_SRC || a.type == CTA_IP_V6_SRC)
                        memcpy(tuple->source, a.data, MIN(a.size, sizeof(tuple->source)));
                else if (a.type == CTA_IP_V4_DST || a.type == CTA_IP_V6_DST)
                        memcpy(tuple->destination, a.data, MIN(a.size, sizeof(tuple->destination)));
        }
}

static void read_protocol(Attributes a, PtConnectionTuple *tuple, uint8_t *protocol)
{
        while (next(&a)) {
                switch (a.type) {
                case CTA_PROTO_NUM:
                        *protocol = read_u8(&a);
                        break;
                case CTA_PROTO_SRC_PORT:
                case CTA_PROTO_ICMP_ID:
                case CTA_PROTO_ICMPV6_ID:
                        tuple->source_port = read_u16(&a);
                        break;
                case CTA_PROTO_DST_PORT:
                        tuple->destination_port = read_u16(&a);
                        break;
                case CTA_PROTO_ICMP_TYPE:
                case CTA_PROTO_ICMPV6_TYPE:
                        tuple->destination_port |= (uint16_t) (read_u8(&a) << 8);
                        break;
                case CTA_PROTO_ICMP_CODE:
                case CTA_PROTO_ICMPV6_CODE:
                        tuple->destination_port |= read_u8(&a);
                        break;
                }
        }
}

static void read_tuple(Attributes a, PtConnectionTuple *tuple, PtConnection *connection)
{
        while (next(&a)) {
                if (a.type == CTA_TUPLE_IP)
                        read_addresses(attributes(a.data, a.size), tuple);
                else if (a.type == CTA_TUPLE_PROTO)
                        read_protocol(attributes(a.data, a.size), tuple, &connection->protocol);
                else if (a.type == CTA_TUPLE_ZONE)
                        connection->zone = read_u16(&a);
        }
}

static void read_counters(Attributes a, unsigned direction, PtConnection *connection)
{
        connection->flags |= PT_CONNECTION_COUNTED;
        while (next(&a)) {
                if (a.type == CTA_COUNTERS_PACKETS)
                        connection->packets[direction] = read_u64(&a);
                else if (a.type == CTA_COUNTERS_BYTES)
                        connection->bytes[direction] = read_u64(&a);
        }
}

static void read_state(Attributes a, PtConnection *connection)
{
        static const struct {
                unsigned protocol, attribute; /* CTA_PROTOINFO_*, and CTA_PROTOINFO_*_STATE in it */
                const uint8_t *states;
                size_t n;
        } known[] = {
                {CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE, tcp_states, sizeof(tcp_states)},
                {CTA_PROTOINFO_SCTP, CTA_PROTOINFO_SCTP_STATE, sctp_states, sizeof(sctp_states)},
                {CTA_PROTOINFO_DCCP, CTA_PROTOINFO_DCCP_STATE, dccp_states, sizeof(dccp_states)},
        };

        while (next(&a))
                for (unsigned i = 0; i < G_N_ELEMENTS(known); i++) {
                        Attributes inner = attributes(a.data, a.size);

                        if (a.type != known[i].protocol)
                                continue;
                        while (next(&inner))
                                if (inner.type == known[i].attribute &&
                                    read_u8(&inner) < known[i].n)
                                        connection->state = known[i].states[read_u8(&inner)];
                }
}

static void read_helper(Attributes a, PtConnection *connection)
{
        while (next(&a))
                if (a.type == CTA_HELP_NAME)
                        memcpy(connection->helper, a.data,
                               MIN(strnlen((const char *) a.data, a.size),
                                   sizeof(connection->helper) - 1));
        /* The name of a kernel module, which goes between quotes as it is. */
        for (char *c = connection->helper; *c; c++)
                if (!g_ascii_isalnum(*c) && !strchr("-_.", *c))
                        *c = '?';
}

static uint8_t flags_of(uint32_t status)
{
        static const struct {
                uint32_t status;
                uint8_t flag;
        } flags[] = {
                {IPS_SEEN_REPLY, PT_CONNECTION_REPLIED}, {IPS_ASSURED, PT_CONNECTION_ASSURED},
                {IPS_SRC_NAT, PT_CONNECTION_SNAT},       {IPS_DST_NAT, PT_CONNECTION_DNAT},
                {IPS_DYING, PT_CONNECTION_DYING},
        };
        uint8_t result = 0;

        for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++)
                if (status & flags[i].status)
                        result |= flags[i].flag;
        return result;
}

int pt_connection_parse(const struct nlmsghdr *header, PtConnection *ret)
{
        const size_t before = NLMSG_LENGTH(sizeof(struct nfgenmsg));
        const struct nfgenmsg *genmsg = NLMSG_DATA(header);
        bool original = false;
        Attributes a;

        if (header->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW) ||
            header->nlmsg_len < before ||
            (genmsg->nfgen_family != AF_INET && genmsg->nfgen_family != AF_INET6))
                return -EBADMSG;
        memset(ret, 0, sizeof(*ret));
        ret->family = genmsg->nfgen_family;
        a = attributes((const uint8_t *) header + before, header->nlmsg_len - before);
        while (next(&a)) {
                Attributes inner = attributes(a.data, a.size);

                switch (a.type) {
                case CTA_TUPLE_ORIG:
                        read_tuple(inner, &ret->original, ret);
                        original = true;
                        break;
                case CTA_TUPLE_REPLY:
                        read_tuple(inner, &ret->reply, ret);
                        break;
                case CTA_STATUS:
                        ret->flags |= flags_of(read_u32(&a));
                        break;
                case CTA_PROTOINFO:
                        read_state(inner, ret);
                        break;
                case CTA_HELP:
                        read_helper(inner, ret);
                        break;
                case CTA_TIMEOUT:
                        ret->timeout = read_u32(&a);
                        break;
                case CTA_MARK:
                        ret->mark = read_u32(&a);
                        break;
                case CTA_COUNTERS_ORIG:
                case CTA_COUNTERS_REPLY:
                        read_counters(inner, a.type == CTA_COUNTERS_REPLY, ret);
                        break;
                case CTA_ID:
                        ret->id = read_u32(&a);
                        break;
                case CTA_ZONE:
                        ret->zone = read_u16(&a);
                        break;
                }
        }
        return original ? 0 : -EBADMSG;
}
