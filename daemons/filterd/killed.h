/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What keeps a TCP connection that was ended from going on. The kernel alone forgets it, and takes
 * the next packet of either end for a connection's first (nf_conntrack_tcp_loose), which the rules
 * may well let pass. So both directions of it are remembered in a set, for longer than a silent
 * connection needs to its first keepalive (tcp(7): two hours), and a packet that would begin it in
 * the middle is answered with a reset. Real first packets (SYN) are not concerned, and packets of
 * connections that exist are accepted before.
 *
 * These sets are not put back when the table is made anew.
 */

#include "netlink/connection.h"
#include "netlink/nft.h"

#define FW_CHAIN_KILLED "p_killed"
/* Elements of a set, two a connection; of more that are ended at a time the rest is only forgotten. */
#define FW_KILLED_MAX 32768U
#define FW_KILLED_USEC (135ULL * 60 * G_USEC_PER_SEC)

/* Sets, chain and rules, and the rule of the prologue that leads there. */
void fw_killed_put_base(PtNftBatch *batch);
/* The rule of a base chain that leads to it. */
void fw_killed_put_jump(const char *chain, PtNftBatch *batch);
/* Remembers those of `connections` that are TCP; whether there was any. */
bool fw_killed_put(const PtConnection *connections, size_t n, PtNftBatch *batch);
