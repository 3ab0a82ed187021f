# SPDX-License-Identifier: GPL-3.0-or-later
"""One rule changed among many that are there."""

import dataclasses
import pathlib
import tempfile

import rules
from figures import Figure, attempt, costs
from measure import interleave
from subjects import Ours, Peer, new_lab

NAME = "one-rule"
DOC = "one rule changed, with 100,000 and with 10,000 present"
TIMES = 21

ENGINE_GOAL_MS = 12
END_TO_END_GOAL_MS = 30
WARM_GOAL_MS = 2


def with_present(say, mix, count, label):
    say(f"{NAME}: {count} {mix} rules are being loaded on both sides")
    with new_lab("one-rule") as lab, tempfile.TemporaryDirectory(prefix="patronus-bench-") as directory:
        ours, peer = Ours(lab, pathlib.Path(directory)), Peer(lab, pathlib.Path(directory))
        present = rules.make(mix, count)
        peer.load(peer.script("peer.nft", rules.nft(present)))
        ours.ctl("apply", "-f", ours.file("ours.yaml", rules.yaml(present)))
        say(f"{NAME}: {TIMES} changes each by nft add rule, by patronusctl and by a warm client")
        changes = [new for _, new in rules.changed(mix, present, 2 * TIMES)]
        files = [ours.file(f"change-{number}.yaml", new.yaml()) for number, new in enumerate(changes[:TIMES])]
        warm_files = [ours.file(f"warm-{number}.yaml", new.yaml()) for number, new in enumerate(changes[TIMES:])]
        added = [dataclasses.replace(new, name=f"added-{number}") for number, new in enumerate(changes[:TIMES])]

        by_nft, by_ctl, warm = interleave(
            TIMES,
            lambda number: peer.add(added[number]),
            lambda number: ours.ctl("apply", "-f", files[number]),
            lambda number: ours.apply(warm_files[number]),
        )
        say(f"{NAME}: done, the lab goes down")
        ours.close()
    engine, journal = warm.extra["engine"], warm.extra["journal"]
    parts = ("engine", "journal", "validate", "plan", "commit", "verify", "total")
    yield Figure(f"{NAME}.{label}.engine", engine, "ms", f"<= {ENGINE_GOAL_MS}" if count >= 100000 else "", costs(warm, *parts), costs(by_nft))
    yield Figure(f"{NAME}.{label}.end-to-end", by_ctl.wall - journal, "ms", f"<= {END_TO_END_GOAL_MS}" if count >= 100000 else "",
                 {**costs(by_ctl), "fsync_ms": round(journal, 3)}, costs(by_nft))
    yield Figure(f"{NAME}.{label}.warm-client", warm.wall - journal, "ms", f"<= {WARM_GOAL_MS}" if count < 100000 else "", costs(warm, *parts), costs(by_nft))
    yield Figure(f"{NAME}.{label}.warm-client-vs-nft", by_nft.wall / warm.wall, "x", ">= 1" if count < 100000 else "", costs(warm), costs(by_nft))


def run(say):
    for mix in rules.MIXES:
        for count in (100000, 10000):
            label = f"{mix}.{count // 1000}k"
            yield from attempt(f"{NAME}.{label}", with_present(say, mix, count, label))
