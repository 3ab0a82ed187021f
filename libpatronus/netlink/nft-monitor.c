/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/nft-socket.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define RECEIVE_SIZE (64U * 1024U)
/* Our own large transactions echo here too. */
#define RECEIVE_BUFFER (16 << 20)

struct PtNftMonitor {
        struct mnl_socket *socket;
        sd_event_source *source;
        char *table;
        PtNftChanged changed;
        void *userdata;
        char *buffer;
};

static const char *string_of(const struct nlattr *attr)
{
        return mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) < 0 ? NULL : mnl_attr_get_str(attr);
}

static void handle(PtNftMonitor *monitor, const struct nlmsghdr *header)
{
        unsigned type = header->nlmsg_type & 0xff;
        const struct nfgenmsg *genmsg = mnl_nlmsg_get_payload(header);
        const struct nlattr *attr;
        const char *table = NULL, *second = NULL, *third = NULL;

        if (header->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES ||
            header->nlmsg_len < NLMSG_LENGTH(sizeof(*genmsg)) || type == NFT_MSG_NEWGEN ||
            genmsg->nfgen_family != NFPROTO_INET)
                return;
        /* 1 is the table everywhere; 2 the chain of a rule, the set, the set of elements; 3 the
         * name of a chain. */
        mnl_attr_for_each(attr, header, sizeof(*genmsg))
        {
                switch (mnl_attr_get_type(attr)) {
                case 1:
                        table = string_of(attr);
                        break;
                case 2:
                        second = string_of(attr);
                        break;
                case 3:
                        third = string_of(attr);
                        break;
                }
        }
        if (g_strcmp0(table, monitor->table) != 0)
                return;
        if (type == NFT_MSG_NEWCHAIN || type == NFT_MSG_DELCHAIN)
                monitor->changed((int) type, header->nlmsg_pid, third, NULL, monitor->userdata);
        else if (type == NFT_MSG_NEWRULE || type == NFT_MSG_DELRULE)
                monitor->changed((int) type, header->nlmsg_pid, second, NULL, monitor->userdata);
        else
                monitor->changed((int) type, header->nlmsg_pid, NULL, second, monitor->userdata);
}

static int readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        PtNftMonitor *monitor = userdata;

        /* Bounded, so that a storm of changes does not starve the rest of the loop. */
        for (unsigned i = 0; i < 256; i++) {
                ssize_t n = recv(fd, monitor->buffer, RECEIVE_SIZE, MSG_DONTWAIT);
                int left = (int) n;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == ENOBUFS) {
                        monitor->changed(-1, 0, NULL, NULL, monitor->userdata);
                        continue;
                }
                if (n < 0)
                        return errno == EAGAIN ? 0 : -errno;
                for (const struct nlmsghdr *header = (const struct nlmsghdr *) monitor->buffer;
                     mnl_nlmsg_ok(header, left); header = mnl_nlmsg_next(header, &left))
                        handle(monitor, header);
        }
        return 0;
}

int pt_nft_monitor_new(int netns_fd, sd_event *event, const char *table, PtNftChanged changed,
                       void *userdata, PtNftMonitor **ret)
{
        g_autoptr(PtNftMonitor) monitor = g_new0(PtNftMonitor, 1);
        int size = RECEIVE_BUFFER;
        int r;

        r = pt_nft_socket_open(netns_fd, 1U << (NFNLGRP_NFTABLES - 1), &monitor->socket);
        if (r < 0)
                return r;
        (void) setsockopt(mnl_socket_get_fd(monitor->socket), SOL_SOCKET, SO_RCVBUFFORCE, &size,
                          sizeof(size));
        monitor->table = g_strdup(table);
        monitor->changed = changed;
        monitor->userdata = userdata;
        monitor->buffer = g_malloc(RECEIVE_SIZE);
        r = sd_event_add_io(event, &monitor->source, mnl_socket_get_fd(monitor->socket), EPOLLIN,
                            readable, monitor);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&monitor);
        return 0;
}

void pt_nft_monitor_free(PtNftMonitor *monitor)
{
        if (!monitor)
                return;
        sd_event_source_disable_unref(monitor->source);
        if (monitor->socket)
                mnl_socket_close(monitor->socket);
        g_free(monitor->table);
        g_free(monitor->buffer);
        g_free(monitor);
}
