/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Applying a text to a candidate: a stream of documents upserts objects, each replaced as a whole,
 * and deletes nothing unless told to. With a set name all objects get the set's label, and what
 * carries it and is not in the input goes; with `replace` all that is not in the input goes.
 * Objects without a name live in a set ("default" unless they say another), which their input
 * replaces, so that an edited one replaces its old self. Lists too long for an object become datasets
 * (input-dataset.h).
 */

#include "txn/store.h"

typedef struct InputOptions {
        const char *source; /* names the input in diagnostics: "policy.yaml" */
        const char *set;    /* or NULL */
        bool replace;
        const PtStore *store;    /* where its lists go that become datasets */
        struct Secrets *secrets; /* seals what is in the clear */
        GHashTable *uids;        /* uids_stored() of the candidate; NULL: nobody has one */
} InputOptions;

/*
 * YAML documents, JSON documents or JSON lines. All or nothing: on failure the candidate is as it
 * was, and the diagnostics say all that is wrong. -EINVAL, -EFBIG.
 */
int input_apply(PtSlice *candidate, const char *text, size_t size, const InputOptions *options,
                PtDiagnostics *diag);
/* Reads a regular file or memfd from its start, at most PT_INPUT_MAX bytes, and applies it. */
int input_apply_fd(PtSlice *candidate, int fd, const InputOptions *options, PtDiagnostics *diag);
