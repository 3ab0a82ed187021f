/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Answers to questions about frames of bridges (explain.h), by the rules of a slice. */

#include "filter/question.h"

typedef struct FwExplainFrames FwExplainFrames;

FwExplainFrames *fw_explain_frames_new(const FwSource *source); /* copies it */
void fw_explain_frames_free(FwExplainFrames *frames);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwExplainFrames, fw_explain_frames_free)

/* Appends the answer to a question that is about a frame, with what schedules say then. -EINVAL, and
 * errors of fw_frame_rules_new(), with a diagnostic. */
int fw_explain_frame(FwExplainFrames *frames, const FwQuestion *question, FwTimes *times,
                     PtDiagnostics *diag, GString *out);
