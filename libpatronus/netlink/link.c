/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/link.h"

#include "base/marks.h"
#include "netlink/nft-reply.h"
#include "netlink/nft-socket.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define MESSAGE_SIZE (32U * 1024U) /* a datagram of a dump */

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

/* A string that ends within its attribute, and fits. */
static void take_string(const struct nlattr *attr, char *to, size_t size)
{
        size_t n = mnl_attr_get_payload_len(attr);
        const char *text = mnl_attr_get_payload(attr);

        if (n > 0 && n <= size && text[n - 1] == '\0')
                g_strlcpy(to, text, size);
}

int pt_link_parse(const struct nlmsghdr *header, PtLink *ret)
{
        const struct ifinfomsg *message = mnl_nlmsg_get_payload(header);
        PtLink link = {};
        const struct nlattr *attr;

        if (!is(header, RTM_NEWLINK, sizeof(*message)))
                return -ENOENT;
        link.index = (uint32_t) message->ifi_index;
        link.flags = message->ifi_flags;
        mnl_attr_for_each(attr, header, sizeof(*message))
        {
                if (mnl_attr_get_type(attr) == IFLA_IFNAME)
                        take_string(attr, link.name, sizeof(link.name));
                else if (mnl_attr_get_type(attr) == IFLA_IFALIAS)
                        take_string(attr, link.alias, sizeof(link.alias));
                else if (mnl_attr_get_type(attr) == IFLA_MTU &&
                         mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
                        link.mtu = mnl_attr_get_u32(attr);
        }
        if (!link.name[0])
                return -ENOENT;
        *ret = link;
        return 0;
}

int pt_link_route_parse(const struct nlmsghdr *header, uint32_t index, PtAddressRange *ret)
{
        const struct rtmsg *message = mnl_nlmsg_get_payload(header);
        PtAddressRange prefix = {};
        const struct nlattr *attr;
        bool here = false;
        size_t size;

        if (!is(header, RTM_NEWROUTE, sizeof(*message)) ||
            (message->rtm_family != AF_INET && message->rtm_family != AF_INET6))
                return -ENOENT;
        size = address_size(message->rtm_family);
        if (message->rtm_protocol != PT_MARK_ROUTE_PROTOCOL ||
            message->rtm_table != RT_TABLE_MAIN || message->rtm_dst_len > size * 8)
                return -ENOENT;
        prefix.family = message->rtm_family;
        mnl_attr_for_each(attr, header, sizeof(*message))
        {
                if (mnl_attr_get_type(attr) == RTA_OIF &&
                    mnl_attr_get_payload_len(attr) == sizeof(uint32_t))
                        here = mnl_attr_get_u32(attr) == index;
                else if (mnl_attr_get_type(attr) == RTA_DST &&
                         mnl_attr_get_payload_len(attr) == size)
                        memcpy(prefix.lo, mnl_attr_get_payload(attr), size);
        }
        if (!here)
                return -ENOENT;
        memcpy(prefix.hi, prefix.lo, size);
        for (unsigned bit = message->rtm_dst_len; bit < size * 8; bit++)
                prefix.hi[bit / 8] |= (uint8_t) (0x80U >> bit % 8);
        prefix.plen = message->rtm_dst_len;
        *ret = prefix;
        return 0;
}

/* What a request collects. */
typedef struct Answer {
        int (*take)(const struct nlmsghdr *header, void *userdata);
        void *userdata;
} Answer;

/* 1 for more to come; 0 at the end. */
static int read_datagram(const char *buffer, size_t size, const Answer *answer)
{
        int left = (int) size;

        for (const struct nlmsghdr *header = (const struct nlmsghdr *) (const void *) buffer;
             pt_nft_reply_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
                const char *text;
                int error = 0;

                if (header->nlmsg_type == NLMSG_DONE)
                        return 0;
                if (pt_nft_reply_error(header, &error, &text))
                        return error;
                if (answer)
                        (void) answer->take(header, answer->userdata);
        }
        return 1;
}

/* Sends the request in the buffer of MESSAGE_SIZE, and reads what comes until its end. */
static int ask(int netns_fd, char *buffer, const Answer *answer)
{
        struct nlmsghdr *header = (struct nlmsghdr *) (void *) buffer;
        struct mnl_socket *socket;
        int r = pt_netlink_socket_open(NETLINK_ROUTE, netns_fd, 0, &socket);

        if (r < 0)
                return r;
        r = mnl_socket_sendto(socket, header, header->nlmsg_len) < 0 ? -errno : 1;
        while (r > 0) {
                ssize_t n = mnl_socket_recvfrom(socket, buffer, MESSAGE_SIZE);

                r = n < 0 ? -errno : read_datagram(buffer, (size_t) n, answer);
        }
        mnl_socket_close(socket);
        return r;
}

/* A request that is acknowledged, or dumps. */
static struct nlmsghdr *begin(char *buffer, uint16_t type, unsigned flags)
{
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);

        header->nlmsg_type = type;
        header->nlmsg_flags = (uint16_t) (NLM_F_REQUEST | flags);
        return header;
}

