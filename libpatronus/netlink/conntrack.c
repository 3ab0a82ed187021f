/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/conntrack.h"

#include "netlink/nft-reply.h"
#include "netlink/nft-socket.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>

#define RECEIVE_SIZE (64U * 1024U) /* the kernel fills half of it at a time */
/* Deletions of one sendmsg: each is at most 200 bytes. */
#define DELETE_BATCH 128U
#define DELETE_ROOM 256

/* Which parts of a tuple the kernel compares (linux/netfilter/nf_conntrack_netlink.h has them as
 * bits of struct order; not in the exported headers). */
#define FILTER_IP_SRC (1U << 0)
#define FILTER_IP_DST (1U << 1)
#define FILTER_PROTO_NUM (1U << 3)
#define FILTER_PROTO_SRC_PORT (1U << 4)
#define FILTER_PROTO_DST_PORT (1U << 5)

struct PtConntrack {
        struct mnl_socket *socket;
        uint32_t sequence;
        char *buffer;
};

int pt_conntrack_open(int netns_fd, PtConntrack **ret)
{
        g_autoptr(PtConntrack) conntrack = g_new0(PtConntrack, 1);
        int r;

        r = pt_nft_socket_open(netns_fd, 0, &conntrack->socket);
        if (r < 0)
                return r;
        conntrack->buffer = g_malloc(RECEIVE_SIZE);
        conntrack->sequence = 1;
        *ret = g_steal_pointer(&conntrack);
        return 0;
}

void pt_conntrack_close(PtConntrack *conntrack)
{
        if (!conntrack)
                return;
        if (conntrack->socket)
                mnl_socket_close(conntrack->socket);
        g_free(conntrack->buffer);
        g_free(conntrack);
}

static struct nlmsghdr *request_new(PtConntrack *conntrack, void *buffer, uint16_t type,
                                    uint16_t flags, uint8_t family)
{
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        struct nfgenmsg *genmsg;

        header->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | type;
        header->nlmsg_flags = NLM_F_REQUEST | flags;
        header->nlmsg_seq = conntrack->sequence++;
        genmsg = mnl_nlmsg_put_extra_header(header, sizeof(*genmsg));
        genmsg->nfgen_family = family;
        genmsg->version = NFNETLINK_V0;
        return header;
}

static void put_tuple(struct nlmsghdr *header, uint16_t attribute, const PtConnection *connection)
{
        const PtConnectionTuple *tuple = &connection->original;
        struct nlattr *outer = mnl_attr_nest_start(header, attribute);
        struct nlattr *nest = mnl_attr_nest_start(header, CTA_TUPLE_IP);
        bool ipv4 = connection->family == AF_INET;

        mnl_attr_put(header, ipv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, ipv4 ? 4 : 16, tuple->source);
        mnl_attr_put(header, ipv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, ipv4 ? 4 : 16,
                     tuple->destination);
        mnl_attr_nest_end(header, nest);
        nest = mnl_attr_nest_start(header, CTA_TUPLE_PROTO);
        mnl_attr_put_u8(header, CTA_PROTO_NUM, connection->protocol);
        if (pt_connection_is_icmp(connection)) {
                mnl_attr_put_u16(header, ipv4 ? CTA_PROTO_ICMP_ID : CTA_PROTO_ICMPV6_ID,
                                 htons(tuple->source_port));
                mnl_attr_put_u8(header, ipv4 ? CTA_PROTO_ICMP_TYPE : CTA_PROTO_ICMPV6_TYPE,
                                (uint8_t) (tuple->destination_port >> 8));
                mnl_attr_put_u8(header, ipv4 ? CTA_PROTO_ICMP_CODE : CTA_PROTO_ICMPV6_CODE,
                                (uint8_t) tuple->destination_port);
        } else {
                mnl_attr_put_u16(header, CTA_PROTO_SRC_PORT, htons(tuple->source_port));
                mnl_attr_put_u16(header, CTA_PROTO_DST_PORT, htons(tuple->destination_port));
        }
        mnl_attr_nest_end(header, nest);
        mnl_attr_nest_end(header, outer);
}

