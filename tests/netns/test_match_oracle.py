# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a rule can ask, in random policies, against frames made by hand and an evaluation of them that is written here.

Which frames arrive, and which rule counted each, must be as the evaluation says. It knows rules from their documentation, packets
from their RFCs, and connection tracking from net/netfilter/nf_conntrack_proto_*.c; it shares nothing with the compiler.
"""

import collections
import dataclasses
import ipaddress
import itertools
import json
import os
import random
import select
import socket
import time

import frames
import netns
import pytest

HOSTS = {"wan": 1, "lan": 2, "dmz": 3}  # numbers as tools/lab has them
RULES = 60
PACKETS = 400
DRAWS = 20 * PACKETS  # until then, one answer is given to nine tenths of the packets at most
TCP, UDP, SCTP, ESP, AH, ICMP, ICMP6 = 6, 17, 132, 50, 51, 1, 58
PROTOCOLS = {"tcp": TCP, "udp": UDP, "sctp": SCTP, "esp": ESP, "ah": AH, "icmp": ICMP, "icmpv6": ICMP6}
PORTS = (1, 22, 53, 80, 1023, 1024, 1025, 2000, 2001, 2002, 2047, 2048, 65534, 65535)
MACS = tuple(f"02:00:5e:00:00:{number:02x}" for number in range(1, 7))
CODE_POINTS = (0, 10, 46, 47, 63)
# The hop limit says what other programs' rules make of a packet: a mark, or no tracking.
MARKS = {60: 0, 61: 0x11, 62: 0x10, 63: 0xFF000011}
UNTRACKED_HOPS = 70
MARK_MATCHES = ("0x11", "0x10/0xf0", "0x1/0x1", "0xff000000/0xff000000", "0x0/0xff")
OTHERS = """
table inet others {
  chain raw { type filter hook prerouting priority raw; ip ttl 70 notrack; ip6 hoplimit 70 notrack; }
  chain marks {
    type filter hook prerouting priority mangle;
    meta mark set ip ttl map { 61: 0x11, 62: 0x10, 63: 0xff000011 }
    meta mark set ip6 hoplimit map { 61: 0x11, 62: 0x10, 63: 0xff000011 }
  }
}
"""
SILENT = "table inet silent {\n" + "".join(
    f"chain {hook} {{ type filter hook {hook} priority filter; policy drop; }}\n" for hook in ("input", "forward", "output")) + "}\n"
# name: type in each family (IANA, ICMP Type Numbers and ICMPv6 Parameters)
ICMP_NAMES = {"echo-request": {4: 8, 6: 128}, "echo-reply": {4: 0, 6: 129}, "destination-unreachable": {4: 3, 6: 1},
              "time-exceeded": {4: 11, 6: 3}, "packet-too-big": {6: 2}, "timestamp-request": {4: 13}, "mld2-report": {6: 143}}
ICMP_NEW = {4: (8, 13), 6: (128,)}  # begin something; MLD and ND are not tracked; all others belong to something or to nothing
SERVICES = {  # built-in ones (explain Service), and those below
    "ssh": {"tcp": [22]}, "dns": {"tcp": [53], "udp": [53]}, "ipsec": {"udp": [500, 4500], "protocols": ["esp", "ah"]},
}


def _addresses(host, family):
    near = [f"10.{HOSTS[host]}.0.{n}" if family == 4 else f"fd00:{HOSTS[host]}::{n}" for n in (2, 3, 9)]
    return near + ([f"203.0.113.{n}" for n in (1, 7, 8)] if family == 4 else [f"2001:db8::{n}" for n in (1, 7, 8)])


@dataclasses.dataclass(frozen=True)
class Packet:
    number: int
    from_host: str
    to_host: str
    source: str
    destination: str
    mac: str
    dscp: int
    hops: int
    protocol: int
    sport: int = 0
    dport: int = 0
    flags: int = frames.TCP_SYN
    icmp: tuple = (0, 0)

    @property
    def family(self):
        return ipaddress.ip_address(self.source).version

    @property
    def has_ports(self):
        return self.protocol in (TCP, UDP, SCTP)

    @property
    def tuple(self):
        """What connection tracking knows it by, in either direction."""
        return frozenset(((self.source, self.sport), (self.destination, self.dport))), self.protocol

    @property
    def state(self):
        if self.hops == UNTRACKED_HOPS:
            return "untracked"
        if self.protocol == TCP and self.flags != frames.TCP_SYN:
            return "invalid"
        if self.protocol == ICMP:
            return "new" if self.icmp[0] in ICMP_NEW[4] else "invalid"
        if self.protocol == ICMP6:
            return "new" if self.icmp[0] in ICMP_NEW[6] else "untracked" if 130 <= self.icmp[0] <= 143 else "invalid"
        return "new"


# --- what the documentation says -----------------------------------------------------------------------------------------


def in_ports(texts, port):
    """"80" or "80-90"."""
    ranges = (str(text).split("-") for text in texts)
    return any(int(each[0]) <= port <= int(each[-1]) for each in ranges)


def in_addresses(texts, address):
    address = ipaddress.ip_address(address)
    for text in texts:
        if "-" in text:
            first, last = map(ipaddress.ip_address, text.split("-"))
            if first.version == address.version and first <= address <= last:
                return True
        elif address in ipaddress.ip_network(text):
            return True
    return False


class World:
    """Zones, aliases, services and rules, as they are configured."""

    def __init__(self):
        self.aliases = {}
        self.services = {}
        self.rules = []  # (name, priority, spec)

    def documents(self):
        def document(kind, name, spec):
            return "---\n" + json.dumps({"apiVersion": "patronus.firewall/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}) + "\n"

        yield document("FilterSettings", "default", {"invalid": "allow"})
        for host in HOSTS:
            yield document("Zone", host, {"interfaces": [host], "forward": "drop"})
        for name, spec in self.aliases.items():
            yield document("Alias", name, spec)
        for name, spec in self.services.items():
            yield document("Service", name, spec)
        for name, spec in self.rules:
            yield document("FirewallRule", name, spec)

    # one question a method

    def family(self, spec):
        """What the rule is of: 4, 6 or 0."""
        if spec.get("protocol") in ("icmp", "icmpv6"):
            return 4 if spec["protocol"] == "icmp" else 6
        if "family" in spec:
            return int(spec["family"][-1])
        for endpoint in (spec.get("source", {}), spec.get("destination", {})):
            for texts in (endpoint.get("addresses"), endpoint.get("except", {}).get("addresses")):
                if texts:
                    return 6 if ":" in texts[0] else 4
        return 0

    def address_matches(self, endpoint, address):
        excluded = endpoint.get("except", {})
        wanted = endpoint.get("addresses", []) + [text for alias in endpoint.get("aliases", []) for text in self.aliases[alias]["addresses"]]
        unwanted = excluded.get("addresses", []) + [text for alias in excluded.get("aliases", []) for text in self.aliases[alias]["addresses"]]
        asked = "addresses" in endpoint or "aliases" in endpoint
        return (not asked or in_addresses(wanted, address)) and not in_addresses(unwanted, address)

    def port_matches(self, endpoint, port):
        excluded = endpoint.get("except", {})
        wanted = endpoint.get("ports", []) + [text for alias in endpoint.get("portAliases", []) for text in self.aliases[alias]["ports"]]
        unwanted = excluded.get("ports", []) + [text for alias in excluded.get("portAliases", []) for text in self.aliases[alias]["ports"]]
        asked = "ports" in endpoint or "portAliases" in endpoint
        return (not asked or in_ports(wanted, port)) and not in_ports(unwanted, port)

    @staticmethod
    def asks_for_ports(endpoint):
        return any(word in each for each in (endpoint, endpoint.get("except", {})) for word in ("ports", "portAliases"))

    def service_matches(self, name, packet, ports_only):
        service = self.services.get(name) or SERVICES[name]
        for word, protocol in (("tcp", TCP), ("udp", UDP), ("sctp", SCTP)):
            if packet.protocol == protocol and in_ports(service.get(word, []), packet.dport):
                return True
        return not ports_only and packet.protocol in [PROTOCOLS[word] for word in service.get("protocols", [])]

    @staticmethod
    def icmp_matches(text, packet):
        word, _, code = str(text).partition("/")
        kind = int(word) if word.isdigit() else ICMP_NAMES[word].get(packet.family)
        return packet.icmp[0] == kind and (code == "" or packet.icmp[1] == int(code))

    @staticmethod
    def mark_matches(text, packet):
        value, _, mask = text.partition("/")
        return MARKS.get(packet.hops, 0) & int(mask or "0xffffffff", 16) == int(value, 16)

    def protocol_matches(self, spec, packet):
        source, destination = spec.get("source", {}), spec.get("destination", {})
        asks = self.asks_for_ports(source) or self.asks_for_ports(destination)
        if "services" in spec and not any(self.service_matches(name, packet, asks) for name in spec["services"]):
            return False
        if "protocol" in spec and packet.protocol != PROTOCOLS[spec["protocol"]]:
            return False
        if "icmpTypes" in spec:
            if packet.protocol != (ICMP if packet.family == 4 else ICMP6):
                return False
            if not any(self.icmp_matches(text, packet) for text in spec["icmpTypes"]):
                return False
        if asks:
            if "protocol" not in spec and "services" not in spec and packet.protocol not in (TCP, UDP):
                return False
            return packet.has_ports and self.port_matches(source, packet.sport) and self.port_matches(destination, packet.dport)
        return True

    def mac_matches(self, source, mac):
        wanted = source.get("macs", []) + [text for alias in source.get("macAliases", []) for text in self.aliases[alias]["macs"]]
        return ("macs" not in source and "macAliases" not in source) or mac in wanted

    def matches(self, spec, packet):
        source, destination = spec.get("source", {}), spec.get("destination", {})
        return (
            spec.get("from", packet.from_host) in ("any", packet.from_host)
            and spec.get("to", packet.to_host) in ("any", packet.to_host)
            and self.family(spec) in (0, packet.family)
            and self.address_matches(source, packet.source)
            and self.address_matches(destination, packet.destination)
            and self.mac_matches(source, packet.mac)
            and spec.get("dscp", packet.dscp) == packet.dscp
            and ("mark" not in spec or self.mark_matches(spec["mark"], packet))
            and ("states" not in spec or packet.state in spec["states"])
            and self.protocol_matches(spec, packet)
        )

    def decide(self, packet):
        """The rule's name and whether the packet arrives."""
        ordered = sorted(self.rules, key=lambda rule: rule[1]["priority"])  # stable: the order of the file
        for name, spec in ordered:
            if self.matches(spec, packet):
                return name, spec["action"] == "allow"
        return None, False


