/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/nft-reply.h"
#include "netlink/nft-socket.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define RECEIVE_SIZE (64U * 1024U)
/* Our own transactions echo here too, but for those that the monitor is paused for. */
#define RECEIVE_BUFFER (16 << 20)
/* Datagrams of a turn of the loop: a storm of changes must not starve the rest of it. */
#define TURN_MAX 256U
/* Of one call that wants all: as many as the buffer holds of the smallest (its accounting counts at
 * least 768 bytes each, SKB_TRUESIZE), so that who goes on sending cannot hold us. */
#define HEAR_MAX (RECEIVE_BUFFER * 2U / 768U)

struct PtNftMonitor {
        struct mnl_socket *socket;
        sd_event_source *source;
        sd_event_source *missed; /* waits to be told */
        char *table;
        PtNftChanged changed;
        void *userdata;
        char *buffer;
};

static void handle(PtNftMonitor *monitor, const struct nlmsghdr *header)
{
        const char *chain, *set;
        int type;

        if (pt_nft_reply_change(header, monitor->table, &type, &chain, &set))
                monitor->changed(type, header->nlmsg_pid, chain, set, monitor->userdata);
}

/* Up to `most` datagrams of those that are there. */
static int hear(PtNftMonitor *monitor, unsigned most)
{
        int fd = mnl_socket_get_fd(monitor->socket);

        for (unsigned i = 0; i < most; i++) {
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
                     pt_nft_reply_ok(header, left); header = mnl_nlmsg_next(header, &left))
                        handle(monitor, header);
        }
        return 0;
}

static int readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        return hear(userdata, TURN_MAX);
}

int pt_nft_monitor_hear(PtNftMonitor *monitor)
{
        return hear(monitor, HEAR_MAX);
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

int pt_nft_monitor_pause(PtNftMonitor *monitor)
{
        int group = NFNLGRP_NFTABLES;

        return mnl_socket_setsockopt(monitor->socket, NETLINK_DROP_MEMBERSHIP, &group,
                                     sizeof(group)) < 0
                       ? -errno
                       : 0;
}

static int tell_missed(sd_event_source *source, void *userdata)
{
        PtNftMonitor *monitor = userdata;

        monitor->missed = sd_event_source_disable_unref(monitor->missed);
        monitor->changed(-1, 0, NULL, NULL, monitor->userdata);
        return 0;
}

int pt_nft_monitor_resume(PtNftMonitor *monitor, bool missed)
{
        int group = NFNLGRP_NFTABLES;

        if (mnl_socket_setsockopt(monitor->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
            0)
                return -errno;
        if (!missed || monitor->missed)
                return 0;
        return sd_event_add_defer(sd_event_source_get_event(monitor->source), &monitor->missed,
                                  tell_missed, monitor);
}

void pt_nft_monitor_free(PtNftMonitor *monitor)
{
        if (!monitor)
                return;
        sd_event_source_disable_unref(monitor->missed);
        sd_event_source_disable_unref(monitor->source);
        if (monitor->socket)
                mnl_socket_close(monitor->socket);
        g_free(monitor->table);
        g_free(monitor->buffer);
        g_free(monitor);
}
