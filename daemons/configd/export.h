/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A configuration as text that can be applied again: YAML documents or JSON lines, sorted by (kind,
 * name), and before them the datasets that they refer to (input-dataset.h). */

#include "txn/store.h"

/* A sealed memfd. `json`: lines of canonical JSON; `kinds`: names, or NULL for all. Secrets are
 * redacted. -EBADMSG, -ENOENT: a dataset is damaged or lost. */
int export_memfd(const PtStore *store, const PtSlice *slice, bool json, const char *const *kinds);
