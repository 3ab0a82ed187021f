/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "behaviour.h"

#include <string.h>

#define MSEC_MAX (600 * 1000)

#define ALL ((1U << TEST_STEP_MAX) - 1)
#define LATER (1U << TEST_PREPARE | 1U << TEST_COMMIT | 1U << TEST_VERIFY) /* end when they want */

static const char *const steps[TEST_STEP_MAX] = {
        [TEST_OBSERVE] = "observe", [TEST_PLAN] = "plan",     [TEST_CUTS] = "cuts",
        [TEST_PREPARE] = "prepare", [TEST_COMMIT] = "commit", [TEST_VERIFY] = "verify",
        [TEST_ABORT] = "abort",
};

static const struct {
        const char *name;
        bool timed;
        unsigned steps; /* at which it can happen */
} acts[TEST_ACT_MAX] = {
        [TEST_WORK] = {"", false, ALL},
        [TEST_REFUSE] = {"refuse", false, ALL & ~(1U << TEST_ABORT)},
        [TEST_DELAY] = {"delay", true, ALL},
        [TEST_LATE] = {"late", true, LATER},
        [TEST_SETTLE] = {"settle", true, 1U << TEST_COMMIT},
        [TEST_HANG] = {"hang", false, ALL},
        [TEST_MUTE] = {"mute", false, LATER},
        [TEST_DIE] = {"die", false, ALL},
        [TEST_DIE_HALF] = {"die-half", false, 1U << TEST_COMMIT},
        [TEST_DIE_AFTER] = {"die-after", false, ALL},
        [TEST_LIE] = {"lie", false, ALL},
};

TestStep test_step_from_string(const char *text)
{
        for (TestStep step = 0; step < TEST_STEP_MAX; step++)
                if (strcmp(steps[step], text) == 0)
                        return step;
        return TEST_STEP_INVALID;
}

const char *test_step_to_string(TestStep step)
{
        return step >= 0 && step < TEST_STEP_MAX ? steps[step] : NULL;
}

int test_behaviour_parse(TestStep step, const char *text, TestBehaviour *ret)
{
        TestBehaviour behaviour = {.once = g_str_has_prefix(text, "once:")};
        g_auto(GStrv) words = g_strsplit(behaviour.once ? text + strlen("once:") : text, ":", 2);
        const char *name = words[0] ?: "";
        guint64 msec = 0;

        while (behaviour.act < TEST_ACT_MAX && strcmp(acts[behaviour.act].name, name) != 0)
                behaviour.act++;
        if (behaviour.act == TEST_ACT_MAX || !(acts[behaviour.act].steps >> step & 1) ||
            acts[behaviour.act].timed != (words[0] && words[1]))
                return -EINVAL;
        if (acts[behaviour.act].timed &&
            !g_ascii_string_to_unsigned(words[1], 10, 0, MSEC_MAX, &msec, NULL))
                return -EINVAL;
        behaviour.usec = msec * 1000;
        *ret = behaviour;
        return 0;
}
