# SPDX-License-Identifier: GPL-3.0-or-later
"""Ethernet frames made by hand, with every field that a firewall can ask for; RFC 791, 8200, 9293, 768, 792, 4443, 9260, 4303."""

import ipaddress
import socket
import struct

TCP_SYN, TCP_ACK = 0x02, 0x10
ESP = 50
ETHERNET = 14  # bytes of the header
CUT = 24  # bytes of a packet behind its IP header that are in the first of two fragments
TOKEN = 14  # bytes that the tests' packets carry to be known by


def checksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def crc32c(data):
    """RFC 9260 appendix A, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def _summed(source, destination, protocol, segment, at):
    """The segment with its checksum over the pseudo header at an offset."""
    if source.version == 4:
        pseudo = source.packed + destination.packed + struct.pack("!BBH", 0, protocol, len(segment))
    else:
        pseudo = source.packed + destination.packed + struct.pack("!II", len(segment), protocol)
    return segment[:at] + struct.pack("!H", checksum(pseudo + segment)) + segment[at + 2 :]


def transport(source, destination, packet, token):
    """What follows the IP header; the token is its last part."""
    if packet.protocol == socket.IPPROTO_TCP:
        header = struct.pack("!HHIIBBHHH", packet.sport, packet.dport, 7, 0, 5 << 4, packet.flags, 1024, 0, 0)
        return _summed(source, destination, packet.protocol, header + token, 16)
    if packet.protocol == socket.IPPROTO_UDP:
        header = struct.pack("!HHHH", packet.sport, packet.dport, 8 + len(token), 0)
        return _summed(source, destination, packet.protocol, header + token, 6)
    if packet.protocol in (socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6):
        message = struct.pack("!BBHHH", *packet.icmp, 0, packet.number & 0xFFFF, 1) + token + bytes(40)
        if source.version == 6:
            return _summed(source, destination, packet.protocol, message, 2)
        return message[:2] + struct.pack("!H", checksum(message)) + message[4:]
    if packet.protocol == socket.IPPROTO_SCTP:
        chunk = struct.pack("!BBHIIHHI", 1, 0, 20 + len(token), 1, 4096, 1, 1, 1) + token  # INIT
        header = struct.pack("!HHI", packet.sport, packet.dport, 0)
        return header + struct.pack("<I", crc32c(header + bytes(4) + chunk)) + chunk
    return struct.pack("!II", 1, 1) + token  # ESP, or whatever


def frame(to_mac, packet, token):
    """`packet` has source, destination (texts), mac, dscp, hops, protocol, and of the protocol: sport, dport, flags, icmp, number."""
    source, destination = ipaddress.ip_address(packet.source), ipaddress.ip_address(packet.destination)
    if getattr(packet, "pieces", 1) > 1:
        token = bytes(CUT - 8) + token  # all of it in the last one
    payload = transport(source, destination, packet, token)
    traffic_class = packet.dscp << 2 | 1  # the two bits below are ECN
    if source.version == 4:
        header = struct.pack("!BBHHHBBH", 0x45, traffic_class, 20 + len(payload), packet.number & 0xFFFF, 0, packet.hops, packet.protocol, 0)
        header += source.packed + destination.packed
        header = header[:10] + struct.pack("!H", checksum(header)) + header[12:]
    else:
        header = struct.pack("!IHBB", 6 << 28 | traffic_class << 20 | 0xABCDE, len(payload), packet.protocol, packet.hops)
        header += source.packed + destination.packed
    ether = struct.pack("!H", 0x0800 if source.version == 4 else 0x86DD)
    return bytes.fromhex((to_mac + packet.mac).replace(":", "")) + ether + header + payload


def pieces(to_mac, packet, token):
    """The frames that the packet arrives in: itself, or two fragments, of which the first has the whole header of the protocol
    (RFC 791 3.2, RFC 8200 4.5, RFC 7112)."""
    whole = frame(to_mac, packet, token)
    if packet.pieces == 1:
        return [whole]
    ethernet, rest = whole[:ETHERNET], whole[ETHERNET:]
    if rest[0] >> 4 == 4:
        return [ethernet + _fragment4(rest[:20], part, offset, more) for part, offset, more in _cut(rest[20:])]
    return [ethernet + _fragment6(rest[:40], packet.number, part, offset, more) for part, offset, more in _cut(rest[40:])]


def _cut(payload):
    return (payload[:CUT], 0, True), (payload[CUT:], CUT, False)


def _fragment4(header, part, offset, more):
    header = header[:2] + struct.pack("!H", 20 + len(part)) + header[4:6] + struct.pack("!H", more << 13 | offset // 8) + header[8:10] + b"\0\0" + header[12:]
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + part


def _fragment6(header, number, part, offset, more):
    extension = struct.pack("!BBHI", header[6], 0, offset | more, number)
    return header[:4] + struct.pack("!HB", 8 + len(part), 44) + header[7:] + extension + part
