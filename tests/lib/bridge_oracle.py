# SPDX-License-Identifier: GPL-3.0-or-later
"""What BridgeRules do with a frame, as their documentation says: one after the other, nothing clever.

It knows rules from their documentation and frames from IEEE 802.3, 802.1Q, 802.1ad and RFC 826; of what is inside IP it asks
filter_oracle, which knows endpoints, protocols and services. It shares nothing with the compiler, which it judges.
"""

import dataclasses
import ipaddress
import json
import struct

import filter_oracle
import frames

ETHER_TYPES = {"ipv4": 0x0800, "ipv6": 0x86DD, "arp": 0x0806}
OPERATIONS = {"request": 1, "reply": 2}
BRIDGE = "br0"
IP_FIELDS = ("family", "protocol", "source", "destination", "services", "icmpTypes")


@dataclasses.dataclass(frozen=True)
class Arp:
    operation: int
    sender_mac: str
    sender: str
    target: str


@dataclasses.dataclass(frozen=True)
class Frame:
    number: int
    port: str  # that it arrives by, or the bridge itself: what this machine sends
    source: str
    destination: str
    ether_type: int
    tag: object = None  # VLAN id, or None
    tag_type: int = 0x8100
    arp: object = None
    packet: object = None  # filter_oracle.Packet

    @property
    def vlan(self):
        return self.tag or 0

    def bytes(self, token):
        """As it goes over the wire."""
        if self.packet:
            payload = frames.frame(self.destination, self.packet, token)[frames.ETHERNET :]
        elif self.arp:
            payload = struct.pack("!HHBBH", 1, 0x0800, 6, 4, self.arp.operation) + mac_bytes(self.arp.sender_mac) + ipaddress.ip_address(
                self.arp.sender).packed + bytes(6) + ipaddress.ip_address(self.arp.target).packed + token
        else:
            payload = token
        tag = b"" if self.tag is None else struct.pack("!HH", self.tag_type, self.tag)
        return (mac_bytes(self.destination) + mac_bytes(self.source) + tag + struct.pack("!H", self.ether_type) + payload).ljust(60, b"\0")


def mac_bytes(text):
    return bytes.fromhex(text.replace(":", ""))


def in_macs(texts, mac):
    """"02:00:5e:00:00:01", or "02:00:00:00:00:00/ff:00:00:00:00:00"."""
    def fits(text):
        value, _, mask = text.partition("/")
        bits = mac_bytes(mask or "ff:ff:ff:ff:ff:ff")
        return all(a & m == b & m for a, b, m in zip(mac_bytes(mac), mac_bytes(value), bits))

    return any(map(fits, texts))


def in_names(texts, name):
    return any(name == text or (text.endswith("*") and name.startswith(text[:-1])) for text in texts)


class Bridge:
    """Rules and settings, as they are configured; aliases, services and groups are the world's."""

    def __init__(self, world, ports):
        self.world, self.ports = world, ports
        self.rules = []  # (name, spec)
        self.settings = {}

    def documents(self):
        def document(kind, name, spec):
            return "---\n" + json.dumps({"apiVersion": "patronus.firewall/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}) + "\n"

        yield from self.world.documents()
        yield document("BridgeSettings", "default", self.settings)
        for name, spec in self.rules:
            yield document("BridgeRule", name, spec)

    # one question a method

    def macs_match(self, spec, word, mac):
        if word not in spec and f"{word}Aliases" not in spec:
            return True
        return in_macs(spec.get(word, []) + [text for alias in spec.get(f"{word}Aliases", []) for text in self.world.aliases[alias]["macs"]], mac)

    @staticmethod
    def vlans_match(texts, frame):
        for text in map(str, texts):
            if text == "untagged":
                if frame.vlan == 0:
                    return True
            elif frame.vlan and filter_oracle.in_ports([text], frame.vlan):
                return True
        return False

    @staticmethod
    def arp_matches(asked, arp):
        if arp is None:
            return False
        operations = [OPERATIONS.get(word) or int(word) for word in asked.get("operation", [])]
        return ((not operations or arp.operation in operations)
                and ("senderMac" not in asked or in_macs(asked["senderMac"], arp.sender_mac))
                and ("senderAddress" not in asked or filter_oracle.in_addresses(asked["senderAddress"], arp.sender))
                and ("targetAddress" not in asked or filter_oracle.in_addresses(asked["targetAddress"], arp.target)))

    def ip_matches(self, spec, packet):
        if not any(word in spec for word in IP_FIELDS):
            return True
        return (packet is not None
                and self.world.family(spec) in (0, packet.family)
                and self.world.address_matches(spec.get("source", {}), packet.source)
                and self.world.address_matches(spec.get("destination", {}), packet.destination)
                and self.world.protocol_matches(spec, packet))

    def matches(self, spec, frame, direction, out):
        # a tag in the bytes that the machine sends is not taken off: what is after it is not seen (docs/BRIDGE.md)
        if frame.port == BRIDGE and frame.tag is not None:
            frame = dataclasses.replace(frame, ether_type=frame.tag_type, arp=None, packet=None)
        return (
            spec.get("direction", "forward") == direction
            and ("from" not in spec or in_names(spec["from"], frame.port))
            and ("to" not in spec or in_names(spec["to"], out))
            and self.macs_match(spec, "sourceMac", frame.source)
            and self.macs_match(spec, "destinationMac", frame.destination)
            and ("etherTypes" not in spec or frame.ether_type in [ETHER_TYPES.get(text) or int(text, 16) for text in spec["etherTypes"]])
            and ("vlans" not in spec or self.vlans_match(spec["vlans"], frame))
            and ("arp" not in spec or self.arp_matches(spec["arp"], frame.arp))
            and self.ip_matches(spec, frame.packet)
        )

    def trace(self, frame, out):
        """Names of the rules that count the frame on its way to a port or up to the bridge itself, and whether it gets there."""
        direction = "in" if out == BRIDGE else "out" if frame.port == BRIDGE else "forward"
        counted = []
        for name, spec in sorted(self.rules, key=lambda rule: rule[1]["priority"]):  # stable: the order of the file
            if not spec.get("enabled", True) or not self.world.groups.get(spec.get("group"), {}).get("enabled", True):
                continue
            if not self.matches(spec, frame, direction, out):
                continue
            counted.append(name)
            if spec.get("mode") != "audit":
                return counted, spec["action"] == "allow"
        return counted, self.settings.get({"forward": "default", "in": "input", "out": "output"}[direction], "allow") == "allow"

    def ways(self, frame, owner):
        """Where a bridge takes it: to who has the destination, else everywhere but back (802.1D); `owner` says who has what."""
        everywhere = [port for port in (*self.ports, BRIDGE) if port != frame.port]
        at = owner.get(frame.destination)
        if at is None:
            return everywhere
        return [at] if at != frame.port else []
