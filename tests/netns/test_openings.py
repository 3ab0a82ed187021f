# SPDX-License-Identifier: GPL-3.0-or-later
"""Ports of the router that are opened at run time: from which zone and source, for how long, before which rules and behind which guards; what
tells of them; what they outlive, and what ends them."""

import contextlib
import json
import signal

import dbus
import pytest
import traffic
from documents import document
from nflog import Log
from test_audit_acts import reported
from test_bans import INTERFACE, Signals, ban, filterd
from test_limits import Server, connect, hold, refused
from test_rule_questions import ZONES, rule

PORT = 7300
ROUTER = {family: traffic.address("router", family, at="lan") for family in (4, 6)}
OUTSIDE = {family: traffic.address("router", family, at="wan") for family in (4, 6)}
CLOSED = rule("closed", action="drop", to="router", priority=1)


@pytest.fixture
def held():
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def running(lab):
    lab.apply(ZONES + CLOSED)
    return lab


def options(**given):
    return dbus.Dictionary({key.rstrip("_"): value for key, value in given.items()}, signature="sv")


def open_port(lab, port, **given):
    return str(filterd(lab).OpenPort(port, options(**given), dbus_interface=INTERFACE))


def close_port(lab, port, **given):
    return int(filterd(lab).ClosePort(port, options(**given), dbus_interface=INTERFACE))


def openings(lab):
    return [{str(key): (int(value) if isinstance(value, dbus.UInt64) else str(value)) for key, value in row.items()}
            for row in filterd(lab).ListOpenPorts(dbus_interface=INTERFACE)]


def counters(lab):
    rows = map(json.loads, lab.ctl("filter", "counters", "-o", "json").stdout.splitlines())
    return {row["name"]: row["packets"] for row in rows if row["name"].startswith("opening/")}


def shut(lab, source="lan", family=4, port=PORT):
    return refused(lab, source, family, port=port, to=(OUTSIDE if source == "wan" else ROUTER)[family])


def enter(held, lab, source="lan", family=4, port=PORT):
    hold(held, lab, source, family, port=port, to=(OUTSIDE if source == "wan" else ROUTER)[family])


