# SPDX-License-Identifier: GPL-3.0-or-later
"""Who has most of the connections, or of their traffic: with real flows of both families, whose numbers are known to the byte."""

import json
import re
import socket
import subprocess
import sys

import conntrack
import dbus
import netns
import pytest
import traffic
from test_bans import INTERFACE, filterd
from test_rule_questions import ZONES, rule

PORT = 7400
HEADERS = {4: 28, 6: 48}  # of IP and UDP
ALLOWED = rule("udp", action="allow", protocol="udp", destination={"ports": [f"{PORT}-{PORT + 9}"]})
# who asks, whom, family, port, datagrams there and their size, the size of each answer; who has most comes first
FLOWS = [
    ("lan", "wan", 4, PORT, 40, 1000, 500),
    ("dmz", "wan", 6, PORT + 1, 20, 800, 1200),
    ("guest", "wan", 4, PORT + 1, 10, 700, 100),
    ("lan", "wan", 6, PORT + 2, 3, 600, 50),
    ("lan", "wan", 6, PORT + 2, 2, 600, 50),
    ("dmz", "lan", 4, PORT, 1, 400, 30),
]


def sysctl(lab, **values):
    # answered or not, what was sent is to be there until it is looked at, however slow the machine is
    timeouts = {"udp_timeout": 1200, "udp_timeout_stream": 1200}
    lab.exec("router", "sysctl", "-qw", *(f"net.netfilter.nf_conntrack_{key}={value}" for key, value in {**timeouts, **values}.items()))


def send(lab, flow):
    """Each datagram is answered before the next is sent."""
    source, target, family, port, count, size, back = flow
    af = socket.AF_INET if family == 4 else socket.AF_INET6
    with netns.make_socket(lab.netns(target), af, socket.SOCK_DGRAM) as server, netns.make_socket(lab.netns(source), af, socket.SOCK_DGRAM) as client:
        server.bind((traffic.address(target, family), port))
        for sock in (server, client):
            sock.settimeout(traffic.PATIENCE_S)
        for _ in range(count):
            client.sendto(bytes(size), (traffic.address(target, family), port))
            data, peer = server.recvfrom(2000)
            assert len(data) == size
            server.sendto(bytes(back), peer)
            assert len(client.recv(2000)) == back


def key(flow, by):
    source, target, family, port, *_ = flow
    ends = (traffic.address(source, family), traffic.address(target, family))
    zones = ("inside", "outside" if target == "wan" else "inside")
    return {"source": ends[:1], "destination": ends[1:], "pair": ends, "service": (f"udp/{port}",), "zone": zones}[by]


MEMBERS = {"source": ("source",), "destination": ("destination",), "pair": ("source", "destination"), "service": ("service",), "zone": ("from", "to")}


def expected(flows, by, what):
    """Key, connections, and packets and bytes there and back; who has most first."""
    sums = {}
    for flow in flows:
        _, _, family, _, count, size, back = flow
        now = (1, count, count, count * (size + HEADERS[family]), count * (back + HEADERS[family]))
        sums[key(flow, by)] = tuple(map(sum, zip(sums.get(key(flow, by), (0,) * 5), now)))
    order = {"connections": lambda row: row[1], "packets": lambda row: (row[2] + row[3], row[1]), "bytes": lambda row: (row[4] + row[5], row[1])}[what]
    return sorted(((found, *numbers) for found, numbers in sums.items()), key=order, reverse=True)


def top(lab, *options):
    done = lab.ctl("filter", "top", "-o", "json", *options)
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def of_ours(rows, by, flows=None):
    """What the lab's hosts may say beside (ICMP, say) is not asked for."""
    ours = {key(flow, by) for flow in flows or FLOWS}
    return [row for row in rows if tuple(row.get(member) for member in MEMBERS[by]) in ours]


