/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * Work that takes one processor too long, in parts that know nothing of each other: each is done by
 * a process of its own that has our memory as it was, the first one by the caller. It blocks, so it
 * is for who may: the child of a worker (event/worker.h).
 *
 *         n = MIN(g_get_num_processors(), ...);
 *         r = pt_parts_run(n, answer_part, batch);
 *
 * Descriptors are shared with the caller, and so is their offset: a part that writes or asks does so
 * by descriptors that only it uses.
 */

#include "base/macros.h"

#define PT_PARTS_MAX 64U

/* Returns >= 0 or a negative errno. What it writes into memory only the first part's caller sees. */
typedef int (*PtPartRun)(unsigned part, void *userdata);
/* 0, or the error of the first part that failed; -EIO: its process was killed. All have ended. A part
 * for which there can be no process is done by the caller too. */
int pt_parts_run(unsigned n, PtPartRun run, void *userdata);
