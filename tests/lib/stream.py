# SPDX-License-Identifier: GPL-3.0-or-later
"""A steady stream of numbered UDP packets from one network namespace to another: which of them arrived, and when nothing was lost.

    with Stream(sender_netns, receiver_netns, "10.2.0.2") as stream:
        with stream.under_way():        # fails unless packets went during the block
            ...
    assert stream.lost() == []

Every few packets come from a new port: established connections pass whatever becomes of the rules, new ones need them.
"""

import contextlib
import socket
import struct
import threading

import netns

PORT = 5000
INTERVAL_S = 0.001
PACKETS_A_CONNECTION = 10
BUFFER = 64 << 20  # all that a long test sends, if need be: what is lost is lost on the way
END_TIMEOUT_S = 30
ENOUGH = 20  # packets while something happens: else it was no test of it
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
NUMBER = struct.Struct("!Q")


class Stream:
    def __init__(self, sender, receiver, address, patience=END_TIMEOUT_S):
        self.sender, self.address, self.patience = sender, address, patience
        self.sent = 0
        self.arrived = set()
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._socket = netns.make_socket(receiver, socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(True)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self._socket.bind((address, PORT))
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._send, self._receive)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        try:
            self.await_more(ENOUGH)
        except AssertionError:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._stop.set()
        self._threads[0].join()
        with self._changed:  # what is under way arrives within a moment, or never
            self._changed.wait_for(lambda: len(self.arrived) == self.sent, self.patience)
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RD)
        self._threads[1].join()
        self._socket.close()

    def _send(self):
        with netns.inside(self.sender):  # of this thread alone
            sock = None
            while not self._stop.is_set():
                if self.sent % PACKETS_A_CONNECTION == 0:
                    if sock:
                        sock.close()
                    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                with contextlib.suppress(OSError):  # refused by the network: counted as sent, and so as lost
                    sock.sendto(NUMBER.pack(self.sent), (self.address, PORT))
                self.sent += 1
                self._stop.wait(INTERVAL_S)
            sock.close()

    def _receive(self):
        while True:
            try:
                data = self._socket.recv(64)
            except OSError:
                return
            if not data:
                return
            with self._changed:
                self.arrived.add(NUMBER.unpack(data)[0])
                self._changed.notify_all()

    def await_more(self, count):
        with self._changed:
            target = len(self.arrived) + count
            assert self._changed.wait_for(lambda: len(self.arrived) >= target, self.patience), "the stream does not arrive at all"

    @contextlib.contextmanager
    def under_way(self):
        before = self.sent
        yield
        self.await_more(ENOUGH)
        assert self.sent - before >= ENOUGH

    def lost(self):
        return sorted(set(range(self.sent)) - self.arrived)
