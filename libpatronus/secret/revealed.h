/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * An opened secret: pages of its own that no core dump has, no child inherits and, where the limit
 * of locked memory allows it, no swap device sees. Wiped when it is freed.
 */

#include "base/macros.h"

typedef struct PtRevealed {
        uint8_t *bytes; /* followed by a NUL */
        size_t size;
        size_t mapped;
} PtRevealed;

/* Room for `size` bytes, zeroed; NULL: there is no memory. */
PtRevealed *pt_revealed_new(size_t size);
void pt_revealed_free(PtRevealed *revealed);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PtRevealed, pt_revealed_free)

/* For a process that sees secrets, once at its start: it writes no core dump, and no other process
 * of its user can look into its memory. */
int pt_process_conceal(void);
