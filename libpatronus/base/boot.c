/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/boot.h"
#include "base/io.h"

#include <fcntl.h>
#include <string.h>
#include <time.h>

#define BOOT_ID_FILE "/proc/sys/kernel/random/boot_id"

bool pt_boot_id_is_valid(const char *text)
{
        return strlen(text) == PT_BOOT_ID_MAX - 1 &&
               strspn(text, "0123456789abcdef-") == PT_BOOT_ID_MAX - 1;
}

int pt_boot_id(char ret[static PT_BOOT_ID_MAX])
{
        g_autofree char *text = NULL;
        size_t size;
        int r = pt_read_file(AT_FDCWD, BOOT_ID_FILE, PT_BOOT_ID_MAX, &text, &size);

        if (r < 0)
                return r;
        g_strchomp(text);
        if (!pt_boot_id_is_valid(text))
                return -EBADMSG;
        memcpy(ret, text, PT_BOOT_ID_MAX);
        return 0;
}

uint64_t pt_boottime_usec(void)
{
        struct timespec now;

        /* Fails for a clock that there is not; this one is there since 2.6.39. */
        (void) clock_gettime(CLOCK_BOOTTIME, &now);
        return (uint64_t) now.tv_sec * G_USEC_PER_SEC + (uint64_t) now.tv_nsec / 1000;
}
