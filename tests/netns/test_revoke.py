# SPDX-License-Identifier: GPL-3.0-or-later
"""What a commit revokes ends, on real connections: exactly those that the policy before it let begin, and the one after it does not."""

import json
import select
import signal
import socket
import time

import conntrack
import netns
import pytest
import traffic
from nat import rule as document

WAIT_S = 60
PORTS = {"web": 2000, "ssh": 2001, "own": 2002, "shop": 8080}


class Flow:
    """A TCP connection through the router, held open."""

    def __init__(self, lab, client, server, address, port, at=None):
        self.name = f"{client} to {server} {address} {port}"
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with netns.make_socket(netns.path(lab.name, server), family, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("", at or port))
            listener.listen(1)
            listener.settimeout(WAIT_S)
            self.client = netns.make_socket(netns.path(lab.name, client), family, socket.SOCK_STREAM)
            self.client.settimeout(WAIT_S)
            self.client.connect((address, port))
            self.server, _ = listener.accept()
            self.server.settimeout(WAIT_S)
        assert self.lives()

    def lives(self):
        """Whether both ends still reach each other; one that was ended is told so with a reset."""
        try:
            for sender, receiver in ((self.client, self.server), (self.server, self.client)):
                sender.send(b"x")
                # Who sends on a connection that was ended is told so; the other end hears nothing.
                ready, _, _ = select.select([receiver, sender], [], [], WAIT_S)
                if receiver not in ready or receiver.recv(1) != b"x":
                    return False
        except OSError:
            return False
        return True

    def ends(self):
        patience = time.monotonic() + WAIT_S
        while self.lives():
            assert time.monotonic() < patience, f"{self.name} goes on"
        return True

    def close(self):
        self.client.close()
        self.server.close()


def zones(**more):
    return "".join(document(name, f"interfaces: [{name}]{more.get(name, '')}", "Zone") for name in ("wan", "lan", "dmz"))


def allow(name, source, target, port, more=""):
    return document(name, f"action: allow, from: {source}, to: {target}, protocol: tcp, destination: {{ports: [{port}]}}{more}")


SHOP = document("shop", "type: forward, zone: wan, protocol: tcp, destination: {ports: [80]}, "
                "translation: {addresses: [10.3.0.2], ports: [8080]}", "NatRule")
RULES = {"web": allow("web", "lan", "wan", 2000), "ssh": allow("ssh", "lan", "wan", 2001), "own": allow("own", "lan", "router", 2002),
         "back": allow("back", "dmz", "lan", 2000), "shop": SHOP}


@pytest.fixture
def policy(lab):
    """Applies the whole policy with some rules replaced, or left out (None)."""

    def apply(**changes):
        rules = {**RULES, **changes}
        lab.apply(zones(wan=", masquerade: true") + "".join(text for text in rules.values() if text), "--replace")

    apply()
    return apply


@pytest.fixture
def flows(lab, policy):
    made = {}
    for family in (4, 6):
        wan, lan = traffic.address("wan", family), traffic.address("lan", family)
        made[f"web{family}"] = Flow(lab, "lan", "wan", wan, 2000)
        made[f"ssh{family}"] = Flow(lab, "lan", "wan", wan, 2001)
        made[f"own{family}"] = Flow(lab, "lan", "router", "10.2.0.1" if family == 4 else "fd00:2::1", 2002)
        made[f"back{family}"] = Flow(lab, "dmz", "lan", lan, 2000)
        made[f"out{family}"] = Flow(lab, "router", "wan", wan, 2003)
    made["shop"] = Flow(lab, "wan", "dmz", "10.1.0.1", 80, at=8080)
    yield made
    for flow in made.values():
        flow.close()


def assert_ended(flows, *names):
    for name in names:
        assert flows.pop(name).ends()
    assert [name for name, flow in flows.items() if not flow.lives()] == []


