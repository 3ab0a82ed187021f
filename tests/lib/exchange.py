# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections on which both ends send numbered UDP packets all the time: what does not arrive of them, either way.

    with Exchange(lab, "lan", "dmz") as exchange:
        ...
        exchange.await_more()
    assert exchange.lost() == []

Unlike a Stream's, they are established: rules need not let them pass again.
"""

import select
import socket
import struct
import threading
import time

import netns
import traffic

PORTS = range(5000, 5005)  # a connection to each
INTERVAL_S = 0.001
PATIENCE_S = 30
BUFFER = 64 << 20
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
NUMBER = struct.Struct("!Q")
ENOUGH = 20


class Exchange:
    def __init__(self, lab, client, server, ports=PORTS):
        self.ends, self.sent, self._arrived = [], 0, []
        self._stop, self._changed = threading.Event(), threading.Condition()
        address = traffic.address(server, 4)
        for port in ports:
            there = self._socket(lab, server, (address, port))
            here = self._socket(lab, client, (traffic.address(client, 4), 0))
            here.connect((address, port))
            there.connect(here.getsockname())
            self.ends += [here, there]
        self._arrived = [set() for _ in self.ends]
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._send, self._receive)]

    @staticmethod
    def _socket(lab, host, address):
        sock = netns.make_socket(netns.path(lab.name, host), socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        sock.bind(address)
        return sock

    def __enter__(self):
        for here, there in zip(self.ends[::2], self.ends[1::2]):  # a first packet each way, by the rules
            for sender, receiver in ((here, there), (there, here)):
                sender.send(b"first")
                assert select.select([receiver], [], [], PATIENCE_S)[0], "nothing passes"
                receiver.recv(16)
        for thread in self._threads:
            thread.start()
        self.await_more()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._threads[0].join()
        with self._changed:  # what is under way arrives within a moment, or never
            self._changed.wait_for(lambda: all(len(arrived) == self.sent for arrived in self._arrived), 2)
        self._threads[1].join()
        for sock in self.ends:
            sock.close()

    def _send(self):
        while not self._stop.is_set():
            for sock in self.ends:
                sock.send(NUMBER.pack(self.sent))
            self.sent += 1
            self._stop.wait(INTERVAL_S)

    def _receive(self):
        end = None  # once nothing is sent any more, a silence is the end
        while end is None or time.monotonic() < end:
            ready = select.select(self.ends, [], [], 0.2)[0]
            with self._changed:
                for sock in ready:
                    self._arrived[self.ends.index(sock)].add(NUMBER.unpack(sock.recv(16))[0])
                self._changed.notify_all()
            if ready:
                end = None
            elif self._stop.is_set() and end is None:
                end = time.monotonic() + 0.5

    def await_more(self, count=ENOUGH):
        """So many packets more on each connection, either way."""
        with self._changed:
            goals = [len(arrived) + count for arrived in self._arrived]
            assert self._changed.wait_for(lambda: all(len(arrived) >= goal for arrived, goal in zip(self._arrived, goals)), PATIENCE_S), \
                "packets do not arrive any more"

    def lost(self):
        """(connection and end, number) of what did not arrive; after the block."""
        return [(at, number) for at, arrived in enumerate(self._arrived) for number in range(self.sent) if number not in arrived]
