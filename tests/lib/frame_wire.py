# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames sent from the hosts of a lab by hand, and which of them arrive at another."""

import json
import select
import socket
import time

import frames
import netns
import traffic
from filter_oracle import HOSTS, host_addresses

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


class Wire:
    """Sends frames from hosts and sees which arrive at others; nobody answers, so that nothing is established."""

    silence_s = 0.2  # after which no more is awaited

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
                for address in host_addresses(host, family)[:3]:
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
            for piece in frames.pieces(self.router_macs[packet.from_host], packet, token):
                self.sockets[packet.from_host].send(piece)
            self._read(tokens, arrived, 0)
        end = time.monotonic() + traffic.PATIENCE_S
        while expected - arrived and time.monotonic() < end:
            self._read(tokens, arrived, 0.1)
        while self._read(tokens, arrived, self.silence_s):
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
