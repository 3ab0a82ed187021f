# SPDX-License-Identifier: GPL-3.0-or-later
"""Bans and real packets: what they stop, what they outlive, when they end."""

import ipaddress
import math
import signal
import time

import dbus
import pytest
import traffic
from dbus.mainloop.glib import DBusGMainLoop
from download import Download
from gi.repository import GLib
from nfmonitor import Monitor

INTERFACE = "org.patronus.Filter1"
WAN, LAN = traffic.address("wan", 4), traffic.address("lan", 4)
MANY = 50000


@pytest.fixture
def running(lab):
    lab.ctl("apply", "--replace", "-f", "examples/edge.yaml")
    return lab


def filterd(lab):
    return dbus.bus.BusConnection(lab.bus).get_object(INTERFACE, "/org/patronus/Filter1", introspect=False)


def ban(lab, *addresses, seconds=0, **options):
    entries = dbus.Array([(address, dbus.UInt64(seconds * 1000000)) for address in addresses], signature="(st)")
    return filterd(lab).Ban(entries, dbus.Dictionary(options, signature="sv"), dbus_interface=INTERFACE)


def unban(lab, *addresses):
    return int(filterd(lab).Unban(dbus.Array(addresses, signature="s"), dbus_interface=INTERFACE))


def bans(lab):
    """Address: seconds left."""
    proxy, after, listed = filterd(lab), "", {}
    while True:
        rows, after = proxy.ListBans(dbus.Dictionary({"after": str(after)}, signature="sv"), dbus_interface=INTERFACE)
        listed.update((str(address), int(left) / 1e6) for address, left in rows)
        if not after:
            return listed


def prop(lab, name):
    return int(filterd(lab).Get(INTERFACE, name, dbus_interface="org.freedesktop.DBus.Properties"))



class Signals:
    """What filterd signals from now on."""

    def __init__(self, lab):
        self.heard = []
        self._bus = dbus.bus.BusConnection(lab.bus, mainloop=DBusGMainLoop())
        self._bus.add_signal_receiver(self._hear, dbus_interface=INTERFACE, member_keyword="member")

    def _hear(self, *values, member):
        self.heard.append((str(member), [int(value) if not isinstance(value, str) else str(value) for value in values]))

    def until(self, condition, seconds=60):
        """Goes on until the condition holds, which is asked after each signal."""
        late = []
        timer = GLib.timeout_add_seconds(seconds, lambda: late.append(True) or True)
        try:
            while not condition():
                assert not late, f"not within {seconds} s; heard {self.heard}"
                GLib.MainContext.default().iteration(True)
        finally:
            GLib.source_remove(timer)

    def until_repaired(self):
        self.until(lambda: any(member == "DriftRepaired" for member, _ in self.heard))


def assert_pings(lab, *pairs):
    """Which of them are answered; those that are to be silent are waited for together."""
    rows = [traffic.Row("", "ping", source, target, family, "answer" if answered else "no answer") for source, target, family, answered in pairs]
    wrong = [f"{result.row}: {result.seen}" for result in traffic.run(lab.name, rows) if not result.ok]
    assert not wrong, wrong


@pytest.mark.parametrize("banned", [WAN, LAN, "10.1.0.0/24"])
def test_a_ban_ends_what_is_established_and_ends_itself(running, banned):
    with Download(running, "lan", "wan") as download:
        download.check()
        force = {"force": True} if "/" in banned else {}
        added, refused = ban(running, banned, seconds=600, **force)
        assert (int(added), list(refused)) == (1, [])
        assert running.nft_json("chain", "inet", "patronus", "p_bans")
        # what had passed the router before is still on its way through sockets
        deadline = time.monotonic() + traffic.PATIENCE_S
        while not download.stands_still(traffic.SILENCE_S):
            assert time.monotonic() < deadline, "the download goes on"
        dropped = counters(running)
        assert sum(dropped.get(name, 0) for name in ("bans/from", "bans/to")) > 0
        ban(running, banned, seconds=1, **force)  # another time in place of that
        download.check()  # the ban is over, and TCP sends again what was lost
        assert bans(running) == {}
    assert prop(running, "Drifts") == 0


def counters(lab):
    rows, _ = filterd(lab).ListCounters(dbus.Dictionary({"limit": dbus.UInt32(1)}, signature="sv"), dbus_interface=INTERFACE)
    return {str(name): int(packets) for kind, name, _, packets, *_ in rows if not kind}


