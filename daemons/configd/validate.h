/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Rules between objects, for what changed and what refers to it: each reference leads somewhere,
 * nothing that is in use is deleted, and the kinds' check_set() agree. What concerns one object
 * alone was checked when it was parsed.
 *
 * Costs follow the change. Only a deletion or update of a kind that others refer to looks at all of
 * those others.
 */

#include "changes.h"

/* 0, or -EINVAL with diagnostics; all that is wrong is reported, not only the first. Datasets are
 * looked for below `state_dir`. */
int validate_changes(const Changes *changes, const char *state_dir, PtDiagnostics *diag);