# --- what is drawn -------------------------------------------------------------------------------------------------------


def some(draw, things, least=1, most=3):
    return draw.sample(list(things), draw.randint(least, min(most, len(things))))


def some_port_texts(draw, most=3):
    texts = set()
    for _ in range(draw.randint(1, most)):
        first, last = sorted(draw.choices(PORTS, k=2))
        texts.add(str(first) if draw.random() < 0.5 else f"{first}-{last}" if first != last else str(first))
    return sorted(texts)


def some_address_texts(draw, host, family, most=3):
    texts = {}  # by first and last: none twice, however it is written
    for address in some(draw, _addresses(host, family), 1, most):
        address = ipaddress.ip_address(address)
        kind = draw.random()
        if kind < 0.75:
            last = address + (draw.choice((1, 2, 7)) if kind > 0.5 else 0)
            texts[address, last] = f"{address}-{last}" if last != address else str(address)
        else:
            network = ipaddress.ip_network(f"{address}/{draw.choice((16, 24, 29, 31) if family == 4 else (32, 64, 125, 127))}", strict=False)
            texts[network[0], network[-1]] = str(network)
    return list(texts.values())


def draw_aliases(draw, world):
    for name in ("hosts", "others"):
        host = draw.choice(list(HOSTS))
        families = some(draw, (4, 6), 1, 2)  # of one there may be nothing
        world.aliases[name] = {"type": "host", "addresses": [text for family in families for text in some(draw, _addresses(host, family))]}
    families = some(draw, (4, 6), 1, 2)
    world.aliases["nets"] = {"type": "network", "addresses": [text for family in families
                                                              for text in some_address_texts(draw, draw.choice(list(HOSTS)), family)]}
    world.aliases["ports"] = {"type": "port", "ports": some_port_texts(draw)}
    world.aliases["macs"] = {"type": "mac", "macs": some(draw, MACS)}
    world.services["shop"] = {"tcp": some_port_texts(draw), "udp": some_port_texts(draw, 1), "sctp": some_port_texts(draw, 1)}
    if draw.random() < 0.5:
        world.services["ssh"] = {"tcp": some_port_texts(draw, 2)}
    else:
        world.services.pop("ssh", None)


