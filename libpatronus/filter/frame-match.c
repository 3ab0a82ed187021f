/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/frame-match.h"

#include <linux/netfilter/nf_conntrack_common.h>

void fw_frame_set(FwFrame *frame, FwFrameField field, FwNumber lo, FwNumber hi)
{
        frame->here[field] = true;
        frame->values[field] = (FwSpan){lo, hi};
}

void fw_frame_set_interface(FwFrame *frame, FwFrameField field, const char *name)
{
        uint8_t bytes[IFNAMSIZ] = {0};
        FwNumber number;

        g_strlcpy((char *) bytes, name, sizeof(bytes));
        number = fw_number_read(bytes, sizeof(bytes));
        fw_frame_set(frame, field, number, number);
}

void fw_frame_set_unknown(FwFrame *frame, FwFrameField field)
{
        fw_frame_set(frame, field, 0, fw_number_max(fw_frame_fields[field].len));
}

static FwTruth ask_test(const FwFrame *frame, const FwFrameTest *test)
{
        size_t len = fw_frame_fields[test->field].len;
        FwSpan value = frame->values[test->field];
        FwTruth truth = FW_NO;

        if (!frame->here[test->field])
                return FW_NO;
        if (test->masked && value.lo != value.hi)
                return FW_MAYBE;
        if (test->masked)
                value.lo = value.hi = value.lo & fw_number_read(test->mask, len);
        for (unsigned i = 0; i < test->bounds->len && truth != FW_YES; i++) {
                const FwBounds *bounds = &g_array_index(test->bounds, FwBounds, i);

                truth = MAX(truth, fw_span_within(&value, fw_number_read(bounds->lo, len),
                                                  fw_number_read(bounds->hi, len)));
        }
        return test->negated ? FW_YES - truth : truth;
}

FwTruth fw_frame_ask(const FwFrame *frame, const FwFrameRule *rule)
{
        const GPtrArray *ways = rule->effective.ways;
        FwTruth truth = FW_NO;

        for (unsigned i = 0; i < ways->len && truth != FW_YES; i++) {
                const GArray *way = g_ptr_array_index(ways, i);
                FwTruth all = FW_YES;

                for (unsigned k = 0; k < way->len && all != FW_NO; k++)
                        all = MIN(all, ask_test(frame, &g_array_index(way, FwFrameTest, k)));
                truth = MAX(truth, all);
        }
        return truth;
}

/* What passes, or is dropped, before any rule (docs/BRIDGE.md). */
static bool decide_by_state(const FwFrame *frame, const BridgeSettings *settings,
                            FwFrameOutcome *outcome)
{
        static const uint32_t known =
                NF_CT_STATE_BIT(IP_CT_ESTABLISHED) | NF_CT_STATE_BIT(IP_CT_RELATED);

        if (outcome->direction != FW_BRIDGE_FORWARD || !fw_bridge_stateful(settings) ||
            !(frame->state & (known | NF_CT_STATE_INVALID_BIT)))
                return false;
        outcome->action = frame->state & known ? FW_ALLOW : FW_DROP;
        outcome->reason = frame->state & known ? FW_REASON_PROLOGUE : FW_REASON_INVALID;
        return true;
}

void fw_frame_evaluate(const FwFrame *frame, FwBridgeDirection direction, const GPtrArray *rules,
                       const BridgeSettings *settings, FwFrameOutcome *ret)
{
        const FwFrameRule *perhaps[FW_ACTION_MAX] = {};

        *ret = (FwFrameOutcome){.direction = direction};
        if (decide_by_state(frame, settings, ret))
                return;
        for (unsigned i = 0; i < rules->len; i++) {
                const FwFrameRule *rule = g_ptr_array_index(rules, i);
                FwTruth truth;

                if (rule->direction != direction)
                        continue;
                ret->places++;
                if (ret->rule || !fw_rule_decides(&rule->effective.rule))
                        continue;
                truth = fw_frame_ask(frame, rule);
                if (truth == FW_YES) {
                        ret->rule = rule;
                        ret->place = ret->places;
                } else if (truth == FW_MAYBE && !perhaps[rule->effective.rule.action]) {
                        perhaps[rule->effective.rule.action] = rule;
                }
        }
        ret->reason = ret->rule ? FW_REASON_RULE : FW_REASON_DEFAULT;
        ret->action = ret->rule ? (FwAction) ret->rule->effective.rule.action
                                : fw_bridge_default(settings, direction);
        ret->doubt = perhaps[ret->action == FW_DROP ? FW_ALLOW : FW_DROP];
}

bool fw_frame_may_drop(const FwFrame *frame, FwBridgeDirection direction, const GPtrArray *rules,
                       const BridgeSettings *settings, const FwFrameRule **ret_rule)
{
        FwFrameOutcome outcome;

        fw_frame_evaluate(frame, direction, rules, settings, &outcome);
        *ret_rule = outcome.action == FW_DROP ? outcome.rule : outcome.doubt;
        return outcome.action == FW_DROP || outcome.doubt;
}
