#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real packets through a lab (tools/lab), driven by a table.

A row says who sends what to whom and what must be seen. All rows run at once in one event loop: their sockets live in
the lab's namespaces (netns.py), so that no process is started for any of them. What is seen is a short text:

    answer, seen as 10.1.0.1       a server answered; it saw the client under this address
    no answer                      nothing came back in the time that is given
    refused                        a TCP reset, or ICMP port unreachable from the very target
    port unreachable from X        an ICMP error, and who sent it; likewise time exceeded, packet too big, prohibited
    arrived / did not arrive       whether a packet made by hand was seen on the target's wire

usage: traffic.py LAB [ROWS.py]     prints a table; exit code 1 unless all is as expected
"""

import asyncio
import dataclasses
import errno
import ipaddress
import itertools
import os
import socket
import struct
import sys

import netns

SILENCE_S = 0.4  # how long nothing must be seen where nothing is expected; an answer takes 0.2 ms
PATIENCE_S = 15.0  # how long an expected answer may take on a loaded machine
NUMBERS = {"wan": 1, "lan": 2, "dmz": 3, "guest": 4, "spare": 5}  # as tools/lab has them

IP_RECVERR, IPV6_RECVERR = 11, 25  # linux/in.h, linux/in6.h
IP_MTU_DISCOVER, IP_PMTUDISC_PROBE = 10, 3  # PROBE: set DF, and ignore what is known of the path
IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE = 23, 3
ETH_P_ALL = 3

_tokens = itertools.count(1)


def address(host, family, at=None):
    """The address of a host; of the router, its address `at` that host's side."""
    number, last = (NUMBERS[at], 1) if host == "router" else (NUMBERS[host], 2)
    return f"10.{number}.0.{last}" if family == 4 else f"fd00:{number}::{last}"


@dataclasses.dataclass(frozen=True)
class Row:
    what: str  # for people
    probe: str  # a key of PROBES
    source: str  # host of the lab
    target: str  # host of the lab: there a server listens, or the wire is watched
    family: int  # 4 or 6
    expect: str  # the text to be seen
    port: int = 0
    to: str = ""  # address, when it is not the target's first
    listen: int = 0  # the server's port, when a translation makes it another

    @property
    def destination(self):
        return self.to or address(self.target, self.family, at=self.source)

    @property
    def patience(self):
        return SILENCE_S if self.expect in ("no answer", "did not arrive") else PATIENCE_S


@dataclasses.dataclass(frozen=True)
class Result:
    row: Row
    seen: str

    @property
    def ok(self):
        return self.seen == self.row.expect


# --- servers ------------------------------------------------------------------------------------------------------------


class Servers:
    """Echo servers on demand: each tells its client under which address it was seen."""

    def __init__(self, lab):
        self.lab = lab
        self.tasks = []
        self.sockets = {}

    def need(self, host, family, kind, port):
        key = (host, family, kind, port)
        if key in self.sockets:
            return
        af = socket.AF_INET if family == 4 else socket.AF_INET6
        sock = netns.make_socket(netns.path(self.lab, host), af, kind)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if af == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("::" if af == socket.AF_INET6 else "0.0.0.0", port))
        if kind == socket.SOCK_STREAM:
            sock.listen(64)
        self.sockets[key] = sock
        serve = self._serve_tcp if kind == socket.SOCK_STREAM else self._serve_udp
        self.tasks.append(asyncio.get_running_loop().create_task(serve(sock)))

    @staticmethod
    async def _serve_tcp(sock):
        loop = asyncio.get_running_loop()
        while True:
            client, peer = await loop.sock_accept(sock)
            with client:
                try:
                    await loop.sock_sendall(client, peer[0].encode())
                except OSError:
                    pass  # the client gave up

    @staticmethod
    async def _serve_udp(sock):
        loop = asyncio.get_running_loop()
        while True:
            try:
                _, peer = await loop.sock_recvfrom(sock, 64)
                await loop.sock_sendto(sock, peer[0].encode(), peer)
            except OSError:
                pass  # an error that came back for an earlier answer

    async def close(self):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        for sock in self.sockets.values():
            sock.close()


# --- probes: each returns what was seen ---------------------------------------------------------------------------------


def _client(lab, row, kind, protocol=0):
    family = socket.AF_INET if row.family == 4 else socket.AF_INET6
    return netns.make_socket(netns.path(lab, row.source), family, kind, protocol)