def draw_endpoint(draw, host, family, source, ports):
    endpoint, excluded = {}, {}
    if draw.random() < 0.4:
        if family:
            endpoint["addresses"] = some_address_texts(draw, host, family, draw.choice((1, 2, 5)))
        if not family or draw.random() < 0.4:
            endpoint["aliases"] = some(draw, ("hosts", "others", "nets"), 1, 2)
    if draw.random() < 0.2:
        if family and draw.random() < 0.6:
            excluded["addresses"] = some_address_texts(draw, host, family, 2)
        else:
            excluded["aliases"] = some(draw, ("hosts", "nets"), 1, 2)
    if ports:
        if draw.random() < 0.6:
            endpoint["ports"] = sorted({text for _ in range(draw.choice((1, 1, 8))) for text in some_port_texts(draw)})
        if draw.random() < 0.2:
            endpoint["portAliases"] = ["ports"]
        if draw.random() < 0.25:
            excluded["ports"] = some_port_texts(draw)
        elif draw.random() < 0.15:
            excluded["portAliases"] = ["ports"]
    if source and draw.random() < 0.2:
        if draw.random() < 0.7:
            endpoint["macs"] = some(draw, MACS)
        else:
            endpoint["macAliases"] = ["macs"]
    if excluded:
        endpoint["except"] = excluded
    return endpoint


