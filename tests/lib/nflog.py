# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab's rules log, as filterd tells those who follow it (Filter1.Follow)."""

import json
import os
import select
import time

import dbus

INTERFACE = "org.patronus.Filter1"


class Log:
    """Listens from when it is made."""

    def __init__(self, lab, history=0, follow=True, **conditions):
        proxy = dbus.bus.BusConnection(lab.bus).get_object(INTERFACE, "/org/patronus/Filter1", introspect=False)
        options = {"history": dbus.UInt32(history), "follow": follow}
        if conditions:
            options["filter"] = dbus.Dictionary(conditions, signature="sv")
        self._fd = proxy.Follow(dbus.Dictionary(options, signature="sv"), dbus_interface=INTERFACE).take()
        self._text = b""
        self.ended = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1

    def _line(self, deadline):
        while b"\n" not in self._text:
            if self.ended or not select.select([self._fd], [], [], max(0.0, deadline - time.monotonic()))[0]:
                return None
            data = os.read(self._fd, 65536)
            self.ended = not data
            self._text += data
        line, self._text = self._text.split(b"\n", 1)
        return json.loads(line)

    def next(self, timeout=30.0):
        """The next line; AssertionError when there is none in time."""
        line = self._line(time.monotonic() + timeout)
        assert line is not None, f"nothing was logged within {timeout} s"
        return line

    def pending(self, quiet=0.3):
        """All that comes until nothing does for so long."""
        found = []
        while (line := self._line(time.monotonic() + quiet)) is not None:
            found.append(line)
        return found

    def exactly(self, count):
        """The next so many lines, and no other comes soon."""
        found = [self.next() for _ in range(count)]
        return found + self.pending()

    def rest(self, timeout=60.0):
        """All until it ends, without following."""
        found, deadline = [], time.monotonic() + timeout
        while (line := self._line(deadline)) is not None:
            found.append(line)
        assert self.ended, f"the log did not end within {timeout} s"
        return found
