/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Objects that do nothing: those of kinds that are there to be referred to (PtKind.passive), which no
 * other object refers to. By the tables' reference rows alone.
 */

#include "txn/slice.h"

/* A warning "unused" for each. */
void unused_report(const PtSlice *slice, PtDiagnostics *diag);