static int take_link(const struct nlmsghdr *header, void *userdata)
{
        return pt_link_parse(header, userdata);
}

int pt_link_get(int netns_fd, const char *name, PtLink *ret)
{
        g_autofree char *buffer = g_malloc(MESSAGE_SIZE);
        struct nlmsghdr *header = begin(buffer, RTM_GETLINK, NLM_F_ACK);
        PtLink link = {};
        int r;

        if (strlen(name) >= IF_NAMESIZE)
                return -ENODEV;
        (void) mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
        mnl_attr_put_strz(header, IFLA_IFNAME, name);
        r = ask(netns_fd, buffer, &(Answer){take_link, &link});
        if (r == 0 && link.index == 0)
                r = -ENODEV;
        if (r < 0)
                return r;
        *ret = link;
        return 0;
}

typedef struct Found {
        const char *prefix;
        GArray *links;
} Found;

static int take_found(const struct nlmsghdr *header, void *userdata)
{
        Found *found = userdata;
        PtLink link;

        if (pt_link_parse(header, &link) == 0 && g_str_has_prefix(link.alias, found->prefix))
                g_array_append_val(found->links, link);
        return 0;
}

int pt_links_find(int netns_fd, const char *alias_prefix, GArray **ret)
{
        g_autofree char *buffer = g_malloc(MESSAGE_SIZE);
        g_autoptr(GArray) links = g_array_new(FALSE, FALSE, sizeof(PtLink));
        struct nlmsghdr *header = begin(buffer, RTM_GETLINK, NLM_F_DUMP);
        Found found = {alias_prefix, links};
        int r;

        (void) mnl_nlmsg_put_extra_header(header, sizeof(struct ifinfomsg));
        r = ask(netns_fd, buffer, &(Answer){take_found, &found});
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&links);
        return 0;
}

int pt_link_set(int netns_fd, uint32_t index, unsigned mtu, const char *alias)
{
        g_autofree char *buffer = g_malloc(MESSAGE_SIZE);
        struct nlmsghdr *header = begin(buffer, RTM_NEWLINK, NLM_F_ACK);
        struct ifinfomsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

        message->ifi_index = (int) index;
        message->ifi_flags = message->ifi_change = IFF_UP;
        mnl_attr_put_u32(header, IFLA_MTU, mtu);
        mnl_attr_put_str(header, IFLA_IFALIAS, alias);
        return ask(netns_fd, buffer, NULL);
}

int pt_link_delete(int netns_fd, uint32_t index)
{
        g_autofree char *buffer = g_malloc(MESSAGE_SIZE);
        struct nlmsghdr *header = begin(buffer, RTM_DELLINK, NLM_F_ACK);
        struct ifinfomsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

        message->ifi_index = (int) index;
        return ask(netns_fd, buffer, NULL);
}

static int change_route(int netns_fd, uint16_t type, unsigned flags, uint32_t index,
                        const PtAddressRange *prefix)
{
        g_autofree char *buffer = g_malloc(MESSAGE_SIZE);
        struct nlmsghdr *header = begin(buffer, type, NLM_F_ACK | flags);
        struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));

        message->rtm_family = prefix->family;
        message->rtm_dst_len = prefix->plen;
        message->rtm_table = RT_TABLE_MAIN;
        message->rtm_protocol = PT_MARK_ROUTE_PROTOCOL;
        message->rtm_type = RTN_UNICAST;
        message->rtm_scope = prefix->family == AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
        mnl_attr_put(header, RTA_DST, address_size(prefix->family), prefix->lo);
        mnl_attr_put_u32(header, RTA_OIF, index);
        return ask(netns_fd, buffer, NULL);
}