def test_order_and_numbers(lab):
    lab.apply(ZONES + ALLOWED)
    sysctl(lab, acct=1)
    for flow in FLOWS:
        send(lab, flow)
    for by in MEMBERS:
        for what in ("bytes", "packets"):
            rows, said = top(lab, "--by", by, "--what", what)
            assert not said
            assert [(tuple(row[member] for member in MEMBERS[by]), row["connections"], row["packetsThere"], row["packetsBack"], row["bytesThere"],
                     row["bytesBack"]) for row in of_ours(rows, by)] == expected(FLOWS, by, what)
            assert all(row["bytes"] == row["bytesThere"] + row["bytesBack"] and row["packets"] == row["packetsThere"] + row["packetsBack"] for row in rows)
            assert all(row["uncounted"] == 0 and "missed" not in row for row in rows)
    rows, _ = top(lab, "--what", "connections")
    assert [(row["source"], row["connections"]) for row in of_ours(rows, "source")][0] == (traffic.address("lan", 6), 2)
    assert top(lab, "--limit", 2)[0] == top(lab)[0][:2], "by bytes of sources, unless something else is said"
    pairs = {(row["source"], row["destination"]): (row["from"], row["to"]) for row in of_ours(top(lab, "--by", "pair")[0], "pair")}
    assert pairs == {key(flow, "pair"): key(flow, "zone") for flow in FLOWS}
    text = lab.ctl("filter", "top").stdout.splitlines()
    assert text[0].split() == ["FROM", "SOURCE", "CONNECTIONS", "BYTES", "THERE", "BACK", "PACKETS"]
    assert text[1].split() == ["inside", traffic.address("lan", 4), "1", "62240", "41120", "21120", "80"]



def test_the_kernel_does_not_count(lab):
    """Then it is by connections, and that is said; and of those that began before it counted nothing is known."""
    lab.apply(ZONES + ALLOWED)
    sysctl(lab, acct=0)
    uncounted = FLOWS[3:]
    for flow in uncounted:
        send(lab, flow)
    rows, said = top(lab)
    assert said == ("bytes and packets are not known: the kernel does not count them (sysctl net.netfilter.nf_conntrack_acct); "
                    "ordered by connections\n")
    assert [(row["source"], row["connections"], row["uncounted"]) for row in of_ours(rows, "source")] == [
        (traffic.address("lan", 6), 2, 2), (traffic.address("dmz", 4), 1, 1)]
    assert not any({"bytes", "packets", "bytesThere", "packetsBack"} & row.keys() for row in rows)
    assert "BYTES" not in lab.ctl("filter", "top").stdout
    assert top(lab, "--what", "connections")[1] == said.partition(";")[0] + "\n"
    sysctl(lab, acct=1)
    send(lab, FLOWS[2])
    rows, said = top(lab)
    assert re.fullmatch(r"of \d+ of \d+ connections bytes and packets are not known: they began before the kernel counted them "
                        r"\(sysctl net.netfilter.nf_conntrack_acct\)\n", said)
    assert [(row["source"], row.get("bytes")) for row in of_ours(rows, "source")] == [
        (traffic.address("guest", 4), 8560), (traffic.address("lan", 6), None), (traffic.address("dmz", 4), None)]


def test_more_sources_than_places(lab):
    """What is left out is told, and who has most is not left out."""
    sources = 70000
    if conntrack.maximum() < 80000:
        pytest.skip("net.netfilter.nf_conntrack_max of the machine is below 80000")
    conntrack.fill(lab.netns("router"), sources, of_each=1)
    conntrack.fill(lab.netns("router"), 1500, family=6)
    rows, said = top(lab, "--limit", 1000)
    assert 0 <= int(re.search(r": (\d+) times the one with least gave way", said)[1]) - (sources + 30 - 65536) < 100
    assert [(row["source"], row["connections"]) for row in rows[:30]] == [(f"fd00:64::{i:x}", 50) for i in range(1, 31)]
    assert len(rows) == 1000 and all(row["connections"] == 1 for row in rows[30:])


BAD = [
    ({"limit": dbus.UInt32(0)}, "/limit"),
    ({"limit": dbus.UInt32(1001)}, "/limit"),
    ({"by": "sources"}, 'did you mean "source"?'),
    ({"what": "byte"}, 'did you mean "bytes"?'),
    ({"until": "now"}, "/until"),
]


STRANGER = """
import dbus, dbus.bus, sys
bus = dbus.bus.BusConnection(sys.argv[1])
try:
    bus.call_blocking("org.patronus.Filter1", "/org/patronus/Filter1", "org.patronus.Filter1", "TopTalkers", "a{sv}", ({},))
except dbus.DBusException as error:
    print(error.get_dbus_name())
"""


def test_who_asks_for_what(lab):
    for asked, says in BAD:
        with pytest.raises(dbus.DBusException) as error:
            filterd(lab).TopTalkers(dbus.Dictionary(asked, signature="sv"), dbus_interface=INTERFACE)
        assert error.value.get_dbus_name() == "org.patronus.Error.Invalid"
        assert says in error.value.get_dbus_message()
    done = subprocess.run([sys.executable, "-c", STRANGER, lab.bus], capture_output=True, text=True, user="nobody", group="nogroup", extra_groups=[])
    assert done.stdout.strip() in ("org.patronus.Error.NotAuthorized", "org.freedesktop.DBus.Error.AccessDenied"), done.stdout + done.stderr
