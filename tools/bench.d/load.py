# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole policy loaded where none is."""

import dataclasses
import pathlib
import tempfile

import rules
from figures import Figure, attempt, costs
from measure import interleave
from subjects import Ours, Peer, new_lab

NAME = "load"
DOC = "10,000 rules loaded into an empty firewall, and 100,000 of one shape"
MEMORY_GOAL = 4


@dataclasses.dataclass(frozen=True)
class Load:
    label: str
    mix: str
    count: int
    times: int
    engine: float  # goals
    end_to_end: float
    by_hand: str


LOADS = (
    Load("like", "like", 10000, 7, 2.5, 1, ""),
    Load("mixed", "mixed", 10000, 7, 2.5, 1, ""),
    Load("like.100k", "like", 100000, 3, 4, 1.5, ">= 1"),
)


def measure(say, load):
    with new_lab("load") as lab, tempfile.TemporaryDirectory(prefix="patronus-bench-") as directory:
        ours, peer = Ours(lab, pathlib.Path(directory)), Peer(lab, pathlib.Path(directory))
        policy = rules.make(load.mix, load.count)
        script = peer.script("linear.nft", rules.nft(policy))
        text = rules.yaml(policy)
        file, empty = ours.file("policy.yaml", text), ours.file("zones.yaml", rules.zones_yaml())
        ours.ctl("apply", "--replace", "-f", empty)

        say(f"{NAME}: memory for {load.count} {load.mix} rules, in a fresh lab")
        peak = ours.peak_of("apply", "-f", file)
        peer_peak = peer.peak_of_load(script)
        ours.ctl("apply", "--replace", "-f", empty)

        def by_nft(_):
            peer.clear()
            return peer.load(script)

        def by_ctl(_):
            ours.ctl("apply", "--replace", "-f", empty)
            return ours.ctl("apply", "-f", file)

        def warm(_):
            ours.ctl("apply", "--replace", "-f", empty)
            return ours.apply(file)

        say(f"{NAME}: {load.count} {load.mix} rules, {load.times} times each by nft -f, by patronusctl and by a warm client")
        nft, ctl, client = interleave(load.times, by_nft, by_ctl, warm)
        engine = client.extra["engine"]
        yield Figure(f"{NAME}.{load.label}.engine-vs-nft", nft.wall / engine, "x", f">= {load.engine}",
                     costs(client, "engine", "journal", "validate", "plan", "commit", "verify", "total"), costs(nft))
        yield Figure(f"{NAME}.{load.label}.end-to-end-vs-nft", nft.wall / ctl.wall, "x", f">= {load.end_to_end}", costs(ctl), costs(nft))
        yield Figure(f"{NAME}.{load.label}.memory-vs-nft", peer_peak / peak, "x", f">= {MEMORY_GOAL}",
                     {"pss_peak_kib": peak}, {"max_rss_kib": peer_peak})
        if load.mix == "like":
            expert = peer.script("map.nft", rules.nft_map(policy))

            def by_map(_):
                peer.clear()
                return peer.load(expert)

            (map_cost,) = interleave(load.times, by_map)
            yield Figure(f"{NAME}.{load.label}.engine-vs-nft-map", map_cost.wall / engine, "x", load.by_hand, {"engine_ms": round(engine, 2)}, costs(map_cost))


def run(say):
    for load in LOADS:
        yield from attempt(f"{NAME}.{load.label}", measure(say, load))
