# SPDX-License-Identifier: GPL-3.0-or-later
"""What filterd is told to do is in configd's audit, and filterd needs no configd to do it."""

import os
import pwd
import signal
import subprocess
import sys
import time

import dbus
import pytest
import traffic
from signals import Signals

from test_bans import ban, bans, filterd, INTERFACE, unban

CONFIG = "org.patronus.Config1"
BURST, REFILL_S = 20, 60  # libpatronus/txn/audit-report.h


@pytest.fixture
def running(lab):
    lab.ctl("apply", "--replace", "-f", "examples/edge.yaml")
    return lab


def acts(lab):
    proxy = dbus.bus.BusConnection(lab.bus).get_object(CONFIG, "/org/patronus/Config1", introspect=False)
    return [{str(key): value for key, value in entry.items()} for entry in
            reversed(proxy.ListAudit(dbus.Dictionary({"limit": dbus.UInt32(100)}, signature="sv"), dbus_interface=CONFIG)) if entry.get("daemon") == "filterd"]


def reported(lab, n):
    """filterd answers a call first and reports it then, and all that before it answers the next one."""
    filterd(lab).Ping(dbus_interface="org.freedesktop.DBus.Peer")
    found = acts(lab)
    assert len(found) == n, found
    return found


def test_acts(running):
    ban(running, *[f"203.0.113.{i}" for i in range(1, 11)])
    unban(running, "203.0.113.1")
    filterd(running).FlushBans(dbus_interface=INTERFACE)
    filterd(running).KillConnections(dbus.Dictionary({"source": "192.0.2.77"}, signature="sv"), dbus_interface=INTERFACE)
    found = reported(running, 4)
    assert [(str(entry["method"]), str(entry["result"]), str(entry["text"])) for entry in found] == [
        ("Ban", "ok", "10 banned"), ("Unban", "ok", "1 unbanned"), ("FlushBans", "ok", "9 unbanned"),
        ("KillConnections", "ok", "0 connections ended")]
    assert str(found[0]["subject"]) == ", ".join(f"203.0.113.{i}" for i in range(1, 9)) + " and 2 more"
    assert str(found[3]["subject"]) == '{"source":"192.0.2.77"}'
    assert all(entry["uid"] == os.geteuid() and entry["user"] == pwd.getpwuid(os.geteuid()).pw_name and entry["pid"] == os.getpid()
               and entry["action"] == "org.patronus.runtime.operate" for entry in found)
    filterd(running).ListBans(dbus.Dictionary({}, signature="sv"), dbus_interface=INTERFACE)
    assert len(acts(running)) == 4, "what only reads is not in it"


STRANGER = f"""
import dbus, dbus.bus, sys
proxy = dbus.bus.BusConnection(sys.argv[1]).get_object("{INTERFACE}", "/org/patronus/Filter1", introspect=False)
for i in range(100):
    try:
        proxy.FlushBans(dbus_interface="{INTERFACE}")
        sys.exit("was allowed")
    except dbus.DBusException as error:
        assert error.get_dbus_name() == "org.patronus.Error.NotAuthorized", error
"""


def test_refused_attempts(running):
    nobody, begin = pwd.getpwnam("nobody"), time.monotonic()
    done = subprocess.run([sys.executable, "-c", STRANGER, running.bus], capture_output=True, text=True, user=nobody.pw_uid,
                          group=nobody.pw_gid, extra_groups=[])
    assert done.returncode == 0, done.stderr
    filterd(running).Ping(dbus_interface="org.freedesktop.DBus.Peer")
    found = acts(running)
    assert BURST <= len(found) <= BURST + (time.monotonic() - begin) / REFILL_S
    assert {(str(entry["user"]), str(entry["method"]), str(entry["result"])) for entry in found} == {("nobody", "FlushBans", "refused")}


def test_without_configd(running):
    bus = dbus.bus.BusConnection(running.bus)
    owners = Signals(running.bus, "org.freedesktop.DBus", "NameOwnerChanged")
    os.kill(running.pid("configd"), signal.SIGKILL)
    owners.wait(lambda _: not bus.name_has_owner(CONFIG), "the end of configd on the bus")
    owners.close()
    ban(running, traffic.address("wan", 4))
    assert list(bans(running)) == [traffic.address("wan", 4)]
    assert "Ban: ok" in running.logs(), "its own log has it"
    assert not bus.name_has_owner(CONFIG), "nobody was started"
