/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The lists that objects refer to (txn/dataset.h), as configd keeps them: put by a child, so that a
 * million entries do not stop the loop; deleted when nothing that is kept, running or in a session
 * refers to them.
 */

#include "base/diag.h"
#include "txn/store.h"
#include <systemd/sd-bus.h>

struct Manager;

#define DATASET_SOURCE_MAX 4096U /* bytes of the name of a list: a path */
#define DATASET_IMPORTS_MAX 4    /* at once: each may take tens of megabytes */
#define DATASET_IMPORT_USEC (120 * PT_USEC_PER_SEC)
/* A dataset is put before the object that refers to it is committed: so long it may take. */
#define DATASET_GRACE_USEC (3600 * PT_USEC_PER_SEC)

typedef struct Datasets Datasets;

Datasets *datasets_new(struct Manager *manager);
void datasets_free(Datasets *datasets); /* kills imports */

typedef struct DatasetPut {
        int result; /* 0; -EINVAL, -EFBIG with diagnostics; or that it could not be written */
        PtDiagnostics *diag;
        PtDatasetHeader header;
        PtDigest digest;
} DatasetPut;
typedef void (*DatasetPutDone)(const DatasetPut *put, void *userdata);

/* Imports the text in `fd`, a regular file or memfd, in a child. `source` names it in messages.
 * -EBUSY, -ENOSPC, -EINVAL with an error text. */
int datasets_put(Datasets *datasets, int fd, const char *source, PtDatasetContent content,
                 DatasetPutDone done, void *userdata, sd_bus_error *error);
/* One was put without datasets_put(): it will be looked at when it could go. */
void datasets_touch(Datasets *datasets);
/* A session's candidate refers to it. */
bool datasets_in_session(struct Manager *manager, const char *digest);
/* Deletes what nothing needs any more; when nothing is under way. */
void datasets_collect(Datasets *datasets);
