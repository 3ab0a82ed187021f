# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to packets, asked by the hundred thousand, with 10,000 rules."""

import ipaddress
import json
import pathlib
import random
import tempfile

import rules
from figures import Figure, attempt, costs
from measure import interleave
from subjects import Ours, new_lab

NAME = "why"
DOC = "100,000 packets asked about in a batch, with 10,000 rules"
COUNT = 10_000
PACKETS = 100_000
TIMES = 5

GOAL = 100_000  # a second


def _inside(draw, family, text):
    """An address of what a rule names; without a name any of the family."""
    if not text:
        return str(ipaddress.IPv4Address(0xC0000200 + draw.randrange(1, 255)) if family == 4 else ipaddress.IPv6Address((0xFD00 << 112) + draw.randrange(1 << 48)))
    first, _, last = text.partition("-")
    if last:
        return str(ipaddress.ip_address(first) + draw.randrange(int(ipaddress.ip_address(last)) - int(ipaddress.ip_address(first)) + 1))
    network = ipaddress.ip_network(text)
    return str(network[draw.randrange(network.num_addresses)])


def _port(draw, ports):
    first, _, last = draw.choice(ports).partition("-")
    return draw.randrange(int(first), int(last or first) + 1)


def packets(draw, policy):
    """Half of them are what a rule is for, the others are strays; hardly two alike."""
    for _ in range(PACKETS):
        rule, other = draw.choice(policy), draw.choice(policy)
        named = draw.random() < 0.5
        packet = {"from": rule.source_zone, "to": rule.target_zone, "src": _inside(draw, rule.family, rule.source),
                  "dst": _inside(draw, rule.family, rule.target if named or other.family != rule.family else other.target),
                  "proto": rule.protocol or draw.choice(("tcp", "udp")), "sport": draw.randrange(1024, 65536)}
        yield {**packet, "dport": _port(draw, rule.ports if named and rule.ports else ("22", "53", "80", "443", "3000-9000"))}


def ask_mix(say, mix):
    with new_lab("why") as lab, tempfile.TemporaryDirectory(prefix="patronus-bench-") as directory:
        ours = Ours(lab, pathlib.Path(directory))
        policy = rules.make(mix, COUNT)
        ours.ctl("apply", "--replace", "-f", ours.file("policy.yaml", rules.yaml(policy)))
        draw = random.Random(1)
        lines = ours.file("packets.jsonl", "".join(json.dumps(packet) + "\n" for packet in packets(draw, policy)))
        one = ours.file("one.jsonl", json.dumps(next(packets(draw, policy))) + "\n")

        say(f"{NAME}: {PACKETS} packets, {COUNT} {mix} rules, {TIMES} times")
        many, single = interleave(TIMES, lambda _: ours.ctl("filter", "why", "--batch", lines), lambda _: ours.ctl("filter", "why", "--batch", one))
        yield Figure(f"{NAME}.{mix}.per-second", PACKETS / many.wall * 1000, "/s", f">= {GOAL}", costs(many), {})
        yield Figure(f"{NAME}.{mix}.one", single.wall, "ms", "", costs(single), {})


def run(say):
    for mix in rules.MIXES:
        yield from attempt(f"{NAME}.{mix}", ask_mix(say, mix))
