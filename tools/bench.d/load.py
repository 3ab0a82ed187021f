# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole policy loaded where none is."""

import pathlib
import tempfile

import rules
from figures import Figure, attempt, costs
from measure import interleave
from subjects import Ours, Peer, new_lab

NAME = "load"
DOC = "10,000 rules loaded into an empty firewall"
COUNT = 10000
TIMES = 7

ENGINE_GOAL = 2.5
END_TO_END_GOAL = 1
MEMORY_GOAL = 4


def load_mix(say, mix):
    with new_lab("load") as lab, tempfile.TemporaryDirectory(prefix="patronus-bench-") as directory:
        ours, peer = Ours(lab, pathlib.Path(directory)), Peer(lab, pathlib.Path(directory))
        policy = rules.make(mix, COUNT)
        script = peer.script("linear.nft", rules.nft(policy))
        text = rules.yaml(policy)
        file, empty = ours.file("policy.yaml", text), ours.file("zones.yaml", rules.zones_yaml())
        ours.ctl("apply", "--replace", "-f", empty)

        say(f"{NAME}: memory for {COUNT} {mix} rules, in a fresh lab")
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

        say(f"{NAME}: {COUNT} {mix} rules, {TIMES} times each by nft -f, by patronusctl and by a warm client")
        nft, ctl, client = interleave(TIMES, by_nft, by_ctl, warm)
        engine = client.extra["engine"]
        yield Figure(f"{NAME}.{mix}.engine-vs-nft", nft.wall / engine, "x", f">= {ENGINE_GOAL}",
                     costs(client, "engine", "journal", "validate", "plan", "commit", "verify", "total"), costs(nft))
        yield Figure(f"{NAME}.{mix}.end-to-end-vs-nft", nft.wall / ctl.wall, "x", f">= {END_TO_END_GOAL}", costs(ctl), costs(nft))
        yield Figure(f"{NAME}.{mix}.memory-vs-nft", peer_peak / peak, "x", f">= {MEMORY_GOAL}",
                     {"pss_peak_kib": peak}, {"max_rss_kib": peer_peak})
        if mix == "like":
            expert = peer.script("map.nft", rules.nft_map(policy))

            def by_map(_):
                peer.clear()
                return peer.load(expert)

            (map_cost,) = interleave(TIMES, by_map)
            yield Figure(f"{NAME}.{mix}.engine-vs-nft-map", map_cost.wall / engine, "x", "", {"engine_ms": round(engine, 2)}, costs(map_cost))


def run(say):
    for mix in rules.MIXES:
        yield from attempt(f"{NAME}.{mix}", load_mix(say, mix))
