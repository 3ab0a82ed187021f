# SPDX-License-Identifier: GPL-3.0-or-later
"""Panic: what it stops and what it leaves, who can switch it, what tells of it, and what it outlives."""

import contextlib
import json
import signal

import dbus
import pytest
import traffic
from documents import document
from download import Download
from nflog import Log
from test_audit_acts import reported
from test_bans import INTERFACE, Signals, filterd
from test_rule_questions import ZONES, assert_seen, rule
from traffic import Row

ADMIN = document("FilterSettings", "default", antiLockout={"interfaces": ["lan"], "ports": [22]})
ALLOW = rule("all", action="allow") + rule("from-router", action="allow", **{"from": "router"})
ROUTER = {family: traffic.address("router", family, at="lan") for family in (4, 6)}


@pytest.fixture
def held():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def running(lab):
    lab.apply(ZONES + ALLOW + ADMIN)
    return lab


def panic(lab, on, **options):
    filterd(lab).Panic(on, dbus.Dictionary(options, signature="sv"), dbus_interface=INTERFACE)


def is_on(lab):
    return bool(filterd(lab).Get(INTERFACE, "Panic", dbus_interface="org.freedesktop.DBus.Properties"))


def counters(lab):
    rows = map(json.loads, lab.ctl("filter", "counters", "-o", "json").stdout.splitlines())
    return {row["name"]: row["packets"] for row in rows if row["name"].startswith("panic/")}


def rows(passes):
    """What stops and what goes on, both families."""
    def other(text):
        return text if passes else "no answer"

    return [row for family in (4, 6) for row in (
        Row(f"ssh {family}", "tcp", "lan", "router", family, f"answer, seen as {traffic.address('lan', family)}", 22),
        Row(f"DNS {family}", "tcp", "lan", "router", family, other(f"answer, seen as {traffic.address('lan', family)}"), 53),
        Row(f"ssh from elsewhere {family}", "tcp", "dmz", "router", family, other(f"answer, seen as {traffic.address('dmz', family)}"), 22),
        Row(f"through {family}", "tcp", "lan", "dmz", family, other(f"answer, seen as {traffic.address('lan', family)}"), 22),
        Row(f"ping {family}", "ping", "lan", "router", family, other("answer")),
        Row(f"the router's own {family}", "tcp", "router", "dmz", family,
            other(f"answer, seen as {traffic.address('router', family, at='dmz')}"), 443))]


def why(lab, *asked, code):
    done = lab.ctl("filter", "why", *asked, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def test_what_it_stops_and_leaves(running, held):
    assert_seen(running, rows(True))
    log = held.enter_context(contextlib.closing(Log(running, reason="panic")))
    with Download(running, "lan", "dmz") as download:
        download.check()
        panic(running, True)
        assert is_on(running)
        while not download.stands_still(traffic.SILENCE_S):
            pass
        assert log.next()["verdict"] == "drop"
        assert_seen(running, rows(False))
        assert running.pings("router", "127.0.0.1")
        counted = counters(running)
        assert set(counted) == {"panic/input", "panic/forward", "panic/output"} and all(counted.values())
        for family in (4, 6):
            asked = ("--in", "lan", "--src", traffic.address("lan", family), "--proto", "tcp")
            assert "panic mode drops it" in why(running, *asked, "--dst", traffic.address("dmz", family), "--dport", "22", code=6)
            assert "panic mode drops it" in why(running, *asked, "--dst", ROUTER[family], "--dport", "53", "--state", "established", code=6)
            assert "anti-lockout" in why(running, *asked, "--dst", ROUTER[family], "--dport", "22", code=0)
            answer = ("--from", "router", "--src", ROUTER[family], "--dst", traffic.address("lan", family), "--proto", "tcp", "--dport", "4711")
            why(running, *answer, "--sport", "22", "--state", "established", code=0)
            assert "panic mode drops it" in why(running, *answer, "--sport", "22", code=6)
        panic(running, False)
        download.check()  # TCP sends again what was lost
    assert not is_on(running) and not counters(running)
    assert_seen(running, rows(True))
    assert not [chain for chain in running.ruleset("table", "inet", "patronus").splitlines() if "panic" in chain]


def test_it_outlives(running):
    panic(running, True)
    assert_seen(running, rows(False))

    def still(drifts):
        assert is_on(running)
        assert_seen(running, rows(False))
        assert int(filterd(running).Get(INTERFACE, "Drifts", dbus_interface="org.freedesktop.DBus.Properties")) == drifts

    running.apply(rule("else", action="drop", priority=50000))
    still(0)
    running.ctl("set", "Zone/outside", "masquerade=true")
    still(0)
    for number in (signal.SIGKILL, signal.SIGTERM):
        running.end("filterd", number)
        running.start("filterd")
        still(0)
    signals = Signals(running)
    running.nft("flush ruleset")
    signals.until_repaired()
    still(1)
    panic(running, False)
    assert_seen(running, rows(True))


def test_it_follows_the_anti_lockout(running):
    panic(running, True)
    running.ctl("set", "FilterSettings/default", "antiLockout.ports=53", "antiLockout.sources=10.2.0.0/24", "--confirm", "never")
    family = 4
    assert_seen(running, [Row("DNS", "tcp", "lan", "router", family, f"answer, seen as {traffic.address('lan', family)}", 53),
                          Row("DNS 6", "tcp", "lan", "router", 6, "no answer", 53),
                          Row("ssh", "tcp", "lan", "router", family, "no answer", 2222)])
    running.ctl("set", "FilterSettings/default", "antiLockout.interfaces=dmz", "antiLockout.sources=", "antiLockout.ports=22", "--confirm", "never")
    assert_seen(running, [Row(f"{host} {family}", "tcp", host, "router", family, f"answer, seen as {traffic.address(host, family)}" if host == "dmz"
                              else "no answer", 22) for host in ("dmz", "lan") for family in (4, 6)])


def test_nobody_is_locked_out_unasked(lab):
    lab.apply(ZONES + ALLOW)
    with pytest.raises(dbus.DBusException, match="no antiLockout"):
        panic(lab, True)
    assert not is_on(lab)
    with pytest.raises(dbus.DBusException, match="focre"):
        panic(lab, True, focre=True)
    assert not is_on(lab)
    panic(lab, True, force=True)
    assert_seen(lab, [Row(f"ssh {family}", "tcp", "lan", "router", family, "no answer", 22) for family in (4, 6)])
    panic(lab, False)
    done = lab.ctl("filter", "panic", "on", check=False)
    assert done.returncode == 1 and "antiLockout" in done.stderr
    assert lab.ctl("filter", "panic", "on", "--force").stdout == "panic is on\n"
    assert lab.ctl("filter", "panic", "off").stdout == "panic is off\n"


def test_audit_and_patronusctl(running):
    assert running.ctl("filter", "panic", "status").stdout == "panic is off\n"
    for word in ("on", "on", "status", "off"):
        assert running.ctl("filter", "panic", word).stdout == f"panic is {'off' if word == 'off' else 'on'}\n"
    assert running.ctl("filter", "panic", "maybe", check=False).returncode == 2
    assert running.ctl("complete", "--", "filter", "panic", "o").stdout.split() == ["on", "off"]
    assert [(str(entry["method"]), str(entry["subject"]), str(entry["text"])) for entry in reported(running, 3)] == [
        ("Panic", "on", "switched"), ("Panic", "on", "it was so already"), ("Panic", "off", "switched")]
