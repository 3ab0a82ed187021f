# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan that says what it does to packets, and which rules do nothing."""

import pathlib
import tempfile

import rules
from figures import Figure, attempt, costs
from measure import interleave
from subjects import Ours, new_lab

NAME = "analysis"
DOC = "a plan of one changed rule with the analysis of all 10,000"
TIMES = 5
COUNT = 10000
GOAL_MS = 2000


def planned(say, mix, label):
    say(f"{NAME}: {COUNT} {mix} rules are being loaded")
    with new_lab("analysis") as lab, tempfile.TemporaryDirectory(prefix="patronus-bench-") as directory:
        ours = Ours(lab, pathlib.Path(directory))
        present = rules.make(mix, COUNT)
        ours.ctl("apply", "-f", ours.file("ours.yaml", rules.yaml(present)))
        files = [ours.file(f"change-{number}.yaml", new.yaml()) for number, (_, new) in enumerate(rules.changed(mix, present, TIMES))]
        (cost,) = interleave(TIMES, lambda number: ours.ctl("plan", "-f", files[number]))
        ours.close()
    yield Figure(f"{NAME}.{label}", cost.wall, "ms", f"<= {GOAL_MS}", costs(cost, "plan", "total"))


def run(say):
    for mix in rules.MIXES:
        label = f"{mix}.{COUNT // 1000}k"
        yield from attempt(f"{NAME}.{label}", planned(say, mix, label))