typedef struct Routes {
        uint32_t index;
        GArray *prefixes;
} Routes;

static int take_route(const struct nlmsghdr *header, void *userdata)
{
        Routes *routes = userdata;
        PtAddressRange prefix;

        if (pt_link_route_parse(header, routes->index, &prefix) == 0)
                g_array_append_val(routes->prefixes, prefix);
        return 0;
}

int pt_link_routes(int netns_fd, uint32_t index, GArray **ret)
{
        g_autofree char *buffer = g_malloc(MESSAGE_SIZE);
        g_autoptr(GArray) prefixes = g_array_new(FALSE, FALSE, sizeof(PtAddressRange));
        Routes routes = {index, prefixes};
        static const uint8_t families[] = {AF_INET, AF_INET6};

        for (unsigned i = 0; i < G_N_ELEMENTS(families); i++) {
                struct nlmsghdr *header = begin(buffer, RTM_GETROUTE, NLM_F_DUMP);
                struct rtmsg *message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
                int r;

                message->rtm_family = families[i];
                message->rtm_protocol = PT_MARK_ROUTE_PROTOCOL;
                message->rtm_table = RT_TABLE_MAIN;
                mnl_attr_put_u32(header, RTA_OIF, index);
                r = ask(netns_fd, buffer, &(Answer){take_route, &routes});
                if (r < 0)
                        return r;
        }
        *ret = g_steal_pointer(&prefixes);
        return 0;
}

static bool same_prefix(const PtAddressRange *a, const PtAddressRange *b)
{
        return a->family == b->family && a->plen == b->plen &&
               memcmp(a->lo, b->lo, address_size(a->family)) == 0;
}

int pt_link_route_add(int netns_fd, uint32_t index, const PtAddressRange *prefix)
{
        g_autoptr(GArray) routes = NULL;
        int r = pt_link_routes(netns_fd, index, &routes);

        if (r < 0)
                return r;
        for (unsigned i = 0; i < routes->len; i++)
                if (same_prefix(&g_array_index(routes, PtAddressRange, i), prefix))
                        return 0;
        return change_route(netns_fd, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, index, prefix);
}

int pt_link_route_delete(int netns_fd, uint32_t index, const PtAddressRange *prefix)
{
        return change_route(netns_fd, RTM_DELROUTE, 0, index, prefix);
}

struct PtLinkMonitor {
        struct mnl_socket *socket;
        sd_event_source *source;
        void (*changed)(void *userdata);
        void *userdata;
};

static int hear(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        PtLinkMonitor *monitor = userdata;
        char buffer[4096]; /* what it says is asked for again */
        bool any = false;
        ssize_t n;

        /* ENOBUFS: messages were lost. */
        while ((n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT)) > 0 ||
               (n < 0 && errno == ENOBUFS))
                any = true;
        if (any)
                monitor->changed(monitor->userdata);
        return 0;
}

int pt_link_monitor_new(int netns_fd, sd_event *event, void (*changed)(void *userdata),
                        void *userdata, PtLinkMonitor **ret)
{
        g_autoptr(PtLinkMonitor) monitor = g_new0(PtLinkMonitor, 1);
        int r = pt_netlink_socket_open(NETLINK_ROUTE, netns_fd, RTMGRP_LINK, &monitor->socket);

        monitor->changed = changed;
        monitor->userdata = userdata;
        if (r >= 0)
                r = sd_event_add_io(event, &monitor->source, mnl_socket_get_fd(monitor->socket),
                                    EPOLLIN, hear, monitor);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&monitor);
        return 0;
}

void pt_link_monitor_free(PtLinkMonitor *monitor)
{
        if (!monitor)
                return;
        sd_event_source_disable_unref(monitor->source);
        if (monitor->socket)
                mnl_socket_close(monitor->socket);
        g_free(monitor);
}
