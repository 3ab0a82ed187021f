/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/frame-match.h"

void fw_frame_set(FwFrame *frame, FwFrameField field, FwNumber lo, FwNumber hi)
{
        frame->here[field] = true;
        frame->values[field] = (FwSpan){lo, hi};
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

bool fw_frame_may_drop(const FwFrame *frame, FwBridgeDirection direction, const GPtrArray *rules,
                       const BridgeSettings *settings, const FwFrameRule **ret_rule)
{
        for (unsigned i = 0; i < rules->len; i++) {
                const FwFrameRule *rule = g_ptr_array_index(rules, i);
                bool drops = rule->effective.rule.action == FW_DROP;
                FwTruth truth;

                if (rule->direction != direction || !fw_rule_decides(&rule->effective.rule))
                        continue;
                truth = fw_frame_ask(frame, rule);
                if (truth == FW_NO || (truth == FW_MAYBE && !drops))
                        continue;
                *ret_rule = rule;
                return drops;
        }
        *ret_rule = NULL;
        return fw_bridge_default(settings, direction) == FW_DROP;
}
