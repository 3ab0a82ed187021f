# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs benchmarks and prints what they yield. A benchmark is a module of this folder with NAME, DOC and run(say), a
generator of Figures."""

import argparse
import json
import pathlib
import sys

import alias
import analysis
import curves
import forward
import load
import one_rule
import revoke
import runtime
import why
from figures import Figure

BENCHMARKS = {module.NAME: module for module in (one_rule, load, alias, runtime, revoke, analysis, forward, why)}


def as_json(figure: Figure):
    value = None if figure.value is None else round(figure.value, 3)
    return json.dumps({"name": figure.name, "value": value, "unit": figure.unit, "goal": figure.goal or None, "ok": figure.ok,
                       "ours": figure.ours, "peer": figure.peer, **({"error": figure.error} if figure.error else {})})


def main():
    parser = argparse.ArgumentParser(prog="tools/bench", description="Figures of Patronus beside those of nft.",
                                     epilog="; ".join(f"{name}: {module.DOC}" for name, module in BENCHMARKS.items()))
    parser.add_argument("names", metavar="NAME", nargs="*", help=", ".join(BENCHMARKS) + "; all when none is given")
    parser.add_argument("--json", action="store_true", help="one object a line: name, value, unit, goal, ok, ours, peer")
    parser.add_argument("--curves", metavar="RESULTS", type=pathlib.Path,
                        help="measure nothing, but draw docs/forward.svg from what `forward --json` printed into the file RESULTS")
    options = parser.parse_args()
    unknown = [name for name in options.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark '{unknown[0]}': there are {', '.join(BENCHMARKS)}")

    if options.curves:
        lines = curves.of_results(options.curves.read_text())
        if not lines:
            parser.error(f"{options.curves} has no figures of {forward.NAME}")
        curves.draw(curves.PATH, "Nanoseconds a forwarded packet, by number of rules", lines)
        return

    def say(text):
        print(f"bench: {text}", file=sys.stderr, flush=True)

    missed = 0
    for name in options.names or BENCHMARKS:
        say(f"{name}: {BENCHMARKS[name].DOC}")
        for figure in BENCHMARKS[name].run(say):
            print(as_json(figure) if options.json else figure.line(), flush=True)
            missed += not figure.ok
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