static bool is_host(const PtConnectionFilter *filter, unsigned field, const PtAddressRange *range)
{
        return pt_connection_filter_has(filter, field) &&
               memcmp(range->lo, range->hi, sizeof(range->lo)) == 0;
}

/*
 * Hosts, protocol and port that the kernel can compare for equality (CTA_FILTER, Linux 5.8). Not
 * the addresses of IPv6: ctnetlink_filter_match_tuple() takes equal ones for different (seen with
 * 6.18).
 */
static void put_tuple_filter(struct nlmsghdr *header, const PtConnectionFilter *filter,
                             uint8_t family)
{
        uint32_t flags = 0;
        struct nlattr *nest;
        PtConnection c = {.family = family};

        if (family == AF_INET && is_host(filter, PT_FILTER_SOURCE, &filter->source)) {
                memcpy(c.original.source, filter->source.lo, sizeof(c.original.source));
                flags |= FILTER_IP_SRC;
        }
        if (family == AF_INET && is_host(filter, PT_FILTER_DESTINATION, &filter->destination)) {
                memcpy(c.original.destination, filter->destination.lo,
                       sizeof(c.original.destination));
                flags |= FILTER_IP_DST;
        }
        if (pt_connection_filter_has(filter, PT_FILTER_PROTOCOL) && filter->protocol >= 0) {
                c.protocol = (uint8_t) filter->protocol;
                flags |= FILTER_PROTO_NUM;
                if (pt_connection_has_ports(&c) &&
                    pt_connection_filter_has(filter, PT_FILTER_DESTINATION_PORT) &&
                    filter->destination_port.lo == filter->destination_port.hi) {
                        c.original.destination_port = filter->destination_port.lo;
                        flags |= FILTER_PROTO_DST_PORT;
                }
        }
        if (family == AF_UNSPEC || flags == 0)
                return;
        nest = mnl_attr_nest_start(header, CTA_FILTER);
        mnl_attr_put_u32(header, CTA_FILTER_ORIG_FLAGS, flags);
        mnl_attr_put_u32(header, CTA_FILTER_REPLY_FLAGS, 0);
        mnl_attr_nest_end(header, nest);
        put_tuple(header, CTA_TUPLE_ORIG, &c);
}

