/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Renaming an object of a candidate. It stays the same object: its uid (so its counters go on), its
 * position and all it says; every reference to it, in whatever kind and however deep, follows.
 */

#include "txn/slice.h"

/*
 * All or nothing. -ENOENT if there is no such object; -EINVAL with diagnostics for a name that is
 * no name, is taken, or has a meaning of its own, and for an object that cannot be renamed.
 */
int rename_object(PtSlice *candidate, const PtKind *kind, const char *name, const char *new_name,
                  PtDiagnostics *diag);
