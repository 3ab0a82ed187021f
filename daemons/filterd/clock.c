/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "clock.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <time.h>

struct FwClock {
        sd_event *event;
        int fd; /* a timerfd; always armed, so that a clock that is set is heard of */
        sd_event_source *source;
        sd_event_source *sync;
        void (*changed)(void *userdata);
        void *userdata;
};

bool fw_clock_is_synchronised(void)
{
        struct timex timex = {0};

        return adjtimex(&timex) >= 0 && !(timex.status & STA_UNSYNC);
}

/* timerfd_create(2): ECANCELED when the clock was set. */
static int expired(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
        FwClock *clock = userdata;
        uint64_t times;

        if (read(fd, &times, sizeof(times)) < 0 && errno != ECANCELED)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        clock->changed(clock->userdata);
        return 0;
}

static int ask_again(sd_event_source *source, uint64_t usec, void *userdata)
{
        FwClock *clock = userdata;

        clock->sync = sd_event_source_disable_unref(clock->sync);
        if (!fw_clock_is_synchronised())
                return sd_event_add_time_relative(clock->event, &clock->sync, CLOCK_MONOTONIC,
                                                  FW_CLOCK_SYNC_USEC, 0, ask_again, clock);
        clock->changed(clock->userdata);
        return 0;
}

int fw_clock_arm(FwClock *clock, int64_t time_sec, bool synchronise)
{
        struct itimerspec when = {.it_value.tv_sec = time_sec};
        int r = 0;

        if (timerfd_settime(clock->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &when, NULL) <
            0)
                return -errno;
        if (!synchronise)
                clock->sync = sd_event_source_disable_unref(clock->sync);
        else if (!clock->sync)
                r = sd_event_add_time_relative(clock->event, &clock->sync, CLOCK_MONOTONIC,
                                               FW_CLOCK_SYNC_USEC, 0, ask_again, clock);
        return r < 0 ? r : 0;
}

int fw_clock_new(sd_event *event, void (*changed)(void *userdata), void *userdata, FwClock **ret)
{
        g_autoptr(FwClock) clock = g_new0(FwClock, 1);
        int r;

        clock->event = event;
        clock->changed = changed;
        clock->userdata = userdata;
        clock->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
        if (clock->fd < 0)
                return -errno;
        r = sd_event_add_io(event, &clock->source, clock->fd, EPOLLIN, expired, clock);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&clock);
        return 0;
}

void fw_clock_free(FwClock *clock)
{
        if (!clock)
                return;
        sd_event_source_disable_unref(clock->source);
        sd_event_source_disable_unref(clock->sync);
        if (clock->fd >= 0)
                close(clock->fd);
        g_free(clock);
}
