# SPDX-License-Identifier: GPL-3.0-or-later
"""How long it takes after a commit until all connections have been looked at that it may have revoked."""

import json
import pathlib
import tempfile
import time

import rules
from figures import Figure, attempt, costs
from measure import Cost, children, cpu_ms, interleave
from subjects import Ours, new_lab

import conntrack  # of tests/lib, which subjects has put on the path
import documents
import traffic

NAME = "revoke"
DOC = "250,000 connections looked at again after a commit that may have revoked them"
CONNECTIONS = 250_000
DESTINATIONS = 50_000
POLICIES = {"few": 0, "10k": 10_000}  # rules beside those that a commit changes
TIMES = 5
MILLION_MS = 5000
GOAL_MS = MILLION_MS * CONNECTIONS / 1_000_000
BEGINS_S = 10  # once the commit is verified; 0.1 s in earnest (daemons/filterd/judge.c)


def policy(count, number, pair="lan", alias="203.0.113.7", web=443):
    """What a commit changes: a rule of the connections' pair of zones or of another, an alias, or the rule that allows them."""
    return rules.yaml(rules.make("mixed", count)) + "".join((
        documents.document("Alias", "others", type="network", addresses=[alias]),
        documents.document("FirewallRule", "turn", **{"action": "drop", "from": pair, "to": "wan", "protocol": "tcp", "destination": {"ports": [number + 1]}}),
        documents.document("FirewallRule", "aliased", **{"action": "drop", "from": "lan", "to": "wan", "source": {"aliases": ["others"]}}),
        documents.document("FirewallRule", "web", **{"action": "allow", "priority": 60000, "from": "lan", "to": "wan", "protocol": "tcp",
                                                     "destination": {"ports": [web]}})))


class Revoker:
    def __init__(self, lab, ours):
        self.lab, self.ours = lab, ours
        self.filterd = lab.pid("filterd")

    def apply(self, text):
        self.ours.ctl("apply", "--replace", "-f", self.ours.file("policy.yaml", text))

    def wait(self, wanted, deadline):
        while bool(children(self.filterd)) != wanted:
            if time.perf_counter() > deadline:
                raise RuntimeError("filterd did not look at connections" if wanted else "filterd does not end to look at connections")
            time.sleep(0.001)

    def look(self, text):
        """From the end of the commit until filterd has looked at all connections: the child's CPU time."""
        self.apply(text)
        start, before = time.perf_counter(), cpu_ms([self.filterd])
        self.wait(True, start + BEGINS_S)
        self.wait(False, start + 300)
        return Cost((time.perf_counter() - start) * 1000, cpu_ms([self.filterd]) - before)

    def pair_mark(self):
        """What the ruleset marks a connection from lan to wan with."""
        traffic.run(self.lab.name, [traffic.Row("", "tcp", "lan", "wan", 4, "", port=443)])
        row = json.loads(self.lab.ctl("filter", "connections", "protocol=tcp", "destinationPort=443", "-o", "json").stdout.splitlines()[0])
        return row["mark"]

    def count(self):
        return len(self.lab.ctl("filter", "connections", "destinationPort=443", "-o", "json").stdout.splitlines())


def measure(say, name, count):
    with new_lab("revoke") as lab, tempfile.TemporaryDirectory(prefix="patronus-bench-") as directory:
        revoker = Revoker(lab, Ours(lab, pathlib.Path(directory)))
        revoker.apply(policy(count, 0))
        mark = revoker.pair_mark()
        lab.ctl("filter", "connections", "protocol=tcp", "--kill")
        if conntrack.maximum() < CONNECTIONS:
            raise RuntimeError(f"net.netfilter.nf_conntrack_max of the machine is below {CONNECTIONS}")
        conntrack.fill(lab.netns("router"), CONNECTIONS, mark=mark, destinations=DESTINATIONS)
        say(f"{NAME}: {CONNECTIONS} connections, {count} rules beside those that change, {TIMES} times each")
        other, pair, every = interleave(
            TIMES,
            lambda i: revoker.look(policy(count, 3 * i + 1, pair="guest")),
            lambda i: revoker.look(policy(count, 3 * i + 2)),
            lambda i: revoker.look(policy(count, 3 * i + 2, alias=f"203.0.113.{i + 10}")))
        if revoker.count() != CONNECTIONS:
            raise RuntimeError("connections ended that no commit revoked")
        for what, cost, goal in (("other-pair", other, ""), ("pair", pair, f"<= {GOAL_MS:g}"), ("all", every, f"<= {GOAL_MS:g}")):
            yield Figure(f"{NAME}.250k.{name}.{what}", cost.wall, "ms", goal, {**costs(cost), "a_second": round(CONNECTIONS / max(cost.cpu, 1) * 1000)})
        ends = revoker.look(policy(count, 0, web=80))
        if revoker.count() != 0:
            raise RuntimeError("connections were revoked, and go on")
        yield Figure(f"{NAME}.250k.{name}.all-end", ends.wall, "ms", "", {**costs(ends), "a_second": round(CONNECTIONS / max(ends.cpu, 1) * 1000)})


def run(say):
    for name, count in POLICIES.items():
        yield from attempt(f"{NAME}.{name}", measure(say, name, count))
