/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * What a test daemon does wrong, and at which step:
 *
 *         On("commit", "delay:200")          each commit is done 0.2 s late
 *         On("prepare", "once:refuse")       the next Prepare is refused, others work
 *         On("commit", "")                   it works again
 *
 * In observe, plan and abort, which an engine does not leave for later, to wait is to block: the
 * daemon answers nobody.
 */

#include "base/macros.h"
#include <glib.h>

typedef enum TestStep {
        TEST_OBSERVE,
        TEST_PLAN,
        TEST_CUTS,
        TEST_PREPARE,
        TEST_COMMIT,
        TEST_VERIFY,
        TEST_ABORT,
        TEST_STEP_MAX,
        TEST_STEP_INVALID = -EINVAL,
} TestStep;

typedef enum TestAct {
        TEST_WORK,      /* "": as a good daemon */
        TEST_REFUSE,    /* "refuse": an error with a diagnostic; a commit is done by half before */
        TEST_DELAY,     /* "delay:MSEC": waits, then works */
        TEST_LATE,      /* "late:MSEC": works, then waits before it answers */
        TEST_SETTLE,    /* "settle:MSEC" (commit): answers at once, and works later */
        TEST_HANG,      /* "hang": waits for Release(), then works */
        TEST_MUTE,      /* "mute": works, and waits for Release() before it answers */
        TEST_DIE,       /* "die": the process ends, nothing is done */
        TEST_DIE_HALF,  /* "die-half" (commit): ends when half is done */
        TEST_DIE_AFTER, /* "die-after": works, and ends without an answer */
        TEST_LIE,       /* "lie": see engine-file.c for what each step says that is not so */
        TEST_ACT_MAX,
        TEST_ACT_INVALID = -EINVAL,
} TestAct;

typedef struct TestBehaviour {
        TestAct act;
        uint64_t usec;
        bool once;
} TestBehaviour;

TestStep test_step_from_string(const char *text);
const char *test_step_to_string(TestStep step);
/* -EINVAL: there is no such behaviour, or not at this step. */
int test_behaviour_parse(TestStep step, const char *text, TestBehaviour *ret);