def draw_icmp(draw, spec):
    """Types by name, of one family or both; or by number, with the protocol."""
    if draw.random() < 0.3:
        spec["protocol"] = draw.choice(("icmp", "icmpv6"))
        numbers = ("3/1", "3/4", 8, 13, 11) if spec["protocol"] == "icmp" else ("1/4", 2, 128, "129/0")
        spec["icmpTypes"] = some(draw, numbers)
        spec.pop("family", None)
        return 4 if spec["protocol"] == "icmp" else 6
    family = draw.choice((0, 0, 4, 6))
    names = [name for name, types in ICMP_NAMES.items() if not family or family in types]
    spec["icmpTypes"] = [name + draw.choice(("", "", "/1", "/4")) for name in some(draw, names, 1, 4)]
    spec.pop("family", None)
    if family:
        spec["family"] = f"ipv{family}"
    elif all(6 not in ICMP_NAMES[text.partition("/")[0]] for text in spec["icmpTypes"]):
        return 4
    elif all(4 not in ICMP_NAMES[text.partition("/")[0]] for text in spec["icmpTypes"]):
        return 6
    return family


def draw_rule(draw):
    spec = {"action": draw.choice(("allow", "allow", "drop")), "priority": draw.choice((100, 200, 200, 200, 300))}
    source, target = draw.choice(("any", *HOSTS)), draw.choice(("any", "router", *HOSTS, *HOSTS))
    if source != "any" or draw.random() < 0.5:
        spec["from"] = source
    if target != "any" or draw.random() < 0.5:
        spec["to"] = target
    family = draw.choice((0, 4, 6))
    if family and draw.random() < 0.5:
        spec["family"] = f"ipv{family}"
    about = draw.choice(("ports", "ports", "ports", "services", "icmp", "protocol", "nothing"))
    if about == "services":
        spec["services"] = some(draw, ("ssh", "dns", "ipsec", "shop"))
    elif about == "icmp":
        family = draw_icmp(draw, spec)
    elif about == "protocol":
        spec["protocol"] = draw.choice(("tcp", "udp", "sctp", "esp"))
    elif about == "ports" and draw.random() < 0.6:
        spec["protocol"] = draw.choice(("tcp", "udp", "sctp"))
    for name, host in (("source", source), ("destination", target)):
        host = host if host in HOSTS else draw.choice(list(HOSTS))
        endpoint = draw_endpoint(draw, host, family, name == "source", about == "ports" or (about == "services" and name == "source"))
        if endpoint:
            spec[name] = endpoint
    if draw.random() < 0.12:
        spec["dscp"] = draw.choice(CODE_POINTS)
    if draw.random() < 0.12:
        spec["mark"] = draw.choice(MARK_MATCHES)
    if draw.random() < 0.15:
        spec["states"] = some(draw, ("new", "invalid", "untracked"), 1, 2)
    if draw.random() < 0.1:
        spec |= {"log": True, "logRate": "1/day"}
    asks = spec.keys() - {"action", "priority", "from", "to", "family", "log", "logRate"}
    return spec if asks else draw_rule(draw)  # what matches nearly all would hide all that comes after it


