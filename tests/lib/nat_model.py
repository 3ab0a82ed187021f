# SPDX-License-Identifier: GPL-3.0-or-later
"""What NatRules must do to a connection, as their documentation says it: an evaluation written apart from the compiler, which it shares
nothing with, and nothing of the tests either.

    Model(world, rules).meet(connection)  ->  Met(host, sources, source_ports, destination, port, names)

A world says who has which address. Rules are plain records; lists of addresses are (first, last), lists of ports too.
"""

import dataclasses
import ipaddress

IN, OUT = "in", "out"
SIDES = {"forward": (IN,), "redirect": (IN,), "masquerade": (OUT,), "source": (OUT,), "one-to-one": (IN, OUT), "prefix": (IN, OUT)}


def ip(text):
    return ipaddress.ip_address(text)


def span(text):
    """(first, last) of an address, a prefix, or a range."""
    if "-" in text:
        first, last = text.split("-")
        return ip(first), ip(last)
    network = ipaddress.ip_network(text)
    return network[0], network[-1]


def within(value, spans):
    return any(type(first) is type(value) and first <= value <= last for first, last in spans)


@dataclasses.dataclass(frozen=True)
class End:
    """One side of a connection as a rule asks for it; addresses as text."""

    addresses: tuple = ()
    ports: tuple = ()  # (first, last)
    but: tuple = ()  # addresses that it must not have
    but_ports: tuple = ()

    def has(self, address, port):
        return (
            (not self.addresses or within(address, map(span, self.addresses)))
            and not within(address, map(span, self.but))
            and (not self.ports or within(port, self.ports))
            and not within(port, self.but_ports)
        )


@dataclasses.dataclass(frozen=True)
class Rule:
    name: str
    type: str
    zone: str  # or "any"
    priority: int = 32768
    enabled: bool = True
    family: int = 0  # 4, 6; 0: not said
    protocol: str = ""
    source: End = End()
    destination: End = End()
    to: tuple = ()  # translation.addresses
    to_ports: tuple = ()  # translation.ports: (first, last), or ()
    persistent: bool = True
    filter: str = ""
    services: tuple = ()  # names, of World.services
    reflection: object = None  # or a bool

    @property
    def of_family(self):
        """4, 6, or 0: both."""
        if self.family:
            return self.family
        for text in (*self.to, *self.source.addresses, *self.source.but, *self.destination.addresses, *self.destination.but):
            return span(text)[0].version
        return 4 if self.type == "masquerade" else 0

    @property
    def links(self):
        return self.enabled and (self.filter or ("auto" if self.type in ("forward", "redirect") else "none")) == "auto"


@dataclasses.dataclass(frozen=True)
class Connection:
    host: str
    protocol: str
    source: object  # ipaddress
    source_port: int
    destination: object
    port: int


@dataclasses.dataclass(frozen=True)
class Met:
    """What the server sees. `sources` is every address that would be right."""

    host: str
    sources: tuple  # (first, last)
    source_ports: tuple  # (first, last)
    destination: object
    port: int


@dataclasses.dataclass(frozen=True)
class World:
    hosts: dict  # name -> addresses of the host; its zone has its name
    networks: dict  # zone -> (first, last) of the addresses that are routed there, whether a host has them or not
    router: dict  # zone -> the router's addresses on that side: one of each family
    masquerading: frozenset = frozenset()  # zones with a masquerade of their own
    closed: bool = False  # whether only rules that come with translations let anything pass
    outbound: str = "hybrid"  # NatSettings
    reflection: bool = False
    services: dict = dataclasses.field(default_factory=dict)  # name -> {protocol: (first, last) of ports, ...}

    def zone_of(self, address):
        return next((zone for zone, spans in self.networks.items() if within(address, spans)), None)

    def is_local(self, address):
        return any(address in addresses for addresses in self.router.values())

    def router_at(self, zone, family):
        return next(address for address in self.router[zone] if address.version == family)


def mirrored(rule):
    """What leaves through a rule of both ways: from inside, to the other side that `source` says."""
    return End(addresses=rule.to), rule.source


