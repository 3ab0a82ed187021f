# SPDX-License-Identifier: GPL-3.0-or-later
"""Random policies, real packets, and an evaluation written apart from the compiler: they must agree on every packet.

The policies are small in range, so that rules overlap and hide each other: what decides is the order.
"""

import dataclasses
import ipaddress
import random

import pytest
import traffic
from traffic import Row, address

ZONES = ("wan", "lan", "dmz", "guest")
PORTS = range(2000, 2016)
RULES = 120
PACKETS = 250


@dataclasses.dataclass(frozen=True)
class Rule:
    name: str
    action: str
    priority: int
    source_zone: str  # "": any
    target_zone: str  # "": any, and the router
    family: int  # 0: both
    protocol: str  # "": any, or TCP and UDP when there are ports
    sources: tuple  # (first, last) addresses
    ports: tuple  # (first, last)

    def yaml(self):
        spec = [f"action: {self.action}", f"priority: {self.priority}"]
        spec += [f"{key}: {value}" for key, value in (("from", self.source_zone), ("to", self.target_zone), ("protocol", self.protocol)) if value]
        if self.family:
            spec.append(f"family: ipv{self.family}")
        if self.sources:
            spec.append("source: { addresses: [" + ", ".join(f'"{a}-{b}"' if a != b else f'"{a}"' for a, b in self.sources) + "] }")
        if self.ports:
            spec.append("destination: { ports: [" + ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in self.ports) + "] }")
        lines = "".join(f"  {line}\n" for line in spec)
        return f"---\napiVersion: patronus.firewall/v1\nkind: FirewallRule\nmetadata: {{ name: {self.name} }}\nspec:\n{lines}"

    def matches(self, row):
        source = ipaddress.ip_address(address(row.source, row.family))
        return (
            self.source_zone in ("", row.source)
            and self.target_zone in ("", row.target)
            and self.family in (0, row.family)
            and self.protocol in ("", row.probe)
            and (not self.sources or any(a.version == source.version and a <= source <= b for a, b in self.sources))
            and (not self.ports or any(a <= row.port <= b for a, b in self.ports))
        )


def some_sources(draw, family):
    middle = ipaddress.ip_address(address(draw.choice(ZONES), family))
    first = middle + draw.choice((-1, 0, 0, 0, 1))
    return (first, first + draw.choice((0, 0, 1, 40)))


def some_ports(draw):
    count = draw.choice((0, 1, 1, 1, 2, 3))
    firsts = sorted(draw.sample(PORTS, count))
    return tuple((first, min([first + draw.choice((0, 0, 0, 3)), *(later - 1 for later in firsts if later > first)])) for first in firsts)


def some_rule(draw, number):
    family = draw.choice((0, 0, 4, 6))
    sources = (some_sources(draw, family),) if family and draw.random() < 0.6 else ()
    return Rule(f"r-{number}", draw.choice(("allow", "drop", "reject")), draw.choice((100, 200, 200, 200, 300)),
                draw.choice(("", *ZONES, *ZONES)), draw.choice(("", "router", *ZONES, *ZONES)), family, draw.choice(("", "tcp", "udp")),
                sources, some_ports(draw))


def expected(policy, row):
    rule = next((rule for rule in sorted(policy, key=lambda rule: rule.priority) if rule.matches(row)), None)  # stable: file order
    return rule.action if rule else "drop"


def outcome(result):
    """What the packet met."""
    if result.seen.startswith("answer"):
        return "allow"
    return "drop" if result.seen == "no answer" else "reject"


def some_packets(draw, policy):
    """Half of them aimed at a rule, else most would meet none. Each asks for silence or an answer, by what is expected."""
    rows = {}
    while len(rows) < PACKETS:
        rule = draw.choice(policy)
        aimed = draw.random() < 0.5
        port = draw.choice(rule.ports)[0] if aimed and rule.ports else draw.choice(PORTS)
        source, target = draw.sample(ZONES, 2)
        if draw.random() < 0.15:
            target = "router"
        row = Row("", draw.choice(("tcp", "udp")), source, target, draw.choice((4, 6)), "", port)
        verdict = expected(policy, row)
        rows[dataclasses.astuple(row)] = dataclasses.replace(row, what=verdict, expect="no answer" if verdict == "drop" else verdict)
    return list(rows.values())


def zones_yaml():
    return "".join(f"---\napiVersion: patronus.firewall/v1\nkind: Zone\nmetadata: {{ name: {zone} }}\nspec: {{ interfaces: [{zone}] }}\n"
                   for zone in ZONES)


@pytest.mark.parametrize("seed", range(3))
def test_every_packet_meets_what_the_rules_say(lab, seed):
    draw = random.Random(seed)
    policy = [some_rule(draw, number) for number in range(RULES)]
    for _ in range(3):
        lab.apply(zones_yaml() + "".join(rule.yaml() for rule in policy), "--replace")
        rows = some_packets(draw, policy)
        assert {row.what for row in rows} == {"allow", "drop", "reject"}
        wrong = [f"{row.probe} {row.port} IPv{row.family} from {row.source} to {row.target}: {result.seen} instead of {row.what}"
                 for row, result in zip(rows, traffic.run(lab.name, rows)) if outcome(result) != row.what]
        assert not wrong, "\n".join(wrong)
        # the next commit is incremental: a third is edited in place, some go, some come
        policy = [dataclasses.replace(some_rule(draw, 0), name=rule.name) if draw.random() < 0.3 else rule
                  for rule in policy if draw.random() < 0.9]
        policy += [some_rule(draw, RULES * 10 + draw.randrange(10**6)) for _ in range(10)]