def why(lab, family, code, dport=PORT, proto="tcp"):
    done = lab.ctl("filter", "why", "--in", "lan", "--src", traffic.address("lan", family), "--dst", ROUTER[family], "--proto", proto,
                   "--dport", str(dport), check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("family", (4, 6))
def test_a_port_is_open(running, held, family):
    with Server(running, "router", PORT, PORT + 1):
        assert shut(running, family=family)
        assert "FirewallRule/closed drops it" in why(running, family, 6)
        log = held.enter_context(contextlib.closing(Log(running, reason="opening")))
        made = open_port(running, f"tcp/{PORT}")
        enter(held, running, "lan", family)
        enter(held, running, "wan", family)
        line = log.next()
        assert (line["verdict"], line["opening"], line["destinationPort"], line["from"]) == ("allow", made, PORT, "inside")
        assert shut(running, family=family, port=PORT + 1)
        assert f"{made} (tcp/{PORT}, opened at run time) lets it in" in why(running, family, 0)
        why(running, family, 6, dport=PORT + 1)
        why(running, family, 6, proto="udp")
        assert counters(running) == {f"opening/{made}": 2}
        assert close_port(running, f"tcp/{PORT}") == 1 and not openings(running) and not counters(running)
        assert shut(running, family=family)
        why(running, family, 6)


def test_zones_sources_and_ranges(running, held):
    with Server(running, "router", PORT, PORT + 1, PORT + 2):
        by_zone = open_port(running, f"tcp/{PORT}", zone="inside")
        enter(held, running, "lan")
        assert shut(running, "wan")
        by_source = open_port(running, f"tcp/{PORT + 1}-{PORT + 2}", source=f"{traffic.address('lan', 4)}/32")
        enter(held, running, "lan", port=PORT + 1)
        enter(held, running, "lan", port=PORT + 2)
        assert shut(running, "dmz", port=PORT + 1) and shut(running, "lan", 6, port=PORT + 1)
        prefix = open_port(running, str(PORT + 2), source="fd00:2::/64", zone="inside")
        enter(held, running, "lan", 6, port=PORT + 2)
        assert shut(running, "dmz", 6, port=PORT + 2)
        assert [(row["id"], row["port"], row.get("zone"), row.get("source"), row["remainingUSec"]) for row in openings(running)] == [
            (by_zone, f"tcp/{PORT}", "inside", None, 0), (by_source, f"tcp/{PORT + 1}-{PORT + 2}", None, traffic.address("lan", 4), 0),
            (prefix, str(PORT + 2), "inside", "fd00:2::/64", 0)]
        assert close_port(running, str(PORT + 2), zone="outside") == 0 and close_port(running, str(PORT + 2), source="fd00:2::/64") == 1
        assert close_port(running, by_source) == 1 and close_port(running, by_source) == 0
        assert shut(running, "lan", port=PORT + 1) and shut(running, "lan", 6, port=PORT + 2)
        enter(held, running, "lan")
        assert counters(running) == {f"opening/{by_zone}": 2}, "what others counted goes on"


def test_it_ends_itself(running, held):
    with Server(running, "router", PORT):
        made = open_port(running, f"tcp/{PORT}", for_="10s")  # a busy machine comes in within that
        enter(held, running)
        while openings(running):
            pass
        assert shut(running)
        open_port(running, f"tcp/{PORT}", for_="100s")
        assert open_port(running, f"tcp/{PORT}", for_="1h") == open_port(running, f"tcp/{PORT}", for_="1h") != made
        [row] = openings(running)
        assert row["remainingUSec"] > 3000e6, "the same again has the new time"


def test_the_kernel_ends_it_without_filterd(running, held):
    with Server(running, "router", PORT):
        open_port(running, f"tcp/{PORT}", for_="10s")
        enter(held, running, "lan")
        running.end("filterd", signal.SIGKILL)
        while not shut(running):
            pass
        running.start("filterd")
        while openings(running):
            pass
        assert shut(running)


def test_they_outlive(running, held):
    with Server(running, "router", PORT, PORT + 1):
        made = [open_port(running, f"tcp/{PORT}", zone="inside", for_="1000s"), open_port(running, f"tcp/{PORT + 1}", source="10.2.0.0/24")]

        def still():
            rows = openings(running)
            assert [row["id"] for row in rows] == made and 800e6 < rows[0]["remainingUSec"] <= 1000e6 and rows[1]["remainingUSec"] == 0, rows
            assert (rows[0]["zone"], rows[1]["source"]) == ("inside", "10.2.0.0/24")
            enter(held, running, "lan")
            enter(held, running, "lan", port=PORT + 1)
            assert shut(running, "wan")

        still()
        running.apply(rule("else", action="drop", to="router", priority=2))
        still()
        running.ctl("set", "Zone/inside", "masquerade=true")  # the dispatch is made anew
        still()
        for number in (signal.SIGKILL, signal.SIGTERM):
            running.end("filterd", number)
            running.start("filterd")
            still()
        signals = Signals(running)
        running.nft("flush ruleset")
        signals.until_repaired()
        still()
        assert counters(running)[f"opening/{made[0]}"] >= 1
        running.ctl("delete", "FirewallRule/closed")  # what an opening has let in is not revoked
        still()


def test_it_ends_with_its_zone(running, held):
    other = document("Zone", "guests", interfaces=["guest"], input="drop")
    running.apply(ZONES.replace(", guest", "") + other)
    open_port(running, f"tcp/{PORT}", zone="guests")
    kept = open_port(running, f"tcp/{PORT}", zone="inside")
    running.apply(ZONES.replace(", guest", "") + CLOSED, "--replace")
    assert [row["id"] for row in openings(running)] == [kept]
    running.apply(ZONES.replace(", guest", "") + other + CLOSED, "--replace")
    with Server(running, "router", PORT):
        guest = traffic.address("router", 4, at="guest")
        assert refused(running, "guest", 4, port=PORT, to=guest)
        enter(held, running, "lan")


def test_bans_and_guards_come_before(running, held):
    with Server(running, "router", PORT):
        open_port(running, f"tcp/{PORT}")
        ban(running, traffic.address("lan", 4))
        assert shut(running) and not shut(running, "dmz")


def test_revocation_leaves_it(running, held):
    """A connection that an opening lets in stays when a commit takes away the rule that let it in at first."""
    with Server(running, "router", PORT):
        running.apply(rule("first", action="allow", protocol="tcp", to="router", priority=0, destination={"ports": [PORT]}))
        open_port(running, f"tcp/{PORT}")
        for source in ("lan", "dmz"):
            enter(held, running, source)
        running.ctl("delete", "FirewallRule/first")
        running.apply(rule("second", action="drop", protocol="tcp", to="router", priority=0, destination={"ports": [PORT]}))
        listed = running.ctl("filter", "connections", f"destinationPort={PORT}", "state=established", "-o", "json").stdout.splitlines()
        assert len(listed) == 2


def test_what_is_refused(running):
    for wrong in ("ssh", "tcp/0", "tcp/65536", "22/tcp", "icmp/1", "tcp/9-8", "", "tcp/"):
        with pytest.raises(dbus.DBusException, match="a port is written tcp/22"):
            open_port(running, wrong)
    for given, text in (({"zone": "nowhere"}, 'no zone "nowhere"'), ({"for_": "10ms"}, "out of range"), ({"source": "lan"}, "not an address"),
                        ({"source": "10.0.0.1-10.0.0.9"}, "no range"), ({"till": "1h"}, "till")):
        with pytest.raises(dbus.DBusException, match=text):
            open_port(running, "tcp/22", **given)
    for port in range(1000, 1256):
        open_port(running, f"tcp/{port}")
    with pytest.raises(dbus.DBusException, match="256 openings are there already"):
        open_port(running, "tcp/1256")
    open_port(running, "tcp/1255", for_="1h")
    assert len(openings(running)) == 256


def test_audit_and_patronusctl(running, held):
    assert running.ctl("filter", "openings").stderr == "no port is open beside what rules let in\n"
    done = running.ctl("filter", "open", f"tcp/{PORT}", "--zone", "inside", "--source", "10.2.0.0/24", "--for", "1h").stdout
    assert done == f"open-1: tcp/{PORT} is open for 1h\n"
    lines = [line.split() for line in running.ctl("filter", "openings").stdout.splitlines()]
    assert lines[0] == ["ID", "PORT", "ZONE", "SOURCE", "LEFT"] and lines[1][:4] == ["open-1", f"tcp/{PORT}", "inside", "10.2.0.0/24"]
    assert lines[1][4].startswith("59m")
    with Server(running, "router", PORT):
        enter(held, running, "lan")
    assert running.ctl("filter", "close", f"tcp/{PORT}").stdout == "1 closed\n"
    done = running.ctl("filter", "close", f"tcp/{PORT}", check=False)
    assert done.returncode == 1 and "filter openings" in done.stderr
    assert running.ctl("filter", "open", "tcp/22", "--for", "soon", check=False).returncode == 2
    found = reported(running, 2)
    assert [(str(entry["method"]), str(entry["subject"]), str(entry["text"])) for entry in found] == [
        ("OpenPort", f"tcp/{PORT} from inside (10.2.0.0/24)", "open-1"), ("ClosePort", f"tcp/{PORT}", "1 closed")]
