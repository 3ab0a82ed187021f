/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A packet as rules ask about it: a value for each row of the table in kinds/firewall/dimension.h,
 * and whether a rule matches it, in user space. The compiler (filterd's match-put.c) and this read
 * the same terms of the same rules by the same rows.
 *
 * What is known of a value is a span: one number; or some, when it is not known which of them it
 * is (the port of a connection that is still to come, a mark that other programs set). Of values
 * that are bits (marks, flags), those bits are not known in which the ends of the span differ. So
 * an answer is yes, no, or maybe.
 *
 *         FwPacket packet;
 *         fw_packet_init(&packet, AF_INET, "eth0");
 *         fw_packet_set_bytes(&packet, FW_DIM_SOURCE_ADDRESS, client);
 *         fw_packet_set(&packet, FW_DIM_PROTOCOL, IPPROTO_TCP, IPPROTO_TCP);
 *         fw_packet_set_unknown(&packet, FW_DIM_MARK);
 */

#include "filter/alias-cache.h"
#include "filter/tags.h"
#include "filter/zones.h"
#include "kinds/firewall/dimension.h"

#include <net/if.h>

typedef enum FwTruth {
        FW_NO,
        FW_MAYBE,
        FW_YES,
        FW_TRUTH_MAX,
        FW_TRUTH_INVALID = -EINVAL,
} FwTruth;

typedef struct FwPacket {
        int family;              /* AF_INET or AF_INET6 */
        char in[IF_NAMESIZE];    /* the interface it came by; "": the machine itself sends it */
        const FwZone *from, *to; /* where it comes from and goes, if who asks knows; `to` may be the
                                    router; NULL: interfaces, addresses and routes say it */
        uint8_t hop_limit;       /* 0: not known */
        const FwTags *tags; /* which bits tags are; NULL: rules that ask for them do not match */
        bool fragment;      /* as it came; what is put together of it is asked about too */
        bool translated;    /* as the filter sees it: NAT rules are not asked any more */
        bool here
                [FW_DIM_MAX]; /* not: the packet has no such value, and no rule that asks matches */
        FwSpan values[FW_DIM_MAX];
} FwPacket;

/* A packet with nothing but a family. */
void fw_packet_init(FwPacket *packet, int family, const char *in);
void fw_packet_set(FwPacket *packet, FwDimension dimension, FwNumber lo, FwNumber hi);
/* In network byte order, as many as the dimension has in the packet's family. */
void fw_packet_set_bytes(FwPacket *packet, FwDimension dimension, const uint8_t *bytes);
void fw_packet_set_interface(FwPacket *packet, FwDimension dimension, const char *name);
/* What a rule makes of the packet that it is about (setMark, setDscp, setTag); not `certain`: if it
 * matches. */
void fw_packet_apply(FwPacket *packet, const FirewallRule *rule, bool certain);
/* There is one, and it may be any. */
void fw_packet_set_unknown(FwPacket *packet, FwDimension dimension);
/* The one number that the value is; false: it is not known, or not here. */
bool fw_packet_number(const FwPacket *packet, FwDimension dimension, FwNumber *ret);

/* Whether values are within what a list, an alias or a span holds. */
FwTruth fw_span_within(const FwSpan *value, FwNumber lo, FwNumber hi);

/* Questions about one packet. */
typedef struct FwMatcher FwMatcher;
FwMatcher *fw_matcher_new(const FwPacket *packet, FwAliasCache *aliases); /* borrows both */
void fw_matcher_free(FwMatcher *matcher);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwMatcher, fw_matcher_free)
/* Whether the packet is what the (effective) rule demands, its zones apart. */
FwTruth fw_matcher_ask(FwMatcher *matcher, const FirewallRule *rule);
/* < 0: a dataset could not be read, and an answer was wrong. */
int fw_matcher_error(const FwMatcher *matcher);
