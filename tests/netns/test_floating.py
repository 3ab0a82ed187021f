# SPDX-License-Identifier: GPL-3.0-or-later
"""Floating rules with real packets of both families: what is quick and what is not, by a truth table in each of the three hooks; directions and
interfaces."""

import itertools
import json

import pytest
import traffic
from documents import document
from traffic import Row, address

ZONES = "---\n".join(json.dumps({"apiVersion": "patronus.firewall/v1", "kind": "Zone", "metadata": {"name": host},
                                  "spec": {"interfaces": [host], "forward": "drop", "input": "drop", "output": "drop"}}) + "\n"
                     for host in ("wan", "lan", "dmz"))

# Rules in order, and the one that decides; None: the default, which is drop. Z: of the zones, Q: floating and quick, L: floating and not quick;
# + allows and - drops; one with x asks for another source.
TRUTH = [
    ("", None),
    ("Z+", 0),
    ("Q+", 0),
    ("L+", 0),
    ("Q- Z+", 0),
    ("Z+ Q-", 1),  # a quick one comes before rules of zones, whatever its place
    ("Q+ Q-", 0),  # of quick ones the first
    ("Q- Q+ Z+", 0),
    ("L- Z+", 1),  # one that is not quick waits for all others
    ("Z+ L-", 0),
    ("L+ Z-", 1),
    ("L- L+", 1),  # of those the last
    ("L+ L-", 1),
    ("L+ L- L+", 2),
    ("L+ Lx-", 0),  # ... that matches
    ("Lx+ L- Lx+ Lx+", 1),
    ("L+ Zx- L- L+ Zx-", 3),
    ("Q- L+ Z+", 0),
    ("L- Q+ Z-", 1),
    ("Qx- L+ Z- L-", 2),
    ("Qx- Qx+ Lx+ Zx+", None),
    ("L- Z+ Qx- L-", 1),
]
HOOKS = {"forward": ("lan", "wan"), "input": ("lan", "router"), "output": ("router", "wan")}  # from, to


def rule(name, **spec):
    return document("FirewallRule", name, **spec)


def truth_rules(hook, row, port):
    source, target = HOOKS[hook]
    for place, word in enumerate(TRUTH[row][0].split()):
        sort, sign = word[0], word[-1]
        spec = {"action": "allow" if sign == "+" else "drop", "priority": 100 + place, "protocol": "udp", "destination": {"ports": [port]}}
        if "x" in word:
            spec["source"] = {"ports": [1]}
        if sort == "Z":
            spec |= {"from": source, "to": target}
        else:
            spec |= {"floating": True} | ({"quick": False} if sort == "L" else {})
        yield f"{hook}-{row}-{place}", spec


SEND = """
import socket, sys
for line in sys.stdin:
    host, port = line.split()
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as s:
        try:
            s.sendto(b"x", (host, int(port)))
        except PermissionError:
            print(host, port)  # dropped on the way out
"""


def send(lab, source, lines):
    done = lab.exec(source, "/usr/bin/python3", "-c", SEND, input="".join(f"{host} {port}\n" for host, port in lines))
    return {tuple(line.split()) for line in done.stdout.splitlines()}


def test_quick_and_not_quick(lab):
    ports = {(hook, row): 7000 + n for n, (hook, row) in enumerate(itertools.product(HOOKS, range(len(TRUTH))))}
    rules = {name: spec for (hook, row), port in ports.items() for name, spec in truth_rules(hook, row, port)}
    lab.apply(ZONES + "".join(rule(name, **spec) for name, spec in rules.items()))

    def passes(hook, row):
        word, decides = TRUTH[row]
        return decides is not None and word.split()[decides][-1] == "+"

    rows = [Row(f"{hook} {TRUTH[row][0]} {family}", "udp", *HOOKS[hook], family,
                f"answer, seen as {address('lan', family)}" if passes(hook, row) else "no answer", port)
            for (hook, row), port in ports.items() for family in (4, 6) if hook != "output"]
    wrong = [f"{result.row}: {result.seen}" for result in traffic.run(lab.name, rows) if not result.ok]
    assert not wrong, "\n".join(wrong)
    sent = {(address("wan", family), str(ports["output", row])): row for row in range(len(TRUTH)) for family in (4, 6)}
    refused = send(lab, "router", sent)
    assert refused == {key for key, row in sent.items() if not passes("output", row)}
    counts = lab.counted()
    expected = {name: 0 for name in rules}
    expected.update({f"{hook}-{row}-{TRUTH[row][1]}": 2 for hook, row in ports if TRUTH[row][1] is not None})
    assert counts == expected


