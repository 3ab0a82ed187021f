# SPDX-License-Identifier: GPL-3.0-or-later
"""What rules ask beside addresses and ports, and how they refuse: flags of TCP, the length of packets, interfaces, kinds of rejection;
with real packets of both families."""

import ipaddress

import pytest
import traffic
from documents import document
from traffic import Row

ZONES = """
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: outside}, spec: {interfaces: [wan], forward: drop, input: drop}}
---
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: inside}, spec: {interfaces: [lan, dmz, guest], forward: drop, input: drop}}
"""


def rule(name, **spec):
    return document("FirewallRule", name, **spec)


def assert_seen(lab, rows):
    wrong = [f"{result.row}: {result.seen}" for result in traffic.run(lab.name, rows) if not result.ok]
    assert not wrong, "\n".join(wrong)


def test_reject_kinds(lab):
    kinds = {  # port: kind, ICMP of IPv4, ICMPv6
        7001: ("port-unreachable", "port unreachable", "port unreachable"),
        7002: ("host-unreachable", "ICMP type 3 code 1", "ICMP type 1 code 3"),
        7003: ("net-unreachable", "ICMP type 3 code 0", "ICMP type 1 code 0"),
        7004: ("admin-prohibited", "prohibited", "prohibited"),
        7005: ("no-route", "ICMP type 3 code 0", "ICMP type 1 code 0"),
    }
    rules = [rule(f"r-{port}", action="reject", rejectWith=kind, protocol="udp", destination={"ports": [port]})
             for port, (kind, *_) in kinds.items()]
    rules.append(rule("reset", action="reject", rejectWith="tcp-reset", protocol="tcp", destination={"ports": [7006]}))
    rules.append(rule("own", action="reject", rejectWith="port-unreachable", protocol="udp", destination={"ports": [7007]}, **{"from": "router"}))
    lab.apply(ZONES + "".join(rules))
    rows = [Row(f"{kind} {family}", "closed-udp", "lan", "wan", family, f"{said} from {traffic.address('router', family, at='lan')}", port)
            for port, (kind, *texts) in kinds.items() for family, said in zip((4, 6), texts)]
    # the ICMP error goes to who sent it, also when that is asked of the router itself
    rows += [Row(f"to the router {family}", "closed-udp", "lan", "router", family, f"port unreachable from {traffic.address('router', family, at='lan')}", 7001)
             for family in (4, 6)]
    rows += [Row(f"reset {family}", "tcp", "lan", "wan", family, "refused", 7006) for family in (4, 6)]
    assert_seen(lab, rows)
    assert lab.counted() == {**{f"r-{port}": 4 if port == 7001 else 2 for port in kinds}, "reset": 2, "own": 0}


def test_tcp_flags(lab):
    lab.apply(ZONES + rule("begins", action="allow", protocol="tcp", destination={"ports": [7001]}, tcpFlags={"set": ["syn"], "clear": ["ack", "fin"]})
              + rule("goes-on", action="allow", protocol="tcp", destination={"ports": [7002]}, tcpFlags={"clear": ["syn"]}))
    assert_seen(lab, [Row(f"{probe} {port} {family}", probe, "lan", "wan", family, "arrived" if arrives else "did not arrive", port)
                      for family in (4, 6) for probe, port, arrives in (("syn", 7001, True), ("ack", 7001, False), ("syn", 7002, False), ("ack", 7002, True))])
    assert lab.counted() == {"begins": 2, "goes-on": 2}


SEND = """
import socket
for family, header, address in ((socket.AF_INET, 28, "10.1.0.2"), (socket.AF_INET6, 48, "fd00:1::2")):
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        for port, length in enumerate((59, 60, 61, 99, 100, 120, 121, 1000, 1001, 1500, 2600, 2700), 7000):
            s.sendto(bytes(length - header), (address, port))
"""


