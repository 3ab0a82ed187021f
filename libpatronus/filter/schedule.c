/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "filter/schedule.h"

#include <string.h>

#define DAY 86400
/* 1970-01-01, as GDate counts days. */
#define JULIAN_1970 719163

/* Which windows begin on a day. */
typedef struct Day {
        bool begins[FW_SCHEDULE_WINDOWS_MAX];
} Day;

static GTimeZone *zone_of(const Schedule *schedule)
{
        return g_time_zone_new_identifier(schedule->time_zone);
}

static int64_t clamp(int64_t time_sec)
{
        return CLAMP(time_sec, 0, FW_SCHEDULE_TIME_MAX);
}

static int interval_at(GTimeZone *zone, int64_t time_sec)
{
        return g_time_zone_find_interval(zone, G_TIME_TYPE_UNIVERSAL, time_sec);
}

/* Seconds since 1970 that a clock there shows; positive, or nearly so. */
static int64_t local_time(GTimeZone *zone, int64_t time_sec)
{
        return time_sec + g_time_zone_get_offset(zone, interval_at(zone, time_sec));
}

static int64_t day_of(int64_t local)
{
        return local >= 0 ? local / DAY : -((DAY - 1 - local) / DAY);
}

static PtDate date_of(int64_t day)
{
        GDate date;

        g_date_clear(&date, 1);
        g_date_set_julian(&date, (guint32) (day + JULIAN_1970));
        return (PtDate){(uint16_t) g_date_get_year(&date), (uint8_t) g_date_get_month(&date),
                        (uint8_t) g_date_get_day(&date)};
}

static bool has_date(const PtList *list, const PtDate *date)
{
        const PtDates *dates = list->items;

        for (unsigned i = 0; i < list->n; i++) {
                PtDate day = *date;

                if (dates[i].first.year == 0)
                        day.year = 0;
                if (pt_date_compare(&dates[i].first, &day) <= 0 &&
                    pt_date_compare(&day, &dates[i].last) <= 0)
                        return true;
        }
        return false;
}

static bool has_day(const PtList *list, int64_t day)
{
        const int *days = list->items;
        int weekday = (int) ((day + FW_THURSDAY + 7) % 7); /* so was 1970-01-01 */

        for (unsigned i = 0; i < list->n; i++)
                if (days[i] == weekday)
                        return true;
        return list->n == 0;
}

static void look_up_day(const Schedule *schedule, int64_t number, Day *ret)
{
        const FwWindow *windows = schedule->windows.items;
        PtDate date = date_of(number);
        bool excepted = has_date(&schedule->except, &date);

        for (unsigned i = 0; i < schedule->windows.n; i++)
                ret->begins[i] = !excepted && has_day(&windows[i].days, number) &&
                                 (windows[i].dates.n == 0 || has_date(&windows[i].dates, &date));
}

static bool is_open(const Schedule *schedule, const Day *yesterday, const Day *today,
                    int64_t second)
{
        const FwWindow *windows = schedule->windows.items;

        for (unsigned i = 0; i < schedule->windows.n; i++) {
                int64_t start = windows[i].start.minute * 60, end = windows[i].end.minute * 60;
                bool over_midnight = end <= start;

                if (today->begins[i] && second >= start && (over_midnight || second < end))
                        return true;
                if (over_midnight && yesterday->begins[i] && second < end)
                        return true;
        }
        return false;
}

/* What holds from one change of the clock to the next, on one local day. */
typedef struct Span {
        Day yesterday, today;
        int64_t day, offset;
} Span;

static void look_up(const Schedule *schedule, GTimeZone *zone, int64_t time_sec, Span *ret)
{
        int64_t local = local_time(zone, time_sec);

        ret->offset = local - time_sec;
        ret->day = day_of(local);
        look_up_day(schedule, ret->day - 1, &ret->yesterday);
        look_up_day(schedule, ret->day, &ret->today);
}

static bool is_open_at(const Schedule *schedule, const Span *span, int64_t time_sec)
{
        return is_open(schedule, &span->yesterday, &span->today,
                       time_sec + span->offset - span->day * DAY);
}

int fw_schedule_active(const Schedule *schedule, int64_t time_sec)
{
        g_autoptr(GTimeZone) zone = zone_of(schedule);
        Span span;

        if (!zone)
                return -ENOENT;
        time_sec = clamp(time_sec);
        look_up(schedule, zone, time_sec, &span);
        return is_open_at(schedule, &span, time_sec);
}

/* Where a span that `from` is in ends: at midnight, or when the clock changes before. */
static int64_t end_of(GTimeZone *zone, const Span *span, int64_t from)
{
        int64_t lo = from, hi = (span->day + 1) * DAY - span->offset;
        int interval = interval_at(zone, from);

        if (interval_at(zone, hi - 1) == interval)
                return hi;
        for (hi--; hi - lo > 1;) { /* lo is in the interval, hi after it */
                int64_t middle = lo + (hi - lo) / 2;

                if (interval_at(zone, middle) == interval)
                        lo = middle;
                else
                        hi = middle;
        }
        return hi;
}

