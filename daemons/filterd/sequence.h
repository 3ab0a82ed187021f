/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/* Turning one ordered list into another with the fewest moves. */

#include "base/macros.h"

/*
 * match[i] is where element i of the new list stands in the old one, or -1. Sets keep[i] for a
 * longest subsequence whose old positions ascend: those may stay, all others are inserted.
 */
void fw_sequence_keep(const int *match, unsigned n, bool *keep);
