/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What somebody meant who named an object that is not there. */

#include "txn/slice.h"

/* The name nearest to `name` among a kind's objects and what is built in, or NULL; the caller's. */
char *nearest_name(const PtSlice *slice, const PtKind *kind, const char *name);
/* Reports that there is no such object, with the nearest name; returns -ENOENT. */
int nearest_not_found(const PtSlice *slice, const PtKind *kind, const char *name,
                      PtDiagnostics *diag);
/* The sentence of that report. */
char *nearest_not_found_text(const PtSlice *slice, const PtKind *kind, const char *name);
