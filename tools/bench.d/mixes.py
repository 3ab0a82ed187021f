# SPDX-License-Identifier: GPL-3.0-or-later
"""Large policies of one pair of zones as they are found in the field, from a seed, and packets that their rules match.

Three mixes after the sorts of filters that D. Taylor and J. Turner describe (ClassBench, 2007), with numbers of our own:

    acl    from a company's networks to its servers: destinations are mostly hosts, sources networks that nest, ports mostly single
    fw     a border: every third rule has no source or no destination, more ranges of ports, more rules without ports
    ipc    between the two

As there, of two rules one of which contains the other the narrower comes first: rules are sorted by how much they leave open.
"""

import dataclasses
import ipaddress
import random

import rules

SEED = 20240301
SOURCES, TARGETS = int(ipaddress.ip_address("172.16.0.0")), int(ipaddress.ip_address("100.64.0.0"))
PORTS = (80, 443, 22, 25, 53, 123, 110, 143, 389, 445, 636, 993, 1433, 1521, 3128, 3306, 3389, 5432, 5900, 6379, 8080, 8443)
RANGES = ("1024-65535", "135-139", "5000-5010", "6000-6063", "8000-8099", "20-21", "49152-65535", "27000-27050")


@dataclasses.dataclass(frozen=True)
class Mix:
    any_source: float
    any_target: float
    host_source: float
    host_target: float
    port_single: float
    port_range: float  # the rest has none
    no_protocol: float  # of those without ports


MIXES = {
    "acl": Mix(0.08, 0.02, 0.25, 0.75, 0.70, 0.15, 0.3),
    "ipc": Mix(0.12, 0.08, 0.45, 0.55, 0.50, 0.20, 0.5),
    "fw": Mix(0.35, 0.30, 0.40, 0.45, 0.45, 0.25, 0.5),
}


class _Networks:
    """Prefixes that nest: a tree of networks of /12 to /28, and hosts in them."""

    def __init__(self, draw, base, bits, count):
        self.draw, self.tree = draw, []
        for _ in range(count):
            length = draw.choice((bits + 4, bits + 8, bits + 12, bits + 12, bits + 16))
            above = [net for net in self.tree[-50:] if net[1] < length]
            start, least = draw.choice(above) if above and draw.random() < 0.7 else (base, bits)
            inside = draw.getrandbits(length - least) << (32 - length)
            self.tree.append((start | inside, length))

    def network(self):
        start, length = self.draw.choice(self.tree)
        return f"{ipaddress.ip_address(start)}/{length}"

    def host(self):
        start, length = self.draw.choice(self.tree)
        return str(ipaddress.ip_address(start | self.draw.getrandbits(32 - length)))


def _open(rule):
    bits = 0
    for address in (rule.source, rule.target):
        bits += 32 - ipaddress.ip_network(address).prefixlen if address else 32
    if not rule.ports:
        return bits + 16 + (0 if rule.protocol else 8)
    first, _, last = rule.ports[0].partition("-")
    return bits + (int(last or first) - int(first)).bit_length()


def make(name, count):
    mix, draw = MIXES[name], random.Random(f"{SEED}/{name}/{count}")
    sources = _Networks(draw, SOURCES, 12, max(8, count // 20))
    targets = _Networks(draw, TARGETS, 10, max(8, count // 10))

    def address(networks, none, host):
        chosen = draw.random()
        return "" if chosen < none else networks.host() if chosen < none + host else networks.network()

    found = {}
    while len(found) < count:
        chosen, ports, protocol = draw.random(), (), draw.choices(("tcp", "udp"), (4, 1))[0]
        if chosen < mix.port_single:
            ports = (str(draw.choice(PORTS) if draw.random() < 0.8 else draw.randrange(1, 65536)),)
        elif chosen < mix.port_single + mix.port_range:
            ports = (draw.choice(RANGES),)
        elif draw.random() < mix.no_protocol:
            protocol = ""
        source, target = address(sources, mix.any_source, mix.host_source), address(targets, mix.any_target, mix.host_target)
        if source or target:  # a rule for everybody to everybody is the end of a policy, not one of thousands
            found.setdefault((source, target, protocol, ports), draw.choices(("allow", "drop"), (7, 3))[0])
    made = [rules.Rule("", action, "lan", "wan", 4, protocol, source, target, ports) for (source, target, protocol, ports), action in found.items()]
    made.sort(key=_open)
    return [dataclasses.replace(rule, name=f"r-{index:06}") for index, rule in enumerate(made)]


def _inside(draw, address, base, bits):
    if not address:
        return str(ipaddress.ip_address(base | draw.getrandbits(32 - bits)))
    network = ipaddress.ip_network(address)
    return str(network[draw.randrange(network.num_addresses)])


def packets(policy, count):
    """(source, destination, protocol, source port, destination port): each within a rule chosen at random, so it matches that
    one or an earlier one."""
    draw = random.Random(SEED)
    for _ in range(count):
        rule = draw.choice(policy)
        first, _, last = rule.ports[0].partition("-") if rule.ports else ("1", "", "65535")
        yield (_inside(draw, rule.source, SOURCES, 12), _inside(draw, rule.target, TARGETS, 10), rule.protocol or draw.choice(("tcp", "udp")),
               draw.randrange(1024, 65536), draw.randrange(int(first), int(last or first) + 1))