async def probe_tcp(lab, row):
    loop = asyncio.get_running_loop()
    with _client(lab, row, socket.SOCK_STREAM) as sock:
        try:
            await loop.sock_connect(sock, (row.destination, row.port))
            return "answer, seen as " + (await loop.sock_recv(sock, 64)).decode()
        except ConnectionRefusedError:
            return "refused"
        except OSError as error:
            return f"error {errno.errorcode[error.errno]}"


async def probe_udp(lab, row, size=16, hops=None, whole=False):
    loop = asyncio.get_running_loop()
    with _client(lab, row, socket.SOCK_DGRAM) as sock:
        if row.family == 4:
            level, receive_errors, hop_limit = socket.IPPROTO_IP, IP_RECVERR, socket.IP_TTL
            discover = (IP_MTU_DISCOVER, IP_PMTUDISC_PROBE)
        else:
            level, receive_errors, hop_limit = socket.IPPROTO_IPV6, IPV6_RECVERR, socket.IPV6_UNICAST_HOPS
            discover = (IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE)
        sock.setsockopt(level, receive_errors, 1)
        if hops:
            sock.setsockopt(level, hop_limit, hops)
        if whole:
            sock.setsockopt(level, *discover)
        sock.connect((row.destination, row.port))
        sock.send(b"x" * size)
        try:
            return "answer, seen as " + (await loop.sock_recv(sock, 64)).decode()
        except OSError as error:
            return _read_icmp_error(sock, error)


def _read_icmp_error(sock, error):
    """The ICMP error behind a failed recv, from the error queue (ip(7), IP_RECVERR)."""
    try:
        _, ancillary, _, _ = sock.recvmsg(1, 512, socket.MSG_ERRQUEUE)
    except OSError:
        return f"error {errno.errorcode[error.errno]}"
    data = ancillary[0][2]
    # struct sock_extended_err, then the offender's sockaddr
    _, origin, kind, code, _, info, _ = struct.unpack_from("=IBBBBII", data)
    if origin == 2:  # SO_EE_ORIGIN_ICMP
        offender = socket.inet_ntop(socket.AF_INET, data[20:24])
        names = {(3, 3): "port unreachable", (3, 13): "prohibited", (3, 4): f"too big for {info}", (11, 0): "time exceeded"}
    elif origin == 3:  # SO_EE_ORIGIN_ICMP6
        offender = socket.inet_ntop(socket.AF_INET6, data[24:40])
        names = {(1, 4): "port unreachable", (1, 1): "prohibited", (2, 0): f"too big for {info}", (3, 0): "time exceeded"}
    else:
        return f"error {errno.errorcode[error.errno]}"
    return f"{names.get((kind, code), f'ICMP type {kind} code {code}')} from {offender}"


async def probe_expiring(lab, row):
    """A packet that the second router on its way may not forward."""
    return await probe_udp(lab, row, hops=2)


async def probe_expiring_first(lab, row):
    """The same for the router."""
    return await probe_udp(lab, row, hops=1)


async def probe_big(lab, row):
    """A packet that is too big for a link behind the second router, and may not be fragmented."""
    return await probe_udp(lab, row, size=1400, whole=True)


async def probe_ping(lab, row):
    loop = asyncio.get_running_loop()
    token = _token()
    if row.family == 4:
        protocol, request, reply, skip = socket.IPPROTO_ICMP, 8, 0, 20
    else:
        protocol, request, reply, skip = socket.IPPROTO_ICMPV6, 128, 129, 0
    with _client(lab, row, socket.SOCK_RAW, protocol) as sock:
        packet = struct.pack("!BBHHH", request, 0, 0, os.getpid() & 0xFFFF, 1) + token
        if row.family == 4:  # the kernel fills in ICMPv6's checksum
            packet = packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]
        await loop.sock_sendto(sock, packet, (row.destination, 0))
        while True:
            data, sender = await loop.sock_recvfrom(sock, 2048)
            if data[skip] == reply and token in data and sender[0] == row.destination:
                return "answer"


# --- packets by hand ----------------------------------------------------------------------------------------------------


def _token():
    return f"patronus-{os.getpid()}-{next(_tokens)}-".encode()


def checksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _pseudo_header(source, destination, protocol, size):
    a, b = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    if a.version == 4:
        return a.packed + b.packed + struct.pack("!BBH", 0, protocol, size)
    return a.packed + b.packed + struct.pack("!II", size, protocol)


def tcp_segment(source, destination, port, flags, payload):
    def segment(value):
        return struct.pack("!HHIIBBHHH", 40000 + port % 1000, port, 7, 7, 5 << 4, flags, 1024, value, 0) + payload

    size = 20 + len(payload)
    return segment(checksum(_pseudo_header(source, destination, socket.IPPROTO_TCP, size) + segment(0)))


