# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules against Python's zoneinfo: random windows, dates and holidays, in zones with changes of the clock of every sort."""

import datetime
import json
import os
import random
import subprocess
import zoneinfo

import pytest

DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
# An hour and half an hour, both hemispheres, none, at midnight (Asuncion), a day that was skipped (Apia 2011), odd offsets.
ZONES = ["UTC", "Europe/Vienna", "America/New_York", "Australia/Lord_Howe", "America/Asuncion", "Pacific/Apia", "Asia/Kathmandu",
         "Africa/Casablanca", "Asia/Tehran", "America/St_Johns", "Europe/Dublin", "Antarctica/Troll"]
AHEAD = 400 * 86400
SCHEDULES = 3000 if os.environ.get("PATRONUS_LONG") else 300


def date(text):
    return tuple(int(part) for part in text.split("-"))


def has(dates, day):
    for text in dates:
        if len(text) == 5:
            if (day.month, day.day) == date(text):
                return True
            continue
        first, _, last = text.partition("/")
        if date(first) <= (day.year, day.month, day.day) <= date(last or first):
            return True
    return False


def begins(spec, window, day):
    if has(spec.get("except", []), day):
        return False
    if "days" in window and DAYS[day.weekday()] not in window["days"]:
        return False
    return "dates" not in window or has(window["dates"], day)


def active(spec, at):
    """The oracle: what the clock on the wall shows, and whether a window has it."""
    wall = datetime.datetime.fromtimestamp(at, zoneinfo.ZoneInfo(spec["timeZone"]))
    clock, today = f"{wall.hour:02}:{wall.minute:02}", wall.date()
    yesterday = today - datetime.timedelta(days=1)
    for window in spec["windows"]:
        start, end = window.get("start", "00:00"), window.get("end", "00:00")
        if start < end:
            if start <= clock < end and begins(spec, window, today):
                return True
        elif (clock >= start and begins(spec, window, today)) or (clock < end and begins(spec, window, yesterday)):
            return True
    return False


def random_date(draw, year):
    day = datetime.date(year, 1, 1) + datetime.timedelta(days=draw.randrange(365))
    kind = draw.randrange(3)
    if kind == 0:
        return f"{day.month:02}-{day.day:02}"
    if kind == 1:
        return day.isoformat()
    last = day + datetime.timedelta(days=draw.randrange(1, 40))
    return f"{day.isoformat()}/{last.isoformat()}"


def random_spec(draw, year, zones):
    def window():
        made = {"start": f"{draw.randrange(24):02}:{draw.choice([0, 15, 30, 59]):02}"}
        if draw.random() < 0.8:
            made["end"] = f"{draw.randrange(24):02}:{draw.choice([0, 15, 30, 59]):02}"
        if draw.random() < 0.6:
            made["days"] = sorted(draw.sample(DAYS, draw.randrange(1, 7)), key=DAYS.index)
        if draw.random() < 0.3:
            made["dates"] = list({random_date(draw, year) for _ in range(draw.randrange(1, 5))})
        return made

    spec = {"timeZone": draw.choice(zones), "windows": [window() for _ in range(draw.randrange(1, 4))]}
    if draw.random() < 0.4:
        spec["except"] = list({random_date(draw, year) for _ in range(draw.randrange(1, 6))})
    return spec


def changes(zone, year):
    """When the clock of a zone is changed in a year: to the second."""
    def offset(at):
        return datetime.datetime.fromtimestamp(at, zoneinfo.ZoneInfo(zone)).utcoffset()

    begin = int(datetime.datetime(year, 1, 1, tzinfo=datetime.timezone.utc).timestamp())
    found = []
    for at in range(begin, begin + 366 * 86400, 86400):
        if offset(at) == offset(at + 86400):
            continue
        low, high = at, at + 86400
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == offset(at) else (low, middle)
        found.append(high)
    return found


def ask(build_dir, specs):
    program = build_dir / "tests/lib/schedule-times"
    assert program.exists(), f"{program} is missing: build it, or set PATRONUS_BUILD"
    done = subprocess.run([program], input="".join(json.dumps({"spec": spec, "times": times}) + "\n" for spec, times in specs),
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("year", [2011, 2026, 2044])  # the last is after the end of what time zone files list one by one
def test_schedules_are_what_the_wall_clock_shows(build_dir, year):
    draw = random.Random(year)
    # GLib 2.74 misreads the rule "IST-1GMT0,M10.5.0,M3.5.0/1", in which winter is the exception (docs/SCHEDULES.md).
    zones = [zone for zone in ZONES if year < 2038 or zone != "Europe/Dublin"]
    turns = {zone: changes(zone, year) for zone in zones}
    asked = []
    for _ in range(SCHEDULES):
        spec = random_spec(draw, year, zones)
        begin = int(datetime.datetime(year, 1, 1, tzinfo=datetime.timezone.utc).timestamp())
        times = [begin + draw.randrange(366 * 86400) for _ in range(10)]
        for turn in turns[spec["timeZone"]]:
            times += [turn + shift for shift in (-3601, -1800, -1, 0, 1, 1799, 3600, 86400, draw.randrange(-90000, 90000))]
        asked.append((spec, times))
    wrong, nexts = [], 0
    for (spec, times), answers in zip(asked, ask(build_dir, asked), strict=True):
        for at, (is_open, until) in zip(times, answers, strict=True):
            if bool(is_open) != active(spec, at):
                wrong.append(f"{spec} at {at}: {is_open}")
            # it stays so until then, which is asked minute by minute near both ends and now and then between
            assert at < until <= at + AHEAD
            between = [at + draw.randrange(until - at) for _ in range(3)] + [until - 1]
            wrong += [f"{spec} at {at}: changes before {until}, at {t}" for t in between if active(spec, t) != bool(is_open)]
            if until < at + AHEAD:
                nexts += 1
                if active(spec, until) == bool(is_open):
                    wrong.append(f"{spec} at {at}: nothing changes at {until}")
    assert not wrong, "\n".join(wrong[:10])
    assert nexts > SCHEDULES * 5
