/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* What somebody meant who named an object that is not there. */

#include "txn/slice.h"

/* What a reference may name that is nearest to `name`: an object of the kind, a built-in one, or a
 * name with a meaning of its own; or NULL. The caller's. */
char *nearest_reference(const PtSlice *slice, const PtKind *kind, const char *name);
/* Reports that there is no such object, with the nearest name; returns -ENOENT. */
int nearest_not_found(const PtSlice *slice, const PtKind *kind, const char *name,
                      PtDiagnostics *diag);
/* The sentence of that report. */
char *nearest_not_found_text(const PtSlice *slice, const PtKind *kind, const char *name);
