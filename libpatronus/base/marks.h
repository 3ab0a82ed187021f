/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The one place that allocates what all programs of a machine share: names of tables, hook
 * priorities, mark bits, ct zones, routing tables, rule priorities, queue and log groups. A daemon
 * touches nothing that does not carry its mark.
 */

/* nf_tables: the table of the inet family that filterd owns. */
#define PT_MARK_NFT_TABLE "patronus"

/* Hook priorities (linux/netfilter_ipv4.h): ours run at the standard ones, after raw, conntrack and
 * mangle. */
#define PT_MARK_PRIORITY_PANIC (-10) /* before all that filters */
#define PT_MARK_PRIORITY_FILTER 0
#define PT_MARK_PRIORITY_SRCNAT 100
/* Before fragments are put together (NF_IP_PRI_RAW_BEFORE_DEFRAG). */
#define PT_MARK_PRIORITY_FRAGMENTS (-450)
#define PT_MARK_PRIORITY_DSTNAT (-100)

/* rtnetlink: the protocol of routes that we make (rtm_protocol; none of rtnetlink.h or FRR), and what
 * the alias of an interface of ours begins with. */
#define PT_MARK_ROUTE_PROTOCOL 80
#define PT_MARK_LINK_ALIAS "patronus "

/* The group of nfnetlink_log that packets are logged to. */
#define PT_MARK_NFLOG_GROUP 20

/*
 * The mark of a connection (ct mark), and of packets. Written under a mask only:
 *
 *      31            16 15 14 13    8 7          0
 *      |  pair of zones |m |d | DSCP  | mark      |
 *
 * m: packets of the connection carry `mark`; d: they carry `DSCP`. Of a packet's own mark, rules may
 * set the bits of PT_MARK_RULES; the others are whoever else's.
 */
#define PT_MARK_RULES 0xffU
#define PT_CTMARK_RULES PT_MARK_RULES
#define PT_CTMARK_DSCP_SHIFT 8
#define PT_CTMARK_DSCP (0x3fU << PT_CTMARK_DSCP_SHIFT)
#define PT_CTMARK_HAS_DSCP (1U << 14)
#define PT_CTMARK_HAS_MARK (1U << 15)
/* Where the connection came from and where it goes, eight bits each (filter/zones.h, fw_zone_mark). */
#define PT_CTMARK_PAIR 0xffff0000U
#define PT_CTMARK_FROM_SHIFT 24
#define PT_CTMARK_TO_SHIFT 16
