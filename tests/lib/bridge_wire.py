# SPDX-License-Identifier: GPL-3.0-or-later
"""A bridge in the router of a lab, with frames made by hand on its ports.

The bridge br0 has the ports p1, p2 and p3; what is sent on h1 comes in by p1, and what leaves by p1 is seen on h1. What is seen on br0 itself was
let through to the machine. After each load of frames comes a mark from every port and from the machine, which rules let pass (MARKS): all goes one way
on one CPU, so that what was not seen before the mark was dropped, and nobody waits for what does not come.
"""

import ipaddress
import os
import select
import socket
import struct
import time

import netns
from documents import document
from frames import checksum

PORTS = (1, 2, 3)
BRIDGE = "br0"
MARK_TYPE = 0x88B5  # IEEE 802: for local experiments
MACHINE_MAC = "02:00:00:00:00:fe"
BROADCAST = "ff:ff:ff:ff:ff:ff"
PATIENCE_S = 30.0
PACKET_OUTGOING = 4  # linux/if_packet.h
ETH_P_ALL = 3

# before all other rules
MARKS = "".join(document("BridgeRule", f"mark-{direction}", action="allow", priority=0, direction=direction, etherTypes=[f"0x{MARK_TYPE:04x}"])
                for direction in ("forward", "in", "out"))

SETUP = f"""
sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1
[ ! -e /proc/sys/net/bridge ] || sysctl -qw net.bridge.bridge-nf-call-iptables=0 net.bridge.bridge-nf-call-ip6tables=0 net.bridge.bridge-nf-call-arptables=0
ip link add {BRIDGE} address {MACHINE_MAC} type bridge forward_delay 0 mcast_snooping 0 %s
for i in 1 2 3; do
    ip link add p$i type veth peer name h$i
    ip link set h$i up; ip link set p$i master {BRIDGE} up
done
ip link set {BRIDGE} up
for i in 1 2 3; do
    while [ "$(cat /sys/class/net/{BRIDGE}/brif/p$i/state)" != 3 ]; do :; done
done
"""


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def host_mac(port):
    return f"02:00:00:00:00:{port:02x}"


def tags(vlan, tag_type=0x8100):
    return b"" if vlan is None else struct.pack("!HH", tag_type, vlan)


def ethernet(source, destination, ether_type, payload, vlan=None, tag_type=0x8100):
    return mac(destination) + mac(source) + tags(vlan, tag_type) + struct.pack("!H", ether_type) + payload


