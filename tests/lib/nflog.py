# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads what a namespace's rules log to a group of nfnetlink_log (linux/netfilter/nfnetlink_log.h)."""

import dataclasses
import socket
import struct

import netns

NETLINK_NETFILTER = 12
NFNL_SUBSYS_ULOG = 4
MSG_PACKET, MSG_CONFIG = 0, 1
CFG_CMD, CFG_MODE, CFG_TIMEOUT, CFG_QTHRESH = 1, 2, 4, 5
CMD_BIND = 1
COPY_PACKET = 2
ATTR_PAYLOAD, ATTR_PREFIX = 9, 10
NLM_F_REQUEST, NLM_F_ACK = 1, 4
NLMSG_ERROR = 2


@dataclasses.dataclass(frozen=True)
class Logged:
    prefix: str
    packet: bytes


def _attribute(number, value):
    return struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) % 4)


def _attributes(data):
    while len(data) >= 4:
        size, number = struct.unpack_from("=HH", data)
        if size < 4:
            return
        yield number & 0x3FFF, data[4:size]
        data = data[(size + 3) & ~3 :]


class Log:
    """Listens from when it is made; every packet is sent at once, not by threshold."""

    def __init__(self, netns_path, group):
        with netns.inside(netns_path):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.bind((0, 0))
        self._logged = []
        self._configure(group, _attribute(CFG_CMD, struct.pack("B", CMD_BIND)))
        self._configure(group, _attribute(CFG_MODE, struct.pack(">IBB", 0xFFFF, COPY_PACKET, 0)))
        # The smaller of this and the rule's threshold decides; the time-out is in hundredths of a second.
        self._configure(group, _attribute(CFG_QTHRESH, struct.pack(">I", 1)) + _attribute(CFG_TIMEOUT, struct.pack(">I", 1)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def _configure(self, group, attributes):
        body = struct.pack(">BBH", 0, 0, group) + attributes
        header = struct.pack("=IHHII", 16 + len(body), NFNL_SUBSYS_ULOG << 8 | MSG_CONFIG, NLM_F_REQUEST | NLM_F_ACK, 1, 0)
        self._socket.send(header + body)
        while True:
            data = self._socket.recv(65536)
            kind = struct.unpack_from("=H", data, 4)[0]
            if kind == NLMSG_ERROR:
                error = struct.unpack_from("=i", data, 16)[0]
                assert error == 0, f"nfnetlink_log: {error}"
                return
            self._parse(data)

    def _parse(self, data):
        while len(data) >= 16:
            size, kind = struct.unpack_from("=IH", data)
            if kind == NFNL_SUBSYS_ULOG << 8 | MSG_PACKET:
                found = dict(_attributes(data[20:size]))
                self._logged.append(Logged(found.get(ATTR_PREFIX, b"").rstrip(b"\0").decode(), found.get(ATTR_PAYLOAD, b"")))
            data = data[(size + 3) & ~3 :]

    def next(self, timeout=5.0):
        """The next packet; AssertionError when there is none in time."""
        self._socket.settimeout(timeout)
        while not self._logged:
            try:
                self._parse(self._socket.recv(65536))
            except TimeoutError:
                raise AssertionError(f"nothing was logged within {timeout} s") from None
        return self._logged.pop(0)

    def pending(self, quiet=0.3):
        """All that comes until nothing does for so long."""
        found = []
        while True:
            try:
                found.append(self.next(quiet))
            except AssertionError:
                return found
