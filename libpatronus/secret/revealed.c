/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "secret/revealed.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>

PtRevealed *pt_revealed_new(size_t size)
{
        size_t page = (size_t) sysconf(_SC_PAGESIZE), mapped = (size + page) / page * page;
        PtRevealed *revealed;
        void *memory =
                mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
                return NULL;
        (void) madvise(memory, mapped, MADV_DONTDUMP);
        (void) madvise(memory, mapped, MADV_DONTFORK);
        (void) mlock(memory, mapped);
        revealed = g_new(PtRevealed, 1);
        *revealed = (PtRevealed){.bytes = memory, .size = size, .mapped = mapped};
        return revealed;
}

void pt_revealed_free(PtRevealed *revealed)
{
        if (!revealed)
                return;
        explicit_bzero(revealed->bytes, revealed->mapped);
        (void) munmap(revealed->bytes, revealed->mapped);
        g_free(revealed);
}

int pt_process_conceal(void)
{
        const struct rlimit none = {0, 0};

        if (setrlimit(RLIMIT_CORE, &none) < 0)
                return -errno;
        /* A pipe in core_pattern does not ask for the limit, but for this. */
        return prctl(PR_SET_DUMPABLE, 0) < 0 ? -errno : 0;
}
