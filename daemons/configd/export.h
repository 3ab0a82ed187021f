/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A configuration as text that can be applied again: YAML documents or JSON lines, sorted by (kind,
 * name), and before them the datasets that they refer to (input-dataset.h). */

#include "txn/store.h"

/* Whether there are any: then writing takes long. */
bool export_has_datasets(const PtSlice *slice, const char *const *kinds);
/* Writes it all to `fd`. `json`: lines of canonical JSON; `kinds`: names, or NULL for all. `secrets`:
 * sealed, else redacted. -EBADMSG, -ENOENT: a dataset is damaged or lost. */
int export_write(const PtStore *store, const PtSlice *slice, bool json, bool secrets,
                 const char *const *kinds, int fd);
