/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A frame as rules of bridges ask about it, in user space, and what they do with it. As of a packet
 * (packet.h), what is known of a field is a span of values, and an answer is yes, no, or maybe.
 */

#include "filter/frame.h"

typedef struct FwFrame {
        bool here[FW_FRAME_FIELD_MAX]; /* not: no rule that asks matches */
        FwSpan values[FW_FRAME_FIELD_MAX];
} FwFrame;

void fw_frame_set(FwFrame *frame, FwFrameField field, FwNumber lo, FwNumber hi);
/* There is one, and it may be any. */
void fw_frame_set_unknown(FwFrame *frame, FwFrameField field);

FwTruth fw_frame_ask(const FwFrame *frame, const FwFrameRule *rule);
/*
 * Whether a frame of a direction may be dropped by rules in order (FwFrameRule), or by what is said
 * of those that no rule matched; *ret_rule: by which, NULL: by the latter.
 */
bool fw_frame_may_drop(const FwFrame *frame, FwBridgeDirection direction, const GPtrArray *rules,
                       const BridgeSettings *settings, const FwFrameRule **ret_rule);
