/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "netlink/nflog.h"

#include "netlink/nft-reply.h"
#include "netlink/nft-socket.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define RECEIVE_SIZE (128U * 1024U)
/* Half a second of a flood of small packets, while the loop does something else. */
#define RECEIVE_BUFFER (16 << 20)
/* The kernel's own buffer for what it collects (NFULNL_NLBUFSIZ_MAX is 128 KiB). */
#define COLLECT_SIZE (64U * 1024U)
#define COLLECT_PACKETS 64U
/* What is read of a packet: its headers. Rules say so too (nft-expr.c). */
#define COPY_SIZE 128U
/* Datagrams of a turn of the loop: whoever floods the log does not keep us from anything else. */
#define TURN_MAX 8U
/* IEEE 802.1Q 9.6: the rest of the tag is a priority. */
#define VLAN_BITS 0x0fff
/* After all else that the loop has to do. */
#define PRIORITY 50

struct PtNflog {
        struct mnl_socket *socket;
        sd_event_source *source;
        uint16_t group;
        uint32_t sequence; /* that the next packet has, if none is lost */
        bool running;      /* there was one */
        PtNflogLogged logged;
        PtNflogLost lost;
        void *userdata;
        char *buffer;
};

static int take_attribute(const struct nlattr *attribute, void *userdata)
{
        const struct nlattr **attributes = userdata;

        if (mnl_attr_get_type(attribute) <= NFULA_MAX)
                attributes[mnl_attr_get_type(attribute)] = attribute;
        return MNL_CB_OK;
}

/* The attribute's contents, if there are as many. */
static const void *contents(const struct nlattr *attribute, size_t size)
{
        return attribute && mnl_attr_get_payload_len(attribute) >= size
                       ? mnl_attr_get_payload(attribute)
                       : NULL;
}

static uint32_t number(const struct nlattr *attribute)
{
        const void *value = contents(attribute, sizeof(uint32_t));
        uint32_t n = 0;

        if (value)
                memcpy(&n, value, sizeof(n));
        return ntohl(n);
}

static void read_time(const struct nlattr *attribute, PtNflogPacket *packet)
{
        struct nfulnl_msg_packet_timestamp stamp;
        const void *value = contents(attribute, sizeof(stamp));

        if (!value)
                return;
        memcpy(&stamp, value, sizeof(stamp));
        packet->time_usec = be64toh(stamp.sec) * 1000000U + be64toh(stamp.usec);
}

static void read_mac(const struct nlattr *attribute, PtNflogPacket *packet)
{
        const struct nfulnl_msg_packet_hw *address =
                contents(attribute, sizeof(struct nfulnl_msg_packet_hw));

        if (address && ntohs(address->hw_addrlen) == 6)
                packet->mac = address->hw_addr;
}

static uint16_t number16(const struct nlattr *attribute)
{
        const void *value = contents(attribute, sizeof(uint16_t));
        uint16_t n = 0;

        if (value)
                memcpy(&n, value, sizeof(n));
        return ntohs(n);
}

static int take_vlan(const struct nlattr *attribute, void *userdata)
{
        PtNflogPacket *packet = userdata;

        if (mnl_attr_get_type(attribute) == NFULA_VLAN_PROTO)
                packet->vlan_type = number16(attribute);
        else if (mnl_attr_get_type(attribute) == NFULA_VLAN_TCI)
                packet->vlan = number16(attribute) & VLAN_BITS;
        return MNL_CB_OK;
}

/* What is beside a frame of a bridge: where br_netfilter is built in, the ports are the physical
 * interfaces, and the others are the bridge (__build_packet_message() in
 * net/netfilter/nfnetlink_log.c). */
static void read_frame(const struct nlattr *const *attributes, PtNflogPacket *packet)
{
        packet->bridge = true;
        packet->link = contents(attributes[NFULA_L2HDR], ETH_HLEN);
        if (attributes[NFULA_VLAN])
                (void) mnl_attr_parse_nested(attributes[NFULA_VLAN], take_vlan, packet);
        packet->in = number(attributes[NFULA_IFINDEX_PHYSINDEV]) ?: packet->in;
        packet->out = number(attributes[NFULA_IFINDEX_PHYSOUTDEV]) ?: packet->out;
}

int pt_nflog_parse(const struct nlmsghdr *header, int left, PtNflogPacket *ret)
{
        const struct nlattr *attributes[NFULA_MAX + 1] = {NULL};
        const struct nfulnl_msg_packet_hdr *about;
        PtNflogPacket packet = {0};

        if (!pt_nft_reply_ok(header, left) ||
            header->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
            mnl_nlmsg_get_payload_len(header) < sizeof(struct nfgenmsg) ||
            mnl_attr_parse(header, sizeof(struct nfgenmsg), take_attribute, attributes) < 0)
                return -EBADMSG;
        about = contents(attributes[NFULA_PACKET_HDR], sizeof(*about));
        if (!about)
                return -EBADMSG;
        packet.ethertype = ntohs(about->hw_protocol);
        packet.hook = about->hook;
        if (attributes[NFULA_PREFIX]) {
                packet.prefix = mnl_attr_get_payload(attributes[NFULA_PREFIX]);
                packet.prefix_size =
                        strnlen(packet.prefix, mnl_attr_get_payload_len(attributes[NFULA_PREFIX]));
        }
        if (attributes[NFULA_PAYLOAD]) {
                packet.payload = mnl_attr_get_payload(attributes[NFULA_PAYLOAD]);
                packet.size = mnl_attr_get_payload_len(attributes[NFULA_PAYLOAD]);
        }
        read_mac(attributes[NFULA_HWADDR], &packet);
        read_time(attributes[NFULA_TIMESTAMP], &packet);
        packet.in = number(attributes[NFULA_IFINDEX_INDEV]);
        packet.out = number(attributes[NFULA_IFINDEX_OUTDEV]);
        packet.mark = number(attributes[NFULA_MARK]);
        if (((const struct nfgenmsg *) mnl_nlmsg_get_payload(header))->nfgen_family ==
            NFPROTO_BRIDGE)
                read_frame(attributes, &packet);
        packet.sequence = number(attributes[NFULA_SEQ]);
        packet.numbered = attributes[NFULA_SEQ] != NULL;
        *ret = packet;
        return 0;
}

