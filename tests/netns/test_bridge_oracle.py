# SPDX-License-Identifier: GPL-3.0-or-later
"""All that a rule of a bridge can ask, in random policies, against frames made by hand and an evaluation of them that shares nothing with
the compiler (bridge_oracle.py): by which ports a frame leaves, whether this machine gets it, and which rule counted it each time. What `filter why` says of them is the third way."""

import collections
import dataclasses
import itertools
import json
import os
import random
import select
import socket
import time

import filter_draw
import netns
import pytest
from bridge_oracle import BRIDGE, Arp, Bridge, Frame
from filter_oracle import HOSTS, ICMP, ICMP6, World, host_addresses

PORTS = {"p1": "wan", "p2": "lan", "p3": "dmz"}  # port of the bridge: who is behind it
OWNERS = {f"02:00:5e:00:00:{number:02x}": ("p1", "p1", "p2", "p2", "p3", "p3")[number - 1] for number in range(1, 7)}
BROADCAST, GROUP = "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb"
VLANS = (1, 2, 10, 11, 20, 4094)
MACS = ("02:00:5e:00:00:00/ff:ff:ff:ff:ff:fe", "02:00:5e:00:00:04", "02:00:5e:00:00:05", "01:00:00:00:00:00/01:00:00:00:00:00")
RULES = 40
FRAMES = 300
ROUNDS = 3
PATIENCE = 64  # draws of eight settings


def draw_ip(draw, world, spec):
    """What a rule of the filter would ask of a packet."""
    about = filter_draw.draw_rule(draw)
    spec |= {word: about[word] for word in ("family", "protocol", "source", "destination", "services", "icmpTypes") if word in about}
    source = {word: value for word, value in spec.pop("source", {}).items() if word not in ("macs", "macAliases")}
    if source:
        spec["source"] = source


def draw_rule(draw, world):
    spec = {"action": draw.choice(("allow", "drop")), "priority": draw.choice((100, 200, 200, 300)),
            "direction": draw.choice(("forward", "forward", "forward", "in", "out"))}
    if spec["direction"] != "out" and draw.random() < 0.3:
        spec["from"] = filter_draw.some(draw, ("p1", "p2", "p*", "x9"), 1, 2)
    if spec["direction"] != "in" and draw.random() < 0.3:
        spec["to"] = filter_draw.some(draw, ("p2", "p3", "p*"), 1, 2)
    for word in ("sourceMac", "destinationMac"):
        if draw.random() < 0.25:
            text = draw.choice(MACS)
            spec[word] = [text] if "/01" in text else sorted({text, draw.choice(tuple(OWNERS))})
        if draw.random() < 0.08 and not any("/01" in text for text in spec.get(word, [])):
            spec[f"{word}Aliases"] = ["macs"]
    if draw.random() < 0.25:
        spec["vlans"] = draw.choice((["untagged"], [10], ["10-20"], ["untagged", 4094], ["1-2", 20], ["2-4093"]))
    about = draw.choice(("types", "arp", "ip", "ip", "nothing"))
    if about == "types":
        spec["etherTypes"] = filter_draw.some(draw, ("ipv4", "ipv6", "arp", "0x88b5", "0x9000"), 1, 3)
    elif about == "arp":
        asked = {}
        if draw.random() < 0.5:
            asked["operation"] = filter_draw.some(draw, ("request", "reply", "8"), 1, 2)
        if draw.random() < 0.3:
            asked["senderMac"] = filter_draw.some(draw, OWNERS)
        for word in ("senderAddress", "targetAddress"):
            if draw.random() < 0.4:
                asked[word] = filter_draw.some_address_texts(draw, draw.choice(tuple(HOSTS)), 4)
        spec["arp"] = asked or {"operation": ["request"]}
    elif about == "ip":
        draw_ip(draw, world, spec)
    if draw.random() < 0.15:
        spec["group"] = draw.choice(filter_draw.GROUPS)
    if draw.random() < 0.1:
        spec["enabled"] = False
    if draw.random() < 0.12:
        spec["mode"] = "audit"
    asks = spec.keys() - {"action", "priority", "direction", "group", "enabled", "mode", "from", "to"}
    return spec if asks else draw_rule(draw, world)  # what matches nearly all would hide all that comes after it


