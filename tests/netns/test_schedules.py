# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules and real packets: rules that come and go with the clock, without a revision; what a restart finds; clocks that nobody keeps."""

import ctypes
import datetime
import json
import pathlib
import signal
import socket
import time

import netns
import nflog
import pytest
from documents import document
from lab import Lab
from nfmonitor import Monitor
from shared_fixtures import lab_name, need_daemons
from test_revoke import Flow

EXAMPLES = pathlib.Path(__file__).resolve().parents[2] / "examples"
MONDAY = datetime.datetime(2026, 3, 30, tzinfo=datetime.timezone.utc)  # the day after summer time began in Europe


ZONES = document("Zone", "wan", interfaces=["wan"]) + document("Zone", "lan", interfaces=["lan"])
OFFICE = document("Schedule", "office", timeZone="Europe/Vienna", windows=[{"days": ["mon"], "start": "10:00", "end": "11:00"}])


def rule(name, port, **spec):
    return document("FirewallRule", name, **{"from": "lan", "to": "wan", "protocol": "udp", "destination": {"ports": [port]}, "log": True,
                                             "logRate": "1000/second", **spec})


RULES = (rule("timed-allow", 7, action="allow", schedule="office") + rule("timed-drop", 8, action="drop", schedule="office", priority=1)
         + rule("rest", 8, action="allow") + rule("refuse", 7, action="reject", priority=40000))


@pytest.fixture
def shifted(request):
    need_daemons()
    with Lab(lab_name(request.node.nodeid), preload="tests/lib/libclock-shift.so") as made:
        yield made


def moment(hour, minute, second, day=0):
    return (MONDAY + datetime.timedelta(days=day, hours=hour, minutes=minute, seconds=second)).timestamp()


def set_time(lab, *when, **day):
    """The time of filterd's schedules, in UTC, from its next look at the clock on; how far it is from ours."""
    shift = int(moment(*when, **day) - time.time())
    path = lab.directory / "kill-point.filterd"
    path.with_suffix(".new").write_text(str(shift))
    path.with_suffix(".new").rename(path)
    return shift


