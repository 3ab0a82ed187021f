# SPDX-License-Identifier: GPL-3.0-or-later
"""`patronusctl filter counters` on a running router: what it leaves out, and rates while packets pass."""

import json
import os
import select
import subprocess

import pytest
import terminal
import traffic
from lab import build_dir

CTL = build_dir() / "cli/patronusctl"


@pytest.fixture
def running(lab):
    lab.ctl("apply", "--replace", "-f", "examples/edge.yaml")
    return lab


def environment(lab):
    return {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": lab.bus, "TERM": "xterm"}


def send(lab):
    traffic.run(lab.name, [traffic.Row("", "ping", "lan", "wan", 4, "answer")])


def test_by_kind_and_name(running):
    def rows(*options):
        done = running.ctl("filter", "counters", "-o", "json", *options)
        return [json.loads(line) for line in done.stdout.splitlines()]

    everything = rows()
    rules = rows("--kind", "FirewallRule")
    assert rules and rules == [row for row in everything if row["kind"] == "FirewallRule"]
    assert rows("--kind", "firewallrules") == rules
    some = rows("--name", "guest-*")
    assert some and some == [row for row in everything if row["name"].startswith("guest-")]
    assert rows("--name", "prologue/established") == [row for row in everything if row["name"] == "prologue/established"]
    assert running.ctl("filter", "counters", "--name", "nothing").stderr == "there is no counter\n"


@pytest.mark.parametrize("form", ["lines", "json"])
def test_watched_by_a_program(running, form):
    options = ["-o", "json"] if form == "json" else []
    with subprocess.Popen([CTL, "filter", "counters", "--watch", "100ms", "--name", "prologue/established", *options], stdout=subprocess.PIPE,
                          text=True, env=environment(running)) as watch:
        try:
            send(running)
            while not select.select([watch.stdout], [], [], 0.05)[0]:  # its first reading is no rate yet
                send(running)
            line = watch.stdout.readline()
        finally:
            watch.terminate()
    if form == "json":
        row = json.loads(line)
        assert row["name"] == "prologue/established" and row["packetsPerSecond"] > 0 and row["bytesPerSecond"] > 0
    else:
        assert line.startswith("prologue/established - ") and "packets/s" in line


def test_watched_on_a_terminal(running):
    with terminal.opened([CTL, "filter", "counters", "--watch", "100ms"], size=(10, 80), env=environment(running)) as screen:
        screen.wait_for("PACKETS/S")
        send(running)
        screen.wait_for("prologue/established")
        frame = screen.text.rpartition("\x1b[H\x1b[J")[0].rpartition("\x1b[H\x1b[J")[2]
        assert len(frame.splitlines()) <= 10 and all(len(line) <= 80 for line in frame.splitlines())
        screen.type("\x03")
        status, _ = screen.finish()
        assert status != 0