def draw_frame(draw, world, number, spec):
    """Aimed at a rule, and often just beside it."""
    if spec["direction"] == "out":
        port = BRIDGE
    else:
        port = draw.choice(tuple(PORTS))
    destinations = [*OWNERS, BROADCAST, GROUP] + ([] if port == BRIDGE else ["bridge"] * (8 if spec["direction"] == "in" else 1))
    fields = {"number": number, "port": port, "source": draw.choice(tuple(OWNERS)), "destination": draw.choice(destinations)}
    if draw.random() < 0.5:
        fields["tag"] = draw.choice((0, *VLANS))
    kind = "arp" if "arp" in spec else "ip" if any(word in spec for word in ("source", "destination", "protocol", "services", "icmpTypes", "family")) else draw.choice(("arp", "ip", "other"))
    if draw.random() < 0.15:
        kind = draw.choice(("arp", "ip", "other"))
    if kind == "arp":
        asked = spec.get("arp", {})
        def near(texts):
            return filter_draw.interesting_source(draw, world, {"addresses": texts}, draw.choice(tuple(HOSTS)), 4)

        fields |= {"ether_type": 0x0806, "arp": Arp(draw.choice((1, 1, 2, 8, 9)), draw.choice(tuple(OWNERS)),
                                                    near(asked.get("senderAddress", [])), near(asked.get("targetAddress", [])))}
    elif kind == "ip":
        of_ip = {word: spec[word] for word in ("family", "protocol", "source", "destination", "services", "icmpTypes") if word in spec}
        packet = dataclasses.replace(filter_draw.draw_packet(draw, world, number, of_ip), mac=fields["source"])
        fields |= {"ether_type": 0x0800 if packet.family == 4 else 0x86DD, "packet": packet}
    else:
        fields["ether_type"] = draw.choice((0x88B5, 0x9000, 0x88B6))
    return Frame(**fields)


