# SPDX-License-Identifier: GPL-3.0-or-later
"""Random NatRules, real connections, and a model written apart from the compiler (nat_model.py): they must agree about each of them, on
who answered, what it saw, and on the counters of every rule.

Rules and connections are of a small range, so that rules overlap and hide each other.
"""

import collections
import dataclasses
import ipaddress
import itertools
import json
import os
import random

import pytest
from nat import ALL, add_addresses, counters, rule as document
from nat_model import Connection, End, Model, Rule, World, ip, span, within
from witness import Probe, Witness

ZONES = {"wan": 1, "lan": 2, "dmz": 3, "guest": 4}
PORTS = tuple(range(2000, 2010))
SOURCE_PORTS = (40000, 59999)
RULES = 40
CONNECTIONS = 160
SERVICES = {"shop": {"tcp": ((2001, 2002), (2006, 2006))}, "chat": {"udp": ((2000, 2003),)}, "mixed": {"tcp": ((2004, 2004),), "udp": ((2005, 2005),)}}
ROUNDS = 3


def host_address(family, zone, last):
    return f"10.{ZONES[zone]}.0.{last}" if family == 4 else f"fd00:{ZONES[zone]}::{last}"


def outside(family, last):
    return f"10.99.0.{last}" if family == 4 else f"fd00:99::{last}"


def some_addresses(draw, family, zone=None):
    """What an endpoint asks for: hosts, both hosts of a zone, or a range that cuts one off."""
    texts = set()
    for _ in range(draw.choice((1, 1, 2))):
        at = zone or draw.choice(tuple(ZONES))
        texts.add(draw.choice((
            host_address(family, at, draw.choice((2, 3))),
            host_address(family, at, 0) + ("/24" if family == 4 else "/64"),
            f"{host_address(family, at, 3)}-{host_address(family, at, 9)}")))
    return tuple(sorted(texts))


def some_ports(draw):
    """At most two spans that do not touch."""
    first = draw.choice(PORTS[:5])
    spans = [(first, first + draw.choice((0, 0, 1, 2)))]
    if draw.random() < 0.3:
        spans.append((2008, 2008 + draw.choice((0, 1))))
    return tuple(spans)


def some_source(draw, family, zone):
    addresses = some_addresses(draw, family, zone) if draw.random() < 0.4 else ()
    but = (host_address(family, zone or draw.choice(tuple(ZONES)), draw.choice((2, 3))),) if draw.random() < 0.15 else ()
    ports = ((SOURCE_PORTS[0], draw.randrange(45000, 55000)),) if draw.random() < 0.15 else ()
    return End(addresses, ports, but)


