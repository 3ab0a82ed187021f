/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "base/memory.h"

#include <malloc.h>

#define LARGE (512U * 1024U)

/* glibc's own first value. */
#define MMAP_THRESHOLD (128 * 1024)

void pt_memory_init(void)
{
        (void) mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
}

void pt_memory_settle(size_t handled)
{
        if (handled >= LARGE)
                (void) malloc_trim(0);
}
