# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections in a namespace's table without packets: made over ctnetlink, a hundred thousand a second."""

import ipaddress
import socket
import struct

import netns

NETLINK_NETFILTER = 12
NLM_F_REQUEST, NLM_F_ACK, NLM_F_EXCL, NLM_F_CREATE = 1, 4, 0x200, 0x400
NFNL_SUBSYS_CTNETLINK = 1
BATCH = 200

# linux/netfilter/nfnetlink_conntrack.h, nf_conntrack_common.h, nf_conntrack_tcp.h
CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_STATUS, CTA_PROTOINFO, CTA_TIMEOUT, CTA_MARK = 1, 2, 3, 4, 7, 8
CTA_TUPLE_IP, CTA_TUPLE_PROTO = 1, 2
CTA_IP_V4_SRC, CTA_IP_V4_DST, CTA_IP_V6_SRC, CTA_IP_V6_DST = 1, 2, 3, 4
CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT = 1, 2, 3
CTA_PROTOINFO_TCP, CTA_PROTOINFO_TCP_STATE = 1, 1
IPS_SEEN_REPLY, IPS_ASSURED, IPS_CONFIRMED = 2, 4, 8
TCP_CONNTRACK_ESTABLISHED = 3


def _attribute(kind, data, nested=False):
    return struct.pack("=HH", 4 + len(data), kind | (0x8000 if nested else 0)) + data + b"\0" * (-len(data) % 4)


def _tuple(kind, source, destination, source_port, destination_port):
    v6 = len(source) == 16
    addresses = _attribute(CTA_IP_V6_SRC if v6 else CTA_IP_V4_SRC, source) + _attribute(CTA_IP_V6_DST if v6 else CTA_IP_V4_DST, destination)
    protocol = (_attribute(CTA_PROTO_NUM, bytes([socket.IPPROTO_TCP])) + _attribute(CTA_PROTO_SRC_PORT, struct.pack("!H", source_port))
                + _attribute(CTA_PROTO_DST_PORT, struct.pack("!H", destination_port)))
    return _attribute(kind, _attribute(CTA_TUPLE_IP, addresses, True) + _attribute(CTA_TUPLE_PROTO, protocol, True), True)


def _message(number, last, source, destination, source_port, destination_port, mark):
    state = _attribute(CTA_PROTOINFO_TCP, _attribute(CTA_PROTOINFO_TCP_STATE, bytes([TCP_CONNTRACK_ESTABLISHED])), True)
    body = struct.pack("=BBH", socket.AF_INET6 if len(source) == 16 else socket.AF_INET, 0, 0)
    body += _tuple(CTA_TUPLE_ORIG, source, destination, source_port, destination_port)
    body += _tuple(CTA_TUPLE_REPLY, destination, source, destination_port, source_port)
    body += _attribute(CTA_TIMEOUT, struct.pack("!I", 3600))
    body += _attribute(CTA_STATUS, struct.pack("!I", IPS_CONFIRMED | IPS_ASSURED | IPS_SEEN_REPLY))
    body += _attribute(CTA_PROTOINFO, state, True)
    if mark:
        body += _attribute(CTA_MARK, struct.pack("!I", mark))
    flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL | (NLM_F_ACK if last else 0)
    return struct.pack("=IHHII", 16 + len(body), NFNL_SUBSYS_CTNETLINK << 8, flags, number, 0) + body


def fill(netns_path, count, family=4, of_each=50, mark=0, destinations=1):
    """Established TCP connections to port 443, number i from the i // of_each-th address after the first and from a port of its own, to one
    of so many addresses."""
    first = int(ipaddress.ip_address("10.64.0.1" if family == 4 else "fd00:64::1"))
    to = int(ipaddress.ip_address("192.0.2.1" if family == 4 else "2001:db8::1"))
    size = 4 if family == 4 else 16
    with netns.inside(netns_path):
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
    with sock:
        sock.bind((0, 0))
        for start in range(0, count, BATCH):
            end = min(start + BATCH, count)
            sock.send(b"".join(_message(i, i == end - 1, (first + i // of_each).to_bytes(size, "big"), (to + i % destinations).to_bytes(size, "big"),
                                        1024 + i % 50000, 443, mark)
                               for i in range(start, end)))
            answers = sock.recv(1 << 16)
            error = struct.unpack_from("=i", answers, 16)[0]
            assert error == 0, f"connection {start} and after: errno {-error}"


def maximum():
    with open("/proc/sys/net/netfilter/nf_conntrack_max") as file:
        return int(file.read())
