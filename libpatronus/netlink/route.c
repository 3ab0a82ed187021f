/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/route.h"

#include "netlink/nft-reply.h"
#include "netlink/nft-socket.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define MESSAGE_SIZE                                                                               \
        (16U * 1024U) /* an answer about a link with all its statistics is below 4 KiB */
#define MAC_SIZE 6

static size_t address_size(int family)
{
        return family == AF_INET6 ? 16 : 4;
}

/* Whether it is a message of the type with this much before its attributes. */
static bool is(const struct nlmsghdr *header, uint16_t type, size_t size)
{
        /* The kernel's lengths are whole words; libmnl rounds others up, and reads past the end. */
        return header->nlmsg_type == type && header->nlmsg_len >= NLMSG_LENGTH(size) &&
               header->nlmsg_len % NLMSG_ALIGNTO == 0;
}

int pt_route_parse(const struct nlmsghdr *header, const PtRouteQuery *query, PtRoute *ret)
{
        const struct rtmsg *message = mnl_nlmsg_get_payload(header);
        PtRoute route = {};
        const struct nlattr *attr;

        if (!is(header, RTM_NEWROUTE, sizeof(*message)))
                return -ENOENT;
        route.local = message->rtm_type == RTN_LOCAL;
        memcpy(route.next_hop, query->destination, address_size(query->family));
        mnl_attr_for_each(attr, header, sizeof(*message))
        {
                size_t size = mnl_attr_get_payload_len(attr);

                if (mnl_attr_get_type(attr) == RTA_OIF && size == sizeof(uint32_t)) {
                        route.index = mnl_attr_get_u32(attr);
                } else if (mnl_attr_get_type(attr) == RTA_GATEWAY &&
                           size == address_size(query->family)) {
                        memcpy(route.next_hop, mnl_attr_get_payload(attr), size);
                        route.by_gateway = true;
                } else if (mnl_attr_get_type(attr) == RTA_VIA) {
                        /* A gateway of the other family has no hardware address to be asked for. */
                        memset(route.next_hop, 0, sizeof(route.next_hop));
                        route.by_gateway = true;
                }
        }
        switch (message->rtm_type) {
        case RTN_LOCAL:
        case RTN_UNICAST:
                break;
        case RTN_BLACKHOLE:
                return -EINVAL;
        case RTN_PROHIBIT:
                return -EACCES;
        default: /* not an enum of ours: unreachable, multicast and others */
                return -EHOSTUNREACH;
        }
        if (route.index == 0)
                return -EHOSTUNREACH;
        *ret = route;
        return 0;
}

int pt_route_link_parse(const struct nlmsghdr *header, PtRoute *ret)
{
        const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
        const struct nlattr *attr;

        if (!is(header, RTM_NEWLINK, sizeof(*message)))
                return -ENOENT;
        mnl_attr_for_each(attr, header, sizeof(*message))
        {
                size_t size = mnl_attr_get_payload_len(attr);

                if (mnl_attr_get_type(attr) != IFLA_IFNAME || size == 0 ||
                    size > sizeof(ret->name) ||
                    ((const char *) mnl_attr_get_payload(attr))[size - 1] != '\0')
                        continue;
                memset(ret->name, 0, sizeof(ret->name));
                memcpy(ret->name, mnl_attr_get_payload(attr), size);
                ret->link_type = message->ifi_type;
                return 0;
        }
        return -ENOENT;
}

int pt_neighbour_parse(const struct nlmsghdr *header, uint8_t ret[static MAC_SIZE])
{
        const struct ndmsg *message = mnl_nlmsg_get_payload(header);
        const struct nlattr *attr;

        if (!is(header, RTM_NEWNEIGH, sizeof(*message)))
                return -ENOENT;
        mnl_attr_for_each(attr, header, sizeof(*message))
        {
                if (mnl_attr_get_type(attr) != NDA_LLADDR ||
                    mnl_attr_get_payload_len(attr) != MAC_SIZE)
                        continue;
                memcpy(ret, mnl_attr_get_payload(attr), MAC_SIZE);
                return 0;
        }
        return -ENOENT;
}

/* Sends a request, and gives the one message of the answer, in the same buffer. */
static int ask(int netns_fd, char *buffer, const struct nlmsghdr **ret)
{
        struct nlmsghdr *header = (struct nlmsghdr *) (void *) buffer;
        struct mnl_socket *socket;
        const char *text;
        int r, error = 0;
        ssize_t n;

        header->nlmsg_flags = NLM_F_REQUEST;
        r = pt_netlink_socket_open(NETLINK_ROUTE, netns_fd, 0, &socket);
        if (r < 0)
                return r;
        n = mnl_socket_sendto(socket, header, header->nlmsg_len);
        if (n >= 0)
                n = mnl_socket_recvfrom(socket, buffer, MESSAGE_SIZE);
        r = n < 0 ? -errno : 0;
        mnl_socket_close(socket);
        if (r < 0)
                return r;
        if (!pt_nft_reply_ok(header, (int) n))
                return -EBADMSG;
        if (pt_nft_reply_error(header, &error, &text))
                return error < 0 ? error : -EBADMSG;
        *ret = header;
        return 0;
}

static int get_link(int netns_fd, char *buffer, PtRoute *route)
{
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        struct ifinfomsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
        const struct nlmsghdr *answer;
        int r;

        header->nlmsg_type = RTM_GETLINK;
        message->ifi_index = (int) route->index;
        r = ask(netns_fd, buffer, &answer);
        return r < 0 ? r : pt_route_link_parse(answer, route);
}

int pt_route_get(int netns_fd, const PtRouteQuery *query, PtRoute *ret)
{
        g_autofree char *buffer = g_malloc(MESSAGE_SIZE);
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
        size_t size = address_size(query->family);
        const struct nlmsghdr *answer;
        PtRoute route;
        int r;

        header->nlmsg_type = RTM_GETROUTE;
        message->rtm_family = (uint8_t) query->family;
        message->rtm_dst_len = (uint8_t) (size * 8);
        mnl_attr_put(header, RTA_DST, size, query->destination);
        if (query->source) {
                message->rtm_src_len = (uint8_t) (size * 8);
                mnl_attr_put(header, RTA_SRC, size, query->source);
        }
        if (query->arrives > 0)
                mnl_attr_put_u32(header, RTA_IIF, query->arrives);
        r = ask(netns_fd, buffer, &answer);
        if (r == 0)
                r = pt_route_parse(answer, query, &route);
        if (r == 0)
                r = get_link(netns_fd, buffer, &route);
        if (r < 0)
                return r;
        *ret = route;
        return 0;
}

int pt_neighbour_get(int netns_fd, uint32_t index, int family, const uint8_t *address,
                     uint8_t ret[static MAC_SIZE])
{
        g_autofree char *buffer = g_malloc(MESSAGE_SIZE);
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        struct ndmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
        const struct nlmsghdr *answer;
        int r;

        header->nlmsg_type = RTM_GETNEIGH;
        message->ndm_family = (uint8_t) family;
        message->ndm_ifindex = (int) index;
        mnl_attr_put(header, NDA_DST, address_size(family), address);
        r = ask(netns_fd, buffer, &answer);
        return r < 0 ? r : pt_neighbour_parse(answer, ret);
}