def test_marks_say_between_which_zones(lab, flows):
    pairs = {}
    for line in lab.ctl("filter", "connections", "-o", "json").stdout.splitlines():
        row = json.loads(line)
        if row["protocol"] == "tcp" and row["original"]["destinationPort"] in (2000, 2001, 2002, 2003, 80):
            pairs.setdefault(row.get("mark", 0) >> 16, set()).add((row["original"]["destinationPort"], row["family"]))
    both = {"ipv4", "ipv6"}
    assert sorted(map(sorted, pairs.values())) == sorted(map(sorted, (
        {(port, family) for port in (2001, 2000) for family in both},  # lan to wan; and dmz to lan shares its port
        {(2002, family) for family in both}, {(2003, family) for family in both}, {(80, "ipv4")}, {(2000, family) for family in both})))


def test_exactly_those_end(lab, policy, flows):
    policy(web=None)
    assert_ended(flows, "web4", "web6")
    # A rule before, for one family; what it does not match goes on.
    guard = document("guard", "action: reject, priority: 1, from: lan, to: wan, family: ipv6, protocol: tcp")
    policy(web=None, guard=guard)
    assert_ended(flows, "ssh6")
    # The forward was what let it in: it brings the rule that goes with it.
    policy(web=None, guard=guard, shop=None)
    assert_ended(flows, "shop")
    policy(web=None, guard=guard, shop=None, own=None)
    assert_ended(flows, "own4", "own6")
    # Another rule lets it pass: nothing ends.
    policy(web=None, guard=guard, shop=None, own=None, back=allow("other", "dmz", "lan", "'1-3000'"))
    assert_ended(flows)
    policy(web=None, guard=guard, shop=None, own=None, back=None)
    assert_ended(flows, "back4", "back6")
    assert set(flows) == {"ssh4", "out4", "out6"}


def test_aliases_defaults_and_zones_count(lab, policy, flows):
    alias = document("hosts", "type: host, addresses: [10.1.0.2, 'fd00:1::2']", "Alias")
    web = document("web", "action: allow, from: lan, to: wan, protocol: tcp, destination: {ports: [2000], aliases: [hosts]}")
    policy(alias=alias, web=web)
    assert_ended(flows)
    policy(alias=alias.replace("10.1.0.2, ", ""), web=web)
    assert_ended(flows, "web4")
    settings = document("default", "output: reject", "FilterSettings")
    policy(alias=alias.replace("10.1.0.2, ", ""), web=web, settings=settings)
    assert_ended(flows, "out4", "out6")
    # Its interface is another zone's now: what came from lan comes from dmz, which may not.
    lab.apply(zones(wan=", masquerade: true").replace("interfaces: [lan]", "interfaces: [none]").replace("interfaces: [dmz]", "interfaces: [dmz, lan]")
              + alias + web + settings + "".join(RULES[name] for name in ("ssh", "own", "back", "shop")), "--replace")
    assert_ended(flows, "web6", "ssh4", "ssh6", "own4", "own6", "back4", "back6")
    assert set(flows) == {"shop"}


def test_a_restart_forgets_nothing(lab, policy, flows):
    lab.end("filterd", signal.SIGTERM)
    lab.start("filterd")
    policy(web=None)
    assert_ended(flows, "web4", "web6")


def test_it_can_be_switched_off(lab, policy, flows):
    settings = document("default", "revoke: false", "FilterSettings")
    policy(settings=settings)
    policy(settings=settings, web=None, shop=None)
    # Another commit whose end is seen, with revocation again: what was revoked in between is not its.
    policy(ssh=None, web=None, shop=None)
    assert_ended(flows, "ssh4", "ssh6")


def test_bits_of_others_survive(lab, policy):
    lab.nft("add table inet others\nadd chain inet others early { type filter hook prerouting priority -150; }\n"
            "add rule inet others early ct state new ct mark set 0x80")
    flow = Flow(lab, "lan", "wan", traffic.address("wan", 4), 2000)
    row = next(row for row in map(json.loads, lab.ctl("filter", "connections", "-o", "json").stdout.splitlines())
               if row["protocol"] == "tcp" and row["original"]["destinationPort"] == 2000)
    assert row["mark"] & 0xFFFF == 0x80 and row["mark"] >> 16
    flow.close()


@pytest.mark.skipif(conntrack.maximum() < 250_000, reason="net.netfilter.nf_conntrack_max of the machine is below 250,000")
def test_many_do_not_hold_it_up(lab, policy, flows):
    conntrack.fill(lab.netns("router"), 200_000)
    policy(web=None)
    assert_ended(flows, "web4", "web6")
