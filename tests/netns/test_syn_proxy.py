# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules with synProxy: a server hears of clients only that have answered the router, and first packets that nobody stands behind leave
nothing behind. With real connections, and a flood."""

import contextlib
import json
import socket

import flood
import lab as lab_module
import netns
import pytest
import traffic
from documents import document
from test_limits import PORT, connect, refused
from test_revoke import Flow
from test_rule_questions import ZONES, rule

FORGED = 2000


def web(**more):
    return rule("web", action="allow", protocol="tcp", destination={"ports": [PORT]}, **more)


def flow(lab, client="lan", family=4, server="wan", address=None):
    """Words went there and back, and the server sees the client's address."""
    made = Flow(lab, client, server, address or traffic.address(server, family), PORT)
    assert made.server.getpeername()[0] == traffic.address(client, family)
    return contextlib.closing(made)


@pytest.mark.parametrize("output", ("allow", "drop"))
def test_connections_are_made(lab, output):
    """To servers behind the router and to the router itself, in both families; the counter sees two packets of each: the client's first
    one and its answer. Whether the router may begin connections of its own does not matter."""
    lab.apply(ZONES + document("FilterSettings", "default", output=output) + web(synProxy=True) + rule("rest", action="drop"), "--replace")
    for family in (4, 6):
        for server, address in (("wan", None), ("router", traffic.address("router", family, "lan"))):
            with flow(lab, "lan", family, server, address):
                pass
    assert lab.counted()["web"] == 8 and lab.counted()["rest"] == 0


def test_rules_before_it_decide(lab):
    """It stands in its place among the others."""
    lab.apply(ZONES + rule("not-you", action="drop", priority=1, source={"addresses": [traffic.address("lan", 4)]}) +
              web(**{"from": "inside", "synProxy": True}), "--replace")
    assert refused(lab, "lan")
    for client, family in (("lan", 6), ("dmz", 4)):
        with flow(lab, client, family):
            pass


def test_nobody_listens(lab):
    """The client has a connection before it is known that there is nobody; then it is reset."""
    lab.apply(ZONES + web(synProxy=True), "--replace")
    with pytest.raises(ConnectionResetError):
        connect(lab, "lan").recv(1)


def test_translated_destinations_pass_without(lab):
    """A forward's connections are the server's own from the first packet."""
    forward = document("NatRule", "web", type="forward", zone="inside", protocol="tcp", destination={"ports": [PORT]}, filter="none",
                       translation={"addresses": [traffic.address("wan", 4)]})
    lab.apply(ZONES + web(synProxy=True) + forward, "--replace")
    with flow(lab, address=traffic.address("router", 4, "lan")):
        pass
    assert lab.counted()["web"] == 1


def test_edits(lab):
    """A rule begins to, and ceases to; a commit that revokes it ends what came by it, and nothing else."""
    lab.apply(ZONES + web(), "--replace")
    for proxies, packets in (("true", 2), ("false", 1), ("true", 2)):
        lab.ctl("set", "FirewallRule/web", f"synProxy={proxies}")
        before = lab.counted()["web"]
        with flow(lab):
            assert lab.counted()["web"] - before == packets
    with flow(lab) as old, flow(lab, "dmz") as other:
        lab.ctl("set", "FirewallRule/web", f"source.addresses={traffic.address('dmz', 4)}")
        assert old.ends() and other.lives()


def test_a_flood_of_first_packets(lab, tmp_path):
    """Forged ones reach no server and leave no entry; a real client gets through meanwhile."""
    if why := flood.unavailable(lab_module.build_dir()):
        pytest.skip(why)
    lab.apply(ZONES + web(synProxy=True), "--replace")
    lab.exec("router", "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.lan.rp_filter=0")
    mac = json.loads(lab.exec("router", "ip", "-j", "link", "show", "lan").stdout)[0]["address"]
    flood.write(tmp_path / "frames", mac, [flood.Packet(f"10.2.{64 + number // 250}.{1 + number % 250}", traffic.address("wan", 4), "tcp", 1024 + number, PORT)
                                           for number in range(FORGED)])
    with netns.make_socket(lab.netns("wan"), socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as heard:
        heard.bind(("eth0", 0x0800))
        with flood.sending(lab_module.build_dir(), f"plt-{lab.name}-router", "lan", tmp_path / "frames", 20000), flow(lab):
            pass
        sources = set()
        heard.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                sources.add(socket.inet_ntoa(heard.recv(2048)[26:30]))
    assert lab.counted()["web"] > 2
    assert traffic.address("lan", 4) in sources and not [source for source in sources if source.startswith("10.2.6") or source.startswith("10.2.7")]
    assert "src=10.2.6" not in lab.exec("router", "conntrack", "-L").stdout


def test_says_so(lab):
    lab.apply(ZONES + web(synProxy=True), "--replace")
    said = lab.ctl("filter", "why", "--in", "lan", "--src", traffic.address("lan", 4), "--dst", traffic.address("wan", 4), "--proto", "tcp", "--dport", PORT).stdout
    assert said.startswith("allow: FirewallRule/web lets it pass, once its client has answered to the router")
    assert "syn proxy" in lab.ctl("filter", "counters").stdout


@pytest.mark.parametrize("fields, pointer, says", (
    ({"protocol": "udp"}, "/spec/synProxy", "protocol: tcp"),
    ({"action": "drop"}, "/spec/synProxy", "allow"),
    ({"tcpFlags": {"set": ["syn"]}}, "/spec/tcpFlags", "answer"),
    ({"limits": {"connections": 5}}, "/spec/limits", "real"),
    ({"setMark": "0x1/0xff"}, "/spec/setMark", "mark"),
    ({"floating": True}, "/spec/floating", "both zones"),
    ({"from": "router"}, "/spec/from", "zone"),
))
def test_refusals(lab, fields, pointer, says):
    spec = {"action": "allow", "protocol": "tcp", "synProxy": True} | fields
    done = lab.ctl("apply", "-f", "-", stdin=ZONES + rule("bad", **spec), check=False)
    assert done.returncode != 0 and pointer in done.stderr and says in done.stderr, done.stderr