def draw_run(draw):
    """Rules of one shape, so that most of them become keys of one map; some ask for more, which breaks it."""
    for number in range(24):
        addresses = some(draw, _addresses("lan", 4), 1, 2)
        spec = {"action": draw.choice(("allow", "drop")), "priority": 250, "from": "lan", "to": "wan", "protocol": draw.choice(("tcp", "udp")),
                "source": {"addresses": addresses}, "destination": {"ports": [str(port) for port in some(draw, PORTS, 1, 2)]}}
        if draw.random() < 0.1:
            spec["source"]["except"] = {"addresses": addresses[:1]}
        yield f"f-{number}", spec


def interesting_ports(draw, endpoint):
    """The ends of a rule's ranges, and what is just beside them."""
    texts = endpoint.get("ports", []) + endpoint.get("except", {}).get("ports", [])
    if not texts:
        return draw.choice(PORTS)
    end = int(draw.choice(draw.choice(texts).split("-")))
    return min(max(end + draw.choice((-1, 0, 0, 1)), 1), 65535)


def texts_of(world, endpoint):
    """What an endpoint wants and what it excludes, with what is in aliases."""
    for each in (endpoint, endpoint.get("except", {})):
        yield from each.get("addresses", [])
        for alias in each.get("aliases", []):
            yield from world.aliases[alias]["addresses"]


def interesting_source(draw, world, endpoint, host, family):
    """The ends of a rule's ranges, and what is just beside them; none that a router would not take as a source (RFC 1812 5.3.7)."""
    texts = [text for text in texts_of(world, endpoint) if (":" in text) == (family == 6)]
    if texts and draw.random() < 0.8:
        text = draw.choice(texts)
        first, last = map(ipaddress.ip_address, text.split("-")) if "-" in text else (ipaddress.ip_network(text)[0], ipaddress.ip_network(text)[-1])
        address = draw.choice((first, last, first - 1, last + 1))
        if int(address) & 0xFF not in (0, 1, 0xFF) or int(address) >> 8 & 0xFF:
            return str(address)
    return draw.choice(_addresses(host, family))


def interesting_destination(draw, world, endpoint, host, family):
    """One that somebody has: what the rule wants, if there is any of it, more often than others."""
    there = _addresses(host, family)[:3]
    wanted = [address for address in there if in_addresses(texts_of(world, endpoint), address)]
    return draw.choice(wanted if wanted and draw.random() < 0.6 else there)