def test_length(lab):
    """Of each family those of 59, 60, 100, 120 and 1000 bytes, and what is 2,700 bytes once its fragments are put together."""
    lab.apply(ZONES + rule("lengths", action="allow", protocol="udp", length=["1-60", "100-120", 1000, "2601-2700"])
              + rule("one", action="drop", protocol="udp", length=[1500]) + rule("most", action="drop", protocol="udp", length=["61-99"]))
    lab.exec("lan", "/usr/bin/python3", "-c", SEND)
    assert lab.counted() == {"lengths": 12, "one": 2, "most": 4}
    assert "unknown" not in lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout


@pytest.mark.parametrize("pattern, passes", [(["lan"], {"lan"}), (["dmz", "lan"], {"lan", "dmz"}), (["l*"], {"lan"}), (["none", "gue*"], {"guest"}),
                                             ([f"n{i}" for i in range(20)] + ["d*"], {"dmz"})])
def test_interfaces(lab, pattern, passes):
    """Of a zone of three, and of the router those by which it sends."""
    lab.apply(ZONES + rule("in", action="allow", protocol="udp", interfaces=pattern)
              + rule("out", action="drop", protocol="udp", interfaces=pattern, **{"from": "router"}))
    hosts = ("lan", "dmz", "guest")
    assert_seen(lab, [Row(f"{host} {family}", "udp", host, "wan", family, f"answer, seen as {traffic.address(host, family)}" if host in passes else "no answer", 7000)
                      for host in hosts for family in (4, 6)])
    before = lab.counted()["out"]
    assert before == 0
    for number, host in enumerate(hosts):
        lab.exec("router", "/usr/bin/python3", "-c", f"import socket\nsocket.socket(2, 2).sendto(b'x', ('{traffic.address(host, 4)}', 7100))", check=False)
        before += host in passes
        assert lab.counted()["out"] == before, host


@pytest.mark.parametrize("spec, pointer, says", [
    ({"action": "drop", "rejectWith": "no-route"}, "/spec/rejectWith", "action: reject"),
    ({"action": "reject", "rejectWith": "tcp-reset"}, "/spec/rejectWith", "protocol: tcp"),
    ({"action": "drop", "tcpFlags": {"set": ["syn"]}}, "/spec/tcpFlags", "protocol: tcp"),
    ({"action": "drop", "protocol": "tcp", "tcpFlags": {"set": ["syn", "ack"], "clear": ["ack"]}}, "/spec/tcpFlags/clear", "ack cannot be"),
    ({"action": "drop", "length": ["60-20"]}, "/spec/length/0", "20-60"),
])
def test_refused(lab, spec, pointer, says):
    refused = lab.ctl("apply", "-f", "-", stdin=ZONES + rule("r", **spec), check=False)
    assert refused.returncode == 1
    assert pointer in refused.stderr and says in refused.stderr, refused.stderr


def test_long_lists_of_exceptions(lab):
    """More exceptions than are written out each: one set, which a packet must not be in. No two touch, else they were one range."""
    ports = range(7001, 7041, 2)
    address = ipaddress.ip_address(traffic.address("lan", 4))
    lab.apply(ZONES + rule("ports", action="allow", protocol="tcp", destination={"ports": ["7000-7050"], "except": {"ports": list(ports)}})
              + rule("sources", action="allow", family="ipv4", protocol="tcp", destination={"ports": [7101]},
                     source={"except": {"addresses": [str(address + 2 * number) for number in range(len(ports))]}}))
    rows = [Row(f"{port} {family}", "syn", "lan", "wan", family, "did not arrive" if port in ports else "arrived", port)
            for family in (4, 6) for port in (7000, ports[0], ports[0] + 1, ports[-1], ports[-1] + 1)]
    assert_seen(lab, rows + [Row("from lan", "syn", "lan", "wan", 4, "did not arrive", 7101), Row("from dmz", "syn", "dmz", "wan", 4, "arrived", 7101)])
    assert lab.counted() == {"ports": 6, "sources": 1}
