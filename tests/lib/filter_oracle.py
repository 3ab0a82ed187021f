# SPDX-License-Identifier: GPL-3.0-or-later
"""What a policy does with a packet, as its documentation says: rules one after the other, nothing clever.

It knows rules from their documentation, packets from their RFCs, and connection tracking from net/netfilter/nf_conntrack_proto_*.c;
it shares nothing with the compiler or the evaluator, which it judges.
"""

import dataclasses
import ipaddress
import json

import frames

HOSTS = {"wan": 1, "lan": 2, "dmz": 3}  # numbers as tools/lab has them
TCP, UDP, SCTP, ESP, AH, ICMP, ICMP6 = 6, 17, 132, 50, 51, 1, 58
PROTOCOLS = {"tcp": TCP, "udp": UDP, "sctp": SCTP, "esp": ESP, "ah": AH, "icmp": ICMP, "icmpv6": ICMP6}
# The hop limit says what other programs' rules make of a packet: a mark, or no tracking.
MARKS = {60: 0, 61: 0x11, 62: 0x10, 63: 0xFF000011}
UNTRACKED_HOPS = 70
FLAGS = ("fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr")  # RFC 9293 3.1, RFC 3168; the lowest bit first
# name: type in each family (IANA, ICMP Type Numbers and ICMPv6 Parameters)
ICMP_NAMES = {"echo-request": {4: 8, 6: 128}, "echo-reply": {4: 0, 6: 129}, "destination-unreachable": {4: 3, 6: 1},
              "time-exceeded": {4: 11, 6: 3}, "packet-too-big": {6: 2}, "timestamp-request": {4: 13}, "mld2-report": {6: 143}}
ICMP_NEW = {4: (8, 13), 6: (128,)}  # begin something; MLD and ND are not tracked; all others belong to something or to nothing
SERVICES = {  # built-in ones (explain Service), and those below
    "ssh": {"tcp": [22]}, "dns": {"tcp": [53], "udp": [53]}, "ipsec": {"udp": [500, 4500], "protocols": ["esp", "ah"]},
}


def host_addresses(host, family):
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
    size: int = 0  # bytes of the IP packet, if it is not as frame_wire sends it
    pieces: int = 1  # fragments that it arrives in: one or two

    @property
    def length(self):
        return self.size or len(frames.frame("02:00:00:00:00:01", self, bytes(frames.TOKEN))) - frames.ETHERNET

    @property
    def lengths(self):
        """Of its fragments."""
        return [len(piece) - frames.ETHERNET for piece in frames.pieces("02:00:00:00:00:01", self, bytes(frames.TOKEN))]

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
    """Zones, aliases, services, groups and rules, as they are configured."""

    def __init__(self):
        self.aliases = {}
        self.services = {}
        self.groups = {}
        self.rules = []  # (name, spec)

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
        for name, spec in self.groups.items():
            yield document("RuleGroup", name, spec)
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

    @staticmethod
    def flags_match(asked, packet):
        bits = {name: 1 << bit for bit, name in enumerate(FLAGS)}
        wanted, unwanted = (sum(bits[name] for name in asked.get(word, ())) for word in ("set", "clear"))
        return packet.protocol == TCP and packet.flags & wanted == wanted and not packet.flags & unwanted

    @staticmethod
    def interfaces_match(spec, packet):
        """The interfaces of a lab's router have the names of its hosts; all packets here are forwarded."""
        def fits(name):
            return any(name == each or (each.endswith("*") and name.startswith(each[:-1])) for each in spec["interfaces"])

        if "interfaces" not in spec:
            return True
        arrives, leaves = fits(packet.from_host), fits(packet.to_host)
        if not spec.get("floating"):
            return arrives
        return {"in": arrives, "out": leaves, "any": arrives or leaves}[spec.get("direction", "any")]

    @staticmethod
    def tags_match(spec, tags):
        return "tagged" not in spec or any(name in tags for name in spec["tagged"])

    def matches(self, spec, packet, tags=()):
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
            and ("tcpFlags" not in spec or self.flags_match(spec["tcpFlags"], packet))
            and ("length" not in spec or in_ports(spec["length"], packet.length))
            and self.interfaces_match(spec, packet)
            and self.tags_match(spec, tags)
            and self.protocol_matches(spec, packet)
        )

    def in_order(self):
        """Floating rules, those of the zones, and floating ones that are not quick, of which the last is asked first."""
        ordered = sorted(self.rules, key=lambda rule: rule[1]["priority"])  # stable: the order of the file
        floating = [rule for rule in ordered if rule[1].get("floating")]
        yield from (rule for rule in floating if rule[1].get("quick", True))
        yield from (rule for rule in ordered if not rule[1].get("floating"))
        yield from reversed([rule for rule in floating if not rule[1].get("quick", True)])

    def enabled(self, spec):
        return self.groups.get(spec.get("group"), {}).get("enabled", True)

    def fragment_dropped(self, packet, length, counted):
        """Whether a fragment is, as it arrives: before it is put together with the others, and before all other rules."""
        for name, spec in self.in_order():
            if not spec.get("fragments") or not self.enabled(spec):
                continue
            if not self.matches(spec, dataclasses.replace(packet, size=length)):
                continue
            counted.append(name)
            if spec.get("mode") != "audit":
                return name
        return None

    def trace(self, packet):
        """Names of the rules that count the packet or a fragment of it, once each time, and of the one that decides, with what it does;
        (names, None, "drop") of none."""
        counted, tags, dropped = [], set(), None
        if packet.pieces > 1:
            for length in packet.lengths:  # one that is dropped keeps no other from being asked about
                dropped = self.fragment_dropped(packet, length, counted) or dropped
        if dropped:
            return counted, dropped, "drop"
        for name, spec in self.in_order():
            if spec.get("fragments") or not self.enabled(spec) or not self.matches(spec, packet, tags):
                continue
            counted.append(name)
            if spec.get("mode") != "audit" and "setTag" in spec and packet.state == "new":
                tags.add(spec["setTag"])  # of the connection: what has none gets none
            if spec.get("mode") != "audit" and spec["action"] != "continue":
                return counted, name, spec["action"]
        return counted, None, "drop"

    def decide(self, packet):
        """The rule's name and whether the packet arrives."""
        _, name, action = self.trace(packet)
        return name, action == "allow"
