# SPDX-License-Identifier: GPL-3.0-or-later
"""FirewallRule.log: what is logged, under which prefix, how often; and that it counts nothing twice."""

import hashlib
import json
import socket

import netns
import nflog
import pytest

GROUP = 20  # libpatronus/base/marks.h
ZONES = """
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: wan}, spec: {interfaces: [wan]}}
---
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: lan}, spec: {interfaces: [lan]}}
"""


def rule(spec, name="noted"):
    return (f"---\n{{apiVersion: patronus.firewall/v1, kind: FirewallRule, metadata: {{name: {name}}}, "
            f"spec: {{from: lan, to: wan, {spec}}}}}\n")


def uid(name):
    return hashlib.sha256(f"FirewallRule/{name}".encode()).hexdigest()[:32]


def send(lab, ports, kind=socket.SOCK_DGRAM):
    with netns.make_socket(lab.netns("lan"), socket.AF_INET, kind) as sock:
        for port in ports:
            sock.sendto(b"x" * 400, ("10.1.0.2", port))


def packets(lab, name):
    rows = map(json.loads, lab.ctl("filter", "counters", "-o", "json").stdout.splitlines())
    return sum(row["packets"] for row in rows if row["name"] == name)


@pytest.fixture
def log(lab):
    with nflog.Log(lab.netns("router"), GROUP) as log:
        yield log


def test_prefix_says_which_rule_in_which_state(lab, log):
    lab.apply(ZONES + rule("action: drop, protocol: udp, destination: {ports: [7, 9]}, log: true") + rule("action: allow", "rest"))
    send(lab, [9, 10])
    logged = log.next()
    word, who, generation = logged.prefix.split("/")
    assert (word, who) == ("rule", uid("noted"))
    assert len(generation) == 16 and len(logged.prefix) < 64
    assert logged.packet[9] == socket.IPPROTO_UDP
    assert len(logged.packet) == 128  # headers, and no more of what users send than fits
    assert log.pending() == []  # port 10 is another rule's
    assert (packets(lab, "noted"), packets(lab, "rest")) == (1, 1)
    # another state of the rule is another generation
    lab.apply(rule("action: drop, protocol: udp, destination: {ports: [7, 9, 11]}, log: true"))
    send(lab, [11])
    assert log.next().prefix.split("/")[2] != generation
    lab.apply(rule("action: drop, protocol: udp, destination: {ports: [7, 9, 11]}"))
    send(lab, [9, 11])
    assert log.pending() == []
    assert packets(lab, "noted") == 4


def test_rate_is_of_the_rule_and_not_of_its_parts(lab, log):
    ports = [7, 9, 11, 13]
    lab.apply(ZONES + rule(f"action: drop, protocol: udp, destination: {{ports: {ports}}}, log: true, logRate: 3/day"))
    send(lab, ports * 5)
    assert len(log.pending()) == 3
    assert packets(lab, "noted") == 20
    # an edit that leaves the rate leaves what it has let through
    lab.apply(rule(f"action: drop, protocol: udp, destination: {{ports: {ports + [15]}}}, log: true, logRate: 3/day"))
    send(lab, ports)
    assert log.pending() == []
    lab.apply(rule(f"action: drop, protocol: udp, destination: {{ports: {ports}}}, log: true, logRate: 2/day"))
    send(lab, ports)
    assert len(log.pending()) == 2
    limits = [item["limit"]["name"] for item in lab.nft_json("table", "inet", "patronus") if "limit" in item]
    assert limits == ["l_FirewallRule/noted/2/86400"]


def test_a_fold_breaks_at_a_rule_that_logs(lab, log):
    """Rules with a log stand for themselves; their neighbours fold, and the order stays."""
    lines = "".join(rule(f"action: drop, protocol: udp, destination: {{ports: [{port}]}}", f"r-{port}") for port in range(100, 200))
    lab.apply(ZONES + lines + rule("action: allow, protocol: udp, destination: {ports: [150, 250]}, log: true", "late"))
    send(lab, [150, 250])
    assert log.next().prefix.split("/")[1] == uid("late")
    assert log.pending() == []
    assert (packets(lab, "r-150"), packets(lab, "late")) == (1, 1)