static uint8_t family_of(const PtConnectionFilter *filter)
{
        const struct {
                unsigned field;
                uint8_t family;
        } fields[] = {
                {PT_FILTER_FAMILY, (uint8_t) filter->family},
                {PT_FILTER_ADDRESS, filter->address.family},
                {PT_FILTER_SOURCE, filter->source.family},
                {PT_FILTER_DESTINATION, filter->destination.family},
                {PT_FILTER_REPLY_SOURCE, filter->reply_source.family},
                {PT_FILTER_REPLY_DESTINATION, filter->reply_destination.family},
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
                if (pt_connection_filter_has(filter, fields[i].field))
                        return fields[i].family;
        return AF_UNSPEC;
}

/* What the kernel does not know of this it ignores; all is compared again by the reader. */
static void put_filter(struct nlmsghdr *header, const PtConnectionFilter *filter, uint8_t family)
{
        const struct {
                unsigned field;
                bool wanted;
                uint32_t bit;
        } bits[] = {
                {PT_FILTER_REPLIED, filter->replied, IPS_SEEN_REPLY},
                {PT_FILTER_ASSURED, filter->assured, IPS_ASSURED},
        };
        uint32_t status = 0, mask = 0;

        if (pt_connection_filter_has(filter, PT_FILTER_MARK)) {
                mnl_attr_put_u32(header, CTA_MARK, htonl(filter->mark));
                mnl_attr_put_u32(header, CTA_MARK_MASK, UINT32_MAX);
        }
        for (unsigned i = 0; i < G_N_ELEMENTS(bits); i++)
                if (pt_connection_filter_has(filter, bits[i].field)) {
                        status |= bits[i].wanted ? bits[i].bit : 0;
                        mask |= bits[i].bit;
                }
        if (status) {
                /* A status of nothing means no filter to the kernel. */
                mnl_attr_put_u32(header, CTA_STATUS, htonl(status));
                mnl_attr_put_u32(header, CTA_STATUS_MASK, htonl(mask));
        }
        put_tuple_filter(header, filter, family);
}

/* One datagram of a dump: 1 for more to come, 0 at the end. */
static int read_datagram(char *buffer, size_t size, const PtConnectionFilter *filter,
                         PtConnectionEach each, void *userdata)
{
        int left = (int) size;
        PtConnection connection;

        for (const struct nlmsghdr *header = (const struct nlmsghdr *) buffer;
             pt_nft_reply_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
                const char *message;
                int r = 0;

                if (header->nlmsg_type == NLMSG_DONE)
                        return 0;
                if (pt_nft_reply_error(header, &r, &message))
                        return r < 0 ? r : -EBADMSG;
                if (pt_connection_parse(header, &connection) < 0 ||
                    !pt_connection_matches(filter, &connection))
                        continue;
                r = each(&connection, userdata);
                if (r < 0)
                        return r;
        }
        return 1;
}

int pt_conntrack_dump(PtConntrack *conntrack, const PtConnectionFilter *filter,
                      PtConnectionEach each, void *userdata)
{
        uint8_t family = family_of(filter);
        char request[MNL_NLMSG_HDRLEN + 512];
        struct nlmsghdr *header =
                request_new(conntrack, request, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family);
        int r = 1;

        put_filter(header, filter, family);
        if (mnl_socket_sendto(conntrack->socket, header, header->nlmsg_len) < 0)
                return -errno;
        while (r > 0) {
                ssize_t n = mnl_socket_recvfrom(conntrack->socket, conntrack->buffer, RECEIVE_SIZE);

                if (n < 0)
                        return -errno;
                r = read_datagram(conntrack->buffer, (size_t) n, filter, each, userdata);
        }
        return r;
}

int pt_conntrack_get(PtConntrack *conntrack, const PtConnection *wanted, PtConnection *ret)
{
        char request[MNL_NLMSG_HDRLEN + DELETE_ROOM];
        struct nlmsghdr *header =
                request_new(conntrack, request, IPCTNL_MSG_CT_GET, 0, wanted->family);
        PtConnection found;
        const char *message;
        ssize_t n;
        int r = 0;

        put_tuple(header, CTA_TUPLE_ORIG, wanted);
        if (wanted->zone)
                mnl_attr_put_u16(header, CTA_ZONE, htons(wanted->zone));
        if (mnl_socket_sendto(conntrack->socket, header, header->nlmsg_len) < 0)
                return -errno;
        n = mnl_socket_recvfrom(conntrack->socket, conntrack->buffer, RECEIVE_SIZE);
        if (n < 0)
                return -errno;
        header = (struct nlmsghdr *) (void *) conntrack->buffer;
        if (!pt_nft_reply_ok(header, (int) n))
                return -EBADMSG;
        if (pt_nft_reply_error(header, &r, &message))
                return r < 0 ? r : -EBADMSG;
        r = pt_connection_parse(header, &found);
        if (r < 0)
                return r;
        if (wanted->id != 0 && wanted->id != found.id)
                return -ENOENT;
        *ret = found;
        return 0;
}

/* Answers to the deletions numbered `first` to `last`, of which the last is acknowledged in any
 * case: the number of those that failed because there was nothing, or the first other error. */
static int count_absent(PtConntrack *conntrack, uint32_t first, uint32_t last, size_t *absent)
{
        int result = 0;

        for (;;) {
                ssize_t n = mnl_socket_recvfrom(conntrack->socket, conntrack->buffer, RECEIVE_SIZE);
                int left = (int) n;

                if (n < 0)
                        return -errno;
                for (const struct nlmsghdr *header = (const struct nlmsghdr *) conntrack->buffer;
                     pt_nft_reply_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
                        const char *message;
                        int error;

                        if (!pt_nft_reply_error(header, &error, &message) ||
                            header->nlmsg_seq - first > last - first)
                                continue;
                        if (error < 0)
                                ++*absent;
                        if (error < 0 && error != -ENOENT && result == 0)
                                result = error;
                        if (header->nlmsg_seq == last)
                                return result;
                }
        }
}

static int delete_some(PtConntrack *conntrack, const PtConnection *connections, size_t n,
                       size_t *deleted)
{
        char buffer[DELETE_BATCH * DELETE_ROOM];
        size_t size = 0, absent = 0;
        uint32_t first = conntrack->sequence;
        int r;

        for (size_t i = 0; i < n; i++) {
                struct nlmsghdr *header =
                        request_new(conntrack, buffer + size, IPCTNL_MSG_CT_DELETE,
                                    i + 1 == n ? NLM_F_ACK : 0, connections[i].family);

                put_tuple(header, CTA_TUPLE_ORIG, &connections[i]);
                if (connections[i].zone)
                        mnl_attr_put_u16(header, CTA_ZONE, htons(connections[i].zone));
                if (connections[i].id)
                        mnl_attr_put_u32(header, CTA_ID, htonl(connections[i].id));
                size += NLMSG_ALIGN(header->nlmsg_len);
        }
        if (mnl_socket_sendto(conntrack->socket, buffer, size) < 0)
                return -errno;
        r = count_absent(conntrack, first, conntrack->sequence - 1, &absent);
        *deleted += n - absent;
        return r;
}

int pt_conntrack_delete(PtConntrack *conntrack, const PtConnection *connections, size_t n,
                        size_t *ret_deleted)
{
        size_t deleted = 0;
        int r = 0;

        for (size_t at = 0; r == 0 && at < n; at += DELETE_BATCH)
                r = delete_some(conntrack, connections + at, MIN(n - at, DELETE_BATCH), &deleted);
        if (r < 0)
                return r;
        *ret_deleted = deleted;
        return 0;
}

static int read_count(const char *buffer, size_t size, uint32_t *ret)
{
        const struct nlmsghdr *header = (const struct nlmsghdr *) (const void *) buffer;
        const struct nlattr *attr;
        const char *message;
        int r = 0;

        if (!pt_nft_reply_ok(header, (int) size) ||
            header->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg)))
                return -EBADMSG;
        if (pt_nft_reply_error(header, &r, &message))
                return r < 0 ? r : -EBADMSG;
        mnl_attr_for_each(attr, header, sizeof(struct nfgenmsg))
        {
                if (mnl_attr_get_type(attr) == CTA_STATS_GLOBAL_ENTRIES &&
                    mnl_attr_validate(attr, MNL_TYPE_U32) >= 0) {
                        *ret = ntohl(mnl_attr_get_u32(attr));
                        return 0;
                }
        }
        return -EBADMSG;
}

int pt_conntrack_count(PtConntrack *conntrack, uint32_t *ret)
{
        char request[MNL_NLMSG_HDRLEN + 64];
        struct nlmsghdr *header =
                request_new(conntrack, request, IPCTNL_MSG_CT_GET_STATS, 0, AF_UNSPEC);
        ssize_t n;

        if (mnl_socket_sendto(conntrack->socket, header, header->nlmsg_len) < 0)
                return -errno;
        n = mnl_socket_recvfrom(conntrack->socket, conntrack->buffer, RECEIVE_SIZE);
        if (n < 0)
                return -errno;
        return read_count(conntrack->buffer, (size_t) n, ret);
}
