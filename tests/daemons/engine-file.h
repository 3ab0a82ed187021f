/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * An engine whose system is a directory: <run-dir>/<daemon>/system/ has a file an object, named
 * "Kind.name", whose content is the canonical line, and <run-dir>/<daemon>/marker says which
 * revision they are. prepare writes what will be new to <run-dir>/<daemon>/staging/; commit removes
 * the marker, renames and unlinks file by file, and writes the marker; verify reads all files. So a
 * commit can be found half done, and a system of which nobody said that it is whole has no marker.
 */

#include "behaviour.h"

#include "txn/engine.h"
#include "txn/secrets.h"

typedef struct TestPlan TestPlan;

typedef struct TestEngine {
        char *dir; /* <run-dir>/<daemon> */
        TestBehaviour behaviour[TEST_STEP_MAX];
        uint64_t prepare_usec, commit_usec;             /* what plans estimate */
        void (*stepped)(TestStep step, void *userdata); /* a step begins; may be NULL */
        void *userdata;
        PtSecrets *secrets; /* outlives it */

        /* The step that waits, if any does. */
        PtDone held;
        void *held_userdata;
        TestStep held_step;
        TestPlan *held_plan;
        PtDiagnostics *held_diag;
        bool held_done; /* its work is done: `held_result` */
        int held_result;
        sd_event_source *timer;
} TestEngine;

/* One for each daemon: they differ in kinds and guarantee. */
extern const PtEngine test_engine_link, test_engine_service;

TestEngine *test_engine_new(const char *run_dir, const char *daemon); /* for ctx->engine */
void test_engine_free(TestEngine *engine);
/* Ends the step that waits; -ENOENT: none does. */
int test_engine_release(TestEngine *engine);