FLOWS = [("lan", "wan"), ("wan", "lan"), ("dmz", "lan"), ("lan", "router"), ("dmz", "router"), ("router", "lan"), ("router", "dmz")]


@pytest.mark.parametrize("zones", ({}, {"from": "lan"}, {"to": "lan"}, {"from": "any", "to": "any"}))
def test_directions_and_interfaces(lab, zones):
    """A rule for each direction and some interfaces, with a port of its own: which flows it counts. What a flow has come by or leaves by
    is the name of its host."""
    asked = [(direction, interfaces) for direction in ("in", "out", "any", None)
             for interfaces in (None, ("lan",), ("wan", "d*"), ("wan", "lan"))]
    specs = {}
    for n, (direction, interfaces) in enumerate(asked):
        spec = {"action": "drop", "floating": True, "quick": bool(n % 2), "protocol": "udp", "destination": {"ports": [7000 + n]}} | zones
        specs[f"r-{n}"] = spec | ({"direction": direction} if direction else {}) | ({"interfaces": list(interfaces)} if interfaces else {})
    lab.apply(ZONES + "".join(rule(name, **spec) for name, spec in specs.items()))
    assert "unknown" not in lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout

    def matches(direction, interfaces, source, target):
        if zones.get("from", "any") not in ("any", source) or zones.get("to", "any") not in ("any", target):
            return False
        sides = [host for host, side in ((source, "in"), (target, "out")) if host != "router" and direction in (side, "any", None)]
        return bool(sides) and (interfaces is None or any(side in interfaces or (side[0] == "d" and "d*" in interfaces) for side in sides))

    expected = {name: 2 * sum(matches(*asked[n], *flow) for flow in FLOWS) for n, name in enumerate(specs)}
    for source, target in FLOWS:
        send(lab, source, [(address(target, family, at=source), 7000 + n) for n in range(len(asked)) for family in (4, 6)])
    assert lab.counted() == {name: count for name, count in expected.items() if count or name in lab.counted()}


def test_edits_are_as_a_fresh_load(lab):
    """Rules become floating, not quick, and of zones again, while others stand beside them."""
    base = [(f"z-{n}", {"action": "drop", "protocol": "udp", "destination": {"ports": [7000 + n]}, "from": "lan", "to": "wan"}) for n in range(40)]
    steps = ({}, {"floating": True}, {"floating": True, "quick": False}, {"floating": True, "direction": "out", "interfaces": ["w*"]}, {})
    for step in steps:
        spec = {"action": "allow", "protocol": "udp", "destination": {"ports": [7003]}, "priority": 40000} | step
        lab.apply(ZONES + "".join(rule(name, **each) for name, each in [*base, ("moves", spec)]), "--replace")
        quick = step.get("floating") and step.get("quick", True)
        wrong = [f"{result.row}: {result.seen}" for result in traffic.run(lab.name, [
            Row(str(step), "udp", "lan", "wan", family, f"answer, seen as {address('lan', family)}" if quick else "no answer", 7003) for family in (4, 6)]) if not result.ok]
        assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("spec, pointer, says", [
    ({"action": "drop", "quick": True}, "/spec/quick", "floating: true"),
    ({"action": "drop", "direction": "in"}, "/spec/direction", "floating: true"),
    ({"action": "drop", "floating": True, "direction": "in", "from": "router"}, "/spec/direction", "arrives by no interface"),
    ({"action": "drop", "floating": True, "direction": "out", "to": "router"}, "/spec/direction", "leaves by no interface"),
])
def test_refused(lab, spec, pointer, says):
    refused = lab.ctl("apply", "-f", "-", stdin=ZONES + rule("r", **spec), check=False)
    assert refused.returncode == 1
    assert pointer in refused.stderr and says in refused.stderr, refused.stderr
