/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* A configuration as text that can be applied again: YAML documents or JSON lines, sorted by (kind,
 * name). */

#include "txn/slice.h"

/* A sealed memfd. `json`: lines of canonical JSON; `kinds`: names, or NULL for all. Secrets are
 * redacted. */
int export_memfd(const PtSlice *slice, bool json, const char *const *kinds);