class Model:
    def __init__(self, world, rules):
        """`rules` in the order of their file."""
        self.world = world
        self.all = rules
        self.rules = sorted((rule for rule in rules if self._in_force(rule)), key=lambda rule: rule.priority)  # stable

    def _in_force(self, rule):
        return rule.enabled and (SIDES[rule.type] != (OUT,) or self.world.outbound in ("hybrid", "manual"))

    def _reflected(self, rule):
        return rule.type == "forward" and (self.world.reflection if rule.reflection is None else rule.reflection)

    def _stands(self, rule, side, zone, c):
        """Whether the rule is asked about what comes from there, or goes there, at all."""
        if zone != "router" and rule.zone in ("any", zone):
            return True
        if side == OUT or not self._reflected(rule):
            return False
        if rule.destination.addresses:
            return True
        return zone != "router" and c.destination not in self.world.router[zone]

    def _protocol_matches(self, rule, c):
        """The protocol, and the ports if services say them."""
        if rule.services:
            return any(within(c.port, self.world.services[name].get(c.protocol, ())) for name in rule.services)
        return rule.protocol in ("", c.protocol)

    def _matches(self, rule, side, zone, c):
        if side not in SIDES[rule.type] or not self._stands(rule, side, zone, c):
            return False
        if rule.of_family not in (0, c.destination.version) or not self._protocol_matches(rule, c):
            return False
        source, destination = mirrored(rule) if side == OUT and IN in SIDES[rule.type] else (rule.source, rule.destination)
        if rule.type == "forward" and not destination.addresses and not self.world.is_local(c.destination):
            return False
        return source.has(c.source, c.source_port) and destination.has(c.destination, c.port)

    def _first(self, side, zone, c):
        return next((rule for rule in self.rules if self._matches(rule, side, zone, c)), None)

    @staticmethod
    def _moved(address, of, to):
        """The address of `of` at the same place in `to`; prefixes of one length."""
        return type(address)(int(address) - int(span(of)[0]) + int(span(to)[0]))

    def _arrive(self, rule, c):
        if rule.type == "redirect":
            return dataclasses.replace(c, destination=self.world.router_at(c.host, c.destination.version), port=rule.to_ports[0])
        if rule.type == "forward":
            port = c.port
            if rule.to_ports:
                first, last = rule.to_ports
                port = first if first == last else first + c.port - rule.destination.ports[0][0]
            return dataclasses.replace(c, destination=ip(rule.to[0]), port=port)
        return dataclasses.replace(c, destination=self._moved(c.destination, rule.destination.addresses[0], rule.to[0]))

    def _leads_there(self, rule, c):
        """Whether a connection looks, translated, as one of the rule's does: sources as before."""
        if rule.of_family not in (0, c.destination.version):
            return False
        if rule.services and rule.to_ports:
            if not any(c.protocol in self.world.services[name] for name in rule.services):
                return False
        elif not self._protocol_matches(rule, c):
            return False
        if rule.to_ports:
            at = End(addresses=rule.to, ports=(rule.to_ports,))
        else:
            at = End(addresses=rule.to, ports=rule.destination.ports, but_ports=rule.destination.but_ports)
        return rule.source.has(c.source, c.source_port) and at.has(c.destination, c.port)

    def _goes_back(self, c):
        """What was translated to where a reflected forward leads, in the zone that it came from."""
        return any(self._reflected(rule) and self._leads_there(rule, c) for rule in self.rules)

    def _passes(self, c, translated, target):
        """Whether the filter lets it pass: sources as before, destinations as after translation."""
        if not self.world.closed or c.host == "router":
            return True
        for rule in self.all:
            if not rule.links or not translated or not (rule.zone in ("any", c.host) or self._reflected(rule)):
                continue
            if rule.type == "redirect" and target != "router":
                continue
            if self._leads_there(rule, c):
                return True
        return False

    def _leave(self, rule, zone, c):
        """Spans of addresses and of ports."""
        ports = rule.to_ports or (1, 65535)
        if rule.type == "masquerade":
            address = self.world.router_at(zone, c.source.version)
            return ((address, address),), ports
        if rule.type == "source":
            return tuple(map(span, rule.to)), ports
        address = self._moved(c.source, rule.to[0], rule.destination.addresses[0])
        return ((address, address),), ports

    def meet(self, c):
        """(Met or None: no answer, names of the NAT rules that it went through)"""
        arriving = self._first(IN, c.host, c)
        names = [arriving.name] if arriving else []
        asked = c.destination, c.port
        if arriving:
            c = self._arrive(arriving, c)
        translated = (c.destination, c.port) != asked  # to itself is no translation: asked for directly
        target = "router" if self.world.is_local(c.destination) else self.world.zone_of(c.destination)
        if target is None or not self._passes(c, translated, target):
            return None, names
        sources, ports = ((c.source, c.source),), (1, 65535)
        if target != "router":
            leaving = self._first(OUT, target, c)
            if translated and target == c.host and self._goes_back(c):
                address = self.world.router_at(target, c.source.version)  # so that answers come back
                sources = ((address, address),)
            elif leaving:
                names.append(leaving.name)
                sources, ports = self._leave(leaving, target, c)
            elif target in self.world.masquerading and c.source.version == 4 and self.world.outbound in ("automatic", "hybrid"):
                address = self.world.router_at(target, 4)
                sources = ((address, address),)
            if c.destination not in self.world.hosts[target]:
                return None, names
        return Met(target, sources, ports, c.destination, c.port), names
