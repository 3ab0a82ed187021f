# SPDX-License-Identifier: GPL-3.0-or-later
"""Forwards to pools of servers: how connections are spread, who keeps whose server, and what becomes of them when servers die and come
back. With real servers and connections."""

import collections
import itertools
import json
import math
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import lab as lab_module
import netns
import pytest
from nat import ALL, ZONES, add_addresses, counters, nat, router, rule
from signals import Signals
from traffic import address
from witness import Probe, Witness

PORTS = (80, 443, 8000, 8001, 9000)
source_ports = itertools.count(20000)
SERVERS = {4: ["10.3.0.11", "10.3.0.12", "10.3.0.13"], 6: ["fd00:3::11", "fd00:3::12", "fd00:3::13"]}
CLIENTS = {4: [f"10.1.0.{last}" for last in range(10, 90)], 6: [f"fd00:1::1:{last:x}" for last in range(1, 81)]}
# A server that accepts, and answers http with the status in the file that it is given; says when it listens.
SERVER = """
import socket, sys
sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.bind((sys.argv[1], int(sys.argv[2])))
sock.listen(64)
print("ready", flush=True)
while True:
    client, _ = sock.accept()
    client.settimeout(30)
    try:
        asked = client.recv(2048)
        if asked.startswith(b"GET"):
            status = open(sys.argv[3]).read().strip()
            client.sendall(b"HTTP/1.1 " + status.encode() + b" x\\r\\nContent-Length: 0\\r\\n\\r\\n")
    except OSError:
        pass
    client.close()
"""


@pytest.fixture
def witness(lab):
    for family in (4, 6):
        add_addresses(lab, "dmz", SERVERS[family])
        add_addresses(lab, "wan", CLIENTS[family])
    with Witness(lab.name, PORTS) as made:
        yield made