static void handle(PtNflog *nflog, const struct nlmsghdr *header, int left)
{
        PtNflogPacket packet;

        if (pt_nflog_parse(header, left, &packet) < 0)
                return;
        if (packet.numbered) {
                if (nflog->running && packet.sequence != nflog->sequence)
                        nflog->lost(packet.sequence - nflog->sequence, nflog->userdata);
                nflog->sequence = packet.sequence + 1;
                nflog->running = true;
        }
        nflog->logged(&packet, nflog->userdata);
}

static int readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        PtNflog *nflog = userdata;

        for (unsigned i = 0; i < TURN_MAX; i++) {
                ssize_t n = recv(fd, nflog->buffer, RECEIVE_SIZE, MSG_DONTWAIT);
                int left = (int) n;

                /* What ENOBUFS says, the next packet's number says exactly. */
                if (n < 0 && (errno == EINTR || errno == ENOBUFS))
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? 0 : -errno;
                for (const struct nlmsghdr *header = (const struct nlmsghdr *) nflog->buffer;
                     pt_nft_reply_ok(header, left); header = mnl_nlmsg_next(header, &left))
                        handle(nflog, header, left);
        }
        return 0;
}

static struct nlmsghdr *config_new(const PtNflog *nflog, void *buffer)
{
        struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
        struct nfgenmsg *genmsg;

        header->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
        header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
        genmsg = mnl_nlmsg_put_extra_header(header, sizeof(*genmsg));
        genmsg->nfgen_family = AF_UNSPEC;
        genmsg->version = NFNETLINK_V0;
        genmsg->res_id = htons(nflog->group);
        return header;
}

/* Packets may come before the acknowledgement. */
static int await_answer(PtNflog *nflog)
{
        for (;;) {
                ssize_t n = recv(mnl_socket_get_fd(nflog->socket), nflog->buffer, RECEIVE_SIZE, 0);
                int left = (int) n;

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                for (const struct nlmsghdr *header = (const struct nlmsghdr *) nflog->buffer;
                     pt_nft_reply_ok(header, left); header = mnl_nlmsg_next(header, &left)) {
                        const char *message;
                        int error;

                        if (pt_nft_reply_error(header, &error, &message))
                                return error;
                        handle(nflog, header, left);
                }
        }
}

static int configure(PtNflog *nflog)
{
        char buffer[512];
        struct nfulnl_msg_config_cmd bind = {.command = NFULNL_CFG_CMD_BIND};
        struct nfulnl_msg_config_mode mode = {.copy_range = htonl(COPY_SIZE),
                                              .copy_mode = NFULNL_COPY_PACKET};
        struct nlmsghdr *header = config_new(nflog, buffer);
        int r;

        mnl_attr_put(header, NFULA_CFG_CMD, sizeof(bind), &bind);
        if (mnl_socket_sendto(nflog->socket, header, header->nlmsg_len) < 0)
                return -errno;
        r = await_answer(nflog);
        if (r < 0)
                return r;
        header = config_new(nflog, buffer);
        mnl_attr_put(header, NFULA_CFG_MODE, sizeof(mode), &mode);
        mnl_attr_put_u32(header, NFULA_CFG_NLBUFSIZ, htonl(COLLECT_SIZE));
        mnl_attr_put_u32(header, NFULA_CFG_QTHRESH, htonl(COLLECT_PACKETS));
        mnl_attr_put_u32(header, NFULA_CFG_TIMEOUT, htonl(PT_NFLOG_DELAY_CSEC));
        mnl_attr_put_u16(header, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
        if (mnl_socket_sendto(nflog->socket, header, header->nlmsg_len) < 0)
                return -errno;
        return await_answer(nflog);
}

int pt_nflog_new(int netns_fd, sd_event *event, uint16_t group, PtNflogLogged logged,
                 PtNflogLost lost, void *userdata, PtNflog **ret)
{
        g_autoptr(PtNflog) nflog = g_new0(PtNflog, 1);
        int size = RECEIVE_BUFFER;
        int r;

        nflog->group = group;
        nflog->logged = logged;
        nflog->lost = lost;
        nflog->userdata = userdata;
        r = pt_nft_socket_open(netns_fd, 0, &nflog->socket);
        if (r < 0)
                return r;
        (void) setsockopt(mnl_socket_get_fd(nflog->socket), SOL_SOCKET, SO_RCVBUFFORCE, &size,
                          sizeof(size));
        nflog->buffer = g_malloc(RECEIVE_SIZE);
        r = configure(nflog);
        if (r < 0) /* nfulnl_recv_config(): EBUSY for a group that is bound, EPERM for another's */
                return r == -EPERM ? -EBUSY : r;
        r = sd_event_add_io(event, &nflog->source, mnl_socket_get_fd(nflog->socket), EPOLLIN,
                            readable, nflog);
        if (r >= 0)
                r = sd_event_source_set_priority(nflog->source, PRIORITY);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&nflog);
        return 0;
}

void pt_nflog_free(PtNflog *nflog)
{
        if (!nflog)
                return;
        sd_event_source_disable_unref(nflog->source);
        if (nflog->socket)
                mnl_socket_close(nflog->socket);
        g_free(nflog->buffer);
        g_free(nflog);
}
