# SPDX-License-Identifier: GPL-3.0-or-later
"""The log: what is logged, as which line, how often, that it counts nothing twice, and what becomes of too much of it."""

import hashlib
import json
import os
import signal
import socket

import dbus
import netns
import nflog
import pytest
from test_revoke import Flow
from traffic import address

ZONES = """
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: wan}, spec: {interfaces: [wan]}}
---
{apiVersion: patronus.firewall/v1, kind: Zone, metadata: {name: lan}, spec: {interfaces: [lan]}}
"""
LONG = os.environ.get("PATRONUS_LONG") == "1"


def rule(spec, name="noted", to="wan"):
    return (f"---\n{{apiVersion: patronus.firewall/v1, kind: FirewallRule, metadata: {{name: {name}}}, "
            f"spec: {{from: lan, to: {to}, {spec}}}}}\n")


def uid(name):
    return hashlib.sha256(f"FirewallRule/{name}".encode()).hexdigest()[:32]


def send(lab, ports, kind=socket.SOCK_DGRAM, host="10.1.0.2"):
    with netns.make_socket(lab.netns("lan"), socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as sock:
        for port in ports:
            sock.sendto(b"x" * 400, (host, port))


def packets(lab, name):
    return sum(row["packets"] for row in lab.counters() if row["name"] == name)


def prop(lab, name):
    proxy = dbus.bus.BusConnection(lab.bus).get_object(nflog.INTERFACE, "/org/patronus/Filter1", introspect=False)
    return int(proxy.Get(nflog.INTERFACE, name, dbus_interface="org.freedesktop.DBus.Properties"))


@pytest.fixture
def log(lab):
    with nflog.Log(lab) as log:
        yield log


def test_line_says_which_rule_in_which_state(lab, log):
    lab.apply(ZONES + rule("action: drop, protocol: udp, destination: {ports: [7, 9]}, log: true") + rule("action: allow", "rest"))
    send(lab, [9, 10])
    line = log.next()
    text = json.loads(line["rule"].pop("text"))
    assert text == {"action": "drop", "destination": {"ports": [7, 9]}, "from": "lan", "log": True, "protocol": "udp", "to": "wan"}
    generation = line["rule"].pop("generation")
    assert len(generation) == 16 and line["rule"] == {"kind": "FirewallRule", "name": "noted", "uid": uid("noted")}
    told = {name: line[name] for name in ("verdict", "reason", "from", "to", "in", "out", "family", "protocol", "source", "destination",
                                         "destinationPort", "length")}
    assert told == {"verdict": "drop", "reason": "rule", "from": "lan", "to": "wan", "in": "lan", "out": "wan", "family": "ipv4",
                    "protocol": "udp", "source": "10.2.0.2", "destination": "10.1.0.2", "destinationPort": 9, "length": 428}
    assert len(line["mac"]) == 17 and line["sourcePort"] > 0
    assert log.pending() == []  # port 10 is another rule's
    assert (packets(lab, "noted"), packets(lab, "rest")) == (1, 1)
    # headers, and no more of what users send than fits
    snaplens = [expr["log"]["snaplen"] for item in lab.nft_json("table", "inet", "patronus") if "rule" in item
                for expr in item["rule"]["expr"] if "log" in expr]
    assert set(snaplens) == {128}
    # another state of the rule is another generation
    lab.apply(rule("action: drop, protocol: udp, destination: {ports: [7, 9, 11]}, log: true"))
    send(lab, [11])
    line = log.next()
    assert line["rule"]["generation"] != generation and json.loads(line["rule"]["text"])["destination"]["ports"] == [7, 9, 11]
    lab.apply(rule("action: drop, protocol: udp, destination: {ports: [7, 9, 11]}"))
    send(lab, [9, 11])
    assert log.pending() == []
    assert packets(lab, "noted") == 4


def test_rate_is_of_the_rule_and_not_of_its_parts(lab, log):
    ports = [7, 9, 11, 13]
    lab.apply(ZONES + rule(f"action: drop, protocol: udp, destination: {{ports: {ports}}}, log: true, logRate: 3/day"))
    send(lab, ports * 5)
    assert len(log.exactly(3)) == 3
    assert packets(lab, "noted") == 20
    # an edit that leaves the rate leaves what it has let through
    lab.apply(rule(f"action: drop, protocol: udp, destination: {{ports: {ports + [15]}}}, log: true, logRate: 3/day"))
    send(lab, ports)
    assert log.pending() == []
    lab.apply(rule(f"action: drop, protocol: udp, destination: {{ports: {ports}}}, log: true, logRate: 2/day"))
    send(lab, ports)
    assert len(log.exactly(2)) == 2
    limits = [item["limit"]["name"] for item in lab.nft_json("table", "inet", "patronus") if "limit" in item]
    assert limits == ["l_FirewallRule/noted/2/86400"]


def test_a_fold_breaks_at_a_rule_that_logs(lab, log):
    """Rules with a log stand for themselves; their neighbours fold, and the order stays."""
    lines = "".join(rule(f"action: drop, protocol: udp, destination: {{ports: [{port}]}}", f"r-{port}") for port in range(100, 200))
    lab.apply(ZONES + lines + rule("action: allow, protocol: udp, destination: {ports: [150, 250]}, log: true", "late"))
    send(lab, [150, 250])
    line = log.next()
    assert line["rule"]["name"] == "late" and line["verdict"] == "allow"
    assert log.pending() == []
    assert (packets(lab, "r-150"), packets(lab, "late")) == (1, 1)


def test_each_line_has_the_text_of_its_moment(lab, log):
    """Fifty commits edit, rename, remove and make the rule while packets are logged: each line is of what was in force."""
    edge = ZONES + rule("action: drop, protocol: udp, log: true, logRate: 1000/second", "other")
    lab.apply(edge)
    expected, name = [], None
    for step in range(50):
        if step % 10 == 7:
            lab.ctl("delete", f"FirewallRule/{name}")
            name = None
        elif step % 10 == 3:
            lab.ctl("rename", f"FirewallRule/{name}", f"renamed-{step}")
            name = f"renamed-{step}"
        else:
            name = name or f"noted-{step}"
            lab.apply(rule(f"action: drop, protocol: udp, destination: {{ports: [{1000 + step}]}}, priority: {step}, log: true, "
                           "logRate: 1000/second", name))
            ports = [1000 + step]
        send(lab, ports if name else [1000 + step])
        expected.append((name, ports) if name else ("other", None))
    lines = [log.next() for _ in expected]
    assert log.pending() == []
    told = [(line["rule"]["name"], json.loads(line["rule"]["text"]).get("destination", {}).get("ports")) for line in lines]
    assert told == expected
    # and so it stays: what is kept in memory is what was told
    with nflog.Log(lab, history=len(lines), follow=False) as kept:
        assert kept.rest() == lines


def test_reasons(lab, log):
    """Whatever drops a packet without a rule has a word for it."""
    lab.apply(ZONES + "---\n{apiVersion: patronus.firewall/v1, kind: FilterSettings, metadata: {name: default}, "
                      "spec: {logDefault: true, logInvalid: true, forward: reject, blockPrivate: [wan]}}\n")
    send(lab, [9])
    line = log.next()
    assert (line["verdict"], line["reason"], line["from"], line["to"]) == ("reject", "default", "lan", "wan") and "rule" not in line
    send(lab, [9], host="10.2.0.1")
    line = log.next()
    assert (line["verdict"], line["reason"], line["from"], line["to"]) == ("drop", "default", "lan", "router")
    assert "out" not in line
    send(lab, [9], host="fd00:3::2")
    line = log.next()
    assert (line["verdict"], line["reason"], line["from"], line["in"], line["out"]) == ("drop", "no-zone", "lan", "lan", "dmz")
    assert "to" not in line and line["family"] == "ipv6"
    with netns.make_socket(lab.netns("wan"), socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", ("10.1.0.1", 9))
    line = log.next()
    assert (line["verdict"], line["reason"], line["from"]) == ("drop", "private", "wan")


@pytest.mark.parametrize("family", (4, 6))
def test_bans_and_ended_connections_have_reasons(lab, family):
    """Of a ban by its source and by its destination; and of either end of a connection that was ended. Not without logDefault."""
    def policy(log):
        return (ZONES + rule("action: allow, protocol: tcp") +
                f"---\n{{apiVersion: patronus.firewall/v1, kind: FilterSettings, metadata: {{name: default}}, spec: {{logDefault: {log}, logRate: 1000/second}}}}\n")

    lan, wan = address("lan", family), address("wan", family)
    lab.apply(policy("true"))
    flow = Flow(lab, "lan", "wan", wan, 2000)
    with nflog.Log(lab, reason="killed") as log:
        lab.ctl("filter", "connections", "protocol=tcp", f"source={lan}", "--kill")
        assert flow.ends()
        line = log.next(30)
        assert (line["from"], line["destinationPort"]) == ("lan", 2000) and "rule" not in line
    for banned in (lan, wan):
        lab.ctl("filter", "ban", banned)
        with nflog.Log(lab, reason="ban") as log:
            send(lab, [9], host=wan)
            line = log.next(30)
            assert (line["verdict"], line["source"], line["destination"], line["destinationPort"]) == ("drop", lan, wan, 9)
        lab.ctl("filter", "unban", banned)
    lab.apply(policy("false"))
    lab.ctl("filter", "ban", lan)
    with nflog.Log(lab) as log:
        send(lab, [9], host=wan)
        lab.ctl("filter", "unban", lan)
        lab.apply(policy("true"))
        send(lab, [10], host=wan)
        assert log.next(30)["destinationPort"] == 10


def test_conditions(lab):
    lab.apply(ZONES + rule("action: drop, protocol: udp, destination: {ports: [7]}, log: true", "seven") +
              rule("action: allow, protocol: udp, destination: {ports: [8-9]}, log: true", "rest") +
              rule("action: reject, protocol: udp, destination: {ports: [10]}, log: true", "reject"))
    conditions = [
        ({"rule": "seven"}, [7]), ({"rule": "FirewallRule/rest"}, [8, 9]), ({"rule": uid("reject")}, [10]), ({"rule": "sev"}, []),
        ({"verdict": "allow"}, [8, 9]), ({"verdict": "reject"}, [10]), ({"reason": "rule"}, [7, 8, 9, 10]), ({"reason": "default"}, []),
        ({"zone": "wan"}, [7, 8, 9, 10]), ({"zone": "dmz"}, []), ({"from": "lan", "to": "wan"}, [7, 8, 9, 10]), ({"from": "wan"}, []),
        ({"interface": "la*"}, [7, 8, 9, 10]), ({"interface": "la"}, []), ({"protocol": "tcp"}, []), ({"protocol": "udp"}, [7, 8, 9, 10]),
        ({"address": "10.1.0.0/24"}, [7, 8, 9, 10]), ({"source": "10.1.0.0/24"}, []), ({"destination": "10.1.0.2"}, [7, 8, 9, 10]),
        ({"port": "8-9"}, [8, 9]), ({"port": "8", "verdict": "drop"}, []),
    ]
    logs = [nflog.Log(lab, **condition) for condition, _ in conditions[:6]]
    with nflog.Log(lab) as every:
        send(lab, [7, 8, 9, 10])
        assert [every.next()["destinationPort"] for _ in range(4)] == [7, 8, 9, 10]
    for log, (_, ports) in zip(logs, conditions):
        assert [line["destinationPort"] for line in log.exactly(len(ports))] == ports
        log.close()
    for condition, ports in conditions:  # the same of what was
        with nflog.Log(lab, history=100, follow=False, **condition) as log:
            assert [line["destinationPort"] for line in log.rest()] == ports, condition
    with nflog.Log(lab, history=2, follow=False, reason="rule") as log:
        assert [line["destinationPort"] for line in log.rest()] == [9, 10]
    with pytest.raises(dbus.exceptions.DBusException, match="known: |did you mean"):
        nflog.Log(lab, reason="defalt")


def test_flood(lab):
    """A reader that does not read keeps nobody waiting, and is told how much it missed; no line is lost unsaid."""
    count = 200000 if LONG else 20000
    lab.apply(ZONES + rule("action: drop, protocol: udp, log: true, logRate: 1000000/second"))
    before = prop(lab, "LogPackets")
    with nflog.Log(lab) as slow, nflog.Log(lab, port="7") as quick:
        with netns.make_socket(lab.netns("lan"), socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("10.1.0.2", 9))
            for _ in range(count):
                sock.send(b"")
        send(lab, [7])
        quick_lines = [quick.next()]
        while "lost" in quick_lines[-1]:  # what the kernel could not hand over concerns all
            quick_lines.append(quick.next())
        assert quick_lines[-1]["destinationPort"] == 7
        lines = []
        while not lines or lines[-1].get("destinationPort") != 7:
            lines.append(slow.next())
        missed = sum(line.get("lost", 0) for line in lines)
        seen = sum("lost" not in line for line in lines)
        lost = prop(lab, "LogLost")
        assert prop(lab, "LogPackets") - before + lost == packets(lab, "noted") == count + 1
        assert missed > 0 and seen < count
        assert seen + missed >= count + 1  # the lines that say what is missing count as missed, too
        assert prop(lab, "LogUnwritten") > 0  # the journal gets what it can take
    lab.ctl("status")


def test_followers_are_limited_and_leave(lab):
    lab.apply(ZONES + rule("action: drop, protocol: udp, log: true, logRate: 1000/second"))
    logs = [nflog.Log(lab) for _ in range(8)]
    with pytest.raises(dbus.exceptions.DBusException, match="8 of your programs follow the log already"):
        nflog.Log(lab)
    logs.pop().close()
    send(lab, [9])
    assert logs[0].next()["destinationPort"] == 9  # filterd has seen who left, too
    logs.append(nflog.Log(lab))
    for log in logs:
        log.close()


def test_restart(lab):
    """A filterd that starts reads on, and knows the rules that are in force."""
    lab.apply(ZONES + rule("action: drop, protocol: udp, log: true"))
    lab.end("filterd", signal.SIGKILL)
    lab.start("filterd")
    with nflog.Log(lab) as log:
        send(lab, [9])
        assert log.next()["rule"]["name"] == "noted"
