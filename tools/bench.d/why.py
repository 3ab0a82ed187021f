# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to packets, asked by the hundred thousand, with 10,000 rules; and how long a commit's child looks at connections."""

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


def packets(draw):
    """No two alike: half of them to hosts that rules of the mixes name, half to any."""
    for _ in range(PACKETS):
        yield {"from": "lan", "to": "wan", "src": f"10.2.{draw.randrange(256)}.{draw.randrange(1, 255)}",
               "dst": f"10.{draw.randrange(256)}.{draw.randrange(256)}.{draw.randrange(1, 255)}" if draw.random() < 0.5
               else f"192.0.2.{draw.randrange(1, 255)}",
               "proto": draw.choice(("tcp", "udp")), "sport": draw.randrange(1024, 65536), "dport": draw.choice((22, 53, 80, 443, 8080, 3000))}


def ask_mix(say, mix):
    with new_lab("why") as lab, tempfile.TemporaryDirectory(prefix="patronus-bench-") as directory:
        ours = Ours(lab, pathlib.Path(directory))
        ours.ctl("apply", "--replace", "-f", ours.file("policy.yaml", rules.yaml(rules.make(mix, COUNT))))
        draw = random.Random(1)
        lines = ours.file("packets.jsonl", "".join(json.dumps(packet) + "\n" for packet in packets(draw)))
        one = ours.file("one.jsonl", json.dumps(next(packets(draw))) + "\n")

        say(f"{NAME}: {PACKETS} packets, {COUNT} {mix} rules, {TIMES} times")
        many, single = interleave(TIMES, lambda _: ours.ctl("filter", "why", "--batch", lines), lambda _: ours.ctl("filter", "why", "--batch", one))
        yield Figure(f"{NAME}.{mix}.per-second", PACKETS / many.wall * 1000, "/s", f">= {GOAL}", costs(many), {})
        yield Figure(f"{NAME}.{mix}.one", single.wall, "ms", "", costs(single), {})


def run(say):
    for mix in rules.MIXES:
        yield from attempt(f"{NAME}.{mix}", ask_mix(say, mix))