class Wire:
    """A bridge in the router, three hosts on it, and sockets at all four places."""

    def __init__(self, lab):
        self.lab, self.sockets = lab, {}
        self._ip("link", "add", BRIDGE, "type", "bridge", "mcast_snooping", "0", "stp_state", "0")
        self._quiet("router", BRIDGE)
        # rules of bridges alone decide
        lab.exec("router", "sysctl", "-qw", *(f"net.bridge.bridge-nf-call-{what}tables=0" for what in ("ip", "ip6", "arp")))
        for port, host in PORTS.items():
            self._ip("link", "add", port, "type", "veth", "peer", "name", "eth9", "netns", lab.netns(host))
            self._ip("link", "set", port, "master", BRIDGE)
            lab.exec("router", "bridge", "link", "set", "dev", port, "learning", "off")
            for namespace, name in (("router", port), (host, "eth9")):
                self._quiet(namespace, name)
                lab.exec(namespace, "ip", "link", "set", name, "up")
            self.sockets[port] = self._socket(lab.netns(host), "eth9")
        self._ip("link", "set", BRIDGE, "up")
        for mac, port in OWNERS.items():
            lab.exec("router", "bridge", "fdb", "replace", mac, "dev", port, "master", "static")
        self.mac = json.loads(lab.exec("router", "ip", "-j", "link", "show", BRIDGE).stdout)[0]["address"]
        self.sockets[BRIDGE] = self._socket(lab.netns("router"), BRIDGE)
        self._await_forwarding()

    def close(self):
        for sock in self.sockets.values():
            sock.close()

    def _ip(self, *words):
        self.lab.exec("router", "ip", *words)

    def _quiet(self, host, name):
        """No packets of its own: they would be counted."""
        self.lab.exec(host, "sysctl", "-qw", f"net.ipv6.conf.{name}.disable_ipv6=1", f"net.ipv4.conf.{name}.arp_ignore=8")

    @staticmethod
    def _socket(namespace, name):
        sock = netns.make_socket(namespace, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        sock.bind((name, 3))
        return sock

    def _await_forwarding(self):
        """Ports forward a moment after their links are up."""
        end = time.monotonic() + 30
        while any(row["state"] != "forwarding" for row in json.loads(self.lab.exec("router", "bridge", "-j", "link", "show").stdout)):
            assert time.monotonic() < end, "a port does not forward"
            select.select([], [], [], 0.05)

    def send(self, sent, expected):
        """{(number, where it came out)}: waits for the expected ones, and a while for others."""
        arrived, tokens = set(), {}
        for frame in sent:
            token = f"<{frame.number:012d}>".encode()
            tokens[token] = frame
            self.sockets[frame.port].send(frame.bytes(token))
            self._read(tokens, arrived, 0)
        end = time.monotonic() + 10
        while expected - arrived and time.monotonic() < end:
            self._read(tokens, arrived, 0.1)
        while self._read(tokens, arrived, 0.2):
            pass
        return arrived

    def _read(self, tokens, arrived, timeout):
        ready = select.select(list(self.sockets.values()), [], [], timeout)[0]
        for port, sock in self.sockets.items():
            while sock in ready:
                try:
                    data, (_, _, kind, _, _) = sock.recvfrom(4096)
                except BlockingIOError:
                    break
                token = data[data.find(b"<00000") :][:14]  # not by chance, as in a checksum
                if kind != socket.PACKET_OUTGOING and token in tokens:
                    arrived.add((tokens[token].number, port))
        return bool(ready)


@pytest.fixture
def wire(lab):
    wire = Wire(lab)
    yield wire
    wire.close()


def question(frame, out):
    """A frame of the oracle on its way to a port or to the bridge itself, as people write it."""
    asked = {"bridge": BRIDGE, "smac": frame.source, "dmac": frame.destination, "vlan": frame.vlan or "untagged"}
    if frame.port != BRIDGE:
        asked["in"] = frame.port
    if out != BRIDGE:
        asked["out"] = out
    if frame.port == BRIDGE and frame.tag is not None:  # nothing after it is seen (docs/BRIDGE.md)
        return asked | {"ether-type": f"{frame.tag_type:#06x}"}
    asked["ether-type"] = f"{frame.ether_type:#06x}"
    packet = frame.packet
    if frame.arp:
        asked |= {"arp-op": str(frame.arp.operation), "arp-mac": frame.arp.sender_mac, "src": frame.arp.sender, "dst": frame.arp.target}
    elif packet:
        asked |= {"src": packet.source, "dst": packet.destination, "proto": packet.protocol}
        if packet.has_ports:
            asked |= {"sport": packet.sport, "dport": packet.dport}
        if packet.protocol in (ICMP, ICMP6):
            asked["icmp-type"] = "/".join(map(str, packet.icmp))
    return asked


def why(lab, questions):
    done = lab.ctl("filter", "why", "--batch", "-", stdin="".join(json.dumps(asked) + "\n" for asked in questions))
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_answers(lab, bridge, sent, traces):
    """`filter why` names the verdict, and the rule that decides; of these frames all is known."""
    frames = {frame.number: frame for frame in sent}
    specs = dict(bridge.rules)
    answers = why(lab, [question(frames[number], out) for number, out in traces])
    assert len(answers) == len(traces)
    for ((number, out), (names, passes)), answer in zip(traces.items(), answers):
        deciders = [name for name in names if specs[name].get("mode") != "audit"]
        said = (answer.get("verdict"), answer["rule"]["name"] if "rule" in answer else None)
        assert said == ("allow" if passes else "drop", deciders[-1] if deciders else None) and "doubt" not in answer, f"{frames[number]}: {out}: {answer}"
        assert answer["direction"] == ("in" if out == BRIDGE else "out" if frames[number].port == BRIDGE else "forward")


def counted(lab):
    counts = collections.Counter()
    for row in map(json.loads, lab.ctl("filter", "counters", "-o", "json").stdout.splitlines()):
        if row["kind"] == "BridgeRule":
            counts[row["name"]] += row["packets"]
    return counts


@pytest.mark.parametrize("seed", range(40 if os.environ.get("PATRONUS_LONG") else 3))
def test_frames_meet_what_the_rules_say(lab, wire, seed):
    draw = random.Random(seed)
    world = World()
    bridge = Bridge(world, list(PORTS))
    owner = OWNERS | {wire.mac: BRIDGE}
    numbers = itertools.count(1)
    filter_draw.draw_aliases(draw, world)
    bridge.rules = [(f"b-{number}", draw_rule(draw, world)) for number in range(RULES)]
    tuples = set()
    for _ in range(ROUNDS):
        sent = []
        while len(sent) < FRAMES:
            frame = draw_frame(draw, world, next(numbers), draw.choice(bridge.rules)[1])
            if frame.destination == "bridge":
                frame = dataclasses.replace(frame, destination=wire.mac)
            if frame.packet and frame.packet.tuple in tuples:
                continue
            if frame.packet:
                tuples.add(frame.packet.tuple)
            sent.append(frame)
        # defaults with which not nearly all passes, and not nearly nothing: else it would tell little
        for _ in range(PATIENCE):
            bridge.settings = {word: draw.choice(("allow", "drop")) for word in ("default", "input", "output")}
            traces = {(frame.number, out): bridge.trace(frame, out) for frame in sent for out in bridge.ways(frame, owner)}
            expected = {way for way, (_, passes) in traces.items() if passes}
            if len(traces) / 20 < len(expected) < len(traces) * 19 / 20:
                break
        else:
            pytest.fail("no defaults make the policy one that tells something")
        lab.apply("".join(bridge.documents()), "--replace")
        check_answers(lab, bridge, sent, traces)
        before = counted(lab)
        arrived = wire.send(sent, expected)
        wrong = [f"{frame}: {out}: {'arrived' if (frame.number, out) in arrived else 'did not arrive'}, counted by {traces.get((frame.number, out))}\n"
                 f"   {[(name, spec) for name, spec in bridge.rules if name in traces.get((frame.number, out), ([],))[0]]}"
                 for frame in sent for out in (*PORTS, BRIDGE) if ((frame.number, out) in arrived) != ((frame.number, out) in expected)]
        assert not wrong, "\n".join(wrong[:5])
        after = counted(lab)
        for name, spec in bridge.rules:
            assert after[name] - before[name] == sum(name in names for names, _ in traces.values()), f"{name} {spec}"
        # what comes next is incremental: aliases change under their rules, some rules are edited, some go, some come
        filter_draw.draw_aliases(draw, world)
        bridge.rules = [(name, draw_rule(draw, world) if draw.random() < 0.2 else spec) for name, spec in bridge.rules if draw.random() < 0.9]
        bridge.rules += [(f"n-{next(numbers)}", draw_rule(draw, world)) for _ in range(6)]
