/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What rules set in packets, and in all further ones of their connections (FirewallRule.setMark,
 * setDscp), and the tags that they give to connections (setTag), which are bits of the labels of these. Only a connection's first packet meets the rules, so the connection's mark holds what the
 * others get (base/marks.h), in the prologue and before all else there.
 *
 *      p_marks             of connections that have something: jumps to those below
 *      p_mark              the eight bits of the packet's mark become those of the connection's
 *      p_dscp4, p_dscp6    likewise the six of the code point
 *
 * Kernels before 6.13 know no bit operations of two registers, so each bit is a rule of its own.
 */

#include "filter/tags.h"
#include "kinds/firewall/firewall.h"
#include "netlink/nft.h"

/* The chains, and the rule of the prologue that leads to them. */
void fw_marks_put_base(PtNftBatch *batch);
/* The rule of a base chain that leads there. */
void fw_marks_put_jump(const char *chain, PtNftBatch *batch);

/* Whether a rule sets anything that its connection keeps. */
bool fw_marks_connection(const FirewallRule *rule);
/* Expressions for what it sets in the connection, and in the packet. The former end a rule of the
 * kernel for packets without a connection, so they stand in one of their own. */
void fw_marks_put_connection(const FirewallRule *rule, const FwTags *tags, struct nftnl_rule *r);
void fw_marks_put_packet(const FirewallRule *rule, int family, struct nftnl_rule *r);

/*
 * Which bits tags are, in a chain that no packet reaches: so that whoever comes after this filterd
 * gives them the same ones. It also has the kernel make room for labels in each new connection.
 */
void fw_marks_put_tags(const FwTags *tags, PtNftBatch *batch);
/* -ENOENT: they are not there, or not ours. */
int fw_marks_read_tags(PtNft *nft, FwTags **ret);
