/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* The engine of nftables in a network namespace of the test's own. */

#include "engine-nft.h"
#include "unit.h"

#include <sched.h>
#include <string.h>

static PtEngineCtx ctx;

static inline void done(int result, void *userdata)
{
        *(int *) userdata = result;
}

static inline int commit(PtSlice *slice, uint64_t revision, bool *ret_delta)
{
        const PtEngine *engine = &fw_engine_nft;
        g_autoptr(PtDiagnostics) diag = pt_diag_new();
        PtObserved *observed = NULL;
        PtPlan *plan = NULL;
        int r, result = 1;

        assert_int_equal(engine->observe(&ctx, &observed), 0);
        assert_int_equal(engine->plan(&ctx, revision, slice, observed, diag, &plan), 0);
        if (ret_delta)
                *ret_delta = plan->steps->len == 0 ||
                             !g_str_has_prefix(g_ptr_array_index(plan->steps, 0), "load");
        r = engine->commit(&ctx, plan, diag, done, &result);
        assert_int_equal(r, 0);
        if (result == 0)
                assert_int_equal(engine->verify(&ctx, plan, diag, done, &result), 0);
        for (size_t i = 0; i < pt_diag_count(diag); i++)
                print_message("%s\n", pt_diag_get(diag, i)->text);
        engine->plan_free(plan);
        engine->observed_free(observed);
        return result;
}

static inline bool contains(const GPtrArray *names, const char *name)
{
        for (unsigned i = 0; i < names->len; i++)
                if (strcmp(g_ptr_array_index(names, i), name) == 0)
                        return true;
        return false;
}

static inline int setup(void **state)
{
        if (unshare(CLONE_NEWNET) < 0)
                return -1;
        ctx.netns_fd = -1;
        return fw_engine_nft.setup(&ctx) < 0 || sd_event_new(&ctx.event) < 0 ? -1 : 0;
}

static inline int teardown(void **state)
{
        fw_engine_nft.teardown(&ctx);
        ctx.event = sd_event_unref(ctx.event);
        return 0;
}