def some_rule(draw, name):
    kind = draw.choice(("masquerade", "source", "source", "forward", "forward", "forward", "one-to-one", "prefix", "redirect"))
    family = 6 if kind == "prefix" else draw.choice((4, 6))
    zone = draw.choice((*ZONES, *ZONES, "any"))
    fields = {"name": name, "type": kind, "zone": zone, "priority": draw.choice((100, 200, 200, 200, 300)),
              "enabled": draw.random() > 0.08, "protocol": draw.choice(("", "", "tcp", "udp"))}
    other = None if zone == "any" else zone
    ports = some_ports(draw)
    if kind in ("masquerade", "source"):
        fields["source"] = some_source(draw, family, None)
        fields["destination"] = End(some_addresses(draw, family, other) if draw.random() < 0.3 else (), ports if draw.random() < 0.5 else (),
                                    (), () if draw.random() < 0.8 else ((2003, 2004),))
        fields["family"] = family
        fields["to_ports"] = (20000, 20999) if draw.random() < 0.2 else ()
        if kind == "source":
            fields["to"] = draw.choice(((outside(family, 100),), (f"{outside(family, 110)}-{outside(family, 119)}",),
                                        (outside(family, 120), f"{outside(family, 130)}-{outside(family, 139)}", outside(family, 141))))
            fields["persistent"] = draw.random() < 0.5
    elif kind == "forward":
        fields["source"] = some_source(draw, family, other)
        to_ports = draw.choice(((), (2009, 2009), (2009, 2009), "range"))
        if to_ports == "range":
            first, last = ports[0]
            ports, to_ports = ((first, last),), (first + 2, last + 2)
        where = draw.choice(((), (outside(family, draw.choice((5, 6))),), some_addresses(draw, family)))
        fields["destination"] = End(where, ports if to_ports or draw.random() < 0.6 else (),
                                    (f"10.{ZONES['lan']}.0.1" if family == 4 else f"fd00:{ZONES['lan']}::1",) if not where and draw.random() < 0.3 else ())
        fields["to"] = (host_address(family, draw.choice(tuple(ZONES)), draw.choice((2, 3))),)
        fields["to_ports"] = to_ports
    elif kind == "redirect":
        fields["source"] = some_source(draw, family, other)
        fields["destination"] = End(some_addresses(draw, family) if draw.random() < 0.5 else (), ports)
        fields["family"] = draw.choice((0, family)) if not (fields["source"].addresses or fields["source"].but or fields["destination"].addresses) else family
        fields["to_ports"] = (2007, 2007)
    else:
        inside = draw.choice(tuple(ZONES))
        fields["source"] = some_source(draw, family, other)
        if draw.random() < 0.5:
            last = draw.choice((2, 3))
            fields["destination"], fields["to"] = End((outside(family, last),)), (host_address(family, inside, last),)
        else:
            network = "10.99.0.0/24" if family == 4 else "fd00:99::/64"
            fields["destination"] = End((network,))
            fields["to"] = (host_address(family, inside, 0) + ("/24" if family == 4 else "/64"),)
        if draw.random() < 0.4:
            fields["filter"] = "auto"
    if kind in ("forward", "redirect") and draw.random() < 0.15:
        fields["filter"] = "none"
    end = fields["destination"]
    if kind in ("masquerade", "source", "forward", "redirect") and not end.but_ports and draw.random() < 0.25 and not is_range(fields["to_ports"]):
        fields |= {"services": tuple(draw.sample(sorted(SERVICES), draw.choice((1, 2)))), "protocol": "", "destination": dataclasses.replace(end, ports=())}
    if kind == "forward":
        fields["reflection"] = draw.choice((None, True, True, False))
    return Rule(**fields)


def is_range(ports):
    return ports and ports[0] != ports[1]


def ports_yaml(spans):
    return [f"'{first}-{last}'" if first != last else str(first) for first, last in spans]


def end_yaml(end):
    def ports(spans):
        return "[" + ", ".join(ports_yaml(spans)) + "]"

    parts = []
    if end.addresses:
        parts.append("addresses: [" + ", ".join(f"'{text}'" for text in end.addresses) + "]")
    if end.ports:
        parts.append("ports: " + ports(end.ports))
    but = []
    if end.but:
        but.append("addresses: [" + ", ".join(f"'{text}'" for text in end.but) + "]")
    if end.but_ports:
        but.append("ports: " + ports(end.but_ports))
    if but:
        parts.append("except: {" + ", ".join(but) + "}")
    return "{" + ", ".join(parts) + "}"


def rule_yaml(rule):
    spec = [f"type: {rule.type}", f"zone: {rule.zone}", f"priority: {rule.priority}"]
    if not rule.enabled:
        spec.append("enabled: false")
    if rule.family:
        spec.append(f"family: ipv{rule.family}")
    if rule.protocol:
        spec.append(f"protocol: {rule.protocol}")
    if rule.services:
        spec.append(f"services: [{', '.join(rule.services)}]")
    if rule.reflection is not None:
        spec.append(f"reflection: {str(rule.reflection).lower()}")
    if rule.filter:
        spec.append(f"filter: {rule.filter}")
    for name, end in (("source", rule.source), ("destination", rule.destination)):
        if end != End():
            spec.append(f"{name}: {end_yaml(end)}")
    translation = []
    if rule.to:
        translation.append("addresses: [" + ", ".join(f"'{text}'" for text in rule.to) + "]")
    if rule.to_ports:
        first, last = rule.to_ports
        translation.append(f"ports: [{first if first == last else f'{first}-{last}'}]")
    if not rule.persistent:
        translation.append("persistent: false")
    if translation:
        spec.append("translation: {" + ", ".join(translation) + "}")
    return document(rule.name, ", ".join(spec), "NatRule")


def some_world(draw):
    return World(
        hosts={zone: {ip(host_address(family, zone, last)) for family in (4, 6) for last in (2, 3)} for zone in ZONES},
        networks={zone: [(ip(host_address(4, zone, 0)), ip(host_address(4, zone, 255))), (ip(host_address(6, zone, 0)), ip(f"fd00:{ZONES[zone]}::ffff"))]
                  for zone in ZONES},
        router={zone: [ip(host_address(family, zone, 1)) for family in (4, 6)] for zone in ZONES},
        masquerading=frozenset(zone for zone in ZONES if draw.random() < 0.3), closed=draw.random() < 0.4,
        outbound=draw.choice(("hybrid", "hybrid", "hybrid", "automatic", "manual", "off")), reflection=draw.random() < 0.5, services=SERVICES)


