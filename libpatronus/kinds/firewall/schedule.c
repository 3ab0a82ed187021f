/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kinds/firewall/firewall.h"

#include "kind/field.h"

#include <string.h>

static const PtChoice days[] = {
        {"mon", FW_MONDAY, "Monday"},       {"tue", FW_TUESDAY, "Tuesday"},
        {"wed", FW_WEDNESDAY, "Wednesday"}, {"thu", FW_THURSDAY, "Thursday"},
        {"fri", FW_FRIDAY, "Friday"},       {"sat", FW_SATURDAY, "Saturday"},
        {"sun", FW_SUNDAY, "Sunday"},       {},
};

/* clang-format off */
static const PtField window_fields[] = {
        [FW_WINDOW_DAYS] = PT_FIELD(FwWindow, enum, days, "days", PT_F_LIST,
                .choices = days,
                .doc = "Days of the week on which it begins. Absent: every day.",
                .example = "[mon, tue, wed, thu, fri]"),
        [FW_WINDOW_START] = PT_FIELD(FwWindow, time, start, "start", 0,
                .def = "00:00",
                .doc = "When it begins, by the clock on the wall.",
                .example = "\"08:00\""),
        [FW_WINDOW_END] = PT_FIELD(FwWindow, time, end, "end", 0,
                .def = "00:00",
                .doc = "When it ends, by the clock on the wall; this minute is no part of it. One "
                       "that is not after the start is on the next day: 00:00 is midnight.",
                .example = "\"17:30\""),
        [FW_WINDOW_DATES] = PT_FIELD(FwWindow, dates, dates, "dates", PT_F_LIST,
                .max_items = FW_SCHEDULE_DATES_MAX,
                .doc = "Days of the calendar on which it begins: one, a first and a last, or one "
                       "of every year. With days of the week too, it must be both. Absent: every "
                       "day.",
                .example = "[2026-07-01/2026-08-31, \"12-31\"]"),
        {},
};
G_STATIC_ASSERT(G_N_ELEMENTS(window_fields) == FW_WINDOW_DATES + 2);

static const PtField schedule_fields[] = {
        [SCHEDULE_TIME_ZONE] = PT_FIELD(Schedule, string, time_zone, "timeZone", 0,
                .max = FW_TIME_ZONE_MAX,
                .doc = "Where the clock hangs, by its name in the IANA time zone database. "
                       "Changes to and from summer time follow from it. Absent: the machine's "
                       "own.",
                .example = "Europe/Vienna"),
        [SCHEDULE_WINDOWS] = PT_STRUCTS(Schedule, FwWindow, windows, "windows", window_fields,
                PT_F_REQUIRED,
                .max_items = FW_SCHEDULE_WINDOWS_MAX,
                .doc = "When it is time: whenever one of them is open.",
                .example = "[{ days: [mon, tue], start: \"08:00\", end: \"17:30\" }]"),
        [SCHEDULE_EXCEPT] = PT_FIELD(Schedule, dates, except, "except", PT_F_LIST,
                .max_items = FW_SCHEDULE_DATES_MAX,
                .doc = "Days on which no window begins: holidays. One that began the evening "
                       "before goes on over midnight.",
                .example = "[\"12-25\", 2026-04-06]"),
        {},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(schedule_fields) == SCHEDULE_EXCEPT + 2);

/* Whether the database has it is asked where it is used: kinds look at nothing but themselves. */
static bool is_zone_name(const char *name)
{
        if (!g_ascii_isalpha(name[0]) || g_str_has_suffix(name, "/") || strstr(name, "//"))
                return false;
        for (const char *p = name; *p; p++)
                if (!g_ascii_isalnum(*p) && !strchr("/_+-", *p))
                        return false;
        return true;
}

static int schedule_check(const PtObject *object, PtDiagnostics *diag)
{
        const Schedule *schedule = (const Schedule *) object;

        if (!schedule->time_zone || is_zone_name(schedule->time_zone))
                return 0;
        pt_diag_error(diag, "invalid-time-zone", "/spec/timeZone",
                      "\"%s\" is no name of a time zone; write one like Europe/Vienna or UTC",
                      schedule->time_zone);
        return -EINVAL;
}

const PtKind pt_kind_schedule = {
        .name = "Schedule",
        .api_version = "patronus.firewall/v1",
        .plural = "schedules",
        .doc = "When rules that name it are in force: windows of time by day of the week and by "
               "date, less holidays. Times are those of a clock on the wall, so that a window of "
               "the night is an hour longer or shorter when summer time ends or begins.",
        .example = "apiVersion: patronus.firewall/v1\n"
                   "kind: Schedule\n"
                   "metadata:\n"
                   "  name: office-hours\n"
                   "spec:\n"
                   "  timeZone: Europe/Vienna\n"
                   "  windows:\n"
                   "    - days: [mon, tue, wed, thu, fri]\n"
                   "      start: \"08:00\"\n"
                   "      end: \"17:30\"\n"
                   "  except: [\"12-25\", \"12-26\"]\n",
        .size = sizeof(Schedule),
        .fields = schedule_fields,
        .passive = true,
        .check = schedule_check,
};
