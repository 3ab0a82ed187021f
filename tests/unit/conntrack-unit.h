/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Connections in the kernel's table without packets: made over ctnetlink. */

#include "unit.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <string.h>

typedef struct UnitConnection {
        int family;
        const char *source, *destination;
        uint16_t source_port, destination_port;
        uint8_t protocol;
        uint32_t mark;
        uint16_t zone;
} UnitConnection;

static inline void unit_put_tuple(struct nlmsghdr *header, uint16_t attribute,
                                  const UnitConnection *c, bool reply)
{
        struct nlattr *outer = mnl_attr_nest_start(header, attribute), *nest;
        bool ipv4 = c->family == AF_INET;
        uint8_t source[16], destination[16];

        assert_int_equal(inet_pton(c->family, reply ? c->destination : c->source, source), 1);
        assert_int_equal(inet_pton(c->family, reply ? c->source : c->destination, destination), 1);
        nest = mnl_attr_nest_start(header, CTA_TUPLE_IP);
        mnl_attr_put(header, ipv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, ipv4 ? 4 : 16, source);
        mnl_attr_put(header, ipv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, ipv4 ? 4 : 16, destination);
        mnl_attr_nest_end(header, nest);
        nest = mnl_attr_nest_start(header, CTA_TUPLE_PROTO);
        mnl_attr_put_u8(header, CTA_PROTO_NUM, c->protocol);
        mnl_attr_put_u16(header, CTA_PROTO_SRC_PORT,
                         htons(reply ? c->destination_port : c->source_port));
        mnl_attr_put_u16(header, CTA_PROTO_DST_PORT,
                         htons(reply ? c->source_port : c->destination_port));
        mnl_attr_nest_end(header, nest);
        mnl_attr_nest_end(header, outer);
}

/* Fills a message that makes the connection; TCP is established and assured. */
static inline struct nlmsghdr *unit_connection_message(void *buffer, const UnitConnection *c)
{
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        struct nfgenmsg *genmsg;

        header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
        header->nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK;
        genmsg = mnl_nlmsg_put_extra_header(header, sizeof(*genmsg));
        genmsg->nfgen_family = (uint8_t) c->family;
        unit_put_tuple(header, CTA_TUPLE_ORIG, c, false);
        unit_put_tuple(header, CTA_TUPLE_REPLY, c, true);
        mnl_attr_put_u32(header, CTA_TIMEOUT, htonl(600));
        mnl_attr_put_u32(header, CTA_STATUS,
                         htonl(IPS_CONFIRMED |
                               (c->protocol == IPPROTO_TCP ? IPS_ASSURED | IPS_SEEN_REPLY : 0)));
        if (c->mark)
                mnl_attr_put_u32(header, CTA_MARK, htonl(c->mark));
        if (c->zone)
                mnl_attr_put_u16(header, CTA_ZONE, htons(c->zone));
        if (c->protocol == IPPROTO_TCP) {
                struct nlattr *info = mnl_attr_nest_start(header, CTA_PROTOINFO);
                struct nlattr *tcp = mnl_attr_nest_start(header, CTA_PROTOINFO_TCP);

                mnl_attr_put_u8(header, CTA_PROTOINFO_TCP_STATE, TCP_CONNTRACK_ESTABLISHED);
                mnl_attr_nest_end(header, tcp);
                mnl_attr_nest_end(header, info);
        }
        return header;
}

static inline void unit_make_connection(const UnitConnection *c)
{
        struct mnl_socket *socket = mnl_socket_open(NETLINK_NETFILTER);
        char buffer[MNL_NLMSG_HDRLEN + 1024];
        struct nlmsghdr *header = unit_connection_message(buffer, c);
        ssize_t n;

        assert_non_null(socket);
        assert_int_equal(mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID), 0);
        assert_true(mnl_socket_sendto(socket, header, header->nlmsg_len) > 0);
        n = mnl_socket_recvfrom(socket, buffer, sizeof(buffer));
        assert_true(n > 0);
        header = (struct nlmsghdr *) (void *) buffer;
        assert_int_equal(header->nlmsg_type, NLMSG_ERROR);
        assert_int_equal(((struct nlmsgerr *) mnl_nlmsg_get_payload(header))->error, 0);
        mnl_socket_close(socket);
}