def test_both_ends_and_both_families(running):
    ban(running, WAN, traffic.address("dmz", 6))
    assert_pings(running, ("lan", "wan", 4, False), ("wan", "router", 4, False), ("lan", "dmz", 6, False), ("dmz", "wan", 6, False),
                 ("lan", "wan", 6, True), ("lan", "dmz", 4, True))
    assert unban(running, WAN, "192.0.2.99") == 1
    assert_pings(running, ("lan", "wan", 4, True), ("lan", "dmz", 6, False))


def test_prefixes_in_prefixes(running):
    ban(running, "10.1.0.0/16", force=True)
    signals = Signals(running)
    ban(running, "10.1.0.2/31", seconds=1)
    assert_pings(running, ("lan", "wan", 4, False))
    signals.until(lambda: "10.1.0.2/31" not in bans(running))  # ends, and the one around it does not
    assert_pings(running, ("lan", "wan", 4, False))
    unban(running, "10.1.0.0/16")
    assert_pings(running, ("lan", "wan", 4, True))


def test_bans_outlive_all_but_the_machine(running):
    ban(running, WAN, seconds=600)
    ban(running, "198.51.100.0/24", traffic.address("wan", 6))

    def holds(drifts):
        left = bans(running)
        assert set(left) == {WAN, "198.51.100.0/24", traffic.address("wan", 6)}
        assert 500 < left[WAN] <= 600 and left["198.51.100.0/24"] == 0
        assert_pings(running, ("lan", "wan", 4, False), ("lan", "wan", 6, False))
        assert prop(running, "Drifts") == drifts

    holds(0)
    running.ctl("set", "FirewallRule/guest-internet", "enabled=false")  # a commit of one rule
    holds(0)
    running.ctl("set", "Zone/lan", "masquerade=true")  # the dispatch made anew
    holds(0)
    signals = Signals(running)
    running.exec("router", "nft", "flush", "ruleset")
    signals.until_repaired()
    holds(1)
    signals = Signals(running)
    running.exec("router", "nft", "delete", "element", "inet", "patronus", "b_ban4", "{", WAN, "}")
    signals.until_repaired()
    holds(2)
    for number in (signal.SIGKILL, signal.SIGTERM):
        running.end("filterd", number)
        running.start("filterd")
        holds(0)
    running.ctl("apply", "--replace", "-f", "examples/edge.yaml")
    holds(0)


def test_what_is_refused(running):
    added, refused = ban(running, "192.0.2.1", "127.0.0.1", "127.3.0.0/16", "::1", "10.2.0.1", "10.0.0.0/8", "fd00:2::1", "lan", "10.0.0.1-10.0.0.9",
                         "10.0.0.1/8")
    assert int(added) == 1
    reasons = {int(index): str(reason) for index, reason in refused}
    assert sorted(reasons) == list(range(1, 10))
    assert all("loopback" in reasons[index] for index in (1, 2, 3)) and all("router itself has" in reasons[index] for index in (4, 5, 6))
    assert "is not an address" in reasons[7] and "range" in reasons[8] and "bits beyond" in reasons[9]
    added, refused = ban(running, "0.0.0.0/0", "127.0.0.1", force=True)
    assert (int(added), [int(index) for index, _ in refused]) == (1, [1])
    # the loopback works, and with it the way to lift the ban
    assert running.pings("router", "127.0.0.1")
    assert unban(running, "0.0.0.0/0") == 1
    entries = dbus.Array([("192.0.2.1", dbus.UInt64(0))] * 65537, signature="(st)")
    with pytest.raises(dbus.DBusException, match="At most 65536"):
        filterd(running).Ban(entries, dbus.Dictionary({}, signature="sv"), dbus_interface=INTERFACE)


def test_who_must_not_be_locked_out(running):
    running.ctl("set", "FilterSettings/default", "antiLockout.sources=10.2.0.0/24,192.0.2.10-192.0.2.20")
    _, refused = ban(running, LAN, "10.2.0.128/25", "192.0.2.16/28", "192.0.2.8/29", "192.0.2.21", "192.0.2.0/29")
    assert [int(index) for index, _ in refused] == [0, 1, 2, 3] and all("anti-lockout" in str(reason) for _, reason in refused)
    assert set(bans(running)) == {"192.0.2.21", "192.0.2.0/29"}
    assert int(ban(running, LAN, force=True)[0]) == 1