class Server:
    """A process in the host dmz that can be ended, and made anew."""

    def __init__(self, lab, host, port, status=None):
        self.lab, self.host, self.port, self.status = lab, host, port, status
        self.start()

    def start(self):
        self.process = self.lab.popen("dmz", sys.executable, "-c", SERVER, self.host, str(self.port), str(self.status), stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == "ready\n"

    def end(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def pool(name, family=4, ports=8000, extra="", weights=(1, 1, 1)):
    servers = ", ".join(f"{{address: '{text}'{f', port: {ports}' if ports else ''}, weight: {weight}}}" for text, weight in zip(SERVERS[family], weights))
    return rule(name, f"servers: [{servers}]{extra}", "ServerPool")


def forward(name, to, family=4, more=""):
    return nat(name, f"type: forward, zone: wan, destination: {{addresses: ['{router('wan', family)}'], ports: [443]}}, pool: {to}{more}")


def connections(witness, n, family=4, sources=None, port=443, protocol="tcp", host="wan", answered=True):
    """Each from a port of its own, so that none is taken for one before."""
    sources = sources or [address(host, family)] * n
    return witness.look([Probe(host, protocol, router("wan", family), port, source, next(source_ports), answered) for source in sources])


def listed(lab):
    rows = map(json.loads, lab.ctl("filter", "servers", "-o", "json").stdout.splitlines())
    return {row["address"]: row for row in rows}


def in_map(lab, name="web"):
    """How many slots lead to each chain."""
    items = [item["map"] for item in lab.nft_json("map", "inet", "patronus", f"v_{name}") if "map" in item]
    return collections.Counter(element[1]["goto"]["target"] for element in items[0].get("elem", []))


@pytest.mark.parametrize("family", (4, 6))
def test_round_robin(lab, witness, family):
    """Each as often as its weight says, whatever the protocol; the rule of the filter that comes along lets it pass."""
    lab.apply(ZONES + pool("web", family, weights=(2, 1, 1)) + forward("web", "web", family))
    for protocol in ("tcp", "udp"):
        seen = collections.Counter((sight.host, sight.destination, sight.port) for sight in connections(witness, 80, family, protocol=protocol))
        assert set(seen) == {("dmz", text, 8000) for text in SERVERS[family]}
        assert [abs(seen["dmz", text, 8000] - share) <= 2 for text, share in zip(SERVERS[family], (40, 20, 20))] == [True] * 3, seen
    assert counters(lab)["web", "wan"] == 160
    # Nothing else of the servers is open.
    assert witness.see("wan", "tcp", SERVERS[family][0], 8000, answered=False) is None


def test_ports_stay(lab, witness):
    """Servers without ports."""
    lab.apply(ZONES + pool("web", ports=None) + nat("web", "type: forward, zone: wan, services: [http, https], pool: web"))
    for port in (80, 443):
        assert {(sight.destination, sight.port) for sight in connections(witness, 12, port=port)} == {(text, port) for text in SERVERS[4]}
    assert connections(witness, 1, port=8000, answered=False) == [None]


@pytest.mark.parametrize("family", (4, 6))
def test_source_hash(lab, witness, family):
    """A client keeps its server, also over another commit; all servers have some."""
    lab.apply(ZONES + pool("web", family, extra=", algorithm: source-hash") + forward("web", "web", family))
    first = [sight.destination for sight in connections(witness, 80, family, CLIENTS[family])]
    assert set(first) == set(SERVERS[family])
    lab.apply(rule("other", "action: drop, from: lan"))
    assert [sight.destination for sight in connections(witness, 80, family, CLIENTS[family])] == first


def test_sticky(lab, witness):
    """A client keeps the server that it got, and not longer than it says; who comes first is led by the algorithm."""
    lab.apply(ZONES + pool("web", extra=", sticky: 1h") + forward("web", "web"))
    first = [sight.destination for sight in connections(witness, 30, sources=CLIENTS[4][:30])]
    assert set(first) == set(SERVERS[4])
    for _ in range(3):
        assert [sight.destination for sight in connections(witness, 30, sources=CLIENTS[4][:30])] == first
    # An edit of the pool that leaves the servers keeps who keeps them.
    lab.apply(pool("web", extra=", sticky: 1h, whenDown: drop"))
    assert [sight.destination for sight in connections(witness, 30, sources=CLIENTS[4][:30])] == first


def test_random(lab, witness):
    lab.apply(ZONES + pool("web", extra=", algorithm: random") + forward("web", "web"))
    seen = collections.Counter(sight.destination for sight in connections(witness, 90))
    assert set(seen) == set(SERVERS[4]) and min(seen.values()) > 8


def test_disabled_and_fallback(lab, witness):
    """A server that is switched off gets nothing; without any, the fallback does, and then nobody: the rule refuses, and lets nothing else pass."""
    def servers(enabled, more=""):
        texts = ", ".join(f"{{address: {text}, port: 8000, enabled: {str(on).lower()}}}" for text, on in zip(SERVERS[4], enabled))
        return rule("web", f"servers: [{texts}]{more}", "ServerPool")

    lab.apply(ZONES + servers((True, False, True)) + forward("web", "web"))
    assert {sight.destination for sight in connections(witness, 20)} == {SERVERS[4][0], SERVERS[4][2]}
    lab.apply(servers((False, False, False), f", fallback: {{address: {address('dmz', 4)}, port: 9000}}"))
    assert {(sight.destination, sight.port) for sight in connections(witness, 5)} == {(address("dmz", 4), 9000)}
    lab.apply(servers((False, False, False)))
    with netns.make_socket(lab.netns("wan"), socket.AF_INET, socket.SOCK_STREAM) as sock:
        sock.setblocking(True)
        sock.settimeout(10)
        with pytest.raises(ConnectionRefusedError):
            sock.connect((router("wan", 4), 443))
    lab.apply(servers((False, False, False), ", whenDown: drop"))
    assert connections(witness, 1, answered=False) == [None]


def test_reflection(lab, witness):
    """Of a pool too: from other zones, and back into the zone of the servers."""
    lab.apply(ZONES + pool("web") + forward("web", "web", more=", reflection: true"))
    seen = connections(witness, 6, host="lan")
    assert {(sight.destination, sight.source) for sight in seen} == {(text, address("lan", 4)) for text in SERVERS[4]}
    seen = connections(witness, 6, host="dmz")
    assert {(sight.destination, sight.source) for sight in seen} == {(text, router("dmz", 4)) for text in SERVERS[4]}
    assert {sight.destination for sight in connections(witness, 6, host="router", sources=[""] * 6)} == set(SERVERS[4])


CHECK = ", check: {type: tcp, interval: 1s, timeout: 950ms, rise: 2, fall: 3}"  # a machine may stand still for a while, but not three times


class Changes:
    """What filterd tells of servers, one after the other."""

    def __init__(self, lab):
        self.signals = Signals(lab.bus, "org.patronus.Filter1", "ServerChanged")
        self.read = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.signals.close()

    def next(self):
        """(address, state)"""
        self.read += 1
        seen = self.signals.wait(lambda seen: seen if len(seen) >= self.read else None, f"change {self.read}")
        _, _, name, host, _, state = seen[self.read - 1]
        assert name == "web"
        return host, state


def test_dead_server_leaves_the_map(lab):
    """Within two probes after `fall` is reached; a connection that exists goes on; and the server comes back after `rise`."""
    add_addresses(lab, "dmz", SERVERS[4])
    with Server(lab, SERVERS[4][0], 8000) as one, Server(lab, SERVERS[4][1], 8000), Server(lab, SERVERS[4][2], 8000), Changes(lab) as changes:
        lab.apply(ZONES + ALL + pool("web", extra=CHECK) + forward("web", "web"))
        chains = in_map(lab)
        assert len(chains) == 3 and max(chains.values()) - min(chains.values()) <= 1
        rules = lab.ruleset("chain", "inet", "patronus", "v_web")
        before = listed(lab)[one.host]
        one.end()
        assert changes.next() == (one.host, "down")
        heard = time.monotonic()
        row = listed(lab)[one.host]
        # In probes: those that failed until the map changed are `fall`, and less than two more; and those while we asked.
        assert row["state"] == "down" and not row["active"] and row["error"] == "Connection refused"
        assert 3 <= row["failures"] - before["failures"] < 3 + 2 + math.ceil(time.monotonic() - heard)
        assert len(in_map(lab)) == 2 and sum(in_map(lab).values()) == sum(chains.values())
        assert lab.ruleset("chain", "inet", "patronus", "v_web") == rules  # no rule was touched
        one.start()
        assert changes.next() == (one.host, "up")
        assert in_map(lab) == chains
        assert listed(lab)[one.host]["state"] == "up"


def test_established_connections_stay(lab, witness):
    """What a server serves it goes on serving, though it is dead for new ones: its check looks elsewhere."""
    check = ", check: {type: tcp, port: 7000, interval: 1s, timeout: 950ms, rise: 1, fall: 2}"
    with Server(lab, SERVERS[4][0], 7000) as one, Server(lab, SERVERS[4][1], 7000), Server(lab, SERVERS[4][2], 7000), Changes(lab) as changes:
        lab.apply(ZONES + ALL + pool("web", extra=check + ", algorithm: source-hash") + forward("web", "web"))
        before = dict(zip(CLIENTS[4], (sight.destination for sight in connections(witness, 80, sources=CLIENTS[4]))))
        client = next(text for text, server in before.items() if server == one.host)
        with netns.make_socket(lab.netns("wan"), socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setblocking(True)
            sock.settimeout(10)
            sock.bind((client, 0))
            sock.connect((router("wan", 4), 443))
            with Answering(lab, one.host, 8000) as answering:
                assert answering.exchange(sock) == one.host
                one.end()
                assert changes.next() == (one.host, "down")
                assert answering.exchange(sock) == one.host
        # New connections of those who had it are led elsewhere, and nobody else's are.
        after = dict(zip(CLIENTS[4], (sight.destination for sight in connections(witness, 80, sources=CLIENTS[4]))))
        assert {text for text in before if before[text] != after[text]} == {text for text, server in before.items() if server == one.host}
        assert one.host not in after.values()


class Answering:
    """A UDP server beside the witness's: of one address."""

    def __init__(self, lab, host, port):
        self.lab, self.host, self.port = lab, host, port

    def __enter__(self):
        with netns.inside(self.lab.netns("dmz")):
            self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.settimeout(10)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((self.host, self.port))
        return self

    def __exit__(self, *_):
        self.sock.close()

    def exchange(self, sock):
        sock.send(b"?")
        _, peer = self.sock.recvfrom(16)
        self.sock.sendto(self.host.encode(), peer)
        return sock.recv(64).decode()


def test_all_dead(lab):
    """The fallback, which nobody watches."""
    add_addresses(lab, "dmz", SERVERS[4])
    with Changes(lab) as changes, Server(lab, SERVERS[4][1], 8000) as other:
        lab.apply(ZONES + ALL + pool("web", extra=CHECK + f", fallback: {{address: {address('dmz', 4)}, port: 9000}}") + forward("web", "web"))
        assert {changes.next(), changes.next()} == {(SERVERS[4][0], "down"), (SERVERS[4][2], "down")}  # the first result decides
        assert len(in_map(lab)) == 1
        other.end()
        assert changes.next() == (other.host, "down")
        rows = listed(lab)
        assert [text for text, row in rows.items() if row["active"]] == [address("dmz", 4)]
        assert rows[address("dmz", 4)]["state"] == "unchecked" and rows[address("dmz", 4)]["fallback"]


def test_http(lab, tmp_path):
    """The status counts, not that somebody listens."""
    add_addresses(lab, "dmz", SERVERS[4])
    status = tmp_path / "status"
    status.write_text("200")
    check = ", check: {type: http, path: /health, expect: 200, interval: 3s, timeout: 2900ms, rise: 1, fall: 1}"
    with Changes(lab) as changes, Server(lab, SERVERS[4][0], 8000, status):
        lab.apply(ZONES + ALL + rule("web", f"servers: [{{address: {SERVERS[4][0]}, port: 8000}}]{check}", "ServerPool") + forward("web", "web"))
        status.write_text("503")
        assert changes.next() == (SERVERS[4][0], "down")
        assert listed(lab)[SERVERS[4][0]]["error"] == "the status is 503 instead of 200"
        assert in_map(lab) == {}
        status.write_text("200")
        assert changes.next() == (SERVERS[4][0], "up")
        status.write_text("20x")
        assert changes.next() == (SERVERS[4][0], "down")
        assert listed(lab)[SERVERS[4][0]]["error"] == "the answer is no HTTP"


def test_helper(lab):
    """Where there is the helper's socket filterd looks by that alone, as under systemd; one that dies is followed by another."""
    add_addresses(lab, "dmz", SERVERS[4])
    path = lab.directory / "run" / "probe"
    helper = lab.popen("router", "systemd-socket-activate", "--seqpacket", "--accept", "--inetd", "-l", str(path),
                       str(lab_module.build_dir() / "daemons/filterd/patronus-probe"), stderr=subprocess.PIPE)
    assert "Listening on" in helper.stderr.readline()
    path.chmod(0o777)
    try:
        with Changes(lab) as changes, Server(lab, SERVERS[4][0], 8000), Server(lab, SERVERS[4][1], 8000) as other:
            lab.apply(ZONES + ALL + pool("web", extra=CHECK) + forward("web", "web"))
            assert changes.next() == (SERVERS[4][2], "down")
            assert "Communication attempt" in helper.stderr.readline() + helper.stderr.readline()
            other.end()
            assert changes.next() == (other.host, "down")
            other.start()
            assert changes.next() == (other.host, "up")
            # One that dies says nothing about servers; the next is asked.
            (child,) = pathlib.Path(f"/proc/{helper.pid}/task/{helper.pid}/children").read_text().split()
            os.kill(int(child), signal.SIGKILL)
            other.end()
            assert changes.next() == (other.host, "down")
    finally:
        helper.kill()


def test_what_is_known_survives_a_restart(lab):
    """And commits, and somebody who deletes the table: who is dead stays out until it answers."""
    add_addresses(lab, "dmz", SERVERS[4])
    slow = ", check: {type: tcp, interval: 1h, timeout: 1s}"
    with Server(lab, SERVERS[4][0], 8000), Server(lab, SERVERS[4][1], 8000), Changes(lab) as changes:
        lab.apply(ZONES + ALL + pool("web", extra=slow) + forward("web", "web"))
        assert changes.next() == (SERVERS[4][2], "down")
        live = in_map(lab)
        assert len(live) == 2
        lab.apply(rule("other", "action: drop, from: lan"))
        assert in_map(lab) == live
        table = lab.ruleset("table", "inet", "patronus")
        lab.end("filterd", signal.SIGKILL)
        assert in_map(lab) == live
        lab.start("filterd")
        assert lab.ruleset("table", "inet", "patronus") == table
        assert not listed(lab)[SERVERS[4][2]]["active"]
        repaired = Signals(lab.bus, "org.patronus.Filter1", "DriftRepaired")
        lab.nft("flush ruleset")
        repaired.wait(lambda seen: seen, "the repair")
        repaired.close()
        assert in_map(lab) == live


def test_changes_of_pools_are_commits(lab, witness):
    """Edited, renamed, taken from the rule, deleted: nothing is left in the table."""
    lab.apply(ZONES + ALL + pool("web") + forward("web", "web"))
    assert {sight.destination for sight in connections(witness, 9)} == set(SERVERS[4])
    lab.apply(rule("web", f"servers: [{{address: {SERVERS[4][1]}, port: 8001}}], sticky: 5m", "ServerPool"))
    assert {(sight.destination, sight.port) for sight in connections(witness, 9)} == {(SERVERS[4][1], 8001)}
    lab.apply(pool("other", weights=(1, 1, 1)) + forward("web", "other"))
    assert {(sight.destination, sight.port) for sight in connections(witness, 9)} == {(text, 8000) for text in SERVERS[4]}
    assert lab.ctl("delete", "ServerPool/other", check=False).returncode != 0  # it is in use
    lab.ctl("set", "NatRule/web", "enabled=false")
    listing = lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout
    assert "v_" not in listing and "y_" not in listing
    lab.ctl("delete", "NatRule/web")
    lab.ctl("delete", "ServerPool/other")


REFUSALS = (
    ("ServerPool", "servers: [{address: 10.3.0.0/24}]", "/spec/servers/0/address", "one address"),
    ("ServerPool", "servers: [{address: 10.3.0.1}, {address: 'fd00::1'}]", "/spec/servers/1/address", "all IPv4 or all IPv6"),
    ("ServerPool", "servers: [{address: 10.3.0.1, port: 80}, {address: 10.3.0.2}]", "/spec/servers/1/port", "either all servers"),
    ("ServerPool", "servers: [{address: 10.3.0.1}, {address: 10.3.0.1}]", "/spec/servers/1", "already"),
    ("ServerPool", "servers: [{address: 10.3.0.1}], check: {type: tcp}", "/spec/check/port", "no port"),
    ("ServerPool", "servers: [{address: 10.3.0.1, port: 80}], check: {interval: 1s, timeout: 2s}", "/spec/check/timeout", "before the next is due"),
    ("ServerPool", "servers: [{address: 10.3.0.1, port: 80}], check: {type: http, path: health}", "/spec/check/path", "begins with /"),
    ("ServerPool", "servers: [{address: 10.3.0.1, port: 80}], algorithm: source-hash, sticky: 5m", "/spec/sticky", "already"),
    ("NatRule", "type: forward, zone: wan, pool: web, translation: {addresses: [10.3.0.1]}", "/spec/translation", "the pool says"),
    ("NatRule", "type: redirect, zone: wan, pool: web, destination: {ports: [80]}, translation: {ports: [80]}", "/spec/pool", "only a forward"),
    ("NatRule", "type: forward, zone: wan, pool: web", "/spec/destination/ports", "needs one"),
    ("NatRule", "type: forward, zone: wan, pool: web, family: ipv6, destination: {ports: [80]}", "/spec/pool", "are of IPv4"),
)


def test_refusals(lab):
    for kind, spec, pointer, says in REFUSALS:
        done = lab.ctl("apply", "-f", "-", stdin=ZONES + pool("web") + rule("bad", spec, kind), check=False)
        assert done.returncode != 0 and pointer in done.stderr and says in done.stderr, (spec, done.stderr)
