/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "event/backoff.h"

#include <time.h>

struct PtBackoff {
        sd_event_source *timer;
        uint64_t min_usec;
        uint64_t max_usec;
        uint64_t delay_usec;
        void (*again)(void *userdata);
        void *userdata;
};

static int backoff_elapsed(sd_event_source *source, uint64_t usec, void *userdata)
{
        PtBackoff *backoff = userdata;

        backoff->again(backoff->userdata);
        return 0;
}

int pt_backoff_new(sd_event *event, uint64_t min_usec, uint64_t max_usec,
                   void (*again)(void *userdata), void *userdata, PtBackoff **ret)
{
        g_autoptr(PtBackoff) backoff = g_new0(PtBackoff, 1);
        int r;

        *backoff = (PtBackoff){
                .min_usec = min_usec,
                .max_usec = max_usec,
                .delay_usec = min_usec,
                .again = again,
                .userdata = userdata,
        };
        /* A tenth of the delay as accuracy lets the loop wake up once for several timers. */
        r = sd_event_add_time_relative(event, &backoff->timer, CLOCK_MONOTONIC, min_usec,
                                       min_usec / 10, backoff_elapsed, backoff);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(backoff->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = g_steal_pointer(&backoff);
        return 0;
}

void pt_backoff_free(PtBackoff *backoff)
{
        if (!backoff)
                return;
        sd_event_source_disable_unref(backoff->timer);
        g_free(backoff);
}

int pt_backoff_arm(PtBackoff *backoff)
{
        int r;

        r = sd_event_source_set_time_relative(backoff->timer, backoff->delay_usec);
        if (r < 0)
                return r;
        r = sd_event_source_set_enabled(backoff->timer, SD_EVENT_ONESHOT);
        if (r < 0)
                return r;
        backoff->delay_usec = MIN(backoff->delay_usec * 2, backoff->max_usec);
        return 0;
}

void pt_backoff_reset(PtBackoff *backoff)
{
        (void) sd_event_source_set_enabled(backoff->timer, SD_EVENT_OFF);
        backoff->delay_usec = backoff->min_usec;
}

uint64_t pt_backoff_delay(const PtBackoff *backoff)
{
        return backoff->delay_usec;
}
