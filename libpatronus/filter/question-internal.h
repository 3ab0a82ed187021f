/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What questions about packets (question.c) and about frames (question-frame.c) share. */

#include "filter/question.h"

/* Bits of FwQuestion.present. */
enum {
        QUESTION_FROM,
        QUESTION_TO,
        QUESTION_IN,
        QUESTION_OUT,
        QUESTION_SRC,
        QUESTION_DST,
        QUESTION_PROTO,
        QUESTION_SPORT,
        QUESTION_DPORT,
        QUESTION_ICMP,
        QUESTION_STATE,
        QUESTION_MARK,
        QUESTION_DSCP,
        QUESTION_FLAGS,
        QUESTION_LENGTH,
        QUESTION_MAC,
        QUESTION_HOP_LIMIT,
        QUESTION_TAG,
        QUESTION_FRAGMENT,
        QUESTION_AT,
        QUESTION_BRIDGE, /* from here on: of frames only */
        QUESTION_SMAC,
        QUESTION_DMAC,
        QUESTION_ETHER_TYPE,
        QUESTION_VLAN,
        QUESTION_ARP_OP,
        QUESTION_ARP_MAC,
        QUESTION_MAX,
};

static inline bool fw_question_has(const FwQuestion *question, unsigned row)
{
        return question->present >> row & 1;
}

/* Of what is given of these, that a packet has one: addresses, of one family, and protocol. */
int fw_question_check_ends(const FwQuestion *question, PtDiagnostics *diag);
/* Protocol, which must be given, ports and ICMP type. */
int fw_question_set_transport(const FwQuestion *question, PtDiagnostics *diag, FwPacket *packet);
