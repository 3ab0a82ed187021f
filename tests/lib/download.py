# SPDX-License-Identifier: GPL-3.0-or-later
"""A long TCP download through the router of a lab, whose every byte is checked."""

import socket
import threading

import netns
import traffic

PORT = 443
RATE = 4 * 1024 * 1024  # bytes/s, by the kernel's pacing: enough to meet every commit, and leaves the machine its CPU
PATTERN = bytes(range(251)) * 261  # a period that divides no buffer size: a lost or doubled block is seen
STALL_S = 30  # a connection that is cut shows as silence; TCP itself would try for minutes


class Download:
    """with Download(lab, "lan", "wan") as download: ...; download.check()"""

    def __init__(self, lab, client, server):
        destination = traffic.address(server, 4)
        self.received = 0
        self.error = None
        self._progress = threading.Condition()
        with netns.inside(lab.netns(server)):
            listener = socket.create_server((destination, PORT))
        with netns.inside(lab.netns(client)):
            self._client = socket.socket()
        self._client.settimeout(STALL_S)
        self._client.connect((destination, PORT))
        self._server, _ = listener.accept()
        listener.close()
        self._server.setsockopt(socket.SOL_SOCKET, 47, RATE)  # SO_MAX_PACING_RATE
        self._threads = [threading.Thread(target=self._send, daemon=True), threading.Thread(target=self._receive, daemon=True)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for end in (self._client, self._server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join()
        self._client.close()
        self._server.close()

    def _send(self):
        try:
            while True:
                self._server.sendall(PATTERN)
        except OSError:
            pass  # the end, or what _receive reports

    def _receive(self):
        try:
            while data := self._client.recv(65536):
                start = self.received % len(PATTERN)
                expected = (PATTERN + PATTERN)[start : start + len(data)]
                with self._progress:
                    if data != expected:
                        raise ValueError(f"wrong bytes at {self.received}")
                    self.received += len(data)
                    self._progress.notify_all()
        except (OSError, ValueError) as error:
            with self._progress:
                self.error = error
                self._progress.notify_all()

    def check(self):
        """Waits for data that comes after this call, and fails if there is none."""
        with self._progress:
            now = self.received
            assert self._progress.wait_for(lambda: self.error or self.received > now + 2 * RATE // 10, STALL_S), (
                f"the download stands still at {self.received} bytes")
            assert self.error is None, f"the download broke after {self.received} bytes: {self.error}"

    def stands_still(self, seconds):
        """Whether nothing more arrives for so long."""
        with self._progress:
            now = self.received
            return not self._progress.wait_for(lambda: self.received > now, seconds)
