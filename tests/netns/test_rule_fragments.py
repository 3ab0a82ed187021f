# SPDX-License-Identifier: GPL-3.0-or-later
"""FirewallRule.fragments: which packets are fragments, which of them a rule drops, and that all other rules see the whole."""

import json
import os
import socket
import struct

import netns
import nflog
import pytest
from documents import document
from traffic import address

ZONES = """
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: wan}, spec: {interfaces: [wan], forward: drop, input: drop}}
---
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: lan}, spec: {interfaces: [lan], forward: allow, input: allow, output: allow}}
"""
SMALL, LARGE = 100, 3000


def rule(name, **spec):
    return document("FirewallRule", name, **({"action": "drop", "fragments": True} | spec))


class Line:
    """UDP from one to another. After what shall not arrive comes what does: so nobody waits for nothing."""

    def __init__(self, lab, source="lan", target="wan", family=4, port=7000):
        af = socket.AF_INET if family == 4 else socket.AF_INET6
        self.client = netns.make_socket(lab.netns(source), af, socket.SOCK_DGRAM)
        self.server = netns.make_socket(lab.netns(target), af, socket.SOCK_DGRAM)
        self.server.bind(("::" if family == 6 else "0.0.0.0", port))
        for sock in (self.client, self.server):
            sock.setblocking(True)
            sock.settimeout(30)
        self.to = (address(target, family, at=source), port)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()
        self.server.close()

    def sends(self, *sizes):
        """The sizes of those that arrive: in the order in which they are sent, as long as one processor sends them."""
        processors = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {min(processors)})
        try:
            for number, size in enumerate((*sizes, 0)):
                self.client.sendto(bytes([number]) * size, self.to)
        finally:
            os.sched_setaffinity(0, processors)
        arrived = []
        while len(data := self.server.recv(65535)):
            arrived.append(len(data))
        return arrived


def base_chains(lab):
    return {item["chain"]["name"] for item in lab.nft_json("chains") if item["chain"].get("table") == "patronus" and "hook" in item["chain"]}


@pytest.mark.parametrize("family", (4, 6))
@pytest.mark.parametrize("target", ("wan", "router"))
def test_fragments_are_dropped(lab, family, target):
    lab.apply(ZONES)
    with Line(lab, target=target, family=family) as line:
        assert line.sends(SMALL, LARGE) == [SMALL, LARGE]
        assert "fragments" not in base_chains(lab)
        # the connection exists, and yet
        lab.apply(rule("no", **{"from": "lan"}))
        assert "fragments" in base_chains(lab)
        assert line.sends(SMALL, LARGE, SMALL) == [SMALL, SMALL]
        lab.apply(rule("no", **{"from": "wan"}))
        assert line.sends(SMALL, LARGE) == [SMALL, LARGE]
        lab.apply(rule("no"))
        assert line.sends(SMALL, LARGE) == [SMALL]
        lab.apply(ZONES, "--replace")
        assert "fragments" not in base_chains(lab)
        assert line.sends(SMALL, LARGE) == [SMALL, LARGE]
    assert "unknown" not in lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout


@pytest.mark.parametrize("family", (4, 6))
def test_what_a_rule_asks(lab, family):
    """Each question, in a rule that drops and in the one that says the opposite."""
    client, server = address("lan", family), address("wan", family, at="lan")
    other = "192.0.2.77" if family == 4 else "2001:db8:77::1"
    with Line(lab, family=family) as line:
        for drops, spec in (
            (True, {"source": {"addresses": [client]}}),
            (False, {"source": {"addresses": [other]}}),
            (False, {"source": {"except": {"addresses": [client]}}}),
            (True, {"destination": {"addresses": [server]}}),
            (True, {"destination": {"except": {"addresses": [other]}}}),
            (True, {"protocol": "udp"}),
            (False, {"protocol": "tcp"}),
            (True, {"family": f"ipv{family}"}),
            (False, {"family": f"ipv{10 - family}"}),
            (True, {"interfaces": ["la*"]}),
            (False, {"interfaces": ["wan"]}),
            (True, {"length": ["1-1500"]}),
            (False, {"length": ["1501-65535"]}),
            (True, {"dscp": 0}),
            (False, {"dscp": 46}),
            (False, {"enabled": False}),
            (False, {"mode": "audit"}),
        ):
            lab.apply(ZONES + rule("asks", **spec), "--replace")
            assert line.sends(SMALL, LARGE) == ([SMALL] if drops else [SMALL, LARGE]), spec


