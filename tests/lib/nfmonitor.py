# SPDX-License-Identifier: GPL-3.0-or-later
"""Watches the nftables commits of a namespace: each ends with one NFT_MSG_NEWGEN (net/netfilter/nf_tables_api.c). What a commit
did is told before."""

import dataclasses
import socket
import struct
import time

import netns

NETLINK_NETFILTER = 12
SOL_NETLINK, NETLINK_ADD_MEMBERSHIP = 270, 1
NFNLGRP_NFTABLES = 7
NFNL_SUBSYS_NFTABLES = 10
NFT_MSG_NEWGEN = 15
# linux/netfilter/nf_tables.h: the message, and the attribute that names what holds the object, or the object itself.
MESSAGES = {
    0: ("new table", 1), 2: ("delete table", 1), 3: ("new chain", 3), 5: ("delete chain", 3), 6: ("new rule", 2), 8: ("delete rule", 2),
    9: ("new set", 2), 11: ("delete set", 2), 12: ("new element", 2), 14: ("delete element", 2),
}
NFTA_GEN_ID, NFTA_GEN_PROC_PID, NFTA_GEN_PROC_NAME = 1, 2, 3


@dataclasses.dataclass(frozen=True)
class Commit:
    when: float  # time.monotonic() of its notification
    generation: int
    pid: int
    program: str
    changes: frozenset  # what was touched: ("new rule", "chain"), ("delete element", "set")


class Monitor:
    def __init__(self, netns_path):
        with netns.inside(netns_path):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_NETFILTER)
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 16 * 1024 * 1024)  # SO_RCVBUFFORCE: a loss raises ENOBUFS
        self._socket.bind((0, 0))
        self._socket.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, NFNLGRP_NFTABLES)
        self._commits = []
        self._changes = set()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()

    def next_commit(self, timeout=30.0):
        """The next commit; AssertionError when there is none in time."""
        deadline = time.monotonic() + timeout
        while not self._commits:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                data = self._socket.recv(1 << 20)
            except TimeoutError:
                raise AssertionError(f"no nftables commit within {timeout} s") from None
            self._parse(data, time.monotonic())
        return self._commits.pop(0)

    def pending(self):
        """Commits that were notified already."""
        self._socket.settimeout(0)
        try:
            while True:
                self._parse(self._socket.recv(1 << 20), time.monotonic())
        except BlockingIOError:
            pass
        commits, self._commits = self._commits, []
        return commits

    def _parse(self, data, when):
        offset = 0
        while offset + 16 <= len(data):
            size, kind = struct.unpack_from("=IH", data, offset)
            if kind == NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN:
                self._commits.append(self._commit(data[offset + 20 : offset + size], when))
            elif kind >> 8 == NFNL_SUBSYS_NFTABLES:
                verb, holder = MESSAGES.get(kind & 0xFF, (f"message {kind & 0xFF}", 0))
                self._changes.add((verb, self._values(data[offset + 20 : offset + size]).get(holder, b"").rstrip(b"\0").decode()))
            offset += (size + 3) & ~3

    def _commit(self, attributes, when):
        values = self._values(attributes)
        number = lambda kind: int.from_bytes(values.get(kind, b"\0"), "big")
        program = values.get(NFTA_GEN_PROC_NAME, b"").rstrip(b"\0").decode()
        changes, self._changes = frozenset(self._changes), set()
        return Commit(when, number(NFTA_GEN_ID), number(NFTA_GEN_PROC_PID), program, changes)

    @staticmethod
    def _values(attributes):
        values = {}
        offset = 0
        while offset + 4 <= len(attributes):
            size, kind = struct.unpack_from("=HH", attributes, offset)
            values[kind & 0x3FFF] = attributes[offset + 4 : offset + size]
            offset += (size + 3) & ~3
        return values
