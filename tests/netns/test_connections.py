# SPDX-License-Identifier: GPL-3.0-or-later
"""filterd's list of connections: complete, filtered, bounded, and for those who may."""

import json
import os
import socket
import statistics
import subprocess
import sys
import time

import conntrack
import dbus
import netns
import pytest
import traffic
from lab import build_dir

MANY = 250000
STATE_MS = 100  # filterd answers within this while it lists,
STATE_TIMES = 10  # or so many times what it takes on this machine when it does not


@pytest.fixture
def filled(lab):
    if conntrack.maximum() < MANY:
        pytest.skip(f"net.netfilter.nf_conntrack_max of the machine is below {MANY}")
    conntrack.fill(lab.netns("router"), MANY - 1000)
    conntrack.fill(lab.netns("router"), 1000, family=6)
    return lab


def filterd(lab):
    return dbus.bus.BusConnection(lab.bus).get_object("org.patronus.Filter1", "/org/patronus/Filter1", introspect=False)


def options(**values):
    kinds = {int: dbus.UInt32, str: dbus.String, bool: dbus.Boolean, dict: lambda inner: options(**inner)}
    return dbus.Dictionary({key: kinds[type(value)](value) for key, value in values.items()}, signature="sv")


def pages(lab, **first):
    """Bytes and number of rows of each page."""
    proxy, after = filterd(lab), None
    while after != "":
        asked = options(after=str(after)) if after else options(**first)
        page, rows, after = proxy.ListConnections(asked, dbus_interface="org.patronus.Filter1")
        with open(page.take(), "rb") as file:
            yield file.read(), int(rows)


def connections(lab, **conditions):
    return [json.loads(line) for text, _ in pages(lab, filter=conditions) for line in text.splitlines()]


def kill(lab, **conditions):
    return int(filterd(lab).KillConnections(options(**conditions), dbus_interface="org.patronus.Filter1"))