def world_yaml(world):
    masquerade = {zone: ", masquerade: true" if zone in world.masquerading else "" for zone in ZONES}
    zones = "".join(document(zone, f"interfaces: [{zone}]{masquerade[zone]}", "Zone") for zone in ZONES)
    settings = document("default", f"outbound: {world.outbound}, reflection: {str(world.reflection).lower()}", "NatSettings")
    services = "".join(document(name, ", ".join(
        f"{protocol}: [{', '.join(ports_yaml(spans))}]" for protocol, spans in service.items()), "Service") for name, service in SERVICES.items())
    return zones + settings + services + ("" if world.closed else ALL)


def aimed(draw, rule):
    """A connection that may be one of the rule's: (host, source, destination, port)."""
    family = rule.of_family or draw.choice((4, 6))
    host = rule.zone if rule.zone != "any" else draw.choice(tuple(ZONES))
    ports = rule.destination.ports or ((PORTS[0], PORTS[-1]),)
    if rule.services:
        ports = [span for name in rule.services for spans in SERVICES[name].values() for span in spans]
    port = draw.randint(*draw.choice(ports))
    if rule.type == "forward" and rule.reflection is not False and draw.random() < 0.4:
        host = draw.choice((*ZONES, "router"))
    if rule.type in ("masquerade", "source"):
        target, host = host, draw.choice((*ZONES, "router"))
        return host, family, host_address(family, target, draw.choice((2, 3))), port
    if rule.type in ("one-to-one", "prefix") and draw.random() < 0.5:
        inside = next(zone for zone in ZONES if within(ip(host_address(family, zone, 2)), [(ip(host_address(family, zone, 0)), ip(host_address(family, zone, 9)))])
                      and ipaddress.ip_address(host_address(family, zone, 2)) in ipaddress.ip_network(rule.to[0].split("/")[0] + ("/24" if family == 4 else "/64"), strict=False))
        return inside, family, host_address(family, host, draw.choice((2, 3))), port
    if rule.type in ("one-to-one", "prefix"):
        return host, family, outside(family, draw.choice((2, 3))), port
    if rule.type == "redirect":
        return host, family, host_address(family, draw.choice(tuple(ZONES)), draw.choice((1, 2))), port
    if rule.destination.addresses:
        text = draw.choice(rule.destination.addresses)
        return host, family, str(text).split("/", maxsplit=1)[0].split("-", maxsplit=1)[0] if "/" not in text else host_address(
            family, draw.choice(tuple(ZONES)), 2), port
    return host, family, host_address(family, draw.choice(tuple(ZONES)), 1), port


def some_connections(draw, rules, model, source_ports):
    """Most are aimed at a rule, else few would meet one; (connection, what it meets, names of rules)."""
    found = []
    while len(found) < CONNECTIONS:
        if draw.random() < 0.8:
            host, family, to, port = aimed(draw, draw.choice(rules))
        else:
            host, family = draw.choice((*ZONES, "router")), draw.choice((4, 6))
            to = draw.choice((host_address(family, draw.choice(tuple(ZONES)), draw.choice((1, 2, 3))), outside(family, draw.choice((2, 3, 5, 6)))))
            port = draw.choice(PORTS)
        destination = ip(to)
        if host == "router" and model.world.is_local(destination):
            source = destination  # it would talk to itself
        elif host == "router":
            at = model.world.zone_of(destination)
            if at is None:
                continue  # it would talk to nobody
            source = model.world.router_at(at, family)
        else:
            source = ip(host_address(family, host, draw.choice((2, 3))))
        if destination in model.world.hosts.get(host, ()):
            continue
        c = Connection(host, draw.choice(("tcp", "udp")), source, next(source_ports), destination, port)
        met, names = model.meet(c)
        if met and met.host == host != "router" and within(c.source, met.sources):
            continue  # a host to which its own packets come back takes them for forged
        if met and met.port not in PORTS:
            continue  # nobody listens
        found.append((c, met, names))
    return found


