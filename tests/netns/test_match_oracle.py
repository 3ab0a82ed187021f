# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a rule can ask, in random policies, against frames made by hand and an evaluation of them that shares nothing with the
compiler: which frames arrive, and which rule counted each, must be as it says; and no commit makes the counter of a rule fall that it does not touch."""

import collections
import itertools
import os
import random

import pytest
from filter_draw import draw_aliases, draw_packet, draw_rule, draw_run
from filter_oracle import ICMP, ICMP6, World
from frame_wire import Wire

RULES = 60
PACKETS = 400
DRAWS = 20 * PACKETS  # until then, one answer is given to nine tenths of the packets at most


@pytest.fixture
def wire(lab):
    wire = Wire(lab)
    yield wire
    wire.close()


@pytest.mark.parametrize("seed", range(40 if os.environ.get("PATRONUS_LONG") else 5))
def test_frames_meet_what_the_rules_say(lab, wire, seed):
    draw = random.Random(seed)
    world = World()
    numbers = itertools.count(1)
    used = set()
    draw_aliases(draw, world)
    world.rules = [(f"r-{number}", draw_rule(draw)) for number in range(RULES)] + list(draw_run(draw))
    untouched, after = [], {}
    for _ in range(3):
        lab.apply("".join(world.documents()), "--replace")
        listing = lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout
        assert "unknown" not in listing
        packets, decided, outcomes, draws = [], {}, collections.Counter(), 0
        while len(packets) < PACKETS:
            draws += 1
            packet = draw_packet(draw, world, next(numbers), draw.choice(world.rules)[1])
            if packet.protocol not in (ICMP, ICMP6) and packet.tuple in used:  # numbers tell those apart
                continue
            decision = world.decide(packet)
            if outcomes[decision[1]] >= PACKETS * 9 // 10 and draws < DRAWS:
                continue
            outcomes[decision[1]] += 1
            used.add(packet.tuple)
            packets.append(packet)
            decided[packet.number] = decision
        traced = {packet.number: world.trace(packet)[0] for packet in packets}
        expected = {number for number, (_, arrives) in decided.items() if arrives}
        assert PACKETS / 20 < len(expected) < PACKETS * 19 / 20  # else it tells little
        before = lab.counted()
        for name in untouched:
            assert before.get(name, 0) >= after.get(name, 0), f"the counter of {name} fell by a commit that did not touch it"
        arrived = wire.send(packets, expected)
        wrong = [f"{packet}: {'arrived' if packet.number in arrived else 'did not arrive'}, decided by {decided[packet.number][0]} "
                 f"{dict(world.rules).get(decided[packet.number][0])}"
                 for packet in packets if (packet.number in arrived) != (packet.number in expected)]
        assert not wrong, "\n".join(wrong[:5])
        after = lab.counted()
        for name, spec in world.rules:
            mine = sum(counts.count(name) for counts in traced.values())
            assert after.get(name, 0) - before.get(name, 0) == mine, f"{name} {spec}"
        # what comes next is incremental: aliases and services change under their rules, some rules are edited, some go, some come
        draw_aliases(draw, world)
        untouched = world.rules
        world.rules = [(name, draw_rule(draw) if draw.random() < 0.2 else spec) for name, spec in world.rules if draw.random() < 0.9]
        untouched = [name for name, spec in world.rules if (name, spec) in untouched and world.enabled(spec)]
        world.rules += [(f"n-{next(numbers)}", draw_rule(draw)) for _ in range(8)]
