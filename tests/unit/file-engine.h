/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * A small real engine for tests: every object is a file in a directory, named "Kind.name", whose
 * content is the canonical line; the marker is the file "marker". It does what it is told to do
 * wrong.
 */

#include "txn/engine.h"

typedef enum FileFault {
        FILE_FAULT_NONE,
        FILE_FAULT_PLAN,
        FILE_FAULT_PREPARE,
        FILE_FAULT_COMMIT,
        FILE_FAULT_VERIFY,
        FILE_FAULT_HANG, /* the next step does not end until file_engine_release() */
        FILE_FAULT_MAX,
        FILE_FAULT_INVALID = -EINVAL,
} FileFault;

/* ctx->engine, the test's. */
typedef struct FileEngine {
        const char *dir;
        FileFault fault;
        const char *cut;      /* from this address no new connection comes in with any plan; "": it
                               cannot say */
        const char *expected; /* a file that every plan must have: a test of the configuration */
        bool later;           /* steps end in the event loop, not before they return */

        /* What it did. */
        unsigned plans, prepares, commits, aborts, verifies;
        unsigned alive;  /* plans not freed */
        unsigned writes; /* files written or removed, but for the marker */

        PtDone held; /* of the step that hangs, or ends later */
        void *held_userdata;
        int held_result;
        sd_event_source *timer;
} FileEngine;

extern const PtEngine file_engine;

/* Ends the step that hangs. */
void file_engine_release(FileEngine *engine);
/* Writes the marker, as an earlier run would have. */
void file_engine_mark(const FileEngine *engine, uint64_t revision, const PtDigest *root);
