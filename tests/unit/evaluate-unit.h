/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Packets for the tests of the evaluator. */

#include "filter/packet.h"
#include "unit.h"

#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <netinet/in.h>
#include <string.h>

/* The first one of a TCP connection; IPv6 if its source is. */
static inline FwPacket packet_of(const char *in, const char *source, const char *destination,
                                 unsigned port)
{
        int family = strchr(source, ':') ? AF_INET6 : AF_INET;
        uint8_t bytes[16];
        FwPacket packet;

        fw_packet_init(&packet, family, in);
        assert_int_equal(inet_pton(family, source, bytes), 1);
        fw_packet_set_bytes(&packet, FW_DIM_SOURCE_ADDRESS, bytes);
        assert_int_equal(inet_pton(family, destination, bytes), 1);
        fw_packet_set_bytes(&packet, FW_DIM_DESTINATION_ADDRESS, bytes);
        fw_packet_set(&packet, FW_DIM_PROTOCOL, IPPROTO_TCP, IPPROTO_TCP);
        fw_packet_set(&packet, FW_DIM_SOURCE_PORT, 40000, 40000);
        fw_packet_set(&packet, FW_DIM_DESTINATION_PORT, port, port);
        fw_packet_set(&packet, FW_DIM_STATE, NF_CT_STATE_BIT(IP_CT_NEW),
                      NF_CT_STATE_BIT(IP_CT_NEW));
        fw_packet_set(&packet, FW_DIM_STATUS, 0, 0);
        fw_packet_set(&packet, FW_DIM_LINK_TYPE, ARPHRD_ETHER, ARPHRD_ETHER);
        fw_packet_set(&packet, FW_DIM_SOURCE_MAC, 0x020000000001, 0x020000000001);
        fw_packet_set(&packet, FW_DIM_MARK, 0, 0);
        fw_packet_set(&packet, FW_DIM_DSCP, 0, 0);
        return packet;
}
