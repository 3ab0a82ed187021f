# SPDX-License-Identifier: GPL-3.0-or-later
"""The same verdict three ways, over many random policies: the rules one after the other (filter_oracle.py), frames made by hand that
meet the compiled ruleset, and the evaluator (`filter why --batch`). Which rule decides, and what each rule counts, too;
no commit makes the counter of a rule fall that it does not touch.

A policy costs a commit, a question and a few dozen frames, a fifth of a second: with PATRONUS_LONG=1 they are thousands.
PATRONUS_POLICIES says how many in each of the labs.
"""

import collections
import dataclasses
import itertools
import json
import os
import random

import pytest
from filter_draw import draw_aliases, draw_packet, draw_rule, draw_run
from filter_oracle import HOSTS, ICMP, ICMP6, UDP, Packet, World, host_addresses
from frame_wire import Wire
from test_why import batch, question

LONG = os.environ.get("PATRONUS_LONG")
LABS = 16 if LONG else 2
POLICIES = int(os.environ.get("PATRONUS_POLICIES") or (125 if LONG else 12))
PACKETS = 60
DRAWS = 10 * PACKETS
# A frame that all policies let pass follows the others: what comes later on the same way will not come. No other frame has such ports.
LAST = {"action": "allow", "priority": 1, "floating": True, "protocol": "udp", "source": {"ports": ["9-10"]}, "destination": {"ports": ["9"]}}


class QuickWire(Wire):
    """All frames are sent on one processor, so that they arrive in order; each way ends with a frame that passes."""

    silence_s = 0

    def __init__(self, lab, numbers):
        super().__init__(lab)
        self.numbers = numbers
        self.processors = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {sorted(self.processors)[os.getpid() % len(self.processors)]})

    def close(self):
        os.sched_setaffinity(0, self.processors)
        super().close()

    def last_ones(self):
        return [Packet(number=next(self.numbers), from_host=a, to_host=b, source=host_addresses(a, 4)[0], destination=host_addresses(b, 4)[0],
                       mac="02:00:5e:00:00:01", dscp=0, hops=60, protocol=UDP, sport=9 if a < b else 10, dport=9)  # the way back is none of an answer
                for a, b in itertools.permutations(HOSTS, 2)]


def some_rules(draw, numbers):
    rules = [(f"r-{next(numbers)}", draw_rule(draw)) for _ in range(draw.choice((3, 10, 30, 60)))]
    if draw.random() < 0.3:  # of one shape: a map
        rules += [(f"f-{next(numbers)}", spec) for _, spec in draw_run(draw)]
    return rules


def next_policy(draw, world, numbers):
    """Another one, or the same with some rules changed, so that commits are of both sorts. No name means two rules."""
    draw_aliases(draw, world)
    if draw.random() < 0.4 or len(world.rules) < 5:
        world.rules = [("last", LAST), *some_rules(draw, numbers)]
        return
    world.rules = world.rules[:1] + [(name, spec) if draw.random() < 0.7 else (f"r-{next(numbers)}", draw_rule(draw))
                                     for name, spec in world.rules[1:] if draw.random() < 0.9]


def some_packets(draw, world, numbers):
    """A quarter at least should pass, and another one not: so they are drawn for a while."""
    packets, used, outcomes, draws = [], set(), collections.Counter(), 0
    while len(packets) < PACKETS:
        draws += 1
        # Fragments are dropped one by one (test_match_oracle.py); the evaluator is asked about whole packets.
        packet = dataclasses.replace(draw_packet(draw, world, next(numbers), draw.choice(world.rules[1:] or world.rules)[1]), pieces=1)
        if packet.protocol not in (ICMP, ICMP6) and packet.tuple in used:  # numbers tell those apart
            continue
        passes = world.decide(packet)[1]
        if outcomes[passes] >= PACKETS * 3 // 4 and draws < DRAWS:
            continue
        outcomes[passes] += 1
        used.add(packet.tuple)
        packets.append(packet)
    return packets


def differences(world, packets, answers, arrived):
    for packet, answer in zip(packets, answers):
        name, passes = world.decide(packet)
        said = answer["verdict"] == "allow", answer["rule"]["name"] if "rule" in answer else None
        if (packet.number in arrived) != passes or said != (passes, name) or "doubt" in answer:
            yield (f"{packet}\n    {'arrived' if packet.number in arrived else 'did not arrive'}\n    by the rules {name} {dict(world.rules).get(name)}"
                   f"\n    by the evaluator {json.dumps(answer)}")


@pytest.fixture
def numbers():
    return itertools.count(1)


@pytest.fixture
def wire(lab, numbers):
    wire = QuickWire(lab, numbers)
    yield wire
    wire.close()


@pytest.mark.parametrize("seed", range(LABS))
def test_same_verdict_three_ways(lab, wire, numbers, seed):
    draw = random.Random(31000 + seed)
    world = World()
    passed = 0
    whole = {}
    for policy in range(POLICIES):
        untouched = list(world.rules)
        next_policy(draw, world, numbers)
        untouched = [name for name, spec in world.rules if (name, spec) in untouched and world.enabled(spec)]
        lab.exec("router", "conntrack", "-F")  # each frame begins a connection
        lab.apply("".join(world.documents()), "--replace")
        packets = some_packets(draw, world, numbers)
        answers = batch(lab, map(question, packets))
        last = wire.last_ones()
        expected = {packet.number for packet in packets if world.decide(packet)[1]}
        before = lab.counted()
        wrong = [f"{name}: {before.get(name, 0)} after {whole[name]}" for name in untouched if before.get(name, 0) < whole.get(name, 0)]
        assert not wrong, f"counters fell with policy {policy}\n" + "\n".join(wrong[:5])
        arrived = wire.send(packets + last, expected | {packet.number for packet in last})
        assert {packet.number for packet in last} <= arrived
        wrong = list(differences(world, packets, answers, arrived))
        assert not wrong, f"policy {policy}\n" + "\n".join(wrong[:5])
        passed += len(expected)
        traced = collections.Counter(name for packet in packets + last for name in world.trace(packet)[0])
        whole = lab.counted()
        counts = {name: count - before.get(name, 0) for name, count in whole.items()}
        wrong = [f"{name} {spec}: {counts.get(name, 0)} instead of {traced[name]}" for name, spec in world.rules if counts.get(name, 0) != traced[name]]
        assert not wrong, f"policy {policy}\n" + "\n".join(wrong[:5])
    assert POLICIES * PACKETS / 20 < passed < POLICIES * PACKETS * 19 / 20  # else it tells little
