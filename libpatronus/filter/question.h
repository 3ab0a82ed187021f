/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * "Why does this packet pass?", as people and programs write it, and its answer (docs/WHY.md):
 *
 *      {"from":"lan","src":"10.1.0.7","dst":"192.0.2.1","proto":"tcp","dport":443}
 *      {"verdict":"allow","reason":"rule","rule":{"kind":"FirewallRule","name":"web",...},...}
 *
 * Both are JSON objects of one line, with the names of the options of `patronusctl filter why`. What
 * is not said of a packet is what most have (a new connection, no mark), or not known: then a
 * rule that asks for it may make the answer uncertain, and it says so.
 *
 * What names a bridge is about a frame, and rules of bridges (docs/BRIDGE.md):
 *
 *      {"bridge":"br0","in":"p1","out":"p2","smac":"02:00:5e:10:00:01","ether-type":"0x8863"}
 */

#include "filter/evaluate.h"
#include "filter/frame-match.h"

typedef struct FwQuestion {
        uint64_t present;
        char *from, *to; /* zones, or "router" */
        char *in, *out;  /* interfaces */
        PtAddressRange source, destination;
        PtPortRange source_port, destination_port, length;
        PtIcmpType icmp;
        PtMarkMatch mark;
        PtMac mac;
        PtList flags; /* int: TH_* */
        PtList tags;  /* char * */
        int protocol, state;
        uint8_t dscp, hop_limit;
        bool fragment;
        PtMoment at;
        char *bridge; /* all from here on is of frames only */
        PtMac source_mac, destination_mac, arp_mac;
        uint16_t ether_type, arp_operation;
        PtVlanRange vlan;
} FwQuestion;

extern const PtField fw_question_fields[];
void fw_question_done(FwQuestion *question);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(FwQuestion, fw_question_done)

/* When it is asked about, in seconds since 1970; false: it does not say. */
bool fw_question_time(const FwQuestion *question, int64_t *ret);

/*
 * The packet that it is about. -EINVAL with a diagnostic: what is missing, or is no zone or tag of the lists. Where the
 * interface that it comes by is not said, it is "" and `packet.from` may say the zone; that it is
 * the router's own packet only `from` says.
 */
int fw_question_packet(const FwQuestion *question, const FwLists *lists, PtDiagnostics *diag,
                       FwPacket *ret);

/* Whether it is about a frame; then this is which. -EINVAL with a diagnostic. */
bool fw_question_is_frame(const FwQuestion *question);
int fw_question_frame(const FwQuestion *question, PtDiagnostics *diag,
                      FwBridgeDirection *ret_direction, FwFrame *ret);

/* Appends the answer, one line without newline. */
void fw_answer_append(const FwOutcome *outcome, const FwPacket *packet, GString *out);
void fw_answer_append_frame(const FwFrameOutcome *outcome, const FwQuestion *question,
                            GString *out);
/* The same of a question that cannot be answered: line is where it stood, from 1; 0: nowhere. */
void fw_answer_append_error(unsigned line, const char *pointer, const char *text, GString *out);
