/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "explain-frames.h"

#include "filter/frame-match.h"

/* Rules are written out for each time that is asked about, and aliases with them. */
#define TIMES_MAX 16U

struct FwExplainFrames {
        FwSource source;
        GHashTable *rules; /* FwTimes -> GPtrArray of FwFrameRule, made when they are asked */
};

static void unref_times(void *times)
{
        fw_times_unref(times);
}

static void unref_rules(void *rules)
{
        g_ptr_array_unref(rules);
}

FwExplainFrames *fw_explain_frames_new(const FwSource *source)
{
        FwExplainFrames *frames = g_new0(FwExplainFrames, 1);

        frames->source = *source;
        frames->rules = g_hash_table_new_full(NULL, NULL, unref_times, unref_rules);
        return frames;
}

void fw_explain_frames_free(FwExplainFrames *frames)
{
        if (!frames)
                return;
        g_hash_table_unref(frames->rules);
        g_free(frames);
}

static int rules_at(FwExplainFrames *frames, FwTimes *times, PtDiagnostics *diag,
                    const GPtrArray **ret)
{
        g_autoptr(FwEffective) effective = NULL;
        GPtrArray *rules = g_hash_table_lookup(frames->rules, times);
        int r = 0;

        if (!rules) {
                effective = fw_effective_new();
                fw_effective_set_times(effective, times);
                r = fw_frame_rules_new(&frames->source, effective, diag, &rules);
        }
        if (r < 0) {
                if (pt_diag_count(diag) == 0)
                        pt_diag_error(diag, "alias", "/bridge",
                                      "what an alias of a rule of bridges holds cannot be read: %s",
                                      g_strerror(-r));
                return r;
        }
        if (effective) {
                if (g_hash_table_size(frames->rules) >= TIMES_MAX)
                        g_hash_table_remove_all(frames->rules);
                g_hash_table_insert(frames->rules, fw_times_ref(times), rules);
        }
        *ret = rules;
        return 0;
}

int fw_explain_frame(FwExplainFrames *frames, const FwQuestion *question, FwTimes *times,
                     PtDiagnostics *diag, GString *out)
{
        const BridgeSettings *settings = (const BridgeSettings *) pt_slice_get(
                frames->source.slice, &pt_kind_bridge_settings, "default");
        const GPtrArray *rules = NULL;
        FwBridgeDirection direction;
        FwFrameOutcome outcome;
        FwFrame frame;
        int r = fw_question_frame(question, diag, &direction, &frame);

        if (r == 0)
                r = rules_at(frames, times, diag, &rules);
        if (r < 0)
                return r;
        fw_frame_evaluate(&frame, direction, rules, settings, &outcome);
        fw_answer_append_frame(&outcome, question, out);
        return 0;
}
