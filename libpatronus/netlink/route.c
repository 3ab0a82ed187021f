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

struct PtRouter {
        struct mnl_socket *socket;
        GHashTable *links; /* index -> PtRoute with what is known of the link */
        char buffer[MESSAGE_SIZE];
};

int pt_router_open(int netns_fd, PtRouter **ret)
{
        g_autoptr(PtRouter) router = g_new0(PtRouter, 1);
        int r = pt_netlink_socket_open(NETLINK_ROUTE, netns_fd, 0, &router->socket);

        if (r < 0)
                return r;
        router->links = g_hash_table_new_full(NULL, NULL, NULL, g_free);
        *ret = g_steal_pointer(&router);
        return 0;
}

void pt_router_close(PtRouter *router)
{
        if (!router)
                return;
        if (router->socket)
                mnl_socket_close(router->socket);
        g_clear_pointer(&router->links, g_hash_table_unref);
        g_free(router);
}

/* Sends the request in the buffer, and gives the one message of the answer, in the same buffer. */
static int ask(PtRouter *router, const struct nlmsghdr **ret)
{
        struct nlmsghdr *header = (struct nlmsghdr *) (void *) router->buffer;
        const char *text;
        int error = 0;
        ssize_t n;

        header->nlmsg_flags = NLM_F_REQUEST;
        n = mnl_socket_sendto(router->socket, header, header->nlmsg_len);
        if (n >= 0)
                n = mnl_socket_recvfrom(router->socket, router->buffer, MESSAGE_SIZE);
        if (n < 0)
                return -errno;
        if (!pt_nft_reply_ok(header, (int) n))
                return -EBADMSG;
        if (pt_nft_reply_error(header, &error, &text))
                return error < 0 ? error : -EBADMSG;
        *ret = header;
        return 0;
}

static int get_link(PtRouter *router, PtRoute *route)
{
        const PtRoute *known = g_hash_table_lookup(router->links, GUINT_TO_POINTER(route->index));
        const struct nlmsghdr *answer;
        struct ifinfomsg *message;
        struct nlmsghdr *header;
        int r;

        if (known) {
                memcpy(route->name, known->name, sizeof(route->name));
                route->link_type = known->link_type;
                return 0;
        }
        header = mnl_nlmsg_put_header(router->buffer);
        message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
        header->nlmsg_type = RTM_GETLINK;
        message->ifi_index = (int) route->index;
        r = ask(router, &answer);
        if (r == 0)
                r = pt_route_link_parse(answer, route);
        if (r == 0)
                g_hash_table_insert(router->links, GUINT_TO_POINTER(route->index),
                                    g_memdup2(route, sizeof(*route)));
        return r;
}

int pt_router_get(PtRouter *router, const PtRouteQuery *query, PtRoute *ret)
{
        struct nlmsghdr *header = mnl_nlmsg_put_header(router->buffer);
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
        r = ask(router, &answer);
        if (r == 0)
                r = pt_route_parse(answer, query, &route);
        if (r == 0)
                r = get_link(router, &route);
        if (r < 0)
                return r;
        *ret = route;
        return 0;
}

int pt_route_get(int netns_fd, const PtRouteQuery *query, PtRoute *ret)
{
        g_autoptr(PtRouter) router = NULL;
        int r = pt_router_open(netns_fd, &router);

        return r < 0 ? r : pt_router_get(router, query, ret);
}

int pt_neighbour_get(int netns_fd, uint32_t index, int family, const uint8_t *address,
                     uint8_t ret[static MAC_SIZE])
{
        g_autoptr(PtRouter) router = NULL;
        const struct nlmsghdr *answer;
        struct nlmsghdr *header;
        struct ndmsg *message;
        int r = pt_router_open(netns_fd, &router);

        if (r < 0)
                return r;
        header = mnl_nlmsg_put_header(router->buffer);
        message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
        header->nlmsg_type = RTM_GETNEIGH;
        message->ndm_family = (uint8_t) family;
        message->ndm_ifindex = (int) index;
        mnl_attr_put(header, NDA_DST, address_size(family), address);
        r = ask(router, &answer);
        return r < 0 ? r : pt_neighbour_parse(answer, ret);
}