def agrees(sight, c, met):
    if sight is None or met is None:
        return sight is met
    return (sight.host == met.host and within(ip(sight.source), met.sources) and within(sight.source_port, [met.source_ports])
            and ip(sight.destination) == met.destination and sight.port == met.port)


def question(c):
    """A connection's first packet, as `filter why` is asked about it."""
    asked = {"src": str(c.source), "dst": str(c.destination), "proto": c.protocol, "sport": c.source_port, "dport": c.port}
    return asked | ({"from": "router"} if c.host == "router" else {"in": c.host})


def evaluated_right(answer, world, c, met):
    """Whether the evaluator says of it what the model does. Which of a pool's addresses it is neither can know."""
    if "error" in answer or answer["verdict"] != "allow":
        return met is None
    nat = answer.get("nat", {})
    led = nat.get("destination", None if "rule" in nat else str(c.destination))  # None: the router's, as a redirect leads there
    if met is None:
        there = world.hosts.get(answer["to"], set())
        return led is not None and ip(led) not in there and not world.is_local(ip(led))  # it passes, and nobody has the address
    sends = nat.get("source", str(c.source))
    sources = [(address, address) for zone in ZONES for address in world.router[zone]] if sends == "interface" else [span(sends)]
    return (answer["to"] == met.host and nat.get("port", c.port) == met.port and (led is None or ip(led) == met.destination)
            and all(within(end, sources) for ends in met.sources for end in ends))


def evaluations(lab, found):
    done = lab.ctl("filter", "why", "--batch", "-", check=False, stdin="".join(json.dumps(question(c)) + "\n" for c, _, _ in found))
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(found), done.stderr
    return answers


@pytest.fixture
def witness(lab):
    for zone in ZONES:
        add_addresses(lab, zone, [host_address(family, zone, 3) for family in (4, 6)])
    # What nothing translated goes nowhere, in place of to and fro between the router and the internet.
    for prefix in ("10.99.0.0/16", "fd00:99::/32"):
        lab.exec("router", "ip", "route", "add", "blackhole", prefix)
    with Witness(lab.name, PORTS) as made:
        yield made


@pytest.mark.parametrize("seed", range(100 if os.environ.get("PATRONUS_LONG") else 4))
def test_every_connection_meets_what_the_rules_say(lab, witness, seed):
    draw = random.Random(seed)
    source_ports = itertools.count(SOURCE_PORTS[0] + seed)
    rules = [some_rule(draw, f"n-{number}") for number in range(RULES)]
    seen_names = set()
    for _ in range(ROUNDS):
        world = some_world(draw)
        model = Model(world, rules)
        lab.apply(world_yaml(world) + "".join(map(rule_yaml, rules)), "--replace")
        lab.exec("router", "conntrack", "-F")
        before = total(counters(lab))
        found = some_connections(draw, rules, model, source_ports)
        sights = witness.look([Probe(c.host, c.protocol, str(c.destination), c.port, str(c.source), c.source_port, met is not None)
                               for c, met, _ in found])
        wrong = [f"{c}\n    saw {sight}\n    instead of {met} through {names}"
                 for sight, (c, met, names) in zip(sights, found) if not agrees(sight, c, met)]
        assert not wrong, "\n".join(wrong)
        wrong = [f"{c}\n    the evaluator says {answer}\n    instead of {met} through {names}"
                 for answer, (c, met, names) in zip(evaluations(lab, found), found) if not evaluated_right(answer, world, c, met)]
        assert not wrong, "\n".join(wrong)
        counted = total(counters(lab))
        expected = collections.Counter(name for _, _, names in found for name in names)
        wrong = [f"{rule}\n    counted {(counted - before)[rule.name]} instead of {expected[rule.name]}: "
                 f"{[(str(c), str(met)) for c, met, names in found if rule.name in names]}"
                 for rule in rules if (counted - before)[rule.name] != expected[rule.name]]
        assert not wrong, "\n".join(wrong)
        seen_names |= set(expected)
        # The next commit is incremental: some are edited in place, some go, some come.
        rules = [some_rule(draw, rule.name) if draw.random() < 0.3 else rule for rule in rules if draw.random() < 0.9]
        rules += [some_rule(draw, f"n-{RULES + draw.randrange(10**6)}") for _ in range(5)]
    assert len(seen_names) > RULES // 3  # rules hide each other, but not all do


def total(counts):
    """Packets of each rule, over the zones whose lists it is in."""
    by_name = collections.Counter()
    for (name, _), packets in counts.items():
        by_name[name] += packets
    return by_name
