/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Answers to "why does this packet pass?" (filter/question.h), by the hundred thousand: a child of
 * filterd reads questions as JSON lines from one descriptor, and writes an answer a line to
 * another. The evaluator says what the policy does; the kernel says by which interfaces packets come
 * and go, and filterd's memory what is banned.
 */

#include "bans.h"
#include "openings.h"
#include "filter/question.h"

/* Of one batch: at 10 us each, some seconds of a child. */
#define FW_QUESTIONS_MAX 1000000U
#define FW_QUESTIONS_SIZE_MAX (256U * 1024 * 1024)

typedef struct FwExplain {
        PtSlice *slice; /* NULL: that of `fd` */
        int fd;         /* of a slice as text (txn/slice.h), of a stranger; negative: none */
        const FwBans *bans;
        const FwOpenings *openings; /* may be NULL */
        bool panic;
        const char *state_dir;
        FwLive *live; /* what aliases hold beside the slice; may be NULL */
        int64_t at;   /* when: seconds since 1970 */
        bool trusted; /* the clock is right, or `at` is of somebody who asks */
        int netns_fd;
        bool foreign; /* answers name other programs' chains that may drop what we let pass */
} FwExplain;

/*
 * Blocks; for a child. Questions that make no sense are answered with an error, and the others go
 * on. -EINVAL with the reason in `out`: the slice is none, or says what no configuration can say.
 * -E2BIG: too many questions.
 */
int fw_explain_run(const FwExplain *explain, int questions, int answers, GString *out);

/* A slice of a stranger's, as text, that must be one that a configuration can be. -EINVAL with the
 * reason in `out`. */
int fw_foreign_slice_read(int fd, GString *out, PtSlice **ret);