/* The first time in a span, after `from` and before `end`, at which it is otherwise than `open`. */
static int64_t change_in(const Schedule *schedule, const Span *span, int64_t from, int64_t end,
                         bool open)
{
        const FwWindow *windows = schedule->windows.items;
        int64_t midnight = span->day * DAY - span->offset, found = end;

        for (unsigned i = 0; i < 2 * schedule->windows.n; i++) {
                const FwWindow *window = &windows[i / 2];
                int64_t at = midnight + 60 * (i % 2 ? window->end.minute : window->start.minute);

                if (at > from && at < found && is_open_at(schedule, span, at) != open)
                        found = at;
        }
        return found;
}

int fw_schedule_next(const Schedule *schedule, int64_t from, int64_t *ret)
{
        g_autoptr(GTimeZone) zone = zone_of(schedule);
        int64_t at = clamp(from), last = at + FW_SCHEDULE_AHEAD_SEC;
        bool open = false, first = true;

        if (!zone)
                return -ENOENT;
        for (; at < last; first = false) {
                Span span;
                int64_t end, change;

                look_up(schedule, zone, at, &span);
                if (first)
                        open = is_open_at(schedule, &span, at);
                else if (is_open_at(schedule, &span, at) != open)
                        break;
                end = end_of(zone, &span, at);
                change = change_in(schedule, &span, at, end, open);
                at = change;
                if (change < end)
                        break;
        }
        *ret = MIN(at, last);
        return 0;
}

/* All of a slice. */

typedef struct Visit {
        FwTimes *times;
        int64_t now;
        GPtrArray *names; /* of all */
} Visit;

static int visit_schedule(const PtObject *object, void *userdata)
{
        const Schedule *schedule = (const Schedule *) object;
        Visit *visit = userdata;
        FwTimes *times = visit->times;
        int64_t next;

        g_ptr_array_add(visit->names, object->name);
        if (fw_schedule_next(schedule, visit->now, &next) < 0) {
                g_hash_table_add(times->unknown, g_strdup(object->name));
                return 0;
        }
        times->until = MIN(times->until, next);
        if (fw_schedule_active(schedule, visit->now) > 0)
                g_hash_table_add(times->open, g_strdup(object->name));
        return 0;
}

/* Only whether it is open: when that changes is much more work. */
static int visit_open(const PtObject *object, void *userdata)
{
        Visit *visit = userdata;
        int r = fw_schedule_active((const Schedule *) object, visit->now);

        if (r != 0)
                g_hash_table_add(r > 0 ? visit->times->open : visit->times->unknown,
                                 g_strdup(object->name));
        return 0;
}

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(char *const *) a, *(char *const *) b);
}

static void set_digest(Visit *visit)
{
        FwTimes *times = visit->times;
        g_autoptr(GString) text = g_string_new(times->trusted ? "trusted\n" : "\n");
        PtDigest digest;

        if (visit->names->len == 0)
                return;
        g_ptr_array_sort(visit->names, compare_names);
        for (unsigned i = 0; i < visit->names->len; i++) {
                const char *name = g_ptr_array_index(visit->names, i);

                g_string_append_printf(text, "%s %d\n", name,
                                       g_hash_table_contains(times->open, name));
        }
        pt_digest_of((const uint8_t *) text->str, text->len, &digest);
        memcpy(times->digest, digest.bytes, sizeof(times->digest));
}

static FwTimes *new_times(bool trusted)
{
        FwTimes *times = g_new0(FwTimes, 1);

        *times = (FwTimes){.refs = 1,
                           .trusted = trusted,
                           .open = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                           .unknown = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL),
                           .until = INT64_MAX};
        return times;
}

FwTimes *fw_times_at(const PtSlice *slice, int64_t time_sec)
{
        FwTimes *times = new_times(true);
        Visit visit = {.times = times, .now = time_sec};

        (void) pt_slice_foreach(slice, &pt_kind_schedule, visit_open, &visit);
        return times;
}

int64_t fw_moment_time(const PtMoment *moment)
{
        g_autoptr(GTimeZone) zone = moment->zoned ? g_time_zone_new_utc() : g_time_zone_new_local();
        g_autoptr(GDateTime) time =
                g_date_time_new(zone, moment->date.year, moment->date.month, moment->date.day,
                                (int) (moment->second / 3600), (int) (moment->second / 60 % 60),
                                moment->second % 60);

        /* The type takes no day or time that there is not; one that summer time skips is moved. */
        return clamp(g_date_time_to_unix(time) - 60 * moment->offset);
}

FwTimes *fw_times_new(const PtSlice *slice, int64_t now, bool trusted)
{
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        FwTimes *times = new_times(trusted);
        Visit visit = {.times = times, .now = now, .names = names};

        (void) pt_slice_foreach(slice, &pt_kind_schedule, visit_schedule, &visit);
        set_digest(&visit);
        return times;
}

FwTimes *fw_times_ref(FwTimes *times)
{
        if (times)
                times->refs++;
        return times;
}

void fw_times_unref(FwTimes *times)
{
        if (!times || --times->refs > 0)
                return;
        g_hash_table_unref(times->open);
        g_hash_table_unref(times->unknown);
        g_free(times);
}

bool fw_times_let(const FwTimes *times, const FirewallRule *rule)
{
        const char *name = fw_rule_box(rule)->schedule;

        if (!name || !times)
                return true;
        if (!times->trusted || g_hash_table_contains(times->unknown, name))
                return rule->action == FW_DROP || rule->action == FW_REJECT;
        return g_hash_table_contains(times->open, name);
}
