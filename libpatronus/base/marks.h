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
#define PT_MARK_PRIORITY_FILTER 0
#define PT_MARK_PRIORITY_SRCNAT 100
#define PT_MARK_PRIORITY_DSTNAT (-100)

/* The group of nfnetlink_log that packets are logged to. */
#define PT_MARK_NFLOG_GROUP 20
