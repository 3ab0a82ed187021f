/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * Loaded into filterd (LD_PRELOAD): its schedules live in another time. The file that
 * KILL_POINT_FILE names says by how many seconds; while there is none, it is the machine's. The
 * machine's clock is never set.
 */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>

static long shift(void)
{
        const char *path = getenv("KILL_POINT_FILE");
        FILE *file = path ? fopen(path, "re") : NULL;
        long seconds = 0;

        if (!file)
                return 0;
        if (fscanf(file, "%ld", &seconds) != 1)
                seconds = 0;
        fclose(file);
        return seconds;
}

time_t time(time_t *ret)
{
        struct timespec ts;
        time_t now;

        clock_gettime(CLOCK_REALTIME, &ts);
        now = ts.tv_sec + shift();
        if (ret)
                *ret = now;
        return now;
}

/* Only schedules want to hear when the clock is set. */
int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
        int (*real)(int, int, const struct itimerspec *, struct itimerspec *) =
                (int (*)(int, int, const struct itimerspec *, struct itimerspec *)) dlsym(
                        RTLD_NEXT, "timerfd_settime");
        struct itimerspec shifted = *when;

        if (flags & TFD_TIMER_CANCEL_ON_SET)
                shifted.it_value.tv_sec -= shift();
        return real(fd, flags, &shifted, old);
}