def orphan_icmp_error(source, destination, family, payload):
    """Port unreachable for a datagram that was never sent."""
    udp = struct.pack("!HHHH", 4711, 4712, 8 + len(payload), 0) + payload
    sent_by, sent_to = (ipaddress.ip_address(text).packed for text in (destination, source))
    if family == 4:
        header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 1, 0, 64, socket.IPPROTO_UDP, 0) + sent_by + sent_to
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
        error = struct.pack("!BBHI", 3, 3, 0, 0) + header + udp
        return error[:2] + struct.pack("!H", checksum(error)) + error[4:]
    header = struct.pack("!IHBB", 6 << 28, len(udp), socket.IPPROTO_UDP, 64) + sent_by + sent_to
    return struct.pack("!BBHI", 1, 4, 0, 0) + header + udp


TCP_FIN, TCP_SYN, TCP_RST, TCP_ACK = 0x01, 0x02, 0x04, 0x10


async def _inject(lab, row, protocol, make):
    """Sends a packet from a raw socket and watches the target's wire for it."""
    loop = asyncio.get_running_loop()
    token = _token()
    with netns.make_socket(netns.path(lab, row.target), socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as wire, _client(
        lab, row, socket.SOCK_RAW, protocol
    ) as sock:
        await loop.sock_sendto(sock, make(address(row.source, row.family), row.destination, token), (row.destination, 0))
        while token not in await loop.sock_recv(wire, 2048):
            pass
        return "arrived"


def probe_segment(flags):
    async def probe(lab, row):
        return await _inject(
            lab, row, socket.IPPROTO_TCP, lambda source, to, token: tcp_segment(source, to, row.port, flags, token)
        )

    return probe


async def probe_orphan_error(lab, row):
    protocol = socket.IPPROTO_ICMP if row.family == 4 else socket.IPPROTO_ICMPV6
    return await _inject(lab, row, protocol, lambda source, to, token: orphan_icmp_error(source, to, row.family, token))


PROBES = {
    "tcp": probe_tcp,
    "udp": probe_udp,
    "closed-udp": probe_udp,  # nobody listens
    "ping": probe_ping,
    "expiring": probe_expiring,
    "expiring-first": probe_expiring_first,
    "big": probe_big,
    "syn": probe_segment(TCP_SYN),
    "syn-ack": probe_segment(TCP_SYN | TCP_ACK),
    "ack": probe_segment(TCP_ACK),
    "fin": probe_segment(TCP_FIN),
    "xmas": probe_segment(TCP_FIN | TCP_SYN | TCP_RST),
    "orphan-error": probe_orphan_error,
}
LISTENERS = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
INJECTED = ("syn", "syn-ack", "ack", "fin", "xmas", "orphan-error")


# --- running ------------------------------------------------------------------------------------------------------------


async def _run_row(lab, row):
    try:
        seen = await asyncio.wait_for(PROBES[row.probe](lab, row), row.patience)
    except asyncio.TimeoutError:
        seen = "did not arrive" if row.probe in INJECTED else "no answer"
    return Result(row, seen)


async def _run(lab, rows):
    servers = Servers(lab)
    try:
        for row in rows:
            if row.probe in LISTENERS:
                servers.need(row.target, row.family, LISTENERS[row.probe], row.listen or row.port)
        return await asyncio.gather(*(_run_row(lab, row) for row in rows))
    finally:
        await servers.close()


def run(lab, rows):
    """Results in the order of the rows."""
    return asyncio.run(_run(lab, rows))


def print_table(results, out=sys.stdout):
    colour = out.isatty()
    lines = [("what", "expected", "seen", "ok")]
    lines += [(r.row.what, r.row.expect, r.seen, "yes" if r.ok else "NO") for r in results]
    widths = [max(len(line[i]) for line in lines) for i in range(3)]
    for number, line in enumerate(lines):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths)) + "  " + line[3]
        if number == 0:
            text += "\n" + "-" * len(text)
        elif colour:
            text = f"\033[{32 if results[number - 1].ok else 31}m{text}\033[0m"
        print(text, file=out)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__.strip().rpartition("\n\n")[2])
    import edge  # the table for examples/edge.yaml

    results = run(sys.argv[1], edge.ROWS)
    print_table(results)
    wrong = sum(not r.ok for r in results)
    print(f"\n{len(results) - wrong} of {len(results)} rows as expected")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
