/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Which rule a line of the log is about. The kernel says uid and generation (counters.h), and a line
 * that is read may be of a ruleset that was replaced a moment ago: so each rule that logs is noted
 * before it goes to the kernel, and kept for a while after it left. What is older is in the lines
 * themselves, which have its text.
 */

#include "bridge.h"
#include "filter/log-record.h"
#include "layout-delta.h"

/* States of rules that are kept though none of them is in force. What the kernel holds back is read
 * within a second; in that time nobody commits more changes of rules that log. */
#define FW_LOG_PAST_MAX 4096

typedef struct FwLogRules FwLogRules;
FwLogRules *fw_log_rules_new(void);
void fw_log_rules_free(FwLogRules *rules);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwLogRules, fw_log_rules_free)

/* Rules that are about to come into force. */
void fw_log_rules_note(FwLogRules *rules, const FwLayout *layout);
void fw_log_rules_note_delta(FwLogRules *rules, const FwLayoutDelta *delta);
void fw_log_rules_note_bridge(FwLogRules *rules, const FwBridge *bridge);
/* Forgets the oldest of those that are not in force, when there are too many. */
void fw_log_rules_sweep(FwLogRules *rules, const FwLayout *in_force, const FwBridge *bridge);
/* Borrowed; NULL: not known (any more). */
FwLogRule *fw_log_rules_find(const FwLogRules *rules, const uint8_t uid[static FW_LOG_UID_SIZE],
                             const uint8_t generation[static FW_LOG_GENERATION_SIZE]);
