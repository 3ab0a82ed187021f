/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Whether a planned policy does what its PolicyTests expect, by the evaluator (filter/evaluate.h);
 * where a test does not say where its packet goes, the kernel's routes do. */

#include "cuts.h"

/* Each costs some microseconds of every commit. */
#define FW_POLICY_TESTS_MAX 10000
/* Schedules that are looked at, of all times that tests are about: some 30 us each, of each commit. */
#define FW_POLICY_TEST_LOOKS_MAX 16384

/* Diagnostics with code PT_EXPECTATION_FAILED, of the severity, for those that fail: 1 if any did.
 * Errors when they cannot be asked at all. */
int fw_policy_tests_run(const FwPlanned *planned, PtSeverity severity, PtDiagnostics *diag);
