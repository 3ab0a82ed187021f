# SPDX-License-Identifier: GPL-3.0-or-later
"""One policy in two languages: the same seeded rules as Patronus YAML and as an nft script.

The nft script is what a careful person writes by hand: a chain for each pair of zones, entered by a verdict map, each rule
with a counter and a comment. Two mixes:

    like    all rules of one pair and one shape: source address, TCP, destination port; Patronus may fold them into a map
    mixed   four zones, both families, addresses, prefixes and ranges on either side, ports and port ranges, TCP, UDP, both or
            neither, allow, drop and reject: little to fold
"""

import dataclasses
import ipaddress
import random

ZONES = ("wan", "lan", "dmz", "guest")
PAIRS = tuple((a, b) for a in ZONES for b in ZONES if a != b)
SEED = 20240229
VERDICTS = {"allow": "accept", "drop": "drop", "reject": "reject"}


@dataclasses.dataclass(frozen=True)
class Rule:
    name: str
    action: str
    source_zone: str
    target_zone: str
    family: int = 4
    protocol: str = ""  # tcp, udp or "": any, or both when there are ports
    source: str = ""
    target: str = ""
    ports: tuple = ()  # texts: "80" or "6000-6010"

    def yaml(self):
        spec = [f"action: {self.action}", f"from: {self.source_zone}", f"to: {self.target_zone}"]
        if self.protocol:
            spec.append(f"protocol: {self.protocol}")
        if self.source:
            spec.append(f'source: {{ addresses: ["{self.source}"] }}')
        target = []
        if self.target:
            target.append(f'addresses: ["{self.target}"]')
        if self.ports:
            target.append("ports: [" + ", ".join(f'"{port}"' if "-" in port else port for port in self.ports) + "]")
        if target:
            spec.append("destination: { " + ", ".join(target) + " }")
        lines = "".join(f"  {line}\n" for line in spec)
        return f"---\napiVersion: patronus.firewall/v1\nkind: FirewallRule\nmetadata: {{ name: {self.name} }}\nspec:\n{lines}"

    def nft(self):
        """Linear rules, one for each protocol and port: with anonymous sets instead, as people write them (`dport { 80, 443 }`),
        10,000 rules take nft ten times as long, since the kernel searches all sets for a free name."""
        ip = "ip" if self.family == 4 else "ip6"
        addresses = " ".join(f"{ip} {side} {value}" for side, value in (("saddr", self.source), ("daddr", self.target)) if value)
        if self.ports:
            protocols = (self.protocol,) if self.protocol else ("tcp", "udp")
            matches = [f"{protocol} dport {port}" for protocol in protocols for port in self.ports]
        else:
            matches = [f"meta l4proto {self.protocol}" if self.protocol else ""]
        verdict = VERDICTS[self.action]
        return [f'{addresses} {match} counter {verdict} comment "FirewallRule/{self.name}"' for match in matches]

    @property
    def chain(self):
        return f"p_{self.source_zone}_{self.target_zone}"


def _like(index, number, _):
    # unique by construction: an address for each 60 rules, a port for each of them
    return Rule(f"r-{index:06}", "allow", "lan", "wan", 4, "tcp", str(ipaddress.ip_address(0x0A020000 + number // 60)),
                ports=(str(1024 + number % 60 * 1000 + number // 60 % 1000),))


def _some_address(draw, family):
    base = 0x0A000000 + draw.randrange(1 << 24) if family == 4 else (0xFD00 << 112) + draw.randrange(1 << 48)
    address = ipaddress.IPv4Address(base) if family == 4 else ipaddress.IPv6Address(base)
    shape = draw.random()
    if shape < 0.5:
        return str(address)
    if shape < 0.8:
        length = draw.choice((16, 20, 24, 28)) if family == 4 else draw.choice((48, 64, 96))
        return str(ipaddress.ip_network(f"{address}/{length}", strict=False))
    return f"{address}-{address + draw.randrange(1, 200)}"


def _some_port(draw):
    first = draw.randrange(1, 60000)
    return str(first) if draw.random() < 0.8 else f"{first}-{first + draw.randrange(1, 1000)}"


def _mixed(index, _, draw):
    source_zone, target_zone = draw.choice(PAIRS)
    family = 4 if draw.random() < 0.7 else 6
    sides = draw.choice(("source", "target", "both"))
    ports = ()
    if draw.random() < 0.8:
        ports = tuple(sorted({_some_port(draw) for _ in range(draw.choice((1, 1, 1, 1, 1, 1, 1, 1, 2, 4)))}, key=lambda text: int(text.partition("-")[0])))
    return Rule(
        f"r-{index:06}",
        draw.choices(("allow", "drop", "reject"), (7, 2, 1))[0],
        source_zone,
        target_zone,
        family,
        draw.choices(("tcp", "udp", ""), (6, 3, 1))[0],
        _some_address(draw, family) if sides != "target" else "",
        _some_address(draw, family) if sides != "source" else "",
        ports,
    )


MIXES = {"like": _like, "mixed": _mixed}


def make(mix, count):
    draw = random.Random(SEED)
    return [MIXES[mix](index, index, draw) for index in range(count)]


def changed(mix, rules, times):
    """A sequence of (old, new): one rule each, another condition of the same kind, none equal to a rule that exists."""
    draw = random.Random(SEED + 1)
    for number in range(times):
        old = rules[draw.randrange(len(rules))]
        new = MIXES[mix](int(old.name[2:]), len(rules) + number, draw)
        yield old, dataclasses.replace(new, source_zone=old.source_zone, target_zone=old.target_zone)


def zones_yaml():
    return "".join(f"---\napiVersion: patronus.firewall/v1\nkind: Zone\nmetadata: {{ name: {zone} }}\nspec: {{ interfaces: [{zone}] }}\n"
                   for zone in ZONES)


def yaml(rules):
    return zones_yaml() + "".join(rule.yaml() for rule in rules)


def nft_table(body):
    """The surroundings of the rules: what a firewall has besides them."""
    chains = "".join(f"  chain p_{a}_{b} {{\n{body.get(f'p_{a}_{b}', '')}  }}\n" for a, b in PAIRS)
    pairs = ", ".join(f'"{a}" . "{b}" : jump p_{a}_{b}' for a, b in PAIRS)
    return (f"table inet peer {{\n{chains}  chain forward {{\n    type filter hook forward priority 0; policy drop;\n"
            f"    ct state established,related accept\n    ct state invalid drop\n    iifname . oifname vmap {{ {pairs} }}\n  }}\n}}\n")


def nft(rules):
    body = {}
    for rule in rules:
        body.setdefault(rule.chain, []).extend(f"    {line}\n" for line in rule.nft())
    return nft_table({chain: "".join(lines) for chain, lines in body.items()})


def nft_map(rules):
    """The same `like` rules as an expert folds them: one verdict map with a counter and a comment for each element."""
    elements = ",\n".join(f'{rule.source} . {rule.ports[0]} counter comment "FirewallRule/{rule.name}" : accept' for rule in rules)
    table = nft_table({"p_lan_wan": "    ip saddr . tcp dport vmap @like\n"})
    return table.replace("table inet peer {\n", "table inet peer {\n  map like { type ipv4_addr . inet_service : verdict; counter;"
                         f" elements = {{\n{elements}\n}}\n  }}\n", 1)