def verdicts(lab):
    """What becomes of ports 7 and 8: which rule decides."""
    with nflog.Log(lab) as log, netns.make_socket(lab.netns("lan"), socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for port in (7, 8):
            sock.sendto(b"x", ("10.1.0.2", port))
        lines = [log.next(), log.next()]
    return [line["rule"]["name"] for line in sorted(lines, key=lambda line: line["destinationPort"])]


def synchronised():
    class Timex(ctypes.Structure):
        _fields_ = [("modes", ctypes.c_uint), ("rest", ctypes.c_long * 50)]

    return ctypes.CDLL(None).adjtimex(ctypes.byref(Timex())) != 5  # TIME_ERROR


def revision(lab):
    return lab.ctl("history", "--limit", "1", "-o", "json").stdout


OPEN, CLOSED = ["timed-allow", "timed-drop"], ["refuse", "rest"]


def test_rules_come_and_go_with_the_clock(shifted):
    lab = shifted
    set_time(lab, 7, 30, 0)  # 9:30 in Vienna
    lab.apply(ZONES + OFFICE + RULES + document("FilterSettings", "default", trustClock=True))
    assert verdicts(lab) == CLOSED

    def turns(priority, before, after, *when):
        """Two seconds before the moment it is as before, and then it is otherwise, without anybody's doing."""
        with Monitor(lab.netns("router")) as monitor:
            shift = set_time(lab, when[0] - 1, 59, 58)
            lab.ctl("set", "FirewallRule/rest", f"priority={priority}")  # whatever is planned looks at the clock
            made, seen = revision(lab), verdicts(lab)
            if time.time() + shift < moment(*when):  # not on a machine that was too slow
                assert seen == before
            while seen != after:
                monitor.next_commit()
                seen = verdicts(lab)
        assert revision(lab) == made, "that was no revision"

    turns(100, CLOSED, OPEN, 8, 0, 0)
    set_time(lab, 8, 30, 0)
    lab.ctl("set", "FirewallRule/rest", "priority=101")
    assert verdicts(lab) == OPEN
    turns(102, OPEN, CLOSED, 9, 0, 0)
    assert json.loads(lab.ctl("status", "-o", "json").stdout.splitlines()[0])  # nothing hangs


def test_a_restart_finds_the_time(shifted):
    lab = shifted
    set_time(lab, 8, 0, 5)
    lab.apply(ZONES + OFFICE + RULES + document("FilterSettings", "default", trustClock=True))
    assert verdicts(lab) == OPEN
    lab.end("filterd", signal.SIGKILL)
    with Monitor(lab.netns("router")) as monitor:
        lab.start("filterd")
        assert verdicts(lab) == OPEN
        assert monitor.pending() == [], "what is in force is right: nothing is touched"
    lab.end("filterd", signal.SIGKILL)
    set_time(lab, 12, 0, 0)
    lab.start("filterd")
    assert verdicts(lab) == CLOSED
    lab.end("filterd", signal.SIGKILL)
    set_time(lab, 8, 0, 5, day=1)  # Tuesday
    lab.start("filterd")
    assert verdicts(lab) == CLOSED


ENDING = "".join(rule(name, port, action="allow", log=False, **{"protocol": "tcp"} | spec) for name, port, spec in (
    ("ends", 2000, {"schedule": "office", "endConnections": True}),
    ("goes-on", 2001, {"schedule": "office"}),
    ("also", 2002, {"schedule": "office", "endConnections": True}),
    ("always", 2002, {"priority": 40000})))


def flows(lab):
    made = [Flow(lab, "lan", "wan", "10.1.0.2", port) for port in (2000, 2001, 2002)]
    return made[0], made[1:]


def test_what_ends_with_its_window(shifted):
    """What another rule lets begin at that time goes on, and what no rule said should end."""
    lab = shifted
    set_time(lab, 8, 30, 0)
    lab.apply(ZONES + OFFICE + ENDING + document("FilterSettings", "default", trustClock=True, revoke=False))
    first, others = flows(lab)
    set_time(lab, 8, 59, 58)
    lab.ctl("set", "FirewallRule/always", "priority=40001")  # whatever is planned looks at the clock
    assert first.ends()
    assert all(flow.lives() for flow in others)
    set_time(lab, 8, 30, 0)
    lab.ctl("set", "FirewallRule/always", "priority=40002")
    assert all(flow.lives() for flow in others)
    # the same of a window that ends while nobody looks
    first, more = flows(lab)
    lab.end("filterd", signal.SIGKILL)
    assert first.lives()
    set_time(lab, 12, 0, 0)
    lab.start("filterd")
    assert first.ends()
    assert all(flow.lives() for flow in others + more)


@pytest.mark.parametrize("spec, says", [
    ({"action": "allow"}, "add one"),
    ({"action": "drop", "schedule": "office"}, "let it allow"),
    ({"action": "allow", "schedule": "office", "mode": "audit"}, "let it allow"),
])
def test_what_cannot_end(lab, spec, says):
    refused = lab.ctl("apply", "-f", "-", stdin=ZONES + OFFICE + rule("r", 7, endConnections=True, **spec), check=False)
    assert refused.returncode == 1 and "/spec/endConnections" in refused.stderr and says in refused.stderr, refused.stderr


def test_a_schedule_that_changes(shifted):
    """Its rules follow at once, as they do when it is another one."""
    lab = shifted
    set_time(lab, 12, 0, 0)
    lab.apply(ZONES + OFFICE + RULES + document("FilterSettings", "default", trustClock=True))
    assert verdicts(lab) == CLOSED
    lab.ctl("set", "Schedule/office", "windows=[{start: \"13:00\", end: \"16:00\"}]")
    assert verdicts(lab) == OPEN
    lab.ctl("set", "Schedule/office", "except=2026-03-30")
    assert verdicts(lab) == CLOSED
    lab.ctl("set", "FirewallRule/timed-allow", "schedule=")
    assert verdicts(lab) == ["timed-allow", "rest"]
    refused = lab.ctl("set", "Schedule/office", "timeZone=Europe/Wien", check=False)
    assert refused.returncode == 1 and 'Schedule/office#/spec/timeZone' in refused.stderr.replace(" /spec", "#/spec"), refused.stderr
    assert "knows no time zone" in refused.stderr
    used = lab.ctl("delete", "Schedule/office", check=False)
    assert used.returncode == 1 and "timed-drop" in used.stderr


def why(lab, zone, at):
    host = {"guest": "10.4.0.2", "lan": "10.2.0.2"}[zone]
    done = lab.ctl("filter", "why", "--from", zone, "--to", "wan", "--src", host, "--dst", "10.1.0.2", "--proto", "tcp", "--dport", "443",
                   "--at", at, "-o", "json", check=False)
    answer = json.loads(done.stdout.splitlines()[0])
    return answer["verdict"], answer.get("rule", {}).get("name")


def test_the_example_and_why(shifted):
    """What would be at another time, and what is."""
    lab = shifted
    set_time(lab, 12, 0, 0)
    lab.apply((EXAMPLES / "schedules.yaml").read_text())
    asked = [("guest", "2026-03-30T12:00:00+02", ("allow", "guests")), ("guest", "2026-03-30T07:59:59+02", ("drop", None)),
             ("guest", "2026-03-29T12:00:00+02", ("drop", None)), ("guest", "2026-12-06T17:59:59+01", ("allow", "guests")),
             ("guest", "2026-12-25T12:00:00+01", ("drop", None)), ("guest", "2027-01-01T12:00:00+01", ("drop", None)),
             ("lan", "2026-03-30T12:00:00+02", ("allow", "staff")), ("lan", "2026-03-30T23:00:00+02", ("drop", "nobody-at-night")),
             ("lan", "2026-03-31T05:59:59+02", ("drop", "nobody-at-night")), ("lan", "2026-03-31T06:00:00+02", ("allow", "staff"))]
    assert [why(lab, zone, at) for zone, at, _ in asked] == [told for _, _, told in asked]

    assert lab.pings("guest", "10.1.0.2") and lab.pings("lan", "10.1.0.2")
    set_time(lab, 21, 0, 0)
    lab.ctl("set", "FirewallRule/staff", "priority=40000")
    with nflog.Log(lab) as log:
        assert not lab.pings("guest", "10.1.0.2", expect=False) and not lab.pings("lan", "10.1.0.2", expect=False)
        log.exactly(2)
    lines = lab.ctl("filter", "log", "--limit", "2", "-o", "json").stdout.splitlines()
    assert [(line["verdict"], line["reason"], line.get("rule", {}).get("name")) for line in map(json.loads, lines)] == [
        ("drop", "default", None), ("drop", "rule", "nobody-at-night")]
    told = lab.ctl("filter", "log", "--limit", "1", "zone=lan").stdout
    assert "drop" in told and "FirewallRule/nobody-at-night from lan to wan in lan out wan icmp 8/0 10.2.0.2 > 10.1.0.2" in told
    assert lab.ctl("filter", "why", "--from", "lan", "--src", "10.2.0.2", "--dst", "10.1.0.2", "--at", "teatime", check=False).returncode == 2


def test_a_clock_that_nobody_keeps(lab):
    """What is limited in time is off when it allows, and on when it drops, until the clock is right or said to be."""
    always = document("Schedule", "office", windows=[{"start": "00:00"}])
    lab.apply(ZONES + always + RULES)
    if synchronised():
        assert verdicts(lab) == OPEN
    else:
        assert verdicts(lab) == ["refuse", "timed-drop"]
        assert "not synchronised" in lab.ctl("status").stdout
    lab.ctl("set", "FilterSettings/default", "trustClock=true")
    assert verdicts(lab) == OPEN
    assert "not synchronised" not in lab.ctl("status").stdout