def draw_packet(draw, world, number, spec):
    """Aimed at a rule, so that most meet one, and often just beside it."""
    source_host = spec.get("from") if spec.get("from") in HOSTS else draw.choice(list(HOSTS))
    target_host = spec.get("to") if spec.get("to") in HOSTS else draw.choice(list(HOSTS))
    if source_host == target_host:
        target_host = draw.choice([host for host in HOSTS if host != source_host])
    family = int(spec.get("family", draw.choice(("ipv4", "ipv6")))[-1])
    if spec.get("protocol") in ("icmp", "icmpv6") and draw.random() < 0.9:
        family = 4 if spec["protocol"] == "icmp" else 6
    protocol = PROTOCOLS.get(spec.get("protocol"), draw.choice((TCP, UDP, SCTP, ESP)))
    if "ipsec" in spec.get("services", ()) and draw.random() < 0.5:
        protocol = draw.choice((UDP, ESP, AH) if family == 4 else (UDP, ESP))  # of IPv6, AH is a header before the protocol
    if "icmpTypes" in spec or protocol in (ICMP, ICMP6) or draw.random() < 0.1:
        protocol = ICMP if family == 4 else ICMP6
    words = [str(text).partition("/")[0] for text in spec.get("icmpTypes", ())] or list(ICMP_NAMES)
    word = draw.choice(words)
    kind = int(word) if word.isdigit() else ICMP_NAMES[word].get(family, 8 if family == 4 else 128)
    ports = protocol in (TCP, UDP, SCTP)
    dport = interesting_ports(draw, spec.get("destination", {}))
    if "services" in spec and draw.random() < 0.7:
        dport = draw.choice((22, 53, 500, 4500))
    return Packet(
        number=number, from_host=source_host, to_host=target_host,
        source=interesting_source(draw, world, spec.get("source", {}), source_host, family),
        destination=interesting_destination(draw, world, spec.get("destination", {}), target_host, family),
        mac=draw.choice(spec.get("source", {}).get("macs", MACS) if draw.random() < 0.6 else MACS), dscp=spec.get("dscp", 0) if draw.random() < 0.7 else draw.choice(CODE_POINTS),
        hops=draw.choice((60, 60, 60, *MARKS, UNTRACKED_HOPS)), protocol=protocol,
        sport=interesting_ports(draw, spec.get("source", {})) if ports else 0, dport=dport if ports else 0,
        flags=draw.choice((frames.TCP_SYN, frames.TCP_SYN, frames.TCP_SYN | frames.TCP_ACK)), icmp=(kind, draw.choice((0, 1, 4))),
    )


# --- the wire ------------------------------------------------------------------------------------------------------------


