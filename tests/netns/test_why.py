# SPDX-License-Identifier: GPL-3.0-or-later
"""`filter why`: what it says of packets is what packets meet, over the random policies of the oracles; and how it says it."""

import dataclasses
import itertools
import json
import os
import random

import pytest
from filter_draw import draw_aliases, draw_packet, draw_rule, draw_run
from filter_oracle import ICMP, ICMP6, MARKS, TCP, World
from frame_wire import Wire
from nat import rule as document

LONG = os.environ.get("PATRONUS_LONG")
RULES = 60
PACKETS = 300


def why(lab, *options, code=0):
    done = lab.ctl("filter", "why", *options, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code in (0, 6, 7) else done.stderr


def batch(lab, questions, *options, code=0):
    done = lab.ctl("filter", "why", "--batch", "-", *options, check=False, stdin="".join(json.dumps(q) + "\n" for q in questions))
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def question(packet):
    """A packet of the oracle, as people write it."""
    asked = {"in": packet.from_host, "src": packet.source, "dst": packet.destination, "proto": packet.protocol, "mac": packet.mac,
             "dscp": packet.dscp, "state": packet.state, "length": packet.length, "mark": hex(MARKS.get(packet.hops, 0))}
    if packet.has_ports:
        asked.update(sport=packet.sport, dport=packet.dport)
    if packet.protocol == TCP:
        asked["flags"] = [name for bit, name in enumerate(("fin", "syn", "rst", "psh", "ack", "urg")) if packet.flags >> bit & 1]
    if packet.protocol in (ICMP, ICMP6):
        asked["icmp-type"] = "/".join(map(str, packet.icmp))
    return asked


@pytest.fixture
def wire(lab):
    wire = Wire(lab)
    yield wire
    wire.close()


@pytest.mark.parametrize("seed", range(30 if LONG else 2))
def test_frames_meet_what_is_said(lab, wire, seed):
    draw = random.Random(7000 + seed)
    world, numbers, used = World(), itertools.count(1), set()
    draw_aliases(draw, world)
    world.rules = [(f"r-{number}", draw_rule(draw)) for number in range(RULES)] + list(draw_run(draw))
    for _ in range(2):
        lab.apply("".join(world.documents()), "--replace")
        packets = []
        while len(packets) < PACKETS:
            # Fragments are dropped one by one; asked about are whole packets.
            packet = dataclasses.replace(draw_packet(draw, world, next(numbers), draw.choice(world.rules)[1]), pieces=1)
            if packet.protocol in (ICMP, ICMP6) or packet.tuple not in used:
                used.add(packet.tuple)
                packets.append(packet)
        answers = batch(lab, map(question, packets))
        assert len(answers) == PACKETS and not [answer for answer in answers if "error" in answer]
        said = {packet.number for packet, answer in zip(packets, answers) if answer["verdict"] == "allow"}
        assert PACKETS / 20 < len(said) < PACKETS * 19 / 20
        arrived = wire.send(packets, said)
        wrong = [f"{packet}: {'arrived' if packet.number in arrived else 'did not arrive'}: {answer}"
                 for packet, answer in zip(packets, answers) if (packet.number in arrived) != (packet.number in said)]
        assert not wrong, "\n".join(wrong[:5])
        # An answer that is not certain says so; of these packets all is known.
        assert not [answer for answer in answers if "doubt" in answer]
        # The same rule decides as by the oracle.
        wrong = [f"{packet}: {answer.get('rule')}, not {world.decide(packet)[0]}" for packet, answer in zip(packets, answers)
                 if (answer["rule"]["name"] if "rule" in answer else None) != world.decide(packet)[0]]
        assert not wrong, "\n".join(wrong[:5])
        draw_aliases(draw, world)
        world.rules = [(name, draw_rule(draw) if draw.random() < 0.3 else spec) for name, spec in world.rules]


POLICY = (
    document("wan", "interfaces: [wan], masquerade: true", "Zone") + document("lan", "interfaces: [lan]", "Zone")
    + document("dmz", "interfaces: [dmz]", "Zone")
    + document("web", "action: allow, from: lan, to: wan, protocol: tcp, destination: {ports: [443]}")
    + document("no-udp", "action: reject, from: lan, to: wan, protocol: udp")
    + document("shop", "type: forward, zone: wan, protocol: tcp, destination: {ports: [80]}, "
               "translation: {addresses: [10.3.0.2], ports: [8080]}", "NatRule"))
CANDIDATE = document("web", "action: drop, from: lan, to: wan, protocol: tcp, destination: {ports: [443]}")
WEB = ("--from", "lan", "--src", "10.2.0.2", "--dst", "10.1.0.2", "--proto", "tcp", "--dport", "443")


def test_says_rule_nat_and_reason(lab, tmp_path):
    lab.apply(POLICY, "--replace")
    said = why(lab, *WEB)
    assert said == ("allow: FirewallRule/web lets it pass; Zone/wan sends it as the address of the interface\n"
                    "from lan (lan) to wan (wan); rule 1 of 2 in their order\n"), said
    assert why(lab, *WEB, "--at", "2026-12-24T18:00") == why(lab, *WEB, "--at", "2026-12-24T18:00:00Z") == said
    assert "write 2026-12-24T18:00" in why(lab, *WEB, "--at", "tomorrow", code=2)
    assert "reject: FirewallRule/no-udp rejects it" in why(lab, *WEB[:6], "--proto", "udp", "--dport", "53", code=7)
    assert "drop: no rule lets it pass to zone wan, and the default of zone lan is drop" in why(lab, *WEB[:-1], "80", code=6)
    answer = json.loads(why(lab, "--in", "wan", "--src", "10.1.0.2", "--dst", "10.1.0.1", "--proto", "tcp", "--dport", "80", "-o", "json"))
    assert answer["verdict"] == "allow" and answer["reason"] == "rule" and answer["rule"]["name"] == "shop"
    assert answer["nat"] == {"rule": answer["rule"], "destination": "10.3.0.2", "port": 8080}
    assert (answer["from"], answer["to"], answer["out"]) == ("wan", "dmz", "dmz")
    assert "drop: no rule lets it in" in why(lab, "--src", "10.1.0.2", "--dst", "10.1.0.1", "--proto", "tcp", "--dport", "81", code=6)
    # A candidate is asked, and nothing is committed.
    candidate = tmp_path / "candidate.yaml"
    candidate.write_text(CANDIDATE)
    assert "FirewallRule/web drops it" in why(lab, *WEB, "-f", candidate, code=6)
    assert "FirewallRule/web lets it pass" in why(lab, *WEB)
    candidate.write_text(CANDIDATE.replace("to: wan", "to: wann"))
    assert "wann" in why(lab, *WEB, "-f", candidate, code=1)


def test_names_what_it_does_not_know(lab):
    lab.apply(POLICY + document("low", "action: drop, priority: 1, protocol: tcp, source: {ports: ['1024-2000']}"), "--replace")
    said = why(lab, *WEB)
    assert "or FirewallRule/low drops it, by what is not known of it beforehand" in said
    assert "not known" not in why(lab, *WEB, "--sport", "40000")
    # Chains of others at the same hook can drop what passes ours.
    lab.nft("add table ip docker\nadd chain ip docker user { type filter hook forward priority 10; }\n"
            "add chain ip docker in { type filter hook input priority 10; }")
    said = why(lab, *WEB)
    assert "not asked: chain user of table ip docker, at forward with priority 10; what it drops is dropped" in said
    assert "chain in of" not in said
    # Bans are of the running system.
    lab.ctl("filter", "ban", "10.2.0.2")
    assert "a ban of 10.2.0.2 drops it" in why(lab, *WEB, code=6)


@pytest.mark.parametrize("options, text", [
    (("--src", "10.2.0.2", "--dst", "10.1.0.2"), "proto"),
    (("--src", "10.2.0.2", "--dst", "10.1.0.2", "--proto", "tcp"), "dport"),
    (("--src", "10.2.0.2", "--dst", "fd00:1::2", "--proto", "icmp"), "family"),
    (("--src", "10.2.0.0/24", "--dst", "10.1.0.2", "--proto", "icmp"), "one address"),
    (("--from", "lann", *WEB[2:]), "lan"),
    (("--src", "10.2.0.2", "--dst", "8.8.8.8", "--proto", "icmp"), "no way"),
])
def test_bad_packets_are_refused(lab, options, text):
    lab.apply(POLICY, "--replace")
    lab.exec("router", "ip", "route", "del", "default", check=False)
    done = lab.ctl("filter", "why", *options, check=False)
    assert done.returncode in (1, 2) and text in done.stderr, done.stderr


def test_batch(lab):
    lab.apply(POLICY, "--replace")
    good = {"from": "lan", "src": "10.2.0.2", "dst": "10.1.0.2", "proto": "tcp", "dport": 443}
    answers = batch(lab, [good, {**good, "dport": "80"}, {**good, "dst": "10.1.0.256"}, {**good, "colour": "red"}, good], code=1)
    assert [answer.get("verdict") for answer in answers] == ["allow", "drop", None, None, "allow"]
    assert answers[2]["line"] == 3 and answers[2]["pointer"] == "/dst" and "10.1.0.256" in answers[2]["error"]
    assert answers[3]["line"] == 4 and "colour" in answers[3]["error"]
    done = lab.ctl("filter", "why", "--batch", "-", check=False, stdin='{"src":\n')
    assert done.returncode == 1 and json.loads(done.stdout)["line"] == 1
    done = lab.ctl("filter", "why", "--batch", "-", "--dport", "1", check=False, stdin="")
    assert done.returncode == 2 and "--dport" in done.stderr


def test_times(lab):
    """Each packet may say when: as schedules have it then."""
    lab.apply(POLICY.replace("action: allow, from: lan, to: wan, protocol: tcp,", "schedule: night, action: allow, from: lan, to: wan, protocol: tcp,")
              + document("night", "timeZone: UTC, windows: [{start: '22:00', end: '06:00'}]", "Schedule")
              + document("default", "trustClock: true", "FilterSettings"), "--replace")
    packet = {"from": "lan", "src": "10.2.0.2", "dst": "10.1.0.2", "proto": "tcp", "dport": 443}
    times = {"2026-12-24T21:59:59Z": "drop", "2026-12-24T22:00:00Z": "allow", "2026-12-24T22:00:00+01:00": "drop", "2026-12-25T06:30+01:00": "allow"}
    answers = batch(lab, [{**packet, "at": at} for at in times] * 2)
    assert [answer["verdict"] for answer in answers] == list(times.values()) * 2
    # --at is for those that do not say it.
    answers = batch(lab, [packet, {**packet, "at": "2026-12-24T12:00Z"}], "--at", "2026-12-24T23:00:00Z")
    assert [answer["verdict"] for answer in answers] == ["allow", "drop"]
    answers = batch(lab, [{**packet, "at": "noon"}], code=1)
    assert answers[0]["pointer"] == "/at" and "2026-12-24T18:00:00" in answers[0]["error"]


def test_large_batch(lab):
    """So many are answered by several processes: in order, with the lines' numbers, none left out."""
    lab.apply(POLICY, "--replace")
    packet = {"from": "lan", "src": "10.2.0.2", "dst": "10.1.0.2", "proto": "tcp"}
    lines = [json.dumps({**packet, "dport": 443 if number % 3 else 80, "sport": 1024 + number}) for number in range(9000)]
    bad = (0, 300, 4000, 8999)
    for number in bad:
        lines[number] = json.dumps({**packet, "dport": 443, "colour": number})
    empty = (1, 257, 6001)
    for number in empty:
        lines[number] = ""
    done = lab.ctl("filter", "why", "--batch", "-", check=False, stdin="\n".join(lines))
    assert done.returncode == 1, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    wanted = [number + 1 if number in bad else "allow" if number % 3 else "drop" for number in range(9000) if number not in empty]
    assert [answer["line"] if "error" in answer else answer["verdict"] for answer in answers] == wanted