def test_counts_logs_and_says_why(lab):
    lab.apply(ZONES + rule("trial", mode="audit", protocol="udp", log=False) + rule("no", protocol="udp", log=True, **{"from": "lan"})
              + document("FirewallRule", "rest", action="allow", **{"from": "wan"}))
    with Line(lab) as line, nflog.Log(lab, reason="fragments") as log:
        assert line.sends(SMALL, LARGE) == [SMALL]
        entry = log.next()
    assert entry["rule"]["name"] == "no" and entry["verdict"] == "drop" and entry["reason"] == "fragments"
    assert lab.counted() == {"no": 3, "rest": 0, "trial": 3}

    def why(*options):
        return json.loads(lab.ctl("filter", "why", "--src", address("lan", 4), "--dst", address("wan", 4, at="lan"), "-o", "json", *options, check=False).stdout)

    udp = ("--proto", "udp", "--dport", "7000")
    assert why(*udp)["verdict"] == "allow"
    answer = why(*udp, "--fragment")
    assert (answer["verdict"], answer["reason"], answer["rule"]["name"]) == ("drop", "fragments", "no")
    assert "FirewallRule/no drops it, as a fragment" in answer["text"] and "would drop it (audit)" in answer["text"]
    assert why("--proto", "gre", "--fragment")["verdict"] == "allow"
    lab.apply(rule("no", length=["1-100"], **{"from": "lan"}))
    answer = why(*udp, "--fragment")
    assert answer["verdict"] == "allow" and answer["doubt"]["name"] == "no"
    assert "doubt" not in why(*udp, "--fragment", "--length", "1500")
    assert why(*udp, "--fragment", "--length", "60")["verdict"] == "drop"


def test_zones_by_address(lab):
    """A zone of addresses has fragments of its own, and what is of no such zone is the interface's."""
    inner = document("Zone", "inner", sources=[f"{address('lan', 4)}/32"], forward="allow")
    with Line(lab) as line, Line(lab, family=6, port=7001) as six:
        for zone, kept in (("inner", ([SMALL], [SMALL, LARGE])), ("lan", ([SMALL, LARGE], [SMALL])), ("any", ([SMALL], [SMALL]))):
            lab.apply(ZONES + inner + rule("no", **{"from": zone}), "--replace")
            assert (line.sends(SMALL, LARGE), six.sends(SMALL, LARGE)) == kept, zone


def ip6(lab, next_header, payload):
    """A packet of IPv6 from the client, by the interface, with an ethernet header."""
    source, destination = (socket.inet_pton(socket.AF_INET6, text) for text in (address("lan", 6), address("wan", 6, at="lan")))
    return struct.pack("!IHBB", 6 << 28, len(payload), next_header, 64) + source + destination + payload


def test_atomic_fragments_are_whole(lab):
    """A fragment header without offset and without more to come (RFC 6946); two bits between them mean nothing (RFC 8200 4.5)."""
    lab.apply(ZONES + rule("no"))
    udp = struct.pack("!HHHH", 7777, 7000, 8 + 5, 0)
    with Line(lab, family=6) as line:
        source, destination = (socket.inet_pton(socket.AF_INET6, text) for text in (address("lan", 6), address("wan", 6, at="lan")))
        total = sum(struct.unpack("!22H", source + destination + struct.pack("!IHBB", 13, 0, 0, 17) + b"\0" * 4)) + sum(struct.unpack("!7H", udp + b"whole\0"))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        datagram = udp[:6] + struct.pack("!H", ~total & 0xFFFF) + b"whole"
        with netns.make_socket(lab.netns("lan"), socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
            for offset in (0, 6, 1, 8):
                raw.sendto(ip6(lab, 44, struct.pack("!BBHI", 17, 0, offset, 9 + offset) + datagram), (line.to[0], 0))
        assert [line.server.recv(100) for _ in range(2)] == [b"whole"] * 2
        assert line.sends(SMALL) == [SMALL]
    assert lab.counted() == {"no": 2}


@pytest.mark.parametrize("spec, pointer, says", [
    ({"action": "allow"}, "/spec/action", "action: drop"),
    ({"action": "continue"}, "/spec/action", "action: drop"),
    ({"floating": True}, "/spec/floating", "before all other rules"),
    ({"to": "wan"}, "/spec/to", "not known"),
    ({"to": "router"}, "/spec/to", "not known"),
    ({"from": "router"}, "/spec/from", "whole"),
    ({"protocol": "udp", "destination": {"ports": [53]}}, "/spec/destination", "first fragment"),
    ({"services": ["dns"]}, "/spec/services", "not known"),
    ({"states": ["new"]}, "/spec/states", "not known"),
    ({"tagged": ["a"]}, "/spec/tagged", "not known"),
])
def test_refused(lab, spec, pointer, says):
    refused = lab.ctl("apply", "-f", "-", stdin=ZONES + rule("r", **spec), check=False)
    assert refused.returncode == 1
    assert pointer in refused.stderr and says in refused.stderr, refused.stderr
