/* SPDX-License-Identifier: GPL-3.0-or-later */

/* /proc/PID/stat and status, of which a program chooses the name: any bytes, with any end. */

#include "base/process.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        /* A block of its own size: a byte too far is seen. */
        g_autofree char *text = g_memdup2(data, size);
        PtProcess process;
        uid_t uid;

        if (pt_process_parse_stat(text, size, &process) == 0)
                g_assert(process.pid > 0 && process.parent >= 0 &&
                         memchr(process.comm, '\0', sizeof(process.comm)));
        g_assert(pt_process_parse_status(text, size, &uid) <= 0);
        return 0;
}
