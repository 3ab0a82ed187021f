/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * When a Schedule is open. Its windows are of the clock on the wall: a moment is inside when the
 * local date and time of it are, so nothing is special where summer time begins or ends. A window
 * of a time that is skipped is not open that day, one of an hour that comes twice is open twice.
 *
 *         r = fw_schedule_active(schedule, now);
 *         r = fw_schedule_next(schedule, now, &until);
 */

#include "kinds/firewall/firewall.h"
#include "txn/slice.h"

/* How far fw_schedule_next() looks ahead: further than a year, so that what comes every year is
 * found. */
#define FW_SCHEDULE_AHEAD_SEC (400LL * 86400)
/* The end of the year 9999: times are taken to lie between 1970 and then. */
#define FW_SCHEDULE_TIME_MAX 253402300799LL

/* 1: open at this time (seconds since 1970), 0: not. -ENOENT: there is no such time zone. */
int fw_schedule_active(const Schedule *schedule, int64_t time_sec);
/* The first time after `from` at which it opens or closes; FW_SCHEDULE_AHEAD_SEC after it when it
 * does neither until then. -ENOENT: there is no such time zone. */
int fw_schedule_next(const Schedule *schedule, int64_t from, int64_t *ret);

/* What the schedules of a slice say at one moment; immutable. */
typedef struct FwTimes {
        unsigned refs;
        bool trusted;        /* the clock is right */
        GHashTable *open;    /* names of Schedules that are; a set */
        uint8_t digest[8];   /* of all this; zero when the slice has no schedules */
        int64_t until;       /* when it is to be asked again; INT64_MAX: there are no schedules */
        GHashTable *unknown; /* names of Schedules whose time zone there is not; a set */
} FwTimes;

/* Seconds since 1970, as FwTimes take them. */
int64_t fw_moment_time(const PtMoment *moment);

FwTimes *fw_times_new(const PtSlice *slice, int64_t now, bool trusted);
/* What they say at a time that somebody asks about: the clock is right, and `until` is not looked
 * for. */
FwTimes *fw_times_at(const PtSlice *slice, int64_t time_sec);
FwTimes *fw_times_ref(FwTimes *times);
void fw_times_unref(FwTimes *times);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FwTimes, fw_times_unref)

/*
 * Whether a rule's schedule lets it be in force. While the clock is not trusted, or when there is no
 * such time zone, rules that let something pass are not, and others are. `times` NULL: nobody asks for the time, and all are.
 */
bool fw_times_let(const FwTimes *times, const FirewallRule *rule);
