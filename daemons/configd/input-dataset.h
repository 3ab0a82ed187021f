/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Lists in the documents of an input: a list that is too long for an object becomes a dataset, and
 * a document of a whole dataset is put, as it stands before the objects of an export.
 *
 *         apiVersion: patronus.config/v1
 *         kind: Dataset
 *         metadata:
 *           name: 3f0a...                     SHA-256 of the dataset's file; may be absent
 *         spec:
 *           content: addresses                or macs
 *           entries: |                        one a line
 *             192.0.2.1
 *             198.51.100.0/24
 */

#include "kind/json.h"
#include "txn/store.h"

#define DATASET_API_VERSION "patronus.config/v1"
#define DATASET_KIND "Dataset"

/* A PtDocumentHook whose userdata begins with the store: `const PtStore *`. */
int input_dataset_hook(struct json_object *document, PtDiagnostics *diag, void *userdata,
                       struct json_object **ret);
