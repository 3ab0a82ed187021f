/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A frame as rules of bridges ask about it, in user space, and what they do with it. As of a packet
 * (packet.h), what is known of a field is a span of values, and an answer is yes, no, or maybe.
 */

#include "filter/frame.h"
#include "filter/reason.h"

typedef struct FwFrame {
        uint32_t state; /* what an IP packet is of a connection (NF_CT_STATE_BIT()), where they are
                           followed; 0: it is no IP packet */
        bool here[FW_FRAME_FIELD_MAX]; /* not: no rule that asks matches */
        FwSpan values[FW_FRAME_FIELD_MAX];
} FwFrame;

void fw_frame_set(FwFrame *frame, FwFrameField field, FwNumber lo, FwNumber hi);
/* Of fields that are names of interfaces. */
void fw_frame_set_interface(FwFrame *frame, FwFrameField field, const char *name);
/* There is one, and it may be any. */
void fw_frame_set_unknown(FwFrame *frame, FwFrameField field);

FwTruth fw_frame_ask(const FwFrame *frame, const FwFrameRule *rule);

typedef struct FwFrameOutcome {
        FwBridgeDirection direction;
        FwAction action;
        FwReason reason;
        const FwFrameRule *rule; /* of FW_REASON_RULE */
        unsigned place, places;  /* its number among the rules of its direction */
        /* A rule before it that would decide otherwise, if what is not known of the frame is as it
         * asks; NULL: the outcome is certain. */
        const FwFrameRule *doubt;
} FwFrameOutcome;

/* What rules in order (FwFrameRule) do with a frame of a direction. `settings` may be NULL. */
void fw_frame_evaluate(const FwFrame *frame, FwBridgeDirection direction, const GPtrArray *rules,
                       const BridgeSettings *settings, FwFrameOutcome *ret);
/* Who decides, for people: "BridgeRule/x drops it". The caller's. */
char *fw_frame_outcome_describe(const FwFrameOutcome *outcome);
/*
 * Whether a frame of a direction may be dropped by rules in order (FwFrameRule), or by what is said
 * of those that no rule matched; *ret_rule: by which, NULL: by the latter.
 */
bool fw_frame_may_drop(const FwFrame *frame, FwBridgeDirection direction, const GPtrArray *rules,
                       const BridgeSettings *settings, const FwFrameRule **ret_rule);