class BridgeWire:
    """with BridgeWire(lab) as wire: wire.send([(1, frame), ...]) -> a set of (number of the frame, where it was seen)"""

    def __init__(self, lab, options=""):
        self.lab = lab
        self.count = 0
        self.cpus = os.sched_getaffinity(0)
        lab.exec("router", "sh", "-ec", SETUP % options)
        self.sockets = {port: self._socket(name) for port, name in [(0, BRIDGE), *((port, f"h{port}") for port in PORTS)]}

    def _socket(self, name):
        made = netns.make_socket(self.lab.netns("router"), socket.AF_PACKET, socket.SOCK_RAW, 0)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        made.bind((name, ETH_P_ALL))
        return made

    def __enter__(self):
        os.sched_setaffinity(0, {min(self.cpus)})
        return self

    def __exit__(self, *_):
        os.sched_setaffinity(0, self.cpus)
        for each in self.sockets.values():
            each.close()
        self.lab.exec("router", "sh", "-c", "; ".join(f"ip link del {name}" for name in (BRIDGE, "h1", "h2", "h3")))

    def _marks(self):
        """Sent from each, and where each must arrive."""
        self.count += 1
        wanted = {}
        for port in (0, *PORTS):
            text = f"<mark {self.count:08d} {port}>".encode()
            source = MACHINE_MAC if port == 0 else host_mac(port)
            self.sockets[port].send(ethernet(source, BROADCAST, MARK_TYPE, text + bytes(46)))
            for other in (0, *PORTS):
                if other != port:
                    wanted[other] = wanted.get(other, set()) | {text}
        return wanted

    def send(self, frames):
        """Pairs of a port (0: the machine) and a frame, which has a place for a token: b"TOKEN" + 9 bytes. Gives (index, where) of what was seen; 0: it was
        let in to the machine."""
        tokens = {}
        for index, (port, frame) in enumerate(frames):
            token = b"TOKEN%09d" % index
            tokens[token] = index
            assert b"TOKEN" + bytes(9) in frame
            self.sockets[port].send(summed(frame.replace(b"TOKEN" + bytes(9), token)))
        seen, wanted, end = set(), self._marks(), time.monotonic() + PATIENCE_S
        while any(wanted.values()):
            ready = select.select(self.sockets.values(), [], [], max(0, end - time.monotonic()))[0]
            assert ready, f"marks are missing: {wanted}"
            for port, sock in self.sockets.items():
                if sock in ready:
                    self._read(port, sock, tokens, seen, wanted)
        return seen

    @staticmethod
    def _read(port, sock, tokens, seen, wanted):
        while True:
            try:
                data, address = sock.recvfrom(4096)
            except BlockingIOError:
                return
            if address[2] == PACKET_OUTGOING:
                continue
            at = data.find(b"TOKEN")
            if at >= 0 and data[at : at + 14] in tokens:
                seen.add((tokens[data[at : at + 14]], port))
            at = data.find(b"<mark ")
            if at >= 0:
                wanted.get(port, set()).discard(data[at : at + 17])


def summed(frame):
    """With the checksum of what is in its IP packet, which connection tracking looks at."""
    at = 14
    while frame[at - 2 : at] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    if frame[at - 2 : at] == b"\x08\x00":
        protocol, begin, addresses = frame[at + 9], at + 20, frame[at + 12 : at + 20]
    elif frame[at - 2 : at] == b"\x86\xdd":
        protocol, begin, addresses = frame[at + 6], at + 40, frame[at + 8 : at + 40]
    else:
        return frame
    place = {socket.IPPROTO_TCP: 16, socket.IPPROTO_UDP: 6, socket.IPPROTO_ICMP: 2, socket.IPPROTO_ICMPV6: 2}.get(protocol)
    if place is None:
        return frame
    segment = frame[begin : begin + place] + bytes(2) + frame[begin + place + 2 :]
    pseudo = b"" if protocol == socket.IPPROTO_ICMP else addresses + struct.pack("!II", len(segment), protocol)  # the same sum in both families
    return frame[: begin + place] + struct.pack("!H", checksum(pseudo + segment)) + segment[place + 2 :]


# What frames carry; each has a place for the token.

TOKEN = b"TOKEN" + bytes(9)


def ip(source, destination, protocol, payload):
    src, dst = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if src.version == 6:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + src.packed + dst.packed + payload
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0, 64, protocol, 0, src.packed, dst.packed)
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def udp(source, destination, sport, dport):
    return ip(source, destination, socket.IPPROTO_UDP, struct.pack("!HHHH", sport, dport, 8 + 32, 0) + TOKEN + bytes(18))


def tcp(source, destination, sport, dport, flags=2):
    return ip(source, destination, socket.IPPROTO_TCP, struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 0x50, flags, 512, 0, 0) + TOKEN + bytes(18))


def icmp(source, destination, kind, code=0):
    number = socket.IPPROTO_ICMPV6 if ":" in source else socket.IPPROTO_ICMP
    return ip(source, destination, number, struct.pack("!BBHHH", kind, code, 0, 1, 1) + TOKEN + bytes(18))


def arp(operation, sender_mac, sender, target_mac, target, form=(1, 0x0800, 6, 4)):
    return struct.pack("!HHBBH", *form, operation) + mac(sender_mac) + socket.inet_aton(sender) + mac(target_mac) + socket.inet_aton(target) + TOKEN + bytes(4)