class Wire:
    """Sends frames from hosts and sees which arrive at others; nobody answers, so that nothing is established."""

    def __init__(self, lab):
        self.lab = lab
        self.sockets = {}
        for host in HOSTS:
            sock = netns.make_socket(lab.netns(host), socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            sock.bind(("eth0", 3))
            self.sockets[host] = sock
            lab.exec(host, "nft", "-f", "-", input=SILENT)
            mac = json.loads(lab.exec(host, "ip", "-j", "link", "show", "eth0").stdout)[0]["address"]
            for family in (4, 6):
                for address in _addresses(host, family)[:3]:
                    lab.exec("router", "ip", "neigh", "replace", address, "lladdr", mac, "dev", host, "nud", "permanent")
        self.router_macs = {host: json.loads(lab.exec("router", "ip", "-j", "link", "show", host).stdout)[0]["address"] for host in HOSTS}
        lab.exec("router", "sysctl", "-qw", *(f"net.ipv4.conf.{name}.rp_filter=0" for name in ("all", *HOSTS)))
        lab.nft(OTHERS)

    def close(self):
        for sock in self.sockets.values():
            sock.close()

    def send(self, packets, expected):
        """The numbers of those that arrived: waits for the expected ones, and a while for others."""
        tokens = {f"<{packet.number:012d}>".encode(): packet for packet in packets}
        arrived = set()
        for token, packet in tokens.items():
            self.sockets[packet.from_host].send(frames.frame(self.router_macs[packet.from_host], packet, token))
            self._read(tokens, arrived, 0)
        end = time.monotonic() + 5
        while expected - arrived and time.monotonic() < end:
            self._read(tokens, arrived, 0.1)
        while self._read(tokens, arrived, 0.2):
            pass
        return arrived

    def _read(self, tokens, arrived, timeout):
        ready = select.select(list(self.sockets.values()), [], [], timeout)[0]
        for sock in ready:
            for data, (_, _, kind, _, _) in iter(lambda: self._receive(sock), (None, (0, 0, 0, 0, 0))):
                if kind == socket.PACKET_OUTGOING:
                    continue
                token = data[data.find(b"<0") :][:14]
                if token in tokens and sock is self.sockets[tokens[token].to_host]:
                    arrived.add(tokens[token].number)
        return bool(ready)

    @staticmethod
    def _receive(sock):
        try:
            return sock.recvfrom(4096)
        except BlockingIOError:
            return None, (0, 0, 0, 0, 0)


def counted(lab):
    counts = {}
    for row in map(json.loads, lab.ctl("filter", "counters", "-o", "json").stdout.splitlines()):
        if row["kind"] == "FirewallRule":
            counts[row["name"]] = counts.get(row["name"], 0) + row["packets"]
    return counts


@pytest.fixture
def wire(lab):
    wire = Wire(lab)
    yield wire
    wire.close()


@pytest.mark.parametrize("seed", range(40 if os.environ.get("PATRONUS_LONG") else 5))
def test_frames_meet_what_the_rules_say(lab, wire, seed):
    draw = random.Random(seed)
    world = World()
    numbers = itertools.count(1)
    used = set()
    draw_aliases(draw, world)
    world.rules = [(f"r-{number}", draw_rule(draw)) for number in range(RULES)] + list(draw_run(draw))
    for _ in range(3):
        lab.apply("".join(world.documents()), "--replace")
        listing = lab.exec("router", "nft", "list", "table", "inet", "patronus").stdout
        assert "unknown" not in listing
        packets, decided, outcomes, draws = [], {}, collections.Counter(), 0
        while len(packets) < PACKETS:
            draws += 1
            packet = draw_packet(draw, world, next(numbers), draw.choice(world.rules)[1])
            if packet.protocol not in (ICMP, ICMP6) and packet.tuple in used:  # numbers tell those apart
                continue
            decision = world.decide(packet)
            if outcomes[decision[1]] >= PACKETS * 9 // 10 and draws < DRAWS:
                continue
            outcomes[decision[1]] += 1
            used.add(packet.tuple)
            packets.append(packet)
            decided[packet.number] = decision
        expected = {number for number, (_, arrives) in decided.items() if arrives}
        assert PACKETS / 20 < len(expected) < PACKETS * 19 / 20  # else it tells little
        before = counted(lab)
        arrived = wire.send(packets, expected)
        wrong = [f"{packet}: {'arrived' if packet.number in arrived else 'did not arrive'}, decided by {decided[packet.number][0]} "
                 f"{dict(world.rules).get(decided[packet.number][0])}"
                 for packet in packets if (packet.number in arrived) != (packet.number in expected)]
        assert not wrong, "\n".join(wrong[:5])
        after = counted(lab)
        for name, spec in world.rules:
            mine = sum(1 for rule, _ in decided.values() if rule == name)
            assert after.get(name, 0) - before.get(name, 0) == mine, f"{name} {spec}"
        # what comes next is incremental: aliases and services change under their rules, some rules are edited, some go, some come
        draw_aliases(draw, world)
        world.rules = [(name, draw_rule(draw) if draw.random() < 0.2 else spec) for name, spec in world.rules if draw.random() < 0.9]
        world.rules += [(f"n-{next(numbers)}", draw_rule(draw)) for _ in range(8)]
