/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Packets that rules log, as the kernel hands them over (nfnetlink_log). A group has one reader. The
 * kernel collects some before it sends them, for at most PT_NFLOG_DELAY_CSEC; what does not fit into
 * the socket is lost, and the numbers that it gives its packets say how many.
 *
 *         r = pt_nflog_new(-1, event, PT_MARK_NFLOG_GROUP, logged, lost, userdata, &nflog);
 */

#include "base/macros.h"
#include <systemd/sd-event.h>

struct nlmsghdr;

/* A second is a long time for somebody who looks; a message a packet is costly in a flood. */
#define PT_NFLOG_DELAY_CSEC 5

/* All that it points to is the message's. */
typedef struct PtNflogPacket {
        const char *prefix; /* not terminated */
        size_t prefix_size;
        const uint8_t *payload; /* from the network header on */
        size_t size;
        const uint8_t *mac;  /* of the sender, 6 bytes; NULL: unknown */
        const uint8_t *link; /* of a frame of a bridge: its Ethernet header, 14 bytes; NULL: none */
        uint16_t vlan_type;  /* of its tag; 0: none */
        uint16_t vlan;
        uint32_t in, out; /* indexes of interfaces; 0: none; of a bridge its ports */
        uint32_t mark;
        uint32_t sequence;
        uint64_t time_usec; /* when it arrived; 0: not known */
        uint16_t ethertype;
        uint8_t hook; /* NF_INET_*, or NF_BR_* of a bridge */
        bool bridge;
        bool numbered;
} PtNflogPacket;

typedef struct PtNflog PtNflog;

typedef void (*PtNflogLogged)(const PtNflogPacket *packet, void *userdata);
/* So many packets were logged that nobody will see. */
typedef void (*PtNflogLost)(uint32_t n, void *userdata);

/* -EBUSY: another program reads the group. */
int pt_nflog_new(int netns_fd, sd_event *event, uint16_t group, PtNflogLogged logged,
                 PtNflogLost lost, void *userdata, PtNflog **ret);
void pt_nflog_free(PtNflog *nflog);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtNflog, pt_nflog_free)

/* A message, `left` bytes before the end of what was read; -EBADMSG: it is none about a packet. */
int pt_nflog_parse(const struct nlmsghdr *header, int left, PtNflogPacket *ret);