def test_250_000_are_listed_whole(filled):
    seen, count = set(), 0
    for text, rows in pages(filled, limit=25000):
        lines = text.splitlines()
        assert len(lines) == rows <= 25000
        count += rows
        seen.update(line[line.index(b'"original"') : line.index(b'"reply"')] for line in lines)
    assert (count, len(seen)) == (MANY, MANY)
    assert filterd(filled).CountConnections(dbus_interface="org.patronus.Filter1") == MANY
    done = filled.ctl("filter", "connections", "-o", "json")
    assert done.stdout.count("\n") == MANY
    # while that goes on, filterd answers others
    proxy, waits = filterd(filled), []

    def look():
        start = time.monotonic()
        proxy.Get("org.patronus.Daemon1", "State", dbus_interface="org.freedesktop.DBus.Properties")
        return (time.monotonic() - start) * 1000

    idle = statistics.median(look() for _ in range(50))
    with subprocess.Popen([build_dir() / "cli/patronusctl", "filter", "connections", "-o", "json"], stdout=subprocess.DEVNULL,
                          env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": filled.bus}) as lister:
        while lister.poll() is None:
            waits.append(look())
    assert lister.returncode == 0
    assert statistics.median(waits) < max(STATE_MS, STATE_TIMES * idle), (idle, waits)


def test_many_are_killed_by_filter(filled):
    assert kill(filled, family="ipv6") == 1000
    assert kill(filled, source="10.64.0.0/24") == 255 * 50
    assert kill(filled, protocol="tcp", destinationPort=443) == MANY - 1000 - 255 * 50
    assert connections(filled) == []


def test_what_a_connection_says(lab):
    lab.ctl("apply", "--replace", "-f", "examples/edge.yaml")
    row = traffic.Row("", "tcp", "lan", "wan", 4, "", port=443)
    traffic.run(lab.name, [row])
    (seen,) = connections(lab, source=traffic.address("lan", 4), protocol="tcp")
    assert seen["original"]["destination"] == traffic.address("wan", 4) and seen["original"]["destinationPort"] == 443
    assert seen["reply"]["destination"] == traffic.address("router", 4, at="wan")
    assert (seen["nat"], seen["family"], seen["replied"]) == ("source", "ipv4", True)
    text = lab.ctl("filter", "connections", "protocol=tcp", "nat=true").stdout
    assert [line.split()[0] for line in text.splitlines()] == ["PROTO", "tcp"]
    assert traffic.address("router", 4, at="wan") in text
    wide = lab.ctl("filter", "connections", "protocol=tcp", "-o", "wide").stdout
    assert str(seen["id"]) in wide and "ASSURED" in wide
    assert lab.ctl("filter", "connections", "protocol=tcp", "-o", "yaml").stdout.count("icmp") == 0
    assert lab.ctl("filter", "connections", "port=444").stderr == "there is no such connection\n"
    done = lab.ctl("filter", "connections", "protocol=tcp", f"id={seen['id']}", "--kill")
    assert done.stdout == "1 connection ended\n"
    assert connections(lab, id=seen["id"]) == []


def test_limit(lab):
    conntrack.fill(lab.netns("router"), 300)
    for count in (1, 299, 300):
        assert lab.ctl("filter", "connections", "--limit", count, "-o", "json").stdout.count("\n") == count


@pytest.mark.parametrize("asked, says", [
    ({"limit": 0}, "/limit"),
    ({"limit": 25001}, "/limit"),
    ({"format": "xml"}, "/format"),
    ({"filter": {"state": "estabished"}}, 'did you mean "established"?'),
    ({"filter": {"surce": "10.0.0.1"}}, 'did you mean "source"?'),
    ({"after": "0.0"}, "There is no listing 0.0"),
])
def test_bad_options_say_what_is_wrong(lab, asked, says):
    with pytest.raises(dbus.DBusException) as error:
        filterd(lab).ListConnections(options(**asked), dbus_interface="org.patronus.Filter1")
    assert error.value.get_dbus_name() in ("org.patronus.Error.Invalid", "org.patronus.Error.NotFound")
    assert says in error.value.get_dbus_message()


def test_killing_needs_a_condition(lab):
    with pytest.raises(dbus.DBusException, match="all connections would end"):
        kill(lab)


STRANGER = """
import dbus, dbus.bus, sys
bus = dbus.bus.BusConnection(sys.argv[1])
for method, signature, args in (("ListCounters", "a{sv}", ({},)), ("ListConnections", "a{sv}", ({},)), ("KillConnections", "a{sv}", ({},)),
                                ("CountConnections", "", ())):
    try:
        bus.call_blocking("org.patronus.Filter1", "/org/patronus/Filter1", "org.patronus.Filter1", method, signature, args)
        print(method, "was allowed")
    except dbus.DBusException as error:
        print(method, error.get_dbus_name())
"""


def test_strangers_are_refused(lab):
    done = subprocess.run([sys.executable, "-c", STRANGER, lab.bus], capture_output=True, text=True, user="nobody", group="nogroup", extra_groups=[])
    assert done.stdout and all(line.endswith(("org.patronus.Error.NotAuthorized", "org.freedesktop.DBus.Error.AccessDenied"))
                               for line in done.stdout.splitlines()), done.stdout + done.stderr


@pytest.fixture
def tcp(lab):
    """Both ends of a connection from the LAN through masquerade to the internet, and what it is called."""
    lab.ctl("apply", "--replace", "-f", "examples/edge.yaml")
    with netns.inside(lab.netns("wan")):
        listener = socket.create_server((traffic.address("wan", 4), 443))
    with netns.inside(lab.netns("lan")):
        client = socket.create_connection((traffic.address("wan", 4), 443), timeout=traffic.PATIENCE_S)
    server, _ = listener.accept()
    server.settimeout(traffic.PATIENCE_S)
    listener.close()
    client.sendall(b"x")
    assert server.recv(1) == b"x"
    with client, server:
        yield lab, client, server, dict(protocol="tcp", source=traffic.address("lan", 4), sourcePort=client.getsockname()[1],
                                        destination=traffic.address("wan", 4), destinationPort=443)


def is_reset(end):
    """The end sends, and gets a reset for it."""
    try:
        end.sendall(b"y")
        end.recv(1)
    except ConnectionResetError:
        return True
    return False


@pytest.mark.parametrize("first", ["client", "server"])
@pytest.mark.parametrize("by", ["tuple", "filter"])
def test_a_killed_connection_ends_at_once(tcp, by, first):
    lab, client, server, name = tcp
    assert kill(lab, **(name if by == "tuple" else {"address": traffic.address("lan", 4), "protocol": "tcp"})) == 1
    assert connections(lab, protocol="tcp", destinationPort=443) == []
    ends = [client, server] if first == "client" else [server, client]
    assert is_reset(ends[0])
    assert is_reset(ends[1])
    # the same ports may be used again at once
    with netns.inside(lab.netns("wan")):
        listener = socket.create_server((traffic.address("wan", 4), 443))
    with netns.inside(lab.netns("lan")), listener:
        again = socket.socket()
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.settimeout(traffic.PATIENCE_S)
        again.bind((traffic.address("lan", 4), name["sourcePort"]))
        again.connect((traffic.address("wan", 4), 443))
        peer, _ = listener.accept()
        with again, peer:
            again.sendall(b"z")
            assert peer.recv(1) == b"z"
    assert kill(lab, **name) == 1  # and ended again
    assert int(filterd(lab).Get("org.patronus.Filter1", "Drifts", dbus_interface="org.freedesktop.DBus.Properties")) == 0
    lab.exec("router", "nft", "list", "ruleset")


def test_only_what_was_killed_ends(tcp):
    lab, client, server, name = tcp
    assert kill(lab, **{**name, "sourcePort": name["sourcePort"] ^ 1}) == 0
    client.sendall(b"y")
    assert server.recv(1) == b"y"