def test_anti_lockout_goes_before_bans(running):
    """Who administers by an interface, which a ban cannot know, still does; by IPv6 too when neighbours have forgotten each other."""
    rows = [row for family in (4, 6) for row in (
        traffic.Row("ssh", "tcp", "lan", "router", family, f"answer, seen as {traffic.address('lan', family)}", port=22),
        traffic.Row("DNS", "tcp", "lan", "router", family, "no answer", port=53))]
    running.ctl("set", "FilterSettings/default", "antiLockout.interfaces=lan", "antiLockout.ports=22")
    assert int(ban(running, LAN, traffic.address("lan", 6))[0]) == 2
    for host in ("lan", "router"):
        running.exec(host, "ip", "neigh", "flush", "all")
    assert [result.seen for result in traffic.run(running.name, rows)] == [row.expect for row in rows]


def test_before_there_is_a_ruleset(lab):
    with pytest.raises(dbus.DBusException, match="No ruleset is in force"):
        ban(lab, "192.0.2.1")


def test_many_at_once(running):
    first = int(ipaddress.ip_address("45.0.0.0"))
    with Monitor(running.netns("router")) as monitor:
        added, refused = ban(running, *(str(ipaddress.ip_address(first + i)) for i in range(MANY)), seconds=600)
        assert (int(added), len(refused)) == (MANY, 0)
        assert len(monitor.pending()) == 1  # one transaction
    assert prop(running, "Bans") == MANY == len(bans(running))
    signals = Signals(running)
    running.exec("router", "nft", "flush", "ruleset")
    signals.until_repaired()
    listed = running.nft_json("set", "inet", "patronus", "b_ban4")[0]["set"]
    assert len(listed["elem"]) == MANY
    assert int(filterd(running).FlushBans(dbus_interface=INTERFACE)) == MANY
    assert not [item for item in running.nft_json() if item.get("set", {}).get("name", "").startswith("b_")]


def test_signals_are_numbered(running):
    signals = Signals(running)
    heard = signals.heard
    before, start = prop(running, "Sequence"), time.monotonic()
    for i in range(40):
        ban(running, f"192.0.2.{i}")
    running.exec("router", "nft", "flush", "ruleset")
    signals.until_repaired()
    signals.until(lambda: sum(values[1] for member, values in heard if member == "BansChanged") == 40)
    took = time.monotonic() - start
    # What is listed was signalled, or is about to be.
    signals.until(lambda: [values[1] for member, values in heard if member == "DriftRepaired"]
                  == [str(row[1]) for row in filterd(running).ListDrift(dbus_interface=INTERFACE)])
    changes = [values for member, values in heard if member == "BansChanged"]
    assert sum(added for _, added, _, _ in changes) == 40 and changes[-1][3] == 40
    assert len(changes) <= 1 + 5 * math.ceil(took)  # told at most five times a second
    assert [values[0] for _, values in heard] == list(range(before + 1, before + 1 + len(heard)))


def test_patronusctl(running):
    assert running.ctl("filter", "bans").stderr == "nobody is banned\n"
    assert running.ctl("filter", "ban", "192.0.2.7", "198.51.100.0/24", "--for", "1h").stdout == "2 banned for 1h\n"
    done = running.ctl("filter", "ban", "192.0.2.8", "10.2.0.1", check=False)
    assert (done.returncode, done.stdout) == (1, "1 banned\n") and "10.2.0.1: the router itself" in done.stderr
    lines = [line.split() for line in running.ctl("filter", "bans").stdout.splitlines()]
    assert [line[0] for line in lines] == ["ADDRESS", "198.51.100.0/24", "192.0.2.7", "192.0.2.8"]
    assert lines[1][1].startswith("59m") and lines[3][1:] == ["until", "unbanned"]
    assert running.ctl("filter", "unban", "192.0.2.7").stdout == "1 unbanned\n"
    assert running.ctl("filter", "unban", "192.0.2.7", check=False).returncode == 1
    assert running.ctl("filter", "unban", "--all").stdout == "2 unbanned\n"
    assert running.ctl("filter", "drift").stderr.startswith("no other program")
    signals = Signals(running)
    running.exec("router", "nft", "flush", "ruleset")
    signals.until_repaired()
    assert "was touched" in running.ctl("filter", "drift").stdout or "was deleted" in running.ctl("filter", "drift").stdout
