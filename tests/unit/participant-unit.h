/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What the tests of the participant share: one with the file engine, a store, and a loop. */

#include "file-engine.h"
#include "store-unit.h"
#include "txn/participant.h"

typedef struct UnitFixture {
        char *parent, *state_dir, *engine_dir;
        PtStore *store;
        PtSlice *decided; /* what unit_commit() decided last */
        FileEngine engine;
        PtEngineCtx ctx;
        PtParticipant *participant;
} UnitFixture;

static inline int unit_participant_setup(void **state)
{
        UnitFixture *f = g_new0(UnitFixture, 1);

        f->parent = g_dir_make_tmp("test-participant-XXXXXX", NULL);
        f->state_dir = g_build_filename(f->parent, "state", NULL);
        f->engine_dir = g_build_filename(f->parent, "engine", NULL);
        assert_return_code(g_mkdir_with_parents(f->engine_dir, 0700), errno);
        f->store = unit_open(f->state_dir);
        f->decided = pt_slice_new();
        f->engine.dir = f->engine_dir;
        f->ctx.state_dir = f->state_dir;
        f->ctx.netns_fd = -EBADF;
        f->ctx.engine = &f->engine;
        assert_return_code(sd_event_new(&f->ctx.event), 0);
        *state = f;
        return 0;
}

static inline int unit_participant_teardown(void **state)
{
        UnitFixture *f = *state;

        pt_participant_free(f->participant);
        assert_int_equal(f->engine.alive, 0);
        pt_store_close(f->store);
        pt_slice_unref(f->decided);
        sd_event_unref(f->ctx.event);
        unit_remove(f->parent);
        g_free(f->parent);
        g_free(f->state_dir);
        g_free(f->engine_dir);
        g_free(f);
        return 0;
}

/* A daemon that starts, after the one before has died. */
static inline int unit_start(UnitFixture *f, PtDiagnostics *diag)
{
        PtParticipantConfig config = {
                .daemon = "filterd",
                .engine = &file_engine,
                .ctx = &f->ctx,
        };

        g_clear_pointer(&f->participant, pt_participant_free);
        assert_return_code(pt_participant_new(&config, &f->participant), 0);
        return pt_participant_start(f->participant, diag);
}

static inline bool unit_has_file(const UnitFixture *f, const char *name)
{
        g_autofree char *path = g_build_filename(f->engine_dir, name, NULL);

        return access(path, F_OK) == 0;
}

static inline void unit_remove_file(const UnitFixture *f, const char *name)
{
        g_autofree char *path = g_build_filename(f->engine_dir, name, NULL);

        assert_return_code(unlink(path), errno);
}

static inline void unit_reconciled(int result, void *userdata)
{
        int *r = userdata;

        *r = result;
}

static inline int unit_reconcile(UnitFixture *f)
{
        int result = 1;

        assert_return_code(pt_participant_reconcile(f->participant, unit_reconciled, &result), 0);
        assert_int_equal(result, 1); /* from the loop, never before */
        while (result == 1)
                assert_return_code(sd_event_run(f->ctx.event, UINT64_MAX), 0);
        return result;
}
