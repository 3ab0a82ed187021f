/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/addresses.h"

#include "netlink/nft-reply.h"
#include "netlink/nft-socket.h"

#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#define RECEIVE_SIZE (32U * 1024U)

int pt_local_address_parse(const struct nlmsghdr *header, PtLocalAddress *ret)
{
        const struct ifaddrmsg *message = mnl_nlmsg_get_payload(header);
        const struct nlattr *attr, *found = NULL;
        size_t size;

        if (header->nlmsg_type != RTM_NEWADDR || header->nlmsg_len < NLMSG_LENGTH(sizeof(*message)))
                return -ENOENT;
        /* The kernel's lengths are whole words; libmnl rounds others up, and reads past the end. */
        if (header->nlmsg_len % NLMSG_ALIGNTO != 0)
                return -ENOENT;
        size = message->ifa_family == AF_INET ? 4 : message->ifa_family == AF_INET6 ? 16 : 0;
        mnl_attr_for_each(attr, header, sizeof(*message))
        {
                /* Of a link between two, IFA_ADDRESS is the other end. */
                if (mnl_attr_get_payload_len(attr) == size &&
                    (mnl_attr_get_type(attr) == IFA_LOCAL ||
                     (mnl_attr_get_type(attr) == IFA_ADDRESS && !found)))
                        found = attr;
        }
        if (size == 0 || !found)
                return -ENOENT;
        *ret = (PtLocalAddress){.family = message->ifa_family,
                                .plen = message->ifa_prefixlen,
                                .index = message->ifa_index};
        memcpy(ret->address, mnl_attr_get_payload(found), size);
        return 0;
}

/* 1 for more to come, 0 at the end. */
static int read_datagram(const char *buffer, size_t size, GArray *addresses)
{
        int left = (int) size;

        for (const struct nlmsghdr *header = (const struct nlmsghdr *) (const void *) buffer;
             pt_nft_reply_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
                PtLocalAddress address;
                const char *text;
                int error = 0;

                if (header->nlmsg_type == NLMSG_DONE)
                        return 0;
                if (pt_nft_reply_error(header, &error, &text))
                        return error < 0 ? error : -EBADMSG;
                if (pt_local_address_parse(header, &address) == 0)
                        g_array_append_val(addresses, address);
        }
        return 1;
}

int pt_local_addresses(int netns_fd, GArray **ret)
{
        g_autoptr(GArray) addresses = g_array_new(FALSE, FALSE, sizeof(PtLocalAddress));
        g_autofree char *buffer = g_malloc(RECEIVE_SIZE);
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        struct mnl_socket *socket;
        int r;

        r = pt_netlink_socket_open(NETLINK_ROUTE, netns_fd, 0, &socket);
        if (r < 0)
                return r;
        header->nlmsg_type = RTM_GETADDR;
        header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
        ((struct ifaddrmsg *) mnl_nlmsg_put_extra_header(header, sizeof(struct ifaddrmsg)))
                ->ifa_family = AF_UNSPEC;
        r = mnl_socket_sendto(socket, header, header->nlmsg_len) < 0 ? -errno : 1;
        while (r > 0) {
                ssize_t n = mnl_socket_recvfrom(socket, buffer, RECEIVE_SIZE);

                r = n < 0 ? -errno : read_datagram(buffer, (size_t) n, addresses);
        }
        mnl_socket_close(socket);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&addresses);
        return 0;
}
